"""Cutting links through time: purge, embargo and time blocks (layer 2).

A window uses more than itself: the record before it (lookback) and the days its label speaks of (horizon).
What of the training part touches the span of the test part is dropped, and so is what follows too closely.
Sources: validity.md A3.1; Lopez de Prado (2018), Advances in Financial Machine Learning, chapter 7.
"""

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.table_checks import DAY, check_rows, column, groups, spans, start_date, times

EMBARGO_DAYS = 30.0   # ULF; TEC needs 45: a 30-day window and a 15-day median (A3.1)


def purge(windows: pd.DataFrame, train: np.ndarray, test: np.ndarray,
          embargo_days: float = EMBARGO_DAYS) -> np.ndarray:
    """Drop training windows that meet the span of the test windows or start within the embargo after it.

    Parameters
    ----------
    windows : DataFrame
        The windows table: start, end, lookback_s, horizon_s are read.
    train, test : array of int
        Row positions.
    embargo_days : float
        0 or more; at least the autocorrelation time of the record.

    Returns
    -------
    array of int
        The rows of `train` that stay, in their order; may be empty.

    Raises
    ------
    InputError
        For a negative embargo, missing columns or times, or rows outside the table.

    Notes
    -----
    The test span [A, B] is closed and runs from the least start - lookback to the greatest end + horizon of
    the test windows. Window i is dropped if [start - lookback, end + horizon] meets it, or if
    B < start <= B + embargo. Source: validity.md A3.1; that A holds the lookback of the test windows follows
    from the link `overlap` of A2. The embargo is time, in days: scikit-learn's ``TimeSeriesSplit(gap=)``
    counts samples, which says nothing about time where stations and events are irregular.

    When not to use: on a test part of several separate blocks; call it once a block.
    """
    train, test = check_rows("train", train, len(windows)), check_rows("test", test, len(windows))
    late_limit = embargo(embargo_days)
    early, late = spans(windows)
    first, last = early[test].min(), late[test].max()
    start = times(windows, "start")[train]
    meets = (early[train] <= last) & (late[train] >= first)
    follows = (last < start) & (start <= last + late_limit)
    return train[~meets & ~follows]


def before(windows: pd.DataFrame, train: np.ndarray, test: np.ndarray,
           embargo_days: float = EMBARGO_DAYS) -> np.ndarray:
    """Keep training windows whose label ends more than the embargo before the test span begins.

    The mirror of `purge` for a chronological hold-out, where the embargo has to lie before the test part.

    Parameters
    ----------
    windows, train, test, embargo_days
        As in `purge`.

    Returns
    -------
    array of int
        The rows of `train` that stay, in their order; may be empty.
    """
    train, test = check_rows("train", train, len(windows)), check_rows("test", test, len(windows))
    early, late = spans(windows)
    return train[late[train] + embargo(embargo_days) < early[test].min()]


def embargo(days: float) -> np.timedelta64:
    """Return an embargo in days, 0 or more, as a time difference."""
    if not isinstance(days, (int, float, np.number)) or not np.isfinite(days) or days < 0:
        raise InputError("purge", "embargo_days", days, "days, 0 or more")
    return np.timedelta64(round(float(days) * 86_400e9), "ns")


def unrelated(windows: pd.DataFrame, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Drop training windows that share a base record, an earthquake, a quiet block or a family with the test.

    Time alone does not cut these: aftershocks go on for longer than any embargo, and without a horizon two
    windows of one earthquake may lie on either side of a boundary.

    Parameters
    ----------
    windows : DataFrame
        parent_id, event_id, block_id and cluster_id are read.
    train, test : array of int
        Row positions.

    Returns
    -------
    array of int
        The rows of `train` that stay, in their order; may be empty.
    """
    keep = np.ones(len(train), bool)
    for label in (column(windows, "parent_id"), groups(windows, "event"), groups(windows, "cluster")):
        keep &= ~np.isin(label[train], label[test])
    return train[keep]


def blocks(windows: pd.DataFrame, n_folds: int) -> np.ndarray:
    """Part the table into consecutive blocks of whole UTC days with about as many windows each.

    Parameters
    ----------
    windows : DataFrame
        N rows; `start` is read.
    n_folds : int
        Number of blocks, 1 to the number of different dates.

    Returns
    -------
    array of int, shape (N,)
        Block of each window, 0 the earliest. Windows that start on one date share a block, so that no
        external field is on both sides of a boundary.

    Raises
    ------
    InputError
        For more blocks than dates.
    """
    date, day, count = np.unique(start_date(windows), return_inverse=True, return_counts=True)
    if not isinstance(n_folds, (int, np.integer)) or not 1 <= n_folds <= date.size:
        raise InputError("purge.blocks", "n_folds", n_folds,
                         f"1 to {date.size}, the number of dates with windows")
    k = np.arange(1, n_folds)
    middle = np.cumsum(count) - count / 2
    cut = np.searchsorted(middle, k * count.sum() / n_folds)      # first day of block k
    cut = np.maximum.accumulate(np.maximum(cut, k) - k) + k       # at least one day a block ...
    cut = np.minimum(cut, date.size - n_folds + k)                # ... and one left for each that follows
    return np.searchsorted(cut, day, side="right")


def span_days(windows: pd.DataFrame) -> float:
    """Return the time from the first start to the last end, in days."""
    return float((times(windows, "end").max() - times(windows, "start").min()) / DAY)
