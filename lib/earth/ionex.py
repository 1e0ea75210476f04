"""IONEX files: global maps of the total electron content of the ionosphere (layer 1).

Format: IONEX 1.0 (Schaer, Gurtner, Feltens 1998). Lines of 80 characters with a label from column 61; a
header; then maps of TEC, perhaps of its RMS error, as whole numbers of five characters, to be multiplied by
ten to the EXPONENT. 9999 marks a missing value and becomes NaN.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from lib.earth.ionex_body import (
    LABEL_AT,
    MISSING,
    Lines,
    Scan,
    axis,
    fixed_numbers,
    parse_exponent,
    parse_values,
)
from lib.earth.rawfile import read_bytes
from lib.files import InputError

UNITS = {"tec": "TECU", "rms": "TECU"}
KEPT = {"MAPPING FUNCTION": "mapping_function", "OBSERVABLES USED": "observables"}
END = re.compile(rb"^.{60}END OF HEADER[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
MAX_CELLS = 50_000_000


def read_ionex(path: str | Path) -> xr.Dataset:
    """Read the maps of an IONEX file, plain or packed as .gz, .Z or .zip.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    xarray.Dataset
        float64 `tec` and, where the file has them, `rms` (TECU) on `time` (UTC, from the maps), `latitude`
        and `longitude` (degrees, ascending; -180 and 180 both, if both are there). NaN where the file has
        9999, and in `rms` where an epoch has no such map. Attributes: source, program, run_by, date,
        system, interval_s (of the epochs; of the header for one map), exponent, height_km,
        base_radius_km, mapping_function, observables, description, notes (what the header says otherwise).

    Raises
    ------
    InputError
        Naming file, line, value and remedy. A missing END OF FILE, or END OF ... MAP below a whole map,
        is no error; a map short of a row, or fewer maps than announced at the end of a file without END OF
        FILE, is a cut file.

    Notes
    -----
    The time between two maps, their number and the hour of the first depend on centre and year (12, 13 or
    25 a day): take them from `time`. The last map of a day may be that of the next midnight, which the next
    file holds again, from another solution.

    References
    ----------
    validity.md B11; features.md 5.3 for the mistakes that other readers made.
    """
    data = read_bytes(path)
    return parse_ionex(data, path)


def parse_ionex(data: bytes | str, source="text") -> xr.Dataset:
    """Parse the contents of an IONEX file; see `read_ionex`."""
    data = data.encode("latin-1", "replace") if isinstance(data, str) else data
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    header, first_line, start = _split(data, source)
    exponent = _header_exponent(header, source)
    latitude, longitude = (_header_axis(header, name, source) for name in ("LAT", "LON"))
    lines = Lines(data.rstrip(b" \n\x1a\0")[start:] or b" ", first_line, source)
    scan = Scan(lines, exponent, None if latitude is None else latitude.tolist())
    notes = _check(scan, header, latitude, longitude, source)
    latitude, longitude = np.array(scan.latitudes), axis(*scan.across[:3])
    south, west = (slice(None, None, -1 if a[0] > a[-1] else 1) for a in (latitude, longitude))
    if len(scan.rows) * len(longitude) > MAX_CELLS:
        raise InputError(source, "all maps", len(scan.rows) * len(longitude), f"at most {MAX_CELLS} values")
    rows = np.array(scan.rows, np.int64)
    values = _scaled(parse_values(lines, rows[:, 0], len(longitude)), rows[:, 1])
    maps = values.reshape(len(scan.maps), len(latitude), len(longitude))[:, south, west]
    time, cubes = _by_kind(scan.maps, maps, source)
    interval, notes = _interval(time, header, notes)
    return xr.Dataset(
        {kind: (("time", "latitude", "longitude"), cube, {"units": UNITS[kind]})
         for kind, cube in cubes.items()},
        coords={"time": time, "latitude": latitude[south], "longitude": longitude[west]},
        attrs={"source": str(source), **_described(header), "interval_s": interval, "exponent": exponent,
               "height_km": scan.across[3], "notes": "; ".join(notes)})


def _split(data: bytes, source):
    """Header fields, the number of the first line below the header, and its byte."""
    line = data[:200].split(b"\n")[0].decode("latin-1")
    if "IONEX VERSION" not in line.upper() or line[20:21].upper() != "I" or line[:20].strip()[:2] != "1.":
        remedy = "IONEX VERSION / TYPE in column 61, 1.0 and I: an IONEX file"
        if "RINEX" in line.upper():
            remedy += "; this is RINEX, observations or orbits, not maps"
        if re.match(r"\s*<(!DOCTYPE|HTML|\?XML)", line, re.IGNORECASE):
            remedy += "; this is a web page, such as the login form of an archive: fetch the file again"
        raise InputError(source, "line 1", line[:80], remedy)
    end = END.search(data)
    if end is None:
        raise InputError(source, f"line {data.count(10) + 1}", "no END OF HEADER", "a whole header; the file "
                         "is cut, fetch it again")
    header, auxiliary = {"DESCRIPTION": (0, []), "#": line}, False
    for number, line in enumerate(data[:end.start()].decode("latin-1").split("\n"), 1):
        label = line[LABEL_AT:80].strip().upper()
        if label in ("START OF AUX DATA", "END OF AUX DATA"):
            auxiliary = label.startswith("START")
        elif label in ("COMMENT", "DESCRIPTION"):
            header["DESCRIPTION"][1].append(line[:LABEL_AT].rstrip())
        elif not auxiliary:
            header.setdefault(label, (number, line[:LABEL_AT]))
    return header, data.count(b"\n", 0, end.end()) + 1, end.end()


def _header_exponent(header, source) -> int:
    number, text = header.get("EXPONENT", (0, "    -1"))
    exponent = parse_exponent(text)
    if exponent is None:
        raise InputError(source, f"line {number}, EXPONENT", text, "a whole number from -9 to 9")
    return exponent


def _header_axis(header, name, source):
    """Latitudes or longitudes that the header announces, None without such a line."""
    label = f"{name}1 / {name}2 / D{name}"
    if label not in header:
        return None
    number, text = header[label]
    values = fixed_numbers(text, [6] * 3, 2)
    found = None if values is None else axis(*values)
    if found is None:
        raise InputError(source, f"line {number}, {label}", text, "first, last and step in columns of six")
    return found


def _check(scan, header, latitude, longitude, source) -> list[str]:
    """Refuse what is no whole set of maps; notes on what the header says otherwise."""
    end = f"line {scan.lines.first + len(scan.lines.start) - 1}"
    count = {kind: sum(m.kind == kind for m in scan.maps) for kind in ("TEC", "RMS", "HEIGHT")}
    if not count["TEC"]:
        raise InputError(source, end, "no TEC map", "at least one; the file is cut, fetch it again")
    if len(set(np.sign(np.diff(scan.latitudes)))) > 1 or len(set(scan.latitudes)) < len(scan.latitudes):
        raise InputError(source, f"line {scan.maps[0].line}", scan.latitudes[:8], "latitudes that only rise "
                         "or only fall")
    across = axis(*scan.across[:3])
    if longitude is not None and not np.array_equal(longitude, across):
        scan.lines.fail(scan.rows[0][0], "longitudes as the header announces them")
    announced = _number(header, "# OF MAPS IN FILE")
    notes = []
    if announced is not None and announced != count["TEC"]:
        if not scan.closed and count["TEC"] < announced:
            raise InputError(source, end, f"{count['TEC']} TEC maps and no END OF FILE",
                             f"{announced:g} maps as the header says; the file is cut, fetch it again")
        notes.append(f"the header says {announced:g} maps, the file has {count['TEC']}")
    if not scan.closed and 0 < count["RMS"] < count["TEC"]:
        raise InputError(source, end, f"{count['RMS']} RMS maps and no END OF FILE",
                         f"one for each of {count['TEC']} TEC maps; the file is cut, fetch it again")
    if count["HEIGHT"]:
        notes.append("maps of height left out")
    return notes


def _number(header, label) -> float | None:
    """Return the number of a header line, None if there is none, as in files with odd headers."""
    found = re.match(r" *(\d+(?:\.\d*)?) *$", header.get(label, (0, ""))[1], re.ASCII)
    return float(found[1]) if found else None


def _scaled(numbers, exponents):
    """Values in TECU, rounded as the decimals are read; NaN for 9999 whatever the exponent."""
    power = 10.0 ** np.abs(exponents)[:, None]
    down, up = exponents[:, None] < 0, exponents[:, None] > 0
    values = numbers / power if down.all() else np.where(down, numbers / power,
                                                         np.where(up, numbers * power, numbers))
    values[numbers == MISSING] = np.nan
    return values


def _by_kind(maps, values, source):
    """Epochs of the TEC maps in order, and TEC and RMS on them."""
    time = np.unique([m.epoch for m in maps if m.kind == "TEC"])
    cubes, seen = {}, {}
    for m, value in zip(maps, values, strict=True):
        if m.kind not in ("TEC", "RMS"):
            continue
        k, name = int(np.searchsorted(time, m.epoch)), m.kind.lower()
        if k == len(time) or time[k] != m.epoch:
            raise InputError(source, f"line {m.line}, RMS map", str(m.epoch)[:19], "the epoch of a TEC map")
        if name not in cubes:
            cubes[name] = np.full((len(time), *value.shape), np.nan)
        if (name, k) in seen and not np.array_equal(cubes[name][k], value, equal_nan=True):
            raise InputError(source, f"line {m.line}, {m.kind} map", str(m.epoch)[:19], "one map an epoch; "
                             f"the map of line {seen[name, k]} has the same epoch and other values")
        cubes[name][k], seen[name, k] = value, m.line
    return time, cubes


def _interval(time, header, notes):
    """Seconds between maps: of the epochs, since headers err or say nothing; of the header for one map."""
    said = _number(header, "INTERVAL")
    if len(time) == 1:
        return said or np.nan, notes
    step = float(np.median(np.diff(time)) / np.timedelta64(1, "s"))
    if said and said != step:
        notes = [*notes, f"the header says {said:g} s between maps, the epochs {step:g} s"]
    return step, notes


def _described(header) -> dict:
    """Attributes that tell where the maps come from, word for word."""
    _, program = header.get("PGM / RUN BY / DATE", (0, ""))
    radius = _number(header, "BASE RADIUS")
    return {"program": program[:20].strip(), "run_by": program[20:40].strip(), "date": program[40:60].strip(),
            "system": header["#"][40:60].strip(), "base_radius_km": np.nan if radius is None else radius,
            **{name: header.get(label, (0, ""))[1].strip() for label, name in KEPT.items()},
            "description": "\n".join(header["DESCRIPTION"][1])}
