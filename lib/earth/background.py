"""What a station records without earthquakes: external sources, its transfer, Sq, Pi2, its noise (layer 1).

Spectra belong to blocks of two hours, which `streams.joined_hour` joins; everything else is a function
of absolute time. Source: validity.md C1 to C5; what the instrument adds is in `artefacts` (C6).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import fft
from scipy.signal import lfilter

from lib.earth import streams
from lib.earth.heliosphere import f107_sfu
from lib.earth.stations import distance_azimuth
from lib.earth.streams import BLOCK_S, HOUR_S, stream

NETWORK_CENTRE = (-3.0, 115.0)      # latitude, longitude: the middle of the 24 stations of B12
PC3_HZ, PC4_HZ, PC5_HZ = 0.03, 0.012, 0.003      # (C4)
PI2_TAIL_S = 1400                   # seven decay times
COMMENCEMENT_TAIL_S = 24 * HOUR_S   # twelve decay times


@dataclass(frozen=True)
class Physics:
    """Constants of the background, C1 to C5; change one with `dataclasses.replace`.

    Powers are factors of a one-sided PSD in nT^2/Hz. A factor of 0 switches a term off.
    """

    # common external source (C1)
    source: float = 0.1                  # H at .01 Hz and Kp 1
    slope: float = 2.5                   # PSD ~ f^-slope
    kp_exponent: float = 0.25            # PSD ~ 10^(kp_exponent (Kp - 1))
    east: float = 0.35                   # power of D over H
    incoherence: float = 0.02            # share of power a 1000 km from the network's centre
    # pulsations (C4)
    pc3: float = 0.6                     # at 30 mHz, by day
    pc4: float = 1.0                     # at 12 mHz, by day; fits C1's prototype levels [D]
    pc5: float = 10.0                    # at 3 mHz, at noon [D]
    pulsation_kp_exponent: float = 0.2
    pulsation_east: float = 0.25         # power of D over H
    pi2_per_hour: float = 0.5            # 20 to 02 local time
    # station (C2)
    gain_sd: float = 0.05
    misorientation_deg: float = 2.0      # sd
    tipper: tuple[float, float] = (0.1, 0.6)     # T0 is uniform
    tipper_azimuth_deg: float | None = None      # None draws it per station
    site_noise: float = 0.02             # white amplitude density, nT per sqrt(Hz)
    site_spread: float = 0.4             # sd of its decimal logarithm between stations
    corner_hz: float = 0.1               # below it the noise grows as 1/f
    culture: float = 0.8                 # added factor on amplitude, 05 to 23 local time
    rural: float = 0.25                  # share of stations without culture [D]
    level_phi: float = 0.9               # AR(1) of the daily level, per component
    level_sd: float = 0.35               # its sd, decimal logarithm of amplitude
    # slow fields (C3, C5)
    sq: float = 1.0                      # factor on Sq and electrojet
    sq_spread: float = 0.25              # lognormal sd from day to day
    dst: float = 1.0                     # factor on the ring current and sudden commencements


@dataclass(frozen=True)
class Station:
    """Place and drawn constants of one station (C2), the truth behind its fingerprint."""

    key: int
    longitude: float
    dip_latitude_deg: float
    incoherence: float                   # share of incoherent power
    gain: tuple[float, float]            # H, D
    misorientation_rad: float
    tipper: float                        # T0
    tipper_azimuth_rad: float
    noise: float                         # nT per sqrt(Hz)
    culture: float


def draw_station(row, seed: int, physics: Physics) -> Station:
    """Draw the constants of one station, a mapping with code, latitude, longitude, dip_latitude_deg."""
    key = streams.name_key(row["code"])
    rng = stream(seed, "constants", key)
    gain = 1 + physics.gain_sd * rng.standard_normal(2)
    turn = math.radians(physics.misorientation_deg) * rng.standard_normal()
    tipper = rng.uniform(*physics.tipper)
    azimuth = rng.uniform(0, 2 * math.pi)
    noise = physics.site_noise * 10 ** (physics.site_spread * rng.standard_normal())
    culture = physics.culture * float(rng.random() >= physics.rural)
    if physics.tipper_azimuth_deg is not None:
        azimuth = math.radians(physics.tipper_azimuth_deg)
    distance_km, _ = distance_azimuth(*NETWORK_CENTRE, row["latitude"], row["longitude"])
    return Station(key, float(row["longitude"]), float(row["dip_latitude_deg"]),
                   physics.incoherence * float(distance_km) / 1000, (gain[0], gain[1]), turn, tipper,
                   azimuth, noise, culture)


def daily_levels(station: Station, seed: int, days: int, physics: Physics) -> np.ndarray:
    """Slow drift of the site noise, (days, 3): a factor on amplitude, AR(1) from day to day (C2)."""
    draws = stream(seed, "level", station.key).standard_normal((days, 3))
    draws[1:] *= math.sqrt(1 - physics.level_phi**2)
    level = lfilter([1.0], [1.0, -physics.level_phi], draws, axis=0)
    return (10 ** (physics.level_sd * level)).astype(np.float32)


def tipper_gain(frequency_hz):
    """Shape of the tipper, T(f) / T0 = exp(-.5 (ln(f / 5 mHz) / 1.5)^2) (C2).

    >>> float(tipper_gain(0.005))
    1.0
    """
    return np.exp(-0.5 * (np.log(np.asarray(frequency_hz) / 0.005) / 1.5) ** 2)


@lru_cache(maxsize=4)
def _shapes(physics):
    """PSD shapes on the block's frequencies, float32; zero at f = 0."""
    f = streams.frequencies_hz()[1:]

    def bump(centre):
        return np.exp(-0.5 * (np.log(f / centre) / 0.35) ** 2)

    rows = {"source": physics.source * (f / 0.01) ** -physics.slope,
            "pc34": physics.pc3 * bump(PC3_HZ) + physics.pc4 * bump(PC4_HZ),
            "pc5": physics.pc5 * bump(PC5_HZ),
            "tipper": tipper_gain(f),
            "noise": np.sqrt(1 + physics.corner_hz / f)}
    return {name: np.r_[0.0, values].astype(np.float32) for name, values in rows.items()}


def common_spectrum(seed: int, hour: int) -> np.ndarray:
    """Draw the unit spectrum of the external source over a block, the same for all stations.

    All bands share it: a Gaussian process is known by its PSD, so bumps add to the PSD. complex64, (2, f).
    """
    return streams.unit_spectrum(stream(seed, "common", *divmod(hour, 24)), 2)


def station_block(station: Station, common: np.ndarray, hour: int, kp: float, level: np.ndarray,
                  seed: int, physics: Physics) -> np.ndarray:
    """Spectral part of the background of one station over a block, tapered.

    Parameters
    ----------
    station : Station
    common : complex64, (2, f)
        `common_spectrum` of the block.
    hour : int
        First hour of the block since 1970-01-01.
    kp : float
        Kp in the middle of the block.
    level : (3,)
        `daily_levels` of the day of the middle of the block.
    seed : int
    physics : Physics

    Returns
    -------
    numpy.ndarray
        float32 (3, BLOCK_S), nT on H, D, Z.
    """
    shapes, local_h = _shapes(physics), local_time_h(hour + 1, station.longitude)
    day, noon = (np.float32(0.1 + math.exp(-0.5 * ((local_h - peak) / 3) ** 2)) for peak in (10, 12))
    source = np.float32(10 ** (physics.kp_exponent * (kp - 1))) * shapes["source"]
    pulsations = (np.float32(10 ** (physics.pulsation_kp_exponent * (kp - 1)))
                  * (day * shapes["pc34"] + noon * shapes["pc5"]))
    density = np.sqrt([source + pulsations,                                       # (2, f)
                       np.float32(physics.east) * source
                       + np.float32(physics.pulsation_east) * pulsations])
    external = common
    if station.incoherence:
        own = streams.unit_spectrum(stream(seed, "incoherence", station.key, *divmod(hour, 24)), 2)
        external = common + np.float32(math.sqrt(station.incoherence)) * own
    x, y = density * external                                                     # north, east
    spectrum = _transfer(station, x, y, shapes["tipper"])
    if station.noise:
        rng = stream(seed, "site", station.key, *divmod(hour, 24))
        busy = 1 + station.culture * (5 <= local_h < 23)
        amplitude = np.float32(station.noise * busy) * level
        spectrum += amplitude[:, None] * (shapes["noise"] * streams.unit_spectrum(rng, 3))
    spectrum[:, 0] = 0                                                            # no mean
    return fft.irfft(spectrum, BLOCK_S) * streams.taper()


def _transfer(station, x, y, tipper):
    """Turn a north and an east field, spectra or series, into what the sensors show (C2)."""
    cos, sin = (np.float32(f(station.misorientation_rad)) for f in (math.cos, math.sin))
    east, north = (np.float32(f(station.tipper_azimuth_rad)) for f in (math.sin, math.cos))
    return np.stack([np.float32(station.gain[0]) * (cos * x + sin * y),
                     np.float32(station.gain[1]) * (cos * y - sin * x),
                     np.float32(station.tipper) * tipper * (north * x + east * y)])


def local_time_h(hour: float, longitude: float) -> float:
    """Local solar time in hours, [0, 24), from hours since 1970 UTC and longitude in degrees.

    >>> local_time_h(0, 105.0)
    7.0
    """
    return (hour + longitude / 15) % 24


def sq_factor(day: int) -> float:
    """Factor k of the solar cycle and the season on Sq (C3); `day` counts from 1970-01-01.

    >>> round(sq_factor(18341), 2)        # the equinox of March 2020, near solar minimum
    0.81
    """
    date = pd.Timestamp(day, unit="D")
    season = 1 + 0.15 * math.cos(4 * math.pi * (date.day_of_year - 80) / 365.25)
    return (0.7 + 0.006 * (float(f107_sfu(date)) - 70)) * season


def sq_hour(station: Station, hour: int, seed: int, physics: Physics) -> np.ndarray:
    """Solar-quiet variation and equatorial electrojet over one hour, float32 (3, 3600) in nT (C3).

    Each local day has a lognormal factor of its own, the same at all stations.
    """
    middle = hour + 0.5 + station.longitude / 15
    k = physics.sq * _sq_day(seed, int(middle // 24), physics.sq_spread)    # changes at local midnight
    u = (local_time_h(hour, station.longitude) - 11.5 + np.arange(HOUR_S) / HOUR_S) / 2.4
    bell = np.exp(-0.5 * u**2)
    amplitude = (25 + 60 * math.exp(-0.5 * (station.dip_latitude_deg / 2.5) ** 2)) * k
    side = math.copysign(1, station.dip_latitude_deg)
    return np.stack([amplitude * bell, -12 * k * side * u * bell * math.exp(0.5),
                     0.4 * amplitude * side * bell]).astype(np.float32)


@lru_cache(maxsize=64)
def _sq_day(seed, day, spread):
    return sq_factor(day) * math.exp(spread * stream(seed, "sq", day).standard_normal())


def pi2_hour(station: Station, hour: int, seed: int, physics: Physics) -> np.ndarray | None:
    """Pi2 of one hour and the tails of those before, float32 (3, 3600) in nT; None without any (C4)."""
    trains = [(o - HOUR_S, *rest) for o, *rest in _pi2_trains(seed, hour - 1, physics.pi2_per_hour)]
    trains += _pi2_trains(seed, hour, physics.pi2_per_hour)
    if not trains:
        return None
    total = np.zeros((3, HOUR_S), np.float32)
    for onset_s, period_s, amplitude in trains:
        t = np.arange(HOUR_S) - onset_s
        t = np.where((t >= 0) & (t < PI2_TAIL_S), t, 0)
        wave = (amplitude * np.sin(2 * np.pi * t / period_s) * np.exp(-t / 200)).astype(np.float32)
        total += _transfer(station, wave, np.float32(0.3) * wave, np.float32(tipper_gain(1 / period_s)))
    return total


@lru_cache(maxsize=64)
def _pi2_trains(seed, hour, per_hour):
    """Onset (s), period (s) and amplitude (nT) of the Pi2 that begin in an hour, all stations alike."""
    if 2 <= local_time_h(hour + 0.5, NETWORK_CENTRE[1]) < 20:
        return []
    rng = stream(seed, "pulsations", *divmod(hour, 24))
    return [(rng.uniform(0, HOUR_S), rng.uniform(40, 150), math.exp(math.log(0.5) + 0.6 * rng.normal()))
            for _ in range(rng.poisson(per_hour))]


def ring_current_hour(station: Station, dst_nt: np.ndarray, hour: int, onset_s: np.ndarray,
                      step_nt: np.ndarray) -> np.ndarray:
    """Ring current and sudden commencements on H over one hour, float32 (3600,) in nT (C5).

    Parameters
    ----------
    station : Station
    dst_nt : (3,)
        Dst of the hour before, the hour and the hour after; joined linearly between their middles.
    hour : int
    onset_s, step_nt : (n,)
        Storm onsets in seconds since 1970, sorted, and their steps.

    Notes
    -----
    A commencement rises within 4 min and decays with 2 h [D].
    """
    begin = hour * HOUR_S
    field = np.interp(np.arange(HOUR_S), [-HOUR_S / 2, HOUR_S / 2, 1.5 * HOUR_S], dst_nt)
    first, last = np.searchsorted(onset_s, [begin - COMMENCEMENT_TAIL_S, begin + HOUR_S])
    for onset, step in zip(onset_s[first:last], step_nt[first:last], strict=True):
        t = np.maximum(begin + np.arange(HOUR_S) - onset, 0)
        field += step * np.sin(np.pi / 2 * np.minimum(t / 240, 1)) ** 2 * np.exp(-t / 7200)
    return (field * math.cos(math.radians(station.dip_latitude_deg))).astype(np.float32)
