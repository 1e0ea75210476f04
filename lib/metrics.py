"""Scores of class predictions and of directions (layer 2).

Every class score is a function of a confusion matrix, or of a stack of them (..., K, K), so that a bootstrap
or a permutation test scores thousands of matrices in one call (`lib.intervals`). Rows are the truth, columns
the prediction, class 0 is Normal (quiet). Formulas and test values: validity.md A5 and A12.
"""

from functools import partial

import astropy.units as u
import numpy as np
from astropy.stats import circcorrcoef, rayleightest, vtest
from scipy.special import ive

from lib.files import InputError


def confusion(y_true: np.ndarray, y_pred: np.ndarray, k: int) -> np.ndarray:
    """Count windows by true class (rows) and predicted class (columns).

    Parameters
    ----------
    y_true, y_pred : array of int, shape (N,)
        Class indices 0 ... k-1.
    k : int
        Number of classes, present or not.

    Returns
    -------
    array of int, shape (k, k)

    Raises
    ------
    InputError
        For empty arrays, unequal lengths, or an index outside 0 ... k-1 (-1 marks a window never tested).

    Examples
    --------
    >>> confusion([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    y_true, y_pred = check_classes("y_true", y_true, k), check_classes("y_pred", y_pred, k)
    if y_true.shape != y_pred.shape:
        raise InputError("metrics", "length of y_pred", y_pred.size, f"{y_true.size}, as y_true")
    return np.bincount(y_true * k + y_pred, minlength=k * k).reshape(k, k)


def check_classes(name: str, y: np.ndarray, k: int) -> np.ndarray:
    """Return class indices as a one-dimensional int64 array, or say which row is not in 0 ... k-1."""
    y = np.asarray(y)
    if y.ndim != 1 or y.size == 0:
        raise InputError("metrics", f"shape of {name}", y.shape, "one dimension, at least one row")
    bad = np.ones(y.shape, bool) if y.dtype.kind not in "iufb" else ~(
        (y >= 0) & (y < k) & (np.mod(np.where(np.isfinite(y), y, .5), 1) == 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError("metrics", f"{name}, row {row}", y[row], f"a class index 0 ... {k - 1}")
    return y.astype(np.int64)


def within_event(y_true: np.ndarray, y_pred: np.ndarray, k: int) -> np.ndarray:
    """Confusion matrix of the event windows alone: rows whose truth is not Normal.

    A prediction of Normal stays a possible column and is an error. This is where skill in magnitude and
    azimuth lives; scores over all windows are mostly scores of quiet against event (validity.md A5, E1.2).

    Raises
    ------
    InputError
        If no window belongs to an event.
    """
    counts = confusion(y_true, y_pred, k)
    counts[0] = 0
    if counts.sum() == 0:
        raise InputError("metrics.within_event", "y_true", "only class 0", "windows of events")
    return counts


def _parts(matrix):
    """Correct, total, row sums (truth) and column sums (prediction) of one or many matrices."""
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise InputError("metrics", "shape of the confusion matrix", matrix.shape, "(..., K, K)")
    return (np.trace(matrix, axis1=-2, axis2=-1), matrix.sum((-2, -1)),
            matrix.sum(-1), matrix.sum(-2))


def _ratio(a, b, empty=np.nan):
    """Divide; `empty` where the denominator is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    return np.divide(a, b, out=np.full(a.shape, float(empty)), where=b != 0)[()]


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of windows on the diagonal; print the majority rate next to it.

    >>> float(accuracy([[10, 2, 1], [3, 8, 2], [1, 1, 12]]))
    0.75
    """
    correct, total, _, _ = _parts(matrix)
    return _ratio(correct, total)


def mcc(matrix: np.ndarray) -> np.ndarray:
    """Exact multi-class Matthews correlation R_K; 0 where truth or prediction is constant.

    R_K = (c s - sum p_k t_k) / sqrt((s^2 - sum p_k^2)(s^2 - sum t_k^2)), Gorodkin (2004); validity.md A5.

    When not to use: alone. A rule that only tells quiet from event reaches 0.953 on the published table.

    >>> round(float(mcc([[10, 2, 1], [3, 8, 2], [1, 1, 12]])), 6)
    0.626181
    """
    correct, total, truth, guess = _parts(matrix)
    spread = (total**2 - (guess**2).sum(-1)) * (total**2 - (truth**2).sum(-1))
    return _ratio(correct * total - (truth * guess).sum(-1), np.sqrt(np.maximum(spread, 0)), empty=0)


def kappa(matrix: np.ndarray, quadratic: bool = False) -> np.ndarray:
    """Cohen's kappa, unweighted or with weights (i - j)^2 for ordered classes; 0 where it is 0/0.

    >>> round(float(kappa([[10, 2, 1], [3, 8, 2], [1, 1, 12]], quadratic=True)), 6)
    0.71403
    """
    _, total, truth, guess = _parts(matrix)
    k = np.shape(matrix)[-1]
    step = np.arange(k)
    weight = (step[:, None] - step) ** 2.0 if quadratic else 1.0 - np.eye(k)
    disagreement = (weight * matrix).sum((-2, -1))
    by_chance = np.einsum("...i,ij,...j->...", truth, weight, guess)
    return np.where(by_chance == 0, 0.0, 1 - _ratio(disagreement * total, by_chance))[()]


def recall(matrix: np.ndarray) -> np.ndarray:
    """Share of each true class found, shape (..., K); NaN for a class without windows.

    >>> recall([[3, 1], [0, 0]])
    array([0.75,  nan])
    """
    _, _, truth, _ = _parts(matrix)
    return _ratio(np.diagonal(matrix, axis1=-2, axis2=-1), truth)


def balanced_accuracy(matrix: np.ndarray, adjusted: bool = False) -> np.ndarray:
    """Mean recall over the classes present; `adjusted` rescales chance 1/K to 0."""
    found = recall(matrix)
    present = np.isfinite(found).sum(-1)
    mean = _ratio(np.nansum(found, axis=-1), present)
    return _ratio(mean - _ratio(1, present), 1 - _ratio(1, present), empty=0) if adjusted else mean


def f1(matrix: np.ndarray, weighted: bool = False) -> np.ndarray:
    """Mean over classes of 2 TP / (true + predicted); `weighted` by the true counts.

    Classes with neither true nor predicted windows are left out, as in scikit-learn.
    """
    _, total, truth, guess = _parts(matrix)
    each = _ratio(2 * np.diagonal(matrix, axis1=-2, axis2=-1), truth + guess)   # (..., K)
    if weighted:
        return _ratio(np.nansum(each * truth, axis=-1), total)
    return _ratio(np.nansum(each, axis=-1), np.isfinite(each).sum(-1))


SCORES = {"accuracy": accuracy, "mcc": mcc, "kappa": kappa, "quadratic_kappa": partial(kappa, quadratic=True),
          "balanced_accuracy": balanced_accuracy, "macro_f1": f1, "weighted_f1": partial(f1, weighted=True)}


def scores(matrix: np.ndarray) -> dict[str, float]:
    """Every score of `SCORES` for one confusion matrix, as plain numbers."""
    return {name: float(score(matrix)) for name, score in SCORES.items()}


def estimated_mcc(accuracy: float, k: int, clip: bool = False) -> float:
    """NOT a correlation: the formula behind the MCC values printed by R2, kappa_u sqrt(K/(K-1)).

    kappa_u = (accuracy - 1/K)/(1 - 1/K) takes every class for equally frequent. Used only to reproduce the
    printed 0.69 and 1.1166 (printed as 1.0, `clip`); the score itself is `mcc`. Source: validity.md A5, E1.6.

    >>> round(estimated_mcc(0.75, 3), 5)
    0.76547
    """
    value = (accuracy - 1 / k) / (1 - 1 / k) * np.sqrt(k / (k - 1))
    return float(min(value, 1.0) if clip else value)


# Directions, in degrees clockwise from north

def wrap_deg(delta_deg: np.ndarray) -> np.ndarray:
    """Wrap an angle difference into [-180, 180).

    >>> float(wrap_deg(350))
    -10.0
    """
    return (np.asarray(delta_deg, float) + 180) % 360 - 180


def maae_deg(pred_deg: np.ndarray, true_deg: np.ndarray) -> float:
    """Mean absolute angular error; 90 for any prediction when the truth is uniform.

    >>> maae_deg([350, 10, 90, 180], [10, 350, 200, 0])
    82.5
    """
    return float(np.abs(wrap_deg(np.subtract(pred_deg, true_deg))).mean())


def axial_error_deg(pred_deg: np.ndarray, true_deg: np.ndarray) -> float:
    """Mean error of the line, forgetting its sense: min(|d|, 180 - |d|); chance is 45."""
    delta = np.abs(wrap_deg(np.subtract(pred_deg, true_deg)))
    return float(np.minimum(delta, 180 - delta).mean())


def best_constant_deg(train_deg: np.ndarray) -> float:
    """Circular median: the one direction with the least MAAE on the *training* bearings.

    The error is piecewise linear with its minima at data; where several tie, their circular mean is taken if
    it is as good (the midpoint of two), else the smallest.

    >>> best_constant_deg([350, 0, 20])
    0.0
    """
    train = np.asarray(train_deg, float) % 360
    if train.size == 0 or not np.isfinite(train).all():
        raise InputError("metrics.best_constant_deg", "train_deg", train_deg, "finite bearings")
    candidates = np.unique(train)
    error = np.abs(wrap_deg(candidates[:, None] - train)).mean(1)
    tied = candidates[np.isclose(error, error.min(), rtol=0, atol=1e-9)]
    middle = circular_mean_deg(tied)
    return float(middle if maae_deg(middle, train) <= error.min() + 1e-9 else tied[0])


def maae_von_mises_deg(kappa: float) -> float:
    """MAAE of the best constant direction when the truth is von Mises with concentration `kappa`.

    90 - (180/pi)(4/pi) sum over odd k of I_k(kappa) / (I_0(kappa) k^2); validity.md A12.

    >>> round(maae_von_mises_deg(1), 3)
    57.293
    """
    k = np.arange(1, 4001, 2)
    return float(90 - 720 / np.pi**2 * (ive(k, kappa) / ive(0, kappa) / k**2).sum())


def decode_azimuth_deg(p: np.ndarray) -> np.ndarray:
    """Bearing 0-360 of eight sector probabilities (N, NE, ... NW), by their vector mean.

    Parameters
    ----------
    p : array, shape (..., 8)
        Probabilities of `studies.AZIMUTH_CLASSES` without Normal; they need not sum to 1.

    Returns
    -------
    array, shape (...)
        Degrees; NaN where the sectors cancel and no direction is preferred.

    >>> round(float(decode_azimuth_deg([.5, .3, .1, 0, 0, 0, 0, .1])), 3)
    17.139
    """
    p = np.asarray(p, float)
    if p.shape[-1:] != (8,):
        raise InputError("metrics.decode_azimuth_deg", "shape of p", p.shape, "(..., 8)")
    vector = p @ np.exp(1j * np.deg2rad(np.arange(0, 360, 45)))
    return np.where(np.abs(vector) > 1e-9, np.rad2deg(np.angle(vector)) % 360, np.nan)[()]


def circular_mean_deg(angles_deg: np.ndarray) -> float:
    """Direction 0-360 of the mean unit vector."""
    return float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(angles_deg)).mean())) % 360)


def resultant(angles_deg: np.ndarray) -> float:
    """Length of the mean unit vector: 0 no preferred direction, 1 all the same."""
    return float(np.abs(np.exp(1j * np.deg2rad(angles_deg)).mean()))


def direction_tests(angles_deg: np.ndarray, groups: np.ndarray, unit: str = "event",
                    mean_deg: float = 0.0) -> dict:
    """Rayleigh test (any preferred direction) and V test (about `mean_deg`), one direction a group.

    Rows of one group are replaced by their circular mean first: rows of one earthquake are not independent.
    Give errors (prediction - truth) and `mean_deg` 0 to ask whether predictions point at the truth.

    Returns
    -------
    dict
        `rayleigh_p`, `v_p`, `unit`, `n_groups`. Through astropy (pingouin's V is wrong; validity.md A12).
    """
    groups = np.asarray(groups)
    one = [circular_mean_deg(np.asarray(angles_deg, float)[groups == g]) for g in np.unique(groups)]
    one = np.deg2rad(one) * u.rad
    return {"rayleigh_p": float(rayleightest(one)), "v_p": float(vtest(one, mu=mean_deg * u.deg)),
            "unit": unit, "n_groups": len(one)}


def circular_correlation(a_deg: np.ndarray, b_deg: np.ndarray) -> float:
    """Jammalamadaka-SenGupta correlation of two sets of directions, through astropy."""
    return float(circcorrcoef(np.deg2rad(a_deg) * u.rad, np.deg2rad(b_deg) * u.rad))
