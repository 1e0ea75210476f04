"""Windows of the observatory study: S4's labels, every detectability radius, two kinds of quiet (layer 1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from lib.config import rng
from lib.earth import catalog as catalogs
from lib.earth import space_weather
from lib.earth.stations import DETECTABILITY, fixed_km
from lib.earth.windows import COLUMNS, KP_TOLERANCE, event_station_pairs
from lib.files import InputError
from lib.studies import WindowSpec

ANYWHERE_KM = 20_100.0        # more than half the Earth's circumference
STORM_KP, STORM_NT = 5.0, -50.0    # a window with less Kp and more Dst has no storm [D]; S4 gives no number
CLEAR_DAYS = (2.0, 7.0)       # quiet: no selected event from 2 days before its start to 7 after its end [D]
MINUTE, DAY = np.timedelta64(60, "s"), np.timedelta64(86_400, "s")
QUIET = ("storm_free", "kp_matched")


@dataclass(frozen=True)
class Rule:
    """Which earthquakes count at a station: M above, hypocentre not deeper, epicentre within radius(M)."""

    radius_km: Callable                # of the magnitude; NaN or 0: never
    max_depth_km: float = 30.0         # S4
    above_magnitude: float = 4.0       # S4: Mw > 4


# S4's own two rules, then each published radius with S4's depth and magnitude (validity.md B8)
RULES = {"s4": Rule(partial(fixed_km, radius_km=200.0)),
         "s4_vrancea": Rule(partial(fixed_km, radius_km=100.0), 100.0),
         **{name: Rule(radius) for name, radius in DETECTABILITY.items()}}


def select_pairs(catalog: pd.DataFrame, stations: pd.DataFrame, rule: str | Mapping[str, str] = "s4"
                 ) -> pd.DataFrame:
    """List the earthquakes that count at each station.

    Parameters
    ----------
    catalog, stations : DataFrame
        In the schemas of `lib.earth.catalog` and `lib.earth.stations`.
    rule : str or mapping
        A key of `RULES`, or one for each station code.

    Returns
    -------
    DataFrame
        The catalogue's columns, `station`, `distance_km`, `azimuth_deg`, `rule`; by station and time.

    Raises
    ------
    InputError
        For an unknown rule, a station without one, or a missing column.
    """
    parts = []
    for code in stations.get("code", ()):
        name = rule if isinstance(rule, str) else rule.get(code)
        if name not in RULES:
            raise InputError("observatory", f"rule of {code}", name, ", ".join(RULES))
        chosen = RULES[name]
        spec = WindowSpec(radius_km=ANYWHERE_KM, depth_km=chosen.max_depth_km,
                          min_magnitude=chosen.above_magnitude)
        pairs = event_station_pairs(catalog, stations[stations["code"] == code], spec)
        reach = chosen.radius_km(pairs["magnitude"].to_numpy())
        keep = (pairs["magnitude"] > chosen.above_magnitude) & (pairs["distance_km"].to_numpy() <= reach)
        parts.append(pairs[keep].assign(rule=name))
    if not parts:
        raise InputError("stations", "columns", list(stations.columns), "code, latitude, longitude; one row")
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["station", "time"], kind="stable", ignore_index=True)


def observatory_windows(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                        n: int, *, rule: str | Mapping[str, str] = "s4", quiet: str = "storm_free",
                        overlap: bool = True, clear_days: tuple[float, float] = CLEAR_DAYS,
                        seed: int = 42) -> pd.DataFrame:
    """Choose the windows before earthquakes, and as many quiet ones at the same stations.

    Parameters
    ----------
    catalog, stations : DataFrame
    kp, dst : Series
        Three-hourly Kp and hourly Dst in nT, UTC; their common span is that of the study.
    n : int
        Minutes of a window, such as a value of `lib.earth.minutes.LENGTHS`. An event window ends with the
        last full minute before the origin time.
    rule : str or mapping
        See `select_pairs`.
    quiet : {"storm_free", "kp_matched"}
        ``"storm_free"``: as S4, no storm (Kp below 5, Dst above -50 nT) and at any time; event windows are
        not filtered, so that Kp is a cue. ``"kp_matched"``: same hour, season (month within one) and largest
        Kp within one unit of the event window, so that it is none.
    overlap : bool
        False keeps, of event windows that overlap at a station, the one with the largest magnitude. True is
        S4's way: share a `cluster_id` or time block between training and test and the overlap leaks (K5).
    clear_days : (before, after)
        No selected earthquake within so many days around a quiet window.
    seed : int

    Returns
    -------
    DataFrame
        The windows table (`windows.COLUMNS`) and `rule`, by start and station. ``attrs``: `unmatched` (event
        windows left out for want of a quiet one), `outside` (of the span), `overlapping` (left out).

    Raises
    ------
    InputError
        For an unknown rule or quiet, or when nothing is left.

    References
    ----------
    systems.md section 4.3; validity.md C9, B10.
    """
    if quiet not in QUIET:
        raise InputError("observatory_windows", "quiet", quiet, ", ".join(QUIET))
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError("observatory_windows", "n", n, "a whole number of minutes, at least 1")
    pairs = select_pairs(catalog, stations, rule)
    length, span = n * MINUTE, _span(kp, dst)
    start = pairs["time"].to_numpy("datetime64[ns]").astype("datetime64[m]").astype("datetime64[ns]") - length
    inside = (start >= span[0]) & (start + length <= span[1])
    cases = pairs.assign(start=start)[inside]
    if not overlap:
        cases = _largest(cases, length)
    draw = rng(seed, "observatory", quiet, int(n))
    parts, unmatched = [], 0
    for code, rows in cases.groupby("station"):
        events = pairs["time"][pairs["station"] == code].to_numpy("datetime64[ns]")
        control = _controls(rows, events, kp, dst, length, span, quiet, clear_days, draw)
        found = ~np.isnat(control)
        unmatched += int((~found).sum())
        parts.append(_rows(rows[found], control[found], length, clear_days))
    if not sum(map(len, parts)):
        raise InputError("observatory_windows", "windows", 0, "earthquakes near the stations within the span "
                         "of Kp and Dst, and quiet time to match them")
    table = pd.concat(parts, ignore_index=True)
    table["kp_max"], table["dst_min"] = space_weather.window_indices(kp, dst, table.start, table.end)
    table = table.sort_values(["start", "station"], kind="stable", ignore_index=True)
    table.attrs = {"unmatched": unmatched, "outside": int((~inside).sum()),
                   "overlapping": int(inside.sum()) - len(cases)}
    return table.loc[:, [*COLUMNS, "rule"]]


def thin(table: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Keep at most `n` windows: matched pairs drawn at random, each whole, in the order of the table."""
    sets = pd.unique(table["set_id"])
    kept = rng(seed, "observatory", "thin").permutation(sets)[: n // 2]
    return table[table["set_id"].isin(kept)].reset_index(drop=True)


def _span(kp, dst):
    """Return the common span of the two indices, end exclusive."""
    ends = [series.index[-1] + (series.index[-1] - series.index[-2]) for series in (kp, dst)]
    return np.datetime64(max(kp.index[0], dst.index[0]), "ns"), np.datetime64(min(ends), "ns")


def _largest(cases, length):
    """Drop the smaller of event windows that overlap at a station; the earlier of equal ones stays."""
    keep = []
    for _, rows in cases.groupby("station"):
        chosen = np.empty(0, "datetime64[ns]")
        rows = rows.sort_values(["magnitude", "time"], ascending=[False, True], kind="stable")
        for row in rows.itertuples():
            start = np.datetime64(row.start, "ns")
            if not (np.abs(chosen - start) < length).any():
                chosen = np.append(chosen, start)
                keep.append(row.Index)
    return cases.loc[sorted(keep)]


def _controls(rows, events, kp, dst, length, span, quiet, clear_days, draw):
    """Start of a quiet window for each event window of a station; NaT where there is none."""
    starts = rows["start"].to_numpy("datetime64[ns]")
    before, after = (np.timedelta64(round(days * 86_400), "s") for days in clear_days)
    events, taken = np.sort(events), starts.copy()     # quiet windows overlap neither cases nor each other
    control = np.full(len(starts), np.datetime64("NaT"), "datetime64[ns]")
    for i in draw.permutation(len(starts)):
        # days at the hour of the case, or at a random one
        anchor = starts[i] if quiet == "kp_matched" else span[0] + int(draw.integers(1440)) * MINUTE
        first, last = -((anchor - span[0]) // DAY), (span[1] - length - anchor) // DAY
        days = anchor + np.arange(int(first), int(last) + 1) * DAY
        days = days[np.searchsorted(events, days - before)
                    == np.searchsorted(events, days + length + after, side="right")]
        days = days[~_overlaps(days, np.sort(taken), length)]
        days = days[_fits(days, starts[i], kp, dst, length, quiet)] if len(days) else days
        if len(days):
            control[i] = days[draw.integers(len(days))]
            taken = np.append(taken, control[i])
    return control


def _overlaps(days, taken, length):
    """Whether a window from each day overlaps one of those taken, sorted by start."""
    return np.searchsorted(taken, days - length, side="right") != np.searchsorted(taken, days + length)


def _fits(days, case, kp, dst, length, quiet):
    """Whether each day may be a quiet window: without storm, or like the case in season and Kp."""
    kp_max, dst_min = space_weather.window_indices(kp, dst, days, days + length)
    if quiet == "storm_free":
        return (kp_max < STORM_KP) & (dst_min > STORM_NT)
    wanted = space_weather.window_extreme(kp, [case], [case + length], "max")[0]
    month = (days.astype("datetime64[M]") - case.astype("datetime64[M]")).astype(int) % 12
    return (np.abs(kp_max - wanted) <= KP_TOLERANCE) & np.isin(month, (0, 1, 11))


def _rows(cases, control, length, clear_days):
    """Table rows of the event windows of a station and of their quiet windows."""
    event = pd.DataFrame({
        "station": cases["station"], "start": cases["start"], "event_id": cases["event_id"],
        "cluster_id": cases["cluster_id"], "block_id": "", "magnitude": cases["magnitude"],
        "azimuth_deg": cases["azimuth_deg"], "distance_km": cases["distance_km"],
        "depth_km": cases["depth_km"], "rule": cases["rule"],
        "set_id": cases["event_id"] + "-" + cases["station"],
        "lead_days": (cases["time"].to_numpy("datetime64[ns]") - cases["start"].to_numpy() - length) / DAY})
    still = event.assign(start=control, event_id="", cluster_id="",
                         block_id=["quiet-" + s + "-" + str(t)[:16] for s, t in zip(event.station, control,
                                                                                   strict=True)])
    for column in ("magnitude", "azimuth_deg", "distance_km", "depth_km", "lead_days"):
        still[column] = np.nan
    table = pd.concat([event, still], ignore_index=True)
    stamp = table["start"].dt.strftime("-%Y%m%dT%H%M")
    name = np.where(table["event_id"] == "", "quiet-", table["event_id"] + "-") + table["station"] + stamp
    return table.assign(window_id=name, parent_id=name, end=table["start"] + length, lookback_s=0.0,
                        horizon_s=clear_days[1] * 86_400.0,
                        magnitude_class=catalogs.magnitude_class(table["magnitude"]),
                        azimuth_class=catalogs.azimuth_class(table["azimuth_deg"]))
