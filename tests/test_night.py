import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib import night
from lib.files import InputError
from lib.fractal import higuchi

KP = pd.Series(np.arange(80 * 8) % 17 / 3, pd.date_range("2015-03-20", periods=80 * 8, freq="3h"))


def record(days=24, longitude=0.0, levels=(3, 4, 2), walk=False):
    n = days * 1440
    x = np.random.default_rng(2).normal(size=(3, n)) * np.array(levels)[:, None]
    x = np.cumsum(x, axis=1) if walk else x
    time = pd.date_range("2015-04-01", periods=n, freq="min").as_unit("ns")
    return xr.Dataset({c: ("time", row) for c, row in zip("HDZ", x, strict=True)}, {"time": time},
                      {"station": "AAA", "sampling_s": 60.0, "longitude": longitude, "source": "x"})


def test_white_noise_has_ratio_dimension_and_power_of_white_noise():
    """2 / 5; D = 2; mean power (9 + 16 + 4) / 3 times 2 / fs."""
    found = night.describe(record(), KP)
    assert found.ratio.mean() == pytest.approx(.4, rel=.05) and len(found) == 24
    assert found[["higuchi_h", "higuchi_d", "higuchi_z"]].mean().tolist() == pytest.approx([2, 2, 2], abs=.03)
    assert (10 ** found.power).mean() == pytest.approx(29 / 3 * 2 * 60, rel=.05)


def test_a_random_walk_has_dimension_one_and_a_half():
    found = night.describe(record(walk=True), KP)
    assert found.higuchi_z.mean() == pytest.approx(1.5, abs=.06)


def test_a_night_is_that_of_the_record_and_has_its_kp():
    r = record(longitude=-152.39)
    found = night.describe(r, KP)
    row = found.loc["2015-04-05"]
    assert row.start == pd.Timestamp("2015-04-05T10:10")                     # + 152.39 / 15 h
    x = r.D.sel(time=slice("2015-04-05T10:10", "2015-04-05T14:09")).values
    assert row.higuchi_d == pytest.approx(float(higuchi(x)))
    assert row.kp == KP["2015-04-05T09:00":"2015-04-05T12:00"].max()


def test_z_needs_fifteen_nights_before():
    found = night.describe(record(), KP)
    assert found.z.isna().tolist() == [True] * 15 + [False] * 9


def test_short_gaps_are_bridged_and_longer_ones_cost_dimension_and_power():
    r = record(4)
    h = r.H.values.copy()
    h[60:63] = np.nan
    h[1440 + 60:1440 + 64] = np.nan
    found = night.describe(r.assign(H=("time", h)), KP)
    assert found.power.isna().tolist() == [False, True, False, False]
    assert found.higuchi_h.isna().tolist() == [False, True, False, False] and found.ratio.notna().all()


def test_another_station_at_the_same_hours():
    """With the longitude of the first, the tables share their hours; without it they are refused."""
    a, b = record(longitude=-152.39), record(longitude=-3.2, levels=(1, 1, 1))
    first = night.describe(a, KP)
    joined = night.beside(first, night.describe(b.assign_attrs(longitude=-152.39), KP))
    assert joined.ratio_remote.mean() > 1.5 * joined.ratio.mean() and "z_remote" in joined
    with pytest.raises(InputError, match="same nights and hours"):
        night.beside(first, night.describe(b, KP))


def test_the_week_before_an_earthquake():
    table = night.describe(record(), KP)
    table["z_remote"] = np.arange(24.0)
    times = pd.to_datetime(["2015-04-20 12:00", "2015-04-08 00:00", "2015-06-01 00:00"])
    quakes = pd.DataFrame({"time": times})
    found = night.before_events(table, quakes)
    assert found.nights.tolist() == [7, 7, 0] and found.with_z.tolist() == [5, 0, 0]
    week = table["2015-04-14":"2015-04-20"]
    assert found.z_max[0] == week.z.max() and found.z_remote[0] == week.z_remote[week.z.idxmax()]
    assert np.isnan(found.z_max[1]) and found.kp_max[0] == week.kp.max()
