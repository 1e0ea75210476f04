"""From windows of nT to the input of a network, and what each way leaves of a small signal (layer 2).

Study S4 divides by the largest |Bz|, which is the main field of some 45 000 nT: a signal of 1 nT becomes
2e-5 of the input. Taking off each component's median first keeps nT readable.
"""

import numpy as np

from lib.files import InputError

Z = 2                    # place of the vertical component among H, D, Z
SCALE_NT = 10.0          # one unit of an amplitude-preserving input: about a quiet hour's range [D]


def max_bz(x: np.ndarray, reference: np.ndarray | float | None = None) -> np.ndarray:
    """Divide all components by the largest |Z| of the window, as study S4.

    Parameters
    ----------
    x : array, shape (..., 3, n)
        H, D, Z in nT, without NaN.
    reference : float or array, broadcast to shape (...), optional
        Largest |Z| of a whole record instead, nT.

    Returns
    -------
    array, shape (..., 3, n)
        float32, within -1 to 1 where Z is the largest component (not so near the dip equator).

    Raises
    ------
    InputError
        For another shape, a value that is not finite, or a Z that is zero throughout.

    Notes
    -----
    systems.md K6. When not to use: for any signal of nT; the main field stays in, and tells the station.
    """
    x = check_windows(x, "normalise.max_bz")
    largest = np.abs(x[..., Z, :]).max(-1) if reference is None else np.asarray(reference, float)
    if not (np.isfinite(largest) & (largest > 0)).all():
        raise InputError("normalise.max_bz", "largest |Z|", float(np.min(largest)), "more than 0 nT")
    return (x / np.broadcast_to(largest, x.shape[:-2])[..., None, None]).astype(np.float32)


def amplitude(x: np.ndarray, scale_nt: float = SCALE_NT) -> np.ndarray:
    """Take off each component's median over the window and divide by a fixed number of nT.

    The same nT give the same input in every window, station and component, so that amplitudes, and ratios
    of components, stay what they were.

    Parameters
    ----------
    x : array, shape (..., 3, n)
        nT, without NaN.
    scale_nt : float

    Returns
    -------
    array, shape (..., 3, n), float32

    Raises
    ------
    InputError
        For another shape, a value that is not finite, or a scale that is not above 0.
    """
    x = check_windows(x, "normalise.amplitude")
    if not (np.isfinite(scale_nt) and scale_nt > 0):
        raise InputError("normalise.amplitude", "scale_nt", scale_nt, "a number of nT above 0")
    return ((x - np.median(x, axis=-1, keepdims=True)) / scale_nt).astype(np.float32)


NORMALISE = {"max_bz": max_bz, "amplitude": amplitude}


def normalise(x: np.ndarray, kind: str) -> np.ndarray:
    """Apply a way of normalising by its name, a key of `NORMALISE` (`SeriesSpec.normalise`)."""
    if kind not in NORMALISE:
        raise InputError("normalise", "normalise", kind, ", ".join(NORMALISE))
    return NORMALISE[kind](x)


def signal_left(x: np.ndarray, kind: str, signal_nt: float = 1.0) -> dict[str, float]:
    """Measure what a way of normalising leaves of a small signal in real or synthetic windows.

    A sine of the given amplitude, eight cycles a window, is added to the horizontal component H; the input
    with it less the input without it is the signal that a network sees.

    Parameters
    ----------
    x : array, shape (..., 3, n)
        nT, at least 16 samples a window.
    kind : str
        A key of `NORMALISE`.
    signal_nt : float
        Amplitude.

    Returns
    -------
    dict
        `amplitude`: of the signal in the input; `of_range`: that over the range of the input (largest |value|
        of all components); `of_scatter`: over the standard deviation of H about its median;
        `float32_steps`: how many steps of float32 at the input's level it spans. Medians over windows.

    References
    ----------
    systems.md K6: at 45 000 nT, `of_range` is 2e-5 for 1 nT.
    """
    x = check_windows(x, "normalise.signal_left")
    n = x.shape[-1]
    if n < 16:
        raise InputError("normalise.signal_left", "samples", n, "at least 16")
    wave = signal_nt * np.sin(2 * np.pi * 8 * np.arange(n) / n)
    with_signal = x.copy()
    with_signal[..., 0, :] += wave
    plain = normalise(x, kind).astype(float)
    difference = (normalise(with_signal, kind) - plain)[..., 0, :]
    size = np.sqrt(2 * (difference - difference.mean(-1, keepdims=True)).var(-1))
    level = np.abs(plain).max((-2, -1))
    scatter = plain[..., 0, :].std(-1)
    step = np.spacing(np.abs(plain[..., 0, :]).max(-1).astype(np.float32)).astype(float)
    with np.errstate(divide="ignore"):
        parts = {"amplitude": size, "of_range": size / level, "of_scatter": size / scatter,
                 "float32_steps": size / step}
    return {name: float(np.median(value)) for name, value in parts.items()}


def check_windows(x: np.ndarray, source: str) -> np.ndarray:
    """Return windows as float64, shape (..., 3, n), or say what is wrong with them."""
    x = np.asarray(x, float)
    if x.ndim < 2 or x.shape[-2] != 3 or x.shape[-1] < 1:
        raise InputError(source, "shape", x.shape, "(..., 3, n): H, D, Z in nT")
    if not np.isfinite(x).all():
        raise InputError(source, "values", f"{int((~np.isfinite(x)).sum())} not finite",
                         "windows without gaps (lib.earth.gap_rule.load_windows)")
    return x
