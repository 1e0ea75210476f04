"""Windows of minute values by S4's gap rule: short gaps filled, others dropped and named (layer 1)."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.minutes import MINUTE_S
from lib.earth.records import MEAN_FILL_S
from lib.files import InputError


def record_reader(records: Mapping[str, xr.Dataset]) -> Callable:
    """Return ``read(station, start, n)``, (3, n) in nT, from minute records by station.

    What the record does not cover is NaN, so that `load_windows` counts it.

    Raises
    ------
    InputError
        Now, for a record of another sampling; on reading, for an unknown station or a start between minutes.
    """
    for record in records.values():
        if record.attrs["sampling_s"] != MINUTE_S:
            raise InputError(record.attrs.get("source", "record"), "sampling_s", record.attrs["sampling_s"],
                             "60; average seconds with minute_record")
    return partial(_read, dict(records))


def _read(records, station, start, n):
    if station not in records:
        raise InputError("minutes", "station", station, ", ".join(records))
    record = records[station]
    since = np.datetime64(pd.Timestamp(start), "ns") - record["time"].values[0]
    first, rest = divmod(since, np.timedelta64(MINUTE_S, "s"))
    if rest:
        raise InputError(record.attrs.get("source", "record"), "start", str(start),
                         "a start on the record's minutes")
    out = np.full((3, n), np.nan)
    a, b = max(int(first), 0), min(int(first) + n, record.sizes["time"])
    if a < b:
        out[:, a - int(first):b - int(first)] = [record[c].values[a:b] for c in "HDZ"]
    return out


def fill_window(x: np.ndarray, sampling_s: float = MINUTE_S) -> tuple[np.ndarray, str, int, int]:
    """Fill gaps shorter than 3 min with the mean of their component over the window; refuse longer ones.

    Parameters
    ----------
    x : array, shape (C, n)
        NaN where missing.

    Returns
    -------
    filled : array, shape (C, n); unchanged if there is a reason
    reason : str; "" if the window can be used, else "gap" or "no sample"
    longest : int; the longest gap of a component, samples
    n_filled : int

    Notes
    -----
    systems.md section 4.3; `lib.earth.records.fill_gaps` with ``"mean_3min"`` on the cut window.

    >>> fill_window(np.array([[1.0, np.nan, 3.0]]))[0].tolist()
    [[1.0, 2.0, 3.0]]
    """
    missing = np.isnan(x)
    if not missing.any():
        return x, "", 0, 0
    longest = max(_longest(row) for row in missing)
    if missing.all(axis=1).any():
        return x, "no sample", longest, 0
    if longest * sampling_s >= MEAN_FILL_S:
        return x, "gap", longest, 0
    return np.where(missing, np.nanmean(x, axis=1, keepdims=True), x), "", longest, int(missing.sum())


def _longest(missing):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.view(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def load_windows(windows: pd.DataFrame, read: Callable, n: int
                 ) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Read windows of minutes by the gap rule, and name those that are dropped.

    Parameters
    ----------
    windows : DataFrame
        window_id, station, start.
    read : callable
        ``read(station, start, n)`` gives (3, n): `record_reader`, or a `partial` of `minute_means`.
    n : int
        Samples, such as a value of `minutes.LENGTHS`.

    Returns
    -------
    x : array, shape (K, 3, n), float64, nT, without NaN
    kept : DataFrame
        The K rows, RangeIndex; column `filled` (values filled with a mean).
    dropped : DataFrame
        window_id, reason ("gap", "no sample"), longest_min.
    """
    found, rows, filled, dropped = [], [], [], []
    for i, row in enumerate(windows[["window_id", "station", "start"]].itertuples(index=False)):
        x, reason, longest, count = fill_window(np.asarray(read(row.station, row.start, n), float))
        if reason:
            dropped.append((row.window_id, reason, longest))
            continue
        found.append(x)
        rows.append(i)
        filled.append(count)
    kept = windows.iloc[rows].reset_index(drop=True).assign(filled=np.array(filled, int))
    return (np.array(found).reshape(-1, 3, n), kept,
            pd.DataFrame(dropped, columns=["window_id", "reason", "longest_min"]))
