"""Designs of the TEC study: what is drawn, what is matched, and what an embargo of 45 days cuts."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import splits
from lib.certificate import certificate
from lib.earth import tec_designs
from lib.earth.catalog import gardner_knopoff
from lib.earth.tec import TECWorld
from lib.earth.windows import COLUMNS
from lib.files import InputError
from lib.studies import WindowSpec
from lib.tec_images import six_channels

SPEC = dataclasses.replace(WindowSpec(), window_s=30 * 86_400, n_windows=2356, min_magnitude=5.0,
                           radius_km=500.0)
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def world():
    return TECWorld(1)


def inputs(world):
    return world.catalog, world.stations, world.kp, world.dst, world.f107


@pytest.fixture(scope="module")
def published(world):
    return tec_designs.published_tec(*inputs(world), SPEC, 1)


@pytest.fixture(scope="module")
def fair(world):
    return tec_designs.fair_tec(*inputs(world), SPEC, 1)


@pytest.fixture(scope="module")
def selected(world):
    """List the times of the selected earthquakes, found without the module under test."""
    pairs = tec_designs.event_station_pairs(world.catalog, world.stations, SPEC)
    return np.sort(pairs.time.to_numpy())


def events_between(selected, first, last):
    """Count earthquakes with first <= time < last, for arrays of times."""
    return np.searchsorted(selected, last) - np.searchsorted(selected, first)


def test_tables_have_the_schema(published, fair):
    for table in (published, fair):
        assert tuple(table.columns) == (*COLUMNS, "f107") and "set_id" in table
        assert table.window_id.is_unique and table.start.is_monotonic_increasing
        assert set(table.station) == {"TEC"} and (table.end - table.start == 30 * DAY).all()
        assert (table.lookback_s == 15 * 86_400).all() and (table.horizon_s == 7 * 86_400).all()
        assert table[["kp_max", "dst_min", "f107"]].notna().all(axis=None)
        assert ((table.event_id == "") == (table.magnitude_class == "Normal")).all()
        assert set(table.magnitude_class) == {"Normal", "Medium", "Large"}
        assert (splits.groups(table, "cluster") != "").all()


def test_published_is_half_of_windows_before_earthquakes(published, world, selected):
    """2356 windows in time order; a positive ends on its earthquake's day, no earthquake is used twice."""
    event = published[published.event_id != ""]
    assert len(published) == 2356 and len(event) == 1178
    assert event.event_id.is_unique and event.lead_days.between(0, 1, inclusive="left").all()
    time = world.catalog.set_index("event_id").time[event.event_id]
    assert (time.dt.floor("D").to_numpy() == event.end.to_numpy()).all()
    assert (event.magnitude >= 5).all() and (event.distance_km <= 500).all()
    quiet = published[published.event_id == ""]
    assert quiet.start.is_unique and quiet.lead_days.isna().all()
    assert (events_between(selected, quiet.end.to_numpy(), (quiet.end + 7 * DAY).to_numpy()) == 0).all()


def test_earthquakes_of_one_day_are_linked_as_copies(published):
    """Two rows of the same hours share parent_id, so that a certificate counts them."""
    copies = published[published.window_id != published.parent_id]
    assert len(copies) > 50 and (copies.window_id.str.split("~").str[0] == copies.parent_id).all()
    assert published.groupby("parent_id").start.nunique().max() == 1
    result = certificate(published, splits.folds(published, "P0", 5, 1, "ignore"))
    assert result["dup"] > 0


def test_fair_pairs_agree_in_month_and_solar_flux(fair, world, selected):
    """One mainshock and one quiet window a set: same month, same decile of F10.7, no shared hour."""
    sets = fair.groupby("set_id")
    assert (sets.size() == 2).all() and (sets.event_id.apply(lambda ids: (ids == "").sum()) == 1).all()
    assert fair.start.is_unique and len(fair) > 200
    assert (sets.end.apply(lambda end: (end - DAY).dt.month.nunique()) == 1).all()
    assert (sets.start.apply(lambda start: start.max() - start.min()) >= 45 * DAY).all()
    mean = world.f107.rolling(30).mean().iloc[44:-7]
    edges = np.quantile(mean, np.arange(1, 10) / 10)
    decile = np.searchsorted(edges, fair.f107)
    assert (pd.Series(decile).groupby(fair.set_id).agg(lambda d: d.max() - d.min()) == 0).mean() > 0.97
    event = (fair.event_id != "").to_numpy()
    assert abs(fair.f107[event].mean() - fair.f107[~event].mean()) < 3
    quiet = fair[~event]
    assert (events_between(selected, (quiet.end - 2 * DAY).to_numpy(),
                           (quiet.end + 20 * DAY).to_numpy()) == 0).all()


def test_fair_uses_mainshocks_only(fair, world):
    pairs = tec_designs.event_station_pairs(world.catalog, world.stations, SPEC)
    clusters = gardner_knopoff(pairs).set_index("event_id").cluster_id
    event = fair[fair.event_id != ""]
    assert (clusters[event.event_id].to_numpy() == event.event_id.to_numpy()).all()
    assert (event.cluster_id == event.event_id).all() and event.event_id.is_unique
    assert event.lead_days.between(0, 1, inclusive="left").all()


def test_every_window_has_its_reference_and_its_horizon(published, fair, world):
    """The images of either design need no hour outside the series, and none before 15 days into it."""
    for table in (published, fair):
        assert table.start.min() >= world.series.index[0] + 15 * DAY
        assert table.end.max() + 7 * DAY <= world.series.index[-1] + pd.Timedelta(hours=1)
        assert six_channels(world.series, table.start[:50]).mask.all()


@pytest.mark.parametrize("design", ["published_tec", "fair_tec"])
def test_an_embargo_of_45_days_cuts_every_link_in_time(design, published, fair):
    """P0 tests almost only on hours it has trained on; P5 with 45 days on none, nor on a family."""
    table = {"published_tec": published, "fair_tec": fair}[design]
    random = certificate(table, splits.folds(table, "P0", 5, 1, "ignore"))
    blocked = splits.folds(table, "P5", 5, 1, "ignore", 45)
    purged = certificate(table, blocked)
    assert random["fraction"]["overlap"] > (0.99 if design == "published_tec" else 0.8)
    assert not any(purged[kind] for kind in ("dup", "event", "cluster", "day", "overlap"))
    assert tec_designs.adjacency(table, blocked, (45,)) == {45: 0.0}
    # a fold of the fair design also loses the partners of its test windows, which lie in other years
    least = 0.6 if design == "published_tec" else 0.3
    assert all(len(train) > least * len(table) for train, _ in blocked)


def test_random_starts_are_as_near_as_poisson_says():
    """B11: 2356 starts in 8400 days, 70 % for training: .445 within a day, .747 within 3, .998 within 15."""
    generator = np.random.default_rng(3)
    start = pd.Timestamp("1999-01-01") + pd.to_timedelta(generator.integers(0, 8400, 2356), unit="D")
    rows = generator.permutation(2356)
    found = tec_designs.adjacency(pd.DataFrame({"start": start}), [(rows[:1649], rows[1649:])])
    assert found[1] == pytest.approx(0.445, abs=0.05) and found[3] == pytest.approx(0.747, abs=0.05)
    assert found[15] > 0.99


def test_published_windows_are_nearer_than_random_ones(published):
    """Earthquakes bunch: within a day .48 or more, within a fortnight all."""
    found = tec_designs.adjacency(published, splits.folds(published, "P0", 10, 1, "ignore"))
    assert found[1] > 0.48 and found[3] > 0.75 and found[15] > 0.99


def test_same_seed_same_table(world, published, fair):
    for name, table in (("published_tec", published), ("fair_tec", fair)):
        again = tec_designs.TEC_DESIGNS[name](*inputs(world), SPEC, 1)
        pd.testing.assert_frame_equal(table, again, check_exact=True)
        other = tec_designs.TEC_DESIGNS[name](*inputs(world), SPEC, 2)
        assert set(other.window_id) != set(table.window_id)


def test_sizes_are_kept_and_short(world):
    small = dataclasses.replace(SPEC, n_windows=31)
    for make in tec_designs.TEC_DESIGNS.values():
        assert len(make(*inputs(world), small, 1)) == 30


@pytest.mark.parametrize("name", ["published_tec", "fair_tec"])
@pytest.mark.parametrize("change, message", [
    ({"stations": pd.DataFrame({"code": ["A", "B"], "latitude": 0.0, "longitude": 0.0})}, "one"),
    ({"spec": dataclasses.replace(SPEC, window_s=3600)}, "whole days"),
    ({"spec": dataclasses.replace(SPEC, min_magnitude=9.0)}, "min_magnitude"),
    ({"spec": dataclasses.replace(SPEC, n_windows=0)}, "found"),
    ({"f107": pd.Series(100.0, pd.date_range("1999-01-01", periods=40))}, "more days than")])
def test_what_cannot_be_drawn_is_refused(world, name, change, message):
    given = dict(zip(("catalog", "stations", "kp", "dst", "f107"), inputs(world), strict=True))
    with pytest.raises(InputError, match=message):
        tec_designs.TEC_DESIGNS[name](**given | {"spec": SPEC, "seed": 1} | change)
