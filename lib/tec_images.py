"""Six-channel images of hourly total electron content (layer 2; S3, validity.md B11).

The bounds are made once for the whole series, then every window is a gather: no loop over windows.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.quartiles import DAYS as REFERENCE_DAYS
from lib.quartiles import K, polarities, trailing_bounds

CHANNELS = ("tec", "median", "lower", "upper", "positive", "negative")
HOURS = 24
ON_GAP = ("raise", "drop")
_HOUR_NS = 3_600 * 10**9


class Images(NamedTuple):
    """Images of the windows that were kept, what of them was observed, and the names of the others."""

    images: np.ndarray        # float32 (N, 6, days, 24)
    mask: np.ndarray          # bool (N, days, 24), True where value and bounds were there
    kept: np.ndarray          # row of each image among the starts asked for, (N,)
    refused: tuple[str, ...]  # a sentence for each window left out


def six_channels(series: pd.Series, starts, days: int = 30, *, reference_days: int = REFERENCE_DAYS,
                 k: float = K, polarity: str = "binary", max_gap: float = 0.1,
                 on_gap: str = "raise") -> Images:
    """Cut windows of TEC with their median, bounds and polarities, one row a day and one column an hour.

    Parameters
    ----------
    series : Series
        Hourly TEC in TECU by UTC time, increasing; a missing hour may be NaN or have no row.
    starts : array_like of datetime64, (n,)
        First hour of each window, UTC. Columns are the hours from it on: UT hours for windows that start at
        00 UT, local ones for windows that start at local midnight.
    days : int
        Length; S3 has 30.
    reference_days, k, polarity
        As in `lib.quartiles`.
    max_gap : float
        Greatest share of hours without a value or without bounds.
    on_gap : {"raise", "drop"}
        What to do with a window that has more gaps or leaves the series.

    Returns
    -------
    Images

    Raises
    ------
    InputError
        For a series that is not hourly, starts between two hours, unknown options, or, with ``raise``, the
        first window that cannot be used.

    Notes
    -----
    Source: S3; validity.md B11. An image knows nothing after its last hour. A gap is never 0: it takes the
    trailing median of its hour, has no polarity and is False in `mask`; where too few days before it have a
    value for bounds of its own, it takes the last bounds that this hour had. The channels are raw: scale
    them (`lib.scale`), then `pad`.

    When not to use: as evidence of an anomaly. The polarities of noise are 1 two times in five.
    """
    grid, first_hour = _grid(series)
    at, inside = _hours(starts, first_hour, grid.size, days)
    channels, observed, filled = _channels(grid, reference_days, k, polarity)
    hours = at[:, None] + np.arange(days * HOURS)
    safe = np.where(inside[:, None], hours, 0)
    gap = 1 - observed[safe].mean(axis=1)
    good = inside & (gap <= max_gap) & filled[safe].all(axis=1)
    refused = _refused(starts, good, inside, gap, max_gap, on_gap)
    hours = hours[good]
    images = np.empty((len(hours), len(CHANNELS), days, HOURS), np.float32)
    for channel, values in enumerate(channels):
        images[:, channel] = values.astype(np.float32)[hours].reshape(-1, days, HOURS)
    return Images(images, observed[hours].reshape(-1, days, HOURS), np.flatnonzero(good), refused)


def pad(x: np.ndarray, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    """Put images in the middle of a larger frame of zeros.

    Pad after scaling: then 0 is the mean of the channel over the training rows, and the frame says nothing.
    Before scaling, 0 TECU would be a value far from any that occurs, and a bound of 0 an anomaly.

    Parameters
    ----------
    x : array (..., F, T)
    size : (int, int)
        Rows and columns wanted, at least F and T; an odd rest goes below and to the right.

    Returns
    -------
    array (..., *size)
        Of the same type.

    Raises
    ------
    InputError
        If the frame is smaller than the image.

    Examples
    --------
    >>> pad(np.ones((6, 30, 24))).shape, pad(np.ones((1, 2)), (2, 4)).tolist()
    ((6, 32, 32), [[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """
    rest = [wanted - have for wanted, have in zip(size, x.shape[-2:], strict=True)]
    if min(rest) < 0:
        raise InputError("pad", "size", tuple(size), f"at least {x.shape[-2:]}, the size of the images")
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(r // 2, r - r // 2) for r in rest])


def _grid(series):
    """Lay the series out as (days, 24), NaN where there is nothing, and say its first hour since 1970."""
    if not isinstance(series, pd.Series) or not isinstance(series.index, pd.DatetimeIndex) or not len(series):
        raise InputError("six_channels", "series", type(series).__name__, "an hourly Series by UTC time")
    index = series.index if series.index.tz is None else series.index.tz_convert(None)
    hour, rest = np.divmod(index.to_numpy("datetime64[ns]").astype(np.int64), _HOUR_NS)
    bad = (rest != 0) | (np.diff(hour, prepend=hour[0] - 1) <= 0)
    if bad.any():
        raise InputError("six_channels", f"series, row {bad.argmax()}", str(index[bad.argmax()]),
                         "full hours, increasing, none twice")
    first = hour[0] // HOURS * HOURS
    grid = np.full((hour[-1] // HOURS + 1) * HOURS - first, np.nan)
    grid[hour - first] = series.to_numpy(float)
    return grid.reshape(-1, HOURS), first


def _hours(starts, first_hour, n, days):
    """Index of the first hour of each window in the flat series, and whether it holds the whole window."""
    ns = pd.DatetimeIndex(starts).to_numpy("datetime64[ns]").astype(np.int64)
    hour, rest = np.divmod(ns, _HOUR_NS)
    if rest.any():
        bad = pd.Timestamp(ns[np.flatnonzero(rest)[0]])
        raise InputError("six_channels", "starts", str(bad), "full hours, UTC")
    at = hour - first_hour
    return at, (at >= 0) & (at + days * HOURS <= n)


def _channels(grid, reference_days, k, polarity):
    """Six flat series without NaN wherever anything is known; which hours were observed, which are usable."""
    bounds = trailing_bounds(grid, reference_days, k)
    positive, negative = polarities(grid, bounds, polarity)
    observed = ~np.isnan(positive)
    median, lower, upper = (_carried(part) for part in (bounds.median, bounds.lower, bounds.upper))
    tec = np.where(np.isnan(grid), median, grid)
    positive, negative = np.nan_to_num(positive), np.nan_to_num(negative)       # no polarity in a gap
    channels = [part.ravel() for part in (tec, median, lower, upper, positive, negative)]
    return channels, observed.ravel(), ~np.isnan(channels[1])


def _carried(values):
    """Replace NaN by the last value before it in its column; what has none before it stays NaN."""
    known = ~np.isnan(values)
    if known.all():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0), axis=0)
    return np.take_along_axis(values, last, axis=0)


def _refused(starts, good, inside, gap, max_gap, on_gap):
    """Name the windows that cannot be used, or raise for the first."""
    if on_gap not in ON_GAP:
        raise InputError("six_channels", "on_gap", on_gap, ", ".join(ON_GAP))
    names = []
    for i in np.flatnonzero(~good):
        why = f"{gap[i]:.1%} gaps" if inside[i] else "outside the series"
        names.append(f"{pd.Timestamp(np.asarray(starts)[i])}: {why}")
    if names and on_gap == "raise":
        raise InputError("six_channels", f"{len(names)} of {len(good)} windows, the first", names[0],
                         f"windows inside the series, with the days before them, and at most {max_gap:.0%} "
                         "gaps; or on_gap='drop'")
    return tuple(names)
