"""Sampling designs: the published one, the fair one, and every station-day as it comes (layer 1).

A design decides which stretches of record are windows and what they are labelled; with no precursor at all,
it alone can make a score (validity.md C9, D1).
"""

import numpy as np
import pandas as pd

from lib.config import rng
from lib.earth import catalog as catalogs
from lib.earth import space_weather
from lib.earth.windows import COLUMNS, HORIZON_DAYS, event_station_pairs, sample_windows
from lib.files import InputError
from lib.studies import WindowSpec

QUIET_STATIONS = ("TRD", "GTO")     # E1: 36 of the 37 quiet days are from the first, one from the second
QUIET_KP = 2.0                      # E1: quiet days have a largest Kp below this
COPIES = 3                          # E1: augmented copies of every event window
# E1, at full size: 271 event hours of 264 station-days, 37 quiet days of 24 hours, 1972 images
FULL = {"windows": 1972, "quiet": 37, "hours": 271, "Large": 7, "Moderate": 5, "second": 7}
HOUR, DAY = np.timedelta64(3600, "s"), np.timedelta64(86_400, "s")


def sample(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
           spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Choose windows by the design that `spec.design` names, a key of `DESIGNS`.

    Parameters
    ----------
    catalog, stations, kp, dst, spec, seed
        As in `windows.sample_windows`.

    Returns
    -------
    DataFrame
        The windows table, `windows.COLUMNS`.

    Raises
    ------
    InputError
        For an unknown design, a missing column, or tables that do not hold what the design needs.
    """
    if spec.design not in DESIGNS:
        raise InputError("WindowSpec", "design", spec.design, ", ".join(DESIGNS))
    return DESIGNS[spec.design](catalog, stations, kp, dst, spec, seed)


def published_ulf(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                  spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Choose windows as the published studies did: copies of event hours, whole quiet days of one station.

    Event windows are single hours before an earthquake, one an earthquake and station, each with three
    augmented copies that share its `parent_id` (`lib.copies` renders them). Quiet windows are all hours of
    geomagnetically quiet days (largest Kp below 2) at `QUIET_STATIONS`, whatever the catalogue says. With
    1972 windows the counts are those printed: 888 Normal, 20 Moderate, 1036 Medium, 28 Large; 301
    station-days, seven with a second event hour. Other sizes keep the proportions.

    Parameters
    ----------
    catalog, stations, kp, dst, seed
        As in `windows.sample_windows`.
    spec : WindowSpec
        Its `window_s` has to be 3600. Event hours lie at random between the least and the largest of
        `lead_days` before the earthquake, at any hour of the day [D].

    Returns
    -------
    DataFrame
        The windows table; classes in the order Medium, Normal, Large, Moderate in which the published split
        meets them (T-E1), each by time. Quiet windows of a day share a `block_id`.

    Raises
    ------
    InputError
        For another window length, too few windows, quiet days or earthquakes, or a missing station.

    When not to use: for any claim. Station, Kp and copies give the classes away without any signal.

    References
    ----------
    validity.md C9, E1.
    """
    if spec.window_s != 3600:
        raise InputError("WindowSpec", "window_s", spec.window_s, "3600: published_ulf has windows of 1 h")
    n_days = max(2, round(spec.n_windows * FULL["quiet"] / FULL["windows"]))
    n_hours = (spec.n_windows - 24 * n_days) // (1 + COPIES)
    if n_hours < 3:
        raise InputError("WindowSpec", "n_windows", spec.n_windows, "at least 60")
    generator = rng(seed, "designs", "published_ulf")
    pairs = event_station_pairs(catalog, stations, spec)
    quiet = _quiet_hours(stations, kp, n_days, generator)
    event = _event_hours(pairs, kp, spec, n_hours, set(zip(quiet.station, quiet.start.dt.floor("D"),
                                                           strict=True)), generator)
    table = _table(pd.concat([event, quiet], ignore_index=True), pairs, kp, dst, spec)
    order = pd.Categorical(table.magnitude_class, ["Medium", "Normal", "Large", "Moderate"]).codes
    return with_copies(table.iloc[np.lexsort([table.station, table.start, order])], COPIES)


def operational(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Take every station-day as an alarm system meets it, quiet and storm alike, at the true base rate.

    A window starts at `spec.hour_utc` of each day at each station and bears the label of the largest
    earthquake within `spec.radius_km` in the week after it. If that makes more than `spec.n_windows`, only
    every k-th day is taken, at all stations; nothing is drawn at random.

    Parameters
    ----------
    catalog, stations, kp, dst, spec, seed
        As in `windows.sample_windows`; the seed is not used.

    Returns
    -------
    DataFrame
        The windows table by time and station. Quiet windows of one station and week share a `block_id`.

    Raises
    ------
    InputError
        For a missing column, or a span shorter than window and horizon.

    References
    ----------
    validity.md C9, D7.
    """
    pairs = event_station_pairs(catalog, stations, spec).sort_values("magnitude", kind="stable",
                                                                     ignore_index=True)
    week = int(HORIZON_DAYS) * DAY
    ends = _days(kp) + spec.hour_utc * HOUR + np.timedelta64(spec.window_s, "s")
    ends = ends[ends + week <= _end(kp)]
    if not len(ends):
        raise InputError("kp", "span", f"{kp.index[0]} to {_end(kp)}", "more than a window and a week")
    ends = ends[::max(1, -(-len(ends) * len(stations) // max(spec.n_windows, 1)))]
    label = pd.DataFrame(-1, index=ends, columns=list(stations.code))
    for station, rows in pairs.groupby("station").indices.items():
        column, time = label[station].to_numpy(copy=True), pairs.time.to_numpy()[rows]
        spans = np.searchsorted(ends, [time - week, time])      # windows that end in the week before
        for row, first, last in zip(rows, *spans, strict=True):
            column[first:last] = row                            # in order of magnitude: the largest stays
        label[station] = column
    rows = label.melt(var_name="station", value_name="pair", ignore_index=False).reset_index(names="end")
    first = rows.end.min()
    block = first + (rows.end - first).dt.floor("7D")
    rows["block_id"] = "quiet-" + rows.station + "-" + block.dt.strftime("%Y%m%d")
    rows["start"] = rows.end - pd.Timedelta(seconds=spec.window_s)
    table = _table(rows, pairs, kp, dst, spec)
    return table.sort_values(["start", "station"], kind="stable", ignore_index=True)


DESIGNS = {"fair_ulf": sample_windows, "published_ulf": published_ulf, "operational": operational}


def with_copies(windows: pd.DataFrame, n: int = COPIES) -> pd.DataFrame:
    """Put `n` copies below every event window, named ``~1`` ... after its `parent_id`.

    The rows alone do not differ: `lib.copies.render` gives each copy an image of its own.

    >>> table = pd.DataFrame({"window_id": ["a", "b"], "parent_id": ["a", "b"], "event_id": ["e", ""]})
    >>> with_copies(table, 2).window_id.tolist()
    ['a', 'a~1', 'a~2', 'b']
    """
    repeats = np.where(windows.event_id == "", 1, 1 + n)
    table = windows.iloc[np.repeat(np.arange(len(windows)), repeats)].reset_index(drop=True)
    number = np.concatenate([np.arange(k) for k in repeats])
    names = [f"{name}~{k}" if k else name for name, k in zip(table.window_id, number, strict=True)]
    return table.assign(window_id=names)


def _quiet_hours(stations, kp, n_days, generator):
    """All hours of `n_days` quiet days, one in 37 (at least one) at the second station."""
    missing = [code for code in QUIET_STATIONS if code not in set(stations.code)]
    if missing:
        raise InputError("stations", "code", missing, f"the stations of the quiet days, {QUIET_STATIONS}")
    days = _days(kp)
    days = days[space_weather.window_extreme(kp, days, days + DAY, "max") < QUIET_KP]
    if len(days) < n_days:
        raise InputError("kp", "days below Kp 2", len(days), f"at least {n_days}: a longer span")
    days = generator.permutation(days)[:n_days]
    station = np.full(n_days, QUIET_STATIONS[0], object)
    station[:max(1, round(n_days / FULL["quiet"]))] = QUIET_STATIONS[1]
    block = [f"quiet-{s}-{pd.Timestamp(d):%Y%m%d}" for s, d in zip(station, days, strict=True)]
    start = (days[:, None] + np.arange(24) * HOUR).ravel()
    return pd.DataFrame({"station": np.repeat(station, 24), "start": start, "pair": -1,
                         "block_id": np.repeat(block, 24)})


def _event_hours(pairs, kp, spec, n_hours, taken, generator):
    """Draw single hours before earthquakes, each on a station-day of its own but for the second hours."""
    share = n_hours / FULL["hours"]
    wanted = {name: max(1, round(share * FULL[name])) for name in ("Large", "Moderate")}
    n_second = round(share * FULL["second"])
    wanted["Medium"] = n_hours - n_second - sum(wanted.values())
    label, found = catalogs.magnitude_class(pairs.magnitude), []
    for name, n in wanted.items():
        rows = generator.permutation(np.flatnonzero(label == name))
        leads = generator.uniform(min(spec.lead_days), max(spec.lead_days), len(rows))
        hours = _free_hours(pairs.iloc[rows].assign(lead=leads, pair=rows), kp, n, taken)
        if len(hours) < n:
            raise InputError("catalogue", f"event hours of class {name}", len(hours),
                             f"at least {n}: more years or a larger radius_km")
        found += hours
    table = pd.DataFrame(found, columns=["station", "start", "pair"])      # the Medium ones come last
    second = table.iloc[-wanted["Medium"]:]
    second = second[second.start.dt.hour > 0].iloc[:n_second]              # the hour before, on the same day
    second = second.assign(start=second.start - pd.Timedelta(hours=1))
    return pd.concat([table, second], ignore_index=True).assign(block_id="")


def _free_hours(cases, kp, n, taken):
    """Take the first `n` cases whose hour lies in the span, on a station-day not in `taken`; extend that."""
    found = []
    for case in cases.itertuples():
        start = (case.time - pd.Timedelta(days=case.lead, hours=1)).floor("h")
        day = (case.station, start.floor("D"))
        if len(found) < n and day not in taken and kp.index[0] <= start < _end(kp):
            taken.add(day)
            found.append((case.station, start, case.pair))
    return found


def _days(kp):
    """Whole UTC days that Kp covers, datetime64[ns] (n,)."""
    return np.arange(kp.index[0].ceil("D"), pd.Timestamp(_end(kp)).floor("D"), DAY).astype("datetime64[ns]")


def _end(kp):
    """End of the last interval of Kp."""
    return kp.index[-1] + (kp.index[-1] - kp.index[-2])


def _table(rows, pairs, kp, dst, spec):
    """Fill the windows table from `station`, `start`, `block_id` and the row in `pairs`, -1 if quiet."""
    event = (rows.pair >= 0).to_numpy()
    of = pairs.reset_index(drop=True).reindex(rows.pair).reset_index(drop=True)
    start = rows.start.astype("datetime64[ns]")
    end = start + pd.Timedelta(seconds=spec.window_s)
    kp_max, dst_min = space_weather.window_indices(kp, dst, start, end)
    name = rows.station + "-" + start.dt.strftime("%Y%m%dT%H")
    table = pd.DataFrame({
        "window_id": name, "parent_id": name, "station": rows.station, "start": start, "end": end,
        "lookback_s": 0.0, "horizon_s": HORIZON_DAYS * 86_400, "kp_max": kp_max, "dst_min": dst_min,
        "set_id": "",
        "event_id": np.where(event, of.event_id, ""), "cluster_id": np.where(event, of.cluster_id, ""),
        "block_id": np.where(event, "", rows.block_id),
        **{column: of[column].astype(float) for column in ("magnitude", "azimuth_deg", "distance_km",
                                                           "depth_km")},
        "lead_days": (of.time - end).dt.total_seconds() / 86_400,
        "magnitude_class": catalogs.magnitude_class(of.magnitude),
        "azimuth_class": catalogs.azimuth_class(of.azimuth_deg)})
    return table.loc[:, list(COLUMNS)]
