"""Intervals and nulls whose unit is the earthquake, not the window (layer 2).

Windows of one earthquake (several stations, lead days, augmented copies) are not independent. Everything here
therefore takes `groups`, one label a row, and reports the `unit` they stand for and how many there are.
Predictions are taken as given: an interval says how the score varies with the sample of earthquakes, a
permutation test whether the predictions know the labels. Neither contains the variation of training:
refitting on every resample would widen the interval, and refitting on every permutation (validity.md A7)
would also test the fitting, at `draws` times its cost. Sources: validity.md A6, A7.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from lib.files import InputError

CELLS = 4_000_000   # integers held at once by a permutation test: 32 MB


@dataclass(frozen=True)
class Interval:
    """Lower and upper limit, and what was resampled or counted to get them."""

    low: float
    high: float
    level: float
    unit: str      # what counts as one independent observation: event, cluster, station ...
    n_units: int
    method: str


@dataclass(frozen=True)
class NullTest:
    """One-sided p-value of a permutation test, and the unit that was permuted."""

    observed: float
    p: float
    draws: int
    unit: str
    n_units: int   # units whose labels could move
    method: str


def wilson(successes: int, n: int, unit: str, level: float = 0.95) -> Interval:
    """Wilson interval of a share of independent units; for display.

    When not to use: on windows of shared earthquakes (give `n_effective`), or for 0/n and n/n
    (`clopper_pearson`). T-A6a.

    >>> found = wilson(317, 472, "window")
    >>> round(found.low, 4), round(found.high, 4)
    (0.628, 0.7124)
    """
    return _proportion(successes, n, unit, level, "wilson", "Wilson")


def clopper_pearson(successes: int, n: int, unit: str, level: float = 0.95) -> Interval:
    """Clopper-Pearson (exact, conservative) interval of a share of independent units. T-A6a.

    >>> round(clopper_pearson(8, 8, "event").low, 4)
    0.6306
    """
    return _proportion(successes, n, unit, level, "beta", "Clopper-Pearson")


def _proportion(successes, n, unit, level, method, name):
    if not n > 0 or not 0 <= successes <= n:
        raise InputError("intervals", f"successes of {n}", successes, "0 <= successes <= n, n > 0")
    low, high = proportion_confint(successes, n, alpha=1 - level, method=method)
    return Interval(float(low), float(high), level, unit, int(n), name)


def _codes(groups, n=None):
    """Integer code of each row's group, and the labels; rows of one group need not be adjacent."""
    groups = np.asarray(groups)
    if groups.ndim != 1 or groups.size == 0 or (n is not None and groups.size != n):
        raise InputError("intervals", "shape of groups", groups.shape,
                         f"one label for each of {n or 'N'} rows")
    labels, codes = np.unique(groups, return_inverse=True)
    return codes, labels


def group_confusions(y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """Confusion counts of each group, shape (G, k, k), in the order of the sorted labels.

    Their sum is the confusion matrix; a resample of the groups is a weighted sum of them.
    """
    y_true, y_pred = _classes("y_true", y_true, k), _classes("y_pred", y_pred, k)
    codes, labels = _codes(groups, y_true.size)
    cell = (codes * k + y_true) * k + y_pred
    return np.bincount(cell, minlength=labels.size * k * k).reshape(-1, k, k)


def _classes(name, y, k):
    y = np.asarray(y)
    if y.ndim != 1 or y.dtype.kind not in "iu" or (y < 0).any() or (y >= k).any():
        raise InputError("intervals", name, y, f"one dimension of class indices 0 ... {k - 1}")
    return y.astype(np.int64)


def resample_confusions(counts: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Confusion matrices of `draws` resamples of the groups with replacement, shape (draws, k, k).

    `counts` (G, k, k) may hold further axes, (G, ..., k, k), which then share each resample: that is how two
    models are compared on the same draws. One matrix product, no loop.
    """
    n = len(counts)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)   # (draws, G)
    return (weights @ counts.reshape(n, -1)).reshape(draws, *counts.shape[1:])


def bootstrap_confusion(y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray, k: int,
                        statistic: Callable, draws: int, rng: np.random.Generator, unit: str = "event", *,
                        y_other: np.ndarray | None = None, level: float = 0.95) -> Interval:
    """Percentile interval of a score of confusion matrices, resampling whole groups.

    Parameters
    ----------
    y_true, y_pred : array of int, shape (N,)
    groups : array, shape (N,)
        Event or coarser; quiet windows by their block.
    k : int
        Number of classes.
    statistic : callable
        Maps matrices (draws, k, k) to values (draws,): any of `metrics.SCORES`.
    draws : int, 2000 unless time forbids (A6)
    rng : numpy Generator
    unit : str
        What a group is, for the page.
    y_other : array of int, optional
        A second prediction (a floor). The interval is then of statistic(y_pred) - statistic(y_other), paired:
        skill above a floor is claimed only where it lies above 0.
    level : float

    Raises
    ------
    InputError
        For fewer than two groups, or a statistic that is undefined on a resample.
    """
    counts = group_confusions(y_true, y_pred, groups, k)
    if y_other is not None:
        counts = np.stack([counts, group_confusions(y_true, y_other, groups, k)], axis=1)   # (G, 2, k, k)
    drawn = resample_confusions(counts, draws, rng)
    values = statistic(drawn) if y_other is None else statistic(drawn[:, 0]) - statistic(drawn[:, 1])
    return _percentile(values, level, unit, len(counts))


def cluster_bootstrap(score: Callable, groups: np.ndarray, draws: int, rng: np.random.Generator,
                      unit: str = "event", level: float = 0.95) -> Interval:
    """Percentile interval of any score of row indices, resampling whole groups (slow, general).

    When not to use: for scores of confusion matrices; `bootstrap_confusion` is hundreds of times faster.

    Parameters
    ----------
    score : callable
        Maps an int array of row indices (with repeats) to a number.
    groups, draws, rng, unit, level
        As in `bootstrap_confusion`.
    """
    codes, labels = _codes(groups)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    picks = rng.integers(labels.size, size=(draws, labels.size))
    values = [score(np.concatenate([members[g] for g in pick])) for pick in picks]
    return _percentile(values, level, unit, labels.size)


def _percentile(values, level, unit, n):
    if n < 2:
        raise InputError("intervals", f"number of units ({unit})", n, "at least 2 to resample")
    low, high = np.quantile(_finite(values), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, unit, int(n), "cluster bootstrap, percentile")


def _finite(values):
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        raise InputError("intervals", f"the score of {np.sum(~np.isfinite(values))} resamples", "nan",
                         "a score that is defined on every resample; use more events or another score")
    return values


def permutation_test(y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray, k: int,
                     statistic: Callable, draws: int, rng: np.random.Generator, unit: str = "event", *,
                     blocks: bool = False) -> NullTest:
    """Permute labels over groups against fixed predictions; p = (1 + #{permuted >= observed}) / (1 + draws).

    Each group's label is moved as a whole: permuting rows inside a group would move nothing (T-A7), permuting
    rows freely would call copies of one earthquake independent.

    Parameters
    ----------
    y_true, y_pred, groups, k, statistic, draws, rng, unit
        As in `bootstrap_confusion`; `draws` at least 199.
    blocks : bool
        For labels that vary inside a group (azimuth: the bearing differs from station to station): whole
        groups exchange their label vectors, row by row in table order, with groups of equal size.

    Raises
    ------
    InputError
        If labels vary inside a group and `blocks` is false (the group is named), or nothing can move.
    """
    y_true, y_pred = _classes("y_true", y_true, k), _classes("y_pred", y_pred, k)
    codes, labels = _codes(groups, y_true.size)
    order = np.argsort(codes, kind="stable")
    codes, y_true, y_pred = codes[order], y_true[order], y_pred[order]
    size = np.bincount(codes)
    first = (np.cumsum(size) - size)[codes]                  # of each row: the first row of its group
    varying = y_true != y_true[first]
    if varying.any() and not blocks:
        name = labels[codes[np.argmax(varying)]]
        raise InputError("intervals.permutation_test", f"labels of {unit} {name}", "more than one class",
                         "one class a group, or blocks=True")
    strata = size if blocks else np.zeros_like(size)
    movable = int(sum(n for n in np.unique_counts(strata).counts if n > 1))
    if movable == 0:
        raise InputError("intervals.permutation_test", f"exchangeable units ({unit})", 0,
                         "two or more of equal size")
    observed = float(statistic(_count(y_true, y_pred, k)))
    inside = np.arange(codes.size) - first if blocks else 0  # position of a row in its group
    at_least, step = 0, max(1, CELLS // codes.size)
    for start in range(0, draws, step):
        source = _permute(strata, min(step, draws - start), rng)   # (n, G): whose labels a group receives
        rows = (np.cumsum(size) - size)[source][:, codes] + inside
        values = statistic(_count(y_true[rows], y_pred, k))
        at_least += int((_finite(values) >= observed - 1e-12).sum())   # equal up to rounding counts
    return NullTest(observed, (1 + at_least) / (1 + draws), draws, unit, movable,
                    "permutation of blocks of equal size" if blocks else "permutation of group labels")


def _count(y_true, y_pred, k):
    """Confusion matrices (..., k, k) of one or many label vectors (..., N) against one prediction (N,)."""
    cell = y_true.reshape(-1, y_pred.size) * k + y_pred
    n = len(cell)
    counts = np.bincount((cell + k * k * np.arange(n)[:, None]).ravel(), minlength=n * k * k)
    return counts.reshape(*y_true.shape[:-1], k, k)


def _permute(strata, n, rng):
    """`n` permutations of the groups, each within its stratum, shape (n, G)."""
    source = np.empty((n, strata.size), np.int64)
    for value in np.unique(strata):
        members = np.flatnonzero(strata == value)
        source[:, members] = rng.permuted(np.tile(members, (n, 1)), axis=1)
    return source


def intracluster_correlation(correct: np.ndarray, groups: np.ndarray) -> float:
    """Correlation of being right between two windows of one group, in [0, 1] (one-way ANOVA estimator).

    1 where it cannot be estimated (all right, all wrong, or no group with two rows): the cautious choice.
    """
    correct = np.asarray(correct, float)
    codes, labels = _codes(groups, correct.size)
    size = np.bincount(codes)
    n, g = correct.size, labels.size
    mean = np.bincount(codes, correct) / size
    within, between = ((correct - mean[codes]) ** 2).sum(), (size * (mean - correct.mean()) ** 2).sum()
    if g < 2 or n == g or within + between == 0:
        return 1.0
    m0 = (n - (size**2).sum() / n) / (g - 1)
    ms_between, ms_within = between / (g - 1), within / (n - g)
    return float(np.clip((ms_between - ms_within) / (ms_between + (m0 - 1) * ms_within), 0, 1))


def design_effect(correct: np.ndarray, groups: np.ndarray) -> float:
    """1 + (m - 1) rho: how many windows weigh as much as one independent one (validity.md A6).

    m is the size of the group that an average window belongs to, sum m_g^2 / N (Kish), so that unequal groups
    are not understated.

    >>> design_effect([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1])
    4.0
    """
    codes, _ = _codes(groups, np.size(correct))
    size = np.bincount(codes)
    return float(1 + ((size**2).sum() / size.sum() - 1) * intracluster_correlation(correct, groups))


def n_effective(correct: np.ndarray, groups: np.ndarray) -> float:
    """Return the number of independent windows that would carry as much: N / design effect."""
    return float(np.size(correct) / design_effect(correct, groups))


def fold_spread(values: np.ndarray) -> dict[str, float]:
    """Mean over folds and both standard deviations, named by their ddof.

    When not to use: as a confidence interval. Folds share training data, and mean +- 1.96 SD is not an
    interval of the mean (validity.md A6).

    >>> fold_spread([1, 2, 3])["sd_ddof1"]
    1.0
    """
    values = np.asarray(values, float)
    return {"mean": float(values.mean()), "sd_ddof0": float(values.std()),
            "sd_ddof1": float(values.std(ddof=1)), "n_folds": int(values.size)}
