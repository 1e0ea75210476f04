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

MAGIC = (b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")   # versions 3, 2.6, 2.5
SENTINEL = 88_888.0   # of ImagCDF: 99999 missing, 88888 not recorded


def is_cdf(data: bytes) -> bool:
    """Whether bytes begin like a CDF file."""
    return data[:4] in MAGIC


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
        raise InputError(source, "first bytes", data[:4], "a CDF file")
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
    place = {"latitude": latitude, "longitude": longitude}
    for name in place:
        text = attrs.get(name.title()) or attrs.get(f"Station{name.title()}") or "nan"
        if place[name] is None:
            place[name] = float(text) if re.match(r"\s*-?[\d.]+\s*$", text) else np.nan
    missing = [int(np.isnan(x).sum()) for x in values.values()]
    return make_record(values, times, source=source, station=station.upper(), **place,
                       where=lambda k: f"record {k}", declination_deg=declination_deg,
                       attrs={"missing": missing, "comments": attrs.get("DataTerms")
                              or attrs.get("TermsOfUse", "")})


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
