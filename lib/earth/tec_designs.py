"""Sampling designs of the TEC study: the published one as we read it, and a fair one (layer 1).

A window is 30 whole UT days of TEC above one point; its images also use the 15 days before it (lookback).
With no anomaly at all, the design and the split make the score (validity.md B11, C9, D1).
"""

import numpy as np
import pandas as pd

from lib.config import rng
from lib.earth import catalog as catalogs
from lib.earth import space_weather
from lib.earth.windows import COLUMNS, HORIZON_DAYS, QUIET_DAYS, event_station_pairs
from lib.files import InputError
from lib.studies import WindowSpec

TEC_COLUMNS = (*COLUMNS, "f107")
LOOKBACK_DAYS = 15       # reference of the median
DECILES = 10
DAY = np.timedelta64(86_400, "s")


def published_tec(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                  f107: pd.Series, spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Draw the windows before random earthquakes and as many random quiet windows from one series.

    Our reading of S3 ("2356 random samples, half of them positive", 30 days before M > 5), which defines
    neither the negatives nor the region. A positive is the 30 UT days before the day of an earthquake of at
    least `spec.min_magnitude` within `spec.radius_km`; earthquakes are drawn at random, aftershocks like all
    others, none twice. Two earthquakes of one day give two rows of the same hours: they share `parent_id`.
    A negative ends at 00 UT of a random day, none twice, with no such earthquake in the 7 days after it.

    Parameters
    ----------
    catalog, kp, dst
        As in `windows.sample_windows`.
    stations : DataFrame
        One row, the point: code, latitude, longitude.
    f107 : Series
        Daily F10.7 in sfu; it and `kp` say which days there are.
    spec : WindowSpec
        `window_s` (whole days; S3: 30), `n_windows` (2356), `min_magnitude` (5), `radius_km`, `depth_km`.
    seed : int

    Returns
    -------
    DataFrame
        The windows table with `f107` (mean over the window) and `set_id` (empty), by time; at most
        `spec.n_windows` rows, half of them quiet.

    Raises
    ------
    InputError
        For several points, a window that is not whole days, a missing column, or nothing to draw from.

    When not to use: for any claim. Earthquakes bunch in time and windows overlap: a random split tests on
    days that it has trained on. Sources: S3; validity.md B11,
    C9; systems.md 4.2 P5 to P7.
    """
    pairs = _pairs(catalog, stations, spec)
    ends = _ends(kp, f107, spec)
    generator = rng(seed, "tec_designs", "published_tec")
    case = _day_of(pairs, ends)
    events, quiet = np.flatnonzero(case >= 0), np.flatnonzero(_quiet(pairs, ends, (0.0, HORIZON_DAYS)))
    n = min(spec.n_windows // 2, len(events), len(quiet))
    if n < 1:
        raise InputError("published_tec", "earthquakes, quiet days", (len(events), len(quiet)),
                         "one of each: a longer span, another radius_km or min_magnitude")
    event, quiet = generator.permutation(events)[:n], generator.permutation(quiet)[:n]
    day, row = np.concatenate([case[event], quiet]), np.concatenate([event, np.full(n, -1)])
    order = np.lexsort([row, day])
    return _table(ends[day[order]], row[order], np.full(2 * n, ""), pairs, stations, kp, dst, f107, spec)


def fair_tec(catalog: pd.DataFrame, stations: pd.DataFrame, kp: pd.Series, dst: pd.Series,
             f107: pd.Series, spec: WindowSpec, seed: int) -> pd.DataFrame:
    """Pair the window before each mainshock with a quiet one of the same month and F10.7 decile.

    Earthquakes are declustered by the windows of Gardner and Knopoff; the window of a mainshock ends with
    the UT day before it. Its control lies in the same calendar month, of any year, and the same decile of
    F10.7; no selected earthquake, aftershocks included, happens from 2 days before to 20 days after its end
    (C9); the two share no hour, reference days included. Every day is used once.

    Parameters
    ----------
    catalog, stations, kp, dst, f107, spec, seed
        As in `published_tec`.

    Returns
    -------
    DataFrame
        The windows table with `f107` and `set_id`, which case and control share, by time; at most
        `spec.n_windows` rows. `cluster_id` is the mainshock's event_id.

    Raises
    ------
    InputError
        As `published_tec`, and if no mainshock can be matched.

    Notes
    -----
    Split it by P5 with an embargo of 45 days: 30 of the window and 15 of the reference. Sources: validity.md
    C9, A3.1.
    """
    pairs = catalogs.gardner_knopoff(_pairs(catalog, stations, spec))
    ends = _ends(kp, f107, spec)
    day, event, name = _match(pairs, ends, _mean_f107(f107, ends, spec), spec,
                              rng(seed, "tec_designs", "fair_tec"))
    return _table(ends[day], event, name, pairs, stations, kp, dst, f107, spec)


TEC_DESIGNS = {"published_tec": published_tec, "fair_tec": fair_tec}


def adjacency(windows: pd.DataFrame, folds: list[tuple[np.ndarray, np.ndarray]],
              days: tuple[float, ...] = (1, 3, 15)) -> dict[float, float]:
    """Share of test windows for which a training window starts within some days, by that number of days.

    Parameters
    ----------
    windows : DataFrame
        `start` is read.
    folds : list of (training rows, test rows)
    days : tuple of float
        Inclusive, before or after.

    Notes
    -----
    Source: validity.md B11: .45, .75 and .998 for 2356 starts in 8400 days, seven in ten for training. That
    counts a training window on the same day.

    Examples
    --------
    >>> start = pd.to_datetime(["2020-01-01", "2020-01-03", "2020-02-01"])
    >>> adjacency(pd.DataFrame({"start": start}), [(np.array([0]), np.array([1, 2]))], (1, 3))
    {1: 0.0, 3: 0.5}
    """
    start = windows["start"].to_numpy("datetime64[ns]").astype(np.int64)
    gaps = []
    for train, test in folds:
        known = np.sort(start[train])
        at = np.searchsorted(known, start[test])
        after, before = known[np.minimum(at, len(known) - 1)], known[np.maximum(at - 1, 0)]
        gaps.append(np.minimum(np.abs(after - start[test]), np.abs(start[test] - before)))
    gap_days = np.concatenate(gaps) / 86_400e9
    return {limit: float((gap_days <= limit).mean()) for limit in days}


def _pairs(catalog, stations, spec):
    """Select the earthquakes near the one point, by time."""
    if len(stations) != 1:
        raise InputError("stations", "rows", len(stations), "one: the point above which TEC is taken")
    if spec.window_s % 86_400 or spec.window_s < 86_400:
        raise InputError("WindowSpec", "window_s", spec.window_s, "whole days, 2592000 for 30")
    pairs = event_station_pairs(catalog, stations, spec)
    if not len(pairs):
        raise InputError("catalogue", "selected events", 0, "another radius_km, min_magnitude or depth_km")
    return pairs.sort_values("time", kind="stable", ignore_index=True)


def _ends(kp, f107, spec):
    """List the ends, 00 UT, of all windows that have their reference before and their horizon after them."""
    first = max(kp.index[0], f107.index[0]).ceil("D") + pd.Timedelta(days=LOOKBACK_DAYS,
                                                                     seconds=spec.window_s)
    last = min(kp.index[-1] + (kp.index[-1] - kp.index[-2]), f107.index[-1] + pd.Timedelta(days=1))
    last = last.floor("D") - pd.Timedelta(days=HORIZON_DAYS)
    ends = np.arange(first, last + pd.Timedelta(days=1), DAY).astype("datetime64[ns]")
    if not len(ends):
        raise InputError("kp, f107", "span", f"{f107.index[0]} to {f107.index[-1]}",
                         "more days than reference, window and horizon together")
    return ends


def _match(pairs, ends, level, spec, generator):
    """Draw mainshocks and their controls: index of the end, row of the earthquake or -1, name of the set."""
    quiet, case = _quiet(pairs, ends, QUIET_DAYS), _day_of(pairs, ends)
    month = pd.DatetimeIndex(ends - DAY).month.to_numpy()
    decile = np.searchsorted(np.quantile(level, np.arange(1, DECILES) / DECILES), level, "right")
    apart = spec.window_s // 86_400 + LOOKBACK_DAYS
    mains = np.flatnonzero((pairs["cluster_id"] == pairs["event_id"]).to_numpy() & (case >= 0))
    free, rows = np.ones(len(ends), bool), []
    for event in generator.permutation(mains):
        day = case[event]
        fits = free & quiet & (month == month[day]) & (decile == decile[day])
        fits[max(day - apart + 1, 0):day + apart] = False
        if len(rows) + 2 > spec.n_windows or not free[day] or not fits.any():
            continue
        control = generator.choice(np.flatnonzero(fits))
        free[[day, control]] = False
        name = f"S{len(rows) // 2:04d}"
        rows += [(day, event, name), (control, -1, name)]
    if not rows:
        raise InputError("fair_tec", "matched pairs", 0, "a longer span or a larger min_magnitude")
    return (np.array(part) for part in zip(*sorted(rows), strict=True))


def _day_of(pairs, ends):
    """Index of the end at 00 UT of each earthquake's day, -1 outside the span."""
    time = pairs["time"].to_numpy("datetime64[ns]")
    return np.where(time < ends[-1] + DAY, np.searchsorted(ends, time, "right") - 1, -1)


def _quiet(pairs, ends, days):
    """Which ends have no selected earthquake from `days[0]` to `days[1]` days after them, (n,) bool."""
    time = pairs["time"].to_numpy("datetime64[ns]")
    before, after = (np.timedelta64(int(d * 86_400), "s") for d in days)
    return np.searchsorted(time, ends + before) == np.searchsorted(time, ends + after)


def _mean_f107(f107, ends, spec):
    """Mean F10.7 over the days of each window, NaN left out."""
    days = spec.window_s // 86_400
    mean = f107.rolling(days, min_periods=1).mean()
    return mean.reindex(pd.DatetimeIndex(ends - DAY)).to_numpy()


def _table(ends, row, set_id, pairs, stations, kp, dst, f107, spec):
    """Fill the windows table from the ends of the windows and the row of the earthquake, -1 if quiet."""
    event = row >= 0
    of = pairs.reindex(row).reset_index(drop=True)
    station, end = stations["code"].iloc[0], pd.Series(ends)
    start = end - pd.Timedelta(seconds=spec.window_s)
    kp_max, dst_min = space_weather.window_indices(kp, dst, start, end)
    name = station + "-" + start.dt.strftime("%Y%m%d")
    again = name.groupby(name).cumcount().to_numpy()
    table = pd.DataFrame({
        "window_id": [f"{n}~{k}" if k else n for n, k in zip(name, again, strict=True)],
        "parent_id": name, "station": station, "start": start, "end": end,
        "lookback_s": LOOKBACK_DAYS * 86_400.0, "horizon_s": HORIZON_DAYS * 86_400,
        "kp_max": kp_max, "dst_min": dst_min, "f107": _mean_f107(f107, ends, spec), "set_id": set_id,
        "event_id": np.where(event, of["event_id"], ""), "cluster_id": np.where(event, of["cluster_id"], ""),
        "block_id": np.where(event, "", "quiet-" + name),
        **{column: of[column].astype(float) for column in ("magnitude", "azimuth_deg", "distance_km",
                                                           "depth_km")},
        "lead_days": (of["time"] - end).dt.total_seconds() / 86_400,
        "magnitude_class": catalogs.magnitude_class(of["magnitude"]),
        "azimuth_class": catalogs.azimuth_class(of["azimuth_deg"])})
    return table.loc[:, list(TEC_COLUMNS)]
