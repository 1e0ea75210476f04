"""Another catalogue for the same windows: moved in time, or altogether different (layer 2).

The material of the nulls in `lib.nulls`. Source: validity.md A7.
"""

import numpy as np
import pandas as pd

from lib.earth import catalog as catalogs
from lib.earth import stations as places
from lib.files import InputError
from lib.studies import WindowSpec
from lib.table_checks import DAY, column, seconds, times


def shift_catalog(catalog: pd.DataFrame, days: float, start, end) -> pd.DataFrame:
    """Move every earthquake later by `days`; what leaves the span at its end comes in at its start.

    Parameters
    ----------
    catalog : DataFrame
        In the catalogue schema; events outside [start, end) are left out.
    days : float
        Shift; negative is earlier.
    start, end : datetime-like
        Span of the record, UTC.

    Returns
    -------
    DataFrame
        The same events, families and gaps between them (but for one seam), sorted by time.

    Raises
    ------
    InputError
        For a span that is empty or a catalogue without events in it.
    """
    first, last = pd.Timestamp(start), pd.Timestamp(end)
    if not last > first:
        raise InputError("shift_catalog", "span", (str(start), str(end)), "an end after the start")
    kept = catalog[(catalog["time"] >= first) & (catalog["time"] < last)]
    if kept.empty:
        raise InputError("shift_catalog", "earthquakes in the span", 0,
                         f"a catalogue with events from {first} to {last}")
    moved = first + (kept["time"] - first + pd.Timedelta(days, "D")) % (last - first)
    return kept.assign(time=moved).sort_values("time", kind="stable", ignore_index=True)


def relabel(windows: pd.DataFrame, catalog: pd.DataFrame, stations: pd.DataFrame,
            spec: WindowSpec | None = None) -> pd.DataFrame:
    """Label given windows by another catalogue; the windows, and so their spectrograms, stay.

    A window is labelled by the largest earthquake within `radius_km` of its station that strikes between its
    end and `horizon_s` later; without one it is quiet.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    catalog, stations : DataFrame
        In the schemas of `lib.earth.catalog` and `lib.earth.stations`.
    spec : WindowSpec, optional
        Its radius_km, depth_km and min_magnitude are used.

    Returns
    -------
    DataFrame
        The table with event_id, cluster_id, block_id, magnitude, azimuth, distance, depth, lead and classes
        of the given catalogue; `set_id` is empty, since sets were matched to another one. A window that turns
        quiet keeps its old block, or gets one named after its old event: what was recorded together stays one
        group.

    Raises
    ------
    InputError
        For a station that `stations` lacks, or missing columns.
    """
    spec = spec or WindowSpec()
    catalog = catalogs.select(catalog, min_magnitude=spec.min_magnitude, max_depth_km=spec.depth_km)
    catalog = catalog.sort_values("time", kind="stable", ignore_index=True)
    chosen, distance, azimuth = _largest(windows, catalog, stations, spec.radius_km)
    event = chosen >= 0
    row = catalog.reindex(np.where(event, chosen, -1)).reset_index(drop=True)
    old, block = column(windows, "event_id"), column(windows, "block_id")
    lead = (row["time"].to_numpy("datetime64[ns]") - times(windows, "end")) / DAY
    magnitude = row["magnitude"].to_numpy(float)
    quiet = np.full(len(windows), "Normal", object)
    return windows.assign(
        event_id=row["event_id"].fillna("").to_numpy(object),
        cluster_id=row["cluster_id"].fillna("").to_numpy(object),
        block_id=np.where(event, "", np.where(block != "", block, "was-" + old.astype(object))),
        set_id="", magnitude=magnitude, depth_km=row["depth_km"].to_numpy(float), lead_days=lead,
        distance_km=np.where(event, distance, np.nan), azimuth_deg=np.where(event, azimuth, np.nan),
        magnitude_class=_classes(quiet, event, catalogs.magnitude_class, magnitude),
        azimuth_class=_classes(quiet, event, catalogs.azimuth_class, azimuth))


def _classes(quiet, event, name, value):
    """Class names of event windows, Normal elsewhere."""
    out = quiet.copy()
    out[event] = name(value[event])
    return out


def _largest(windows, catalog, stations, radius_km):
    """Row in the catalogue of each window's largest event (-1: none), its distance and bearing, each (N,)."""
    station, end = column(windows, "station"), times(windows, "end")
    late = end + seconds(windows, "horizon_s")
    known = set(stations["code"])
    if missing := sorted(set(station) - known):
        raise InputError("relabel", "stations", missing[:3],
                         f"stations with a place: {len(known)} are given")
    chosen = np.full(len(windows), -1)
    distance, azimuth = np.full((2, len(windows)), np.nan)
    place = stations.drop_duplicates("code").set_index("code")
    for code in np.unique(station):
        km, bearing = places.distance_azimuth(place.latitude[code], place.longitude[code],
                                              catalog.latitude.to_numpy(), catalog.longitude.to_numpy())
        near = np.flatnonzero(km <= radius_km)
        time, size = catalog["time"].to_numpy("datetime64[ns]")[near], catalog["magnitude"].to_numpy()[near]
        for i in np.flatnonzero(station == code):
            a, b = np.searchsorted(time, [end[i], late[i]])
            if b > a:
                chosen[i] = best = near[a + int(np.argmax(size[a:b]))]
                distance[i], azimuth[i] = km[best], bearing[best]
    return chosen, distance, azimuth
