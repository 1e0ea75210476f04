"""Stations, distances and the published detectability radii (layer 1)."""

from datetime import datetime
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from lib.earth.tables import read_table, require, to_numbers
from lib.files import InputError

EARTH_RADIUS_KM = 6371.0
FIELD_DATE = datetime(2021, 7, 2, 12)      # 2021.5, the epoch of the table in validity.md B12
_ALIASES = {"code": ("code", "kode stasiun", "kode", "station"),
            "latitude": ("latitude", "lat", "lintang"),
            "longitude": ("longitude", "lon", "bujur")}
_FIELD = ["h_nt", "z_nt", "dip_latitude_deg"]


def indonesian_stations() -> pd.DataFrame:
    """Return the 24 Indonesian magnetometer stations of validity.md B12.

    Returns
    -------
    DataFrame
        code, latitude and longitude (deg), h_nt and z_nt (main field IGRF-14 at 2021.5, nT),
        dip_latitude_deg (atan(Z / 2H)).

    Examples
    --------
    >>> stations = indonesian_stations()
    >>> len(stations), stations.code[0], int(stations.h_nt[0])
    (24, 'SBG', 41739)
    """
    with resources.as_file(resources.files("lib.earth") / "stations.csv") as path:
        return read_stations(path)


def read_stations(path: str | Path) -> pd.DataFrame:
    """Read a station list: code, latitude, longitude and, if given, the main field there.

    Comma, semicolon or tab; plain or gzip; BMKG's `Kode Stasiun;Latitude;Longitude` too. Missing columns of
    the main field are computed from IGRF-14 (ppigrf) at 2021.5, so that a new station needs three cells.

    Returns
    -------
    DataFrame
        The columns of `indonesian_stations`, in the order of the file; longitude from -180 to 180.

    Raises
    ------
    InputError
        For a missing column, an empty or repeated code, a coordinate or field value that is no number or out
        of range.
    """
    table = read_table(path)
    found = {field: next((name for name in names if name in table.columns), field)
             for field, names in _ALIASES.items()}
    require(path, table, found.values())
    codes = table[found["code"]].str.upper()
    _refuse(path, codes, ~codes.str.fullmatch("[A-Z0-9_-]+"), found["code"], "letters and digits")
    _refuse(path, codes, codes.duplicated(), found["code"], "each station code once")
    result = pd.DataFrame({"code": codes})
    limits = {"latitude": (-90, 90), "longitude": (-180, 360), "h_nt": (0, 70000), "z_nt": (-70000, 70000),
              "dip_latitude_deg": (-90, 90)}
    for field, (low, high) in limits.items():
        name = found.get(field, field)
        if name in table.columns:
            values = to_numbers(table[name])
            _refuse(path, table[name], ~values.between(low, high), name,
                    f"a number from {low} to {high}, with a decimal point")
            result[field] = values
    result["longitude"] = result.longitude.where(result.longitude <= 180, result.longitude - 360)
    if not set(_FIELD) <= set(result.columns):
        result[_FIELD] = _main_field(result.latitude.to_numpy(), result.longitude.to_numpy())
    return result.reset_index(drop=True)


def _refuse(path, column: pd.Series, bad: pd.Series, name: str, accepted: str) -> None:
    """Raise InputError for the first bad cell of a column that is indexed by line number."""
    if bad.any():
        line = bad.idxmax()
        raise InputError(path, f"line {line}, {name}", column[line], accepted)


def _main_field(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return (N, 3): H and Z in nT and the dip latitude in degrees, from IGRF-14 at 2021.5."""
    import ppigrf  # loads its coefficients: only when a station lacks them

    east, north, up = (b.ravel() for b in ppigrf.igrf(longitude, latitude, 0.0, FIELD_DATE))
    h, z = np.hypot(east, north), -up
    return np.column_stack([h, z, np.degrees(np.arctan2(z, 2 * h))])


def distance_azimuth(latitude_1, longitude_1, latitude_2, longitude_2, sphere: bool = False):
    """Distance and initial bearing of the geodesic from point 1 to point 2.

    Parameters
    ----------
    latitude_1, longitude_1, latitude_2, longitude_2 : array_like
        Degrees; broadcast against each other.
    sphere : bool
        A sphere of 6371 km, as in the published studies, instead of WGS84.

    Returns
    -------
    distance_km, azimuth_deg : ndarray
        Azimuth clockwise from north, 0 to 360; NaN where the two points coincide.

    Raises
    ------
    InputError
        If a latitude or longitude is out of range or not a number.

    Examples
    --------
    SCN to (1 S, 99 E). Validity.md B12 prints 152.80 km, which is this arc on a sphere of 6367 km:

    >>> distance, azimuth = distance_azimuth(-0.5459, 100.298, -1.0, 99.0, sphere=True)
    >>> round(float(distance), 2), round(float(azimuth), 2)
    (152.9, 250.71)
    """
    from pyproj import Geod

    points = np.broadcast_arrays(*(np.asarray(value, float) for value in (
        latitude_1, longitude_1, latitude_2, longitude_2)))
    for i, name in enumerate(("latitude_1", "longitude_1", "latitude_2", "longitude_2")):
        low, high = ((-90, 90), (-180, 360))[i % 2]
        bad = ~((points[i] >= low) & (points[i] <= high))
        if bad.any():
            raise InputError("distance_azimuth", name, float(points[i][bad][0]), f"{low} to {high} degrees")
    geod = Geod(a=EARTH_RADIUS_KM * 1e3, f=0) if sphere else Geod(ellps="WGS84")
    azimuth, _, metres = geod.inv(*(np.array(points[i]) for i in (1, 0, 3, 2)))
    azimuth = np.where(np.asarray(metres) > 0, np.mod(azimuth, 360.0), np.nan)
    return np.asarray(metres) / 1e3, azimuth


def dobrovolsky_km(magnitude):
    """Radius of the strain-defined preparation zone, R = 10^(0.43 M) km.

    Dobrovolsky et al. 1979, validity.md B8. An upper bound: the strain there is 1e-8.

    >>> round(float(dobrovolsky_km(7)))
    1023
    """
    return 10.0 ** (0.43 * np.asarray(magnitude, float))


def hattori_km(magnitude):
    """Largest distance of reported ULF anomalies, 0.025 R < M - 4.5; zero below M 4.5.

    Validity.md B8 (Ahadi et al. 2015).

    >>> hattori_km([4, 6, 7]).tolist()
    [0.0, 60.0, 100.0]
    """
    return np.maximum(np.asarray(magnitude, float) - 4.5, 0.0) * 40.0


def molchanov_hayakawa_km(magnitude):
    """100 km at M 4 to 200 km at M 6, linear between; NaN elsewhere, where the authors give no value.

    Molchanov & Hayakawa as cited in study S4 (validity.md B8), for sources less than 30 km deep.

    >>> molchanov_hayakawa_km([4, 5, 7]).tolist()
    [100.0, 150.0, nan]
    """
    return np.interp(np.asarray(magnitude, float), [4.0, 6.0], [100.0, 200.0], left=np.nan, right=np.nan)


def fixed_km(magnitude, radius_km: float = 500.0):
    """Return the same radius for every magnitude: the studies' 500 km (validity.md B8).

    For M 4 to 5.9 it exceeds every published criterion.

    >>> fixed_km([4, 7]).tolist()
    [500.0, 500.0]
    """
    return np.full(np.shape(magnitude), radius_km)


DETECTABILITY = {"dobrovolsky": dobrovolsky_km, "hattori": hattori_km,
                 "molchanov_hayakawa": molchanov_hayakawa_km, "fixed": fixed_km}


def skin_depth_km(resistivity_ohm_m, frequency_hz):
    """Depth at which a plane wave falls to 1/e in a uniform half-space: 0.5033 sqrt(rho / f) km.

    Validity.md B8. When not to use: a source closer than a skin depth is no plane wave.

    >>> round(float(skin_depth_km(100, 0.01)), 1)
    50.3
    """
    return 0.5033 * np.sqrt(np.asarray(resistivity_ohm_m, float) / np.asarray(frequency_hz, float))


def required_moment_am(field_nt, distance_km):
    """Return the current times length (A m) behind a field at a distance: I l = B r^2 / 1e-7.

    Validity.md B8: perpendicular to a short current element (Biot and Savart), before skin attenuation.

    >>> f"{required_moment_am(1.0, 50.0):.1e}"
    '2.5e+07'
    """
    return np.asarray(field_nt, float) * 1e-9 * (np.asarray(distance_km, float) * 1e3) ** 2 / 1e-7
