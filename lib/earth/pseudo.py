"""Nights of real records, and earthquakes that never were (layer 1).

The truth of a test with a planted signal is ours: pseudo-events on random dates, and nights to compare with.
"""

import numpy as np
import pandas as pd
import xarray as xr

from lib.config import rng
from lib.earth import space_weather
from lib.earth.records import fill_gaps
from lib.earth.windows import COLUMNS, DAY, HORIZON_DAYS, KP_TOLERANCE
from lib.files import InputError

HOUR = np.timedelta64(3600, "s")
ONE_NIGHT = {"lead_days": 1.2, "gap_days": 0.3, "edge_days": 0.1}   # lies in one night, not in its neighbours
AHEAD = pd.Timedelta(hours=18)        # from the middle of that night to the event


def night_start_hour(longitude: float, local_hour: float = 0.0) -> int:
    """UTC hour nearest to a local mean solar hour.

    >>> night_start_hour(144.19), night_start_hour(254.8), night_start_hour(356.8)
    (14, 7, 0)
    """
    return round(local_hour - ((longitude + 180) % 360 - 180) / 15) % 24


def cut_nights(record: xr.Dataset, kp: pd.Series, dst: pd.Series, hours: float = 4.0
               ) -> tuple[pd.DataFrame, np.ndarray]:
    """Cut the hours after local midnight of every day, by the gap rule of S4.

    Gaps under three minutes take the window's mean; a window with a longer one is dropped.

    Parameters
    ----------
    record : xarray.Dataset
        With `longitude`; local midnight is rounded to the whole UTC hour.
    kp, dst : Series
        Three-hourly and hourly, UTC.
    hours : float
        Length of the window.

    Returns
    -------
    nights : DataFrame
        station, start, end, kp_max, dst_min (NaN where unknown); attribute `dropped`: nights with a long gap.
    x : array, shape (N, 3, n)
        H, D, Z in nT.

    Raises
    ------
    InputError
        If no night is whole.
    """
    step = round(record.attrs["sampling_s"] * 1e9)
    time = record["time"].values.astype("datetime64[ns]")
    n, hour = round(hours * 3600e9 / step), night_start_hour(record.attrs["longitude"])
    days = np.arange(time[0].astype("datetime64[D]"), time[-1] + DAY, DAY).astype("datetime64[ns]")
    days = days + hour * HOUR
    first = (days - time[0]).astype(np.int64) // step
    inside = (first >= 0) & (first + n <= time.size)
    data = np.stack([record[c].values for c in "HDZ"])
    kept, parts = [], []
    for day, k in zip(days[inside], first[inside], strict=True):
        part = data[:, k:k + n]
        if np.isnan(part).any():
            filled = fill_gaps(record.isel(time=slice(int(k), int(k) + n)), "mean_3min")
            part = np.stack([filled[c].values for c in "HDZ"])
        if np.isfinite(part).all():
            kept.append(day)
            parts.append(part)
    if not kept:
        raise InputError(record.attrs.get("source", "record"), "nights", 0,
                         "one night without a gap of 3 min or more")
    start = pd.DatetimeIndex(kept)
    nights = pd.DataFrame({"station": record.attrs["station"], "start": start,
                           "end": start + pd.Timedelta(hours=hours)})
    nights["kp_max"], nights["dst_min"] = space_weather.window_indices(kp, dst, nights.start, nights.end)
    nights.attrs["dropped"] = int(inside.sum()) - len(kept)
    return nights, np.stack(parts)


def matched_nights(nights: pd.DataFrame, seed: int, n_events: int | None = None,
                   quiet_kp: float | None = None) -> pd.DataFrame:
    """Pseudo-events on random dates, the night before each, and for each a quiet night like it.

    Case-crossover as in `lib.earth.windows.sample_windows`: same station, hours and season (month within
    one), Kp within one unit, no night used twice. The event follows the middle of its night by 18 h; a signal
    of shape `ONE_NIGHT` then reaches that night alone, so that other nights need not keep the 20 days'
    distance that real earthquakes ask for (which would leave two to seven events a year here).

    Parameters
    ----------
    nights : DataFrame
        From `cut_nights`, one station; nights without Kp are not used.
    seed : int
    n_events : int, optional
        At most so many; by default as many as find a match.
    quiet_kp : float, optional
        Take as quiet nights any below this Kp instead of like ones, as the published studies do (E1, below
        2): to show what that does where nothing is planted, never for a claim.

    Returns
    -------
    DataFrame
        The windows table (`lib.earth.windows.COLUMNS`) by time, half of it event nights, and two columns
        more: `night`, the row of `nights`; `event_time` (NaT if quiet). `set_id` names the pair.

    Raises
    ------
    InputError
        If fewer than two events find a match.
    """
    draw = rng(seed, "pseudo-events", str(nights.station.iloc[0]), str(nights.start.iloc[0]))
    kp, month = nights.kp_max.to_numpy(), nights.start.dt.month.to_numpy()
    free, pairs = np.isfinite(kp), []
    for case in draw.permutation(len(nights)):
        if len(pairs) == n_events:
            break
        apart = np.abs(month - month[case]) % 12
        like = free & (np.abs(kp - kp[case]) <= KP_TOLERANCE) & ((apart <= 1) | (apart == 11))
        like = like if quiet_kp is None else free & (kp < quiet_kp)
        like[case] = False
        if free[case] and like.any():
            control = draw.choice(np.flatnonzero(like))
            pairs.append((case, control))
            free[[case, control]] = False
    if len(pairs) < 2:
        raise InputError("pseudo.matched_nights", "matched events", len(pairs),
                         "nights enough for two events")
    return _table(nights, np.array(pairs))


def _table(nights, pairs):
    """Windows table of pairs (event night, quiet night), (n, 2)."""
    n = len(pairs)
    table = nights.iloc[pairs.T.ravel()].assign(night=pairs.T.ravel())
    event, nan = np.arange(2 * n) < n, np.where(np.arange(2 * n) < n, 0.0, np.nan)
    name = (table.station + table.start.dt.strftime("-%Y%m%dT%H")).to_numpy()
    time = (table.start + (table.end - table.start) / 2 + AHEAD).where(event)
    label = np.where(event, "pseudo-" + name, "")
    table = table.assign(
        window_id=name, parent_id=name, event_id=label, cluster_id=label, event_time=time,
        block_id=np.where(event, "", "quiet-" + name), magnitude=6.0 + nan, azimuth_deg=nan, distance_km=nan,
        magnitude_class=np.where(event, "Large", "Normal"), azimuth_class=np.where(event, "N", "Normal"),
        depth_km=10.0 + nan, lead_days=(time - table.end) / pd.Timedelta(days=1), lookback_s=0.0,
        horizon_s=HORIZON_DAYS * 86_400, set_id=np.tile(label[:n], 2))
    columns = [*COLUMNS, "night", "event_time"]
    return table.sort_values("start", kind="stable", ignore_index=True).loc[:, columns]
