"""Trailing median, quartile bounds and polarities of a daily repeating series (layer 2; validity.md B11)."""

from typing import NamedTuple

import numpy as np

from lib.files import InputError

DAYS = 15          # reference days before the day itself (S3)
K = 1.5            # usual in the literature; S3 does not print it (systems.md P7)
MIN_DAYS = 10      # fewest of them with a value [D]
POLARITIES = ("binary", "amplitude")


class Bounds(NamedTuple):
    """What the days before say about each value, all (D, H) in the unit of the values."""

    median: np.ndarray
    lower_quartile: np.ndarray
    upper_quartile: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Exceedance(NamedTuple):
    """Shares of the values above the upper and below the lower bound, and how many values had bounds."""

    above: float
    below: float
    n: int

    @property
    def total(self) -> float:
        """Share outside, on either side."""
        return self.above + self.below


def trailing_bounds(values: np.ndarray, days: int = DAYS, k: float = K,
                    min_days: int | None = None) -> Bounds:
    """Bound each value by the quartiles of the days before it at the same hour; its own day is excluded.

    Parameters
    ----------
    values : array_like (D, H)
        One row a day, one column an hour; NaN in gaps.
    days : int
        Number of days before, 1 or more.
    k : float
        Distance of the bounds from the median, in distances of the quartiles; 0 or more.
    min_days : int, optional
        NaN where fewer of these days have a value, as at the beginning of the series; default `MIN_DAYS` of
        `DAYS` in proportion, at least 1.

    Returns
    -------
    Bounds
        Median M, quartiles LQ and UQ (numpy's linear rule), LB = M - k (M - LQ) and UB = M + k (UQ - M);
        float64 (D, H). Row d knows rows d - `days` to d - 1 and nothing else.

    Raises
    ------
    InputError
        For values that are not two-dimensional or infinite, or parameters out of range.

    Notes
    -----
    Source: S3; validity.md B11. Equal, to the last bit, to ``frame.iloc[d - 15:d].quantile`` of pandas, which
    also leaves out NaN. The quartiles of 15 values are noisy: `exceedance` says how often values without any
    anomaly leave the bounds.

    Examples
    --------
    >>> past = [10, 12, 11, 13, 15, 14, 12, 11, 10, 13, 16, 12, 11, 14, 13]
    >>> [float(part[15, 0]) for part in trailing_bounds(np.array([*past, 99.0])[:, None])]
    [12.0, 11.0, 13.5, 10.5, 14.25]
    """
    values = _checked(values, days, k)
    needed = max(1, round(MIN_DAYS / DAYS * days)) if min_days is None else min_days
    if not _whole(needed) or not 1 <= needed <= days:
        raise InputError("trailing_bounds", "min_days", min_days, f"a whole number from 1 to {days}")
    before = np.pad(values[:-1], ((days, 0), (0, 0)), constant_values=np.nan)
    past = np.sort(np.lib.stride_tricks.sliding_window_view(before, days, axis=0), axis=-1)    # NaN last
    count = days - np.isnan(past).sum(axis=-1)
    lower_quartile, median, upper_quartile = (_quantile(past, count, q) for q in (0.25, 0.5, 0.75))
    for part in (lower_quartile, median, upper_quartile):
        part[count < needed] = np.nan
    return Bounds(median, lower_quartile, upper_quartile, median - k * (median - lower_quartile),
                  median + k * (upper_quartile - median))


def _checked(values, days, k):
    values = np.asarray(values, float)
    if values.ndim != 2 or not values.size or np.isinf(values).any():
        raise InputError("trailing_bounds", "values", f"shape {values.shape}",
                         "an array (days, hours) of finite numbers, NaN in gaps")
    if not _whole(days) or days < 1:
        raise InputError("trailing_bounds", "days", days, "a whole number, at least 1")
    if not (np.isfinite(k) and k >= 0):
        raise InputError("trailing_bounds", "k", k, "a number, at least 0")
    return values


def _whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _quantile(ordered, count, q):
    """Quantile of the first `count` of each sorted row; numpy's linear rule in numpy's own arithmetic."""
    at = np.maximum(count - 1, 0) * q
    below = np.floor(at).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low, high = (np.take_along_axis(ordered, i[..., None], -1)[..., 0] for i in (below, above))
    share, step = at - below, high - low
    # numpy steps from the nearer neighbour; the order of operations decides the last bit
    return np.where(share < 0.5, low + step * share, high - step * (1 - share))


def polarities(values: np.ndarray, bounds: Bounds, kind: str = "binary") -> tuple[np.ndarray, np.ndarray]:
    """Mark the values above the upper and below the lower bound.

    Parameters
    ----------
    values : array_like (D, H)
    bounds : Bounds
    kind : {"binary", "amplitude"}
        1 where a value is outside, strictly, or by how much it is, in its unit (S3 does not say which).

    Returns
    -------
    positive, negative : numpy.ndarray
        Float64 (D, H), both 0 or more; NaN where the value or its bounds are.

    Raises
    ------
    InputError
        For another kind.

    Notes
    -----
    Source: validity.md B11: 1[TEC > UB] and 1[TEC < LB]; max(TEC - UB, 0) and max(LB - TEC, 0). TEC rounded
    to .1 TECU meets either bound exactly in one hour in a hundred; the last bit of the bound then decides.
    """
    if kind not in POLARITIES:
        raise InputError("polarities", "kind", kind, ", ".join(POLARITIES))
    excess = np.asarray(values, float) - bounds.upper, bounds.lower - np.asarray(values, float)
    if kind == "amplitude":
        return tuple(np.maximum(part, 0) for part in excess)          # np.maximum hands NaN on
    return tuple(np.where(np.isnan(part), np.nan, part > 0) for part in excess)


def exceedance(values: np.ndarray, days: int = DAYS, k: float = K, min_days: int | None = None) -> Exceedance:
    """Count how often values leave their bounds; on a series without anomalies, the false-alarm rate.

    Parameters
    ----------
    values, days, k, min_days
        As in `trailing_bounds`.

    Returns
    -------
    Exceedance
        Shares of the values that have bounds; NaN if none has.

    Notes
    -----
    Source: validity.md B11. Independent normal values leave them 39.3 % of the time, 19.6 % on each side;
    day-to-day correlation .6 makes it 42.7 %, .9 49.4 %; an endless reference would give 31.2 %.

    Examples
    --------
    >>> rising = exceedance(np.arange(40.0)[:, None])
    >>> rising.above, rising.below, rising.n
    (1.0, 0.0, 30)
    """
    values = np.asarray(values, float)
    above, below = polarities(values, trailing_bounds(values, days, k, min_days))
    seen = ~np.isnan(above)
    n = int(seen.sum())
    if not n:
        return Exceedance(float("nan"), float("nan"), 0)
    return Exceedance(float(above[seen].mean()), float(below[seen].mean()), n)
