"""Reading a windows table column by column, with every bad value named (layer 1).

Splits, certificates and audits see the table through these functions only.
"""

import numpy as np
import pandas as pd

from lib.files import InputError

KEYS = ("event", "cluster", "station", "station_day")
DAY = np.timedelta64(1, "D")


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
        refuse(bad, "event_id and block_id", event, "one of the two filled: event_id, or block_id if quiet")
        return np.where(event == "", "block:" + block, event)
    if key == "cluster":
        cluster = column(windows, "cluster_id")
        return np.where(cluster == "", groups(windows, "event"), cluster)
    if key in ("station", "station_day"):
        station = column(windows, "station")
        refuse(station == "", "station", station, "a station code")
        return station if key == "station" else station + "|" + start_date(windows)
    raise InputError("splits.groups", "key", key, ", ".join(KEYS))


def column(windows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a text column as a numpy string array, missing values as empty strings."""
    if name not in windows:
        raise InputError("windows table", "column", name, f"a table with {name}; has {', '.join(windows)}")
    values = windows[name]
    return values.astype(object).where(values.notna(), "").to_numpy().astype(str)


def number(windows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers as float64, NaN where unknown."""
    if name not in windows:
        raise InputError("windows table", "column", name, f"a table with {name}, NaN where unknown")
    return windows[name].to_numpy(float)


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
    refuse(np.isnat(values), name, values, "a UTC time")
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


def refuse(bad: np.ndarray, where: str, values: np.ndarray, accepted: str) -> None:
    """Raise InputError for the first bad row of a column, if there is one."""
    if np.any(bad):
        row = int(np.argmax(bad))
        raise InputError("windows table", f"{where}, row {row}", str(values[row]), accepted)


def spans(windows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what each window uses: start - lookback and end + horizon, datetime64[ns] of shape (N,).

    Raises
    ------
    InputError
        For a missing column, a time or a length that is not there, or a window that ends before it starts.
    """
    start, end = times(windows, "start"), times(windows, "end")
    refuse(end < start, "end", end, "a time after its start")
    return start - seconds(windows, "lookback_s"), end + seconds(windows, "horizon_s")


def seconds(windows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of seconds, 0 or more, as timedelta64[ns]."""
    if name not in windows:
        raise InputError("windows table", "column", name, f"a table with {name}, 0 where there is none")
    value = windows[name].to_numpy(float)
    refuse(~np.isfinite(value) | (value < 0), name, value, "seconds, 0 or more")
    return (value * 1e9).astype("timedelta64[ns]")
