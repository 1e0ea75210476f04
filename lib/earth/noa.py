"""The catalogue of the National Observatory of Athens as it is downloaded (layer 1)."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.earth.catalog_formats import COLUMNS
from lib.earth.tables import read_table, require, to_numbers
from lib.files import InputError

LIMITS = {"latitude": (-90, 90), "longitude": (-180, 360), "depth_km": (-10, 1000), "magnitude": (-3, 10)}
NAMES = {"latitude": "lat. (n)", "longitude": "long. (e)", "depth_km": "depth (km)",
         "magnitude": "magnitude (local)"}
MONTHS = {name: number for number, name in enumerate(
    "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}


def read_noa(path: str | Path) -> pd.DataFrame:
    """Read one file of the catalogue of the National Observatory of Athens.

    Parameters
    ----------
    path : str or Path
        CSV, plain or gzip: ``DATE, TIME (GMT), LAT. (N), LONG. (E), DEPTH (km), MAGNITUDE (Local)`` with dates
        such as ``2019 JAN  1`` and times such as ``00 14 46.9``.

    Returns
    -------
    DataFrame
        The schema of `lib.earth.catalog`, by time; the magnitude is ML. The file has no ids: one is made from
        the time and the row. Depth 0 is kept as it is.

    Raises
    ------
    InputError
        For another header, or a row whose time or numbers cannot be used.
    """
    table = read_table(path)
    require(path, table, ["date", "time (gmt)", *NAMES.values()])
    time = _times(path, table)
    frame = pd.DataFrame({"time": time, **{name: to_numbers(table[column]) for name, column in NAMES.items()}})
    for name, (low, high) in LIMITS.items():
        bad = ~frame[name].between(low, high)
        if bad.any():
            line = bad.idxmax()
            raise InputError(path, f"line {line}, {NAMES[name]}", table.loc[line, NAMES[name]],
                             f"a number from {low} to {high}")
    frame = frame.sort_values("time", kind="stable", ignore_index=True)
    frame["event_id"] = [f"noa-{t:%Y%m%dT%H%M%S}-{i}" for i, t in enumerate(frame.time)]
    frame["cluster_id"] = frame.event_id
    return frame.assign(magnitude_type="ML", source="NOA")[COLUMNS]


def read_noa_folder(folder: str | Path, start=None, end=None, min_magnitude: float = -3.0) -> pd.DataFrame:
    """Read and join every file of the catalogue in a folder; parameters but the first select.

    Raises
    ------
    InputError
        For a folder without such files, and as `read_noa`.
    """
    paths = sorted(p for p in Path(folder).glob("*") if p.name.endswith((".csv", ".csv.gz")))
    if not paths:
        raise InputError(folder, "folder", "no CSV file", "files of the catalogue as .csv or .csv.gz")
    parts = [read_noa(path) for path in paths]
    joined = pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)
    joined["event_id"] = [f"noa-{t:%Y%m%dT%H%M%S}-{i}" for i, t in enumerate(joined.time)]
    joined["cluster_id"] = joined.event_id
    inside = joined.magnitude >= min_magnitude
    for limit, compare in ((start, np.greater_equal), (end, np.less)):
        if limit is not None:
            inside &= compare(joined.time, pd.Timestamp(limit))
    return joined[inside].reset_index(drop=True)


def _times(path, table) -> pd.Series:
    """UTC times from year, English month and day, and from hours, minutes and seconds; 60 s is allowed."""
    date = table["date"].str.upper().str.extract(r"^(\d{4})\s+([A-Z]{3})\s+(\d{1,2})$")
    clock = table["time (gmt)"].str.extract(r"^(\d{1,2})\s+(\d{1,2})\s+(\d{1,2}(?:\.\d*)?)$").astype(float)
    iso = date[0] + "-" + date[1].map(MONTHS).map("{:02.0f}".format) + "-" + date[2].str.zfill(2)
    time = pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce") + pd.to_timedelta(
        (clock[0] * 3600 + clock[1] * 60 + clock[2]), unit="s")
    bad = time.isna() | ~(clock[0] < 24) | ~(clock[1] < 60) | ~(clock[2] <= 60)
    if bad.any():
        line = bad.idxmax()
        raise InputError(path, f"line {line}, DATE and TIME", " ".join(table.loc[line, ["date", "time (gmt)"]]),
                         "a date such as 2019 JAN  1 and a time such as 00 14 46.9")
    return time.astype("datetime64[ns]")
