"""Windows: which stretches of which record are looked at, and what each one is labelled (layer 1).

Splits, floors and certificates read nothing but the table made here.
"""

import numpy as np
import pandas as pd

from lib.config import rng
from lib.earth import catalog as catalogs
from lib.earth import space_weather
from lib.earth import stations as places
from lib.files import InputError
from lib.studies import MAGNITUDE_CLASSES, WindowSpec

COLUMNS = ("window_id", "station", "start", "end", "event_id", "cluster_id", "block_id", "parent_id",
           "magnitude", "magnitude_class", "azimuth_deg", "azimuth_class", "distance_km", "depth_km",
           "lead_days", "kp_max", "dst_min", "lookback_s", "horizon_s", "set_id")
HORIZON_DAYS = 7.0            # a window is labelled by the largest event of the week after it [D]
QUIET_DAYS = (-2.0, 20.0)     # no event in this span around a quiet window (validity.md C9)
KP_TOLERANCE = 1.0            # cases and controls agree in Kp to this (C9)
DAY = np.timedelta64(86_400, "s")


def sample_windows(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                   spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Choose event windows and matched quiet windows by the case-crossover design `fair_ulf`.

    Event windows start at a fixed local-night hour, `lead_days` before the earthquake, at the nearest
    stations within `radius_km`. Every set of event windows is matched by a set at the same station, the
    same hour and season, with Kp within one unit, on days without an earthquake near: station, hour,
    season and Kp then cannot tell the classes apart. Magnitude classes are drawn in turn, so that rare
    large events are not drowned.

    Parameters
    ----------
    catalog, stations : DataFrame
        In the schemas of `lib.earth.catalog` and `lib.earth.stations`.
    kp, dst : Series
        Three-hourly Kp and hourly Dst in nT, indexed by UTC interval start.
    spec : WindowSpec
    seed : int

    Returns
    -------
    DataFrame
        The windows table (`COLUMNS`), at most `spec.n_windows` rows, half of them quiet. `set_id` names the
        matched set, earthquake and station: as many event windows as quiet ones.

    Raises
    ------
    InputError
        For another design or a size that cannot be used, a table without a needed column, or a catalogue that
        yields no matched set.

    References
    ----------
    validity.md C9; Maclure (1991) for the case-crossover design.
    """
    if spec.design != "fair_ulf":
        raise InputError("WindowSpec", "design", spec.design, "fair_ulf; lib.earth.designs has the others")
    if spec.n_windows < 2 or not spec.lead_days or not 0 <= spec.hour_utc < 24:
        raise InputError("WindowSpec", "n_windows, lead_days, hour_utc",
                         (spec.n_windows, spec.lead_days, spec.hour_utc),
                         "two windows or more, one lead or more, an hour from 0 to 23")
    pairs = event_station_pairs(catalog, stations, spec)
    cases = _unmasked(pairs)
    sets = _match(cases, pairs, kp, dst, spec, rng(seed, "windows"))
    if not sets:
        raise InputError("windows", "matched sets", 0,
                         "a catalogue and stations with events inside the radius and quiet days to match")
    table = pd.concat([_rows(case, days, spec, event) for case, days, event in sets], ignore_index=True)
    table = table.iloc[: spec.n_windows] if len(table) > spec.n_windows else table
    table["kp_max"], table["dst_min"] = space_weather.window_indices(kp, dst, table.start, table.end)
    table = table.sort_values(["start", "station"], kind="stable", ignore_index=True)
    table["window_id"] = [f"{s}-{t:%Y%m%dT%H}" for s, t in zip(table.station, table.start, strict=True)]
    table["parent_id"] = table.window_id
    return table.loc[:, list(COLUMNS)]


def class_counts(windows: pd.DataFrame) -> pd.DataFrame:
    """Count windows and earthquakes per magnitude class."""
    grouped = windows.groupby("magnitude_class")
    counts = pd.DataFrame({"windows": grouped.size(),
                           "stations": grouped.station.nunique(),
                           "events": grouped.event_id.agg(lambda ids: ids[ids != ""].nunique()),
                           "quiet blocks": grouped.block_id.agg(lambda ids: ids[ids != ""].nunique())})
    return counts.reindex(MAGNITUDE_CLASSES).fillna(0).astype(int)


def _require(table, name, columns):
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise InputError(name, "columns", missing, f"a table with the columns {', '.join(columns)}")


def event_station_pairs(catalog: pd.DataFrame, stations: pd.DataFrame, spec: WindowSpec) -> pd.DataFrame:
    """List the selected events at every station within the radius, with distance and bearing from it.

    Returns
    -------
    DataFrame
        The catalogue's columns, and `station`, `distance_km`, `azimuth_deg`; an event has a row for each of
        its stations.

    Raises
    ------
    InputError
        For a table without a needed column.
    """
    _require(catalog, "catalogue", ("event_id", "cluster_id", "time", "latitude", "longitude",
                                    "depth_km", "magnitude"))
    _require(stations, "stations", ("code", "latitude", "longitude"))
    catalog = catalogs.select(catalog, min_magnitude=spec.min_magnitude, max_depth_km=spec.depth_km)
    lat_s, lat_e = np.meshgrid(stations.latitude, catalog.latitude)            # (events, stations)
    lon_s, lon_e = np.meshgrid(stations.longitude, catalog.longitude)
    distance_km, azimuth_deg = places.distance_azimuth(lat_s, lon_s, lat_e, lon_e)
    event, station = np.nonzero(distance_km <= spec.radius_km)
    pairs = catalog.iloc[event].reset_index(drop=True)
    return pairs.assign(station=stations.code.to_numpy()[station],
                        distance_km=distance_km[event, station],
                        azimuth_deg=azimuth_deg[event, station])


def _unmasked(pairs):
    """Drop pairs whose station has a larger event within a week: its windows would carry that label."""
    keep = np.ones(len(pairs), bool)
    for rows in pairs.groupby("station").indices.values():
        time, magnitude = pairs.time.to_numpy()[rows], pairs.magnitude.to_numpy()[rows]
        near = np.abs(time[:, None] - time[None, :]) < HORIZON_DAYS * DAY
        keep[rows] = ~(near & (magnitude[None, :] > magnitude[:, None])).any(axis=1)
    return pairs[keep]


def _quiet_days(pairs, days):
    """Per station: which start times have no event in `QUIET_DAYS` around them; (n_days,) bool."""
    before, after = (np.timedelta64(int(d * 86_400), "s") for d in QUIET_DAYS)
    quiet = {}
    for station, rows in pairs.groupby("station").indices.items():
        time = np.sort(pairs.time.to_numpy()[rows])
        quiet[station] = np.searchsorted(time, days + before) == np.searchsorted(time, days + after)
    return quiet


def _match(cases, pairs, kp, dst, spec, generator):
    """Pair each event set with a quiet set of the same station, season, hour and Kp."""
    first, last = kp.index[0], kp.index[-1]
    days = np.arange(first.ceil("D"), last.floor("D"), DAY).astype("datetime64[ns]")
    days = days + np.timedelta64(spec.hour_utc, "h")
    length = np.timedelta64(spec.window_s, "s")
    kp_day, _ = space_weather.window_indices(kp, dst, days, days + length)
    month = pd.DatetimeIndex(days).month.to_numpy()
    quiet, used = _quiet_days(pairs, days), set()
    sets, n_rows = [], 0
    for event in _in_turn(cases, generator):
        for case in event.nsmallest(spec.stations_per_event, "distance_km").itertuples():
            wanted = _case_days(case.time, spec, days)
            if wanted is None or any((case.station, d) in used for d in wanted):
                continue
            control = _control_days(wanted, quiet[case.station], kp_day, month, used, case.station, generator)
            if control is None:
                continue
            room = (spec.n_windows - n_rows) // 2        # the last set may be cut to fit
            wanted, control = wanted[:room], control[:room]
            used.update((case.station, d) for d in (*wanted, *control))
            sets += [(case, days[wanted], True), (case, days[control], False)]
            n_rows += 2 * len(wanted)
            if n_rows + 2 > spec.n_windows:
                return sets
    return sets


def _in_turn(cases, generator):
    """Yield the rows of one event at a time, the magnitude classes taking turns, random within each."""
    events = cases.groupby("event_id", sort=True)
    label = pd.Series(catalogs.magnitude_class(events.magnitude.first().to_numpy()),
                      index=list(events.groups))
    queues = [list(generator.permutation(label.index[label == name])) for name in MAGNITUDE_CLASSES[1:]]
    while any(queues):
        for queue in queues:
            if queue:
                yield events.get_group(queue.pop())


def _case_days(time, spec, days):
    """Find the window starts (indices into `days`) that lie `lead_days` before an event."""
    length = np.timedelta64(spec.window_s, "s")
    wanted = []
    for lead in spec.lead_days:
        latest = np.datetime64(time) - np.timedelta64(int(lead * 86_400), "s") - length
        day = np.searchsorted(days, latest, side="right") - 1      # ends at least `lead` days before
        if day < 0 or latest - days[day] >= DAY:      # the indices do not reach the event
            return None
        wanted.append(int(day))
    return wanted


def _control_days(wanted, quiet, kp_day, month, used, station, generator):
    """Find quiet days with the case's spacing, season (month within one) and Kp; None if there are none."""
    offset = np.array(wanted) - wanted[0]
    anchors = np.arange(-offset.min(), len(quiet) - offset.max())
    season = np.abs(month[anchors] - month[wanted[0]]) % 12
    good = quiet[anchors] & ((season <= 1) | (season == 11))
    for step, case in zip(offset, wanted, strict=True):
        good &= quiet[anchors + step]
        good &= np.abs(kp_day[anchors + step] - kp_day[case]) <= KP_TOLERANCE
    for anchor in generator.permutation(anchors[good]):
        chosen = [int(anchor + step) for step in offset]
        if not any((station, day) in used for day in chosen):
            return chosen
    return None


def _rows(case, starts, spec, event):
    """Table rows of one set: the windows of a case, or of its control."""
    start = pd.Series(starts)
    end = start + pd.Timedelta(seconds=spec.window_s)
    nan = np.full(len(start), np.nan)
    names = np.full(len(start), "Normal", dtype=object)
    table = pd.DataFrame({
        "station": case.station, "start": start, "end": end, "lookback_s": 0.0,
        "horizon_s": HORIZON_DAYS * 86_400, "set_id": f"{case.event_id}-{case.station}",
        "event_id": case.event_id if event else "", "cluster_id": case.cluster_id if event else "",
        "block_id": "" if event else f"quiet-{case.station}-{start.iloc[0]:%Y%m%d}",
        "magnitude": case.magnitude if event else nan, "depth_km": case.depth_km if event else nan,
        "azimuth_deg": case.azimuth_deg if event else nan,
        "distance_km": case.distance_km if event else nan,
        "lead_days": (case.time - end).dt.total_seconds() / 86_400 if event else nan,
    })
    table["magnitude_class"] = catalogs.magnitude_class(table.magnitude) if event else names
    table["azimuth_class"] = catalogs.azimuth_class(table.azimuth_deg) if event else names
    return table
