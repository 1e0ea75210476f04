"""S4's labels and quiet windows: which earthquakes count, where windows lie, and what makes Kp a cue."""

import numpy as np
import pandas as pd
import pytest

from lib.earth.heliosphere import simulate_indices
from lib.earth.minutes import LENGTHS
from lib.earth.observatory import CLEAR_DAYS, QUIET, RULES, observatory_windows, select_pairs, thin
from lib.earth.stations import DETECTABILITY, distance_azimuth
from lib.earth.windows import COLUMNS, KP_TOLERANCE
from lib.files import InputError

STATIONS = pd.DataFrame({"code": ["IZN", "MLR"], "latitude": [40.5, 45.491], "longitude": [29.72, 25.945]})


def a_catalog(rows):
    """Catalogue from (time, degrees north of IZN, depth, magnitude)."""
    table = pd.DataFrame(rows, columns=["time", "north", "depth_km", "magnitude"])
    table = table.assign(event_id=[f"e{k}" for k in range(len(table))], latitude=40.5 + table.north,
                         longitude=29.72, time=pd.to_datetime(table.time).astype("datetime64[ns]"))
    return table.assign(cluster_id=table.event_id)


@pytest.fixture(scope="module")
def indices():
    return simulate_indices(3, pd.Timestamp("2016-01-01"), 1500)


@pytest.fixture(scope="module")
def busy():
    """Sixty earthquakes near either station over four years, magnitudes 4.1 to 6.4."""
    draw = np.random.default_rng(0)
    days = np.sort(draw.uniform(20, 1480, 120))
    home = np.arange(120) % 2
    table = pd.DataFrame({
        "event_id": [f"e{k:03}" for k in range(120)], "cluster_id": [f"c{k // 2}" for k in range(120)],
        "time": pd.Timestamp("2016-01-01") + pd.to_timedelta((days * 86400).astype(int), unit="s"),
        "latitude": STATIONS.latitude.to_numpy()[home] + draw.uniform(-.7, .7, 120),
        "longitude": STATIONS.longitude.to_numpy()[home] + draw.uniform(-.7, .7, 120),
        "depth_km": draw.uniform(2, 28, 120), "magnitude": draw.uniform(4.1, 6.4, 120)})
    return table.assign(time=table.time.astype("datetime64[ns]"))


def test_s4_counts_magnitudes_above_4_within_200_km_down_to_30_km():
    """Mw 4.0 is not above 4; 200 km and 30 km are limits; 0.9 degrees of latitude are 100 km."""
    events = a_catalog([("2016-02-01", 1.0, 10, 4.1), ("2016-02-02", 1.0, 10, 4.0),
                        ("2016-02-03", 1.7, 30, 5.0), ("2016-02-04", 1.9, 10, 6.0),
                        ("2016-02-05", 1.0, 31, 6.0), ("2016-02-06", 0.8, 90, 4.5)])
    found = select_pairs(events, STATIONS[:1])
    assert found.event_id.tolist() == ["e0", "e2"] and set(found.rule) == {"s4"}
    assert select_pairs(events, STATIONS[:1], "s4_vrancea").event_id.tolist() == ["e5"]
    mixed = select_pairs(events, STATIONS, {"IZN": "s4", "MLR": "s4_vrancea"})
    assert set(mixed.station) == {"IZN"}


@pytest.mark.parametrize("name", DETECTABILITY)
def test_every_published_radius_is_a_rule(name):
    """Each keeps exactly the events within its own radius of the magnitude, by brute force."""
    draw = np.random.default_rng(1)
    events = a_catalog([("2016-03-01", draw.uniform(0, 6), 10, draw.uniform(4.05, 7.5)) for _ in range(200)])
    distance, _ = distance_azimuth(40.5, 29.72, events.latitude.to_numpy(), events.longitude.to_numpy())
    expected = events.event_id[distance <= DETECTABILITY[name](events.magnitude.to_numpy())]
    found = select_pairs(events, STATIONS[:1], name)
    assert sorted(found.event_id) == sorted(expected) and 0 < len(found) < 200


@pytest.mark.parametrize("length", LENGTHS)
def test_event_windows_end_with_the_minute_before_the_earthquake(busy, indices, length):
    """Every earthquake has a window and a quiet one, or is counted; no month is free of storms."""
    n = LENGTHS[length]
    busy, quiet = (busy[::12], "kp_matched") if length == "month" else (busy, "storm_free")
    table = observatory_windows(busy, STATIONS, *indices, n, quiet=quiet, clear_days=(0.0, 0.0))
    events = table[table.event_id != ""].merge(busy[["event_id", "time"]], on="event_id")
    late = events.time - events.end
    assert ((late >= pd.Timedelta(0)) & (late < pd.Timedelta(minutes=1))).all()
    assert (table.end - table.start == pd.Timedelta(minutes=n)).all()
    assert (table.start.dt.second == 0).all() and list(table.columns) == [*COLUMNS, "rule"]
    assert table.window_id.is_unique
    assert 2 * len(events) == len(table) and table.groupby("set_id").size().eq(2).all()
    assert table.groupby("set_id").station.nunique().eq(1).all()
    assert len(events) + table.attrs["unmatched"] + table.attrs["outside"] == len(busy)


@pytest.mark.slow
@pytest.mark.parametrize("quiet", ["storm_free", "kp_matched"])
def test_quiet_windows_are_quiet_and_overlap_nothing(busy, indices, quiet):
    """No selected earthquake from 2 days before to 7 after; none shares a minute with another window."""
    table = observatory_windows(busy, STATIONS, *indices, 1440, quiet=quiet)
    before, after = (pd.Timedelta(days=d) for d in CLEAR_DAYS)
    pairs = select_pairs(busy, STATIONS)
    still = table[table.event_id == ""]
    assert len(still) > 50 and (still.magnitude_class == "Normal").all() and still.block_id.is_unique
    for row in still.itertuples():
        times = pairs.time[pairs.station == row.station]
        assert not times.between(row.start - before, row.end + after).any()
        others = table[(table.station == row.station) & (table.window_id != row.window_id)]
        assert ((others.end <= row.start) | (others.start >= row.end)).all()


@pytest.mark.slow
def test_storm_free_quiet_makes_kp_a_cue_and_matching_does_not(busy, indices):
    """S4's quiet windows never reach Kp 5, its event windows do; matched ones agree within one unit."""
    free, matched = (observatory_windows(busy, STATIONS, *indices, 1440, quiet=quiet) for quiet in QUIET)
    still = free[free.event_id == ""]
    assert (still.kp_max < 5).all() and (still.dst_min > -50).all()
    assert (free.kp_max[free.event_id != ""] >= 5).any()
    pair = matched.assign(event=matched.event_id != "").pivot(index="set_id", columns="event",
                                                              values=["kp_max", "start"])
    assert (np.abs((pair["kp_max"][True] - pair["kp_max"][False]).astype(float)) <= KP_TOLERANCE).all()
    case, control = (pd.to_datetime(pair["start"][k]) for k in (True, False))
    assert (case.dt.time == control.dt.time).all()
    months = (case.dt.month - control.dt.month).abs()
    assert months.isin([0, 1, 11]).all()


def test_without_overlap_the_largest_of_overlapping_windows_stays(indices):
    """Weeks before three events in five days: the M 5.5 in the middle is left."""
    events = a_catalog([(f"2016-06-{day}", .2, 10, m) for day, m in ((10, 4.5), (12, 5.5), (15, 4.2))])
    whole = observatory_windows(events, STATIONS[:1], *indices, LENGTHS["week"])
    single = observatory_windows(events, STATIONS[:1], *indices, LENGTHS["week"], overlap=False)
    assert (whole.event_id != "").sum() == 3
    assert single.event_id[single.event_id != ""].tolist() == ["e1"] and single.attrs["overlapping"] == 2


@pytest.mark.slow
def test_same_seed_same_windows(busy, indices):
    one, two, other = (observatory_windows(busy, STATIONS, *indices, 60, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.start.equals(other.start)


def test_thinning_keeps_whole_pairs_in_order(busy, indices):
    """Ten of n windows are five whole pairs in the table's order; more than there are change nothing."""
    table = observatory_windows(busy, STATIONS, *indices, 60)
    few, again, other = thin(table, 11, 1), thin(table, 11, 1), thin(table, 11, 2)
    assert len(few) == 10 and few.groupby("set_id").size().eq(2).all() and few.index.tolist() == [*range(10)]
    assert (few.groupby("set_id").event_id.apply(lambda ids: (ids != "").sum()) == 1).all()
    rows = table.window_id[table.window_id.isin(few.window_id)]
    assert few.window_id.tolist() == rows.tolist()
    pd.testing.assert_frame_equal(few, again)
    assert set(few.set_id) != set(other.set_id)
    pd.testing.assert_frame_equal(thin(table, 10**6, 1), table)


def test_bad_input_is_named(busy, indices):
    for options, words in (({"rule": "s5"}, "s4, s4_vrancea"), ({"quiet": "silent"}, ", ".join(QUIET)),
                           ({"rule": {"IZN": "s4"}}, "rule of MLR")):
        with pytest.raises(InputError, match=words):
            observatory_windows(busy, STATIONS, *indices, 60, **options)
    with pytest.raises(InputError, match="minutes"):
        observatory_windows(busy, STATIONS, *indices, 0)
    with pytest.raises(InputError, match="quiet time"):
        observatory_windows(busy[:0], STATIONS, *indices, 60)
    assert {"s4", "s4_vrancea", *DETECTABILITY} == set(RULES)
