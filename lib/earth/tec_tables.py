"""Hourly tables of electron content: VTEC with solar indices, soundings of an ionosonde (layer 1)."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.tables import read_table, require, to_numbers, to_utc
from lib.files import InputError

VTEC_COLUMNS = {"vtec": ("tec", "TECU"), "f10.7": ("f107", "sfu"), "dst": ("dst", "nT"), "bz": ("bz", "nT"),
                "solar wind": ("wind_speed", "km/s")}   # beginning of a column's name -> variable, unit
IONOSONDE_COLUMNS = {"tec": "TECU", "fof2": "MHz", "hmf2": "km"}


def read_vtec_csv(path: str | Path) -> xr.Dataset:
    """Read an hourly VTEC series at one place with indices of solar activity.

    Parameters
    ----------
    path : str or Path
        CSV, plain or gzip, with columns `Date-time` (UTC), `VTEC ...` and any of `F10.7 ...`, `Dst ...`,
        `Bz ...`, `Solar wind ...`; `Day of year` and `Hour of day` are checked against the time.

    Returns
    -------
    xarray.Dataset
        float64 `tec` (TECU), `f107` (sfu), `dst` and `bz` (nT), `wind_speed` (km/s) on a gapless hourly
        `time`; NaN for empty cells and missing rows. Attributes source, latitude, longitude (of the
        header, or NaN).

    Raises
    ------
    InputError
        For another header, a cell that is no number, a time that is not on the hour, repeated, or does not
        agree with its day of year.
    """
    table = read_table(path)
    names = {variable: next((c for c in table if c.startswith(start)), None)
             for start, (variable, _) in VTEC_COLUMNS.items()}
    require(path, table, ["date-time", names["tec"] or "vtec"])
    time = _times(path, table, "date-time")
    checks = {"day of year": time.dt.day_of_year, "hour of day": time.dt.hour}
    bad = (time != time.dt.floor("h")) | time.duplicated()
    for name, expected in checks.items():
        if name in table:
            bad |= to_numbers(table[name]) != expected
    if bad.any():
        raise InputError(path, f"line {bad.idxmax()}", table.loc[bad.idxmax(), "date-time"],
                         "full hours, each once, with their own day of year and hour of day")
    numbers = {v: _numbers(path, table, column) for v, column in names.items() if column}
    frame = pd.DataFrame(numbers).set_axis(pd.DatetimeIndex(time)).sort_index().asfreq("h")
    place = re.search(r"([\d.]+)([ew]) ([\d.]+)([ns])\b", names["tec"])
    latitude, longitude = ((float(place[k]) * (-1 if place[k + 1] in "ws" else 1)) for k in (3, 1)) \
        if place else (np.nan, np.nan)
    units = dict(VTEC_COLUMNS.values())
    return xr.Dataset({v: ("time", frame[v].to_numpy(float), {"units": units[v]}) for v in frame},
                      coords={"time": frame.index.to_numpy("datetime64[ns]")},
                      attrs={"source": str(path), "latitude": latitude, "longitude": longitude})


def read_ionosonde(folder: str | Path, min_count: int = 6, min_score: float = 0.0) -> xr.Dataset:
    """Read autoscaled soundings and take the median of each hour.

    Parameters
    ----------
    folder : str or Path
        With CSV files, plain or gzip, whose columns hold `Time` (UTC), `CS` (confidence score, 0 to 100) and
        any of `TEC`, `foF2`, `hmF2`; a sounding may stand in two files if both agree.
    min_count : int
        Gap rule: soundings an hour needs, of twelve every five minutes; hours with fewer are NaN.
    min_score : float
        Soundings of a lower confidence score are left out.

    Returns
    -------
    xarray.Dataset
        float64 `tec` (TECU), `fof2` (MHz), `hmf2` (km): median of the hour that begins at `time` (UTC,
        gapless); `count`, soundings with TEC in it.

    Raises
    ------
    InputError
        For no files, another header, a cell that is no number, or soundings of one time that disagree.
    """
    paths = sorted(p for p in Path(folder).glob("*") if p.name.endswith((".csv", ".csv.gz")))
    if not paths:
        raise InputError(folder, "folder", "no CSV file", "soundings as .csv or .csv.gz")
    soundings = pd.concat([_soundings(path) for path in paths]).sort_index(kind="stable")
    again = soundings.index.duplicated(keep=False)
    one = soundings.groupby(level=0).first()
    clash = again & ((soundings != one.loc[soundings.index]) & soundings.notna()).any(axis=1).to_numpy()
    if clash.any():
        raise InputError(folder, "soundings", str(soundings.index[clash.argmax()]), "one sounding a time, or "
                         "the same twice")
    one = one[one["cs"] >= min_score].drop(columns="cs")
    hourly = one.resample("h")
    count = hourly.count()
    median = hourly.median().where(count >= min_count)
    return xr.Dataset({**{name: ("time", median[name].to_numpy(float), {"units": IONOSONDE_COLUMNS[name]})
                          for name in median}, "count": ("time", count["tec"].to_numpy())},
                      coords={"time": median.index.to_numpy("datetime64[ns]")}, attrs={"source": str(folder)})


def _soundings(path) -> pd.DataFrame:
    """Score and values of one file by time."""
    table = read_table(path)
    require(path, table, ["time", "cs", "tec"])
    names = ["cs", *(name for name in IONOSONDE_COLUMNS if name in table)]
    columns = {name: _numbers(path, table, name).to_numpy() for name in names}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(_times(path, table, "time")))


def _times(path, table, name):
    """UTC times of a column; the first that is none is an error."""
    time = to_utc(table[name])
    if time.isna().any():
        line = time.isna().idxmax()
        raise InputError(path, f"line {line}, {name}", table.loc[line, name], "a date and time in UTC")
    return time


def _numbers(path, table, name):
    """Numbers of a column, NaN where it is empty; the first that is none is an error."""
    numbers = to_numbers(table[name])
    bad = numbers.isna() & (table[name] != "")
    if bad.any():
        line = bad.idxmax()
        raise InputError(path, f"line {line}, {name}", table.loc[line, name], "a number or nothing")
    return numbers
