"""The fixed affine scale between images and a network (layer 2)."""

import numpy as np

from lib.files import InputError


def fit_scale(x_train, floor: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the training rows, for (x - mean) / std.

    Parameters
    ----------
    x_train : array (N, C, F, T)
        Training rows only: a scale that has seen the test rows is a leak (L1.2). Array or CPU tensor.
    floor : float
        Least standard deviation returned, so that a dead channel becomes 0 and not infinite.

    Returns
    -------
    mean, std : float32 arrays (C,)

    Examples
    --------
    >>> mean, std = fit_scale(np.array([[[[1.0, 3.0]]], [[[1.0, 3.0]]]]))
    >>> float(mean[0]), float(std[0])
    (2.0, 1.0)
    """
    count, first, second = 0, 0.0, 0.0
    for start in range(0, len(x_train), 64):   # float64 sums without a float64 copy of everything
        part = np.asarray(x_train[start:start + 64], np.float64)
        count += part.size // part.shape[1]
        first, second = first + part.sum(axis=(0, 2, 3)), second + (part**2).sum(axis=(0, 2, 3))
    if not count or not np.isfinite(second).all():
        raise InputError("fit_scale", "x_train", f"{count} finite values a channel", "rows without NaN")
    mean = first / count
    std = np.sqrt(np.maximum(second / count - mean**2, 0))
    return mean.astype(np.float32), np.maximum(std, floor).astype(np.float32)
