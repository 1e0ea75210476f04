"""Records of any format, and what every study does with them first (layer 1).

A record is an xarray.Dataset: float64 H (magnetic north), D (east), Z (down) in nT on a uniform UTC
`time`, with the attributes that `lib.earth.axes.make_record` sets.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.axes import mean_declination_deg, rotate
from lib.earth.bmkg import is_bmkg_day, parse_bmkg_day
from lib.earth.cdf import is_cdf, parse_cdf
from lib.earth.filters import filter_band
from lib.earth.iaga2002 import is_iaga2002, parse_iaga2002
from lib.earth.rawfile import read_bytes
from lib.files import InputError

__all__ = ["cut", "fill_gaps", "filter_band", "join_records", "open_folder", "read_record",
           "rotate_hdz_to_xyz", "rotate_xyz_to_hdz"]

PARSERS = ((is_iaga2002, parse_iaga2002), (is_bmkg_day, parse_bmkg_day), (is_cdf, parse_cdf))
MEAN_FILL_S = 180.0   # S4 fills gaps of less than three minutes (systems.md section 4.3)


def read_record(path: str | Path, station: str | None = None, *, latitude: float | None = None,
                longitude: float | None = None,
                declination_deg: float | None = None) -> xr.Dataset:
    """H, D, Z of one file, whatever its format: IAGA-2002, BMKG day file, ImagCDF or MagPy CDF.

    Parameters
    ----------
    path : str or Path
        Plain, gzip or zip; the format is recognised by content.
    station : str, optional
        Code that the file must carry.
    latitude, longitude, declination_deg : float, optional
        Override the file's: see `lib.earth.iaga2002.read_iaga2002`.

    Raises
    ------
    InputError
        For an unknown format, damaged contents or another station's file.
    """
    data = read_bytes(path)
    parse = next((parse for fits, parse in PARSERS if fits(data)), None)
    if parse is None:
        raise InputError(path, "first bytes", data[:16], "IAGA-2002, a BMKG day file, ImagCDF or "
                         "MagPy CDF, plain, gzip or zip")
    record = parse(data, path, latitude, longitude, declination_deg)
    if station is not None and record.attrs["station"] != station.upper():
        raise InputError(path, "station", record.attrs["station"],
                         f"a file of station {station.upper()}; check the name or the request")
    return record


def rotate_hdz_to_xyz(record: xr.Dataset, declination_deg: float | None = None) -> xr.Dataset:
    """Geographic components X (north), Y (east), Z (down) from a record.

    Parameters
    ----------
    declination_deg : float, optional
        Direction of the H axis east of geographic north; by default the record's own attribute,
        which counts from geographic north only if the file reported X Y Z or absolute H D Z.

    Raises
    ------
    InputError
        If the direction is not known and not given.
    """
    attrs = record.attrs
    letters = set(attrs.get("reported", ""))
    known = {"X", "Y"} <= letters or {"H", "D"} <= letters
    known &= not ("D" in letters and _decbas(attrs.get("comments", "")))
    if declination_deg is None and not (known and "declination_deg" in attrs):
        raise InputError(attrs.get("source", "record"), "declination_deg", attrs.get("reported"),
                         "a direction of the H axis in degrees: this file does not tell it")
    angle = attrs["declination_deg"] if declination_deg is None else float(declination_deg)
    x, y = rotate(record["H"].values, record["D"].values, -angle)
    return record.drop_vars(["H", "D"]).assign(X=("time", x), Y=("time", y)).assign_attrs(
        declination_deg=angle)


def _decbas(comments: str) -> bool:
    """Whether D counts from a baseline declination (INTERMAGNET's DECBAS comment), not from north."""
    words = comments.split("DECBAS", 1)
    value = words[1].split()[0] if len(words) == 2 and words[1].split() else "0"
    return value.strip("0") != ""


def rotate_xyz_to_hdz(record: xr.Dataset, declination_deg: float | None = None) -> xr.Dataset:
    """Turn a dataset of X, Y, Z into H, D, Z; undoes `rotate_hdz_to_xyz`.

    Parameters
    ----------
    declination_deg : float, optional
        Direction of the H axis; by default the attribute of that name, else the record's mean.
    """
    x, y = record["X"].values, record["Y"].values
    if declination_deg is None:
        declination_deg = record.attrs.get("declination_deg", mean_declination_deg(x, y))
    h, d = rotate(x, y, declination_deg)
    return record.drop_vars(["X", "Y"]).assign(H=("time", h), D=("time", d)).assign_attrs(
        declination_deg=float(declination_deg))


def fill_gaps(record: xr.Dataset, rule: str = "none", max_gap_s: float = MEAN_FILL_S) -> xr.Dataset:
    """Record with short gaps filled by a named rule; longer gaps stay NaN for the caller to drop.

    Parameters
    ----------
    rule : str
        ``"none"``: leave all. ``"mean_3min"``: gaps shorter than 3 min take the mean of their
        component over the record (the rule of S4, which drops windows with longer ones; cut the
        window first to use its own mean). ``"interpolate"``: straight line over gaps up to
        `max_gap_s` that have data on both sides.
    max_gap_s : float
        Only for ``"interpolate"``, s.

    Returns
    -------
    xarray.Dataset
        Attribute `filled`: number of values filled in H, D, Z. Only H, D, Z are filled.

    Notes
    -----
    systems.md section 4.3. A gap of k samples lasts k sampling intervals.
    """
    if rule not in ("none", "mean_3min", "interpolate"):
        raise InputError(record.attrs.get("source", "record"), "rule", rule,
                         "none, mean_3min or interpolate")
    filled, channels = [], {}
    for name in "HDZ":
        x = record[name].values.copy()
        starts, lengths = _gaps(x)
        seconds = lengths * record.attrs["sampling_s"]
        inside = (starts > 0) & (starts + lengths < len(x))
        short = {"none": seconds < 0, "mean_3min": seconds < MEAN_FILL_S,
                 "interpolate": (seconds <= max_gap_s) & inside}[rule]
        slots = [np.arange(a, a + k) for a, k in zip(starts[short], lengths[short], strict=True)]
        at = np.concatenate(slots) if slots else np.array([], int)
        good = np.flatnonzero(np.isfinite(x))
        if at.size and good.size:
            x[at] = x[good].mean() if rule == "mean_3min" else np.interp(at, good, x[good])
            filled.append(int(at.size))
        else:
            filled.append(0)
        channels[name] = ("time", x)
    return record.assign(channels).assign_attrs(gap_rule=rule, filled=filled)


def _gaps(x):
    """First index and length of every run of NaN."""
    edges = np.diff(np.concatenate([[0], np.isnan(x).astype(np.int8), [0]]))
    starts = np.flatnonzero(edges == 1)
    return starts, np.flatnonzero(edges == -1) - starts


def cut(record: xr.Dataset, start, n: int) -> xr.Dataset:
    """Window of `n` samples whose first one is the sample nearest to `start` (UTC).

    Raises
    ------
    InputError
        If the record does not cover the window.
    """
    time = record["time"].values
    step = np.timedelta64(round(record.attrs["sampling_s"] * 1e9), "ns")
    try:
        start = pd.Timestamp(start)
        start = np.datetime64(start.tz_convert(None) if start.tzinfo else start, "ns")
        first = int(np.rint((start - time[0]) / step))
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError("cut", "start", start, "a UTC time such as 2025-01-01T06:00") from error
    if n < 1 or first < 0 or first + n > len(time):
        raise InputError(record.attrs.get("source", "record"), "window", f"{n} samples from {start}",
                         f"a window within {time[0]} and {time[-1]} ({len(time)} samples of "
                         f"{record.attrs['sampling_s']:g} s)")
    return record.isel(time=slice(first, first + n))


def join_records(records) -> xr.Dataset:
    """One record from successive ones of a station, gaps between them NaN, axes those of the first.

    Files are turned by their own mean declination; here all are turned to that of the first, so
    that midnight makes no step in D. Only H, D, Z are kept.

    Raises
    ------
    InputError
        If station, sampling or reported components differ, or the records overlap.
    """
    records = sorted(records, key=lambda r: r["time"].values[0])
    if not records:
        raise InputError("join_records", "records", [], "at least one record")
    first = records[0]
    parts, grid_ns = [], round(first.attrs["sampling_s"] * 1e9)
    end = None
    for record in records:
        for name in ("station", "sampling_s", "reported"):
            if record.attrs.get(name) != first.attrs.get(name):
                raise InputError(record.attrs["source"], name, record.attrs.get(name),
                                 f"{first.attrs.get(name)!r} as in {first.attrs['source']}")
        since = (record["time"].values[0] - first["time"].values[0]).astype("int64")
        if since % grid_ns or (end is not None and record["time"].values[0] <= end):
            raise InputError(record.attrs["source"], "start", str(record["time"].values[0]),
                             f"a record on the same clock that starts after {end}")
        end = record["time"].values[-1]
        angle = first.attrs["declination_deg"] - record.attrs["declination_deg"]
        h, d = rotate(record["H"].values, record["D"].values, angle)
        parts.append(record[["Z"]].assign(H=("time", h), D=("time", d))[["H", "D", "Z"]])
    joined = xr.concat(parts, "time")
    time = np.arange(joined["time"].values[0].astype("int64"),
                     joined["time"].values[-1].astype("int64") + grid_ns, grid_ns).astype("datetime64[ns]")
    sources = " ".join(record.attrs["source"] for record in records)
    return joined.reindex(time=time).assign_attrs(first.attrs | {"source": sources})


def open_folder(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index of the records below a folder, and of the files that are none, with the reason.

    Returns
    -------
    index : DataFrame
        station, start, end (UTC), sampling_s, samples, missing (values of H, D, Z), path; sorted
        by station and start.
    unreadable : DataFrame
        path, reason.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "folder", "not there", "a folder of record files")
    rows, bad = [], []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            record = read_record(path)
        except InputError as error:
            bad.append((path, str(error)))
            continue
        time = record["time"].values
        missing = int(sum(np.isnan(record[c].values).sum() for c in "HDZ"))
        rows.append((record.attrs["station"], time[0], time[-1], record.attrs["sampling_s"],
                     len(time), missing, path))
    index = pd.DataFrame(rows, columns=["station", "start", "end", "sampling_s", "samples",
                                        "missing", "path"])
    return (index.sort_values(["station", "start"], ignore_index=True),
            pd.DataFrame(bad, columns=["path", "reason"]))
