"""Speed of the six-channel TEC images, as a ratio to a loop over windows in pandas, measured in one run."""

import numpy as np
import pandas as pd

from benchmarks.measure import Row, interleaved
from lib.tec_images import six_channels

DAYS, REFERENCE, K = 30, 15, 1.5
SERIES_DAYS, WINDOWS = 8401, 2356      # S3: 1999-2021
LOOPED = 100                           # windows that the loop makes; its time is scaled up


def images() -> list[Row]:
    """Compare all images of the study, the bounds of 23 years included, with rolling windows in pandas."""
    series = hourly_tec(SERIES_DAYS)
    day = np.random.default_rng(1).integers(REFERENCE, SERIES_DAYS - DAYS, WINDOWS)
    starts = series.index[0] + pd.to_timedelta(day, unit="D")
    few = starts[:LOOPED]
    if not np.array_equal(six_channels(series, few).images, pandas_loop(series, few)):
        raise AssertionError("the two give different images")
    loop = interleaved(lambda: pandas_loop(series, few), lambda: six_channels(series, starts), 11)
    return [Row("tec: pandas rolling loop over windows, over six-channel images of the whole series",
                loop * WINDOWS / LOOPED, 50, "higher")]


def hourly_tec(days: int, seed: int = 0) -> pd.Series:
    """Make rounded hourly values with a daily curve, TECU."""
    hour = pd.date_range("2011-01-01", periods=24 * days, freq="h", unit="ns")
    curve = 20 + 15 * np.sin(2 * np.pi * np.arange(24 * days) / 24)
    noise = np.random.default_rng(seed).lognormal(0, 0.2, 24 * days)
    return pd.Series(np.round(curve * noise, 1), index=hour, name="tec")


def pandas_loop(series, starts):
    """Do with pandas, window by window: 45 days by 24 hours, rolling quantiles, bounds, polarities."""
    result = np.empty((len(starts), 6, DAYS, 24), np.float32)
    for i, start in enumerate(starts):
        first = start - pd.Timedelta(days=REFERENCE)
        part = series[first:start + pd.Timedelta(days=DAYS, hours=-1)]
        frame = pd.DataFrame(part.to_numpy().reshape(REFERENCE + DAYS, 24))
        rolling = frame.rolling(REFERENCE)
        lower, median, upper = (rolling.quantile(q).shift(1) for q in (0.25, 0.5, 0.75))
        lower, upper = median - K * (median - lower), median + K * (upper - median)
        channels = (frame, median, lower, upper, frame > upper, frame < lower)
        result[i] = [channel.iloc[REFERENCE:].to_numpy() for channel in channels]
    return result
