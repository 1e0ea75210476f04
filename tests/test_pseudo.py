import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib import splits
from lib.earth import planted, pseudo
from lib.earth.windows import COLUMNS
from lib.files import InputError


def record(days=40, longitude=144.2):
    n = days * 1440
    x = np.random.default_rng(0).normal(size=(3, n))
    time = pd.date_range("2011-03-01", periods=n, freq="min").as_unit("ns")
    return xr.Dataset({c: ("time", row) for c, row in zip("HDZ", x, strict=True)}, {"time": time},
                      {"station": "MMB", "sampling_s": 60.0, "longitude": longitude, "source": "x"})


def indices(days=60, seed=0):
    draw = np.random.default_rng(seed)
    threes = pd.date_range("2011-02-20", periods=days * 8, freq="3h")
    kp = pd.Series(draw.integers(0, 18, days * 8) / 3, threes)
    hours = pd.date_range("2011-02-20", periods=days * 24, freq="h")
    return kp, pd.Series(-draw.random(days * 24) * 50, hours)


def test_nights_are_four_hours_after_local_midnight():
    """144.2 E: midnight is 14:23 UTC, the whole hour 14; the samples are those of the record."""
    r = record(5)
    nights, x = pseudo.cut_nights(r, *indices())
    assert (nights.start.dt.hour == 14).all() and len(nights) == 5 and x.shape == (5, 3, 240)
    assert np.array_equal(x[2, 1], r.D.sel(time=slice("2011-03-03T14:00", "2011-03-03T17:59")).values)


def test_kp_and_dst_of_a_night():
    kp, dst = indices()
    nights, _ = pseudo.cut_nights(record(3), kp, dst)
    assert nights.kp_max[1] == kp["2011-03-02T12:00":"2011-03-02T15:00"].max()
    assert nights.dst_min[1] == dst["2011-03-02T14:00":"2011-03-02T17:00"].min()


def test_the_gap_rule():
    """Two minutes are filled with the mean of the window, three drop the night (S4)."""
    r = record(4)
    h, d = r.H.values.copy(), r.D.values.copy()
    h[14 * 60 + 30:14 * 60 + 32] = np.nan
    d[1440 + 14 * 60 + 30:1440 + 14 * 60 + 33] = np.nan
    nights, x = pseudo.cut_nights(r.assign(H=("time", h), D=("time", d)), *indices())
    assert nights.start.dt.day.tolist() == [1, 3, 4] and nights.attrs["dropped"] == 1
    assert x[0, 0, 30] == pytest.approx(np.nanmean(h[14 * 60:18 * 60])) and np.isfinite(x).all()


def test_a_record_without_a_night_is_refused():
    with pytest.raises(InputError, match="one night"):
        pseudo.cut_nights(record(1).isel(time=slice(0, 600)), *indices())


@pytest.fixture(scope="module")
def nights():
    return pseudo.cut_nights(record(), *indices())[0]


def test_every_event_has_a_night_like_it(nights):
    """Same Kp within one, month within one, no night twice, half of the windows events."""
    table = pseudo.matched_nights(nights, 0)
    assert list(table.columns[:len(COLUMNS)]) == list(COLUMNS) and table.night.is_unique
    for _, pair in table.groupby("set_id"):
        assert len(pair) == 2 and (pair.event_id != "").sum() == 1 and (pair.block_id != "").sum() == 1
        assert np.ptp(pair.kp_max) <= 1 and np.ptp(pair.start.dt.month) <= 1
    assert table.start.is_monotonic_increasing and (table.start.to_numpy() == nights.start[table.night]).all()


def test_the_event_follows_its_night_and_the_signal_stays_in_it(nights):
    table = pseudo.matched_nights(nights, 1)
    events = table[table.event_id != ""]
    assert (events.event_time - events.start == pd.Timedelta(hours=20)).all()
    assert events.lead_days.tolist() == pytest.approx([16 / 24] * len(events))
    assert table.event_time[table.event_id == ""].isna().all()
    shape, first = planted.make_shape(**pseudo.ONE_NIGHT), events.iloc[0]
    own, before, after = (planted.signal([first.event_time], first.start + pd.Timedelta(days=d), 240, 0,
                                         shape) for d in (0, -1, 1))
    assert (np.abs(own[0]) > 0).mean() > .9 and not before.any() and not after.any()


def test_draws_differ_by_seed_and_repeat_with_it(nights):
    a, b, c = (pseudo.matched_nights(nights, s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(a, b)
    assert a.event_id.tolist() != c.event_id.tolist()
    assert (pseudo.matched_nights(nights, 0, 5).event_id != "").sum() == 5


def test_which_of_a_pair_is_the_event_is_a_coin(nights):
    """Over draws, Kp of event nights is not above or below that of quiet nights."""
    drawn = [pseudo.matched_nights(nights, s) for s in range(60)]
    gap = [t.kp_max[t.event_id != ""].mean() - t.kp_max[t.event_id == ""].mean() for t in drawn]
    assert abs(np.mean(gap)) < 3 * np.std(gap) / np.sqrt(60)


def test_quiet_controls_make_kp_a_cue(nights):
    """The published choice: controls below Kp 2 and events at any Kp."""
    table = pseudo.matched_nights(nights, 0, quiet_kp=2.0)
    quiet = table.event_id == ""
    assert (table.kp_max[quiet] < 2).all() and table.kp_max[~quiet].mean() > table.kp_max[quiet].mean() + .5


def test_splits_read_the_table(nights):
    """P2 tests every window once and never parts a pair."""
    table = pseudo.matched_nights(nights, 0)
    folds = splits.folds(table, "P2", 4)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(table)))
    for train, test in folds:
        assert not set(table.set_id[train]) & set(table.set_id[test])


def test_too_few_nights_are_refused(nights):
    with pytest.raises(InputError, match="two events"):
        pseudo.matched_nights(nights.iloc[:2], 0)
