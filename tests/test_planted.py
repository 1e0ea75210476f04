import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.signal import welch

from lib.earth import planted
from lib.files import InputError

EVENT = pd.Timestamp("2015-01-10T06:30")


def record(days=12, sampling_s=60, start="2015-01-01"):
    """Noise with a gap of ten samples in H, and one missing value in Z."""
    n = days * 86400 // sampling_s
    x = 100 + np.random.default_rng(1).normal(size=(3, n))
    x[0, 9 * 1440 + 300:9 * 1440 + 310] = np.nan
    x[2, 5] = np.nan
    time = pd.date_range(start, periods=n, freq=pd.Timedelta(seconds=sampling_s)).as_unit("ns")
    return xr.Dataset({c: ("time", row) for c, row in zip("HDZ", x, strict=True)}, {"time": time},
                      {"station": "AAA", "sampling_s": float(sampling_s), "longitude": 0.0, "source": "aaa"})


def values(ds):
    return np.stack([ds[c].values for c in "HDZ"])


def test_amplitude_zero_returns_the_same_bits():
    r = record()
    found = planted.plant(r, [EVENT], amplitude_nt=0, seed=3)
    assert values(found).tobytes() == values(r).tobytes() and found.attrs["planted_nt"] == 0


def test_gaps_stay_gaps_and_nothing_else_becomes_one():
    r = record()
    found = planted.plant(r, [EVENT], amplitude_nt=5, seed=3)
    assert (np.isnan(values(found)) == np.isnan(values(r))).all()
    assert r.attrs.get("planted_nt") is None and (found.Z != r.Z).sum() > 9000      # a copy


def test_the_signal_has_the_amplitude_the_bearing_and_the_vertical_part_asked_for():
    """While it is on, the horizontal rms is 1 nT, along 30 degrees; Z is -0.567 times that, in phase."""
    shape = planted.make_shape(lead_days=30, gap_days=0, edge_days=0.01)
    x = planted.signal([EVENT], EVENT - pd.Timedelta(days=25), 20 * 1440, 1, shape, bearing_deg=30)
    assert np.hypot(x[0], x[1]).std() > 0 and np.sqrt((x[:2] ** 2).sum(0).mean()) == pytest.approx(1, rel=.05)
    assert x[1] == pytest.approx(x[0] * np.tan(np.radians(30)), abs=1e-6)
    assert x[2] == pytest.approx(x[0] / np.cos(np.radians(30)) * planted.VERTICAL, abs=1e-6)


def test_it_is_linear_in_the_amplitude():
    r = record()
    one, three = (values(planted.plant(r, [EVENT], amplitude_nt=a, seed=3)) - values(r) for a in (1, 3))
    assert np.nanmax(np.abs(three - 3 * one)) < 1e-9 and np.nanmax(np.abs(one)) > 1


def test_its_power_lies_in_the_band():
    shape = planted.make_shape(lead_days=30, gap_days=0)
    x = planted.signal([EVENT], EVENT - pd.Timedelta(days=20), 10 * 1440, 1, shape)
    f, p = welch(x[0], 1 / 60, nperseg=1024)
    inside = (f >= .001) & (f <= .008)
    assert p[inside].sum() / p.sum() > .99


def test_it_lasts_from_lead_to_gap_and_leaves_the_rest_untouched():
    r = record()
    added = values(planted.plant(r, [EVENT], amplitude_nt=1, lead_days=3, gap_days=1, seed=3)) - values(r)
    lead = (EVENT - pd.DatetimeIndex(r.time.values)) / pd.Timedelta(days=1)
    assert (added[1][(lead > 3) | (lead < 1)] == 0).all()
    assert np.abs(added[1][(lead < 2.5) & (lead > 1.5)]).max() == 0     # bearing 0: nothing in D
    assert np.sqrt((added[2][(lead < 2.5) & (lead > 1.5)] ** 2).mean()) == pytest.approx(.567, rel=.2)


def test_any_stretch_is_a_cut_of_the_whole():
    """A window made alone has the bits of the whole record, also if it starts off the hour."""
    shape = planted.make_shape(duty=0.4)
    start = EVENT - pd.Timedelta(days=3)
    whole = planted.signal([EVENT], start, 600, 5, shape)
    part = planted.signal([EVENT], start + pd.Timedelta(minutes=47), 300, 5, shape)
    assert np.array_equal(part, whole[:, 47:347]) and np.abs(part).max() > 0


def test_duty_is_the_share_of_time_that_it_is_on():
    shape = planted.make_shape(duty=0.4, lead_days=9, gap_days=0, edge_days=0.01)
    x = planted.signal([EVENT], EVENT - pd.Timedelta(days=8), 7 * 1440, 5, shape)
    assert (np.abs(x[0]) > 0).mean() == pytest.approx(.4, abs=.04)


def test_two_events_add_up_and_the_seed_matters():
    other, start, shape = EVENT + pd.Timedelta(days=1), EVENT - pd.Timedelta(days=2), planted.make_shape()
    both, a, b = (planted.signal(t, start, 1440, 1, shape) for t in ([EVENT, other], [EVENT], [other]))
    assert both == pytest.approx(a + b, abs=1e-6)
    assert not np.allclose(a, planted.signal([EVENT], start, 1440, 2, shape))


def test_a_catalogue_will_do():
    start, shape = EVENT - pd.Timedelta(days=2), planted.make_shape()
    table = pd.DataFrame({"event_id": ["x"], "time": [EVENT]})
    one, other = (planted.signal(times, start, 60, 1, shape) for times in (table, [EVENT]))
    assert np.array_equal(one, other) and one.any()


@pytest.mark.parametrize("band", [(0.01, 0.05), (0.001, 0.05), (0.008, 0.001), (0.0, 0.008)])
def test_a_band_that_minutes_cannot_hold_is_refused(band):
    """The synthetic world's 0.01 to 0.05 Hz lies above the Nyquist frequency: the message says so."""
    with pytest.raises(InputError, match="Nyquist|below"):
        planted.plant(record(), [EVENT], amplitude_nt=1, band_hz=band)


def test_the_world_s_band_is_allowed_at_one_second():
    r = record(days=1, sampling_s=1, start="2015-01-09")
    r = r.fillna(100.0).assign_attrs(r.attrs)
    added = values(planted.plant(r, [EVENT], amplitude_nt=1, band_hz=(0.01, 0.05), seed=1)) - values(r)
    assert np.abs(added[0]).max() > 1


@pytest.mark.parametrize(("change", "message"), [
    ({"amplitude_nt": -1}, "amplitude_nt"), ({"amplitude_nt": np.nan}, "amplitude_nt"),
    ({"duty": 0}, "duty"), ({"duty": (0.8, 0.3)}, "duty"), ({"lead_days": 0.2}, "lead")])
def test_bad_settings_are_named(change, message):
    with pytest.raises(InputError, match=message):
        planted.plant(record(), [EVENT], **({"amplitude_nt": 1.0} | change))


@pytest.mark.parametrize("times", [[EVENT, EVENT], [pd.NaT]])
def test_bad_times_are_named(times):
    with pytest.raises(InputError, match="each once"):
        planted.plant(record(), times, amplitude_nt=1.0)
