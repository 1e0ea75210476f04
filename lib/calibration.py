"""Does a stated probability come true as often as it says? (layer 2).

Two shapes of probability serve throughout: (N,), the probability of class 1 against class 0, and (N, K), one
column a class. Point scores count rows; rows of one earthquake are not independent, so an interval comes from
resampling events: `reliability` does so for its bands, and `intervals.cluster_bootstrap` for any score here.
Formulas and test values: validity.md A10.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from lib.files import InputError

TEMPERATURES = (0.05, 20.0)   # limits of the fit [D]: beyond them a handful of rows decides
TINY = 1e-12                  # a probability of 0 counts as this in a logarithm that has to stay finite


def top_label(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the most probable class, and whether it is the true one.

    Parameters
    ----------
    p : array, shape (N, K)
    y : array of int, shape (N,)

    Returns
    -------
    confidence : array, shape (N,)
    correct : array of int, shape (N,)
        0 or 1; a pair that `ece` and `reliability` take as a binary forecast of being right.
    """
    p, y = _check(p, y)
    return p.max(1), (p.argmax(1) == y).astype(int)


def ece(p: np.ndarray, y: np.ndarray, bins: int = 15, equal_mass: bool = False) -> float:
    """Return the expected calibration error: mean over rows of their bin's |frequency - mean probability|.

    Unit: the row. When not to use: alone, or against 0. Within finite bins even a perfect forecaster has an
    error above 0, the more bins the larger, and a constant forecast of the base rate has none.

    Parameters
    ----------
    p : array, shape (N,) or (N, K)
        Of class 1; with columns, the error of the most probable class (`top_label`).
    y : array of int, shape (N,)
    bins : int
    equal_mass : bool
        Bins with about as many rows each, rather than of equal width; equal probabilities stay together.
        Both kinds are closed on the right.

    >>> p, y = [.95, .9, .85, .8, .7, .65, .55, .45, .3, .1], [1, 1, 1, 0, 1, 0, 1, 0, 0, 0]
    >>> round(ece(p, y, bins=5), 6)
    0.185
    """
    p, y = top_label(p, y) if np.ndim(p) == 2 else _check(p, y)
    bin_of = np.searchsorted(_edges(p, bins, equal_mass), p)
    return float(np.abs(np.bincount(bin_of, y - p)).sum() / p.size)


def _edges(p, bins, equal_mass):
    """Inner edges of the bins; a value on an edge belongs below it."""
    if bins < 1:
        raise InputError("calibration", "bins", bins, "1 or more")
    inner = np.arange(1, bins) / bins            # not linspace, whose 0.6 is above 0.6
    return np.unique(np.quantile(p, inner, method="inverted_cdf")) if equal_mass else inner


def brier(p: np.ndarray, y: np.ndarray) -> float:
    """Mean squared distance of the forecast from what happened.

    (p - y)^2 for p (N,), in [0, 1]; summed over the classes for p (N, K), in [0, 2]: for two classes the
    second is twice the first. Unit: the row.

    >>> round(brier([[.7, .2, .1], [.1, .6, .3], [.2, .2, .6], [.5, .3, .2]], [0, 1, 2, 1]), 6)
    0.355
    """
    p, y = _check(p, y)
    return float(((p - _happened(p, y)) ** 2).sum() / y.size)


def brier_skill(p: np.ndarray, y: np.ndarray, base_rate: np.ndarray | None = None) -> float:
    """1 - Brier / Brier of always forecasting the base rate; 0 is no skill, 1 perfect, below 0 worse.

    Unit: the row. When not to use: without `base_rate` where classes drift between training and test; the
    share in the test rows themselves is then a reference that nobody could have forecast.

    Parameters
    ----------
    p, y
        As in `brier`.
    base_rate : float or array (K,), optional
        Share of class 1, or of each class, in the training part. Default: the share in `y`.

    Raises
    ------
    InputError
        If the reference makes no error: only one class in `y`.
    """
    p, y = _check(p, y)
    happened = _happened(p, y)
    rate = happened.mean(0) if base_rate is None else np.asarray(base_rate, float)
    if rate.shape != p.shape[1:] or not ((rate >= 0) & (rate <= 1)).all():
        raise InputError("calibration.brier_skill", "base_rate", base_rate, "one share, or one a class")
    reference = ((rate - happened) ** 2).sum() / y.size
    if reference == 0:
        raise InputError("calibration.brier_skill", "y", f"only class {y[0]}", "two classes or more")
    return float(1 - brier(p, y) / reference)


def log_loss(p: np.ndarray, y: np.ndarray) -> float:
    """Mean of -ln(probability of what happened), in nats; infinite if that was ever 0. Unit: the row."""
    p, y = _check(p, y)
    with np.errstate(divide="ignore"):
        return float(-np.log(_of_truth(p, y)).mean())


def reliability(p: np.ndarray, y: np.ndarray, groups: np.ndarray, rng: np.random.Generator, *,
                bins: int = 10, equal_mass: bool = False, draws: int = 2000, level: float = 0.95,
                unit: str = "event") -> pd.DataFrame:
    """Observed frequency against stated probability, one row a bin, with event-bootstrap bands.

    Unit: the group. When not to use: to judge many bins at once; each band is for its bin alone.

    Parameters
    ----------
    p, y
        As in `ece`.
    groups : array, shape (N,)
        Event or coarser; quiet windows by their block.
    rng : numpy Generator
    bins, equal_mass
        As in `ece`; bins without rows are left out.
    draws, level, unit
        Resamples of whole groups, level of the band, and what a group is.

    Returns
    -------
    DataFrame
        `n`, `n_units`, `unit`, `confidence` (mean p), `frequency` (mean y), `low`, `high`: percentiles over
        the resamples that have rows in the bin; NaN where one group alone holds the bin.

    Raises
    ------
    InputError
        If `groups` is not one label a row, or holds one label only.
    """
    p, y = top_label(p, y) if np.ndim(p) == 2 else _check(p, y)
    labels, code = np.unique(np.asarray(groups), return_inverse=True)
    if np.shape(groups) != p.shape or labels.size < 2:
        raise InputError("calibration.reliability", "groups", f"{labels.size} in shape {np.shape(groups)}",
                         f"one label for each of {p.size} rows, two or more labels")
    held, bin_of = np.unique(np.searchsorted(_edges(p, bins, equal_mass), p), return_inverse=True)
    cell, shape = code * held.size + bin_of, (labels.size, held.size)
    n, hits, total = (np.bincount(cell, value, minlength=labels.size * held.size).reshape(shape)
                      for value in (np.ones_like(p), y, p))
    weights = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), size=draws)
    rows = weights @ n
    drawn = np.divide(weights @ hits, rows, out=np.full(rows.shape, np.nan), where=rows > 0)
    n_units = (n > 0).sum(0)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame({
        "n": n.sum(0).astype(int), "n_units": n_units, "unit": unit, "confidence": total.sum(0) / n.sum(0),
        "frequency": hits.sum(0) / n.sum(0), "low": np.where(n_units > 1, low, np.nan),
        "high": np.where(n_units > 1, high, np.nan)})


def fit_temperature(p: np.ndarray, y: np.ndarray) -> float:
    """Return the temperature T that makes p^(1/T), rescaled to sum 1, fit best (least log-loss).

    T > 1 says that the forecasts were too bold. Guo et al. (2017), on probabilities: the logarithm of a
    softmax is its logits up to a constant. Unit: the row.

    When not to use: on test rows. Give the inner validation part of the training events (validity.md A4), and
    apply the result to the test part once. One temperature cannot mend a bias towards one class.

    Raises
    ------
    InputError
        As `brier`; and if every forecast is flat, so that no temperature matters.
    """
    p, y = _check(p, y)
    logits = np.log(np.maximum(_columns(p), TINY))
    if not np.ptp(logits, axis=1).any():
        raise InputError("calibration.fit_temperature", "p", "flat in every row", "forecasts that differ")

    def loss(log_t):
        return log_loss(_softmax(logits / np.exp(log_t)), y)

    # convex in 1/T, hence one minimum in log T too
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def apply_temperature(p: np.ndarray, temperature: float) -> np.ndarray:
    """Rescale probabilities by a temperature from `fit_temperature`, in the shape they came.

    >>> apply_temperature([0.8], 2.0).round(4)
    array([0.6667])
    """
    if not temperature > 0:
        raise InputError("calibration.apply_temperature", "temperature", temperature, "a number above 0")
    p, _ = _check(p, None)
    scaled = _softmax(np.log(np.maximum(_columns(p), TINY)) / temperature)
    return scaled if p.ndim == 2 else scaled[:, 1]


def _softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _columns(p):
    """Probabilities with one column a class."""
    return p if p.ndim == 2 else np.column_stack([1 - p, p])


def _happened(p, y):
    """Return what happened, 0 or 1, in the shape of p."""
    return y if p.ndim == 1 else np.eye(p.shape[1])[y]


def _of_truth(p, y):
    return _columns(p)[np.arange(y.size), y]


def _check(p, y):
    """Return probabilities as float64 with rows that sum to 1, and classes, or say which row is wrong."""
    p = np.asarray(p, float)
    if p.ndim not in (1, 2) or p.size == 0 or (p.ndim == 2 and p.shape[1] < 2):
        raise InputError("calibration", "shape of p", p.shape, "(N,) or (N, K) with K of 2 or more, N > 0")
    good = ((p >= 0) & (p <= 1)).reshape(len(p), -1).all(1)      # NaN is neither
    if p.ndim == 2:
        total = p.sum(1, keepdims=True)
        good &= np.abs(total[:, 0] - 1) <= 1e-3                  # float32, or printed to three decimals
    if not good.all():
        row = int(np.argmin(good))
        raise InputError("calibration", f"p, row {row}", p[row].tolist(),
                         "probabilities from 0 to 1" + (" that sum to 1" if p.ndim == 2 else ""))
    if p.ndim == 2:
        p = np.where(np.abs(total - 1) > 1e-9, p / total, p)     # else 0.7 would move off the edge of its bin
    if y is None:
        return p, None
    y, k = np.asarray(y), p.shape[1] if p.ndim == 2 else 2
    if y.shape != p.shape[:1]:
        raise InputError("calibration", "shape of y", y.shape, f"one class for each of {len(p)} rows")
    good = np.isin(y, np.arange(k))
    if not good.all():
        row = int(np.argmin(good))
        raise InputError("calibration", f"y, row {row}", y[row].item(), f"a class index 0 ... {k - 1}")
    return p, y.astype(np.int64)
