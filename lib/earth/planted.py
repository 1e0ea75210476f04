"""A known signal in unknown noise: precursors planted in real minute records (layer 1).

What `lib.earth.precursor` makes for the synthetic world is added to a record of an observatory, at an
amplitude in nT and from a bearing of one's own choice, before times of one's own choice. Noise, gaps and
storms stay those of the observatory, and the truth is known.
"""

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth import precursor, streams
from lib.earth.filters import design_band
from lib.files import InputError

BAND_HZ = (0.001, 0.008)     # the Nyquist frequency of minute values is 0.00833 Hz
VERTICAL = -0.567            # Z over H of a dipole 20 km deep, 50 km away (validity.md C8)


def make_shape(duty: float | tuple = 1.0, lead_days: float = 7.0, gap_days: float = 0.5,
               edge_days: float = 0.5, band_hz: tuple[float, float] = BAND_HZ) -> precursor.Shape:
    """Return the shape of a planted signal of amplitude 1 nT; see `lib.earth.precursor.Shape`.

    Raises
    ------
    InputError
        For a duty outside (0, 1], or a lead that does not exceed the gap before the event.
    """
    low, high = duty if isinstance(duty, tuple) else (duty, duty)
    if not 0 < low <= high <= 1 or not lead_days > gap_days >= 0:
        raise InputError("planted", "duty, lead_days, gap_days", (duty, lead_days, gap_days),
                         "a duty, or least and largest, above 0 and up to 1, and a lead longer than the gap")
    return precursor.Shape(1.0, tuple(band_hz), lead_days, gap_days, edge_days, (low, high))


def signal(times, start, n: int, seed: int, shape: precursor.Shape, bearing_deg: float = 0.0,
           vertical: float = VERTICAL, sampling_s: float = 60.0) -> np.ndarray:
    """Signal of amplitude 1 nT before given times, sampled over one interval.

    Parameters
    ----------
    times : array_like of datetime64, or catalogue
        Events, UTC; of a catalogue its `time`. The signal of an event is named by its time and the seed.
    start : datetime-like
        First sample, UTC, a whole second.
    n : int
        Number of samples.
    seed : int
    shape : Shape
        From `make_shape`.
    bearing_deg : float
        Of the source, degrees from the H axis, clockwise.
    vertical : float
        Z over the horizontal amplitude.
    sampling_s : float
        A whole number of seconds.

    Returns
    -------
    array, shape (3, n)
        float64, nT on H, D, Z. While a burst is on, the horizontal rms is 1.

    Raises
    ------
    InputError
        If the sampling cannot hold the band.
    """
    step = _checked_step(shape.band_hz, sampling_s)
    table = _effects(times, bearing_deg, vertical)
    first, n = streams.whole_second(start), streams.positive_count(n)
    out, total = np.zeros((3, n)), (n - 1) * step + 1
    for hour, here, there in streams.hour_slices(first, total):
        made = precursor.effect_hour(table, hour, seed, shape=shape)
        if made is not None:
            k = -(-there.start // step)                      # first sample at or after the slice begins
            part = made[:, here.start + k * step - there.start:here.stop:step]
            out[:, k:k + part.shape[1]] = part
    return out


def _checked_step(band_hz, sampling_s):
    """Refuse a band above the Nyquist frequency (the world's 0.01 to 0.05 Hz at 1/min) and odd samplings."""
    if not 0 < band_hz[0] < band_hz[1] < 0.5 / sampling_s:
        design_band(sampling_s, *band_hz, source="planted")      # says which corner, and why
    if sampling_s < 1 or sampling_s != int(sampling_s):
        raise InputError("planted", "sampling_s", sampling_s, "a whole number of seconds")
    return int(sampling_s)


def _effects(times, bearing_deg, vertical):
    """Return the table that `precursor.effect_hour` reads, one row an event."""
    values = times["time"] if isinstance(times, pd.DataFrame) else times
    index = pd.DatetimeIndex(pd.to_datetime(np.atleast_1d(values), errors="coerce")).as_unit("ns")
    if index.isna().any() or index.has_duplicates:
        raise InputError("planted", "times", str(index[index.isna() | index.duplicated()][0]),
                         "UTC times, each once")
    index = index.sort_values()
    angle = np.radians(bearing_deg)
    vector = np.tile([np.cos(angle), np.sin(angle), vertical], (len(index), 1))
    key = np.array([streams.name_key(f"planted-{t.isoformat()}") for t in index], dtype=np.int64)
    return precursor.Effects(index.as_unit("ns").asi8 / 1e9, key, vector)


def plant(record: xr.Dataset, times, *, amplitude_nt: float, bearing_deg: float = 0.0,
          band_hz: tuple[float, float] = BAND_HZ, duty: float | tuple = 1.0, lead_days: float = 7.0,
          gap_days: float = 0.5, vertical: float = VERTICAL, seed: int = 0) -> xr.Dataset:
    """Add the signal of events with known times to a record; gaps stay gaps.

    Parameters
    ----------
    record : xarray.Dataset
        H, D, Z in nT on a uniform time of whole seconds.
    times : array_like of datetime64, or catalogue
        Events, UTC.
    amplitude_nt : float
        Horizontal rms in the record while a burst is on, 0 or more; 0 returns the same values bit by bit.
    bearing_deg : float
        Of the source, degrees from the H axis, clockwise.
    band_hz : (low, high)
        Below the Nyquist frequency: 0.00833 Hz for minute values.
    duty : float or (low, high)
        Share of every hour that the burst fills, 0 to 1; of a pair, one share is drawn for each event.
    lead_days, gap_days : float
        The signal lasts from `lead_days` to `gap_days` before the event.
    vertical : float
        Z over the horizontal amplitude.
    seed : int

    Returns
    -------
    xarray.Dataset
        A copy; the attribute `planted_nt` says what was added.

    Raises
    ------
    InputError
        For a negative amplitude, a band that the sampling cannot hold, or bad times.

    Notes
    -----
    The synthetic world's band, 0.01 to 0.05 Hz, is not in minute values at all: it is refused. The amplitude
    is that of the recorded minutes: the filter that makes them from seconds weakens a signal near 0.008 Hz.

    When not to use: to claim that such signals exist. Source: validity.md C8.
    """
    if not (isinstance(amplitude_nt, (int, float, np.number)) and 0 <= amplitude_nt < np.inf):
        raise InputError("planted", "amplitude_nt", amplitude_nt, "nT, 0 or more")
    step = record.attrs["sampling_s"]
    shape = make_shape(duty, lead_days, gap_days, min(0.5, (lead_days - gap_days) / 2), band_hz)
    _checked_step(shape.band_hz, step)
    marked = record.copy(deep=True).assign_attrs(planted_nt=float(amplitude_nt))
    if amplitude_nt == 0:
        return marked
    added = signal(times, record["time"].values[0], record.sizes["time"], seed, shape, bearing_deg, vertical,
                   step)
    return marked.assign({c: ("time", record[c].values + amplitude_nt * x)
                          for c, x in zip("HDZ", added, strict=True)})
