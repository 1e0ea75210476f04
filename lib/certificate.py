"""The certificate of a split: forbidden links between training and test windows, counted by kind (layer 4).

Every score is printed with one. The counts come from sorting and counting, never from a loop over pairs, so
that ten folds of some thousand windows take milliseconds. Source: validity.md A2.
"""

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.table_checks import DAY, check_rows, column, groups, seconds, start_date, times

# kind -> what a training and a test window share
LINKS = {
    "dup": "the same base record (parent_id): augmented copies",
    "station_day": "station and UTC date of the start",
    "event": "earthquake, or quiet block",
    "cluster": "family of earthquakes after declustering, or quiet block",
    "day": "UTC date of the start: one external field",
    "overlap": "time: [start - lookback, end + horizon) intersect, at any stations",
    "station": "station",
}


def audit_split(windows: pd.DataFrame, train: np.ndarray, test: np.ndarray) -> dict:
    """Count linked pairs of a training and a test window, by kind of link.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    train, test : array of int
        Row positions.

    Returns
    -------
    dict
        A count of pairs for each kind in `LINKS`; `fraction`: by kind, the share of test windows with at
        least one link; `gap_days`: least time between a training and a test window, start to end, without
        lookback and horizon, 0 where two overlap; `n_train`, `n_test`, and `n_folds` = 1.

    Raises
    ------
    InputError
        For a missing column or value, a window that ends before it starts, or rows outside the table.

    Notes
    -----
    Kinds are counted separately and nest: a copy is also the same event, station and day. P4 alone cuts a
    shared `station`, which is why the floors hold a station lookup.
    """
    return certificate(windows, [(train, test)])


def certificate(windows: pd.DataFrame, folds: list[tuple[np.ndarray, np.ndarray]]) -> dict:
    """Sum `audit_split` over folds: pairs and windows add up, the gap is the least of all folds."""
    codes, early, late, start, end = _codes(windows)
    pairs, linked = dict.fromkeys(LINKS, 0), dict.fromkeys(LINKS, 0)
    n_train = n_test = 0
    gap = np.inf
    for train, test in folds:
        train, test = check_rows("train", train, len(windows)), check_rows("test", test, len(windows))
        each = {kind: np.bincount(code[train], minlength=code.max() + 1)[code[test]]
                for kind, code in codes.items()}                       # links of each test window
        each["overlap"] = _overlaps(early[train], late[train], early[test], late[test])
        for kind, count in each.items():
            pairs[kind] += int(count.sum())
            linked[kind] += int((count > 0).sum())
        n_train, n_test = n_train + train.size, n_test + test.size
        gap = min(gap, _gap_days(start[train], end[train], start[test], end[test]))
    if n_test == 0:
        raise InputError("certificate", "folds", [], "at least one fold")
    return {**pairs, "fraction": {kind: linked[kind] / n_test for kind in LINKS}, "gap_days": float(gap),
            "n_train": n_train, "n_test": n_test, "n_folds": len(folds)}


def _codes(windows):
    """Integer code of each window under each equality link, and the two intervals of each window."""
    start, end = times(windows, "start"), times(windows, "end")
    early, late = start - seconds(windows, "lookback_s"), end + seconds(windows, "horizon_s")
    if (end <= start).any():
        row = int(np.argmax(end <= start))
        raise InputError("windows table", f"end, row {row}", str(end[row]), f"a time after {start[row]}")
    parent = column(windows, "parent_id")
    if (parent == "").any():
        raise InputError("windows table", f"parent_id, row {np.argmax(parent == '')}", "",
                         "the base record's name; a window's own window_id if it has no copies")
    labels = {"dup": parent, "day": start_date(windows),
              **{key: groups(windows, key) for key in ("station_day", "event", "cluster", "station")}}
    codes = {kind: np.unique(label, return_inverse=True)[1] for kind, label in labels.items()}
    return codes, early, late, start, end


def _overlaps(train_start, train_end, test_start, test_end):
    """Count, for each test interval, the training intervals that meet it; half-open: touching is not meeting.

    All, less those that end before it starts, less those that start after it ends.
    """
    over = np.searchsorted(np.sort(train_end), test_start, side="right")
    later = train_start.size - np.searchsorted(np.sort(train_start), test_end, side="left")
    return train_start.size - over - later


def _gap_days(train_start, train_end, test_start, test_end):
    """Least empty time in days between a training and a test window; 0 if any two overlap."""
    if _overlaps(train_start, train_end, test_start, test_end).any():
        return 0.0
    starts, ends = np.sort(train_start), np.sort(train_end)
    after = np.searchsorted(starts, test_end, side="left")     # first training window that starts later
    before = np.searchsorted(ends, test_start, side="right")   # number that ended earlier
    gaps = [starts[after[after < starts.size]] - test_end[after < starts.size],
            test_start[before > 0] - ends[before[before > 0] - 1]]
    return float(np.concatenate(gaps).min() / DAY)


def describe(found: dict) -> str:
    """One short line for tables: the kinds of link with their pairs and the share of test windows they touch.

    >>> describe({**dict.fromkeys(LINKS, 0), "event": 2, "fraction": {"event": 0.5}, "gap_days": 0.25})
    'event 2 (50 %); no dup, station_day, cluster, day, overlap, station; gap 0.25 d'
    """
    some = [f"{kind} {found[kind]} ({100 * found['fraction'][kind]:.0f} %)" for kind in LINKS if found[kind]]
    none = [kind for kind in LINKS if not found[kind]]
    parts = [", ".join(some)] * bool(some) + ["no " + ", ".join(none)] * bool(none)
    return "; ".join([*parts, f"gap {found['gap_days']:.3g} d"])
