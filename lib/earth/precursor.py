"""A planted precursor: its signal at one station over any interval (layer 1; validity.md C8).

Usable without a synthetic world: `precursor` returns what to add to any background, real noise included.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import fft
from scipy.signal import butter, sosfiltfilt

from lib.earth import streams
from lib.earth.sources import amplitude, vertical_ratio
from lib.earth.stations import distance_azimuth
from lib.earth.streams import BLOCK_S, HOUR_S, stream
from lib.files import InputError

SOURCES = ("vmd", "hed", "scalar")
DAY_S = 86400
RAMP_S = 60        # raised-cosine edge of a burst [D]


@dataclass(frozen=True)
class Shape:
    """How a precursor looks in time and space, apart from its source and amplitude law.

    `sigma0_nt` is the reference level of the world in nT, a constant and never a realised rms. The signal
    of an earthquake lasts from `lead_days` to `gap_days` before it, with raised-cosine edges of
    `edge_days`, and is on in one burst each hour for a share of the time drawn from `duty` per event.
    Stations farther than `max_distance_km`, and events deeper than `max_depth_km`, carry nothing.
    """

    sigma0_nt: float = 0.03                       # C1
    band_hz: tuple[float, float] = (0.01, 0.05)   # C8
    lead_days: float = 7.0                        # C8
    gap_days: float = 0.5                         # C8
    edge_days: float = 0.5                        # [D]
    duty: tuple[float, float] = (0.3, 1.0)        # C8; bursts of 18 to 60 min
    max_distance_km: float = 250.0                # windows.radius_km: beyond it windows count as quiet [D]
    max_depth_km: float = 100.0                   # windows.depth_km, for the same reason [D]


@dataclass(frozen=True)
class Effects:
    """What the events of a catalogue do at one station: arrays sorted by time, one row an event."""

    time_s: np.ndarray        # (n,) seconds since 1970-01-01
    key: np.ndarray           # (n,) stream key of the event
    vector: np.ndarray        # (n, 3) amplitude on H, D, Z in units of sigma0 at snr 1


def effects(catalog, latitude: float, longitude: float, seed: int, source: str = "vmd",
            law: str = "flat", shape: Shape | None = None) -> Effects:
    """Tabulate which events reach a station, how strongly and in which direction.

    Parameters
    ----------
    catalog : pandas.DataFrame
        event_id, time, latitude, longitude, depth_km, magnitude.
    latitude, longitude : float
        Of the station, degrees.
    seed : int
    source : {"vmd", "hed", "scalar"}
        `vmd`: linearly polarised along the bearing, with the dipole's vertical ratio; `hed`: along a
        random azimuth (can be detected, gives no bearing); `scalar`: independent noise on H, D and Z.
    law : str
        See `amplitude`.
    shape : Shape, optional

    Raises
    ------
    InputError
        For an unknown source or law.
    """
    if source not in SOURCES:
        raise InputError("precursor", "source", source, ", ".join(SOURCES))
    shape = shape or Shape()
    catalog = catalog.sort_values("time", kind="stable")
    depth = catalog["depth_km"].to_numpy(float)
    distance, bearing = distance_azimuth(latitude, longitude, catalog["latitude"].to_numpy(float),
                                         catalog["longitude"].to_numpy(float))
    g = amplitude(law, catalog["magnitude"].to_numpy(float), distance, depth, shape.sigma0_nt)
    key = np.array([streams.name_key(str(e)) for e in catalog["event_id"]], dtype=np.int64)
    near = (distance <= shape.max_distance_km) & (depth <= shape.max_depth_km) & (g > 0)
    time_s = catalog["time"].to_numpy("datetime64[ns]").astype(np.int64)[near] / 1e9
    zeta = vertical_ratio(distance, depth)[near]
    key, g = key[near], g[near]
    if source == "hed":
        angle = np.array([_event_draws(seed, int(k))[1] for k in key])
    else:
        angle = np.radians(np.nan_to_num(bearing[near]))      # NaN: the epicentre is the station
    unit = np.array([np.cos(angle), np.sin(angle), zeta]).reshape(3, -1).T
    if source == "scalar":
        unit = np.array([np.full(len(g), 0.5**0.5)] * 2 + [np.abs(zeta)]).T
    return Effects(time_s, key, g[:, None] * unit)


def effect_hour(table: Effects, hour: int, seed: int, source: str = "vmd",
                shape: Shape | None = None) -> np.ndarray | None:
    """Precursor of all events at one station in one hour, at snr 1.

    Parameters
    ----------
    table : Effects
    hour : int
        Hours since 1970-01-01.
    seed, source, shape
        As given to `effects`.

    Returns
    -------
    numpy.ndarray or None
        float32 (3, 3600) in nT; None if no event is due.
    """
    shape = shape or Shape()
    begin_s = hour * HOUR_S
    first = np.searchsorted(table.time_s, begin_s + shape.gap_days * DAY_S, side="right")
    last = np.searchsorted(table.time_s, begin_s + HOUR_S + shape.lead_days * DAY_S)
    if first >= last:
        return None
    total = np.zeros((3, HOUR_S), np.float32)
    rows = 3 if source == "scalar" else 1
    for i in range(first, last):
        key = int(table.key[i])
        shown = envelope(table.time_s[i], key, hour, seed, shape)
        noise = streams.joined_hour(lambda h, k=key: _noise_block(seed, k, h, rows, shape.band_hz), hour)
        total += (shape.sigma0_nt * table.vector[i][:, None]).astype(np.float32) * (shown * noise)
    return total


def envelope(time_s: float, key: int, hour: int, seed: int, shape: Shape) -> np.ndarray:
    """Envelope e(t) of one event in one hour: lead window times one burst an hour, float32 (3600,).

    Source: validity.md C8. The lead window has raised-cosine edges; the burst fills a share of the hour
    that belongs to the event, at a random place.
    """
    lead_days = (time_s - hour * HOUR_S - np.arange(HOUR_S)) / DAY_S
    from_edge = np.minimum(shape.lead_days - lead_days, lead_days - shape.gap_days)
    lead = np.sin(np.pi / 2 * np.clip(from_edge / shape.edge_days, 0, 1)) ** 2
    low, high = shape.duty
    length = HOUR_S * (low + (high - low) * _event_draws(seed, key)[0])
    if length >= HOUR_S - 1:
        return lead.astype(np.float32)
    begin = stream(seed, "precursor", key, *divmod(hour, 24), 1).random() * (HOUR_S - length)
    inside = np.arange(HOUR_S) - begin
    ramp = np.clip(np.minimum(inside, length - inside) / RAMP_S, 0, 1)
    return (lead * np.sin(np.pi / 2 * ramp) ** 2).astype(np.float32)


@lru_cache(maxsize=1024)
def _event_draws(seed, key):
    """Two numbers that belong to an event: its duty cycle in [0, 1) and a random azimuth in radians."""
    duty, turn = stream(seed, "precursor", key).random(2)
    return float(duty), float(2 * np.pi * turn)


@lru_cache(maxsize=64)
def _noise_block(seed, key, hour, rows, band_hz):
    """Tapered unit-rms noise n(t) of an event, the same at every station; (rows, BLOCK_S)."""
    bins = np.arange(math.ceil(band_hz[0] * BLOCK_S), math.floor(band_hz[1] * BLOCK_S) + 1)
    spectrum = np.zeros((rows, BLOCK_S // 2 + 1), np.complex64)
    rng = stream(seed, "precursor", key, *divmod(hour, 24))
    spectrum[:, bins] = streams.unit_spectrum(rng, rows, len(bins)) * (BLOCK_S / len(bins)) ** 0.5
    return fft.irfft(spectrum, BLOCK_S) * streams.taper()


def precursor(event, station, start, n: int, snr: float, seed: int, source: str = "vmd",
              law: str = "flat", shape: Shape | None = None) -> np.ndarray:
    """Precursor of one event at one station over a time interval, to add to any background.

    Parameters
    ----------
    event : mapping or pandas.DataFrame
        One row of a catalogue, or a whole catalogue.
    station : mapping
        With latitude and longitude, degrees; a row of a station table will do.
    start : datetime-like
        First sample, UTC, a whole second.
    n : int
        Samples at 1 Hz.
    snr : float
        Amplitude in units of `shape.sigma0_nt`.
    seed, source, law, shape
        As for `effects`.

    Returns
    -------
    numpy.ndarray
        float32 (3, n), nT on H, D, Z; any interval gives the same bits where intervals overlap.

    Raises
    ------
    InputError
        For an unknown source or law, a start off the whole second or a length below 1.

    Notes
    -----
    Source: validity.md C8. When not to use: to claim that such signals exist.
    """
    catalog = event if isinstance(event, pd.DataFrame) else pd.DataFrame([dict(event)])
    table = effects(catalog, station["latitude"], station["longitude"], seed, source, law, shape)
    first = streams.whole_second(start)
    n = streams.positive_count(n)
    out = np.zeros((3, n), np.float32)
    for hour, here, there in streams.hour_slices(first, n):
        signal = effect_hour(table, hour, seed, source, shape)
        if signal is not None:
            out[:, there] = np.float32(snr) * signal[:, here]
    return out


def estimate_azimuth(x: np.ndarray, sampling_s: float = 1.0,
                     band_hz: tuple[float, float] = (0.01, 0.05)) -> float:
    """Bearing of a source from the polarisation of one window.

    The major axis of the covariance of band-passed H and D gives an axis; the sense in which it is
    anticorrelated with Z points to the source.

    Parameters
    ----------
    x : array_like, (3, n)
        H, D, Z in nT, without NaN.
    sampling_s : float
    band_hz : (low, high)

    Returns
    -------
    float
        Degrees from north, 0 to 360.

    Notes
    -----
    Source: validity.md B7. When not to use: within sqrt(2) depths of the source, where the sense flips;
    or where one external source dominates, whose tipper then gives every station its own direction.
    """
    sos = butter(4, band_hz, "bandpass", fs=1 / sampling_s, output="sos")
    x = np.asarray(x, float)
    h, d, z = sosfiltfilt(sos, x - x.mean(axis=1, keepdims=True))
    _, axes = np.linalg.eigh(np.cov(h, d))
    north, east = axes[:, -1]
    if np.mean((north * h + east * d) * z) > 0:
        north, east = -north, -east
    return math.degrees(math.atan2(east, north)) % 360
