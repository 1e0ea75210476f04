"""One long record from the files of a series, and the faults of a series by their names (layer 1).

A single file can be read without fault and still not belong beside its neighbours: a month is missing, the
sampling changes, some files report X Y Z and others H D Z, a header has the latitude of the wrong sign, or
the sensor jumps between two states. All of these are refused with a name and a remedy.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.axes import axis_names
from lib.earth.iaga2002 import COLUMNS, HEADER_BYTES, is_iaga2002, parse_iaga2002
from lib.earth.rawfile import read_bytes
from lib.earth.records import join_records, read_record
from lib.earth.states import settle_states
from lib.files import InputError

BATCH = 32                 # files parsed in one go
FAR_DEG = 1.0              # a header this far from the station list is not that station [D]
DAY = np.timedelta64(86_400, "s")


def continuous(parts, *, stations: pd.DataFrame | None = None, latitude: float | None = None,
               longitude: float | None = None, span: tuple | None = None, gaps: str = "refuse",
               states: str = "refuse") -> xr.Dataset:
    """Join daily or monthly files, or records, into one record, and refuse what does not belong together.

    Parameters
    ----------
    parts : folder, iterable of paths, or iterable of records
        Files of any format of `lib.earth.records.read_record`, in any order. All are turned to the axes of
        the first, so that midnight makes no step.
    stations : DataFrame, optional
        code, latitude, longitude, as `lib.earth.stations.read_stations` gives it, to check headers against.
    latitude, longitude : float, optional
        Degrees; override what the headers say.
    span : (start, end), optional
        UTC; what the series has to cover, for a month that is missing at its start or end.
    gaps : {"refuse", "keep"}
        Whether a day or more without file is an error, or is kept as NaN and told in the attributes.
    states : {"refuse", "mask", "keep"}
        Whether a sensor with two states is an error, the samples of its rarer state become NaN (in all
        components), or are kept.

    Returns
    -------
    xarray.Dataset
        H, D, Z as `join_records` gives them. Attributes `absent` (stretches of a day or more without file),
        `masked` (samples removed by ``states="mask"``).

    Raises
    ------
    InputError
        "month missing", "changed sampling", "XYZ and HDZ mixed", "wrong sign of latitude", "state-jumping
        sensor", or what reading a file says.

    References
    ----------
    Issue 7; systems.md section 4.3.
    """
    if gaps not in ("refuse", "keep"):
        raise InputError("continuous", "gaps", gaps, "refuse or keep")
    records = _records(parts, latitude, longitude)
    for check in (_check_sampling, _check_axes):
        check(records)
    for record in records:
        check_place(record, stations)
    reported = records[0].attrs["reported"]     # XYZF beside XYZG: the same axes, F and G are not joined
    joined = join_records(r.assign_attrs(reported=reported) for r in records)
    holes = _holes(joined, records, span)
    if holes and gaps == "refuse":
        raise InputError(joined.attrs["station"], "month missing" if _months(holes) else "days missing",
                         "; ".join(_months(holes) or _words(holes)),
                         'a series without holes; fetch those files, or gaps="keep"')
    joined, masked = settle_states(joined, states)
    missing = [int(np.isnan(joined[c].values).sum()) for c in "HDZ"]
    names = [record.attrs["source"] for record in records]
    source = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)} parts)"
    return joined.assign_attrs(absent="; ".join(_words(holes)), masked=masked, missing=missing, source=source)


def _records(parts, latitude, longitude):
    """Read all parts where they are files; sort them by start."""
    if isinstance(parts, (str, Path)):
        folder = Path(parts)
        if not folder.is_dir():
            raise InputError(folder, "folder", "not there", "a folder of record files")
        parts = sorted(p for p in folder.rglob("*") if p.is_file())
    parts = list(parts)
    if not parts:
        raise InputError("continuous", "parts", "nothing", "at least one file or record")
    if not isinstance(parts[0], xr.Dataset):
        parts = read_files(parts, latitude=latitude, longitude=longitude)
    else:
        given = {k: float(v) for k, v in (("latitude", latitude), ("longitude", longitude)) if v is not None}
        parts = [part.assign_attrs(given) for part in parts]
    return sorted(parts, key=lambda r: r["time"].values[0])


def read_files(paths, *, latitude: float | None = None, longitude: float | None = None) -> list[xr.Dataset]:
    """Read many files on the axes of the first one, IAGA-2002 neighbours parsed together.

    Files whose headers are the same bytes and whose lengths agree are parsed as one, which is several times
    faster; the values are those of `read_record` with the first file's declination. Anything unusual sends a
    file back to `read_record`, which names it in its errors. Neighbours parsed together are one record.
    """
    paths = [Path(path) for path in paths]
    first = read_record(paths[0], latitude=latitude, longitude=longitude)
    place = {"latitude": latitude, "longitude": longitude, "declination_deg": first.attrs["declination_deg"]}
    found, batch = [first], []
    for path in paths[1:]:
        data = read_bytes(path)
        top = _header(data)
        if batch and (top is None or len(batch) == BATCH or top != batch[-1][2]
                      or len(data) != len(batch[-1][1])):
            found += _read_batch(batch, place)
            batch = []
        batch.append((path, data, top))
    return found + _read_batch(batch, place)


def _header(data):
    match = COLUMNS.search(data[:HEADER_BYTES]) if is_iaga2002(data) else None
    return data[:match.end()] if match else None


def _read_batch(batch, place):
    """Parse files as one if they follow each other without gap, else each half, else the file alone."""
    if not batch:
        return []
    if len(batch) == 1:
        return [read_record(batch[0][0], **place)]
    top = batch[0][2]
    data = b"\n".join(part[1].rstrip(b"\r\n\x1a") for part in (
        batch[0], *((path, data[len(top):], top) for path, data, _ in batch[1:])))
    try:
        record = parse_iaga2002(data, batch[0][0], place["latitude"], place["longitude"],
                                place["declination_deg"])
        if not record.attrs["inserted_stamps"] and "stamps moved" not in record.attrs["notes"]:
            return [record]
    except InputError:
        pass             # reading the files one by one says which, and where in it
    middle = len(batch) // 2
    return _read_batch(batch[:middle], place) + _read_batch(batch[middle:], place)


def _check_sampling(records):
    first = records[0]
    for record in records:
        if record.attrs["sampling_s"] != first.attrs["sampling_s"]:
            raise InputError(record.attrs["source"], "changed sampling",
                             f"{record.attrs['sampling_s']:g} s after {first.attrs['sampling_s']:g} s",
                             f"{first.attrs['sampling_s']:g} s as in {first.attrs['source']}; join parts of "
                             "equal sampling, or average the finer ones (lib.earth.minutes.minute_record)")


def _check_axes(records):
    first, *_ = kinds = [axis_names(record.attrs["reported"].replace("NUL", "")) for record in records]
    for record, kind in zip(records, kinds, strict=True):
        if kind != first:
            raise InputError(record.attrs["source"], f"{first} and {kind} mixed", record.attrs["reported"],
                             f"{first} as in {records[0].attrs['source']}: a baseline step would look like a "
                             "signal; join each kind alone, or give every file the same declination_deg")


def check_place(record: xr.Dataset, stations: pd.DataFrame | None = None) -> None:
    """Refuse a header whose coordinates contradict the station list, or the sign of the record's own Z.

    Parameters
    ----------
    record : xarray.Dataset
    stations : DataFrame, optional
        code, latitude, longitude. A station that is not in it is judged by Z alone.

    Raises
    ------
    InputError
        "wrong sign of latitude", "latitude" or "longitude".
    """
    attrs = record.attrs
    source, latitude, longitude = attrs.get("source", "record"), attrs["latitude"], attrs["longitude"]
    rows = stations[stations["code"] == attrs["station"]] if stations is not None else ()
    if not len(rows):
        if "wrong sign" in attrs.get("notes", "") and "latitude" in attrs["notes"]:
            raise InputError(source, "wrong sign of latitude", latitude,
                             f"a latitude that fits the record's Z; give latitude={-latitude:g}")
        return
    known, east = float(rows.latitude.iloc[0]), float(rows.longitude.iloc[0])
    if np.isfinite(latitude) and abs(latitude - known) > FAR_DEG:
        sign = abs(latitude + known) < FAR_DEG
        raise InputError(source, "wrong sign of latitude" if sign else "latitude", latitude,
                         f"{known:g} as in the station list; give latitude={known:g}")
    if np.isfinite(longitude) and abs((longitude - east + 180) % 360 - 180) > FAR_DEG:
        raise InputError(source, "longitude", longitude,
                         f"{east:g} as in the station list; give longitude={east:g}")


def _holes(joined, records, span):
    """Stretches of a day or more without file: list of (start, end), datetime64."""
    step = np.timedelta64(round(joined.attrs["sampling_s"] * 1e9), "ns")
    ends = [record["time"].values[-1] + step for record in records]
    starts = [record["time"].values[0] for record in records]
    if span is not None:
        first, last = (np.datetime64(pd.Timestamp(t), "ns") for t in span)
        starts, ends = [*starts, last], [first, *ends]
    else:
        starts, ends = starts[1:], ends[:-1]
    return [(end, start) for start, end in zip(starts, ends, strict=True) if start - end >= DAY]


def _months(holes):
    """Names of whole calendar months inside holes."""
    names = []
    for start, end in holes:
        month = start.astype("datetime64[M]")
        month = month if month.astype("datetime64[ns]") == start else month + 1
        while (month + 1).astype("datetime64[ns]") <= end:
            names.append(str(month))
            month += 1
    return names


def _words(holes):
    return [f"{np.datetime_as_string(a, unit='m')} to {np.datetime_as_string(b, unit='m')}" for a, b in holes]
