
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import certificate, splits
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES


def table(station, start, event=None, block=None, parent=None, cluster=None, magnitude=None, azimuth=None,
          hours=1.0, lookback_s=0.0, horizon_s=0.0):
    """Build a windows table from short lists; start in days after 2020-01-01."""
    n = len(station)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.asarray(start, float), "D")
    event = event or [""] * n
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(n)], "station": station, "start": start,
        "end": start + pd.to_timedelta(hours, "h"), "event_id": event,
        "block_id": block or ["" if e else f"q{i}" for i, e in enumerate(event)],
        "cluster_id": cluster or [""] * n, "parent_id": parent or [f"w{i}" for i in range(n)],
        "magnitude_class": magnitude or ["Medium" if e else "Normal" for e in event],
        "azimuth_class": azimuth or ["N" if e else "Normal" for e in event],
        "lookback_s": lookback_s, "horizon_s": horizon_s})


def world(seed=0, n_events=40, n_blocks=30, stations="ABCDEF"):
    """Events seen at one to three stations on two days, quiet blocks of one to four windows."""
    r = np.random.default_rng(seed)
    rows = []
    for e in range(n_events):
        m = MAGNITUDE_CLASSES[1 + e % 3]
        for s in r.permutation(list(stations))[:r.integers(1, 4)]:
            for lead in (1, 3):
                rows.append((s, 10 * e + lead, f"ev{e}", "", m, AZIMUTH_CLASSES[r.integers(1, 9)]))
    for b in range(n_blocks):
        for s in r.permutation(list(stations))[:r.integers(1, 5)]:
            rows.append((s, 5 + 12 * b, "", f"q{b}", "Normal", "Normal"))
    rows = [rows[i] for i in r.permutation(len(rows))]
    s, t, e, b, m, a = (list(c) for c in zip(*rows, strict=True))
    return table(s, t, e, b, magnitude=m, azimuth=a)


def published_table():
    """Build 301 station-days in R3's order: 24 windows a quiet day, 4 copies an event (validity.md E1.2)."""
    classes = ["Medium"] * 252 + ["Normal"] * 37 + ["Large"] * 7 + ["Moderate"] * 5
    day = np.repeat(np.arange(301), [24 if c == "Normal" else 4 for c in classes])
    return table(["TRD"] * day.size, day, [f"ev{d}" if classes[d] != "Normal" else "" for d in day],
                 [f"q{d}" if classes[d] == "Normal" else "" for d in day],
                 magnitude=[classes[d] for d in day]).drop(columns="azimuth_class")


def test_structural_check_of_the_published_folds():
    """T-E1: group counts, fold sizes and the published error vector follow from the splitter alone."""
    windows = published_table()
    split = splits.folds(windows, "P1", 10, seed=42)
    day, m = splits.groups(windows, "station_day"), windows["magnitude_class"].to_numpy()
    assert [np.unique(day[test]).size for _, test in split] == [31] + [30] * 9
    assert [np.unique(day[test][m[test] == "Normal"]).size for _, test in split] == [3, 3] + [4] * 7 + [3]
    assert [len(test) for _, test in split] == [184, 180] + [200] * 7 + [180]
    assert [np.isin(m[test], ["Large", "Moderate"]).sum() for _, test in split] == [8] + [4] * 8 + [8]


@pytest.mark.parametrize(("protocol", "n_folds"), [
    ("P0", 5), ("P1", 5), ("P2", 5), ("P4", 3), ("P1", None), ("P2", None), ("P4", None), ("P3", 5)])
def test_every_window_is_tested_once_and_groups_stay_whole(protocol, n_folds):
    """Checked against an independent loop over the table."""
    windows = world()
    split = splits.folds(windows, protocol, n_folds, seed=3, on_absent="ignore")
    assert sorted(np.concatenate([test for _, test in split])) == list(range(len(windows)))
    held_out = {"P0": "window_id", "P2": "event_id", "P4": "station"}.get(protocol)
    for train, test in split:
        assert sorted([*train, *test]) == list(range(len(windows)))
        if held_out:
            shared = set(windows[held_out].iloc[train]) & set(windows[held_out].iloc[test])
            assert not shared - {""}
        if protocol == "P2":
            assert not set(windows["block_id"].iloc[train]) & set(windows["block_id"].iloc[test]) - {""}
        if protocol == "P1":
            seen = [{(w.station, w.start.date()) for w in windows.iloc[side].itertuples()}
                    for side in (train, test)]
            assert not seen[0] & seen[1]
    n = {"P2": 70, "P4": 6}.get(protocol)
    if n_folds is None and n:
        assert len(split) == n


def test_stations_of_one_earthquake_never_straddle_p2_but_do_straddle_p1():
    """An earthquake seen at three stations: together under P2, apart under P1."""
    windows = world()
    links = {p: certificate.certificate(windows, splits.folds(windows, p, 5)) for p in splits.PROTOCOLS}
    assert links["P2"]["event"] == links["P2"]["dup"] == 0
    assert links["P1"]["station_day"] == 0 < links["P1"]["event"]
    assert links["P4"]["station"] == links["P4"]["station_day"] == 0 < links["P4"]["event"]
    assert links["P0"]["event"] > links["P1"]["event"] * .9


def test_folds_are_stratified_and_reproducible():
    """Each P2 fold holds near its share of each class; the seed alone decides."""
    windows = world(n_events=90, n_blocks=60)
    split = splits.folds(windows, "P2", 5, seed=1)
    again, other = splits.folds(windows, "P2", 5, seed=1), splits.folds(windows, "P2", 5, seed=2)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(split, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(split, other, strict=True))
    m = windows["magnitude_class"].to_numpy()
    for name in MAGNITUDE_CLASSES:
        share = [np.sum(m[test] == name) / np.sum(m == name) for _, test in split]
        assert max(share) < .3
        assert min(share) > .1


def test_row_order_of_a_group_does_not_matter_to_membership():
    """An event and a block of the same name stay two groups; missing text means empty."""
    windows = table(list("AB"), [1, 2], ["1", ""], ["", "1"])
    windows["block_id"] = [None, "1"]
    assert list(splits.groups(windows, "event")) == ["1", "block:1"]
    assert list(splits.groups(windows, "cluster")) == ["1", "block:1"]
    assert list(splits.groups(windows, "station_day")) == ["A|2020-01-02", "B|2020-01-03"]


def test_an_absent_class_is_an_error_a_warning_or_a_record():
    """One Large earthquake: the fold that tests it cannot learn it."""
    windows = world()
    only = windows.index[windows["event_id"] == "ev1"]
    windows["magnitude_class"] = windows["magnitude_class"].replace("Medium", "Large")
    windows.loc[only, "magnitude_class"] = "Medium"
    with pytest.raises(InputError, match="magnitude class Medium"):
        splits.folds(windows, "P2", 5)
    with pytest.warns(UserWarning, match="magnitude class Medium"):
        split = splits.folds(windows, "P2", 5, on_absent="warn")
    record = [r for r in splits.absent_classes(windows, split) if r["target"] == "magnitude"]
    fold = next(f for f, (_, test) in enumerate(split) if np.isin(only, test).all())
    assert record == [{"fold": fold, "target": "magnitude", "absent": "Medium"}]


@pytest.mark.parametrize(("change", "call", "word"), [
    ({}, dict(protocol="P9"), "P0, P1, P2, P3, P4, P5, P6, P7"),
    ({}, dict(protocol="P4", n_folds=7), "2 to 6"),
    ({}, dict(protocol="P2", n_folds=1), "n_folds"), ({}, dict(protocol="P2", n_folds=2.5), "n_folds"),
    ({}, dict(protocol="P2", on_absent="shrug"), "ignore"),
    ({"drop": "event_id"}, dict(protocol="P2"), "event_id"),
    ({"drop": "start"}, dict(protocol="P1"), "start"),
    ({"drop": "station"}, dict(protocol="P4", n_folds=3), "station"),
    ({"drop": "magnitude_class"}, dict(protocol="P0"), "magnitude_class"),
    ({"set": ("station", "")}, dict(protocol="P4", n_folds=3), "station, row 3"),
    ({"set": ("start", pd.NaT)}, dict(protocol="P1"), "start, row 3")])
def test_bad_input_is_named(change, call, word):
    windows = world()
    if "drop" in change:
        windows = windows.drop(columns=change["drop"])
    if "set" in change:
        windows.loc[3, change["set"][0]] = change["set"][1]
    with pytest.raises(InputError, match=word):
        splits.folds(windows, **call)


def test_a_window_of_no_group_or_of_two_is_refused():
    windows = table(list("AB"), [1, 2], ["e", "f"])
    windows.loc[1, "event_id"] = ""
    with pytest.raises(InputError, match="row 1"):
        splits.groups(windows, "event")
    windows.loc[1, ["event_id", "block_id"]] = ["e", "q"]
    with pytest.raises(InputError, match="row 1"):
        splits.groups(windows, "event")
    with pytest.raises(InputError, match="station_day"):
        splits.groups(windows, "region")


@pytest.mark.parametrize("protocol", splits.PROTOCOLS)
def test_selection_shares_no_event_with_the_fit_and_nothing_with_the_test(protocol):
    """A fifth of the training groups, every class on both sides, never finer than the event."""
    windows = world(n_events=90, n_blocks=60)
    event = splits.groups(windows, "event")
    train, test = splits.folds(windows, protocol, 5, on_absent="ignore")[0 if protocol == "P6" else 2]
    fit, select = splits.inner_split(windows, train, .2, 1, protocol)
    assert sorted([*fit, *select]) == list(train)
    assert not set(select) & set(test)
    family = splits.groups(windows, "cluster")
    assert not set(family[fit]) & set(family[select]) or "cluster" not in splits.CUTS[protocol]
    assert not set(event[fit]) & set(event[select])
    assert np.unique(event[select]).size / np.unique(event[train]).size == pytest.approx(.2, abs=.02)
    m = windows["magnitude_class"].to_numpy()
    assert set(m[fit]) == set(m[select]) == set(MAGNITUDE_CLASSES)
    if protocol == "P4":
        assert set(windows["station"].iloc[select]) <= set(windows["station"].iloc[train])


def test_a_class_with_one_group_stays_in_the_fit():
    windows = table(list("AABBAB"), [1, 2, 3, 4, 5, 6], ["e", "e", "", "", "", ""])
    fit, select = splits.inner_split(windows, np.arange(6), .5)
    assert {0, 1} <= set(fit)
    assert len(select) == 2
    with pytest.raises(InputError, match="two or more groups"):
        splits.inner_split(windows, np.array([0, 1, 2]))
    with pytest.raises(InputError, match="0 and 1"):
        splits.inner_split(windows, np.arange(6), 1.0)
    with pytest.raises(InputError, match="0 ... 5"):
        splits.inner_split(windows, np.array([0, 6]))


def test_worked_example_of_the_auditor():
    """T-A2: a legal station-day grouping still leaves event, cluster and day links."""
    windows = table(["SCN", "SCN", "SKB", "SCN", "TRD", "TRD"], [10, 10, 10, 12, 10, 60],
                    ["ev1", "ev1", "ev1", "ev2", "", ""], ["", "", "", "", "k1", "k2"],
                    ["A", "A", "B", "C", "D", "E"], ["c1", "c1", "c1", "c1", "", ""])
    first = certificate.audit_split(windows, np.array([0, 3, 5]), np.array([1, 2, 4]))
    expected = dict(dup=1, station_day=1, event=2, cluster=4, day=3)
    assert {k: first[k] for k in expected} == expected
    assert first["fraction"]["event"] == 2 / 3
    legal = certificate.audit_split(windows, np.array([0, 1, 3, 5]), np.array([2, 4]))
    expected = dict(dup=0, station_day=0, event=2, cluster=3, day=4)
    assert {k: legal[k] for k in expected} == expected
    assert (legal["n_train"], legal["n_test"], legal["gap_days"]) == (4, 2, 0)
    assert certificate.describe(legal).startswith("event 2 (50 %), cluster 3 (50 %), day 4 (100 %)")


def brute(windows, train, test):
    """Count links with a double loop over rows, from the definitions."""
    def keys(w):
        block = w.event_id or "quiet " + w.block_id
        return {"dup": w.parent_id, "station_day": (w.station, w.start.date()), "event": block,
                "cluster": w.cluster_id or block, "day": w.start.date(), "station": w.station}
    rows = list(windows.itertuples())
    second = pd.Timedelta(1, "s")
    count, linked = dict.fromkeys(certificate.LINKS, 0), dict.fromkeys(certificate.LINKS, 0)
    gap = np.inf
    for j in test:
        b, hit = rows[j], set()
        for i in train:
            a = rows[i]
            kinds = [k for k, v in keys(a).items() if v == keys(b)[k]]
            if (a.start - a.lookback_s * second < b.end + b.horizon_s * second
                    and b.start - b.lookback_s * second < a.end + a.horizon_s * second):
                kinds.append("overlap")
            for k in kinds:
                count[k] += 1
            hit |= set(kinds)
            apart = max((b.start - a.end).total_seconds(), (a.start - b.end).total_seconds(), 0)
            gap = min(gap, apart / 86400)
        for k in hit:
            linked[k] += 1
    return count, {k: v / len(test) for k, v in linked.items()}, gap


ROW = st.tuples(st.sampled_from("AB"), st.integers(0, 20), st.integers(0, 5), st.integers(0, 3),
                st.sampled_from(["", "c1"]), st.integers(1, 6))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=12), st.data())
def test_auditor_equals_a_double_loop(rows, draw):
    """Counts, fractions and gap agree with the definitions on any table and split."""
    station, hour, event, parent, cluster, length = (list(c) for c in zip(*rows, strict=True))
    lookback_s = [draw.draw(st.sampled_from([0., 7200., 1e5])) for _ in rows]
    windows = table(station, np.array(hour) / 4, [f"e{e}" if e < 4 else "" for e in event],
                    ["" if e < 4 else f"e{e}" for e in event], [f"p{p}" for p in parent], cluster,
                    hours=np.array(length) * 2.0, lookback_s=np.array(lookback_s),
                    horizon_s=3600.0 * (len(rows) % 3))
    side = draw.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    side[:2] = [True, False]
    train, test = np.flatnonzero(side), np.flatnonzero(~np.array(side))
    found = certificate.audit_split(windows, train, test)
    count, fraction, gap = brute(windows, train, test)
    assert {k: found[k] for k in certificate.LINKS} == count
    assert found["fraction"] == fraction
    assert found["gap_days"] == pytest.approx(gap)


def test_certificate_sums_over_folds():
    """Pairs add up, fractions are of all test windows, the gap is the least one."""
    windows = world()
    split = splits.folds(windows, "P1", 5)
    each = [certificate.audit_split(windows, *fold) for fold in split]
    total = certificate.certificate(windows, split)
    for kind in certificate.LINKS:
        assert total[kind] == sum(e[kind] for e in each)
        assert total["fraction"][kind] == pytest.approx(
            sum(e["fraction"][kind] * e["n_test"] for e in each) / len(windows))
    assert total["gap_days"] == min(e["gap_days"] for e in each)
    assert (total["n_test"], total["n_folds"]) == (len(windows), 5)


def test_gap_and_lookback():
    """Windows a day apart do not overlap until a lookback of a day and more joins them."""
    def audit(lookback_s):
        windows = table(list("AB"), [0, 1], ["e", "f"], lookback_s=lookback_s)
        return certificate.audit_split(windows, np.array([0]), np.array([1]))
    assert audit(0)["gap_days"] == pytest.approx(23 / 24)
    assert audit(23 * 3600)["overlap"] == 0        # touching is not meeting
    assert audit(23 * 3600 + 1)["overlap"] == 1


@pytest.mark.parametrize(("column", "value", "word"), [
    ("parent_id", "", "parent_id, row 1"), ("lookback_s", np.nan, "lookback_s, row 1"),
    ("end", pd.Timestamp("2019-01-01"), "end, row 1")])
def test_a_certificate_needs_whole_columns(column, value, word):
    windows = table(list("AB"), [1, 2], ["e", "f"])
    windows.loc[1, column] = value
    with pytest.raises(InputError, match=word):
        certificate.audit_split(windows, np.array([0]), np.array([1]))
    with pytest.raises(InputError, match=column):
        certificate.audit_split(windows.drop(columns=column), np.array([0]), np.array([1]))
