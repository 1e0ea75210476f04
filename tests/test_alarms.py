import numpy as np
import pandas as pd
import pytest

from lib import alarms, forecast_tests
from lib.earth.seismicity import simulate_catalog
from lib.earth.stations import distance_azimuth
from lib.files import InputError

BOX = (95, 105, -6, 4)


def cells(days=30, start="2020-01-01", spacing=1.0):
    return alarms.make_cells(start, pd.Timestamp(start) + pd.Timedelta(days=days), BOX, spacing)


def events(*rows):
    """Events of time, latitude, longitude, magnitude."""
    table = pd.DataFrame(rows, columns=["time", "latitude", "longitude", "magnitude"])
    return table.assign(time=pd.to_datetime(table.time), event_id=[f"e{i}" for i in range(len(rows))])


def issued(*rows):
    table = pd.DataFrame(rows, columns=["issued", "latitude", "longitude", "score"])
    return table.assign(issued=pd.to_datetime(table.issued))


def test_cells_cover_the_box_once():
    c = cells(spacing=2.0)
    assert c.shape == (30, 25) and c.edges[-1] == np.datetime64("2020-01-31")
    assert (c.latitude.min(), c.latitude.max(), c.longitude.min(), c.longitude.max()) == (-5, 3, 96, 104)
    assert alarms.make_cells("2020", "2021", (178, -178, 0, 1), .5, days=7).longitude[[0, -1]].tolist() == [
        178.25, -178.25]


def test_every_event_is_in_the_cell_that_holds_it():
    """Against a search of each cell; edges belong to the later, the eastern and the northern cell."""
    r = np.random.default_rng(0)
    c = cells(spacing=2.0)
    catalog = events(*zip(pd.Timestamp("2019-12-25") + pd.to_timedelta(r.uniform(0, 45, 300), "D"),
                          r.uniform(-8, 6, 300), r.uniform(93, 107, 300), r.uniform(5, 6, 300), strict=True),
                     ("2020-01-02", -4, 97, 5), ("2020-01-31", 0, 100, 5))
    counted = np.zeros(c.shape, int)
    for e in catalog.itertuples():
        t = (c.edges[:-1] <= e.time.to_datetime64()) & (e.time.to_datetime64() < c.edges[1:])
        p = ((c.latitude - 1 <= e.latitude) & (e.latitude < c.latitude + 1)
             & (c.longitude - 1 <= e.longitude) & (e.longitude < c.longitude + 1))
        counted[np.ix_(t, p)] += 1
    assert (alarms.count_targets(c, catalog) == counted).all() and 50 < counted.sum() < 300
    near = alarms.count_near(c.edges, catalog, 0, 100, 200)
    distance, _ = distance_azimuth(0, 100, catalog.latitude, catalog.longitude)
    inside = catalog.time.between("2020-01-01", "2020-01-31", inclusive="left")
    assert near.shape == (30, 1) and near.sum() == (inside & (distance <= 200)).sum()


def test_only_targets_after_the_alarm_count():
    """An alarm issued at 06:00 misses the earthquake of 03:00 and, cells being days, that of 09:00."""
    c = cells()
    painted = alarms.paint(c, issued(("2020-01-10 06:00", 0.5, 100.5, 1.0)), 120, 5)
    days = np.flatnonzero(np.isfinite(painted).any(1))
    assert days.tolist() == [10, 11, 12, 13]                        # 11 to 14 January, wholly inside 5 days
    on_the_edge = alarms.paint(c, issued(("2020-01-10", 0.5, 100.5, 1.0)), 120, 5)
    assert np.flatnonzero(np.isfinite(on_the_edge).any(1)).tolist() == [9, 10, 11, 12, 13]
    places = np.flatnonzero(np.isfinite(painted[10]))
    distance, _ = distance_azimuth(.5, 100.5, c.latitude, c.longitude, sphere=True)
    assert places.tolist() == np.flatnonzero(distance <= 120).tolist() and places.size == 5


def test_precursor_alarms_and_aftershock_alarms_are_told_apart():
    """Alarms issued the day after each M5 catch no mainshock; issued a day before, each of them."""
    c = cells(200)
    times = pd.date_range("2020-01-20 12:00", periods=8, freq="20D")
    catalog = events(*((t, .5, 100.5, 5.5) for t in times))
    n = alarms.count_targets(c, catalog)
    w = np.full(c.shape, 1 / n.size)
    for delay, hit in ((-1.5, 1.0), (.5, 0.0)):
        given = issued(*((t + pd.Timedelta(days=delay), .5, 100.5, 1.0) for t in times))
        tau, nu = forecast_tests.molchan(alarms.paint(c, given, 150, 3), w, n)
        assert nu[1] == 1 - hit and tau[1] < .02


def test_overlapping_alarms_keep_the_larger_score():
    c = cells()
    two = issued(("2020-01-05", .5, 100.5, .2), ("2020-01-06", .5, 100.5, .9), ("2020-01-07", .5, 100.5, .1))
    place = np.argmin(np.hypot(c.latitude - .5, c.longitude - 100.5))
    assert alarms.paint(c, two, 50, 3)[3:10, place].tolist() == [-np.inf, .2, .9, .9, .9, .1, -np.inf]


def test_recent_activity_looks_back_only():
    """M5 at noon: the next seven days are active, that day is not; M4.9 and far places never."""
    c = cells()
    active = alarms.recent_activity(c, events(("2020-01-10 12:00", .5, 100.5, 5.0),
                                              ("2020-01-20 12:00", .5, 100.5, 4.9)), radius_km=120)
    assert np.flatnonzero(active.any(1)).tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert active[10].sum() == 5
    before = alarms.recent_activity(c, events(("2019-12-30", .5, 100.5, 6.0)), radius_km=120)
    assert np.flatnonzero(before.any(1)).tolist() == [0, 1, 2, 3, 4, 5]


def test_declustering_keeps_the_largest():
    swarm = events(("2020-01-01", 0, 100, 6.0), ("2020-01-02", .1, 100, 5.0), ("2020-01-03", 0, 100.1, 5.5),
                   ("2020-01-03", 3, 96, 5.0))
    assert alarms.mainshocks(swarm).event_id.tolist() == ["e0", "e3"]


def test_references_are_measures_with_the_right_peaks():
    """Sum 1; aftershocks add nothing to the smoothed rate; the boost holds where it should."""
    c = cells()
    alone = events(("2019-01-01", .5, 100.5, 6.0), ("2019-06-01", -4.5, 96.5, 5.0))
    rows = [("2019-01-01 01:00", .5, 100.5, 5.0)] * 50
    rate = alarms.smoothed_rate(c, alone)
    assert rate.sum() == pytest.approx(1) and rate.min() > 0
    assert np.allclose(rate, alarms.smoothed_rate(c, pd.concat([alone, events(*rows).assign(event_id="x")])))
    peaks = np.argsort(rate)[-2:]
    assert {(c.latitude[i], c.longitude[i]) for i in peaks} <= {(.5, 100.5), (-4.5, 96.5)}
    flat = alarms.smoothed_rate(c, alone, floor=1.0)
    assert np.allclose(flat, np.cos(np.radians(c.latitude)) / np.cos(np.radians(c.latitude)).sum())
    during = events(("2020-01-10 12:00", .5, 100.5, 5.0))
    w = alarms.clustered_reference(c, alone, during, 40, radius_km=120)
    ratio = w / alarms.uniform_reference(c, alone)
    active = alarms.recent_activity(c, during, radius_km=120)
    assert w.sum() == pytest.approx(1) and ratio[active].min() == pytest.approx(40 * ratio[~active].max())


@pytest.mark.slow
def test_aftershock_memory_beats_the_uniform_reference_and_not_the_clustered_one():
    """What A13 is about: 'M >= 5 lately' looks like skill until the reference knows it too.

    Five years of ETAS to learn from, five to be judged on.
    """
    catalog, middle = simulate_catalog(0, "2000-01-01", 10, clustering="etas"), pd.Timestamp("2005-01-01")
    history, box = catalog[catalog.time < middle], (95, 141, -11, 6)
    past = alarms.make_cells("2000-01-01", middle, box, 1.0, days=5)
    future = alarms.make_cells(middle, "2010-01-01", box, 1.0, days=5)
    memory = alarms.recent_activity(future, catalog)
    found = {}
    for name, targets in (("full", catalog), ("declustered", alarms.mainshocks(catalog))):
        targets = targets[targets.magnitude >= 5]
        boost = alarms.activity_boost(past, history, alarms.count_targets(past, targets))
        references = {"uniform": alarms.uniform_reference(future, history),
                      "clustered": alarms.clustered_reference(future, history, catalog, boost)}
        board = forecast_tests.scoreboard({"memory": memory}, references, {name: alarms.count_targets(
            future, targets)}, 499, np.random.default_rng(0))
        found[name] = board[board.alarm == "memory"].set_index("reference")
        assert boost > (3 if name == "full" else 1)
    assert found["full"].p["uniform"] <= .01 and found["declustered"].p["clustered"] > .05
    excess = found["full"].area_skill - .5
    assert excess["clustered"] < .5 * excess["uniform"]


def test_smoothed_rate_is_kernel_times_area():
    """One earthquake at 50 N: exp(-d^2 / 2w^2) cos(latitude), with geodesic distances on the sphere."""
    c = alarms.make_cells("2020", "2021", (0, 10, 40, 60), 1.0)
    distance, _ = distance_azimuth(50, 5, c.latitude, c.longitude, sphere=True)
    expected = np.exp(-.5 * (distance / 300) ** 2) * np.cos(np.radians(c.latitude))
    rate = alarms.smoothed_rate(c, events(("2019-01-01", 50, 5, 6.0)), width_km=300, floor=0)
    assert np.allclose(rate, expected / expected.sum(), rtol=1e-4, atol=1e-9)


def test_bad_tables_are_named():
    c = cells()
    with pytest.raises(InputError, match="column"):
        alarms.paint(c, issued(("2020-01-05", 0, 100, 1)).drop(columns="score"), 100, 5)
    with pytest.raises(InputError, match="row 1"):
        alarms.paint(c, issued(("2020-01-05", 0, 100, 1), (None, 0, 100, 1)), 100, 5)
    with pytest.raises(InputError, match="cells covered"):
        alarms.paint(c, issued(("2021-01-05", 0, 100, 1)), 100, 5)
    with pytest.raises(InputError, match="evenly"):
        alarms.make_cells("2020", "2021", (95, 105, -6, 4), 3.0)
    for end in ("2020", "2019", "soon"):
        with pytest.raises(InputError, match="at least"):
            alarms.make_cells("2020", end, BOX)
    for box, spacing in ((BOX[:3], 1), (BOX, 0)):
        with pytest.raises(InputError, match="west, east"):
            alarms.make_cells("2020", "2021", box, spacing)
    with pytest.raises(InputError, match="history"):
        alarms.smoothed_rate(c, simulate_catalog(0, "2000-01-01", 1)[:0])
    with pytest.raises(InputError, match="boost"):
        alarms.clustered_reference(c, events(), events(), np.nan)
    with pytest.raises(InputError, match="some but not all"):
        quiet = events(("2019-01-01", 0, 100, 4.0))
        alarms.activity_boost(c, quiet, np.zeros(c.shape))
