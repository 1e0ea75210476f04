"""Continuous wavelet images of three-component windows (layer 2).

From nT to log10 of nT^2 on log-spaced frequencies and equal columns of time: Morlet transform by FFT, |W|^2,
divided by scale, averaged over each column, logarithm last. The grid of study S2 is a day of H, D, Z as
3 x 128 x 1440, one column a minute.

|W|^2 is never computed at every sample. A Morlet wavelet is a Gaussian in frequency: 6 standard deviations
off its centre it is 1.5e-8, so only a slice of the spectrum counts. Shifting that slice leaves |W|^2 as it
is, and an inverse FFT just long enough for it gives W at a few instants a column. From these, weights
(`_column_weights`) give the mean over all samples of the column to float32 precision.
Sources: validity.md B3; Torrence & Compo (1998); Liu et al. (2007).
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.fft

from lib.drift import high_pass
from lib.files import InputError
from lib.studies import COMPONENTS, CWTSpec

POWER_FLOOR = 1e-12   # nT^2: a dead sensor, not -inf; far below the noise of 0.01 nT steps (B1)
_REACH = 6.0          # standard deviations of the Gaussian, in frequency and in time
_INSTANTS = 3.5       # of W, per scale s: |W|^2 beats up to 8.5 / s rad/s, Nyquist's theorem asks for 2.7
_ROWS = 4             # scales at a time: 4 float32 transforms are one SIMD register
_BATCH = 8192         # samples of a component in one batch of windows: stays in a core's cache
_KEEP_BYTES = 30 * 2**20   # freed once, it keeps glibc from handing memory back (see lib.stft)


class _Rows(NamedTuple):   # neighbouring scales that share an inverse FFT
    rows: slice
    bins: slice             # of the spectrum of the padded window
    wavelets: np.ndarray    # (scales, bins) float32, with every constant factor
    weights: np.ndarray     # (columns, instants) float32, see `_column_weights`


class _Plan(NamedTuple):   # what depends on the settings only, computed once
    columns: int            # of the padded window, n_times of them kept
    per_column: int         # samples
    margin: int             # columns before the window, for the weights of the first
    rows: tuple[_Rows, ...]


def scalogram(x: np.ndarray, spec: CWTSpec, sampling_s: float = 1.0,
              threads: int | None = None) -> np.ndarray:
    """Log10 wavelet power of three-component windows, averaged onto equal columns.

    The mean of each component is removed and zeros added beyond both ends: a jump, which spoils what
    `cone_of_influence` marks; `highpass_hz` removes a drift without one. Not for frequencies above
    0.3 / sampling_s: the wavelet is cut at the Nyquist frequency there and rings far in time.

    Parameters
    ----------
    x : array (N, 3, n)
        Windows in nT, components H, D, Z; n a multiple of `spec.n_times`. Fill or drop gaps before.
    spec : CWTSpec
        With ``rectify`` power is |W|^2 dt / s: a sine of A nT peaks near sqrt(pi)/2 A^2 at any frequency
        and sampling. Without, it is |W|^2: white noise has its variance, waves of long period gain.
    sampling_s : float
        Sampling interval in seconds.
    threads : int, optional
        All cores, at most 8, by default. The values do not depend on it.

    Returns
    -------
    float32 array (N, 3, n_scales, n_times)
        log10 of nT^2, low frequencies first; at least -12, so it fits float16 (the power itself does not).

    Raises
    ------
    InputError
        For a NaN (names window and component) or settings that window or sampling cannot hold.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 2, (1, 3, 21600))   # white, sigma^2 = 4 nT^2
    >>> spec = CWTSpec(freq_hz=(0.01, 0.1), n_scales=8, n_times=360, rectify=False)
    >>> bool(np.isclose((10 ** scalogram(x, spec)).mean(), 4, rtol=0.03))
    True
    """
    x = _checked_windows(x)
    spec = _checked_spec(spec, x.shape[-1], sampling_s)
    plan = _plan(spec, x.shape[-1], sampling_s)
    out = np.empty((len(x), 3, spec.n_scales, spec.n_times), np.float32)
    batch = max(1, _BATCH // x.shape[-1])
    threads = threads or min(os.cpu_count() or 1, 8)
    np.empty(_KEEP_BYTES, np.uint8)   # freed at once
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(x), batch):
            part = slice(start, start + batch)
            spectrum = _spectrum(x[part], spec, plan, sampling_s, threads)
            list(pool.map(functools.partial(_draw, spectrum, plan, out[part]), plan.rows))
    return out


def frequencies_hz(spec: CWTSpec) -> np.ndarray:
    """Frequencies in Hz of the image's rows, low first: 1 / Fourier period of the scale.

    >>> frequencies_hz(CWTSpec(freq_hz=(0.001, 0.1), n_scales=3))
    array([0.001, 0.01 , 0.1  ])
    """
    return np.geomspace(*spec.freq_hz, spec.n_scales)


def scales_s(freq_hz: np.ndarray, omega0: float = 6.0) -> np.ndarray:
    """Morlet scales in seconds whose Fourier frequency is `freq_hz` (Torrence & Compo 1998, table 1).

    >>> round(float(scales_s(0.5)), 6), round(1 / float(scales_s(1.0)), 6)   # B3; period over scale
    (1.936027, 1.033044)
    """
    return (omega0 + np.sqrt(2 + omega0**2)) / (4 * np.pi * np.asarray(freq_hz, float))


def times_s(spec: CWTSpec, n: int, sampling_s: float = 1.0) -> np.ndarray:
    """Centre times in seconds after the window's start of the image's columns, for n samples.

    >>> times_s(CWTSpec(n_times=1440), 86400)[:2]
    array([30., 90.])
    """
    return (np.arange(spec.n_times) + 0.5) * (n / spec.n_times * sampling_s)


def cone_of_influence(spec: CWTSpec, n: int, sampling_s: float = 1.0) -> np.ndarray:
    """Mask of the pixels that the ends of a window of n samples affect: nearer than sqrt(2) s.

    Returns
    -------
    bool array (n_scales, n_times)
        True inside the cone, where power is not to be trusted (Torrence & Compo 1998, section 3g).

    Raises
    ------
    InputError
        For settings that window or sampling cannot hold.

    Examples
    --------
    >>> spec = CWTSpec(freq_hz=(0.001, 0.1), n_times=3600)
    >>> int((~cone_of_influence(spec, 3600))[0].sum())
    862
    """
    spec = _checked_spec(spec, n, sampling_s)
    times = times_s(spec, n, sampling_s)
    to_end = np.minimum(times, n * sampling_s - times)
    return to_end < np.sqrt(2) * scales_s(frequencies_hz(spec), spec.omega0)[:, None]


def channel_names(spec: CWTSpec) -> tuple[str, ...]:
    """Names of the channels in their order.

    >>> channel_names(CWTSpec())
    ('H', 'D', 'Z')
    """
    return tuple(COMPONENTS)


def _spectrum(x, spec, plan, sampling_s, threads):
    """Positive frequencies (N, 3, 1, bins) of windows without their mean, padded with zeros.

    In float64, then rounded: a float32 FFT would spread 1e-7 of a storm over the quiet frequencies.
    """
    if spec.highpass_hz is not None:
        x = high_pass(x.astype(np.float64, copy=False), spec.highpass_hz, sampling_s)
    padded = np.zeros((*x.shape[:2], plan.columns * plan.per_column))
    start = plan.margin * plan.per_column
    np.subtract(x, x.mean(axis=-1, keepdims=True, dtype=np.float64),
                out=padded[..., start:start + x.shape[-1]])
    return scipy.fft.rfft(padded, workers=threads).astype(np.complex64)[:, :, None]


def _draw(spectrum, plan, out, rows):
    """Write some scales of a few windows into `out` (N, 3, n_scales, n_times)."""
    n_weights, instants = rows.weights.shape
    width = rows.wavelets.shape[1]
    w = np.empty((*out.shape[:2], len(rows.wavelets), plan.columns * instants), np.complex64)
    np.multiply(spectrum[..., rows.bins], rows.wavelets, out=w[..., :width])
    w[..., width:] = 0
    power = np.abs(scipy.fft.ifft(w, overwrite_x=True))
    power *= power
    power = power.reshape(*w.shape[:3], plan.columns, instants).swapaxes(-1, -2)
    first, n_times = plan.margin - n_weights // 2, out.shape[-1]
    if n_weights * instants > 1:
        power = rows.weights @ power                      # (N, 3, scales, weights, columns)
    image = power[..., 0, first:first + n_times]
    for i in range(1, n_weights):
        image += power[..., i, first + i:first + i + n_times]
    np.maximum(image, POWER_FLOOR, out=image)
    np.log10(image, out=out[:, :, rows.rows])


@functools.lru_cache(maxsize=8)
def _plan(spec, n, sampling_s):
    per_column = n // spec.n_times
    scales = scales_s(frequencies_hz(spec), spec.omega0) / sampling_s       # in samples
    rows = [slice(i, i + _ROWS) for i in range(0, spec.n_scales, _ROWS)]
    weights = [_column_weights(per_column, scales[r].min()) for r in rows]
    margin = max(len(w) for w in weights) // 2
    silence = int(np.ceil(_REACH * scales[0] / per_column))                 # an inverse FFT is periodic
    columns = scipy.fft.next_fast_len(spec.n_times + max(silence, 2 * margin))
    return _Plan(columns, per_column, margin, tuple(
        _Rows(r, *_wavelets(spec, scales[r, None], columns * per_column, w.shape[1] / per_column), w)
        for r, w in zip(rows, weights, strict=True)))


def _wavelets(spec, s, n, share):
    """Bins of a spectrum of n samples that some wavelets need, and these (scales, bins) in float32."""
    step = 2 * np.pi / n                                                # rad per sample between bins
    first = max(1, int((spec.omega0 - _REACH) / (s.max() * step)))      # never zero frequency
    last = min(n // 2, int((spec.omega0 + _REACH) / (s.min() * step)))
    omega = np.arange(first, last + 1) * step
    norm = np.pi**-0.25 * np.sqrt(2 * np.pi * (1 if spec.rectify else s))    # T&C table 1, eq. 6; Liu
    wavelets = norm * np.exp(-0.5 * (s * omega - spec.omega0) ** 2)
    return slice(first, last + 1), (share * wavelets).astype(np.float32)     # ifft divides by its length


def _column_weights(per_column, scale):
    """Weights (columns, instants): mean of |W|^2 over a column's samples from a few instants a column.

    |W|^2 is a sum of beats exp(i nu t) whose strength falls as exp(-nu^2 s^2 / 4). The mean over the
    r instants answers a beat as (1 - exp(i nu m)) / (r (1 - exp(i nu m / r))), that over all m samples as
    with r = m. The difference belongs to the column's two ends: a correction around each, of opposite
    signs and as long as needed for 3e-8, fitted to the beats by least squares.
    """
    instants = _smooth_number(max(_INSTANTS * per_column / scale, 2 if scale < 5 * per_column else 1))
    if instants >= per_column:
        return np.full((1, per_column), 1 / per_column, np.float32)    # every sample: exact
    step = per_column / instants
    beat = (np.arange(200) + 0.5) * (1.5 * _REACH / scale / 200)
    strength = np.exp(-(beat * scale) ** 2 / 4)
    wanted = strength * (1 / (1 - np.exp(1j * beat)) - step / (1 - np.exp(1j * beat * step))) / per_column
    for reach in range(1, 4 * instants + 1):
        response = strength[:, None] * np.exp(1j * np.outer(beat, np.arange(-reach, reach) * step))
        ends = np.linalg.lstsq(np.concatenate([response.real, response.imag]),
                               np.concatenate([wanted.real, wanted.imag]), rcond=1e-10)[0]
        if np.abs(response @ ends - wanted).max() < 1.5e-8:
            break
    columns = -(-reach // instants)                                    # on either side
    weights = np.zeros((2 * columns + 1) * instants)
    left, right = columns * instants, (columns + 1) * instants
    weights[left:right] = 1 / instants
    weights[left - reach:left + reach] += ends
    weights[right - reach:right + reach] -= ends
    return weights.reshape(-1, instants).astype(np.float32)


def _smooth_number(least):
    """Smallest integer from `least` on whose factors are 2, 3, 5 and 7, for the FFT."""
    number = int(np.ceil(least))
    while 210**6 % number:   # every power that matters here
        number += 1
    return number


def _checked_spec(spec, n, sampling_s):
    """Return a hashable copy of the settings, or say what in them cannot be."""
    if not sampling_s > 0:
        raise InputError("cwt", "sampling_s", sampling_s, "seconds between samples, above 0")
    nyquist = 0.5 / sampling_s
    low, high = spec.freq_hz
    rules = (
        ("omega0", spec.omega0, spec.omega0 >= 5, "at least 5: below, the Morlet wavelet has a mean"),
        ("n_scales", spec.n_scales, spec.n_scales >= 1, "at least one row"),
        ("n_times", spec.n_times, spec.n_times >= 1, "at least one column"),
        ("freq_hz", spec.freq_hz, 0 < low <= high <= nyquist * (1 + 1e-9),
         f"rising, above 0, to at most the Nyquist frequency {nyquist:g} Hz"),
        ("highpass_hz", spec.highpass_hz, spec.highpass_hz is None or 0 < spec.highpass_hz < nyquist,
         f"between 0 and the Nyquist frequency {nyquist:g} Hz, or None"),
    )
    for name, value, good, accepted in rules:
        if not good:
            raise InputError("cwt", name, value, accepted)
    if n < spec.n_times or n % spec.n_times:
        raise InputError("cwt", "window length in samples", n, f"a multiple of n_times = {spec.n_times}")
    cone = 2 * np.sqrt(2) * float(scales_s(low, spec.omega0))
    if n * sampling_s <= cone:
        raise InputError("cwt", "window length in seconds", n * sampling_s,
                         f"more than {cone:.0f} s: the ends spoil all of {low:g} Hz otherwise")
    return CWTSpec(**{**vars(spec), "freq_hz": (low, high)})


def _checked_windows(x):
    x = np.asarray(x)
    if x.ndim != 3 or x.shape[1] != 3 or x.shape[2] == 0 or x.dtype.kind not in "fiu":
        raise InputError("cwt", "windows", f"{x.dtype} {x.shape}", "numbers (N, 3, n) in nT")
    bad = np.argwhere(~np.isfinite(x.sum(axis=-1, dtype=np.float64)))
    if len(bad):
        i, c = bad[0]
        raise InputError("cwt", f"window {i}, component {COMPONENTS[c]}", "NaN or infinity",
                         "a window without gaps; fill or drop it first")
    return x
