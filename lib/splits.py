"""Which windows train and which test: protocols named by the links they cut (layer 3).

A split is made from the windows table alone. `folds` returns what a protocol cuts; `lib.certificate` counts
what it leaves. Selection (early stopping, thresholds) happens on `inner_split`, never on the test part.
Sources: validity.md A3, A4, E1.2; links as in A2.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from lib import purge
from lib.config import rng
from lib.files import InputError
from lib.matching import matched
from lib.table_checks import check_rows, column, groups, start_date, times

__all__ = ["CUTS", "PROTOCOLS", "absent_classes", "check_rows", "column", "folds", "groups", "inner_split",
           "matched", "start_date", "times"]

# id -> what is held out, and the links between training and test part that it cuts
PROTOCOLS = {
    "P0": "Random windows, stratified by magnitude class; cuts no link.",
    "P1": "As published: station-days, stratified by magnitude class; cuts copies and shared station-days, "
          "but not an earthquake seen by two stations or on two days.",
    "P2": "Leave-one-event-out: earthquakes and quiet blocks; cuts copies and shared earthquakes.",
    "P3": "Cluster-out: families of earthquakes after declustering, and quiet blocks; cuts copies, shared "
          "earthquakes and shared families.",
    "P4": "Leave-one-station-out: stations; cuts copies, shared station-days and shared stations, "
          "but not shared earthquakes.",
    "P5": "Purged time blocks with an embargo: cuts every link but the station.",
    "P6": "Chronological hold-out of the last block, with an embargo before it: trains on the past only; "
          "cuts every link but the station.",
    "P7": "Stations within purged time blocks (P4 and P5 at once): cuts every link.",
}
_TIME = ("dup", "station_day", "event", "cluster", "day", "overlap")
CUTS = {   # the same as kinds of link, for certificates and tests
    "P0": (), "P1": ("dup", "station_day"), "P2": ("dup", "event"), "P3": ("dup", "event", "cluster"),
    "P4": ("dup", "station_day", "station"), "P5": _TIME, "P6": _TIME, "P7": (*_TIME, "station")}
PROTOCOL_KEY = {"P1": "station_day", "P2": "event", "P3": "cluster", "P4": "station"}
TIMED = ("P5", "P6", "P7")
TARGETS = ("magnitude_class", "azimuth_class")


def folds(windows: pd.DataFrame, protocol: str, n_folds: int | None = 10, seed: int = 42,
          on_absent: str = "raise", embargo_days: float = purge.EMBARGO_DAYS
          ) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the windows into training and test rows; every window is tested once, under P6 the last ones.

    Rows with `role` "storm" (`lib.earth.daily`) are tested, never trained on: P5 and P6 put each into the
    test part whose time it falls into, and drop training rows linked to it as to any test window.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    protocol : str
        A key of `PROTOCOLS`.
    n_folds : int or None
        Number of folds; None holds out one window (P0), station-day (P1), earthquake or quiet block (P2),
        family (P3), station (P4) or date (P5) at a time. With a number, P2 to P4 are *grouped k-fold*: a fold
        holds several groups. Where windows were matched (`set_id`), P2, P3 and P5 to P7 never part an
        earthquake from its quiet windows (`matched`). P6 holds out the last of `n_folds` blocks, one fold; P7
        crosses the blocks with as many groups of stations, or one station each if there are fewer, and leaves
        out empty folds.
    seed : int
        Of the shuffle; P1 hands it to scikit-learn unchanged, as R3 did with 42. P4 does not shuffle.
    on_absent : str
        What to do if a class that occurs in the table is missing from a training part: `raise`, `warn`, or
        `ignore` (a caller that keeps `absent_classes` in its record).
    embargo_days : float
        Of P5, P6 and P7: 30 for ULF, 45 for TEC (A3.1); the other protocols do not read it.

    Returns
    -------
    list of (array of int, array of int)
        Training and test row positions, sorted, one pair a fold. Under P5 to P7 some rows are in neither.

    Raises
    ------
    InputError
        For an unknown protocol, fewer than two or more folds than groups, missing columns, an absent class,
        an event in two families (P3), an embargo that leaves nothing to train on, or storm windows under a
        protocol other than P5 and P6.

    When not to use P0 and P1: for any claim. They show what they return on a world with no signal.
    """
    if protocol not in PROTOCOLS:
        raise InputError("splits.folds", "protocol", protocol, ", ".join(PROTOCOLS))
    if on_absent not in ("raise", "warn", "ignore"):
        raise InputError("splits.folds", "on_absent", on_absent, "raise, warn, ignore")
    storm = only_tested(windows)
    if storm.any() and protocol not in ("P5", "P6"):
        raise InputError("splits.folds", f"role, row {np.argmax(storm)}, under {protocol}", "storm",
                         "P5 or P6: windows that are only tested on belong to a time; or drop them")
    key = "date" if protocol in TIMED else PROTOCOL_KEY.get(protocol)
    labels = _labels(windows, protocol)[~storm]
    label, first, code = np.unique(labels, return_index=True, return_inverse=True)
    wanted = label.size if n_folds is None else n_folds
    if not isinstance(wanted, (int, np.integer)) or not 2 <= wanted <= label.size:
        raise InputError("splits.folds", "n_folds", wanted,
                         f"2 to {label.size}, the number of groups of {protocol} (by {key or 'window'})")
    if protocol in TIMED:
        result = _in_time(windows, protocol, wanted, n_folds is None, embargo_days)
    else:
        fold_of_row = code if n_folds is None else _assign(
            protocol, column(windows, "magnitude_class"), code, first, n_folds, seed)
        result = [(np.flatnonzero(fold_of_row != f), np.flatnonzero(fold_of_row == f)) for f in range(wanted)]
    _report_absent(windows, result, on_absent)
    return result


def _labels(windows, protocol):
    """Return what must not be parted, of each row."""
    if protocol == "P0":
        return np.arange(len(windows))
    if protocol in TIMED:
        return start_date(windows)
    key = PROTOCOL_KEY[protocol]
    labels = groups(windows, key)
    if protocol == "P3":
        event, row = np.unique(groups(windows, "event"), return_inverse=True)
        family = np.unique(labels, return_inverse=True)[1]
        if np.unique(np.column_stack([row, family]), axis=0).shape[0] > event.size:
            _, first = np.unique(row, return_index=True)
            bad = int(np.argmax(labels != labels[first][row]))
            raise InputError("windows table", f"cluster_id, row {bad}", str(labels[bad]),
                             f"one family for all windows of {event[row[bad]]}")
    # a set parted unbalances the training part against the test part: without skill, scores fall below 0
    return matched(windows, key) if protocol in ("P2", "P3") else labels


def _in_time(windows, protocol, n_blocks, singly, embargo_days):
    """Folds of P5, P6 and P7: blocks of whole days, purged, and rid of what shares an earthquake."""
    purge.embargo(embargo_days)
    together = matched(windows, "cluster")
    block, to_train = _blocks(windows, n_blocks), ~only_tested(windows)
    part, held_out = _station_parts(windows, n_blocks, singly) if protocol == "P7" else (None, [None])
    result = []
    for b in range(n_blocks - 1 if protocol == "P6" else 0, n_blocks):
        test = np.flatnonzero(block == b)
        if protocol == "P6":
            train = purge.before(windows, np.flatnonzero((block < b) & to_train), test, embargo_days)
        else:
            train = purge.purge(windows, np.flatnonzero((block != b) & to_train), test, embargo_days)
        train = purge.unrelated(windows, train, test)
        train = train[~np.isin(together[train], together[test])]
        pairs = [(train, test) if s is None else (train[part[train] != s], test[part[test] == s])
                 for s in held_out]
        for pair in (pair for pair in pairs if pair[1].size):
            if not pair[0].size:
                raise InputError("splits.folds", f"training part of fold {len(result)} of {protocol}",
                                 "no window left", f"an embargo under {embargo_days:g} days, more or fewer "
                                 f"folds, or a table longer than {purge.span_days(windows):.0f} days")
            result.append(pair)
    return result


def only_tested(windows: pd.DataFrame) -> np.ndarray:
    """Say which windows are for evaluation only: those with `role` "storm"; bool (N,)."""
    return column(windows, "role") == "storm" if "role" in windows else np.zeros(len(windows), bool)


def _blocks(windows, n_blocks):
    """Block of each window; one that is only tested on lies in the block that its date falls into."""
    date, rows = start_date(windows), np.flatnonzero(~only_tested(windows))
    known = purge.blocks(windows.iloc[rows], n_blocks)
    first = [np.sort(date[rows][known == b])[0] for b in range(n_blocks)]
    return np.maximum(np.searchsorted(first, date, "right") - 1, 0)


def _station_parts(windows, n_folds, singly):
    """Group of stations of each row, and the groups to hold out."""
    name, code = np.unique(column(windows, "station"), return_inverse=True)
    groups(windows, "station")                       # refuses an empty station
    if name.size < 2:
        raise InputError("splits.folds", "stations of P7", name.size, "two stations or more; or P5")
    n = name.size if singly else min(n_folds, name.size)
    part = code if n == name.size else _fold_numbers(GroupKFold(n), code, code)
    return part, list(range(n))


def _assign(protocol, y, code, first, n_folds, seed):
    """Fold number of each row."""
    if protocol == "P1":     # R3: StratifiedKFold over the groups in order of first appearance
        order = np.argsort(first)
        fold_of_group = np.empty(first.size, int)
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        fold_of_group[order] = _fold_numbers(splitter, y[first[order]], None)
        return fold_of_group[code]
    own = int(rng(seed, "folds", protocol).integers(2**32))
    if protocol == "P0":
        return _fold_numbers(StratifiedKFold(n_folds, shuffle=True, random_state=own), y, None)
    if protocol == "P2":
        return _fold_numbers(StratifiedGroupKFold(n_folds, shuffle=True, random_state=own), y, code)
    return _fold_numbers(GroupKFold(n_folds), y, code)


def _fold_numbers(splitter, y, group):
    """Run a scikit-learn splitter; fold number of each of its items."""
    n_folds = splitter.get_n_splits()
    if not isinstance(splitter, GroupKFold):
        largest = int(np.unique_counts(y).counts.max())
        if largest < n_folds:
            raise InputError("splits.folds", "n_folds", n_folds,
                             f"at most {largest}, the size of the largest class")
    number = np.full(y.size, -1)
    with warnings.catch_warnings():   # rare classes: we report absent ones ourselves
        warnings.filterwarnings("ignore", message="The least populated class")
        for f, (_, test) in enumerate(splitter.split(y, y, group)):
            number[test] = f
    missing = np.setdiff1d(np.arange(n_folds), number)
    if missing.size:
        raise InputError("splits.folds", "n_folds", n_folds, f"fewer: fold {missing[0]} would test nothing")
    return number


def absent_classes(windows: pd.DataFrame, split: list[tuple[np.ndarray, np.ndarray]]) -> list[dict]:
    """List each class that occurs in the table but not in the training part of a fold.

    Returns
    -------
    list of dict
        `fold` (from 0), `target` ("magnitude" or "azimuth"), `absent` (class name). A network cannot learn
        such a class, so each of its test windows is an error by construction.
    """
    found = []
    for name in TARGETS:
        if name not in windows:
            continue
        label, code = np.unique(column(windows, name), return_inverse=True)
        for f, (train, _) in enumerate(split):
            seen = np.bincount(code[train], minlength=label.size) > 0
            found += [{"fold": f, "target": name.removesuffix("_class"), "absent": str(c)}
                      for c in label[~seen]]
    return found


def _report_absent(windows, split, on_absent):
    if on_absent == "ignore":
        return
    found = absent_classes(windows, split)
    if not found:
        return
    error = InputError("splits.folds", f"training part of fold {found[0]['fold']}",
                       f"no window of {found[0]['target']} class {found[0]['absent']}"
                       + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""),
                       "more groups of that class, other folds, or on_absent='warn'")
    if on_absent == "raise":
        raise error
    warnings.warn(str(error), UserWarning, stacklevel=3)


def inner_split(windows: pd.DataFrame, train: np.ndarray, fraction: float = 0.2, seed: int = 42,
                protocol: str = "P2") -> tuple[np.ndarray, np.ndarray]:
    """Part the training rows into those that fit and those that select, by earthquake and quiet block.

    Always by event, whatever the protocol: under P0 and P1 too, since a selection set that shares earthquakes
    with the fit selects for memory; under P4 within the training stations. By family under P3 and P5 to P7,
    which cut families. Each magnitude class (of a group: that of its first row) gives its share of groups, at
    least one where it has two or more; a class with one group stays in the fit.

    Parameters
    ----------
    windows : DataFrame
    train : array of int
        Training rows of one fold.
    fraction : float
        Share of the training groups used for selection, between 0 and 1.
    seed, protocol
        Name the shuffle.

    Returns
    -------
    (array of int, array of int)
        Rows to fit on and rows to select on, sorted; their union is `train`, they share no group.
    """
    if protocol not in PROTOCOLS:
        raise InputError("splits.inner_split", "protocol", protocol, ", ".join(PROTOCOLS))
    if not 0 < fraction < 1:
        raise InputError("splits.inner_split", "fraction", fraction, "a number between 0 and 1")
    train = np.unique(check_rows("train", train, len(windows)))
    part = windows.iloc[train]
    key = "cluster" if "cluster" in CUTS[protocol] else "event"
    _, first, code = np.unique(groups(part, key), return_index=True, return_inverse=True)
    label = column(part, "magnitude_class")[first]              # of each group
    generator = rng(seed, "inner_split", protocol)
    selected = np.zeros(first.size, bool)
    for name in np.unique(label):
        members = generator.permutation(np.flatnonzero(label == name))
        n = round(fraction * members.size)
        selected[members[:np.clip(n, min(1, members.size - 1), members.size - 1)]] = True
    if not selected.any():
        raise InputError("splits.inner_split", "training groups", first.size,
                         "a class with two or more groups")
    chosen = selected[code]
    return train[~chosen], train[chosen]
