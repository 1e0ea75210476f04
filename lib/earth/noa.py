"""The catalogue of the National Observatory of Athens as it is downloaded (layer 1)."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lib.earth.catalog_formats import COLUMNS
from lib.earth.tables import read_table, require, to_numbers
from lib.files import InputError

LIMITS = {"latitude": (-90, 90), "longitude": (-180, 360), "depth_km": (-10, 1000), "magnitude": (-3, 10)}
NAMES = {"latitude": "lat. (n)", "longitude": "long. (e)", "depth_km": "depth (km)",
         "magnitude": "magnitude (local)"}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def read_noa(paths: str | Path | Iterable[str | Path], min_magnitude: float = -3.0) -> pd.DataFrame:
    """Read files of the catalogue of the National Observatory of Athens.

    Parameters
    ----------
    paths : path or iterable of them
        CSV, plain or gzip, with columns ``DATE, TIME (GMT), LAT. (N), LONG. (E), DEPTH (km), MAGNITUDE
        (Local)``, dates such as ``2019 JAN  1`` and times such as ``00 14 46.9``.
    min_magnitude : float
        Smaller earthquakes are left out; the place and time of their rows are not looked at.

    Returns
    -------
    DataFrame
        The schema of `lib.earth.catalog`, by time; the magnitude is ML. The files have no ids: one is made
        from the time and the row.

    Raises
    ------
    InputError
        For no files, another header, a magnitude that is no number, or a row whose time or place cannot be
        used.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not paths:
        raise InputError("read_noa", "paths", "none", "at least one file of the catalogue")
    joined = pd.concat([_one(path, min_magnitude) for path in paths])
    joined = joined.sort_values("time", kind="stable", ignore_index=True)
    joined["event_id"] = [f"noa-{t:%Y%m%dT%H%M%S}-{i}" for i, t in enumerate(joined["time"])]
    return joined.assign(cluster_id=joined["event_id"], magnitude_type="ML", source="NOA")[COLUMNS]


def _one(path, min_magnitude):
    table = read_table(path)
    require(path, table, ["date", "time (gmt)", *NAMES.values()])
    magnitude = _numbers(path, table, "magnitude")
    table = table[magnitude >= min_magnitude]
    numbers = {name: _numbers(path, table, name) for name in NAMES}
    return pd.DataFrame({"time": _times(path, table), **numbers})


def _numbers(path, table, name):
    """Numbers of a column within their limits; the first that is not is an error."""
    numbers, (low, high) = to_numbers(table[NAMES[name]]), LIMITS[name]
    bad = ~numbers.between(low, high)
    if bad.any():
        raise InputError(path, f"line {bad.idxmax()}, {NAMES[name]}", table.loc[bad.idxmax(), NAMES[name]],
                         f"a number from {low} to {high}")
    return numbers


def _times(path, table) -> pd.Series:
    """UTC times from year, English month and day, and from hours, minutes and seconds; 60 s is allowed."""
    date = table["date"].str.upper().str.extract(r"^(\d{4})\s+([A-Z]{3})\s+(\d{1,2})$")
    clock = table["time (gmt)"].str.extract(r"^(\d{1,2})\s+(\d{1,2})\s+(\d{1,2}(?:\.\d*)?)$").astype(float)
    month = date[1].map({name: f"{number:02d}" for number, name in enumerate(MONTHS, 1)})
    text = date[0] + "-" + month + "-" + date[2].str.zfill(2)
    seconds = clock[0] * 3600 + clock[1] * 60 + clock[2]
    time = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce") + pd.to_timedelta(seconds, unit="s")
    bad = time.isna() | ~(clock[0] < 24) | ~(clock[1] < 60) | ~(clock[2] <= 60)
    if bad.any():
        line = bad.idxmax()
        raise InputError(path, f"line {line}, date and time",
                         " ".join(table.loc[line, ["date", "time (gmt)"]]),
                         "a date such as 2019 JAN  1 and a time such as 00 14 46.9")
    return time.dt.round("ms").astype("datetime64[ns]")
