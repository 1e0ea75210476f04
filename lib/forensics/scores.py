"""What selection, chance and repeats do to a printed score (layer 4)."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, factorial

import numpy as np
from scipy import optimize, special, stats

from lib import comparison, metrics
from lib.files import InputError
from lib.forensics.rounding import check_n

MOST_ERRORS = 500   # angular errors whose null is summed exactly


def best_of(mean: float, sd: float, looks: int) -> float:
    """Return the expected best of `looks` independent, normally distributed scores.

    Proves nothing about a model: a printed best near this value is what selection alone gives. Runs that
    share a test set are correlated in their common error, which this does not count.

    >>> round(best_of(0.63475, 0.01752, 10), 3)
    0.662
    """
    if not np.isfinite(mean) or not (np.isfinite(sd) and sd >= 0):
        raise InputError("forensics.best_of", "mean, sd", (mean, sd), "finite numbers, sd 0 or more")
    return float(mean + sd * comparison.expected_maximum(check_n(looks, "looks")))


def best_of_tests(p: float, n: int, looks: int, at_least: int | None = None) -> dict:
    """Distribution of the best of `looks` independent tests of n cases, each right with probability p.

    Proves nothing for correlated looks (epochs of one run, seeds on one test set): there it is an upper
    bound.

    Parameters
    ----------
    p : float
        Probability of a hit.
    n, looks : int
        Cases a test, and number of tests.
    at_least : int, optional
        Hits of the printed best; gives `p_at_least`.

    Returns
    -------
    dict
        `expected` (share), `inflation` (expected - p), and `p_at_least` if asked. Exact.

    Examples
    --------
    >>> round(best_of_tests(0.5, 1, 3)["expected"], 3)
    0.875
    """
    n, looks = check_n(n), check_n(looks, "looks")
    if not 0 <= p <= 1 or (at_least is not None and not 0 <= at_least <= n):
        raise InputError("forensics.best_of_tests", "p, at_least", (p, at_least),
                         f"p from 0 to 1, hits from 0 to {n}")
    below = stats.binom.cdf(np.arange(n), n, p) ** looks          # P(best <= 0 ... n - 1)
    expected = float(n - below.sum()) / n
    result = {"expected": expected, "inflation": expected - p}
    if at_least is not None:
        result["p_at_least"] = float(1 - below[at_least - 1]) if at_least else 1.0
    return result


def compare_repeats(a: Sequence[float], b: Sequence[float]) -> dict:
    """Compare means (Welch) and variances (F, Levene) of two sets of repeated runs.

    Proves nothing about other data: repeats on one test set share its sampling error, so a small p-value is
    not evidence beyond that set. A large one means that the repeats do not show a difference.

    Parameters
    ----------
    a, b : sequences of float
        Scores, two or more each.

    Returns
    -------
    dict
        `difference` of the means (a - b), `welch_t`, `welch_p`; `variance_ratio` (larger over smaller),
        `f_p`, `levene_p` (about the median); all p two-sided.

    References
    ----------
    systems.md 4.2 P3.

    Examples
    --------
    >>> round(compare_repeats([1, 2, 3], [2, 3, 4])["welch_t"], 3)
    -1.225
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    for x in (a, b):
        if x.ndim != 1 or x.size < 2 or not np.isfinite(x).all() or not np.ptp(x) > 0:
            raise InputError("forensics.compare_repeats", "scores", x.tolist(), "two or more that differ")
    welch, ratio = stats.ttest_ind(a, b, equal_var=False), a.var(ddof=1) / b.var(ddof=1)
    below = stats.f.cdf(ratio, a.size - 1, b.size - 1)
    levene = stats.levene(a, b, center="median")
    return {"difference": float(a.mean() - b.mean()), "welch_t": float(welch.statistic),
            "welch_p": float(welch.pvalue), "variance_ratio": float(max(ratio, 1 / ratio)),
            "f_p": float(2 * min(below, 1 - below)), "levene_p": float(levene.pvalue)}


def dispersion(hits: Sequence[float], sizes: Sequence[float]) -> dict:
    """Whether folds differ more, or less, than independent cases with one hit rate would.

    Proves nothing if expected hits or misses of a fold are below about 5 (chi-square is then rough), nor
    about the reason: copies, stations or seasons that differ between folds also spread the scores.

    Parameters
    ----------
    hits, sizes : sequences
        One pair a fold, two folds or more; fractions of a case are allowed (hits / 4 for copies of 4).

    Returns
    -------
    dict
        `chi2`, `df`, `p_over` (so large by chance), `p_under` (so small by chance).
    """
    hits, sizes = np.asarray(hits, float), np.asarray(sizes, float)
    if hits.shape != sizes.shape or hits.ndim != 1 or hits.size < 2 or not (sizes > 0).all() \
            or not ((hits >= 0) & (hits <= sizes)).all() or not 0 < hits.sum() < sizes.sum():
        raise InputError("forensics.dispersion", "hits, sizes", (hits.tolist(), sizes.tolist()),
                         "0 <= hits <= size, two folds or more, neither all hits nor none")
    p = hits.sum() / sizes.sum()
    chi2, df = float(((hits - sizes * p) ** 2 / (sizes * p * (1 - p))).sum()), hits.size - 1
    return {"chi2": chi2, "df": df, "p_over": float(stats.chi2.sf(chi2, df)),
            "p_under": float(stats.chi2.cdf(chi2, df))}


def maae_null(maae_deg: float, n: int) -> float:
    """Probability that n blind directions have a mean absolute angular error this small or smaller.

    Exact (Irwin-Hall): errors of a uniform truth are uniform on 0 to 180 degrees. Proves nothing when the
    truth prefers a direction: a constant answer then does better than this chance (`resultant_reaching`).

    >>> round(maae_null(72.32, 8), 3)
    0.171
    """
    n = check_n(n)
    if n > MOST_ERRORS:
        raise InputError("forensics.maae_null", "n", n, f"at most {MOST_ERRORS}; beyond, the mean is normal "
                         "about 90 with standard deviation 51.96 / sqrt(n)")
    if not 0 <= maae_deg <= 180:
        raise InputError("forensics.maae_null", "maae_deg", maae_deg, "0 to 180 degrees")
    x = Fraction(str(maae_deg)) * n / 180
    return float(sum((-1) ** k * comb(n, k) * (x - k) ** n for k in range(int(x) + 1)) / factorial(n))


def resultant_reaching(maae_deg: float) -> float:
    """Resultant length at which the best constant direction has this mean absolute angular error.

    For von Mises bearings. Proves nothing about a model with a smaller error: its bearings may be that
    unequal by themselves; the bearings settle it.

    >>> round(resultant_reaching(72.32), 3)
    0.242
    """
    if not 1 <= maae_deg <= 90:
        raise InputError("forensics.resultant_reaching", "maae_deg", maae_deg, "1 to 90 degrees")
    kappa = optimize.brentq(lambda k: metrics.maae_von_mises_deg(k) - maae_deg, 0, 4000)
    return float(special.ive(1, kappa) / special.ive(0, kappa))
