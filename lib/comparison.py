"""Comparing models, and what selecting the best of several looks does to a score (layer 2).

Sources: validity.md A4 (selection) and A11 (comparison).
"""

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

    When not to use: on windows of shared earthquakes; score each event once, or bootstrap the difference by
    event (`intervals.bootstrap_confusion` with `y_other`).

    >>> round(mcnemar_exact(15, 5, "event")["p"], 6)
    0.041389
    """
    p = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
    n = only_a + only_b
    mid = min(1.0, p - float(stats.binom.pmf(min(only_a, only_b), n, .5))) if only_a != only_b else 1.0
    return {"p": p, "mid_p": mid, "unit": unit, "n_discordant": n}
