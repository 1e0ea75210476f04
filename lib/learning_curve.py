"""Score against training examples, and when nothing can be said beyond the last of them (layer 2).

The inverse power law a - b n^-c has an end, a, which study S4 hopes to reach with more data. Scores that do
not rise, or rise without bending, do not tell where that end is: then the answer is the reason, not a number.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

from lib.files import InputError

POWER = (0.05, 3.0)          # bounds of c: below, n must grow a million times to halve the distance [D]
# A 95 % band of the end wider than this share of the score's range is no extrapolation; where it reaches the
# largest possible score the bound has cut it off, and less is enough [D]
WIDEST, WIDEST_AT_BOUND = 0.25, 0.1
LEVEL = 0.95
MIN_SIZES = 4                # three parameters and one left to disagree


@dataclass(frozen=True)
class Curve:
    """A fitted learning curve, or why there is none.

    `a`, `b`, `c` are None and `reason` is not "" where no extrapolation is possible; `sizes`, `mean` and `sd`
    (over repeats) are there in either case.
    """

    sizes: np.ndarray                     # (S,)
    mean: np.ndarray                      # (S,)
    sd: np.ndarray                        # (S,), ddof 1
    reason: str = ""
    a: float | None = None
    b: float | None = None
    c: float | None = None
    a_interval: tuple[float, float] | None = None
    draws: np.ndarray | None = None       # (D, 3) parameters of the bootstrap

    @property
    def can_extrapolate(self) -> bool:
        """Whether the curve may be asked beyond its last size."""
        return self.reason == ""

    def at(self, n) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the fitted score at `n` examples with its 95 % band: value, low, high.

        Raises
        ------
        InputError
            If no extrapolation is possible: the message says why.
        """
        if not self.can_extrapolate:
            raise InputError("learning_curve", "extrapolation", self.reason,
                             "scores that rise with n and bend; report the measured sizes only")
        n = np.asarray(n, float)
        if not (n > 0).all():
            raise InputError("learning_curve", "n", n, "numbers above 0")
        values = power_law(n[..., None], *self.draws.T)
        tails = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
        return power_law(n, self.a, self.b, self.c), tails[0], tails[1]


def power_law(n, a, b, c):
    """Inverse power law a - b n^-c.

    >>> round(float(power_law(100, 0.9, 1.0, 0.5)), 6)
    0.8
    """
    return a - b * np.asarray(n, float) ** -c


def fit_curve(sizes: np.ndarray, scores: np.ndarray, rng: np.random.Generator, draws: int = 500,
              bounds: tuple[float, float] = (0.0, 1.0)) -> Curve:
    """Fit an inverse power law to scores over repeats, with a bootstrap band, or say why it cannot be done.

    Parameters
    ----------
    sizes : array, shape (S,)
        Training examples, increasing. Count events, not windows that share one.
    scores : array, shape (R, S)
        One row a repeat: an independent subset, split and seed.
    rng : Generator
    draws : int
        Whole repeats are resampled this often.
    bounds : (low, high)
        Of the score, and so of its limit a: (0, 1), or (-1, 1) for MCC.

    Returns
    -------
    Curve
        With `reason` where the scores do not rise significantly (flat or noise), fall, or the end of the
        curve is not identified: its band is wider than 0.25 of a score, or 0.1 where it reaches `bounds`.

    Raises
    ------
    InputError
        For fewer than 4 sizes or 3 repeats, sizes that do not increase, or scores that are not finite or
        outside `bounds`.

    When not to use
    ---------------
    To promise a score: a band holds if nothing but n changes. Repeats that share test events make it narrow,
    and so do few of them: of nominal 95 %, ten repeats of a known law covered 90 %, thirty 96 %.

    References
    ----------
    Study S4 asks for such curves with an inverse power law (Figueroa et al. 2012); issue 7.
    """
    sizes, scores = _check(sizes, scores, bounds)
    mean, sd = scores.mean(0), scores.std(0, ddof=1)
    described = {"sizes": sizes, "mean": mean, "sd": sd}
    samples = rng.integers(len(scores), size=(draws, len(scores)))
    # (draws, S); a resample of R rows varies by (R - 1) / R too little
    means = mean + (scores[samples].mean(1) - mean) * np.sqrt(len(scores) / (len(scores) - 1))
    reason = _flat(sizes, mean, means)
    if reason:
        return Curve(**described, reason=reason)
    best = _fit(sizes, mean, bounds)
    if best is None:
        return Curve(**described, reason="the fit did not converge")
    found = [fit for fit in (_fit(sizes, m, bounds, best) for m in means) if fit is not None]
    if len(found) < 0.9 * draws:
        return Curve(**described, reason=f"the fit converged in {len(found)} of {draws} resamples only")
    found = np.array(found)
    low, high = (float(q) for q in np.quantile(found[:, 0], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    reason = _unidentified(best, low, high, found[:, 2], bounds)
    if reason:
        return Curve(**described, reason=reason)
    return Curve(**described, a=float(best[0]), b=float(best[1]), c=float(best[2]), a_interval=(low, high),
                 draws=found)


def _check(sizes, scores, bounds):
    sizes, scores = np.asarray(sizes, float), np.asarray(scores, float)
    if scores.ndim != 2 or sizes.ndim != 1 or scores.shape[1] != sizes.size:
        raise InputError("learning_curve", "shape of scores", scores.shape, "(repeats, sizes)")
    if sizes.size < MIN_SIZES or len(scores) < 3:
        raise InputError("learning_curve", "repeats, sizes", scores.shape,
                         f"3 repeats and {MIN_SIZES} sizes, or more")
    if not (sizes > 0).all() or not (np.diff(sizes) > 0).all():
        raise InputError("learning_curve", "sizes", sizes.tolist(), "increasing numbers above 0")
    if not ((scores >= bounds[0]) & (scores <= bounds[1])).all():
        raise InputError("learning_curve", "scores", scores.tolist(),
                         f"scores from {bounds[0]:g} to {bounds[1]:g}")
    return sizes, scores


def _flat(sizes, mean, means):
    """Why the scores do not rise, "" if they do: the slope against log n over resampled repeats."""
    x = np.log(sizes) - np.log(sizes).mean()
    slope = means @ x / (x @ x)
    low, high = np.quantile(slope, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    change = f"{mean @ x / (x @ x) * np.log(2):+.3f} a doubling"
    tiny = 1e-9 * max(np.abs(mean).max(), 1.0)                     # rounding is no slope
    if high < -tiny:
        return f"the score falls with n ({change})"
    if low <= tiny:
        return f"the score does not rise with n ({change}; zero is within its 95 % interval)"
    return ""


def _fit(sizes, mean, bounds, start=None):
    """Least squares for a, b, c; None if it does not converge. b is in units of the first size."""
    scale = sizes[0]                                   # n in units of it, so that b is a score difference
    span = bounds[1] - bounds[0]
    guess = ((min(mean.max() + 0.02 * span, bounds[1]), max(np.ptp(mean), 1e-3 * span), 0.5) if start is None
             else (start[0], start[1] * scale ** -start[2], start[2]))
    limits = ([bounds[0], 0.0, POWER[0]], [bounds[1], 20 * span, POWER[1]])
    guess = np.clip(guess, limits[0], limits[1])
    try:
        (a, b, c), _ = curve_fit(power_law, sizes / scale, mean, p0=guess, bounds=limits, jac=_slopes,
                                 max_nfev=2000)
    except RuntimeError:
        return None
    return float(a), float(b * scale ** c), float(c)


def _slopes(n, a, b, c):
    """Return the derivatives of `power_law` by a, b and c, (S, 3)."""
    decay = n ** -c
    return np.column_stack([np.ones_like(n), -decay, b * decay * np.log(n)])


def _unidentified(best, low, high, powers, bounds):
    """Why the end of the curve is not known, "" if it is."""
    span = bounds[1] - bounds[0]
    at_bound = high >= bounds[1] - 1e-6 * span
    if high - low > (WIDEST_AT_BOUND if at_bound else WIDEST) * span:
        return f"the end of the curve is not identified: 95 % band of a {low:.2f} to {high:.2f}"
    if best[2] <= POWER[0] * 1.02 or np.mean(powers <= POWER[0] * 1.02) > 0.05:
        return "the scores rise without bending: any end fits them (c at its lower bound)"
    if best[0] >= bounds[1] - 1e-6 * span and high - low < 1e-9 * span:
        return f"the fitted end is the largest possible score, {bounds[1]:g}: the bound decided, not the data"
    return ""
