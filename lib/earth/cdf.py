"""Magnetic records in NASA CDF: ImagCDF of INTERMAGNET and the files of MagPy (layer 1).

cdflib is loaded when the first such file is read.
"""

import re
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from lib.earth.axes import make_record
from lib.earth.rawfile import read_bytes
from lib.files import InputError

MAGIC = b"\xcd\xf3\x00\x01"   # version 3, of 2009; both layouts are younger
PACKED = b"\xcc\xcc\x00\x01"   # the whole file is one compressed record, which has a checksum
KINDS = {-1, *range(1, 14)}     # of internal records
# Counts inside an internal record: kind -> (byte offset, what they cannot exceed).
COUNTS = {2: ((44, "few"), (48, "few"), (56, "few"), (60, "few")),             # variables, attributes
          4: ((36, "few"), (40, "few"), (56, "few"), (60, "few")),             # attribute entries
          5: ((28, "few"), (32, "size")), 9: ((28, "few"), (32, "size")),      # length of an entry
          6: ((20, "size"), (24, "size")),                                     # index entries
          3: ((24, "records"), (64, "few")), 8: ((24, "records"), (64, "few"), (340, "few"))}
SENTINEL = 88_888.0   # of ImagCDF: 99999 missing, 88888 not recorded
# Byte offsets of pointers to other internal records.
POINTERS = {1: (12,), 2: (12, 20, 28), 3: (12, 28, 36), 4: (12, 20, 48), 5: (12,), 6: (12,),
            8: (12, 28, 36), 9: (12,)}


def is_cdf(data: bytes) -> bool:
    """Whether bytes begin like a CDF file of version 3."""
    return data[:4] == MAGIC


def read_cdf(path: str | Path, *, latitude: float | None = None, longitude: float | None = None,
             declination_deg: float | None = None) -> xr.Dataset:
    """Magnetic record of one station from an ImagCDF or MagPy CDF file.

    Parameters and return value are those of `lib.earth.iaga2002.read_iaga2002`. TT2000 stamps are
    turned into UTC with the leap seconds.

    Raises
    ------
    InputError
        If cdflib cannot read the file, or it is neither of the two layouts.

    References
    ----------
    INTERMAGNET Technical Manual, appendix ImagCDF 1.2; MagPy `DataFormat: MagPyCDF`.
    """
    return parse_cdf(read_bytes(path), path, latitude, longitude, declination_deg)


def parse_cdf(data: bytes, source="bytes", latitude=None, longitude=None,
              declination_deg=None) -> xr.Dataset:
    """Record from the contents of a CDF file; see `read_cdf`."""
    if not is_cdf(data):
        raise InputError(source, "first bytes", data[:4], "a CDF file of version 3")
    if data[4:8] != PACKED:
        _check_structure(data, source)
    with tempfile.NamedTemporaryFile(suffix=".cdf") as copy:   # cdflib reads paths, not bytes
        copy.write(data)
        copy.flush()
        try:
            attrs, values, times = _load(copy.name)
        except InputError as error:
            raise InputError(source, error.where, error.value, error.accepted) from error
        except Exception as error:   # noqa: BLE001  damaged files raise almost anything in cdflib
            raise InputError(source, "CDF contents", f"{type(error).__name__}: {error}",
                             "an ImagCDF or MagPy file that cdflib reads; fetch it again") from error
    station = attrs.get("IagaCode") or attrs.get("StationIAGAcode") or attrs.get("StationID") or ""
    if not station:
        raise InputError(source, "global attributes", sorted(attrs), "IagaCode or StationIAGAcode")
    place = {}
    for name, given, limit in (("latitude", latitude, 90.0), ("longitude", longitude, 360.0)):
        text = attrs.get(name.title()) or attrs.get(f"Station{name.title()}") or ""
        value = float(text) if re.match(r"\s*-?\d{1,3}(\.\d*)?\s*$", text, re.ASCII) else np.nan
        value = value if given is None else float(given)
        place[name] = value if abs(value) <= limit else np.nan
    missing = [int(np.isnan(x).sum()) for x in values.values()]
    return make_record(values, times, source=source, station=station.upper(), **place,
                       where=lambda k: f"record {k}", declination_deg=declination_deg,
                       attrs={"missing": missing, "comments": attrs.get("DataTerms")
                              or attrs.get("TermsOfUse", "")})


def _check_structure(data: bytes, source) -> None:
    """Raise unless internal records tile the file, with pointers and counts that it has room for.

    cdflib believes these numbers; a damaged one makes it loop or allocate for hours.
    """
    def number(at, length=4):
        return int.from_bytes(data[at:at + length], "big", signed=True)

    at, starts, pointers = 8, {-1, 0}, []
    while len(data) - at > 16:   # a checksum of 16 bytes may end the file
        size, kind = number(at, 8), number(at + 8)
        limit = {"few": 1000, "size": size, "records": 10 * len(data) + 100_000}
        counts = [(number(at + k), limit[name]) for k, name in COUNTS.get(kind, ())]
        if (kind not in KINDS or size < 12 or at + size > len(data)
                or any(not -1 <= count <= most for count, most in counts)):
            raise _damaged(source, at, (kind, size))
        pointers += [(at, number(at + k, 8)) for k in POINTERS.get(kind, ())]
        if kind == 6:   # index of data blocks: first and last record, then where
            n = number(at + 20)
            if 28 + 16 * n > size or number(at + 24) > n:
                raise _damaged(source, at, (kind, n))
            pointers += [(at, number(at + 28 + 8 * n + 8 * k, 8)) for k in range(number(at + 24))]
        starts.add(at)
        at += size
    wrong = next(((place, to) for place, to in pointers if to not in starts), None)
    if wrong:
        raise _damaged(source, *wrong)


def _damaged(source, at, value) -> InputError:
    return InputError(source, f"internal record at byte {at}", value,
                      "records that fill the file; it is cut or damaged, fetch it again")


def _load(name: str):
    """Global attributes as text, reported components, nanoseconds since 1970."""
    import cdflib

    with cdflib.CDF(name) as cdf:
        attrs = {key: str(value[0]) if value else "" for key, value in cdf.globalattsget().items()}
        names = cdf.cdf_info().zVariables
        if "GeomagneticVectorTimes" in names or "DataTimes" in names:   # ImagCDF
            stamps = "GeomagneticVectorTimes" if "GeomagneticVectorTimes" in names else "DataTimes"
            found = {v.removeprefix("GeomagneticField"): v for v in names
                     if v.startswith("GeomagneticField")}
        elif "Epoch" in names and attrs.get("DataFormat", "").startswith("MagPy"):
            stamps = "Epoch"
            letters = re.findall("[A-Z]", attrs.get("DataComponents", "").upper())[:3]
            found = dict(zip(letters, "xyz", strict=False))
        else:
            raise InputError(name, "variables", names, "ImagCDF (GeomagneticFieldX ... and "
                             "GeomagneticVectorTimes) or MagPy CDF (Epoch, x, y, z)")
        times = cdflib.cdfepoch.to_datetime(np.atleast_1d(cdf.varget(stamps)))
        times = np.asarray(times, dtype="datetime64[ns]").astype(np.int64)
        values = {}
        for letter, variable in found.items():
            x = np.asarray(cdf.varget(variable), dtype=float)
            if x.shape != times.shape:
                if letter in "FSG":   # the scalar may have its own, slower clock
                    continue
                raise InputError(name, f"variable {variable}", x.shape, f"shape {times.shape}")
            x = np.where(np.abs(x) >= SENTINEL, np.nan, x)
            units = str(cdf.varattsget(variable).get("UNITS", "")).lower()
            degrees = letter == "D" and units.startswith("deg")
            values[letter] = 60.0 * x if degrees else x   # minutes of arc
    return attrs, values, times
