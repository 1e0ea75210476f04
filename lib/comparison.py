"""Comparing models, and what selecting the best of several looks does to a score (layer 2).

Sources: validity.md A4 (selection) and A11 (comparison).
"""

from collections.abc import Callable

import numpy as np
from scipy import integrate, stats
from statsmodels.stats.contingency_tables import mcnemar

from lib.files import InputError


def expected_maximum(looks: int) -> float:
    """Mean of the largest of `looks` independent standard normal numbers, c_E of validity.md A4.

    >>> round(expected_maximum(10), 3)
    1.539
    """
    if looks < 1:
        raise InputError("comparison", "looks", looks, "1 or more")
    value, _ = integrate.quad(
        lambda z: z * looks * stats.norm.pdf(z) * stats.norm.cdf(z) ** (looks - 1), -9, 9, limit=200)
    return float(value)


def selection_optimism(p: float, n_effective: float, looks: int) -> float:
    """Return the expected excess of the best of `looks` accuracies on one test set over the truth `p`.

    c_E sqrt(p (1 - p) / n_eff): an upper bound, since real looks are correlated. T-A4.

    >>> round(selection_optimism(0.635, 472, 10), 3)
    0.034
    """
    if not 0 <= p <= 1 or not n_effective > 0:
        raise InputError("comparison.selection_optimism", "p, n_effective", (p, n_effective),
                         "0 <= p <= 1, n > 0")
    return expected_maximum(looks) * float(np.sqrt(p * (1 - p) / n_effective))


def corrected_resampled_t(differences: np.ndarray, n_train: float, n_test: float) -> dict:
    """Test fold-wise score differences of two models, allowing for shared training data.

    t = mean / sqrt((1/k + n_test/n_train) s^2), k - 1 degrees of freedom (Nadeau and Bengio 2003).

    Parameters
    ----------
    differences : array, shape (k,)
        Score of one model minus the other, one value a fold, same folds.
    n_train, n_test : float
        Mean number of units (events) in the training and the test part.

    Returns
    -------
    dict
        `t`, `p` (two-sided), `naive_t`, `naive_p`, `unit` ("fold"), `n_folds`.
    """
    d = np.asarray(differences, float)
    if d.size < 2 or not np.ptp(d) > 0:
        raise InputError("comparison.corrected_resampled_t", "differences", d,
                         "two or more folds that differ")
    k, spread = d.size, d.std(ddof=1)
    t = d.mean() / (spread * np.sqrt(1 / k + n_test / n_train))
    naive = d.mean() / (spread * np.sqrt(1 / k))
    return {"t": float(t), "p": float(2 * stats.t.sf(abs(t), k - 1)), "naive_t": float(naive),
            "naive_p": float(2 * stats.t.sf(abs(naive), k - 1)), "unit": "fold", "n_folds": k}


def mcnemar_exact(only_a: int, only_b: int, unit: str) -> dict:
    """Exact two-sided McNemar test on the units that only one of two models got right.

    `mid_p` counts half of the observed table: less conservative, rarely above its level.

    When not to use: on windows of shared earthquakes; score each event once, or flip whole events
    (`sign_flip`), or bootstrap the difference by event (`intervals.bootstrap_confusion` with `y_other`).

    >>> round(mcnemar_exact(15, 5, "event")["p"], 6)
    0.041389
    """
    p = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
    n = only_a + only_b
    mid = min(1.0, p - float(stats.binom.pmf(min(only_a, only_b), n, .5))) if only_a != only_b else 1.0
    return {"p": p, "mid_p": mid, "unit": unit, "n_discordant": n}


def holm(p: np.ndarray, tried: int | None = None) -> np.ndarray:
    """Adjust p-values so that one false claim among all of them has at most the chosen probability.

    Holm (1979): the i-th smallest of m is multiplied by m - i + 1, and never falls below an earlier one.
    Holds however the tests depend on each other. Unit: that of the tests that made the p-values.

    Parameters
    ----------
    p : array_like, shape (m,)
        In any order.
    tried : int, optional
        How many configurations were tried in all, if more than are shown; those left out count as worse.

    Returns
    -------
    array, shape (m,)

    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    m = p.size if tried is None else tried
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all() or m < p.size:
        raise InputError("comparison.holm", "p, tried", (p.tolist(), tried),
                         "probabilities, and tried at least as many")
    order = np.argsort(p)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * (m - np.arange(p.size))), 1)
    return adjusted


def sign_flip(differences: np.ndarray, groups: np.ndarray, draws: int, rng: np.random.Generator,
              unit: str = "event") -> dict:
    """Test the mean score difference of two models on clustered rows, flipping the sign of whole groups.

    If the models are exchangeable, so are their scores on any one event. All 2^G sign patterns are counted
    where they are no more than `draws`. For scores that are no mean of rows (MCC, F1): `swap_models`.

    When not to use: with fewer than six events, whose smallest two-sided p is above 0.05; or for models that
    were refitted per fold, where training adds variation that fixed predictions do not show
    (`corrected_resampled_t`).

    Parameters
    ----------
    differences : array, shape (N,)
        Score of one model minus the other on each row, such as right (1) minus right (1), or log-losses.
    groups : array, shape (N,)
        Event or coarser.
    draws, rng, unit
        Random patterns, their generator, and what a group is.

    Returns
    -------
    dict
        `difference` (mean over rows), `p` (two-sided), `unit`, `n_units`, `draws` (patterns counted).

    >>> sign_flip([1, 1, 1, 1, 1, 1], ["a", "a", "b", "c", "d", "e"], 99, np.random.default_rng(0))["p"]
    0.0625
    """
    d, groups = np.asarray(differences, float), np.asarray(groups)
    if d.ndim != 1 or d.size == 0 or d.shape != groups.shape or not np.isfinite(d).all():
        raise InputError("comparison.sign_flip", "shapes of differences and groups", (d.shape, groups.shape),
                         "one finite difference and one label a row")
    code = np.unique(groups, return_inverse=True)[1]
    total = np.bincount(code, d)                                 # (G,)
    signs = _patterns(total.size, draws, rng)
    p = _two_sided(signs @ total, total.sum(), total.size)
    return {"difference": float(d.mean()), "p": p, "unit": unit, "n_units": total.size, "draws": len(signs)}


def swap_models(counts_a: np.ndarray, counts_b: np.ndarray, statistic: Callable, draws: int,
                rng: np.random.Generator, unit: str = "event") -> dict:
    """Test the difference of any score of confusion matrices, exchanging two models on whole groups.

    As `sign_flip`, which it equals for the accuracy.

    Parameters
    ----------
    counts_a, counts_b : array, shape (G, K, K)
        Confusion counts of each group under either model (`intervals.group_confusions`), same groups.
    statistic : callable
        Maps matrices (draws, K, K) to values (draws,): any of `metrics.SCORES`.
    draws, rng, unit
        As in `sign_flip`.

    Returns
    -------
    dict
        As `sign_flip`; `difference` is statistic(a) - statistic(b).
    """
    a, b = np.asarray(counts_a, float), np.asarray(counts_b, float)
    if a.ndim != 3 or a.shape != b.shape or (a.sum(2) != b.sum(2)).any():
        raise InputError("comparison.swap_models", "shapes of the counts", (a.shape, b.shape),
                         "(G, K, K) of the same rows in the same groups")
    n = len(a)
    signs = _patterns(n, draws, rng)
    both, half = (a + b).sum(0), (signs @ (a - b).reshape(n, -1)).reshape(-1, *a.shape[1:])
    null = statistic((both + half) / 2) - statistic((both - half) / 2)
    observed = float(statistic(a.sum(0)) - statistic(b.sum(0)))
    return {"difference": observed, "p": _two_sided(null, observed, n), "unit": unit, "n_units": n,
            "draws": len(signs)}


def _patterns(n, draws, rng):
    """Signs (rows, n): every pattern where 2^n is at most `draws`, else random ones."""
    if n < 2:
        raise InputError("comparison", "number of units", n, "at least 2 to exchange")
    if 2**n <= draws:
        return 1.0 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    return rng.choice([-1.0, 1.0], size=(draws, n))


def _two_sided(null, observed, n):
    """Share of patterns as extreme; random ones count the observed as one of them."""
    if not np.isfinite(null).all():
        raise InputError("comparison", "score under exchange", "nan", "a score defined on every pattern")
    extreme = int((np.abs(null) >= abs(observed) - 1e-12).sum())
    return extreme / len(null) if len(null) == 2**n else (1 + extreme) / (1 + len(null))
