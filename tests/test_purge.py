
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from lib import certificate, purge, splits
from lib.config import rng
from lib.files import InputError
from lib.studies import MAGNITUDE_CLASSES

DAY_S = 86_400.0


def table(day, station=None, event=None, cluster=None, hours=0.0, lookback_d=0.0, horizon_d=0.0, parent=None):
    """Build a windows table from short lists; `day` in days after 2020-01-01, fractions allowed."""
    n = len(day)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.asarray(day, float), "D")
    event = [""] * n if event is None else list(event)
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(n)], "station": list(station or "A" * n), "start": start,
        "end": start + pd.to_timedelta(hours, "h"), "event_id": event,
        "block_id": ["" if e else f"q{i}" for i, e in enumerate(event)],
        "cluster_id": [""] * n if cluster is None else list(cluster),
        "parent_id": parent or [f"w{i}" for i in range(n)],
        "magnitude_class": ["Medium" if e else "Normal" for e in event],
        "lookback_s": np.asarray(lookback_d) * DAY_S, "horizon_s": np.asarray(horizon_d) * DAY_S})


def ten(horizon_d=7.0, **more):
    """Ten windows of no length, 5 d apart: the table of T-A3b."""
    return table(np.arange(0, 50, 5), horizon_d=horizon_d, **more)


@pytest.mark.parametrize(("embargo_days", "kept"), [(5, [0, 5, 10, 40, 45]), (0, [0, 5, 10, 35, 40, 45])])
def test_worked_example_of_purge_and_embargo(embargo_days, kept):
    """T-A3b: test windows at 20 and 25 d, horizon 7 d, span [20, 32]."""
    train = np.array([0, 1, 2, 3, 6, 7, 8, 9])
    assert list(purge.purge(ten(), train, np.array([4, 5]), embargo_days) * 5) == kept


def test_lookback_counts_on_both_sides():
    """A lookback of 12 d joins a window at 40 d to a label that ends at 32 d, and a test at 20 d to 10 d."""
    windows = ten()
    windows["lookback_s"] = np.where(np.arange(10) == 8, 12 * DAY_S, 0)
    train, test = np.array([0, 1, 2, 3, 6, 7, 8, 9]), np.array([4, 5])
    assert list(purge.purge(windows, train, test, 0) * 5) == [0, 5, 10, 35, 45]
    windows["lookback_s"] = np.where(np.arange(10) == 4, 3 * DAY_S, 0)   # A = 17 d: a label ends then
    assert list(purge.purge(windows, train, test, 0) * 5) == [0, 5, 35, 40, 45]


def test_a_gap_in_samples_is_no_gap_in_days():
    """T-A3a: TimeSeriesSplit(gap=2) gives its printed folds, and leaves one day where windows come daily."""
    split = list(TimeSeriesSplit(n_splits=3, test_size=2, gap=2).split(np.arange(12)))
    assert [(list(a), list(b)) for a, b in split] == [
        (list(range(n)), [n + 2, n + 3]) for n in (4, 6, 8)]
    train, test = split[-1]
    three_stations = table(np.repeat(np.arange(4), 3), station="ABC" * 4, hours=6)
    links = certificate.audit_split(three_stations, train, test)
    assert links["day"] == 0 and links["gap_days"] < 1         # 12 rows are 4 days: the gap of 2 is none
    crowd = table(np.repeat(np.arange(2), 6), station="ABCDEF" * 2, hours=6)
    assert certificate.audit_split(crowd, train, test)["day"] == 4     # training and test on one day
    assert list(purge.purge(crowd, train, test, 30)) == [0, 1, 2, 3, 4, 5]     # the day before may stay


def test_the_embargo_before_a_hold_out_is_measured_from_the_end_of_the_label():
    """Labels of 7 d and an embargo of 5 d before 25 d keep windows that start before 13 d."""
    assert list(purge.before(ten(), np.arange(5), np.array([5, 6]), 5) * 5) == [0, 5, 10]
    assert list(purge.before(ten(), np.arange(5), np.array([5, 6]), 8) * 5) == [0, 5]   # touches


def test_blocks_are_consecutive_whole_days_of_like_size():
    """Ten windows a day for 30 days in 3 blocks: ten days each; one crowded day does not empty a block."""
    day = np.repeat(np.arange(30), 10) + np.tile(np.arange(10) / 10, 30)
    assert list(np.bincount(purge.blocks(table(day), 3))) == [100, 100, 100]
    crowded = table([0, 1, 2] + [3] * 50)
    found = purge.blocks(crowded, 4)
    assert list(found[:4]) == [0, 1, 2, 3] and (found[3:] == 3).all()
    first = purge.blocks(table([0] * 50 + [1, 2, 3]), 4)
    assert list(first[-3:]) == [1, 2, 3] and (first[:50] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=40), st.integers(1, 6), st.randoms())
def test_blocks_follow_time_and_part_no_date(days, n, random):
    """Every block has a window, later blocks start later, one date lies in one block, in any row order."""
    random.shuffle(days)
    if n > len(set(days)):
        with pytest.raises(InputError, match="number of dates"):
            purge.blocks(table(days), n)
        return
    block = purge.blocks(table(days), n)
    assert set(block) == set(range(n))
    order = np.argsort(days, kind="stable")
    assert (np.diff(block[order]) >= 0).all()
    assert len({(d, b) for d, b in zip(days, block, strict=True)}) == len(set(days))


def brute_links(windows, train, test):
    """Kinds of link between the parts, by a loop over pairs, from the definitions in validity.md A2."""
    rows, second, found = list(windows.itertuples()), pd.Timedelta(1, "s"), set()
    for a in (rows[i] for i in train):
        for b in (rows[i] for i in test):
            same_block = a.block_id == b.block_id if not a.event_id and not b.event_id else False
            event = (a.event_id == b.event_id != "") or same_block
            found |= {kind for kind, linked in {
                "dup": a.parent_id == b.parent_id, "event": event, "station": a.station == b.station,
                "cluster": event or a.cluster_id == b.cluster_id != "",
                "day": a.start.date() == b.start.date(),
                "station_day": a.station == b.station and a.start.date() == b.start.date(),
                "overlap": a.start - a.lookback_s * second <= b.end + b.horizon_s * second
                and b.start - b.lookback_s * second <= a.end + a.horizon_s * second}.items() if linked}
    return found


EVENTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3),
                            st.sets(st.sampled_from("ABC"), min_size=1), st.booleans()),
                  min_size=6, max_size=14)


def drawn_table(events, horizon_d, lookback_d):
    """Events of families at one to three stations on two days, some with copies; quiet days between."""
    rows = []
    for e, (day, family, stations, copied) in enumerate(events):
        for s in sorted(stations):
            for lead in (0, 2):
                name = f"e{e}{s}{lead}"
                one = (day + lead + .5, s, f"ev{e}" if family else "", f"c{family}" if family else "", name)
                rows += [one] * (1 + copied)
    day, station, event, cluster, parent = (list(c) for c in zip(*rows, strict=True))
    windows = table(day, station, event, cluster, 6.0, lookback_d, horizon_d, parent)
    windows["block_id"] = ["" if e else "q" + p[:-2] for e, p in zip(event, parent, strict=True)]
    return windows


@pytest.mark.slow
@pytest.mark.parametrize("protocol", splits.PROTOCOLS)
@settings(max_examples=12, deadline=None)
@given(EVENTS, st.sampled_from([0., 7.]), st.sampled_from([0., 3.]), st.sampled_from([2., 30.]))
def test_every_protocol_cuts_the_links_that_it_claims_to_cut(protocol, events, horizon_d, lookback_d, days):
    """By a loop over all pairs; where a protocol cannot be formed, the message says so."""
    windows = drawn_table(events, horizon_d, lookback_d)
    try:
        split = splits.folds(windows, protocol, 2, 1, "ignore", days)
    except InputError as error:
        assert any(w in str(error) for w in ("no window left", "groups of", "would test nothing",
                                             "largest class", "two stations"))
        return
    tested = np.concatenate([test for _, test in split])
    if protocol == "P6":
        assert len(split) == 1
        start = windows["start"].to_numpy()
        assert start[split[0][0]].max() < start[tested].min()
    else:
        assert sorted(tested) == list(range(len(windows)))
    for train, test in split:
        assert not brute_links(windows, train, test) & set(splits.CUTS[protocol])
        if protocol in ("P5", "P6"):
            start, end = windows["start"].to_numpy(), windows["end"].to_numpy()
            last = end[test].max() + np.timedelta64(int(horizon_d), "D")
            assert not ((start[train] > last) & (start[train] <= last + np.timedelta64(int(days), "D"))).any()


def ordinary(n_events=70, seed=0):
    """Events of pairs of families over two years, half the groups quiet."""
    r = np.random.default_rng(seed)
    day = np.sort(r.integers(0, 720, 2 * n_events))
    event = [f"ev{i}" if i % 2 else "" for i in range(len(day))]
    cluster = [f"c{i // 4}" if e else "" for i, e in enumerate(event)]
    windows = table(np.repeat(day, 2), "AB" * len(day), np.repeat(event, 2), np.repeat(cluster, 2), 6.0, 0, 7)
    windows["block_id"] = ["" if e else f"q{i // 2}" for i, e in enumerate(windows["event_id"])]
    label = r.choice(MAGNITUDE_CLASSES[1:], len(day))
    windows["magnitude_class"] = np.where(windows["event_id"] == "", "Normal", np.repeat(label, 2))
    return windows


def before_this_edition(windows, protocol, n_folds, seed):
    """Folds of P0, P1, P2 and P4 as the first edition made them, written out again."""
    y = windows["magnitude_class"].to_numpy().astype(str)
    event = windows["event_id"].where(windows["event_id"] != "", "block:" + windows["block_id"])
    name = {"P0": windows["window_id"], "P4": windows["station"], "P2": event,
            "P1": windows["station"] + "|" + windows["start"].dt.strftime("%Y-%m-%d")}[protocol]
    _, first, code = np.unique(name.to_numpy().astype(str), return_index=True, return_inverse=True)
    own = int(rng(seed, "folds", protocol).integers(2**32))
    number = np.full(len(y), -1)
    if protocol == "P1":
        order, of_group = np.argsort(first), np.full(first.size, -1)
        for f, (_, t) in enumerate(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(
                y[first[order]], y[first[order]])):
            of_group[order[t]] = f
        number = of_group[code]
    else:
        splitter = {"P0": StratifiedKFold, "P2": StratifiedGroupKFold}.get(protocol)
        splitter = splitter(n_folds, shuffle=True, random_state=own) if splitter else GroupKFold(n_folds)
        for f, (_, t) in enumerate(splitter.split(y, y, code)):
            number[t] = f
    return [(np.flatnonzero(number != f), np.flatnonzero(number == f)) for f in range(n_folds)]


@pytest.mark.parametrize("protocol", ["P0", "P1", "P2", "P4"])
def test_the_first_protocols_return_the_folds_that_they_returned(protocol):
    """Bit-identical, whatever the embargo."""
    windows, n = ordinary(), 2 if protocol == "P4" else 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = before_this_edition(windows, protocol, n, 7)
    for embargo_days in (30, 45):
        found = splits.folds(windows, protocol, n, 7, "ignore", embargo_days)
        for (a, b), (c, d) in zip(found, wanted, strict=True):
            assert np.array_equal(a, c) and np.array_equal(b, d) and a.dtype == c.dtype


def test_p5_trains_on_both_sides_p6_on_the_past_and_p7_on_other_stations():
    """P7 is the intersection of P4 and P5: five blocks and two stations are ten folds."""
    windows = ordinary()
    p5, p6, p7 = (splits.folds(windows, p, 5, on_absent="ignore") for p in ("P5", "P6", "P7"))
    assert [len(p) for p in (p5, p6, p7)] == [5, 1, 10]
    assert np.array_equal(p6[0][1], p5[4][1]) and set(p6[0][0]) <= set(p5[4][0])
    station = windows["station"].to_numpy()
    for f, (train, test) in enumerate(p7):
        whole_train, whole_test = p5[f // 2]
        assert set(test) == set(whole_test[station[whole_test] == "AB"[f % 2]])
        assert set(train) == set(whole_train[station[whole_train] != "AB"[f % 2]])
    assert min(train.size for train, _ in p5) > 100
    assert len(splits.folds(windows, "P5", None, on_absent="ignore")) == windows["start"].dt.date.nunique()
    # a longer embargo trains on less
    longer = splits.folds(windows, "P5", 5, on_absent="ignore", embargo_days=45)
    assert sum(len(a) for a, _ in longer) < sum(len(a) for a, _ in p5)


@pytest.mark.parametrize(("protocol", "change", "word"), [
    ("P5", dict(embargo_days=-1), "embargo_days"), ("P6", dict(embargo_days=np.nan), "embargo_days"),
    ("P5", dict(embargo_days=9e3), "no window left"), ("P6", dict(embargo_days=800), "no window left"),
    ("P5", dict(n_folds=1), "n_folds"), ("P5", dict(n_folds=10_000), "number of groups of P5"),
    ("P7", dict(one_station=True), "two stations"), ("P3", dict(split_family=True), "one family for all"),
    ("P5", dict(drop="horizon_s"), "horizon_s"), ("P7", dict(drop="parent_id"), "parent_id")])
def test_what_cannot_be_split_is_named(protocol, change, word):
    windows = ordinary()
    if change.pop("one_station", False):
        windows["station"] = "A"
    if change.pop("split_family", False):
        windows.loc[3, "cluster_id"] = "another"
    windows = windows.drop(columns=change.pop("drop", []))
    with pytest.raises(InputError, match=word):
        splits.folds(windows, protocol, **{"n_folds": 5, "on_absent": "ignore", **change})
