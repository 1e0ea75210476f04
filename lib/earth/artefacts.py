"""What instruments and culture do to a record, from spikes to gaps (layer 1).

Everything is a function of station and absolute time, drawn from the stream "artefacts"; nothing here can
know an earthquake. Source: validity.md C6.
"""

import dataclasses
import math

import numpy as np
from scipy.signal import lfilter

from lib.earth.background import Station, local_time_h
from lib.earth.seismicity import DAYS_PER_YEAR
from lib.earth.streams import HOUR_S, stream
from lib.files import InputError

DAY_S = 86400
YEAR_H = 24 * DAYS_PER_YEAR
_STEPS, _GAPS, _MAINS, _SENSOR = range(4)      # keys of a station's streams: append, never reorder


@dataclasses.dataclass(frozen=True)
class Artefacts:
    """Constants of C6; a rate, amplitude or quantum of 0 switches its item off.

    Spikes and steps hit one component each, gaps all three. Trains and mains are fields; trains pass where
    there is culture only. A sensor's gain multiplies the variation: the main field is compensated [D].
    """

    quantum_nt: float = 0.01
    spikes_per_day: float = 2.0
    spike_median_nt: float = 2.0                   # lognormal, random sign
    spike_spread: float = 1.0                      # sd of the natural logarithm
    spike_s: tuple[int, int] = (1, 3)
    steps_per_day: float = 1 / 60
    step_nt: tuple[float, float] = (2.0, 10.0)
    gaps_per_day: float = 1 / 30
    gap_s: tuple[float, float] = (600.0, 86400.0)  # uniform on the logarithm [D]
    trains_per_hour: tuple[int, int] = (1, 3)      # 05 to 24 local time
    train_s: tuple[int, int] = (60, 180)
    train_nt: tuple[float, float] = (0.05, 0.5)
    train_components: tuple[float, float, float] = (0.3, 0.3, 1.0)   # H, D, Z: "mostly Z"; size [D]
    mains_nt: float = 0.02
    mains_max_hz: float = 0.15                     # largest departure from 50 Hz, which 1 Hz shows as it is
    mains_sd_hz: float = 0.05                      # AR(1) from hour to hour, phi .9 [D]
    drift_per_year: float = 0.005
    replacement_sd: float = 0.05                   # gain of the new sensor, spread as in C2 [D]

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            parts = np.atleast_1d(value)
            if not (np.isfinite(parts).all() and (parts >= 0).all()):
                raise InputError("Artefacts", name, value, "finite numbers, at least 0")
            if len(parts) == 2 and parts[0] > parts[1]:
                raise InputError("Artefacts", name, value, "(least, most)")


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """Everything that happens to one station's instrument once or slowly, drawn by `draw_history`."""

    key: int
    longitude: float
    culture: bool
    first_hour: int
    step_s: np.ndarray             # (n,) seconds since 1970, sorted
    offset_nt: np.ndarray          # (n + 1, 3) baseline before, between and after the steps
    gap_s: np.ndarray              # (m, 2) first and one past last second without record
    mains_hz: np.ndarray           # (hours + 1,) departure from 50 Hz, joined linearly
    mains_cycles: np.ndarray       # (hours + 1,) its integral, less whole cycles
    replaced_hour: int
    factor: np.ndarray             # (3,) gain of the second sensor over the first


def draw_history(station: Station, seed: int, first_s: int, days: int, artefacts: Artefacts) -> History:
    """Draw steps, gaps, mains and sensors of one station over the span of a world.

    Parameters
    ----------
    station : background.Station
    seed : int
    first_s, days : int
        Span: first second since 1970, a whole hour, and length in days.
    artefacts : Artefacts
    """
    a, first_hour = artefacts, first_s // HOUR_S
    rng = stream(seed, "artefacts", station.key, _STEPS)
    n = rng.poisson(a.steps_per_day * days)
    step_s = first_s + np.sort(rng.integers(0, days * DAY_S, n))
    jumps = np.zeros((n + 1, 3))
    jumps[np.arange(1, n + 1), rng.integers(0, 3, n)] = rng.choice([-1, 1], n) * rng.uniform(*a.step_nt, n)

    rng = stream(seed, "artefacts", station.key, _GAPS)
    n = rng.poisson(a.gaps_per_day * days)
    begin = first_s + rng.integers(0, days * DAY_S, n)
    length = np.exp(rng.uniform(*np.log(np.maximum(a.gap_s, 1)), n)).astype(int)

    rng = stream(seed, "artefacts", station.key, _MAINS)
    shocks = a.mains_sd_hz * rng.standard_normal(24 * days + 1)
    shocks[1:] *= math.sqrt(1 - 0.9**2)
    hz = np.clip(lfilter([1.0], [1.0, -0.9], shocks), -a.mains_max_hz, a.mains_max_hz)
    cycles = np.concatenate([[0.0], np.cumsum((hz[1:] + hz[:-1]) / 2 * HOUR_S)]) % 1

    rng = stream(seed, "artefacts", station.key, _SENSOR)
    replaced = first_hour + int(rng.integers(0, 24 * days))
    factor = 1 + a.replacement_sd * rng.standard_normal(3)
    return History(station.key, station.longitude, station.culture > 0, first_hour, step_s,
                   np.cumsum(jumps, axis=0), np.stack([begin, begin + length], axis=1), hz, cycles,
                   replaced, factor)


def apply_hour(record: np.ndarray, history: History, hour: int, seed: int,
               artefacts: Artefacts) -> np.ndarray:
    """Return one hour of a record as the instrument delivers it.

    Parameters
    ----------
    record : (3, 3600)
        Variation in nT, the main field taken off; not modified.
    history : History
    hour : int
        Hours since 1970-01-01.
    seed : int
    artefacts : Artefacts

    Returns
    -------
    numpy.ndarray
        float32 (3, 3600), NaN inside gaps.
    """
    a, begin = artefacts, hour * HOUR_S
    out = record * gain(history, hour, a).astype(np.float32)[:, None]
    for onset, wave in (*_events(history, hour - 1, seed, a), *_events(history, hour, seed, a)):
        low, high = max(onset, begin), min(onset + wave.shape[1], begin + HOUR_S)
        if low < high:
            out[:, low - begin:high - begin] += wave[:, low - onset:high - onset]
    if a.mains_nt:
        out += _mains(history, hour, a)
    if len(history.step_s):
        one, last = np.searchsorted(history.step_s, [begin, begin + HOUR_S - 1], side="right")
        index = one if one == last else np.searchsorted(history.step_s, begin + np.arange(HOUR_S), "right")
        out += history.offset_nt[index].T.reshape(3, -1).astype(np.float32)
    if a.quantum_nt:
        out = (np.rint(out / a.quantum_nt) * a.quantum_nt).astype(np.float32)
    first, end = (history.gap_s - begin).T
    for gap in np.flatnonzero((first < HOUR_S) & (end > 0)):
        out[:, max(first[gap], 0):end[gap]] = np.nan
    return out


def gain(history: History, hour: int, artefacts: Artefacts) -> np.ndarray:
    """Gain of the sensors in an hour, (3,): it grows with age, and a new sensor starts afresh.

    >>> h = History(1, 0.0, True, 0, *[np.zeros(0)] * 5, 8766, np.full(3, 1.1))
    >>> [gain(h, hour, Artefacts()).round(4).tolist()[0] for hour in (0, 8765, 8766)]
    [1.0, 1.005, 1.1]
    """
    if hour < history.replaced_hour:
        return np.full(3, 1 + artefacts.drift_per_year * (hour - history.first_hour) / YEAR_H)
    return history.factor * (1 + artefacts.drift_per_year * (hour - history.replaced_hour) / YEAR_H)


def _events(history, hour, seed, a):
    """Spikes and trains that begin in an hour: (second since 1970, (3, m) nT); they may end in the next."""
    rng = stream(seed, "artefacts", history.key, *divmod(hour, 24))
    found = []
    for _ in range(rng.poisson(a.spikes_per_day / 24)):
        wave = np.zeros((3, rng.integers(a.spike_s[0], a.spike_s[1] + 1)), np.float32)
        size = a.spike_median_nt * math.exp(a.spike_spread * rng.standard_normal())
        wave[rng.integers(3)] = size * rng.choice([-1, 1])
        found.append((hour * HOUR_S + int(rng.integers(HOUR_S)), wave))
    if history.culture and local_time_h(hour + 0.5, history.longitude) >= 5:
        weight = np.array(a.train_components)[:, None]
        for _ in range(rng.integers(a.trains_per_hour[0], a.trains_per_hour[1] + 1)):
            n = int(rng.integers(a.train_s[0], a.train_s[1] + 1))
            bump = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2       # comes and goes [D]
            bump *= rng.uniform(*a.train_nt) * rng.choice([-1, 1])
            found.append((hour * HOUR_S + int(rng.integers(HOUR_S)), (weight * bump).astype(np.float32)))
    return found


def _mains(history, hour, a):
    """Alias of the mains over one hour: its phase is an integral from the world's start, so no edges show."""
    i = hour - history.first_hour
    now, change = history.mains_hz[i], history.mains_hz[i + 1] - history.mains_hz[i]
    t = np.arange(HOUR_S)
    cycles = history.mains_cycles[i] + now * t + change * t**2 / (2 * HOUR_S)
    return (a.mains_nt * np.cos(2 * np.pi * cycles)).astype(np.float32)
