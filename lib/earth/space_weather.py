"""Kp and Dst from the files their providers ship, and their extremes over windows (layer 1)."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from lib.earth.tables import read_table, read_text, to_numbers, to_utc
from lib.files import InputError

_GFZ = [f"k_{hour:02d}" for hour in range(0, 24, 3)]
_CELESTRAK = [f"kp{i}" for i in range(1, 9)]
_DST_MISSING = (9999.0, 99999.0, 88888.0)


def read_kp(path: str | Path) -> pd.Series:
    """Read three-hourly Kp from GFZ's daily CSV, CelesTrak's SW-All or a list of times and Kp.

    The layout is recognised by its header: `Date, K_00 ... K_21`; `DATE, KP1 ... KP8, F10.7_DATA_TYPE` (ten
    times Kp); `Date_Time_UTC, Kp_Index`. Plain or gzip.

    Returns
    -------
    Series
        float64 `kp` in thirds (0, 0.333, 0.667 ... 9) on a gapless three-hourly UTC index (start of the
        interval); NaN where the file has a blank, -1 or no row.

    Raises
    ------
    InputError
        For another header, a value that is not a third from 0 to 9, a time that is local, repeated or not on
        the three-hour grid, or a damaged file.

    Notes
    -----
    Of CelesTrak's rows only OBS and INT are kept. INT says that F10.7 is interpolated (Kp is observed, and
    equals GFZ's); PRD and PRM rows hold forecasts, written in the same columns.
    """
    table = read_table(path)
    columns = set(table.columns)
    if {"date_time_utc", "kp_index"} <= columns:
        lines, times = table.index.to_numpy(), to_utc(table["date_time_utc"]).to_numpy()
        values = _kp_values(path, table[["kp_index"]])
    elif {"date", *_GFZ} <= columns:
        lines, times = _three_hourly(table)
        values = _kp_values(path, table[_GFZ])
    elif {"date", "f10.7_data_type", *_CELESTRAK} <= columns:
        table = table[table["f10.7_data_type"].isin(["OBS", "INT"])]
        lines, times = _three_hourly(table)
        values = _kp_values(path, table[_CELESTRAK], scale=0.1)
    else:
        raise InputError(path, "header", ", ".join(table.columns),
                         "Date, K_00 to K_21 or DATE, KP1 to KP8, F10.7_DATA_TYPE or Date_Time_UTC, Kp_Index")
    return _on_grid(path, lines, times, values, "3h", "kp")


def _three_hourly(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return line numbers and interval starts of eight values a row."""
    hours = np.arange(0, 24, 3).astype("timedelta64[h]")
    days = to_utc(table["date"] + " 00:00").to_numpy()
    return np.repeat(table.index.to_numpy(), 8), (days[:, None] + hours).ravel()


def _kp_values(path, cells: pd.DataFrame, scale: float = 1.0) -> np.ndarray:
    """Return Kp row by row in decimal thirds: 2.7 (CelesTrak), 2.667 (GFZ) and 8/3 are one value."""
    numbers = cells.apply(to_numbers).to_numpy(float) * scale
    missing = (cells == "").to_numpy() | (numbers == -1 * scale)
    thirds = np.round(numbers * 3)
    bad = ~missing & ~((np.abs(numbers * 3 - thirds) < 0.15) & (thirds >= 0) & (thirds <= 27))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(path, f"line {cells.index[row]}, {cells.columns[column]}", cells.iat[row, column],
                         f"{'ten times ' if scale != 1 else ''}Kp in thirds from 0 to 9, -1 or nothing")
    return np.where(missing, np.nan, np.round(thirds / 3, 3)).ravel()


def read_dst(path: str | Path) -> pd.Series:
    """Read hourly Dst from WDC Kyoto's fixed-width format or IAGA-2002, with or without its header.

    Returns
    -------
    Series
        float64 `dst` (nT) on a gapless hourly UTC index (start of the hour); NaN where missing.

    Raises
    ------
    InputError
        For another layout, a line cut short, a value that is no number or not from -2500 to 500 nT, an hour
        repeated or off the grid, or an IAGA-2002 file whose columns do not say which one is Dst.

    Notes
    -----
    Real-time, provisional and final Dst differ by tens of nT: state the version you use.
    """
    text = read_text(path)
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(numbered) > 1 and text[-1] not in "\r\n" and len(numbered[-1][1]) < len(numbered[-2][1]):
        raise InputError(path, f"line {numbered[-1][0]}", numbered[-1][1],
                         "a last line as long as the one before, or a newline after it: the file looks cut")
    if numbered[0][1].startswith("DST"):
        rows, times, values = _wdc(path, numbered)
    else:
        rows, times, values = _iaga(path, numbered)
    values = np.where(np.isin(values, _DST_MISSING), np.nan, values)
    bad = ~(np.isnan(values) | ((values >= -2500) & (values <= 500)))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(path, f"line {rows[row]}", float(values[row]), "Dst from -2500 to 500 nT")
    return _on_grid(path, rows, times, values, "h", "dst")


def _wdc(path, numbered) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parse DSTyymm*dd, century (columns 15-16), base in hundreds of nT (17-20), 24 four-column values."""
    dates, values = [], []
    for number, line in numbered:
        try:
            if not (line.startswith("DST") and line.isascii() and len(line) >= 116):
                raise ValueError
            century = line[14:16] if line[14:16].strip() else "19"
            dates.append(f"{century}{line[3:5]}-{line[5:7]}-{line[8:10]} 00:00")
            base = 100 * int(line[16:20])
            day = [int(line[i:i + 4]) for i in range(20, 116, 4)]
        except ValueError:
            raise InputError(path, f"line {number}", line,
                             "DSTyymm*dd, a base and 24 values of 4 columns each") from None
        values += [9999 if value == 9999 else base + value for value in day]
    days = to_utc(pd.Series(dates, dtype=str)).to_numpy()
    times = (days[:, None] + np.arange(24).astype("timedelta64[h]")).ravel()
    return np.repeat([number for number, _ in numbered], 24), times, np.array(values, float)


def _iaga(path, numbered) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parse IAGA-2002: date, time, day of year, values; header blocks may recur (months joined)."""
    header = [line.rstrip(" |").upper() for _, line in numbered if line.rstrip().endswith("|")]
    heads = {line for line in header if line.lstrip().startswith("DATE")}
    body = [(number, line.split()) for number, line in numbered if not line.rstrip().endswith("|")]
    if not body or len(heads) > 1 or not re.match("[0-9]{4}-[0-9]{2}-[0-9]{2} ", " ".join(body[0][1])):
        raise InputError(path, f"line {numbered[0][0]}", numbered[0][1],
                         "hourly Dst in WDC format, or IAGA-2002 with the same columns throughout")
    names = heads.pop().split()[3:] if heads else []
    width = 3 + len(names) if names else len(body[0][1])
    column = _dst_column(path, names, width)
    for number, row in body:
        if len(row) != width:
            raise InputError(path, f"line {number}", " ".join(row),
                             f"date, time, day of year and {width - 3} values")
    rows = np.array([number for number, _ in body])
    times = to_utc(pd.Series([f"{row[0]} {row[1]}" for _, row in body], dtype=str)).to_numpy()
    text = pd.Series([row[column] for _, row in body], dtype=str)
    values = to_numbers(text).to_numpy()
    if np.isnan(values).any():
        k = int(np.isnan(values).argmax())
        raise InputError(path, f"line {rows[k]}, column {column + 1}", text[k],
                         "Dst in nT (99999.00 if missing)")
    return rows, times, values


def _dst_column(path, names: list[str], width: int) -> int:
    """Return the position of Dst among the cells of a line."""
    named = [3 + k for k, name in enumerate(names) if "DST" in name]
    if len(named) == 1:
        return named[0]
    if not names and width == 4:      # a body without header and with one value: nothing else it could be
        return 3
    raise InputError(path, "header", " ".join(names) or f"{width - 3} unnamed columns",
                     "one column named DST, or a body of one column")


def _on_grid(path, lines, times, values, step: str, name: str) -> pd.Series:
    """Return a gapless series; refuse times that are unreadable, off the grid or repeated."""
    if not len(times):
        raise InputError(path, "all rows", "", "at least one observed value")
    index = pd.DatetimeIndex(times)
    for bad, accepted in ((index.isna(), "a UTC time"),
                          (index != index.floor(step), f"a time on the {step} grid"),
                          (index.duplicated(), "each time once")):
        if bad.any():
            k = int(bad.argmax())
            raise InputError(path, f"line {lines[k]}, time", str(index[k]), accepted)
    series = pd.Series(values, index=index, name=name, dtype=float).sort_index()
    series = series.asfreq(step)
    series.index = series.index.as_unit("ns").rename("time")
    return series


def window_extreme(series: pd.Series, start, end, how: str) -> np.ndarray:
    """Largest or smallest value of an index over many windows.

    Each value holds from its time to the next; every interval that overlaps start <= t < end counts.

    Parameters
    ----------
    series : Series
        On a uniform, increasing UTC index of at least two times.
    start, end : array_like of datetime64
        One window each; end after start.
    how : str
        "max" or "min".

    Returns
    -------
    ndarray of float64
        NaN for a window that the series does not cover fully, NaN values included.

    Raises
    ------
    InputError
        For another `how`, an index that is not uniform, or a window that does not end after its start.

    Examples
    --------
    >>> kp = pd.Series([1.0, 4.0, 2.0], pd.date_range("2018-01-01", periods=3, freq="3h"))
    >>> window_extreme(kp, ["2018-01-01T02", "2018-01-01T08"], ["2018-01-01T04", "2018-01-01T10"], "max")
    array([ 4., nan])
    """
    reduce = {"max": np.maximum, "min": np.minimum}.get(how)
    if reduce is None:
        raise InputError("window_extreme", "how", how, '"max" or "min"')
    start, end = (_nanoseconds(name, times) for name, times in (("start", start), ("end", end)))
    if len(start) != len(end) or (end <= start).any():
        raise InputError("window_extreme", "end", f"{len(start)} starts, {len(end)} ends",
                         "one end after each start")
    grid = _nanoseconds("series", series.index)
    step = np.unique(np.diff(grid))
    if len(step) != 1 or step[0] <= 0:
        raise InputError("window_extreme", "index", f"{len(grid)} times, {len(step)} different steps",
                         "two times or more, equally spaced and increasing")
    first = (start - grid[0]) // step[0]
    stop = -((grid[0] - end) // step[0])      # rounded up
    return _reduce_ranges(reduce, series.to_numpy(float), first, stop)


def _reduce_ranges(reduce: np.ufunc, values: np.ndarray, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Reduce values[first:stop] for many ranges at once; NaN for a range that leaves the array."""
    inside = (first >= 0) & (stop <= len(values))
    result = np.full(len(first), np.nan)
    order = np.flatnonzero(inside)[np.argsort(first[inside], kind="stable")]
    if len(order):      # sorted by start, the stretches between windows cost one pass over the series in all
        pairs = np.stack([first[order], stop[order]], axis=1).ravel()
        padded = np.append(values, np.nan)      # a stop may lie one past the end
        result[order] = reduce.reduceat(padded, pairs)[::2]
    return result


def _nanoseconds(name: str, times) -> np.ndarray:
    """Return int64 nanoseconds since 1970 of UTC times."""
    try:
        index = pd.DatetimeIndex(np.atleast_1d(np.asarray(times, dtype="datetime64[ns]")))
    except (TypeError, ValueError):
        index = pd.DatetimeIndex([pd.NaT])
    if index.isna().any():
        raise InputError("window_extreme", name, "a value that is no time", "UTC times, datetime64")
    return index.as_unit("ns").asi8


def window_indices(kp: pd.Series, dst: pd.Series, start, end) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest Kp and the smallest Dst (nT) of each window; NaN where not fully covered.

    Parameters and errors as `window_extreme`.
    """
    return window_extreme(kp, start, end, "max"), window_extreme(dst, start, end, "min")
