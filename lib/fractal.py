"""Fractal dimension of many series at once (layer 2).

Unit: the series, one row of an array.
"""

import numpy as np

from lib.files import InputError


def higuchi(x: np.ndarray, kmax: int = 10) -> np.ndarray:
    """Fractal dimension of each row by Higuchi (1988): 1 a line, 1.5 a random walk, 2 white noise.

    L_m(k) = sum |x(m + ik) - x(m + (i-1)k)| (N-1) / (floor((N-m)/k) k^2); D is the slope of ln<L> on ln(1/k).

    When not to use: where the spectrum falls outside 1 < beta < 3, for beta = 5 - 2D fails there; on filtered
    or coarsely rounded records, whose D is that of the filter or of the rounding; to compare nights of other
    activity, for D follows the slope of the spectrum and with it Kp (Masci 2013).

    Parameters
    ----------
    x : array, shape (..., N)
        At least 10 `kmax` values a row.
    kmax : int
        Largest step, in samples.

    Returns
    -------
    array, shape (...)
        NaN for a row with a gap, or without change over some step.

    Raises
    ------
    InputError
        For rows that are too short, or a `kmax` below 2.

    References
    ----------
    validity.md B5.

    Examples
    --------
    >>> higuchi(np.stack([np.arange(1000.0), 3 * np.arange(1000.0)])).round(6).tolist()
    [1.0, 1.0]
    """
    x = np.asarray(x, float)
    n = x.shape[-1] if x.ndim else 0
    if isinstance(kmax, bool) or not isinstance(kmax, (int, np.integer)) or kmax < 2 or n < 10 * kmax:
        raise InputError("fractal.higuchi", "shape of x, kmax", (x.shape, kmax),
                         "rows of 10 kmax values or more, kmax of 2 or more")
    steps = np.arange(1, kmax + 1)
    length = np.stack([np.mean([_length(x[..., m::k], n, k, m) for m in range(k)], axis=0) for k in steps],
                      axis=-1)
    usable = np.isfinite(length).all(-1) & (length > 0).all(-1)
    log = np.log(np.where(usable[..., None], length, 1.0))            # (..., kmax)
    away = -np.log(steps) + np.log(steps).mean()                      # ln(1/k) about its mean
    return np.where(usable, log @ away / (away @ away), np.nan)


def _length(y, n, k, m):
    """Length of the curve through every k-th sample, scaled to the whole row."""
    return np.abs(np.diff(y, axis=-1)).sum(-1) * (n - 1) / ((n - 1 - m) // k * k**2)
