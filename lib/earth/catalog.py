"""The earthquake catalogue: selection, clusters, classes and b-value (layer 1).

The readers of `lib.earth.catalog_formats` are offered here too, so that one import serves.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.earth.catalog_formats import COLUMNS, read_bmkg, read_catalog, read_comcat, read_quakeml
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

__all__ = ["COLUMNS", "BValue", "azimuth_class", "b_value", "gardner_knopoff", "gardner_knopoff_window",
           "magnitude_class", "read_bmkg", "read_catalog", "read_comcat", "read_quakeml", "select"]

_EARTH_RADIUS_KM = 6371.0


def select(catalog: pd.DataFrame, *, min_magnitude=None, max_depth_km=None, start=None, end=None,
           box=None) -> pd.DataFrame:
    """Keep the events within limits of size, depth, time and place.

    Parameters
    ----------
    catalog : DataFrame
        A catalogue as `read_catalog` returns it.
    min_magnitude, max_depth_km : float, optional
        Inclusive; an event without depth passes no depth limit.
    start, end : anything pandas reads as a UTC time, optional
        start <= time < end.
    box : tuple of four floats, optional
        west, east, south, north in degrees, inclusive; west > east crosses the date line.

    Returns
    -------
    DataFrame
        A copy with a new RangeIndex; possibly empty.

    Raises
    ------
    InputError
        If a limit is no time or number, or start is not before end, or south is above north.
    """
    keep = np.ones(len(catalog), bool)
    if min_magnitude is not None:
        keep &= catalog.magnitude.to_numpy() >= _number("min_magnitude", min_magnitude)
    if max_depth_km is not None:
        keep &= catalog.depth_km.to_numpy() <= _number("max_depth_km", max_depth_km)
    first, last = _utc("start", start), _utc("end", end)
    if first is not None and last is not None and first >= last:
        raise InputError("select", "start, end", f"{start}, {end}", "a start before the end")
    if first is not None:
        keep &= (catalog.time >= first).to_numpy()
    if last is not None:
        keep &= (catalog.time < last).to_numpy()
    if box is not None:
        keep &= _inside(catalog, box)
    return catalog[keep].reset_index(drop=True)


def _number(name: str, value) -> float:
    """Return a limit as a float; NaN would silently keep nothing."""
    try:
        if np.isfinite(float(value)):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise InputError("select", name, value, "a number")


def _utc(name: str, value) -> pd.Timestamp | None:
    """Return a time limit without zone, in UTC."""
    if value is None:
        return None
    try:
        time = pd.Timestamp(value)
    except (TypeError, ValueError):
        time = pd.NaT
    if time is pd.NaT:
        raise InputError("select", name, value, "a UTC time such as 2018-01-01")
    return time if time.tz is None else time.tz_convert("UTC").tz_localize(None)


def _inside(catalog: pd.DataFrame, box) -> np.ndarray:
    """Say which events lie in a box of west, east, south, north."""
    if len(box) != 4:
        raise InputError("select", "box", box, "west, east, south, north")
    west, east, south, north = (_number("box", value) for value in box)
    if south > north:
        raise InputError("select", "box", box, "west, east, south, north with south <= north")
    longitude, latitude = catalog.longitude.to_numpy(), catalog.latitude.to_numpy()
    both = np.logical_and if west <= east else np.logical_or
    return (latitude >= south) & (latitude <= north) & both(longitude >= west, longitude <= east)


def gardner_knopoff_window(magnitude):
    """Return the radius (km) and duration (days) of the aftershock zone of a magnitude.

    Gardner & Knopoff 1974 in the form of validity.md A13: L = 10^(0.1238 M + 0.983);
    T = 10^(0.5409 M - 0.547), from M 6.5 on 10^(0.032 M + 2.7389).

    Examples
    --------
    >>> [round(float(value), 2) for value in gardner_knopoff_window(6.0)]
    [53.19, 499.34]
    """
    m = np.asarray(magnitude, float)
    days = np.where(m < 6.5, 10 ** (0.5409 * m - 0.547), 10 ** (0.032 * m + 2.7389))
    return 10 ** (0.1238 * m + 0.983), days


def gardner_knopoff(catalog: pd.DataFrame, foreshock_share: float = 1.0) -> pd.DataFrame:
    """Give every event the cluster of the largest event whose space-time window holds it.

    From the largest event down: an event that is in no cluster yet becomes a mainshock and takes in every
    free event within L km and from `foreshock_share` T days before to T days after it. The cluster is named
    by its mainshock: the declustered catalogue is ``catalog[catalog.cluster_id == catalog.event_id]``.

    Parameters
    ----------
    catalog : DataFrame
        event_id, time, latitude, longitude, magnitude; in any order.
    foreshock_share : float
        0 keeps foreshocks apart; 1 (default) treats them as aftershocks, the coarser and therefore safer
        grouping when clusters keep train and test apart.

    Returns
    -------
    DataFrame
        A copy with `cluster_id`; every event in exactly one cluster.

    Raises
    ------
    InputError
        If `foreshock_share` is not from 0 to 1, or an event lacks time, place or magnitude.

    Notes
    -----
    When not to use: to estimate a background rate. Windows of this kind remove independent events too.
    """
    if not 0 <= foreshock_share <= 1:
        raise InputError("gardner_knopoff", "foreshock_share", foreshock_share, "a number from 0 to 1")
    needed = catalog[["time", "latitude", "longitude", "magnitude"]]
    if needed.isna().any(axis=None):
        row = needed.isna().any(axis=1).to_numpy().argmax()
        raise InputError("gardner_knopoff", f"row {row}", needed.iloc[row].to_dict(),
                         "events with time, place and magnitude")
    order = np.argsort(catalog.time.to_numpy(), kind="stable")
    main = _mainshocks(catalog.iloc[order], foreshock_share)
    cluster = np.empty(len(order), object)
    cluster[order] = catalog.event_id.to_numpy(object)[order][main]
    return catalog.assign(cluster_id=pd.Series(cluster, index=catalog.index, dtype=str))


def _mainshocks(catalog: pd.DataFrame, foreshock_share: float) -> np.ndarray:
    """Return the position of each event's mainshock in a catalogue sorted by time."""
    days = catalog.time.to_numpy("datetime64[ns]").astype("int64") / 86400e9
    latitude, longitude = np.radians(catalog[["latitude", "longitude"]].to_numpy(float)).T
    place = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude),
                      np.sin(latitude)], axis=1)
    magnitude = catalog.magnitude.to_numpy(float)
    radius_km, duration = gardner_knopoff_window(magnitude)
    chord = 2 * np.sin(np.minimum(radius_km / (2 * _EARTH_RADIUS_KM), np.pi / 2))      # on the unit sphere
    first = np.searchsorted(days, days - foreshock_share * duration, "left")
    stop = np.searchsorted(days, days + duration, "right")
    main = np.full(len(days), -1)
    for i in np.argsort(-magnitude, kind="stable"):      # equal magnitudes: the earlier event leads
        if main[i] < 0:
            span = slice(min(first[i], i), max(stop[i], i + 1))      # i itself, whatever rounding did
            near = ((place[span] - place[i]) ** 2).sum(axis=1) <= chord[i] ** 2
            main[span][near & (main[span] < 0)] = i      # a slice is a view: this writes into main
    return main


def magnitude_class(magnitude) -> np.ndarray:
    """Name the class of each magnitude: Moderate from 4, Medium from 5, Large from 6 (study S1).

    NaN (no earthquake) and magnitudes below 4 are `Normal`; limits are half-open, so 5.97 is Medium.

    Raises
    ------
    InputError
        For an infinite magnitude.

    Examples
    --------
    >>> magnitude_class([float("nan"), 4.0, 5.9, 6.0]).tolist()
    ['Normal', 'Moderate', 'Medium', 'Large']
    """
    m = np.asarray(magnitude, float)
    if np.isinf(m).any():
        raise InputError("magnitude_class", "magnitude", "inf", "a magnitude, or NaN for a quiet window")
    rank = np.searchsorted([4.0, 5.0, 6.0], np.where(np.isnan(m), 0.0, m), "right")
    return np.array(MAGNITUDE_CLASSES)[rank]


def azimuth_class(azimuth_deg) -> np.ndarray:
    """Name the 45-degree sector, centred on N, NE ... NW, of each azimuth; NaN is `Normal` (study S1).

    Each sector holds its lower edge: 22.5 is NE.

    Raises
    ------
    InputError
        For an infinite azimuth.

    Examples
    --------
    >>> azimuth_class([0, 350, 22.5, 180, float("nan")]).tolist()
    ['N', 'N', 'NE', 'S', 'Normal']
    """
    azimuth = np.asarray(azimuth_deg, float)
    if np.isinf(azimuth).any():
        raise InputError("azimuth_class", "azimuth_deg", "inf", "degrees, or NaN for a quiet window")
    sector = np.floor(np.mod(np.nan_to_num(azimuth) + 22.5, 360.0) / 45.0).astype(int) % 8
    return np.array(AZIMUTH_CLASSES)[np.where(np.isnan(azimuth), 0, sector + 1)]


class BValue(NamedTuple):
    """A b-value with its two standard errors and the number of events behind it."""

    b: float
    aki_se: float
    shi_bolt_se: float
    n_events: int


def b_value(magnitude, completeness: float, bin_width: float = 0.1) -> BValue:
    """Estimate the Gutenberg-Richter b-value by maximum likelihood from binned magnitudes.

    b = log10(e) / (mean(m) - (mc - dm/2)) (Aki 1965, Utsu 1966); standard errors b/sqrt(n) (Aki) and
    2.30 b^2 sqrt(sum (m - mean)^2 / (n (n - 1))) (Shi & Bolt 1982). Validity.md C7.

    Parameters
    ----------
    magnitude : array_like
        Events below `completeness` are ignored.
    completeness, bin_width : float
        Magnitude of completeness and of rounding (0 for unrounded magnitudes).

    Raises
    ------
    InputError
        If fewer than two events reach completeness, or all lie exactly on its lower edge.

    Examples
    --------
    >>> result = b_value([4.6, 4.7, 5, 4.5, 4.9, 5.3, 4.6, 4.5, 6.1, 4.8], 4.5, 0.1)
    >>> [round(value, 4) for value in result]
    [0.9651, 0.3052, 0.3319, 10]
    """
    edge = completeness - bin_width / 2
    m = np.asarray(magnitude, float)
    m = m[m >= edge - 1e-9]      # 4.45 is not 4.5 - 0.05 in floating point
    if len(m) < 2 or not np.isfinite(m).all() or m.mean() - edge <= 1e-9:
        raise InputError("b_value", "magnitude", m.tolist()[:5],
                         f"at least two events from {completeness} up that differ from the edge {edge:g}")
    b = float(np.log10(np.e) / (m.mean() - edge))
    shi_bolt = 2.30 * b**2 * float(np.sqrt(((m - m.mean()) ** 2).sum() / (len(m) * (len(m) - 1))))
    return BValue(b, b / len(m) ** 0.5, shi_bolt, len(m))
