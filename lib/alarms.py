"""Space-time cells, what an alarm covers of them, and how likely earthquakes were there anyway (layer 2).

An alarm is judged on cells of time x place. Three arrays of one shape (T, P) meet in `lib.forecast_tests`:
the alarm function (`paint`), the targets (`count_targets`), and a reference measure w that sums to 1. Two
references are needed (validity.md A13): one that knows where earthquakes happen (`uniform_reference`), and
one that also knows that they follow each other (`clustered_reference`). An alarm that beats the first alone
remembers aftershocks; that takes no magnetometer.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.earth.catalog import gardner_knopoff
from lib.earth.stations import EARTH_RADIUS_KM, distance_azimuth
from lib.files import InputError

WIDTH_KM = 100.0          # standard deviation of the smoothing kernel [D]
FLOOR = 0.05              # share of the rate spread evenly: no place is impossible [D]
RECENT = {"magnitude": 5.0, "days": 7.0, "radius_km": 100.0}   # the clustered rate of A13; R is ours [D]


class Cells(NamedTuple):
    """Times x places: edges (T + 1,) datetime64[ns], half-open; centres of P squares in degrees."""

    edges: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    spacing_deg: float

    @property
    def shape(self) -> tuple[int, int]:
        """Number of times and of places, (T, P)."""
        return len(self.edges) - 1, len(self.latitude)


def make_cells(start, end, box: tuple, spacing_deg: float = 1.0, days: float = 1.0) -> Cells:
    """Part a span of time and a box into cells; a last step that would pass `end` is left out.

    Parameters
    ----------
    start, end : anything pandas reads as a UTC time
    box : tuple of four floats
        west, east, south, north in degrees, as in `earth.catalog.select`; whole multiples of the spacing.
    spacing_deg, days : float
        Side of a square and length of a time step.

    Raises
    ------
    InputError
        If a time cannot be read, no cell fits, or the spacing does not divide the box.

    >>> make_cells("2020-01-01", "2020-01-31", (95, 105, -6, 6)).shape
    (30, 120)
    """
    if len(box) != 4 or not (spacing_deg > 0 and days > 0):
        raise InputError("alarms.make_cells", "box, spacing_deg, days", (box, spacing_deg, days),
                         "west, east, south, north, and steps above 0")
    west, east, south, north = box
    width = 360 if east - west == 360 else (east - west) % 360       # west > east crosses the date line
    n_lon, n_lat = width / spacing_deg, (north - south) / spacing_deg
    if not all(n > .5 and abs(n - round(n)) < 1e-6 for n in (n_lon, n_lat)):
        raise InputError("alarms.make_cells", "box, spacing_deg", (box, spacing_deg),
                         "west, east, south, north, parted evenly by the spacing")
    try:
        edges = pd.date_range(start, end, freq=pd.Timedelta(days=days)).to_numpy("datetime64[ns]")
    except (TypeError, ValueError):
        edges = []
    if len(edges) < 2:
        raise InputError("alarms.make_cells", "start, end", (start, end),
                         f"times in UTC, at least {days} days")
    latitude, longitude = np.meshgrid(south + spacing_deg * (np.arange(round(n_lat)) + .5),
                                      west + spacing_deg * (np.arange(round(n_lon)) + .5), indexing="ij")
    return Cells(edges, latitude.ravel(), (longitude.ravel() + 180) % 360 - 180, spacing_deg)


def mainshocks(catalog: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest event of each Gardner-Knopoff cluster: the declustered targets. Unit: the cluster.

    When not to use: on a catalogue already cut to a magnitude or a box; decluster first, cut then.
    """
    found = gardner_knopoff(catalog)
    return found[found.cluster_id == found.event_id].reset_index(drop=True)


def count_targets(cells: Cells, catalog: pd.DataFrame) -> np.ndarray:
    """Count events in each cell; those outside all cells are left out. Unit: the earthquake.

    When not to use: alone on a full catalogue. Aftershocks are not independent; report `mainshocks` too.

    Returns
    -------
    array of int, shape (T, P)
    """
    _need(catalog, "time", "latitude", "longitude")
    step, t = cells.spacing_deg, np.searchsorted(cells.edges, _ns(catalog.time), "right") - 1
    n_lon = int(np.sum(cells.latitude == cells.latitude[0]))
    row = np.floor((catalog.latitude.to_numpy() - cells.latitude[0]) / step + .5).astype(int)
    column = np.floor((catalog.longitude.to_numpy() - cells.longitude[0] + step / 2) % 360 / step).astype(int)
    n_time, n_place = cells.shape
    inside = (t >= 0) & (t < n_time) & (row >= 0) & (row < n_place // n_lon) & (column < n_lon)
    place = row * n_lon + column
    return np.bincount((t * n_place + place)[inside], minlength=n_time * n_place).reshape(n_time, n_place)


def count_near(edges: np.ndarray, catalog: pd.DataFrame, latitude: float, longitude: float,
               radius_km: float) -> np.ndarray:
    """Count events within a radius of one station in each time step, shape (T, 1). Unit: the earthquake.

    When not to use: summed over stations whose circles overlap; one earthquake would count more than once.
    """
    _need(catalog, "time", "latitude", "longitude")
    distance, _ = distance_azimuth(latitude, longitude, catalog.latitude, catalog.longitude, sphere=True)
    t = np.searchsorted(edges, _ns(catalog.time)[distance <= radius_km], "right") - 1
    t = t[(t >= 0) & (t < len(edges) - 1)]
    return np.bincount(t, minlength=len(edges) - 1)[:, None]


def paint(cells: Cells, alarms: pd.DataFrame, radius_km: float, horizon_days: float) -> np.ndarray:
    """Alarm function of alarms issued at points: the largest score of all that cover a cell.

    An alarm covers the places whose centre lies within the radius, and the cells wholly between the moment of
    issue and the horizon: an earthquake before the alarm, on the same day too, is never a hit.

    Parameters
    ----------
    alarms : DataFrame
        `issued` (the end of all data that went into it), `latitude`, `longitude`, `score` (any scale).
    radius_km, horizon_days : float

    Returns
    -------
    array, shape (T, P)
        -inf where no alarm was given, which ranks last.

    Raises
    ------
    InputError
        For a missing column, a missing time or score, or no alarm that covers a cell.
    """
    _need(alarms, "issued", "latitude", "longitude", "score")
    score, issued = alarms.score.to_numpy(float), _ns(alarms.issued)
    horizon = np.timedelta64(round(horizon_days * 86400e9), "ns")
    first = np.searchsorted(cells.edges, issued, "left")                        # begins at the issue or later
    stop = np.searchsorted(cells.edges, issued + horizon, "right") - 1          # ends by the horizon
    points, which = np.unique(alarms[["latitude", "longitude"]].to_numpy(float), axis=0, return_inverse=True)
    near = [np.flatnonzero(row) for row in _distances(cells, *points.T) <= radius_km]
    painted = np.full(cells.shape, -np.inf)
    for point, a, b, value in zip(which.ravel(), first, stop, score, strict=True):
        if a < b:
            block = np.ix_(np.arange(a, b), near[point])
            painted[block] = np.maximum(painted[block], value)
    if not np.isfinite(painted).any():
        raise InputError("alarms.paint", "cells covered", 0, "alarms within the span and box of the cells")
    return painted


def recent_activity(cells: Cells, catalog: pd.DataFrame, magnitude: float = RECENT["magnitude"],
                    days: float = RECENT["days"], radius_km: float = RECENT["radius_km"]) -> np.ndarray:
    """Cells at whose start an event of this size lay within the last days and the radius; bool (T, P).

    An alarm function that needs a catalogue only, shown as a row of its own; and the switch of
    `clustered_reference`. Only events strictly before a cell begins count.
    """
    _need(catalog, "time", "latitude", "longitude", "magnitude")
    large = catalog[catalog.magnitude >= magnitude]
    begin, time = cells.edges[:-1], _ns(large.time)
    first = np.searchsorted(begin, time, "right")
    stop = np.searchsorted(begin, time + np.timedelta64(round(days * 86400e9), "ns"), "right")
    active = np.zeros(cells.shape, bool)
    some = np.flatnonzero(first < stop)
    near = _distances(cells, large.latitude.to_numpy()[some], large.longitude.to_numpy()[some]) <= radius_km
    for i, row in zip(some, near, strict=True):
        active[first[i]:stop[i], row] = True
    return active


def smoothed_rate(cells: Cells, history: pd.DataFrame, width_km: float = WIDTH_KM,
                  floor: float = FLOOR) -> np.ndarray:
    """Share of mainshocks expected in each place, shape (P,): Gaussian kernels over the declustered history.

    Parameters
    ----------
    history : DataFrame
        A full catalogue (it is declustered here), best of the time before the cells begin. Events from the
        cells' own time make the reference harder to beat, not easier.
    width_km, floor : float
        Standard deviation of the kernel, and share spread in proportion to area.
    """
    _need(history, "event_id", "time", "latitude", "longitude", "magnitude")
    area = np.cos(np.radians(cells.latitude))
    one_each = mainshocks(history)
    kernel = np.exp(-.5 * (_distances(cells, one_each.latitude, one_each.longitude) / width_km) ** 2)
    rate = kernel.sum(0) * area
    if not rate.sum() > 0:
        raise InputError("alarms.smoothed_rate", "history", f"{len(history)} events", "events near the cells")
    return (1 - floor) * rate / rate.sum() + floor * area / area.sum()


def uniform_reference(cells: Cells, history: pd.DataFrame, **smoothing) -> np.ndarray:
    """Return reference (i): the same at all times, `smoothed_rate` in space; (T, P), sum 1.

    When not to use: alone. Beating it may show no more than aftershocks (validity.md A13).
    """
    return np.tile(smoothed_rate(cells, history, **smoothing) / cells.shape[0], (cells.shape[0], 1))


def clustered_reference(cells: Cells, history: pd.DataFrame, catalog: pd.DataFrame, boost: float,
                        **recent) -> np.ndarray:
    """Return reference (ii): `uniform_reference`, `boost` times as high after `recent_activity`; sum 1.

    When not to use: as a forecast. One factor and one radius are a floor that any ETAS model beats.

    Parameters
    ----------
    history : DataFrame
        As in `smoothed_rate`.
    catalog : DataFrame
        Events before and during the cells; each cell uses those before it begins.
    boost : float
        From `activity_boost`, on the time before the cells.
    **recent
        `magnitude`, `days`, `radius_km` of `recent_activity`; the same as for the boost.
    """
    if not (np.isfinite(boost) and boost > 0):
        raise InputError("alarms.clustered_reference", "boost", boost, "a finite factor above 0")
    w = uniform_reference(cells, history) * np.where(recent_activity(cells, catalog, **recent), boost, 1.0)
    return w / w.sum()


def activity_boost(cells: Cells, history: pd.DataFrame, targets: np.ndarray, **recent) -> float:
    """How many times as many targets fall where there was recent activity as elsewhere, by reference (i).

    Parameters
    ----------
    cells : Cells
        Over the time of `history`: before the cells that are judged.
    targets : array of int, shape (T, P)
        `count_targets` of the same kind of target as will be judged (full, or mainshocks).

    Raises
    ------
    InputError
        If no cell, or every cell, had recent activity.
    """
    active, w = recent_activity(cells, history, **recent), uniform_reference(cells, history)
    if active.all() or not active.any():
        raise InputError("alarms.activity_boost", "cells with recent activity", int(active.sum()),
                         "some but not all; a longer history or another magnitude")
    inside, outside = (targets[part].sum() + .5 for part in (active, ~active))      # never 0/0
    return float(inside / w[active].sum() / (outside / w[~active].sum()))


def _distances(cells, latitude, longitude):
    """Distances in km from points (n,) to each place, shape (n, P), on the sphere; quicker than `Geod`."""
    cosine = _unit(latitude, longitude) @ _unit(cells.latitude, cells.longitude).T
    return EARTH_RADIUS_KM * np.arccos(np.clip(cosine, -1, 1))       # rounding: 0.1 m


def _unit(latitude, longitude):
    """Return unit vectors (n, 3)."""
    a, b = np.radians(np.asarray(latitude, float)), np.radians(np.asarray(longitude, float))
    return np.column_stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)])


def _ns(times):
    return pd.DatetimeIndex(times).to_numpy("datetime64[ns]")


def _need(table, *columns):
    """Refuse a table without a column, or with a gap in one."""
    for name in columns:
        if name not in table:
            raise InputError("alarms", "column", name, f"a table with {', '.join(columns)}")
    gap = table[list(columns)].isna().any(axis=1).to_numpy()
    if gap.any():
        row = int(np.argmax(gap))
        raise InputError("alarms", f"row {row}", table.iloc[row][list(columns)].to_dict(), "no value missing")
