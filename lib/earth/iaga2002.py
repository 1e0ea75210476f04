"""IAGA-2002 text files, read and written (layer 1).

Format: the IAGA-2002 exchange format of INTERMAGNET. Up to 70 characters a line; header lines with
a label in columns 2-24; a line naming the columns; then date, time, day of year and four values of
ten characters. 99999 marks a missing value and 88888 one that was never recorded; both become NaN.
"""

import re
import textwrap
from pathlib import Path

import numpy as np
import xarray as xr

from lib.earth.axes import axis_names, from_hdz, make_record
from lib.earth.iaga2002_body import NUMBER, check_day_of_year, parse_fixed, parse_lines
from lib.earth.rawfile import read_bytes
from lib.files import InputError, atomic_path

MISSING, NOT_RECORDED = 99999.0, 88888.0
FIELDS = ("Format", "Source of Data", "Station Name", "IAGA CODE", "Geodetic Latitude",
          "Geodetic Longitude", "Elevation", "Reported", "Sensor Orientation", "Digital Sampling",
          "Data Interval Type", "Data Type", "Publication Date")
KEPT = {field: field.lower().replace(" ", "_") for field in FIELDS
        if field not in ("Format", "IAGA CODE", "Geodetic Latitude", "Geodetic Longitude",
                         "Reported")}   # header field -> attribute, kept word for word
COLUMNS = re.compile(rb"^[ \t]*DATE[ \t]+TIME[ \t]+DOY[ \t]+([^\r\n|]*)[^\r\n]*(?:\r?\n|$)",
                     re.MULTILINE | re.IGNORECASE)
HEADER_BYTES = 100_000


def is_iaga2002(data: bytes) -> bool:
    """Whether bytes look like an IAGA-2002 file."""
    return bool(re.match(rb"(?:\xef\xbb\xbf)?\s*FORMAT\s+IAGA-?2002", data[:200], re.IGNORECASE))


def read_iaga2002(path: str | Path, *, latitude: float | None = None,
                  longitude: float | None = None,
                  declination_deg: float | None = None) -> xr.Dataset:
    """Magnetic record of one station from an IAGA-2002 file, plain, gzip or zip.

    Parameters
    ----------
    path : str or Path
    latitude, longitude : float, optional
        Degrees; override the header, which is kept as it stands even where it is wrong.
    declination_deg : float, optional
        Direction of the H axis for X Y Z, H D Z and U V W files; by default the file's own mean.
        Give one value for a series of files that are to be joined.

    Returns
    -------
    xarray.Dataset
        H, D, Z (nT; D is the eastward component, see `lib.earth.axes`), F or G if reported, on a
        uniform UTC axis. `not_recorded` (bit k: element k held 88888) appears only where such
        marks do. Attributes: station, sampling_s (from the stamps; headers lie), source,
        latitude, longitude, reported, declination_deg, missing and not_recorded_count (per
        reported element), inserted_stamps, notes, comments and the descriptive header fields.

    Raises
    ------
    InputError
        Naming file, line or field, value and remedy.

    References
    ----------
    systems.md requirement 2; validity.md B1.
    """
    return parse_iaga2002(read_bytes(path), path, latitude, longitude, declination_deg)


def parse_iaga2002(data: bytes | str, source="text", latitude=None, longitude=None,
                   declination_deg=None) -> xr.Dataset:
    """Record from the contents of an IAGA-2002 file; see `read_iaga2002`."""
    data = data.encode("utf-8") if isinstance(data, str) else data
    data = data.replace(b"\r\n", b"\n") if b"\r" in data[:HEADER_BYTES] else data
    header, elements, station, body, first = _split(data, source)

    def where(row, lines=None):
        return f"line {first + (row if lines is None else lines[row])}"

    parsed = parse_fixed(body, len(elements))
    lines = None
    if parsed is None:
        *parsed, lines = parse_lines(body, elements, source, first)
    times, doy, table = parsed
    check_day_of_year(times, doy, source, lambda row: where(row, lines))
    missing, absent = np.abs(table) >= MISSING, (np.abs(table) >= NOT_RECORDED)
    absent &= np.abs(table) < NOT_RECORDED + 1
    table = np.where(missing | absent, np.nan, table)
    bits = np.bitwise_or.reduce(absent.astype(np.uint8) << np.arange(len(elements))[:, None])
    values = dict(zip(elements, table, strict=True))
    place, notes = _place(header, latitude, longitude)
    declared = "".join(header.get("Reported", "").upper().split())
    if declared and declared != "".join(elements):
        notes.append(f"the header reports {declared}, the columns are {''.join(elements)}")
    code = header.get("IAGA CODE", "").upper() or station
    if station and code != station:
        notes.append(f"columns are named after {station}, the header says {code}")
    return make_record(
        values, times, source=source, station=code, where=lambda row: where(row, lines), **place,
        declination_deg=declination_deg, nominal_s=_nominal_s(header), not_recorded=bits,
        attrs={"missing": missing.sum(1).tolist(), "not_recorded_count": absent.sum(1).tolist(),
               "comments": header["#"], "notes": notes,
               **{name: header.get(field, "") for field, name in KEPT.items()}})


def _split(data: bytes, source):
    """Find header fields, element names, station in the column names, body, its first line."""
    match = COLUMNS.search(data[:HEADER_BYTES])
    if not is_iaga2002(data) or match is None:
        raise InputError(source, "header", data[:40], "a line 'Format  IAGA-2002' first and a "
                         "line 'DATE TIME DOY ...' before the data")
    top = data[:match.start()]
    try:
        text = top.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = top.decode("latin-1")
    header, comments = {}, []
    for line in text.splitlines():
        line = line.rstrip().removesuffix("|").strip()
        label = next((f for f in FIELDS if line.upper().startswith(f.upper())), None)
        if label:
            header[label] = line[len(label):].strip()
        elif line.startswith("#"):
            comments.append(line[1:].removeprefix(" ").rstrip())
    header["#"] = "\n".join(comments)
    columns = match[1].decode("latin-1").upper().split()
    station = columns[0][:3] if columns and len(columns[0]) > 3 else ""
    elements = [name[3:] if station and name.startswith(station) else name for name in columns]
    first = data.count(b"\n", 0, match.end()) + 1
    if not (3 <= len(elements) <= 8 and len(set(elements)) == len(elements)
            and axis_names(elements) and (station or header.get("IAGA CODE"))):
        raise InputError(source, f"line {first - 1}, column names",
                         " ".join(columns), "station code and element, such as ESKX ESKY ESKZ ESKF, "
                         "with X Y Z, H D Z, H E Z or U V W")
    return header, elements, station, data[match.end():].rstrip(b"\r\n\x1a"), first


def _place(header, latitude, longitude):
    """Coordinates from header or arguments, and notes on those that are not degrees."""
    place, notes = {}, []
    for name, given, limit in (("latitude", latitude, 90.0), ("longitude", longitude, 360.0)):
        text = header.get(f"Geodetic {name.title()}", "")
        value = float(text) if NUMBER.match(text) or re.match(r"[-+]?\d+\.\d+$", text) else np.nan
        if given is None and text and not abs(value) <= limit:
            notes.append(f"header {name} {text} is not in degrees")
            value = np.nan
        place[name] = value if given is None else float(given)
    return place, notes


def _nominal_s(header) -> float | None:
    """Read the declared interval, s; only used for a record of one sample."""
    text = header.get("Data Interval Type", "").upper()
    found = re.search(r"PT(\d+)([SM])|(\d+)[ -]*(SEC|MIN)", text)
    if found is None:
        return None
    return int(found[1] or found[3]) * {"S": 1.0, "M": 60.0}[(found[2] or found[4])[0]]


def write_iaga2002(record: xr.Dataset, path: str | Path) -> Path:
    """Write a record as IAGA-2002, in the components it was reported in.

    Reading the file gives the record back to 0.01 nT (0.01' for an angle D), and exactly if the
    record came from such a file, except where only one of two rotated horizontals was missing.
    A record that never was a file is written as H E Z (nT).

    Raises
    ------
    InputError
        If a time stamp is finer than a millisecond or a value does not fit its ten characters.
    """
    path = Path(path)
    attrs = record.attrs
    elements = re.findall("NUL|[A-Z]", attrs.get("reported", "")) or ["H", "E", "Z"]
    elements = elements if axis_names(elements) else ["H", "E", "Z"]
    elements += ["NUL"] * (4 - len(elements))
    columns = from_hdz(*(record[c].values for c in "HDZ"), axis_names(elements),
                       attrs.get("declination_deg", 0.0))
    columns |= {name: record[name].values for name in ("F", "S", "G") if name in record}
    bits = record["not_recorded"].values if "not_recorded" in record else np.uint8(0)
    empty = np.full(record.sizes["time"], np.nan)
    table = [_text(columns.get(name, empty), (bits >> k) & 1, name, path)
             for k, name in enumerate(elements)]
    rows = map("".join, zip(_stamps(record, path), *table, strict=True))
    station = attrs.get("station") or "XXX"
    names = "".join(f"{station[:3].ljust(3, '_') + name:<10}" for name in elements)
    lines = [*_header(attrs, elements), f"{f'DATE       TIME         DOY     {names}':<69}|", *rows]
    with atomic_path(path) as temporary:
        temporary.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    return path


def _stamps(record, path):
    """First 30 characters of every row: date, time, day of year."""
    time = record["time"].values
    if (time.astype(np.int64) % 1_000_000).any():
        raise InputError(path, "time", "stamps finer than 1 ms", "milliseconds: resample first")
    date = time.astype("datetime64[D]")
    doy = (date - date.astype("datetime64[Y]")).astype(int) + 1
    stamps = np.datetime_as_string(time, unit="ms")
    return [f"{s[:10]} {s[11:]} {n:03d}   " for s, n in zip(stamps, doy, strict=True)]


def _text(values, absent, name, path):
    """Ten characters for each value; missing and never recorded values as their marks."""
    rounded = np.round(values, 2) + 0.0   # no negative zero
    rounded = np.where(np.isnan(values), np.where(absent, NOT_RECORDED, MISSING), rounded)
    if (np.abs(rounded) > MISSING).any():
        worst = float(np.abs(rounded).max())
        raise InputError(path, f"column {name}", worst, "values below 99999 in size")
    return [f"{value:10.2f}" for value in rounded]


def _header(attrs, elements):
    """Header lines of 69 characters and a bar."""
    known = {"Format": "IAGA-2002", "IAGA CODE": attrs.get("station") or "XXX",
             "Reported": "".join(elements),
             **{field: attrs.get(name, "") for field, name in KEPT.items()}}
    for name in ("latitude", "longitude"):
        value = attrs.get(name, np.nan)
        known[f"Geodetic {name.title()}"] = "" if np.isnan(value) else repr(float(value))
    for field in FIELDS:
        if known[field] or field != "Publication Date":
            yield f" {field:<23}{known[field]:<45}|"
    for comment in attrs.get("comments", "").splitlines():
        for line in textwrap.wrap(comment, 66, drop_whitespace=False) or [""]:
            yield f" # {line:<66}|"
