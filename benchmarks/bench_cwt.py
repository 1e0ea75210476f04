"""Speed of the wavelet images against PyWavelets and the bare inverse FFTs, as ratios measured in one run."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import scipy.fft

from benchmarks.measure import Row, interleaved
from lib.cwt import frequencies_hz, scales_s, scalogram
from lib.studies import CWTSpec

DAYS = {   # name: spec, sampling in s, samples a day, days at once, repetitions against PyWavelets
    "1 Hz": (CWTSpec(), 1.0, 86400, 4, 3),
    "1/min": (CWTSpec(freq_hz=(1e-4, 5e-3)), 60.0, 1440, 50, 9),
}


def images() -> list[Row]:
    """Compare the 3 x 128 x 1440 image of a day with what a user would write, and with the FFTs alone."""
    return [row for name in DAYS for row in _day(name)]


def _day(name):
    spec, sampling_s, n, days, repetitions = DAYS[name]
    x = np.random.default_rng(0).normal(0, 1, (days, 3, n)).astype(np.float32)

    def ours():
        scalogram(x, spec, sampling_s)

    loop = interleaved(lambda: pywavelets_loop(x[0], spec, sampling_s), ours, repetitions)
    once = interleaved(lambda: pywavelets_once(x[0], spec, sampling_s), ours, repetitions)
    bare = interleaved(ours, bare_transforms(ours), 21)
    whole = interleaved(ours, lambda: full_transforms(spec, n, days), 5)
    return [
        Row(f"cwt {name}: PyWavelets by FFT, loop over components, over day to model input", loop * days,
            4, "higher"),
        Row(f"cwt {name}: the same, three components in one call", once * days, None, "higher"),
        Row(f"cwt {name}: day to model input, over its bare inverse FFTs", bare, 2.5, "lower"),
        Row(f"cwt {name}: day to model input, over 384 inverse FFTs of full length", whole, None, "lower"),
    ]


def pywavelets_loop(x, spec, sampling_s):
    """Do with PyWavelets, component by component: transform, power over scale, mean of columns, log."""
    return np.stack([pywavelets_once(series[None], spec, sampling_s)[0] for series in x])


def pywavelets_once(x, spec, sampling_s):
    """Do the same for all components in one call; precision 12, its default, doubles white noise at 2 mHz."""
    import pywt
    wavelet = pywt.ContinuousWavelet(f"cmor2.0-{spec.omega0 / (2 * np.pi):.12f}")
    scales = scales_s(frequencies_hz(spec), spec.omega0) / sampling_s
    w, _ = pywt.cwt(x, scales, wavelet, sampling_s, method="fft", precision=16)
    power = np.abs(w) ** 2 / scales[:, None, None] * 2 * np.sqrt(np.pi)
    columns = power.reshape(*power.shape[:2], spec.n_times, -1).mean(axis=-1)
    return np.log10(columns, dtype=np.float32).swapaxes(0, 1)


def bare_transforms(function):
    """Return a function that does the inverse FFTs of `function` and nothing else, as many at a time.

    In place, on one buffer per shape and thread that stays in the cache; scaled so that values stay as
    large as they were. Nothing is in their favour that could be in ours.
    """
    shapes, transform = [], scipy.fft.ifft

    def noted(a, **kwargs):
        shapes.append(a.shape)
        return transform(a, **kwargs)

    with mock.patch.object(scipy.fft, "ifft", noted):
        function()
    shapes.sort(key=np.prod)                   # threads append in any order
    noise = np.random.default_rng(1).normal(size=(max(map(np.prod, shapes)), 2)).astype(np.float32)
    own = threading.local()

    def one(shape):
        buffers = vars(own).setdefault("buffers", {})
        if shape not in buffers:
            buffers[shape] = noise[:np.prod(shape)].view(np.complex64).reshape(shape).copy()
        buffers[shape] = scipy.fft.ifft(buffers[shape], norm="ortho", overwrite_x=True)
        return buffers[shape]

    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 8))
    return lambda: list(pool.map(one, shapes))


def full_transforms(spec, n, days):
    """Invert 3 x n_scales spectra a day of full length, padded to a fast length over the longest wavelet."""
    size = scipy.fft.next_fast_len(n + int(n / 15))
    rows = np.ones((12, size), np.complex64)
    for _ in range(days * 3 * spec.n_scales // len(rows)):
        scipy.fft.ifft(rows, workers=os.cpu_count())
