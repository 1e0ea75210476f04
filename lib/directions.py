"""Nulls for directions: does a predicted bearing know the earthquake's? (layer 2).

Scores, and tests by formula, are in `lib.metrics`; these tests draw their null, and serve where a formula
does not: few earthquakes, or several stations an earthquake. Source: validity.md A12.
"""

import numpy as np

from lib.files import InputError

DRAWN = 4_000_000        # numbers held at once: 32 MB


def permute_bearings(pred_deg: np.ndarray, true_deg: np.ndarray, groups: np.ndarray, draws: int,
                     rng: np.random.Generator, unit: str = "event") -> dict:
    """Exchange the true bearings of whole earthquakes and compare the mean absolute angular error.

    Unit: the group. Earthquakes exchange their rows in table order, with others of as many rows, so that two
    stations of one earthquake never count as two. One-sided: p is the share of exchanges with an error as
    small.

    When not to use: where stations differ between earthquakes and each has its own usual bearing; a model
    that knows the station alone then passes. Show the constant direction of each station beside it.

    Parameters
    ----------
    pred_deg, true_deg, groups : array, shape (N,)
    draws : int, at least 199
    rng : numpy Generator
    unit : str

    Returns
    -------
    dict
        `maae_deg`, `p`, `null_mean_deg`, `unit`, `n_units` (those that can move), `draws`.

    Raises
    ------
    InputError
        For unequal lengths, a bearing that is not finite, or no two groups of equal size.
    """
    pred, true = (np.asarray(v, float) for v in (pred_deg, true_deg))
    groups = np.asarray(groups)
    if pred.ndim != 1 or not pred.shape == true.shape == groups.shape or not np.isfinite(pred + true).all():
        raise InputError("directions.permute_bearings", "shapes of pred, true, groups",
                         (pred.shape, true.shape, groups.shape), "one finite bearing and one label a row")
    code = np.unique(groups, return_inverse=True)[1]
    size = np.bincount(code)
    rows = np.split(np.argsort(code, kind="stable"), np.cumsum(size)[:-1])
    blocks = [np.stack([r for r in rows if r.size == s]) for s in np.unique(size)]      # (groups, rows) each
    movable = sum(len(block) for block in blocks if len(block) > 1)
    if movable == 0:
        raise InputError("directions.permute_bearings", f"exchangeable units ({unit})", 0,
                         "two or more of equal size")
    null, step = np.zeros(draws), max(1, DRAWN // pred.size)
    for block in blocks:
        for start in range(0, draws, step):
            n = min(step, draws - start)
            source = rng.permuted(np.tile(np.arange(len(block)), (n, 1)), axis=1)       # (n, groups)
            null[start:start + n] += _error(pred[block], true[block][source]).sum((1, 2))
    observed, null = float(_error(pred, true).mean()), null / pred.size
    p = (1 + int((null <= observed + 1e-9).sum())) / (1 + draws)
    return {"maae_deg": observed, "p": p, "null_mean_deg": float(null.mean()), "unit": unit,
            "n_units": movable, "draws": draws}


def _error(a_deg, b_deg):
    return np.abs((a_deg - b_deg + 180) % 360 - 180)


def uniformity_tests(angles_deg: np.ndarray, draws: int, rng: np.random.Generator, mean_deg: float = 0.0,
                     unit: str = "event") -> dict:
    """Monte-Carlo p of the Rayleigh test (any direction) and the V test (about `mean_deg`).

    Exact up to the number of draws, for any number of angles. Unit: the angle, so give one for each
    earthquake, as `metrics.direction_tests` does by its circular mean.

    When not to use: on rows of shared earthquakes; with a `mean_deg` taken from these angles.

    Returns
    -------
    dict
        `rayleigh_p`, `v_p`, `unit`, `n_units`, `draws`.
    """
    angles = np.asarray(angles_deg, float)
    if angles.ndim != 1 or angles.size == 0 or not np.isfinite(angles).all():
        raise InputError("directions.uniformity_tests", "angles_deg", angles, "one dimension, finite")
    vector = np.exp(1j * np.deg2rad(angles - mean_deg)).sum()
    longer = further = 0
    step = max(1, DRAWN // (4 * angles.size))
    for start in range(0, draws, step):
        turn = rng.random((min(step, draws - start), angles.size)) * (2 * np.pi)
        east, north = np.sin(turn).sum(1), np.cos(turn).sum(1)
        longer += int((np.hypot(east, north) >= abs(vector) - 1e-12).sum())
        further += int((north >= vector.real - 1e-12).sum())
    return {"rayleigh_p": (1 + longer) / (1 + draws), "v_p": (1 + further) / (1 + draws), "unit": unit,
            "n_units": angles.size, "draws": draws}
