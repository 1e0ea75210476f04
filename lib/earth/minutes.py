"""Minute values, made from the seconds of a record or of a synthetic world (layer 1).

One sample a minute ends at 0.00833 Hz. What a study plants or looks for above that is not in its data: of
C8's 0.01-0.05 Hz a mean leaves a sixth of the amplitude, and that at frequencies not its own (`gain`).
"""

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth import field, precursor
from lib.files import InputError
from lib.studies import WorldSpec

MINUTE_S = 60
NYQUIST_HZ = 0.5 / MINUTE_S
LENGTHS = {"hour": 60, "day": 1440, "week": 10_080, "month": 43_200}   # S4: samples of its four windows
PLANTED_BAND_HZ = (0.001, 0.008)      # what minute values can hold, in place of C8's 0.01-0.05 Hz [D]
# INTERMAGNET's one-minute filter from seconds, as the USGS observatories run it (geomag-algorithms,
# FilterAlgorithm); a minute is missing when more than a tenth of its weight is.
TAPS, SIGMA_S, MISSING_SHARE = 91, 15.8734, 0.1
DAY_N = 1440


def kernel(how: str = "mean") -> np.ndarray:
    """Weights over seconds that make one minute value.

    Parameters
    ----------
    how : {"mean", "gauss"}
        ``"mean"``: 60 equal weights from the full minute on. ``"gauss"``: 91 Gaussian ones around it, which
        is what INTERMAGNET recommends against aliasing.

    >>> kernel("mean").size, kernel("gauss").size
    (60, 91)
    """
    if how == "mean":
        return np.full(MINUTE_S, 1 / MINUTE_S)
    if how == "gauss":
        weights = np.exp(-0.5 * ((np.arange(TAPS) - TAPS // 2) / SIGMA_S) ** 2)
        return weights / weights.sum()
    raise InputError("minutes", "how", how, "mean or gauss")


def gain(frequency_hz, how: str = "mean") -> np.ndarray:
    """Return the share of a sine's amplitude left in minute values (aliased where above 0.00833 Hz).

    >>> gain([0.0, 0.005, 1 / 60]).round(3).tolist()
    [1.0, 0.858, 0.0]
    """
    weights = kernel(how)
    phase = 2 * np.pi * np.multiply.outer(np.asarray(frequency_hz, float), np.arange(weights.size))
    return np.abs(np.exp(1j * phase) @ weights)


def to_minutes(x: np.ndarray, how: str = "mean") -> np.ndarray:
    """Average a series of seconds to minutes.

    Parameters
    ----------
    x : array, shape (..., 60 n) for "mean", (..., 60 (n - 1) + 91) for "gauss"
        1 Hz; NaN where missing. Gaussian values stand for second 45 and every 60th after it.
    how : {"mean", "gauss"}

    Returns
    -------
    array, shape (..., n)
        float64; NaN where more than a tenth of the weight is missing.

    Raises
    ------
    InputError
        For another filter, or a length that makes no whole number of minutes.
    """
    weights = kernel(how)
    x = np.asarray(x)
    size = x.shape[-1]
    if size < weights.size or (size - weights.size) % MINUTE_S:
        raise InputError("to_minutes", "length", size, f"{weights.size} seconds and whole minutes more")
    rows = np.lib.stride_tricks.sliding_window_view(x, weights.size, axis=-1)[..., ::MINUTE_S, :]
    rows = rows.astype(float)
    good = np.isfinite(rows)
    if good.all():
        return rows @ weights
    seen = good @ weights
    values = np.where(good, rows, 0.0) @ weights
    return np.where(seen >= 1 - MISSING_SHARE - 1e-9, values / np.maximum(seen, 1e-9), np.nan)


def minute_record(record: xr.Dataset, how: str = "mean") -> xr.Dataset:
    """Average a record of seconds to minutes, from its first whole minute on.

    Raises
    ------
    InputError
        If the record is not sampled at 1 Hz or holds no whole minute.
    """
    source = record.attrs.get("source", "record")
    if record.attrs["sampling_s"] != 1.0:
        raise InputError(source, "sampling_s", record.attrs["sampling_s"], "1: seconds are averaged here")
    taps = kernel(how).size
    margin, time = (taps // 2 if how == "gauss" else 0), record["time"].values
    since = int((time[0] - time[0].astype("datetime64[m]")) / np.timedelta64(1, "s"))
    first = -(since + margin) % MINUTE_S
    n = (time.size - first - taps) // MINUTE_S + 1
    if n < 1:
        raise InputError(source, "length", f"{time.size} s", "at least one whole minute")
    last = first + MINUTE_S * (n - 1) + taps
    values = {c: ("time", to_minutes(record[c].values[first:last], how)) for c in "HDZ"}
    stamps = time[first + margin] + np.arange(n) * np.timedelta64(MINUTE_S, "s")
    return xr.Dataset(values, {"time": stamps}, record.attrs | {"sampling_s": 60.0, "minutes_by": how})


def minute_world(seed: int, spec: WorldSpec | None = None, *,
                 band_hz: tuple[float, float] = PLANTED_BAND_HZ, **world) -> field.World:
    """Make a synthetic world whose precursors lie in a band that minute values can hold.

    Parameters
    ----------
    seed, spec, **world
        As `lib.earth.field.World`; of a `shape` given here only the band is replaced.
    band_hz : (low, high)

    Raises
    ------
    InputError
        If the band is not below 0.00833 Hz.
    """
    check_band(band_hz, "minute_world")
    shape = world.pop("shape", None) or precursor.Shape()
    values = {name: getattr(shape, name) for name in shape.__dataclass_fields__} | {"band_hz": tuple(band_hz)}
    return field.World(seed, spec, shape=precursor.Shape(**values), **world)


def check_band(band_hz: tuple[float, float], source: str = "minutes") -> None:
    """Refuse a band that minute values cannot hold, naming their Nyquist frequency."""
    low, high = band_hz
    if not 0 < low < high < NYQUIST_HZ:
        raise InputError(source, "band_hz", tuple(band_hz),
                         f"0 < low < high < {NYQUIST_HZ:.6f} Hz, the Nyquist frequency of 60 s sampling: a "
                         f"signal above it is not in minute values (`gain`: the rest is aliased); "
                         f"{PLANTED_BAND_HZ} fits")


def minute_means(world, station: str, start, n: int, *, how: str = "mean", snr: float | None = None,
                 allow_vanishing: bool = False) -> np.ndarray:
    """Minute values of a synthetic world, made from its seconds day by day.

    Parameters
    ----------
    world : lib.earth.field.World
        See `minute_world`.
    station : str
    start : datetime-like
        First minute, UTC. A mean is that of the 60 s from there on, a Gaussian value is centred on it.
    n : int
        Minutes.
    how : {"mean", "gauss"}
    snr : float, optional
        As `World.window`.
    allow_vanishing : bool
        Accept a planted band above the Nyquist frequency, to show what becomes of it.

    Returns
    -------
    array, shape (3, n)
        float64, nT: H, D, Z.

    Raises
    ------
    InputError
        As `World.window`; for precursors in a band that is not in minute values.

    Notes
    -----
    About 20 ms a station-day. The record is float32, steps of 0.004 nT at 45 000 nT, of which a mean of 60 s
    leaves 0.0003 nT.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError("minute_means", "n", n, "a whole number of minutes, at least 1")
    amplitude = world.spec.snr if snr is None else snr
    if amplitude and not allow_vanishing:
        check_band(world.shape.band_hz, "minute_means")
    weights = kernel(how)
    margin = pd.Timedelta(seconds=weights.size // 2 if how == "gauss" else 0)
    start, out = pd.Timestamp(start), np.empty((3, n))
    for first in range(0, n, DAY_N):
        k = min(DAY_N, n - first)
        begin = start + pd.Timedelta(minutes=first) - margin
        seconds = world.window(station, begin, MINUTE_S * (k - 1) + weights.size, snr)
        out[:, first:first + k] = to_minutes(seconds, how)
    return out
