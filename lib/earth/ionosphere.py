"""Electron content at a place and time: maps interpolated, hourly series read (layer 1).

A map has a value every 2.5 by 5 degrees and one or two hours. What it shows keeps pace with the sun, so
between two epochs both maps are turned with it, 15 degrees an hour, before they are mixed. What a map says of
one place is what it says of its region: spherical harmonics to degree 15 resolve about 1300 km.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.ionex import read_ionex
from lib.earth.tec_tables import read_ionosonde, read_vtec_csv
from lib.files import InputError

__all__ = ["interpolate", "local_time_hours", "read_ionosonde", "read_vtec_csv", "station_series"]

DEG_PER_HOUR = 15.0
HOUR_NS = 3_600_000_000_000


def local_time_hours(time, longitude):
    """Local solar time LT = UT + longitude/15, hours from 0 to 24.

    >>> local_time_hours(np.datetime64("2011-03-11T05:46"), 142.0).round(3)
    np.float64(15.233)
    """
    nanoseconds = np.asarray(time, "datetime64[ns]").astype(np.int64)
    return (nanoseconds / HOUR_NS % 24 + np.asarray(longitude) / DEG_PER_HOUR) % 24


def interpolate(dataset: xr.Dataset, time, latitude, longitude, rotate: bool = True,
                max_gap_h: float = 4.0):
    """Interpolate TEC: bilinear in space, linear in time between two maps turned with the sun.

    Parameters
    ----------
    dataset : xarray.Dataset
        `tec` (TECU) on time, latitude, longitude, as `read_ionex` gives it.
    time : datetime64 or array of them
        UTC.
    latitude, longitude : float or array
        Degrees; broadcast against `time`. Longitudes may be given from -180 or from 0.
    rotate : bool
        Whether the maps turn with the sun; without, each stays over the ground.
    max_gap_h : float
        Between maps further apart than this many hours nothing is made up: NaN.

    Returns
    -------
    float or float array
        TECU, in the common shape. NaN where a node that carries weight is missing; nodes and maps of weight
        zero do not matter, so the value at a node is that node's.

    Raises
    ------
    InputError
        For a time, latitude or (on a regional grid) longitude outside the maps: nothing is extrapolated.
        Between the last latitude of a global map and the pole, the pole is the mean of that latitude.

    Notes
    -----
    E(t) = ((T2 - t) E1(lon + 15 (t - T1)) + (t - T1) E2(lon + 15 (t - T2))) / (T2 - T1), t in hours.
    When not to use: for anything smaller than the maps resolve, such as the zone around an epicentre.

    References
    ----------
    validity.md B11; Schaer, Gurtner, Feltens 1998, IONEX 1.0, section 2.
    """
    values, hours, latitudes, longitudes, origin = _globe(dataset)
    t = _hours_after(origin, time, dataset)
    t, latitude, longitude = np.broadcast_arrays(t, *(np.asarray(a, float) for a in (latitude, longitude)))
    before, after, weight = _bracket(hours, t, dataset, f"time, hours after {str(origin)[:19]}")
    turn = DEG_PER_HOUR if rotate else 0.0
    first, second = (_bilinear(values, k, latitudes, longitudes, latitude,
                               longitude + turn * (t - hours[k]), dataset) for k in (before, after))
    mixed = _mix(first, second, weight)
    wide = (hours[after] - hours[before] > max_gap_h) & (weight > 0) & (weight < 1)
    return np.where(wide, np.nan, mixed)[()]


def _hours_after(origin, time, dataset):
    """Hours from the first map; NaN where there is no time."""
    try:
        time = np.asarray(time, "datetime64[ns]")
    except (TypeError, ValueError) as error:
        raise InputError(dataset.attrs.get("source", "maps"), "time", time, "UTC, datetime64") from error
    return np.where(np.isnat(time), np.nan, (time - origin).astype(np.int64) / HOUR_NS)


def _globe(dataset):
    """TEC with ascending axes, closed around the globe and at the poles where the maps are global."""
    source = dataset.attrs.get("source", "maps")
    order = ["time", "latitude", "longitude"]
    if "tec" not in dataset or set(dataset["tec"].dims) != set(order) or not dataset["tec"].size or any(
            len(np.unique(dataset[name])) < dataset.sizes[name] for name in order):
        raise InputError(source, "maps", dict(dataset.sizes), "tec on time, latitude, longitude, each once")
    maps = dataset["tec"].transpose(*order).sortby(order)
    values, latitudes, longitudes = maps.values, maps["latitude"].values, maps["longitude"].values
    step = np.diff(longitudes).max(initial=0.0)
    span = longitudes[-1] - longitudes[0]
    if span < 360 <= span + step + 1e-6:
        values = np.concatenate([values, values[..., :1]], -1)
        longitudes = np.append(longitudes, longitudes[0] + 360)
    if longitudes[-1] - longitudes[0] >= 360:
        values, latitudes = _with_poles(values, latitudes)
    time = maps["time"].values.astype("datetime64[ns]")
    return values, (time - time[0]).astype(np.int64) / HOUR_NS, latitudes, longitudes, time[0]


def _with_poles(values, latitudes):
    """Add the poles as means around the last latitude, where that is within one step of them."""
    step = np.diff(latitudes).max(initial=0.0) + 1e-6
    for pole, at in ((-90.0, 0), (90.0, -1)):
        if 0 < abs(pole - latitudes[at]) <= step:
            ring = values[:, at, :-1].mean(-1, keepdims=True)   # the last longitude is the first again
            row = np.broadcast_to(ring[..., None], (len(values), 1, values.shape[2]))
            values = np.concatenate([row, values] if at == 0 else [values, row], 1)
            latitudes = np.insert(latitudes, 0 if at == 0 else len(latitudes), pole)
    return values, latitudes


def _bracket(nodes, x, dataset, name):
    """Return indices of the nodes around `x` and the weight of the upper one."""
    outside = ~((x >= nodes[0]) & (x <= nodes[-1]))   # NaN is outside
    if outside.any():
        raise InputError(dataset.attrs.get("source", "maps"), name, float(x[outside].flat[0]),
                         f"{nodes[0]:g} to {nodes[-1]:g}: maps are not extrapolated")
    lower = np.clip(np.searchsorted(nodes, x, "right") - 1, 0, max(len(nodes) - 2, 0))
    upper = np.minimum(lower + 1, len(nodes) - 1)
    width = np.where(upper > lower, nodes[upper] - nodes[lower], 1.0)
    return lower, upper, (x - nodes[lower]) / width


def _mix(low, high, weight):
    """Weighted mean; what has no weight may be NaN."""
    return np.where(weight == 0, low, np.where(weight == 1, high, (1 - weight) * low + weight * high))


def _bilinear(values, k, latitudes, longitudes, latitude, longitude, dataset):
    """Values of maps `k` at points."""
    south, north, up = _bracket(latitudes, latitude, dataset, "latitude")
    turned = longitudes[0] + np.where(np.isfinite(longitude), longitude - longitudes[0], np.nan) % 360
    west, east, right = _bracket(longitudes, turned, dataset, "longitude, turned with the sun if asked for")
    return _mix(_mix(values[k, south, west], values[k, south, east], right),
                _mix(values[k, north, west], values[k, north, east], right), up)


def station_series(sources, latitude: float, longitude: float, step: str = "1h", rotate: bool = True,
                   max_gap_h: float = 4.0, midnight_tecu: float = 15.0) -> xr.DataArray:
    """Series of TEC at one place from the maps of many days.

    Parameters
    ----------
    sources : path, Dataset or iterable of them
        In any order; read one by one, so that a year of maps needs no more memory than one day.
    latitude, longitude : float
        Degrees.
    step : str
        Spacing in pandas' words, counted from midnight.
    rotate, max_gap_h
        As in `interpolate`; hours without maps around them are NaN.
    midnight_tecu : float
        Largest difference (TECU, at the place) between two maps of the same epoch, such as the last of one
        day and the first of the next; up to that their mean is taken.

    Returns
    -------
    xarray.DataArray
        float64 `tec` (TECU) on `time` (UTC); attributes latitude, longitude, sources, midnights (how many
        epochs were there twice), midnight_difference_tecu (their largest difference at the place).

    Raises
    ------
    InputError
        For no maps, files of different grids, or maps of one epoch that disagree.
    """
    single = isinstance(sources, (str, Path, xr.Dataset)) or not isinstance(sources, Iterable)
    rows = [_rows_around(source, latitude) for source in ([sources] if single else sources)]
    if not rows:
        raise InputError("station_series", "sources", "none", "at least one file of maps")
    for other in rows[1:]:
        if not all(other[name].equals(rows[0][name]) for name in ("latitude", "longitude")):
            raise InputError(other.attrs["source"], "grid", other["longitude"].values[:3].tolist(),
                             f"the grid of {rows[0].attrs['source']}")
    joined, twice, difference = _join(rows, latitude, longitude, midnight_tecu)
    times = _steps_between(*pd.DatetimeIndex(joined["time"].values[[0, -1]]), step)
    values = interpolate(joined, times, latitude, longitude, rotate, max_gap_h)
    return xr.DataArray(values, coords={"time": times}, dims="time", name="tec", attrs={
        "units": "TECU", "latitude": float(latitude), "longitude": float(longitude),
        "sources": [row.attrs["source"] for row in rows], "midnights": twice,
        "midnight_difference_tecu": difference})


def _steps_between(first, last, step):
    """Return times a step apart, counted from midnight."""
    try:
        times = pd.date_range(first.ceil(step), last.floor(step), freq=step)
    except ValueError as error:
        raise InputError("station_series", "step", step, "a fixed step such as 1h or 30min") from error
    return times.to_numpy("datetime64[ns]")


def _rows_around(source, latitude) -> xr.Dataset:
    """TEC of one file on the two latitudes around a place, all longitudes: the maps may turn."""
    maps = source if isinstance(source, xr.Dataset) else read_ionex(source)
    maps = maps[["tec"]].sortby("latitude").assign_attrs(source=str(maps.attrs.get("source", "maps")))
    lower = int(np.searchsorted(maps["latitude"].values, latitude, "right")) - 1
    lower = min(max(lower, 0), max(maps.sizes["latitude"] - 2, 0))
    return maps.isel(latitude=slice(lower, lower + 2))


def _join(rows, latitude, longitude, midnight_tecu):
    """Return maps of all files in order of time; those of one epoch are compared and averaged."""
    joined = xr.concat(rows, "time", combine_attrs="override").sortby("time")
    time = joined["time"].values
    again = np.flatnonzero(time[1:] == time[:-1]) + 1
    if not len(again):
        return joined, 0, 0.0
    pair = [joined.isel(time=k) for k in (again - 1, again)]
    first, second = (interpolate(maps, time[again], latitude, longitude) for maps in pair)
    difference = np.abs(second - first)
    if (difference > midnight_tecu).any():
        worst = int(np.nanargmax(difference))
        raise InputError(joined.attrs["source"], f"maps of {str(time[again[worst]])[:19]}",
                         f"{difference[worst]:.1f} TECU apart", f"at most midnight_tecu = {midnight_tecu:g}; "
                         "are the files of one centre?")
    one, other = (maps["tec"].values for maps in pair)
    values = joined["tec"].values.copy()
    values[again - 1] = np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))
    joined["tec"] = joined["tec"].dims, values
    joined = joined.isel(time=np.delete(np.arange(len(time)), again))
    return joined, len(again), round(float(np.nanmax(difference, initial=0.0)), 6)
