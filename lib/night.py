"""Every single-number detector of a record, night by night, with Kp beside it (layer 2).

Unit: the station-night. What moves all of these numbers together is the external field: a table that shows
one without Kp and without another station shows nothing. Source: validity.md B4, B5.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import welch

from lib.earth.records import fill_gaps
from lib.earth.space_weather import window_extreme
from lib.files import InputError
from lib.fractal import higuchi
from lib.polarisation import night_zscore, nightly_ratio

BAND_HZ = (0.001, 0.008)    # of minute values; their Nyquist frequency is 0.00833 Hz
HOURS = (0, 4)              # local mean solar time (B4)


def describe(record: xr.Dataset, kp: pd.Series, hours: tuple = HOURS, band_hz: tuple = BAND_HZ
             ) -> pd.DataFrame:
    """Polarisation ratio, its distance from earlier nights, Higuchi dimension, power and Kp of every night.

    Gaps up to three minutes are bridged by a straight line. The ratio needs half of the night's segments
    without a gap; dimension and power need the whole night.

    Parameters
    ----------
    record : xarray.Dataset
        H, D, Z in nT on uniform minutes; `longitude` sets the local time.
    kp : Series
        Three-hourly, UTC.
    hours : tuple of two numbers
        From and to, local hours of one day.
    band_hz : tuple of two floats

    Returns
    -------
    DataFrame
        Index `night` (local date); `start` (UTC), `ratio`, `z` (trailing 30 nights, NaN before 15 of them),
        `higuchi_h`, `higuchi_d`, `higuchi_z`, `power` (log10 nT^2/Hz, mean of H, D and Z in the band), `kp`
        (largest).

    Raises
    ------
    InputError
        If the sampling does not hold the band, or no night has a sample.
    """
    filled = fill_gaps(record, "interpolate")
    ratio = nightly_ratio(filled, band_hz, hours)
    if ratio.empty:
        raise InputError(record.attrs.get("source", "record"), "nights", 0, "a record that holds one night")
    step = pd.Timedelta(seconds=record.attrs["sampling_s"])
    shift = pd.Timedelta(hours=record.attrs["longitude"] / 15)
    start = ((ratio.index + pd.Timedelta(hours=hours[0])) - shift).ceil(step).as_unit("ns")
    x = _cut(filled, start, round(pd.Timedelta(hours=hours[1] - hours[0]) / step))
    dimension = higuchi(x)                                                        # (nights, 3)
    power = _power(x, step.total_seconds(), band_hz)
    end = start + pd.Timedelta(hours=hours[1] - hours[0])
    table = ratio[["ratio"]].assign(
        start=start, z=night_zscore(ratio.ratio), power=power,
        kp=window_extreme(kp, start, end, "max"))
    return table.assign(**{f"higuchi_{c}": dimension[:, i] for i, c in enumerate("hdz")})


def _power(x, step_s, band_hz):
    """Log10 of the band's mean power over components, (N, 3, n) -> (N,); NaN for nights with gaps."""
    whole = np.isfinite(x).all((1, 2))
    f, p = welch(x[whole], 1 / step_s, "hann", 64, detrend="linear", axis=-1)
    found = np.full(len(x), np.nan)
    found[whole] = p[..., (f >= band_hz[0]) & (f <= band_hz[1])].mean((1, 2))
    return np.log10(np.where(found > 0, found, np.nan))


def _cut(record, start, n):
    """Nights (N, 3, n) from their first samples; NaN outside the record."""
    data = np.stack([record[c].values for c in "HDZ"])
    step = round(record.attrs["sampling_s"] * 1e9)
    first = np.round((start - pd.Timestamp(record["time"].values[0])).as_unit("ns").asi8 / step).astype(int)
    index = first[:, None] + np.arange(n)                                         # (N, n)
    x = data[:, np.clip(index, 0, data.shape[1] - 1)].swapaxes(0, 1)
    return np.where(((index >= 0) & (index < data.shape[1]))[:, None], x, np.nan)


def beside(table: pd.DataFrame, other: pd.DataFrame, columns: tuple = ("ratio", "z", "power")
           ) -> pd.DataFrame:
    """Join the nights of a station with the same hours at another; columns of the latter end in `_remote`.

    The other table has to be made with the first station's longitude, so that its `start` agrees.

    Raises
    ------
    InputError
        If the two share no night, or the hours of a shared night differ by more than ten minutes.
    """
    shared = table.index.intersection(other.index)
    late = np.abs(table.start[shared] - other.start[shared]).max() if len(shared) else pd.NaT
    if not late <= pd.Timedelta(minutes=10):
        raise InputError("night.beside", "start", str(late), "two tables of the same nights and hours (UTC)")
    return table.join(other.loc[shared, list(columns)].add_suffix("_remote"))


def before_events(table: pd.DataFrame, events: pd.DataFrame, days: int = 7) -> pd.DataFrame:
    """Tell what the nights before each earthquake showed.

    Parameters
    ----------
    table : DataFrame
        From `describe` or `beside`.
    events : DataFrame
        A catalogue.
    days : int
        Nights that end up to so many days before the earthquake count.

    Returns
    -------
    DataFrame
        Row by row of `events`: `nights` (that have a ratio), `with_z`, `z_max`, `kp_max`; with a remote
        station `z_remote`, its z in the night of the largest z.
    """
    rows = []
    for time in events["time"]:
        lead = (time - table.start) / pd.Timedelta(days=1)
        some = table[(lead > 0) & (lead <= days) & table.ratio.notna()]
        top = some.z.idxmax() if some.z.notna().any() else None
        row = {"nights": len(some), "with_z": int(some.z.notna().sum()), "kp_max": some.kp.max(),
               "z_max": np.nan if top is None else some.z[top]}
        if "z_remote" in table:
            row["z_remote"] = np.nan if top is None else some.z_remote[top]
        rows.append(row)
    return pd.DataFrame(rows, index=events.index)
