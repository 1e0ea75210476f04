"""Short-time Fourier images of three-component ULF windows (layer 2).

From nT to log10 of nT^2/Hz on a fixed grid: high-pass, Hann segments, one-sided power spectral density,
crop, resize, logarithm. Power is averaged first and the logarithm taken last: a pixel is then Welch's
estimate of the power in its cell, in physical units at every image size, whereas the mean of logarithms
lies 0.25 decades below the power of noise and scatters more. Before the resize the values are those of
`scipy.signal.spectrogram` (Hann, constant detrend, density). Enlarging interpolates linearly, shrinking
averages over each cell, so nothing aliases. The high-pass looks forward in time, as every zero-phase filter
does: never across a test boundary. Sources: validity.md B2, C8; Welch (1967).
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal, sparse

from lib.drift import Drift, plan_drift, subtract_drift
from lib.files import InputError
from lib.studies import COMPONENTS, STFTSpec

PRESETS = {
    # R1's segments and the band that R2's images show: 9 bins. R2 also filters there, which moves no bin.
    "published": STFTSpec(nperseg=256, noverlap=128, freq_hz=(0.010, 0.045)),
    # validity.md B2: bins of 0.977 mHz resolve Pc5, 81 frames in 6 h
    "recommended": STFTSpec(nperseg=1024, noverlap=768),
}
POWER_FLOOR = 1e-9   # nT^2/Hz, 1e-4 of the quantisation noise of 0.01 nT steps (B1): a dead sensor, not -inf
SMOOTH_FRAMES, SMOOTH_BINS = 5, 3   # coherency of one frame and bin is 1 for any two signals
_CHUNK = 4   # windows at a time: stays in a core's cache; 4 float32 transforms are one SIMD register
# glibc hands freed memory back to the system, and the page faults of the next chunk take four times as long
# as its transform, until a larger block has been freed once (dynamic threshold of mallopt, at most 32 MiB).
_KEEP_BYTES = 30 * 2**20


class _Plan(NamedTuple):
    """What depends on the settings only, computed once."""

    drift: Drift | None
    taper: np.ndarray               # (nperseg,) Hann, scaled so that |rfft|^2 is one-sided nT^2/Hz
    hop: int
    bins: slice
    frequencies: sparse.csr_array   # (F, bins), also halves the bins that one side does not double
    times: sparse.csr_array         # (T, frames)
    smooth_frequencies: sparse.csr_array
    smooth_times: sparse.csr_array


def spectrogram(x: np.ndarray, spec: STFTSpec, sampling_s: float = 1.0,
                threads: int | None = None) -> np.ndarray:
    """Log10 power spectral density of three-component windows, as images of a fixed size.

    Parameters
    ----------
    x : array (N, 3, n)
        Windows in nT, components H, D, Z. Fill or drop windows with gaps before.
    spec : STFTSpec
        Segments, high-pass corner, band and image size. With ``phase=True`` there are seven channels:
        power alone cannot tell north from south (C8).
    sampling_s : float
        Sampling interval in seconds.
    threads : int, optional
        Threads over windows; all cores, at most 8, by default. The values do not depend on it.

    Returns
    -------
    float32 array (N, C, F, T)
        log10 of nT^2/Hz for H, D, Z, low frequencies first; with phase also the real and imaginary part
        of the coherencies of H Z* and D Z*, in [-1, 1], averaged over 5 frames, 3 bins and the pixel.

    Raises
    ------
    InputError
        For a NaN (names window and component) or settings that window or sampling cannot hold.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 2, (1, 3, 21600))   # white, 2 sigma^2 / fs = 8 nT^2/Hz
    >>> bool(np.isclose(10 ** spectrogram(x, STFTSpec(size=(1, 1))).mean(), 8, rtol=0.03))
    True
    """
    spec = _checked_spec(spec, sampling_s)
    x = _checked_windows(x, spec.nperseg)
    plan = _plan(spec, x.shape[-1], sampling_s)
    out = np.empty((len(x), 7 if spec.phase else 3, *spec.size), np.float32)
    starts = range(0, len(x), _CHUNK)
    np.empty(_KEEP_BYTES, np.uint8)   # freed at once, see _KEEP_BYTES

    def work(start):
        _draw(x[start:start + _CHUNK], plan, out[start:start + _CHUNK])

    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        list(pool.map(work, starts))   # numpy, scipy.fft and sparse products free the GIL
    return out


def frequencies_hz(spec: STFTSpec, sampling_s: float = 1.0) -> np.ndarray:
    """Centre frequencies in Hz of the image's rows, low first.

    >>> frequencies_hz(STFTSpec(size=(129, 1)))[[0, 8, 128]]
    array([0.     , 0.03125, 0.5    ])
    """
    spec = _checked_spec(spec, sampling_s)
    bins = np.arange(spec.nperseg // 2 + 1)[_bins(spec, sampling_s)]
    return resizing_matrix(len(bins), spec.size[0]) @ bins / (spec.nperseg * sampling_s)


def times_s(spec: STFTSpec, n: int, sampling_s: float = 1.0) -> np.ndarray:
    """Centre times in seconds after the window's start of the image's columns, for n samples.

    >>> times_s(STFTSpec(size=(1, 27)), 3600)[:2]
    array([128., 256.])
    """
    spec = _checked_spec(spec, sampling_s)
    frames = _n_frames(spec, n)
    centres = spec.nperseg / 2 + np.arange(frames) * (spec.nperseg - spec.noverlap)
    return resizing_matrix(frames, spec.size[1]) @ centres * sampling_s


def channel_names(spec: STFTSpec) -> tuple[str, ...]:
    """Names of the channels in their order.

    >>> channel_names(STFTSpec(phase=True))
    ('H', 'D', 'Z', 'Re HZ*', 'Im HZ*', 'Re DZ*', 'Im DZ*')
    """
    cross = tuple(f"{part} {c}Z*" for c in "HD" for part in ("Re", "Im")) if spec.phase else ()
    return tuple(COMPONENTS) + cross


def _draw(x, plan, out):
    """Write the images of a few windows (N, 3, n) into `out` (N, C, F, T)."""
    if plan.drift is None:   # the segments lose their means below; float32 needs the level gone before
        x = (x - x[..., :1]).astype(np.float32, copy=False)
    else:
        x = subtract_drift(x, plan.drift)
    frames = sliding_window_view(x, len(plan.taper), axis=-1)[..., ::plan.hop, :]
    frames = frames.transpose(2, 0, 1, 3)          # (N, 3, frames, nperseg) -> (frames, N, 3, nperseg)
    mean = np.einsum("tnci->tnc", frames)[..., None] / len(plan.taper)     # a third of the time of .mean()
    frames = np.subtract(frames, mean, order="C")
    frames *= plan.taper
    spectrum = scipy.fft.rfft(frames, overwrite_x=True)[..., plan.bins]   # (frames, N, 3, bins)
    power = np.abs(spectrum)
    power *= power
    power += POWER_FLOOR
    out[:, :3] = _resize(power, plan.times, plan.frequencies, np.log10)
    if out.shape[1] == 7:
        _coherency(spectrum, power, plan, out[:, 3:])


def _coherency(spectrum, power, plan, out):
    """Write Re, Im of the coherencies of H Z* and D Z* into `out` (N, 4, F, T).

    The same weights average cross-spectra and powers before the division: at most 1 (Cauchy-Schwarz).
    """
    grids = plan.smooth_times, plan.smooth_frequencies
    cross = spectrum[:, :, :2] * spectrum[:, :, 2:].conj()            # H Z*, D Z*
    parts = np.stack([cross.real, cross.imag], axis=3)                # (frames, N, 2, 2, bins)
    parts = _resize(parts.reshape(*parts.shape[:2], 4, -1), *grids)   # (N, 4, F, T): Re, Im of H, then D
    smooth = _resize(power, *grids)
    scale = np.sqrt(smooth[:, :2] * smooth[:, 2:])                    # > 0: the floor is in `power`
    np.clip(parts / np.repeat(scale, 2, axis=1), -1, 1, out=out)


def _resize(power, times, frequencies, function=None):
    """Resample (frames, N, C, bins) to images (N, C, F, T) by one sparse product an axis."""
    n_frames, n, channels, n_bins = power.shape
    power = times @ power.reshape(n_frames, -1)                       # (T, N*C*bins)
    power = power.reshape(-1, n * channels, n_bins).transpose(2, 1, 0)
    power = frequencies @ power.reshape(n_bins, -1)                   # (F, N*C*T)
    if function:
        function(power, out=power)                                    # faster before the axes are turned
    return power.reshape(-1, n, channels, times.shape[0]).transpose(1, 2, 0, 3)


@functools.lru_cache(maxsize=16)
def _plan(spec, n, sampling_s):
    drift = None if spec.highpass_hz is None else plan_drift(n, spec.highpass_hz, sampling_s)
    taper = signal.get_window("hann", spec.nperseg)
    taper *= np.sqrt(2 * sampling_s / np.sum(taper**2))
    bins = _bins(spec, sampling_s)
    sides = np.ones(spec.nperseg // 2 + 1, np.float32)
    sides[0] = 0.5                        # zero frequency, and Nyquist when a bin lies there, have no twin
    if spec.nperseg % 2 == 0:
        sides[-1] = 0.5
    sides = sides[bins]
    frames = _n_frames(spec, n)
    frequencies = resizing_matrix(len(sides), spec.size[0]) @ sparse.diags_array(sides)
    times = resizing_matrix(frames, spec.size[1])
    return _Plan(drift, taper.astype(np.float32), spec.nperseg - spec.noverlap, bins,
                 sparse.csr_array(frequencies), times,
                 sparse.csr_array(frequencies @ _box(len(sides), SMOOTH_BINS)),
                 sparse.csr_array(times @ _box(frames, SMOOTH_FRAMES)))


def resizing_matrix(n_in: int, n_out: int) -> sparse.csr_array:
    """Sparse (n_out, n_in) matrix: linear interpolation that keeps both ends, or the mean over cells.

    >>> resizing_matrix(3, 5).toarray()[1], resizing_matrix(3, 2).toarray()[0].round(2)
    (array([0.5, 0.5, 0. ], dtype=float32), array([0.67, 0.33, 0.  ], dtype=float32))
    """
    cells = np.arange(n_in)
    if n_out >= n_in:
        positions = np.linspace(0, n_in - 1, n_out)
        weights = np.maximum(0, 1 - np.abs(positions[:, None] - cells))
    else:
        edges = np.linspace(0, n_in, n_out + 1)[:, None]
        weights = np.minimum(edges[1:], cells + 1) - np.maximum(edges[:-1], cells)
        weights = np.maximum(0, weights) * n_out / n_in
    return sparse.csr_array(weights.astype(np.float32))


def _box(n, width):
    """Sparse (n, n) running mean over `width` cells, fewer at the ends."""
    cells = np.arange(n)
    near = np.abs(cells[:, None] - cells) <= width // 2
    return sparse.csr_array((near / near.sum(axis=1, keepdims=True)).astype(np.float32))


def _bins(spec, sampling_s):
    """Slice of the Fourier bins inside the band, edges included."""
    frequency = np.arange(spec.nperseg // 2 + 1) / (spec.nperseg * sampling_s)
    low, high = spec.freq_hz[0] * (1 - 1e-9), spec.freq_hz[1] * (1 + 1e-9)   # edges despite rounding
    inside = np.flatnonzero((frequency >= low) & (frequency <= high))
    if not len(inside):
        raise InputError("stft", "freq_hz", spec.freq_hz,
                         f"a band that holds a multiple of {frequency[1]:.6g} Hz")
    return slice(inside[0], inside[-1] + 1)


def _n_frames(spec, n):
    if n < spec.nperseg:
        raise InputError("stft", "window length in samples", n, f"at least nperseg = {spec.nperseg}")
    return 1 + (n - spec.nperseg) // (spec.nperseg - spec.noverlap)


def _checked_spec(spec, sampling_s):
    """Return a hashable copy of the settings, or say what in them cannot be."""
    if not sampling_s > 0:
        raise InputError("stft", "sampling_s", sampling_s, "seconds between samples, above 0")
    nyquist = 0.5 / sampling_s
    rules = (
        ("nperseg", spec.nperseg, spec.nperseg >= 2, "at least 2 samples"),
        ("noverlap", spec.noverlap, 0 <= spec.noverlap < spec.nperseg, "from 0 to nperseg - 1"),
        ("freq_hz", spec.freq_hz, 0 <= spec.freq_hz[0] < spec.freq_hz[1] <= nyquist * (1 + 1e-9),
         f"rising, from 0 to the Nyquist frequency {nyquist:g} Hz"),
        ("highpass_hz", spec.highpass_hz, spec.highpass_hz is None or 0 < spec.highpass_hz < nyquist,
         f"between 0 and the Nyquist frequency {nyquist:g} Hz, or None"),
        ("size", spec.size, min(spec.size) >= 1, "at least one pixel on each axis"),
    )
    for name, value, good, accepted in rules:
        if not good:
            raise InputError("stft", name, value, accepted)
    return STFTSpec(**{**vars(spec), "freq_hz": tuple(spec.freq_hz), "size": tuple(spec.size)})


def _checked_windows(x, nperseg):
    x = np.asarray(x)
    if x.ndim != 3 or x.shape[1] != 3 or x.dtype.kind not in "fiu":
        raise InputError("stft", "windows", f"{x.dtype} {x.shape}", "numbers (N, 3, n) in nT")
    x = x if x.dtype.kind == "f" and x.itemsize >= 4 else x.astype(np.float64)
    bad = np.argwhere(~np.isfinite(x.sum(axis=-1)))
    if len(bad):
        i, c = bad[0]
        raise InputError("stft", f"window {i}, component {COMPONENTS[c]}", "NaN or infinity",
                         "a window without gaps; fill or drop it first")
    return x
