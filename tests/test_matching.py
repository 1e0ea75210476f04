"""Matched sets: units that stay whole, folds that cannot tell the halves, labels that change places."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import certificate, config, matching, splits, synthetic
from lib.files import InputError

MATCHED = ("P2", "P3", "P5", "P6", "P7")


def fair(seed=3, n=240):
    return synthetic.make_windows(config.load("convnext", "light", {
        "seed": seed, "world.snr": 0.0, "world.clustering": "etas", "windows.window_s": 3600,
        "windows.n_windows": n}))


@pytest.fixture(scope="module")
def table():
    return fair()


def exchanged(windows, units):
    """Swap event and quiet rows of the given units: ids, family and class go to the other half."""
    out, unit = windows.copy(), splits.matched(windows)
    names = ["event_id", "cluster_id", "block_id", "magnitude_class", "azimuth_class"]
    for _, rows in windows[np.isin(unit, units)].groupby("set_id"):
        event, quiet = rows.index[rows.event_id != ""], rows.index[rows.event_id == ""]
        out.loc[[*event, *quiet], names] = windows.loc[[*quiet, *event], names].to_numpy()
    return out


def brute(windows, name):
    """Merge rows that share a set, or an earthquake, block or family, until nothing changes."""
    unit = list(range(len(windows)))
    rows = list(windows.itertuples())
    for a, b in itertools.combinations(range(len(rows)), 2):
        x, y = rows[a], rows[b]
        same = (x.set_id and x.set_id == y.set_id) or (x.block_id and x.block_id == y.block_id)
        if same or (getattr(x, name) and getattr(x, name) == getattr(y, name)):
            unit = [unit[a] if u == unit[b] else u for u in unit]
    return unit


ROW = st.tuples(st.integers(0, 7), st.integers(0, 5), st.integers(0, 2))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12))
def test_units_equal_a_merge_of_all_pairs(rows):
    """Ids 0 to 3 are earthquakes, two to a family; 4 to 7 quiet blocks; set 0 is none."""
    windows = pd.DataFrame({
        "event_id": [f"e{i}" if i < 4 else "" for i, _, _ in rows],
        "cluster_id": [f"c{i // 2}" if i < 4 else "" for i, _, _ in rows],
        "block_id": ["" if i < 4 else f"q{i}" for i, _, _ in rows],
        "set_id": [f"s{s}" if s else "" for _, s, _ in rows]})
    for key in ("event", "cluster"):
        found, wanted = matching.matched(windows, key), brute(windows, f"{key}_id")
        assert pd.Series(found).groupby(wanted).nunique().eq(1).all()
        assert len(set(found)) == len(set(wanted))


def test_a_table_without_sets_keeps_its_groups(table):
    for windows in (table.drop(columns="set_id"), table.assign(set_id="")):
        assert (matching.matched(windows) == splits.groups(windows, "event")).all()
        assert (matching.matched(windows, "cluster") == splits.groups(windows, "cluster")).all()


def test_a_unit_is_an_earthquake_with_the_quiet_blocks_of_all_its_sets(table):
    unit = pd.Series(matching.matched(table))
    assert unit.groupby(table.event_id.where(table.event_id != "")).nunique().eq(1).all()
    assert unit.groupby(table.set_id).nunique().eq(1).all()
    assert unit.nunique() == table.event_id[table.event_id != ""].nunique()
    assert unit.drop_duplicates().is_monotonic_increasing


@pytest.mark.parametrize("protocol", MATCHED)
def test_folds_keep_sets_whole_and_cut_all_they_promise(table, protocol):
    """No unit on both sides; the certificate is clean; without `set_id` sets are parted."""
    n = 3 if protocol == "P7" else 5
    split = splits.folds(table, protocol, n, 1, on_absent="ignore")
    unit = matching.matched(table)
    assert all(not set(unit[train]) & set(unit[test]) for train, test in split)
    found = certificate.certificate(table, split)
    assert all(found[kind] == 0 for kind in splits.CUTS[protocol])
    plain = splits.folds(table.assign(set_id=""), protocol, n, 1, on_absent="ignore")
    assert any(set(unit[train]) & set(unit[test]) for train, test in plain)
    if protocol in ("P2", "P3"):
        event = (table.event_id != "").to_numpy()
        assert all(event[train].mean() == event[test].mean() == .5 for train, test in split)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", MATCHED)
def test_folds_cannot_tell_which_half_of_a_set_is_the_event(protocol):
    """Whatever units change places, the folds are the same: what makes the exchange exact."""
    for seed in range(4):
        windows = fair(seed)
        unit = np.unique(matching.matched(windows))
        some = unit[np.random.default_rng(seed).random(unit.size) < .5]
        folds = [splits.folds(w, protocol, 3 if protocol == "P7" else 5, seed, on_absent="ignore")
                 for w in (windows, exchanged(windows, some))]
        assert len(folds[0]) == len(folds[1])
        for (train, test), (other, again) in zip(*folds, strict=True):
            assert np.array_equal(train, other) and np.array_equal(test, again)


def test_exchange_keeps_units_and_draws_every_arrangement_alike():
    """Two events of two classes, two sets of two windows: 8 arrangements, each in an eighth of 4000 draws."""
    labels, unit = np.array([1, 0, 1, 0, 0, 2]), np.array([4, 4, 4, 4, 7, 7])
    drawn = [tuple(matching.exchange(labels, unit, config.rng(i, "test"))) for i in range(4000)]
    kinds, count = np.unique(drawn, axis=0, return_counts=True)
    wanted = {(a * x, a * (1 - x), a * x, a * (1 - x), b * y, b * (1 - y))
              for a, b in ((1, 2), (2, 1)) for x in (0, 1) for y in (0, 1)}
    assert {tuple(k.tolist()) for k in kinds} == wanted
    assert count.min() > 420 and count.max() < 580                 # 500 +- 21
    same = matching.exchange(np.array([0, 1, 1, 0]), np.array(list("abab")), config.rng(0, "test"))
    assert set(same) == {0, 1} and same[0] != same[2] and same[1] != same[3]


@pytest.mark.parametrize(("labels", "word"), [
    ([1, 1, 1, 0], "unit a"), ([0, 0, 1, 0], "unit a"), ([1, 0, 1, 2], "unit b"), ([1, 2, 1, 0], "unit a")])
def test_units_that_are_not_matched_are_named(labels, word):
    with pytest.raises(InputError, match=word):
        matching.exchange(np.array(labels), np.array(list("aabb")), config.rng(0, "test"))
