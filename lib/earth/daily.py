"""Windows of the multi-task study: days before earthquakes, controls, and storms to be judged on (layer 1).

The published study trains on days and says that storms do not alarm it. Whether they do depends on the
controls: those chosen for a calm field make Kp a perfect cue (validity.md B10). So the same cases come with
either kind of control, and with storm-time windows that no model has trained on (experiment D4).
"""

import numpy as np
import pandas as pd

from lib.config import rng
from lib.earth import space_weather, windows
from lib.earth.designs import QUIET_KP
from lib.files import InputError
from lib.studies import WindowSpec

CONTROLS = ("matched", "quiet_only")
COLUMNS = (*windows.COLUMNS, "is_storm", "role")
STORM_KP = 5.0            # D4
STORM_DST_NT = -50.0      # D-losses: where the severity has its other half [D]
DAY = windows.DAY


def daily_windows(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                  spec: WindowSpec, seed: int, *, controls: str = "matched", n_storm: int = 0,
                  n_storm_cases: int = 0, storm_from=None) -> pd.DataFrame:
    """Choose days before earthquakes and as many controls, and further windows during storms.

    Cases and matched controls are those of `windows.sample_windows`: same station, hour, season, Kp within
    one unit. Cases and storms do not depend on `controls`: models trained on either are judged on the same.

    Parameters
    ----------
    catalog, stations, kp, dst, seed
        As in `windows.sample_windows`; simulated or real.
    spec : WindowSpec
        `window_s` 86400 and `hour_utc` 0 for whole days, or a stretch of the night; `n_windows` counts cases
        and controls.
    controls : str
        "matched", or "quiet_only": at the same station, as often, in any season, with the largest Kp below 2
        (R2). The days are as far from earthquakes as matched controls where there are enough of them; the
        rest have none within the horizon of their label.
    n_storm, n_storm_cases : int
        At most so many windows with Kp of 5 or more beside the others, without and with an earthquake after
        them (one of `lead_days`). They are for evaluation only.
    storm_from : time, optional
        The earliest start of such a window, UTC: where the test part begins.

    Returns
    -------
    DataFrame
        The windows table by start and station, with `is_storm` (`is_storm` of kp_max and dst_min) and `role`:
        case, control or storm. Drop role "storm" from a training part before fitting. Storm windows without
        an earthquake share a `block_id` with all others of their storm, at all stations: there is one outer
        field, and the unit of a false alarm is the storm.

    Raises
    ------
    InputError
        As `sample_windows`; for other `controls`, a negative number, Kp or Dst missing in a window, no calm
        day at a station, or no storm where some were asked for.

    When not to use: `quiet_only` for a claim about storms, or storm windows for a base rate: they are picked.

    References
    ----------
    validity.md B10, C9, D4.
    """
    if controls not in CONTROLS or n_storm < 0 or n_storm_cases < 0:
        raise InputError("daily_windows", "controls, n_storm, n_storm_cases",
                         (controls, n_storm, n_storm_cases), f"one of {', '.join(CONTROLS)}, 0 or more")
    table = windows.sample_windows(catalog, stations, kp, dst, spec, seed)
    table["role"] = np.where(table.event_id == "", "control", "case")
    pairs = windows.event_station_pairs(catalog, stations, spec)
    days, kp_day = _days(kp, dst, spec)
    free = _quiet_station_days(pairs, stations, days, kp_day, spec)
    parts = [table]
    if n_storm or n_storm_cases:
        stormy = (kp_day >= STORM_KP) & (days >= (days[0] if storm_from is None else _time(storm_from)))
        quiet = free[free.far & stormy[free.day]]
        parts += _storms(table, pairs, quiet, days, stormy, spec, (n_storm, n_storm_cases), seed)
    if controls == "quiet_only":
        used = pd.concat([part[part.role != "control"] for part in parts])
        calm = _unused(free[kp_day[free.day] < QUIET_KP], days, used)
        parts[0] = _quiet_only(table, calm, days, spec, seed)
    return _finish(pd.concat(parts, ignore_index=True), kp, dst)


def is_storm(kp_max: np.ndarray, dst_min: np.ndarray) -> np.ndarray:
    """Tell whether windows fall into a storm: Kp 5 or more, or Dst (nT) -50 or less.

    >>> is_storm([4.667, 5.0, 1.0], [-20.0, -20.0, -50.0]).tolist()
    [False, True, True]
    """
    return (np.asarray(kp_max, float) >= STORM_KP) | (np.asarray(dst_min, float) <= STORM_DST_NT)


def _days(kp, dst, spec):
    """Start one window a day over the span; the largest Kp of each is NaN where Kp or Dst is missing."""
    days = np.arange(kp.index[0].ceil("D"), kp.index[-1].floor("D"), DAY).astype("datetime64[ns]")
    days = days + np.timedelta64(spec.hour_utc, "h")
    kp_day, dst_day = space_weather.window_indices(kp, dst, days, days + np.timedelta64(spec.window_s, "s"))
    return days, np.where(np.isnan(dst_day), np.nan, kp_day)


def _quiet_station_days(pairs, stations, days, kp_day, spec):
    """List station and day (its place in `days`) without an earthquake from 2 d before to the horizon's end.

    `far` marks those as far from earthquakes as `sample_windows` asks of controls.
    """
    far, near = windows._quiet_days(pairs, days), {}
    last = np.timedelta64(spec.window_s, "s") + int(windows.HORIZON_DAYS) * DAY
    for station, rows in pairs.groupby("station").indices.items():
        time = np.sort(pairs.time.to_numpy()[rows])
        near[station] = np.searchsorted(time, days - 2 * DAY) < np.searchsorted(time, days + last, "right")
    parts = []
    for code in stations.code:
        day = np.flatnonzero(~near.get(code, np.zeros(len(days), bool)) & ~np.isnan(kp_day))
        parts.append(pd.DataFrame({"station": code, "day": day,
                                   "far": far[code][day] if code in far else True}))
    return pd.concat(parts, ignore_index=True)


def _time(value):
    """Return a UTC time as datetime64[ns]."""
    try:
        return np.datetime64(pd.Timestamp(value), "ns")
    except (TypeError, ValueError) as error:
        raise InputError("daily_windows", "storm_from", value, "a UTC time") from error


def _storms(table, pairs, free, days, stormy, spec, wanted, seed):
    """Return two tables: storm windows without an earthquake, and before one."""
    generator = rng(seed, "daily", "storms")
    quiet = _unused(free, days, table)
    quiet = quiet.iloc[np.sort(generator.permutation(len(quiet))[:wanted[0]])]
    rows = [(case, day) for case in windows._unmasked(pairs).itertuples()
            for day in (windows._case_days(case.time, spec, days) or ()) if stormy[day]]
    cases = pd.DataFrame({"station": [case.station for case, _ in rows], "row": np.arange(len(rows)),
                          "day": np.array([day for _, day in rows], int)})
    cases = _unused(cases, days, pd.concat([table, _quiet_rows(quiet, days, spec, "")]))
    cases = cases.iloc[generator.permutation(len(cases))].drop_duplicates(["station", "day"])[:wanted[1]]
    for name, n, found in (("n_storm", wanted[0], quiet), ("n_storm_cases", wanted[1], cases)):
        if n and not len(found):
            raise InputError("daily_windows", name, n, f"0: no such window with Kp {STORM_KP:g} or more is "
                             "left; or an earlier storm_from, a longer span")
    storm = np.flatnonzero(stormy)
    begins = storm[np.diff(storm, prepend=-2) > 1]               # of each run of consecutive days
    start = days[begins[np.searchsorted(begins, quiet.day, "right") - 1]]
    block = "storm-" + pd.Series(start).dt.strftime("%Y%m%d").to_numpy(object)
    before = [windows._rows(rows[row][0], days[[day]], spec, True)
              for row, day in zip(cases.row, cases.day, strict=True)]
    return [part.assign(role="storm") for part in (_quiet_rows(quiet, days, spec, block), *before)]


def _quiet_only(table, calm, days, spec, seed):
    """Put calm days of the same stations in the place of the controls."""
    cases, controls = table[table.role == "case"], table[table.role == "control"]
    calm = calm.iloc[rng(seed, "daily", "quiet_only").permutation(len(calm))]
    calm = calm.sort_values("far", ascending=False, kind="stable")
    parts = []
    for station, n in controls.station.value_counts().sort_index().items():
        of = calm[calm.station == station]
        if len(of) < n:
            raise InputError("daily_windows", f"calm days of {station}", len(of),
                             f"{n}, as many as its cases: a longer span or fewer windows")
        parts.append(of.iloc[:n])
    chosen = pd.concat(parts, ignore_index=True)
    block = "quiet-" + chosen.station + "-" + pd.Series(days[chosen.day]).dt.strftime("%Y%m%d")
    return pd.concat([cases, _quiet_rows(chosen, days, spec, block.to_numpy(object)).assign(role="control")])


def _unused(rows, days, *tables):
    """Leave out stations and days that a table has already."""
    used = pd.concat([t[["station", "start"]] for t in tables])
    used = pd.MultiIndex.from_arrays([used.station, used.start.astype("datetime64[ns]")])
    return rows[~pd.MultiIndex.from_arrays([rows.station, days[rows.day]]).isin(used)]


def _quiet_rows(rows, days, spec, block):
    """Fill the table for windows without an earthquake."""
    start = pd.Series(days[rows.day])
    nan = dict.fromkeys(("magnitude", "azimuth_deg", "distance_km", "depth_km", "lead_days"), np.nan)
    return pd.DataFrame({
        "station": rows.station.to_numpy(object), "start": start,
        "end": start + pd.Timedelta(seconds=spec.window_s), "lookback_s": 0.0,
        "horizon_s": windows.HORIZON_DAYS * 86_400, "event_id": "", "cluster_id": "", "block_id": block,
        "magnitude_class": "Normal", "azimuth_class": "Normal", **nan})


def _finish(table, kp, dst):
    """Add indices and names, and refuse a window without indices."""
    table["kp_max"], table["dst_min"] = space_weather.window_indices(kp, dst, table.start, table.end)
    for name in ("kp_max", "dst_min"):
        missing = table[name].isna()
        if missing.any():
            row = table[missing].iloc[0]
            raise InputError("daily_windows", f"{name} of {row.station}, {row.start}", np.nan,
                             "an index without gap there; cut the span or fill the series")
    table = table.sort_values(["start", "station"], kind="stable", ignore_index=True)
    table["window_id"] = table.station + "-" + table.start.dt.strftime("%Y%m%dT%H")
    table["parent_id"] = table.window_id
    table.loc[table.role == "storm", "set_id"] = ""
    table["set_id"] = table.set_id.fillna("").astype("str")       # calm controls are matched to nothing
    return table.assign(is_storm=is_storm(table.kp_max, table.dst_min)).loc[:, list(COLUMNS)]
