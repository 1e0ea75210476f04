"""Known answers for the wavelet images: Torrence & Compo's numbers, the direct transform and PyWavelets."""

import dataclasses

import numpy as np
import pytest
import scipy.fft
from scipy.ndimage import maximum_filter1d

from benchmarks import bench_cwt
from lib.cwt import (
    POWER_FLOOR,
    channel_names,
    cone_of_influence,
    frequencies_hz,
    scales_s,
    scalogram,
    times_s,
)
from lib.drift import high_pass
from lib.files import InputError
from lib.studies import CWTSpec

B3 = CWTSpec(n_scales=73, freq_hz=(0.5 / 2**9, 0.5), n_times=360, rectify=False)   # dj = 1/8
SMALL = CWTSpec(n_scales=8, n_times=90, freq_hz=(0.002, 0.1))


def _direct(x, spec, sampling_s=1.0):
    """Definition, term by term: every scale at every sample, float64, padded to a power of two >= 2n."""
    n = x.shape[-1]
    size = 2 ** int(np.ceil(np.log2(2 * n)))
    spectrum = np.fft.fft(x - x.mean(axis=-1, keepdims=True), size)
    omega = 2 * np.pi * np.fft.fftfreq(size, sampling_s)
    rows = []
    for s in scales_s(frequencies_hz(spec), spec.omega0):
        psi = np.pi**-0.25 * np.exp(-((s * omega - spec.omega0) ** 2) / 2) * (omega > 0)
        w = np.fft.ifft(spectrum * psi * np.sqrt(2 * np.pi * s / sampling_s))[..., :n]
        power = np.abs(w) ** 2 * (sampling_s / s if spec.rectify else 1)
        rows.append(power.reshape(*x.shape[:2], spec.n_times, -1).mean(axis=-1))
    return np.stack(rows, axis=2)


def _power(x, spec, sampling_s=1.0):
    return 10.0 ** scalogram(x, spec, sampling_s).astype(float)


def _chirps(n, slower=1):
    """Three linear chirps, upward, downward and slow, one per component."""
    t = np.arange(n) * slower
    n = n * slower
    ends = ((0.002, 0.1), (0.08, 0.004), (0.03, 0.04))
    return np.stack([np.sin(2 * np.pi * (a * t + (b - a) * t**2 / (2 * n))) for a, b in ends])[None]


def _error(got, exact):
    """Largest error of power over sqrt(P Q): W is rounded relative to its largest value in the row, Q.

    P is the largest power within four columns, as far as the weights of a column reach.
    """
    exact = np.maximum(exact, POWER_FLOOR)
    row = exact.max(axis=-1, keepdims=True)
    near = np.maximum(maximum_filter1d(exact, 9), 1e-12 * row)
    return (np.abs(got - exact) / np.sqrt(near * row)).max()


def test_scales_and_periods():
    """Scale is 1.936027 s at 0.5 Hz, its period 1.033044 s; 73 scales at dj = 1/8 reach 0.9766 mHz."""
    s = scales_s(frequencies_hz(B3))
    assert s[-1] == pytest.approx(1.936027, abs=1e-6)
    assert 1 / (frequencies_hz(B3) * s) == pytest.approx(1.033044, abs=1e-6)
    assert np.log2(s[:-1] / s[1:]) == pytest.approx(0.125)
    assert frequencies_hz(B3)[0] * 1e3 == pytest.approx(0.9766, abs=5e-5)


def test_white_noise_has_its_variance():
    """|W|^2 of white noise of sigma 2 nT is 4 nT^2 at every scale, outside the cone within 3 % (B3)."""
    x = np.random.default_rng(0).normal(0, 2, (12, 3, 21600))
    spec = dataclasses.replace(B3, n_scales=19, freq_hz=(0.005, 0.25))
    outside = ~cone_of_influence(spec, 21600)
    power = _power(x, spec)
    assert power[..., outside].mean() == pytest.approx(4, rel=0.03)
    assert power[:, :, -6:].mean(axis=(0, 1, 3)) == pytest.approx(np.full(6, 4), rel=0.03)


def test_sine_peaks_at_its_frequency():
    """A sine of 2 nT and 0.02 Hz peaks in the row of 0.020263 Hz with 169.346 nT^2 (B3)."""
    x = 2 * np.sin(2 * np.pi * 0.02 * np.arange(21600)) * np.ones((1, 3, 1))
    row = _power(x, B3)[0, 0, :, 180]
    assert frequencies_hz(B3)[row.argmax()] == pytest.approx(0.020263, abs=1e-6)
    assert row.max() == pytest.approx(169.346, rel=1e-4)


def test_rectified_sine_is_its_amplitude_squared():
    """Power over scale of a sine on a row is sqrt(pi)/2 A^2 (w - w0 = .1599), whatever the sampling."""
    expected = np.sqrt(np.pi) / 2 * 9 * 4 / 4 * np.exp(-((2 * np.pi / 1.0330436 - 6) ** 2)) * 2 * 2 / 4
    for sampling, frequency in ((1.0, 0.02), (60.0, 0.001)):
        x = 3 * np.sin(2 * np.pi * frequency * sampling * np.arange(5760)) * np.ones((1, 3, 1))
        spec = CWTSpec(n_scales=1, freq_hz=(frequency, frequency), n_times=96)
        assert _power(x, spec, sampling)[0, :, 0, 48] == pytest.approx(expected, rel=1e-4)


def test_rectification_removes_the_bias_to_long_periods():
    """Equal sines of 0.02 and 0.1 Hz: ratio of power 5.24, and 1.05 once divided by scale (B3)."""
    t = np.arange(21600)
    x = (np.sin(2 * np.pi * 0.02 * t) + np.sin(2 * np.pi * 0.1 * t)) * np.ones((1, 3, 1))
    low, high = frequencies_hz(B3) < 0.04, frequencies_hz(B3) > 0.06
    for rectify, ratio in ((False, 5.24), (True, 1.05)):
        row = _power(x, dataclasses.replace(B3, rectify=rectify))[0, 0, :, 180]
        assert row[low].max() / row[high].max() == pytest.approx(ratio, abs=0.005)


def test_scales_together_hold_the_variance():
    """White noise: dj / .776 times the sum of power over scale is 0.938 of 0.993 (B3: the edge at 0.5 Hz)."""
    x = np.random.default_rng(1).normal(size=(8, 3, 7200))
    total = 0.125 / 0.776 * _power(x, dataclasses.replace(B3, rectify=True)).mean(axis=(0, 1, 3)).sum()
    assert total / x.var() == pytest.approx(0.938 / 0.993, abs=0.01)


def test_cone_of_influence():
    """1369.0 s at each end at 1 mHz, so 862 s of an hour remain; narrower for higher frequencies."""
    spec = CWTSpec(n_times=3600, n_scales=5)
    cone = cone_of_influence(spec, 3600)
    assert cone.shape == (5, 3600) and cone.dtype == bool
    assert np.sqrt(2) * scales_s(0.001) == pytest.approx(1369.0, abs=0.05)
    assert (~cone)[0].sum() == 862 and np.array_equal(cone, cone[:, ::-1])
    assert (np.diff(cone.sum(axis=1)) < 0).all()
    day = cone_of_influence(CWTSpec(), 86400)
    assert not day[0, 23] and day[0, 22]                   # minute 22 is centred on 1350 s


@pytest.mark.parametrize(("n", "n_times", "low", "high"), [
    (7200, 120, 0.002, 0.25), (7200, 120, 0.002, 0.05), (7200, 7200, 0.002, 0.25), (7200, 3600, 0.002, 0.25),
    (7199, 313, 0.002, 0.25), (7200, 1, 0.002, 0.2), (7205, 11, 0.002, 0.25)])
def test_equals_the_direct_transform_on_white_noise(n, n_times, low, high):
    """A few instants a column give the mean over all samples of the direct transform, to float32."""
    x = np.random.default_rng(2).normal(0, 3, (1, 3, n)) + 38000
    spec = CWTSpec(n_scales=13, freq_hz=(low, high), n_times=n_times)
    got, exact = _power(x, spec), _direct(x, spec)
    assert _error(got, exact) < 2e-6
    assert np.median(np.abs(got / exact - 1)) < 1e-6


@pytest.mark.parametrize("noise", [0, 1e-2])
def test_equals_the_direct_transform_on_chirps(noise):
    """So it does on chirps, where power changes by ten decades within a row."""
    x = _chirps(14400) + noise * np.random.default_rng(3).normal(size=(1, 3, 14400))
    spec = CWTSpec(n_scales=17, freq_hz=(0.002, 0.2), n_times=240)
    got, exact = _power(x, spec), _direct(x, spec)
    assert _error(got, exact) < 2e-6
    strong = exact > 0.01 * exact.max(axis=-1, keepdims=True)
    assert strong.mean() > 0.1 and np.abs(got / exact - 1)[strong].max() < 1e-5


def test_equals_the_direct_transform_on_minutes_and_other_wavelets():
    """Also with one sample a column, of a day at 1/min, and with a narrower Morlet."""
    x = np.cumsum(np.random.default_rng(4).normal(size=(3, 3, 1440)), axis=-1)
    for omega0 in (6.0, 9.0):
        spec = CWTSpec(omega0, 20, (1.5e-4, 3e-3), 1440)
        assert _error(_power(x, spec, 60.0), _direct(x, spec, 60.0)) < 2e-6


@pytest.mark.slow
def test_equals_the_direct_transform_on_a_day():
    """The study's own grid: a day of 1 Hz red noise and chirps, 3 x 128 x 1440."""
    rng = np.random.default_rng(5)
    for x in (38000 + np.cumsum(rng.normal(0, 0.05, (1, 3, 86400)), axis=-1), _chirps(86400)):
        got, exact = _power(x, CWTSpec()), _direct(x, CWTSpec())
        assert got.shape == (1, 3, 128, 1440) and _error(got, exact) < 2e-6


def test_a_spike_leaves_quiet_columns_alone():
    """A spike of 10 000 sigma far away does not cost a quiet minute its digits."""
    x = np.random.default_rng(6).normal(size=(1, 3, 7200))
    spec = CWTSpec(n_scales=9, freq_hz=(0.01, 0.1), n_times=120)
    quiet = _power(x, spec)
    x[..., 6000] += 1e4
    far = slice(5, 80)                                     # at least 1200 s, 12 scales away
    assert np.abs(_power(x, spec) / quiet - 1)[..., far].max() < 0.2
    assert np.median(np.abs(_power(x, spec) / quiet - 1)[..., far]) < 0.01


def test_agrees_with_pywavelets_on_chirps():
    """The cmor2.0 wavelet with the same centre, times sqrt(2 sqrt(pi)), draws the same pictures of chirps."""
    pywt = pytest.importorskip("pywt")
    x = _chirps(28800, 1 / 4)
    x -= x.mean(axis=-1, keepdims=True)                    # as the image does
    spec = CWTSpec(n_scales=16, freq_hz=(0.001, 0.02), n_times=480, rectify=False)
    wavelet = pywt.ContinuousWavelet(f"cmor2.0-{6 / (2 * np.pi):.12f}")
    w, _ = pywt.cwt(x[0], scales_s(frequencies_hz(spec)), wavelet, method="fft", precision=16)
    theirs = 2 * np.sqrt(np.pi) * np.abs(w) ** 2           # (scales, 3, n)
    theirs = theirs.reshape(16, 3, 480, 60).mean(axis=-1).transpose(1, 0, 2)
    outside = ~cone_of_influence(spec, 28800) & (theirs > 0.01 * theirs.max())
    ratio = _power(x, spec)[0][outside] / theirs[outside]
    assert outside.sum() > 4000
    # it integrates the wavelet over each sample: half a sample late, sinc(f)^2 = 0.998 at 25 mHz
    assert ratio.min() > 0.995 and ratio.max() < 1.005


def test_axes():
    """Rows rise in frequency, columns are centred, channels are H, D, Z."""
    spec = CWTSpec()
    assert frequencies_hz(spec)[[0, -1]] == pytest.approx([0.001, 0.1]) and frequencies_hz(spec).size == 128
    assert times_s(spec, 86400)[[0, -1]] == pytest.approx([30, 86370])
    assert times_s(spec, 1440, 60.0) == pytest.approx(times_s(spec, 86400))
    assert channel_names(spec) == ("H", "D", "Z")
    x = np.zeros((1, 3, 7200))
    x[0, 1, 3000] = 1.0
    image = scalogram(x, dataclasses.replace(SMALL, n_times=120))[0]
    assert image[1, 7].argmax() == 3000 // 60
    assert (image[[0, 2]] == np.log10(np.float32(POWER_FLOOR))).all()


def test_minutes_see_what_seconds_see():
    """A slow wave has the same power from 1 Hz and from 1/min."""
    t = np.arange(86400)
    x = np.sin(2 * np.pi * 1e-3 * t) * np.ones((1, 3, 1))
    spec = CWTSpec(n_scales=6, freq_hz=(5e-4, 2e-3), n_times=240)
    seconds, minutes = _power(x, spec), _power(x[..., ::60], spec, 60.0)
    middle = slice(60, -60)
    assert (np.abs(minutes - seconds)[..., middle] < 1e-5 * seconds.max()).all()


def test_high_pass_enters_the_image():
    """With a corner the image is that of the filtered windows; a straight drift then leaves no jump."""
    x = np.cumsum(np.random.default_rng(7).normal(size=(2, 3, 7200)), axis=-1)
    spec = dataclasses.replace(SMALL, highpass_hz=0.001)
    assert np.allclose(scalogram(x, spec), scalogram(high_pass(x, 0.001), SMALL), atol=1e-4)
    drift = 0.01 * np.arange(7200) * np.ones((1, 3, 1))
    assert scalogram(drift, spec).max() < -6 < 0 < scalogram(drift, SMALL).max()


def test_float16_holds_the_logarithm():
    """Below 1e8 nT^2 the rounded logarithm is off by 2^-9, 0.45 % of power; power itself does not fit."""
    rng = np.random.default_rng(8)
    x = np.cumsum(rng.normal(0, 0.05, (2, 3, 21600)), axis=-1)
    x[1] *= np.array([1e-5, 1e3, 1])[:, None]
    image = scalogram(x, CWTSpec(n_scales=32, n_times=360)).astype(float)
    error = np.abs(image.astype(np.float16) - image)
    assert (error <= 2.0**-11 * np.abs(image) + 1e-7).all()
    assert 1e-3 < error[np.abs(image) < 8].max() <= 2**-9
    study = np.abs(image) < 4
    assert np.abs(10 ** (image.astype(np.float16) - image) - 1)[study].max() < 0.0023
    with np.errstate(over="ignore"):
        power = (10.0**image).astype(np.float16)
    assert (power == 0).any() and np.isinf(power).any()


def test_values_do_not_depend_on_threads_or_company():
    """A window's image is the same alone, among others, and with any number of threads."""
    x = np.random.default_rng(9).normal(size=(7, 3, 3600))
    one = scalogram(x, SMALL, threads=1)
    assert np.array_equal(one, scalogram(x, SMALL, threads=3))
    alone = np.concatenate([scalogram(w[None], SMALL) for w in x])
    assert np.abs(alone - one).max() < 1e-3 and np.median(np.abs(alone - one)) < 1e-6
    assert np.allclose(scalogram(x.astype(np.float32), SMALL), one, atol=1e-3)
    assert np.array_equal(scalogram(np.rint(1e3 * x).astype(int), SMALL),
                          scalogram(np.rint(1e3 * x), SMALL))


def test_dead_sensor_is_finite():
    """Constant components give the floor, never minus infinity; no windows give no images."""
    image = scalogram(np.full((1, 3, 3600), 40000.0), SMALL)
    assert np.isfinite(image).all() and image.max() < -11.9
    assert scalogram(np.zeros((0, 3, 3600)), SMALL).shape == (0, 3, 8, 90)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gap_names_window_and_component(bad):
    """A NaN or infinity is refused with the window's index and the component."""
    x = np.zeros((5, 3, 3600), np.float32)
    x[3, 2, 17] = bad
    with pytest.raises(InputError, match="window 3, component Z"):
        scalogram(x, SMALL)


@pytest.mark.parametrize(("change", "word"), [
    ({"freq_hz": (0.002, 0.6)}, "Nyquist frequency 0.5 Hz"), ({"freq_hz": (0.0, 0.1)}, "above 0"),
    ({"freq_hz": (0.1, 0.01)}, "rising"), ({"freq_hz": (1e-4, 0.1)}, "more than 27380 s"),
    ({"n_times": 7}, "multiple of n_times = 7"), ({"n_times": 7200}, "multiple"), ({"n_times": 0}, "column"),
    ({"n_scales": 0}, "row"), ({"omega0": 4.0}, "at least 5"), ({"highpass_hz": 0.5}, "Nyquist"),
])
def test_impossible_settings(change, word):
    """Each setting that cannot be is refused by name, by the image and by its cone alike."""
    spec = dataclasses.replace(SMALL, **change)
    with pytest.raises(InputError, match=word):
        scalogram(np.zeros((1, 3, 3600)), spec)
    with pytest.raises(InputError, match=word):
        cone_of_influence(spec, 3600)


def test_seconds_band_from_minutes_is_refused():
    """The default band, 1 to 100 mHz, cannot come from one sample a minute: Nyquist is 8.3 mHz."""
    with pytest.raises(InputError, match=r"0\.00833333 Hz"):
        scalogram(np.zeros((1, 3, 1440)), CWTSpec(), 60.0)
    with pytest.raises(InputError, match="sampling_s"):
        scalogram(np.zeros((1, 3, 3600)), SMALL, 0.0)


@pytest.mark.parametrize("x", [np.zeros((3, 3600)), np.zeros((1, 2, 3600)), np.zeros((1, 3, 0)),
                               np.full((1, 3, 3600), "1")])
def test_wrong_shape(x):
    """Other shapes than (N, 3, n), no samples and text are refused."""
    with pytest.raises(InputError):
        scalogram(x, SMALL)


def test_benchmark_rival_draws_the_same_image():
    """What the benchmark times against PyWavelets is the same image, within 5 % of power."""
    pytest.importorskip("pywt")
    x = np.random.default_rng(10).normal(size=(1, 3, 7200)).astype(np.float32)
    spec = CWTSpec(n_scales=9, freq_hz=(0.002, 0.04), n_times=120)
    outside = ~cone_of_influence(spec, 7200)
    off = (bench_cwt.pywavelets_loop(x[0], spec, 1.0) - scalogram(x, spec)[0])[:, outside]
    assert np.abs(np.median(off)) < 0.005 and np.quantile(np.abs(off), 0.99) < np.log10(1.05)


def test_benchmark_bound_is_every_inverse_transform(monkeypatch):
    """The bound repeats each inverse FFT of the image, shape by shape, and keeps the values finite."""
    shapes, transform = [], scipy.fft.ifft

    def noted(a, **kwargs):
        shapes.append(a.shape)
        return transform(a, **kwargs)

    monkeypatch.setattr(scipy.fft, "ifft", noted)
    x = np.random.default_rng(11).normal(size=(3, 3, 3600))
    bare = bench_cwt.bare_transforms(lambda: scalogram(x, SMALL))
    own = sorted(shapes, key=np.prod)
    assert sum(np.prod(shape[:-1]) for shape in own) == 3 * 3 * 8
    for _ in range(50):
        shapes.clear()
        values = bare()
        assert sorted(shapes, key=np.prod) == own
    assert all(np.isfinite(v).all() and 0.1 < np.abs(v).mean() < 10 for v in values)
