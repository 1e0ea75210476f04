"""Classical single-number detectors of the ULF literature: polarisation, fractal, diurnal range (layer 2).

Small comparators on records, judged like any network. Unit: the station-night or station-day; successive ones
are correlated, so counts of anomalous nights are no sample size. Each normalises by the past of the same
station only: a window centred on the night would look into the future. Global activity moves all of them
(Thomas et al. 2009, Masci 2011): show Kp and a remote station beside every curve. Source: validity.md B4-B6.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import periodogram

from lib.files import InputError

SEGMENT_S = 1024.0       # resolves 1 mHz
WHOLE = 0.9              # share of samples that a day needs, for its range to be a daily range [D]


def polarisation_ratio(s_hh: np.ndarray, s_dd: np.ndarray, s_zz: np.ndarray) -> np.ndarray:
    """Vertical over horizontal amplitude, sqrt(S_ZZ / (S_HH + S_DD)), from power spectral densities.

    Source: Hayakawa et al. (1996); validity.md B4. When not to use: on one component's amplitude in place of
    its power.

    >>> float(polarisation_ratio(9, 7, 4))
    0.5
    """
    return np.sqrt(np.asarray(s_zz, float) / (np.asarray(s_hh, float) + np.asarray(s_dd, float)))


def nightly_ratio(record: xr.Dataset, band_hz: tuple = (0.01, 0.05), hours: tuple = (0, 4),
                  min_share: float = 0.5) -> pd.DataFrame:
    """Polarisation ratio of each local night, mean over a band. Unit: the station-night.

    Spectra are means over half-overlapping segments of 1024 s (Hann, line removed) without a gap. Local time
    is mean solar time, UTC + longitude / 15.

    When not to use: near the coast or an induction anomaly as if absolute, for Z there is large on every
    night; use `night_zscore`. Nor by day, when cultural noise and the electrojet rule.

    Parameters
    ----------
    record : Dataset
        H, D, Z in nT on a uniform `time`; attributes `sampling_s` and `longitude`.
    band_hz : tuple of two floats
        Limits of the band, inclusive.
    hours : tuple of two numbers
        From and to, local hours of one day.
    min_share : float
        Share of the night's segments that have to be whole.

    Returns
    -------
    DataFrame
        Index `night` (local date); `ratio`, `z_h` and `z_d` (amplitude against one component), `n_segments`;
        NaN where too few segments are whole.

    Raises
    ------
    InputError
        If no frequency lies in the band, or the hours hold no segment.
    """
    fs, length = 1 / record.attrs["sampling_s"], round(SEGMENT_S / record.attrs["sampling_s"])
    frequency = np.fft.rfftfreq(length, 1 / fs)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1]) & (frequency > 0)
    wanted = int((hours[1] - hours[0]) * 3600 * fs - length) // (length // 2) + 1 if length > 1 else 0
    if not inside.any() or wanted < 1:
        raise InputError("polarisation.nightly_ratio", "band_hz, hours", (band_hz, hours),
                         f"a band up to {fs / 2:g} Hz, and hours that hold {SEGMENT_S:g} s")
    local = _local_time(record, record.attrs["longitude"])
    hour = (local - local.floor("D")) / pd.Timedelta(hours=1)
    at = np.flatnonzero((hour >= hours[0]) & (hour < hours[1]))
    x = np.stack([np.asarray(record[name], float) for name in "HDZ"])
    rows = {}
    for night, part in pd.Series(at).groupby(local.floor("D")[at]):
        segments = _segments(x[:, part.iloc[0]:part.iloc[-1] + 1], length)
        rows[night] = [np.nan] * 3 + [len(segments)]
        if len(segments) >= min_share * wanted:
            _, psd = periodogram(segments, fs, window="hann", detrend="linear")
            h, d, z = psd.mean(0)[:, inside]
            rows[night][:3] = [float(v.mean()) for v in (
                polarisation_ratio(h, d, z), polarisation_ratio(h, 0, z), polarisation_ratio(d, 0, z))]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["ratio", "z_h", "z_d", "n_segments"])
    return table.rename_axis("night")


def _local_time(record, longitude):
    shift = np.timedelta64(round(longitude / 15 * 3600e9), "ns")
    return pd.DatetimeIndex(record.time.values.astype("datetime64[ns]") + shift)


def _segments(x, length):
    """Half-overlapping segments (n, 3, length) of a night (3, m) that are finite throughout."""
    if x.shape[1] < length:
        return np.empty((0, 3, length))
    cut = np.lib.stride_tricks.sliding_window_view(x, length, axis=1)[:, ::length // 2].swapaxes(0, 1)
    return cut[np.isfinite(cut).all((1, 2))]


def night_zscore(values: pd.Series, nights: int = 30, min_nights: int = 15) -> pd.Series:
    """Distance of each night from the mean of the previous nights of the same station, in their SD.

    Unit: the station-night. When not to use: across stations, or as a normal deviate: the SD is that of 30
    correlated nights, so |z| > 2 is commoner than 5 %.

    Parameters
    ----------
    values : Series
        One station; index of dates, each at most once. Missing nights count as missing, not as skipped.
    nights, min_nights : int
        How far back, without the night itself, and how many of them are needed.

    Returns
    -------
    Series
        NaN where the past is too short or does not vary.

    Raises
    ------
    InputError
        For an index that is not of unique, increasing dates (two stations in one series, for one).
    """
    daily = _daily(values)
    past = daily.shift(1).rolling(nights, min_periods=min_nights)
    mean, sd = past.mean(), past.std()
    return ((daily - mean) / sd.where(sd > 1e-9 * mean.abs())).reindex(values.index).rename("z")


def _daily(values):
    """Return the series with a row for every day."""
    index = values.index
    if not (isinstance(index, pd.DatetimeIndex) and index.is_unique and index.is_monotonic_increasing
            and (index == index.normalize()).all() and len(index)):
        raise InputError("polarisation", "index", str(index[:3]), "rising dates of one station, each once")
    return values.astype(float).asfreq("D")


def diurnal_ratio(target: xr.Dataset, reference: xr.Dataset) -> pd.Series:
    """Daily range of Z at a station over that at a reference station, by the target's local day.

    Unit: the station-day. Source: Han, Hattori et al. (2015); validity.md B6. When not to use: with a
    reference at another latitude or across the electrojet, where the ratio follows the season; on storm days.

    Returns
    -------
    Series
        Index `day`; NaN where either station has fewer than 90 % of its samples.
    """
    ranges = []
    for record in (target, reference):
        z = pd.Series(np.asarray(record.Z, float), _local_time(record, target.attrs["longitude"])).groupby(
            lambda t: t.floor("D"))
        whole = z.count() >= WHOLE * 86400 / record.attrs["sampling_s"]
        ranges.append((z.max() - z.min()).where(whole))
    ratio = ranges[0] / ranges[1].where(ranges[1] > 0)
    return ratio.rename("ratio").rename_axis("day")


def diurnal_anomaly(ratio: pd.Series, smooth_days: int = 15, past_days: int = 365,
                    n_sd: float = 2.0) -> pd.DataFrame:
    """Flag days whose trailing mean ratio lies outside mean +- 2 SD of the year before.

    Unit: the station-day. When not to use: to count anomalies; neighbouring means share 14 of 15 days, so one
    odd day makes a run of flags, and it widens the SD that the following year is held against.

    Parameters
    ----------
    ratio : Series
        From `diurnal_ratio`, one station.
    smooth_days, past_days : int
        Trailing mean with the day itself, and the past that it is held against without it; two thirds of
        either have to be there.
    n_sd : float

    Returns
    -------
    DataFrame
        `smooth`, `mean`, `sd`, `flag` (False where the past is too short).
    """
    daily = _daily(ratio)
    smooth = daily.rolling(smooth_days, min_periods=-(-2 * smooth_days // 3)).mean()
    past = smooth.shift(1).rolling(past_days, min_periods=-(-2 * past_days // 3))
    table = pd.DataFrame({"smooth": smooth, "mean": past.mean(), "sd": past.std()}).reindex(ratio.index)
    return table.assign(flag=(table.smooth - table["mean"]).abs() > n_sd * table.sd)
