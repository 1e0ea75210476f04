"""Which windows train and which test: protocols named by the links they cut (layer 3).

A split is made from the windows table alone. `folds` returns what a protocol cuts; `lib.certificate` counts
what it leaves. Selection (early stopping, thresholds) happens on `inner_split`, never on the test part.
Sources: validity.md A3, A4, E1.2; links as in A2.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from lib.config import rng
from lib.files import InputError

# id -> what is held out, and the links between training and test part that it cuts
PROTOCOLS = {
    "P0": "Random windows, stratified by magnitude class; cuts no link.",
    "P1": "As published: station-days, stratified by magnitude class; cuts copies and shared station-days, "
          "but not an earthquake seen by two stations or on two days.",
    "P2": "Leave-one-event-out: earthquakes and quiet blocks; cuts copies and shared earthquakes.",
    "P4": "Leave-one-station-out: stations; cuts copies, shared station-days and shared stations, "
          "but not shared earthquakes.",
}
KEYS = ("event", "cluster", "station", "station_day")
PROTOCOL_KEY = {"P1": "station_day", "P2": "event", "P4": "station"}
TARGETS = ("magnitude_class", "azimuth_class")


def groups(windows: pd.DataFrame, key: str) -> np.ndarray:
    """Label each window with the earthquake, cluster, station or station-day it belongs to.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    key : str
        `event`: event_id, or ``block:`` and block_id for a quiet window; `cluster`: cluster_id, else as
        `event`; `station`; `station_day`: station and UTC date of the start.

    Returns
    -------
    array of str, shape (N,)

    Raises
    ------
    InputError
        For an unknown key, a missing column, or a window that belongs to no group or to an event and a block.
    """
    if key == "event":
        event, block = column(windows, "event_id"), column(windows, "block_id")
        bad = (event == "") == (block == "")
        _refuse(bad, "event_id and block_id", event, "one of the two filled: event_id, or block_id if quiet")
        return np.where(event == "", "block:" + block, event)
    if key == "cluster":
        cluster = column(windows, "cluster_id")
        return np.where(cluster == "", groups(windows, "event"), cluster)
    if key in ("station", "station_day"):
        station = column(windows, "station")
        _refuse(station == "", "station", station, "a station code")
        return station if key == "station" else station + "|" + start_date(windows)
    raise InputError("splits.groups", "key", key, ", ".join(KEYS))


def column(windows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a text column as a numpy string array, missing values as empty strings."""
    if name not in windows:
        raise InputError("windows table", "column", name, f"a table with {name}; has {', '.join(windows)}")
    values = windows[name]
    return values.astype(object).where(values.notna(), "").to_numpy().astype(str)


def start_date(windows: pd.DataFrame) -> np.ndarray:
    """Return the UTC date of each window's start as text, for example 2020-01-31."""
    return times(windows, "start").astype("datetime64[D]").astype(str)


def times(windows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a time column as datetime64[ns], every value present."""
    if name not in windows:
        raise InputError("windows table", "column", name, f"a table with {name}; has {', '.join(windows)}")
    try:
        values = windows[name].to_numpy("datetime64[ns]")
    except (TypeError, ValueError) as error:
        raise InputError("windows table", name, windows[name].iloc[0], "UTC times without zone") from error
    _refuse(np.isnat(values), name, values, "a UTC time")
    return values


def check_rows(name: str, rows: np.ndarray, n: int) -> np.ndarray:
    """Return row positions as an int array, or say which one a table of `n` rows does not have."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.size == 0 or rows.dtype.kind not in "iu":
        raise InputError("splits", name, rows, "row positions, at least one, as integers")
    bad = (rows < 0) | (rows >= n)
    if bad.any():
        raise InputError("splits", name, int(rows[np.argmax(bad)]), f"a row position 0 ... {n - 1}")
    return rows


def _refuse(bad, where, values, accepted):
    if np.any(bad):
        row = int(np.argmax(bad))
        raise InputError("windows table", f"{where}, row {row}", str(values[row]), accepted)


def folds(windows: pd.DataFrame, protocol: str, n_folds: int | None = 10, seed: int = 42,
          on_absent: str = "raise") -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the windows into training and test rows, every window tested once.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    protocol : str
        A key of `PROTOCOLS`.
    n_folds : int or None
        Number of folds; None holds out one window (P0), station-day (P1), earthquake or quiet block (P2) or
        station (P4) at a time. With a number, P2 and P4 are *grouped k-fold*: a fold holds several groups.
    seed : int
        Of the shuffle; P1 hands it to scikit-learn unchanged, as R3 did with 42. P4 does not shuffle.
    on_absent : str
        What to do if a class that occurs in the table is missing from a training part: `raise`, `warn`, or
        `ignore` (a caller that keeps `absent_classes` in its record).

    Returns
    -------
    list of (array of int, array of int)
        Training and test row positions, sorted, one pair a fold.

    Raises
    ------
    InputError
        For an unknown protocol, fewer than two or more folds than groups, missing columns, an absent class.

    When not to use P0 and P1: for any claim. They show what they return on a world with no signal.
    """
    if protocol not in PROTOCOLS:
        raise InputError("splits.folds", "protocol", protocol, ", ".join(PROTOCOLS))
    if on_absent not in ("raise", "warn", "ignore"):
        raise InputError("splits.folds", "on_absent", on_absent, "raise, warn, ignore")
    key = PROTOCOL_KEY.get(protocol)
    labels = groups(windows, key) if key else np.arange(len(windows))
    label, first, code = np.unique(labels, return_index=True, return_inverse=True)
    wanted = label.size if n_folds is None else n_folds
    if not isinstance(wanted, (int, np.integer)) or not 2 <= wanted <= label.size:
        raise InputError("splits.folds", "n_folds", wanted,
                         f"2 to {label.size}, the number of groups of {protocol} (by {key or 'window'})")
    if n_folds is None:
        fold_of_row = code
    else:
        fold_of_row = _assign(protocol, column(windows, "magnitude_class"), code, first, n_folds, seed)
    result = [(np.flatnonzero(fold_of_row != f), np.flatnonzero(fold_of_row == f)) for f in range(wanted)]
    _report_absent(windows, result, on_absent)
    return result


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
    with the fit selects for memory; under P4 within the training stations. Each magnitude class gives its
    share of groups, at least one where it has two or more; a class with one group stays in the fit.

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
        Rows to fit on and rows to select on, sorted; their union is `train`, they share no event or block.
    """
    if protocol not in PROTOCOLS:
        raise InputError("splits.inner_split", "protocol", protocol, ", ".join(PROTOCOLS))
    if not 0 < fraction < 1:
        raise InputError("splits.inner_split", "fraction", fraction, "a number between 0 and 1")
    train = np.unique(check_rows("train", train, len(windows)))
    part = windows.iloc[train]
    _, first, code = np.unique(groups(part, "event"), return_index=True, return_inverse=True)
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
