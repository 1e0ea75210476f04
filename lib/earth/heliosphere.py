"""Synthetic space weather: hourly Dst, three-hourly Kp, storms (layer 1; validity.md C5)."""

import math

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from lib.earth.streams import stream
from lib.files import InputError

CYCLE_YEARS = 11.0
CYCLE_MINIMUM = pd.Timestamp("2019-12-15")   # minimum between solar cycles 24 and 25
HOURS_PER_YEAR = 8766.0
STORMS_PER_YEAR = (10.0, 40.0)               # at solar minimum and maximum (C5)
ROTATION_H = 27 * 24
STREAM_H = 72                                # length of a recurrent high-speed stream [D]
STREAM_VBS_MV_M = 3.6                        # sd before rectification: about 1.5 in southward hours (C5)


def solar_cycle(time) -> np.ndarray:
    """Phase of the 11-year cycle as activity, 0 at minimum and 1 at maximum.

    Source: validity.md C10, c(t) = .5 - .5 cos(2 pi (t - t0) / 11 y).

    >>> round(float(solar_cycle("2019-12-15")), 3)
    0.0
    """
    years = (pd.to_datetime(time) - CYCLE_MINIMUM) / pd.Timedelta(hours=HOURS_PER_YEAR)
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.asarray(years, float) / CYCLE_YEARS)


def f107_sfu(time) -> np.ndarray:
    """Smooth solar radio flux F10.7 in solar flux units, 70 + 100 c(t) (validity.md C10)."""
    return 70 + 100 * solar_cycle(time)


def burton_dst(vbs_mv_m: np.ndarray, dst_nt: float = 0.0) -> np.ndarray:
    """Integrate Dst* from the solar wind by Burton's equation in the form of O'Brien and McPherron.

    dDst*/dt = Q - Dst*/tau with Q = -4.4 (VBs - .49) nT/h above .49 mV/m, else 0, and
    tau = 2.40 exp(9.74 / (4.69 + VBs)) h.

    Parameters
    ----------
    vbs_mv_m : array_like, (n,)
        Rectified solar-wind electric field of each hour, mV/m.
    dst_nt : float
        Dst* at the beginning.

    Returns
    -------
    numpy.ndarray
        (n,) Dst* in nT at the end of each hour; Euler steps of one hour.

    Notes
    -----
    Source: O'Brien and McPherron (2000); validity.md C5.

    Examples
    --------
    >>> dst = burton_dst([5.0] * 6 + [0.0] * 18)
    >>> dst[[5, 23]].round(3).tolist()
    [-81.909, -31.192]
    """
    vbs = np.asarray(vbs_mv_m, float)
    injection = -4.4 * np.clip(vbs - 0.49, 0, None)
    keep = 1 - 1 / (2.40 * np.exp(9.74 / (4.69 + vbs)))
    out = np.empty(len(vbs))
    for i, (q, k) in enumerate(zip(injection.tolist(), keep.tolist(), strict=True)):
        dst_nt = dst_nt * k + q
        out[i] = dst_nt
    return out


def simulate_storms(seed: int, start, days: int) -> pd.DataFrame:
    """Simulate storm drivers: onset, length, electric field and sudden commencement.

    Storms come at random, 10 a year at solar minimum and 40 at maximum (validity.md C5).

    Returns
    -------
    pandas.DataFrame
        onset_h (hours after `start`), duration_h, vbs_mv_m, commencement_nt; sorted.
    """
    hours = _hours(start, days)
    low, high = STORMS_PER_YEAR
    rate = (low + (high - low) * solar_cycle(hours)) / HOURS_PER_YEAR
    # one row of draws an hour, used or not: a longer world has the same past
    draws = stream(seed, "indices", 0).random((len(hours), 4))
    normal = stream(seed, "indices", 1).standard_normal(len(hours))
    onset = np.flatnonzero(draws[:, 0] < rate)
    return pd.DataFrame({
        "onset_h": onset + draws[onset, 1],
        "duration_h": 4 + np.floor(11 * draws[onset, 2] ** 3),        # 4 ... 14 h, mostly short [D]
        "vbs_mv_m": np.exp(math.log(3.5) + 0.6 * normal[onset]),
        "commencement_nt": 10 + 30 * draws[onset, 3],
    })


def simulate_indices(seed: int, start, days: int) -> tuple[pd.Series, pd.Series]:
    """Simulate Kp and Dst.

    Parameters
    ----------
    seed : int
        Seed of the world.
    start : str or datetime-like
        First instant, UTC.
    days : int
        Length, >= 1.

    Returns
    -------
    kp : pandas.Series
        Three-hourly, in thirds from 0 to 9; indexed by the beginning of each interval.
    dst : pandas.Series
        Hourly, nT; indexed by the beginning of each hour.

    Raises
    ------
    InputError
        If `days` is not a positive whole number.

    Notes
    -----
    Source: validity.md C5. Over a solar cycle P(Kp >= 5) is .04 to .08, P(Kp >= 7) .004 to .010,
    and 3 to 10 days a year have Dst < -100 nT.
    """
    hours = _hours(start, days)
    vbs = _streams(seed, len(hours))
    for storm in simulate_storms(seed, start, days).itertuples():
        first = int(storm.onset_h)
        last = first + int(storm.duration_h)
        vbs[first:last] = np.maximum(vbs[first:last], storm.vbs_mv_m)
    dst = burton_dst(vbs) + _autoregressive(seed, 2, len(hours), 0.95, 6.0)
    depression = -dst.reshape(-1, 3).mean(axis=1)                         # (hours / 3, )
    kp = 1.2 + 0.055 * np.minimum(depression, 100) + 0.018 * np.maximum(depression - 100, 0)
    kp = np.clip(kp + _autoregressive(seed, 3, len(kp), 0.6, 0.9), 0, 9)
    return (pd.Series(np.round(3 * kp) / 3, index=hours[::3], name="kp"),
            pd.Series(dst, index=hours, name="dst"))


def _hours(start, days):
    if int(days) != days or days < 1:
        raise InputError("heliosphere", "days", days, "a positive whole number")
    return pd.date_range(pd.Timestamp(start), periods=24 * int(days), freq="h", unit="ns")


def _streams(seed, n):
    """VBs of two recurrent high-speed streams in every solar rotation, (n,) mV/m."""
    rotations = n // ROTATION_H + 3
    phase_h = int(stream(seed, "indices", 4).integers(ROTATION_H)) + np.array([0, ROTATION_H // 2])
    strength = stream(seed, "indices", 5).uniform(0.3, 1.0, (rotations, 2))
    # Alfvenic fluctuations point south half of the time
    southward = np.clip(stream(seed, "indices", 6).standard_normal(n), 0, None)
    vbs = np.zeros(n)
    for rotation in range(-2, rotations - 2):
        for k in range(2):
            first = rotation * ROTATION_H + int(phase_h[k])
            span = slice(max(first, 0), max(first + STREAM_H, 0))
            vbs[span] = STREAM_VBS_MV_M * strength[rotation + 2, k] * southward[span]
    return vbs


def _autoregressive(seed, key, n, phi, sd):
    """Stationary AR(1) noise, (n,)."""
    draws = stream(seed, "indices", key).standard_normal(n) * sd * math.sqrt(1 - phi**2)
    draws[0] /= math.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], draws)
