"""Seeded random streams, one per purpose, and noise that is continuous across hours (layer 1).

Every random number of a synthetic world comes from a stream named by purpose, place, day and hour, so
that any stretch of any record can be made alone, in any order, with the same bits (validity.md C0).
"""

import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pandas as pd

from lib.files import InputError

HOUR_S = 3600
BLOCK_S = 2 * HOUR_S     # every hour is synthesised as a block of two, which overlaps its neighbours

# The position is the stream's id: append, never reorder.
STREAMS = ("catalogue", "indices", "common", "incoherence", "site", "level", "constants",
           "artefacts", "precursor", "pulsations", "sq")


def stream(seed: int, purpose: str, *key: int) -> np.random.Generator:
    """Return the generator of one purpose and key, for example (place, day, hour).

    Parameters
    ----------
    seed : int
        Seed of the world.
    purpose : str
        One of `STREAMS`.
    *key : int
        Non-negative integers below 2**32.

    Notes
    -----
    Source: validity.md C0.

    Examples
    --------
    >>> float(stream(1, "sq", 7).random()) == float(stream(1, "sq", 7).random())
    True
    """
    spawn_key = (STREAMS.index(purpose), *key)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def name_key(name: str) -> int:
    """Return the integer by which a station or an event enters a stream's key.

    It depends on the name only: adding or reordering stations changes no bits of the others.

    >>> name_key("SCN") != name_key("SKB")
    True
    """
    return zlib.crc32(name.encode())


@lru_cache(maxsize=1)
def taper() -> np.ndarray:
    """Half sine over one block: squares of two halves an hour apart sum to one.

    >>> float(round(taper()[100] ** 2 + taper()[100 + HOUR_S] ** 2, 5))
    1.0
    """
    return np.sin(np.pi * (np.arange(BLOCK_S) + 0.5) / BLOCK_S).astype(np.float32)


@lru_cache(maxsize=1)
def frequencies_hz() -> np.ndarray:
    """Frequencies of a block's spectrum, (BLOCK_S / 2 + 1,) in Hz."""
    return np.fft.rfftfreq(BLOCK_S)


def unit_spectrum(rng: np.random.Generator, rows: int, bins: int = BLOCK_S // 2 + 1) -> np.ndarray:
    """Draw the spectrum of white noise whose one-sided PSD is 1 per Hz.

    Multiplied by sqrt(PSD) and passed through an inverse real FFT of BLOCK_S points it gives noise
    with that PSD, in the unit of sqrt(PSD Hz).

    Returns
    -------
    numpy.ndarray
        complex64, (rows, bins).
    """
    draws = rng.standard_normal((rows, 2 * bins), dtype=np.float32)
    draws *= np.float32(np.sqrt(BLOCK_S) / 2)        # PSD = 2 |X|^2 / (N fs)
    return draws.view(np.complex64)


def joined_hour(block: Callable[[int], np.ndarray], hour: int) -> np.ndarray:
    """Join the two tapered blocks that cover an hour.

    The taper is power-complementary, so stationary blocks give a stationary sum without hourly edges.

    Parameters
    ----------
    block : callable
        Hour number -> tapered array (..., BLOCK_S) that begins at that hour.
    hour : int
        Hours since 1970-01-01.

    Returns
    -------
    numpy.ndarray
        (..., HOUR_S).
    """
    return block(hour - 1)[..., HOUR_S:] + block(hour)[..., :HOUR_S]


def hour_slices(first_s: int, n: int):
    """Yield (hour, slice of that hour, slice of the window) for n seconds from `first_s`.

    >>> list(hour_slices(7000, 300))
    [(1, slice(3400, 3600, None), slice(0, 200, None)), (2, slice(0, 100, None), slice(200, 300, None))]
    """
    for hour in range(first_s // HOUR_S, (first_s + n - 1) // HOUR_S + 1):
        begin = max(hour * HOUR_S, first_s)
        end = min((hour + 1) * HOUR_S, first_s + n)
        yield (hour, slice(begin - hour * HOUR_S, end - hour * HOUR_S),
               slice(begin - first_s, end - first_s))


def whole_second(time) -> int:
    """Return a UTC instant as seconds since 1970-01-01.

    Raises
    ------
    InputError
        If it is no time, lies before 1970 or between two samples.

    Examples
    --------
    >>> whole_second("1970-01-02")
    86400
    """
    try:
        stamp = pd.Timestamp(time)
        stamp = stamp.tz_convert(None) if stamp.tz is not None else stamp
        seconds, rest = divmod(stamp.as_unit("ns").value, 10**9)
    except (TypeError, ValueError) as error:
        raise InputError("window", "start", time, "a UTC time such as 2020-01-31T14:00") from error
    if rest or seconds < 0 or stamp is pd.NaT:
        raise InputError("window", "start", time, "a whole second since 1970, UTC")
    return seconds


def positive_count(n) -> int:
    """Return n as int.

    Raises
    ------
    InputError
        Unless it is a whole number of at least one.
    """
    if isinstance(n, (bool, str)) or not 1 <= n < 2**40 or int(n) != n:
        raise InputError("window", "n", n, "a whole number of samples, at least 1")
    return int(n)
