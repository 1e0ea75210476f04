"""From a HAPI answer to a magnetic record (layer 1).

HAPI, the Heliophysics API, serves time series of any kind: the names of the parameters tell which are the
three components. INTERMAGNET calls them Field_Vector (and Field_Magnitude), VirES B_NEC; others X, Y, Z or
H, E, Z.
"""

import difflib

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.axes import make_record
from lib.files import InputError

VECTORS = {"Field_Vector": "XYZ", "B_NEC": "XYZ"}      # name of a parameter of three columns -> elements
SCALARS = ("XYZ", "HEZ")
TOTALS = ("F", "Field_Magnitude")
NOT_RECORDED = 88888.0                                 # the smaller mark of IAGA-2002, beside the fill value


def find_dataset(catalog: dict, dataset: str, station: str, server: str) -> str:
    """Return the dataset's id as the catalogue of a server spells it.

    Raises
    ------
    InputError
        If the server has no such dataset: naming those of the station, or stations with a similar code.
    """
    entries = catalog.get("catalog") or [] if isinstance(catalog, dict) else []
    ids = [str(entry.get("id", "")) for entry in entries]
    same = next((name for name in ids if name.lower() == dataset.lower()), None)
    if same is not None:
        return same
    of_station = [name for name in ids if station.lower() in name.lower()]
    if of_station:
        raise InputError(server, "dataset", dataset, "one of " + ", ".join(of_station[:8]) + " (--dataset)")
    codes = sorted({name.split("/")[0].upper() for name in ids})
    near = difflib.get_close_matches(station.upper(), codes, 4, 0.3) or codes[:4]
    raise InputError(server, "station", station, f"one of its {len(codes)} stations, such as "
                     f"{', '.join(near)}; or another --server with its --dataset")


def elements(info: dict, dataset: str, server: str) -> dict[str, str]:
    """Return the parameters of a dataset to ask for, in its order: name -> elements.

    Raises
    ------
    InputError
        If the server reports an error instead of parameters, the vector is not along geographic north, east
        and down, or a unit is not nT.

    Examples
    --------
    >>> columns = [{"name": "Time"}, {"name": "Field_Vector", "units": "nT", "size": [3]}]
    >>> elements({"parameters": columns}, "kak/best-avail/PT1M/xyzf", "server")
    {'Field_Vector': 'XYZ'}
    """
    status = info.get("status", {})
    if "parameters" not in info:
        raise InputError(server, f"dataset {dataset}", f"HAPI {status.get('code')}: {status.get('message')}",
                         "a station and dataset of this server (--station, --dataset)")
    units = {column["name"]: column.get("units") for column in info["parameters"]}
    wanted = next(({name: axes} for name, axes in VECTORS.items() if name in units), None)
    if wanted is None:
        axes = next((axes for axes in SCALARS if set(axes) <= set(units)), "")
        wanted = {name: name for name in axes}
    if not wanted or ("Field_Vector" in wanted and "xyz" not in dataset.lower().rsplit("/", 1)[-1]):
        raise InputError(server, f"parameters of {dataset}", ", ".join(units),
                         "a dataset with Field_Vector along X Y Z (INTERMAGNET: .../xyzf), with B_NEC, or "
                         "with X, Y, Z or H, E, Z")
    wanted |= {name: "F" for name in TOTALS if name in units}
    for name in wanted:
        of = units[name] if isinstance(units[name], list) else [units[name]]
        if set(of) != {"nT"}:
            raise InputError(server, f"units of {name} in {dataset}", units[name], "nT throughout")
    return {name: wanted[name] for name in units if name in wanted}


def period(info: dict) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return first and last time of a dataset, UTC; the widest possible where it does not say."""
    found = [pd.to_datetime(str(info.get(name, "")), errors="coerce", utc=True)
             for name in ("startDate", "stopDate")]
    limits = pd.Timestamp("1800-01-01"), pd.Timestamp("2200-01-01")
    return tuple(limit if time is pd.NaT else time.tz_localize(None)
                 for time, limit in zip(found, limits, strict=True))


def to_record(data: np.ndarray, times, info: dict, wanted: dict[str, str], station: str,
              source: str) -> xr.Dataset | None:
    """Return the record of a HAPI answer, None if it has no value.

    Parameters
    ----------
    data : structured array, shape (n,)
        One field a parameter, as hapiclient returns it.
    times : array_like of datetime64, shape (n,)
    info : dict
        The answer's metadata: fill values, coordinates.
    wanted : dict
        From `elements`.
    station, source : str
        Code for the header; dataset and server for the source line.

    Raises
    ------
    InputError
        For times that repeat or run backward: see `lib.earth.axes.make_record`.
    """
    fills = {column["name"]: column.get("fill") for column in info["parameters"]}
    values = {}
    for name, axes in wanted.items():
        column = np.asarray(data[name], float).reshape(len(data), len(axes))
        missing = np.abs(column) >= NOT_RECORDED
        if fills.get(name) not in (None, ""):
            missing |= column == float(fills[name])
        values |= dict(zip(axes, np.where(missing, np.nan, column).T, strict=True))
    if not len(data) or not any(np.isfinite(values[name]).any() for name in "XYZHE" if name in values):
        return None
    longitude, latitude = _place(info)
    stamps = pd.DatetimeIndex(times).as_unit("ns")
    return make_record(values, stamps.asi8, source=source, station=station.upper(),
                       where=lambda row: f"row {row + 1}", latitude=latitude, longitude=longitude,
                       declination_deg=0.0, nominal_s=step_s(info),
                       attrs={"source_of_data": source[:45], "comments": f"Fetched through HAPI: {source}"})


def step_s(info: dict) -> float | None:
    """Return the sampling interval in seconds, None where the dataset does not state one.

    >>> step_s({"cadence": "PT1M"}), step_s({})
    (60.0, None)
    """
    found = pd.to_timedelta(str(info.get("cadence", "")), errors="coerce")
    return None if found is pd.NaT else float(found.total_seconds())


def _place(info: dict) -> tuple[float, float]:
    """Return longitude and latitude in degrees, from geoLocation or location; NaN where neither is there."""
    place = info.get("location")
    point = info.get("geoLocation") or (place.get("point") if isinstance(place, dict) else None)
    try:
        return float(point[0]), float(point[1])
    except (TypeError, ValueError, IndexError):
        return np.nan, np.nan
