"""Day files of BMKG's 1 Hz fluxgate magnetometers, `SyyMMdd.STA` (layer 1).

Layout of an FRG-604RC file, checked on one day of station ALR: 144 blocks of ten minutes, each a
header of 30 bytes and 600 records of 17 bytes; up to three more bytes end the file.

Header (byte, content): 0-1 the bytes 00 30; 2-4 station code in ASCII; 5-9 year - 2000, month,
day, hour, minute as plain binary; 27 supply voltage in 0.1 V; the others are constant settings or
unknown (13, 18 and 22 vary) and are ignored.
Record (byte, content), little-endian: 0-8 H, D, Z as signed 24-bit numbers of 0.01 nT, D eastward in
nT and not an angle; 9-12 two tilts, 0.1 each; 13-16 sensor and electronics temperature, 0.01 degC.
An invalid value is the largest number of its kind; for the field, all beyond 80000 nT are.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from lib.earth.axes import make_record
from lib.earth.rawfile import read_bytes
from lib.files import InputError, atomic_path

BLOCKS, HEADER, RECORDS, WIDTH = 144, 30, 600, 17
BLOCK = HEADER + RECORDS * WIDTH
MAX_NT = 80_000.0
UNIT_NT = 0.01


def is_bmkg_day(data: bytes) -> bool:
    """Whether bytes begin like a BMKG day file: 00 30, three capital letters, a date, midnight."""
    code = data[2:5]
    return (len(data) >= HEADER and data[:2] == b"\x000" and code.isalnum() and code.isupper()
            and 1 <= data[6] <= 12 and 1 <= data[7] <= 31)


def read_bmkg_day(path: str | Path, *, latitude: float | None = None,
                  longitude: float | None = None) -> xr.Dataset:
    """One day of H, D, Z at 1 Hz from a BMKG file `SyyMMdd.STA`, plain, gzip or zip.

    Parameters
    ----------
    path : str or Path
    latitude, longitude : float, optional
        Degrees; the file holds none. By default those of `lib.earth.stations`, NaN if unknown.

    Returns
    -------
    xarray.Dataset
        H, D (eastward), Z in nT, 86400 samples; invalid values are NaN and counted in the
        attribute `missing`. `supply_v` is the range of the supply voltage.

    Raises
    ------
    InputError
        If the file is cut, is another format, or its blocks are not the 144 of one day and station.

    Notes
    -----
    validity.md B9: a reader with fields of two bytes and added constants also circulates; records
    decoded that way are white noise of 1.9 uT. Check any day with `lib.earth.plausibility`.
    """
    return parse_bmkg_day(read_bytes(path), path, latitude, longitude)


def parse_bmkg_day(data: bytes, source="bytes", latitude=None, longitude=None,
                   declination_deg=None) -> xr.Dataset:
    """Record from the contents of a BMKG day file; see `read_bmkg_day`."""
    if not is_bmkg_day(data):
        raise InputError(source, "header", data[:10], "a BMKG day file: bytes 00 30, station code, "
                         "date")
    if not BLOCKS * BLOCK <= len(data) <= BLOCKS * BLOCK + 3:
        raise InputError(source, "file length", f"{len(data)} bytes", f"{BLOCKS} blocks of {BLOCK} "
                         "bytes and at most 3 more; the file is cut or damaged, fetch it again")
    block = np.frombuffer(data, np.uint8, BLOCKS * BLOCK).reshape(BLOCKS, BLOCK)
    station, midnight = _check_headers(block[:, :HEADER], source)
    row = block[:, HEADER:].reshape(-1, WIDTH)   # (144, 10200) -> (86400, 17)
    values = {name: _signed24(row[:, 3 * k:3 * k + 3]) for k, name in enumerate("HEZ")}
    times = midnight.astype("datetime64[ns]").astype(np.int64) + 10**9 * np.arange(len(row))
    supply = block[:, 27] / 10.0
    place = _known_place(station)
    return make_record(
        values, times, source=source, station=station, where=lambda k: f"second {k} of the day",
        latitude=place[0] if latitude is None else latitude,
        longitude=place[1] if longitude is None else longitude, declination_deg=declination_deg,
        attrs={"missing": [int(np.isnan(x).sum()) for x in values.values()],
               "supply_v": [float(supply.min()), float(supply.max())]})


def _check_headers(header, source):
    """Station code and date, after checking that the blocks are ten minutes apart on one day."""
    minutes = 10 * np.arange(BLOCKS)
    expected = np.empty((BLOCKS, 8), np.uint8)   # bytes 2-9
    expected[:, :6] = header[0, 2:8]
    expected[:, 6], expected[:, 7] = minutes // 60, minutes % 60
    wrong = (header[:, 2:10] != expected).any(1)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise InputError(source, f"header of block {k}", header[k, 2:10].tobytes(),
                         f"{expected[k].tobytes()!r}: same station and day, ten minutes a block; "
                         "the file is damaged or joined from several")
    year, month, day = (int(x) for x in header[0, 5:8])
    try:
        date = np.datetime64(f"{2000 + year:04d}-{month:02d}-{day:02d}")
    except ValueError as error:
        raise InputError(source, "header, date", f"{2000 + year}-{month}-{day}",
                         "a date that exists") from error
    return header[0, 2:5].tobytes().decode("ascii"), date


def _signed24(three):
    """Physical values (nT) of signed 24-bit little-endian numbers; invalid ones become NaN."""
    wide = np.zeros((len(three), 4), np.uint8)
    wide[:, 1:] = three
    raw = wide.view("<i4")[:, 0] >> 8   # the shift keeps the sign
    return np.where(np.abs(raw) > MAX_NT / UNIT_NT, np.nan, raw / 100.0)


def _known_place(station):
    from lib.earth.stations import indonesian_stations  # a table of 24 rows, needed only here

    table = indonesian_stations()
    row = table[table["code"] == station]
    if row.empty:
        return np.nan, np.nan
    return float(row["latitude"].iloc[0]), float(row["longitude"].iloc[0])


def write_bmkg_day(record: xr.Dataset, path: str | Path) -> Path:
    """Write one day of H, D, Z in BMKG's layout, for tests and for planting signals in real days.

    `read_bmkg_day` gives H, D, Z back exactly if they are multiples of 0.01 nT. Tilts,
    temperatures and header settings are written as invalid or zero.

    Raises
    ------
    InputError
        If the record is not a whole UTC day at 1 Hz from 2000 to 2255, or a value is out of range.
    """
    time = record["time"].values
    midnight = time[0].astype("datetime64[D]")
    day = midnight.astype("datetime64[ns]") + np.arange(86_400).astype("timedelta64[s]")
    date = midnight.item()
    code = record.attrs["station"].encode("ascii", "replace")
    if not (np.array_equal(time, day) and 2000 <= date.year <= 2255 and len(code) == 3):
        raise InputError(path, "record", f"{code.decode()} from {time[0]}, {len(time)} samples",
                         "a station of three letters and 86400 samples from midnight at 1 Hz")
    row = np.zeros((86_400, WIDTH), np.uint8)
    row[:, 9:] = np.frombuffer(b"\xff\x7f" * 4, np.uint8)
    for k, name in enumerate("HDZ"):
        x = record[name].values
        if (np.abs(x) > MAX_NT).any():
            raise InputError(path, f"channel {name}", float(np.nanmax(np.abs(x))),
                             f"values up to {MAX_NT:g} nT")
        raw = np.where(np.isnan(x), 2**23 - 1, np.round(x / UNIT_NT)).astype("<i4")
        row[:, 3 * k:3 * k + 3] = raw.view(np.uint8).reshape(-1, 4)[:, :3]
    block = np.zeros((BLOCKS, BLOCK), np.uint8)
    block[:, HEADER:] = row.reshape(BLOCKS, -1)   # (86400, 17) -> (144, 10200)
    block[:, :8] = np.frombuffer(b"\x000" + code + bytes([date.year - 2000, date.month, date.day]),
                                 np.uint8)
    block[:, 8], block[:, 9] = np.divmod(10 * np.arange(BLOCKS), 60)
    with atomic_path(path) as temporary:
        temporary.write_bytes(block.tobytes())
    return Path(path)
