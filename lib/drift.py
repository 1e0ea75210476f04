"""Removal of what is too slow for a window: a zero-phase high-pass at a tenth of the usual cost (layer 1)."""

from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view


class Drift(NamedTuple):
    """The low-pass whose output is subtracted (see `plan_drift`)."""

    block: int
    gain: np.ndarray
    spline: np.ndarray


def high_pass(x: np.ndarray, corner_hz: float, sampling_s: float = 1.0) -> np.ndarray:
    """Remove what is slower than the corner, without phase shift.

    The gain is that of ``sosfiltfilt(butter(4, corner, "high"))``, 0.5 at the corner. Only the drift is
    filtered, as means over about 1/32 of the corner's period, and subtracted as a cubic spline: high
    frequencies are not touched, and it costs 1/10 of sosfiltfilt. Means, less the line through their
    ends, are continued oddly. More than two periods of the corner away from the ends the result is that
    of sosfiltfilt to 0.1 % of the rms; nearer, it lacks the start-up transient of sosfiltfilt.

    Parameters
    ----------
    x : array (..., n)
        Series in nT, no gaps. An n without divisors near 1/32 of the period is slower, not worse.
    corner_hz, sampling_s : float
        Corner frequency in Hz and sampling interval in s.

    Returns
    -------
    float32 array (..., n)
    """
    return subtract_drift(x, plan_drift(x.shape[-1], corner_hz, sampling_s))


def plan_drift(n: int, corner_hz: float, sampling_s: float) -> Drift:
    """Prepare `high_pass` for series of n samples, at least 2.

    Returns the block length, the gain on the DST-II frequencies of the block means and the cubic B-spline
    basis (5, block). The gain is the squared one of the 4th-order digital Butterworth low-pass, divided by
    what averaging over a block and interpolating do to each frequency (Unser 1999).
    """
    longest = max(1, min(int(1 / (32 * corner_hz * sampling_s)), n // 8))
    block = max(q for q in range(1, longest + 1) if n % q == 0)
    phase = np.pi * np.arange(1, n // block + 1) * block / (2 * n)      # pi f times the block
    low_pass = 1 / (1 + (np.tan(phase / block) / np.tan(np.pi * corner_hz * sampling_s)) ** 8)
    mean = np.sin(phase) / (block * np.sin(phase / block))
    gain = low_pass / mean / ((2 + np.cos(2 * phase)) / 3)
    offset = np.abs(np.arange(-2, 3)[:, None] - ((np.arange(block) + 0.5) / block - 0.5))
    spline = np.where(offset < 1, 2 / 3 - offset**2 + offset**3 / 2, np.maximum(0, 2 - offset) ** 3 / 6)
    return Drift(block, gain.astype(np.float32), spline.astype(np.float32))


def subtract_drift(x: np.ndarray, plan: Drift) -> np.ndarray:
    """Subtract the low-passed series from x (..., n): `high_pass` with its plan made before."""
    x = (x - x[..., :1]).astype(np.float32, copy=False)   # 38 000 nT would cost float32 its decimals
    means = x.reshape(*x.shape[:-1], -1, plan.block) @ np.full(plan.block, 1 / plan.block, np.float32)
    ends = 1.5 * means[..., [0, -1]] - 0.5 * means[..., [1, -2]]            # half a block outwards
    knots = (np.arange(-2, means.shape[-1] + 2, dtype=np.float32) + 0.5) / means.shape[-1]
    line = ends[..., :1] + (ends[..., 1:] - ends[..., :1]) * knots          # two knots beyond each end
    means = scipy.fft.dst(means - line[..., 2:-2], type=2) * plan.gain
    means = scipy.fft.idst(means, type=2)
    means = np.concatenate([-means[..., 1::-1], means, -means[..., :-3:-1]], axis=-1)   # continued oddly
    drift = sliding_window_view(means + line, 5, axis=-1) @ plan.spline     # (..., blocks, block)
    return np.subtract(x, drift.reshape(x.shape), out=x)
