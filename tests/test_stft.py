"""Known answers for the short-time Fourier images, the high-pass before them and the published drawing."""

import dataclasses

import numpy as np
import pytest
from scipy import signal

from lib.drift import high_pass
from lib.files import InputError
from lib.published import jet_table, render_published
from lib.stft import PRESETS, channel_names, frequencies_hz, resizing_matrix, spectrogram, times_s
from lib.studies import STFTSpec

RAW = STFTSpec(highpass_hz=None, size=(129, 167))   # 6 h: bins and frames, nothing resized


def _red_noise(rng, shape, level_nt=38000.0):
    """Noise with a 1/f^2 spectrum of a few nT on the level of the main field."""
    return level_nt + np.cumsum(rng.normal(0, 0.05, shape), axis=-1)


def _scipy(x, spec, fs=1.0):
    return signal.spectrogram(x, fs, "hann", spec.nperseg, spec.noverlap, detrend="constant")[2]


@pytest.mark.parametrize(("nperseg", "noverlap"), [(256, 128), (1024, 768), (255, 100)])
def test_equals_scipy_before_the_resize(nperseg, noverlap):
    """Without a resize the values are scipy.signal.spectrogram's, also off a field of 38 000 nT."""
    frames = 1 + (21600 - nperseg) // (nperseg - noverlap)
    spec = STFTSpec(nperseg, noverlap, None, (0, 0.5), (nperseg // 2 + 1, frames))
    x = _red_noise(np.random.default_rng(0), (2, 3, 21600))
    ours, reference = 10.0 ** spectrogram(x, spec).astype(float), _scipy(x, spec)
    assert np.abs(np.sqrt(ours) - np.sqrt(reference)).max() < 5e-5   # nT/Hz^.5; sensors: 5e-3 (B1)
    assert np.quantile(np.abs(np.log10(ours / reference)), 0.99) < 1e-4


def test_white_noise_has_its_density():
    """White noise of sigma 2 nT has 2 sigma^2 / fs = 8 nT^2/Hz (B2), at any image size."""
    x = np.random.default_rng(1).normal(0, 2, (40, 3, 21600))
    for size in ((1, 1), (20, 30)):
        inner = 10.0 ** spectrogram(x, STFTSpec(highpass_hz=None, size=size, freq_hz=(0.01, 0.49)))
        assert inner.mean() == pytest.approx(8, rel=0.005)


def test_sampling_interval_scales_the_density():
    """The same samples ten seconds apart carry ten times the density, on axes ten times longer."""
    x = np.random.default_rng(2).normal(0, 1, (1, 3, 3600))
    spec = dataclasses.replace(RAW, size=(8, 8))
    slow = dataclasses.replace(spec, freq_hz=(0, 0.05))
    assert np.allclose(spectrogram(x, slow, 10.0), spectrogram(x, spec) + 1, atol=1e-5)
    assert np.allclose(frequencies_hz(slow, 10.0) * 10, frequencies_hz(spec))
    assert np.allclose(times_s(slow, 3600, 10.0), times_s(spec, 3600) * 10)


def test_sine_on_a_bin_has_its_density():
    """A sine of amplitude 3 nT on bin 8 has 768 nT^2/Hz there, 4.5 nT^2 in all (B2)."""
    x = 3 * np.sin(2 * np.pi * 8 / 256 * np.arange(21600)) * np.ones((1, 3, 1))
    power = 10.0 ** spectrogram(x, RAW)[0, 0].astype(float)
    assert power[8] == pytest.approx(768.0, rel=1e-4)
    assert power[:, 80].argmax() == 8
    assert power[:, 80].sum() / 256 == pytest.approx(4.5, rel=1e-4)


@pytest.mark.parametrize(("hours", "frames"), [(1, 27), (6, 167), (24, 674)])
def test_number_of_frames(hours, frames):
    """256/128 gives 27, 167 and 674 frames in 1, 6 and 24 h; the image's columns are then frames."""
    centres = times_s(STFTSpec(size=(1, frames)), hours * 3600)
    assert np.allclose(centres, 128 + 128 * np.arange(frames))


def test_published_band_has_nine_bins():
    """10 to 45 mHz holds 9 bins, 11.72 to 42.97 mHz: 729 numbers an hour (B2)."""
    spec = dataclasses.replace(PRESETS["published"], size=(9, 27))
    assert frequencies_hz(spec)[[0, -1]] * 1e3 == pytest.approx([11.71875, 42.96875])
    assert np.diff(frequencies_hz(spec)) == pytest.approx(1 / 256)
    assert spectrogram(np.zeros((1, 3, 3600)), spec).size == 729


def test_recommended_preset():
    """1024/256 hop gives 81 frames in 6 h and bins of 0.977 mHz."""
    spec = dataclasses.replace(PRESETS["recommended"], size=(513, 81))
    assert np.diff(times_s(spec, 21600)) == pytest.approx(256)
    assert frequencies_hz(spec)[1] == pytest.approx(0.9765625e-3)


def test_shrinking_averages_power_and_enlarging_interpolates():
    """A cell is the mean power of its bins and frames; an enlarged image passes through every one."""
    x = np.random.default_rng(3).normal(0, 1, (1, 3, 256 + 128 * 4))
    band = {"highpass_hz": None, "freq_hz": (1 / 256, 8 / 256)}
    power = 10.0 ** spectrogram(x, STFTSpec(size=(8, 5), **band))
    small = 10.0 ** spectrogram(x, STFTSpec(size=(4, 1), **band))
    assert np.allclose(small[..., 0], power.reshape(1, 3, 4, 2, 5).mean(axis=(3, 4)), rtol=1e-5)
    large = 10.0 ** spectrogram(x, STFTSpec(size=(15, 9), **band))
    assert np.allclose(large[:, :, ::2, ::2], power, rtol=1e-5)
    assert np.allclose(large[:, :, 1, 0], power[:, :, :2, 0].mean(axis=-1), rtol=1e-5)


@pytest.mark.parametrize(("n_in", "n_out"), [(167, 224), (129, 64), (5, 5), (1, 4), (674, 224)])
def test_resizing_keeps_constants_and_the_mean(n_in, n_out):
    """Rows sum to 1; when shrinking every input counts the same, so the mean power stays."""
    matrix = resizing_matrix(n_in, n_out).toarray()
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)
    if n_out <= n_in:
        assert np.allclose(matrix.sum(axis=0), n_out / n_in, atol=1e-6)


@pytest.mark.parametrize(("frequency", "gain"),
                         [(0.0005, 0.06238**2), (0.001, 0.5), (0.002, 0.99805**2), (0.01, 1.0)])
def test_high_pass_gain(frequency, gain):
    """The zero-phase gain is the square of B2's single pass, 0.5 at the corner, and has no phase."""
    wave = np.sin(2 * np.pi * frequency * np.arange(21600))
    middle = slice(6000, -6000)
    assert np.allclose(high_pass(wave, 0.001)[middle], gain * wave[middle], atol=2e-4)


def test_high_pass_equals_sosfiltfilt_inside():
    """Two periods from the ends the result is scipy's zero-phase Butterworth of order 4."""
    x = _red_noise(np.random.default_rng(4), (3, 21600))
    sos = signal.butter(4, 0.001, "high", fs=1, output="sos")
    reference = signal.sosfiltfilt(sos, x)
    error = (high_pass(x, 0.001) - reference)[:, 2000:-2000]
    assert error.std() < 2e-3 * reference.std()


def test_high_pass_ignores_level_and_slope():
    """A straight line leaves nothing, right up to the ends; nor does n without divisors matter."""
    assert np.abs(high_pass(38000 + 0.01 * np.arange(21600), 0.001)).max() < 1e-3
    x = _red_noise(np.random.default_rng(5), (7200,))
    prime = high_pass(x[:7193], 0.001)
    assert np.abs(prime - high_pass(x, 0.001)[:7193])[1000:-1000].std() < 0.02 * prime.std()


def test_high_pass_enters_the_image():
    """The default spec removes a 50 nT wave of half a day that otherwise fills the lowest bins."""
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 0.02, (1, 3, 21600))
    daily = 50 * np.sin(2 * np.pi * np.arange(21600) / 43200)
    low = {"freq_hz": (0, 0.012), "size": (4, 167)}
    clean = spectrogram(noise, STFTSpec(**low))
    assert np.abs(spectrogram(noise + daily, STFTSpec(**low)) - clean).mean() < 5e-3
    without = spectrogram(noise + daily, STFTSpec(highpass_hz=None, **low)) - clean
    assert without[0, 0, 1].mean() > 1


def _planted(bearing_deg, seed):
    """Precursor of a buried vertical dipole seen from a station: C8's vmd polarisation, zeta < 0."""
    rng = np.random.default_rng(seed)
    sos = signal.butter(4, (0.01, 0.05), "band", fs=1, output="sos")
    source = signal.sosfiltfilt(sos, rng.normal(size=21600))
    angle = np.deg2rad(bearing_deg)
    x = np.outer([np.cos(angle), np.sin(angle), -0.57], source / source.std())
    return (x + rng.normal(0, 0.3, x.shape))[None]


def test_phase_tells_north_from_south_and_power_does_not():
    """Re(H Z*) has opposite signs for sources to the north and south; the power images agree."""
    spec = STFTSpec(freq_hz=(0.015, 0.045), size=(6, 40), phase=True)
    north, south = (spectrogram(_planted(bearing, 7), spec)[0] for bearing in (0, 180))
    assert channel_names(spec)[3] == "Re HZ*"
    assert north[3].mean() < -0.7 and south[3].mean() > 0.7
    assert abs(north[:3].mean() - south[:3].mean()) < 0.05
    east = spectrogram(_planted(90, 7), spec)[0]
    assert east[5].mean() < -0.7 and abs(east[3].mean()) < 0.2   # Re(D Z*) for the east


def test_coherency_limits():
    """Equal components have coherency 1, a lag of 90 degrees is imaginary, noise is near 0."""
    rng = np.random.default_rng(8)
    t = np.arange(21600)
    h = np.cos(2 * np.pi * 8 / 256 * t) + rng.normal(0, 0.01, t.size)
    z = np.sin(2 * np.pi * 8 / 256 * t) + rng.normal(0, 0.01, t.size)
    spec = STFTSpec(freq_hz=(7 / 256, 9 / 256), size=(1, 10), phase=True)
    image = spectrogram(np.stack([h, z, z])[None], spec)[0]
    assert np.allclose(image[5], 1, atol=1e-4)                        # D = Z
    assert np.allclose(image[4], 1, atol=1e-3) and np.abs(image[3]).max() < 0.01   # H leads Z by 90
    noise = spectrogram(rng.normal(size=(4, 3, 21600)), STFTSpec(size=(32, 32), phase=True))[:, 3:]
    assert np.abs(noise).max() <= 1 and np.sqrt((noise**2).mean()) < 0.35


def test_coherency_equals_brute_force():
    """One pixel over all frames and bins is sum(H Z*) / sqrt(sum |H|^2 sum |Z|^2), weighed alike."""
    x = np.random.default_rng(9).normal(size=(1, 3, 256 + 128 * 4))
    x[:, 2] += x[:, 0]
    spec = STFTSpec(highpass_hz=None, freq_hz=(4 / 256, 6 / 256), size=(1, 1), phase=True)
    frames = np.lib.stride_tricks.sliding_window_view(x[0], 256, axis=-1)[:, ::128]
    frames = (frames - frames.mean(axis=-1, keepdims=True)) * signal.get_window("hann", 256)
    s = np.fft.rfft(frames)[..., 4:7]                                  # (3, 5, 3)

    def smooth(y):   # each running mean is shorter at the ends: the weights that follow from it
        frame = [sum(1 / len(range(max(0, i - 2), min(5, i + 3))) for i in range(5)
                     if abs(i - j) <= 2) for j in range(5)]
        bins = [sum(1 / len(range(max(0, i - 1), min(3, i + 2))) for i in range(3)
                    if abs(i - j) <= 1) for j in range(3)]
        return np.einsum("tf,t,f", y, frame, bins)

    expected = [smooth(s[c] * s[2].conj()) / np.sqrt(smooth(abs(s[c])**2) * smooth(abs(s[2])**2))
                for c in (0, 1)]
    got = spectrogram(x, spec)[0, 3:, 0, 0]
    assert got == pytest.approx([expected[0].real, expected[0].imag,
                                 expected[1].real, expected[1].imag], abs=1e-5)


def test_values_do_not_depend_on_threads_or_company():
    """A window's image is the same alone, among others, and with any number of threads."""
    x = _red_noise(np.random.default_rng(10), (9, 3, 3600))
    spec = STFTSpec(size=(32, 32), phase=True)
    one = spectrogram(x, spec, threads=1)
    assert np.array_equal(one, spectrogram(x, spec, threads=3))
    alone = np.concatenate([spectrogram(w[None], spec) for w in x])
    assert np.allclose(alone, one, atol=2e-4)


def test_dead_sensor_is_finite():
    """Constant components give the floor, 1e-9 nT^2/Hz, never minus infinity."""
    image = spectrogram(np.full((1, 3, 3600), 40000.0), STFTSpec(phase=True))
    assert np.isfinite(image).all() and image[:, :3].max() <= -8.99 and not image[:, 3:].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gap_names_window_and_component(bad):
    """A NaN or infinity is refused with the window's index and the component."""
    x = np.zeros((5, 3, 3600), np.float32)
    x[3, 1, 17] = bad
    with pytest.raises(InputError, match="window 3, component D"):
        spectrogram(x, STFTSpec())


@pytest.mark.parametrize(("change", "word"), [
    ({"noverlap": 256}, "noverlap"), ({"freq_hz": (0.0, 0.6)}, "Nyquist"),
    ({"freq_hz": (0.3, 0.1)}, "rising"), ({"freq_hz": (0.0101, 0.0102)}, "multiple"),
    ({"highpass_hz": 0.5}, "Nyquist"), ({"size": (0, 8)}, "pixel"), ({"nperseg": 1}, "nperseg"),
])
def test_impossible_settings(change, word):
    """Each setting that cannot be is refused by name."""
    with pytest.raises(InputError, match=word):
        spectrogram(np.zeros((1, 3, 3600)), dataclasses.replace(STFTSpec(), **change))


@pytest.mark.parametrize("x", [np.zeros((3, 3600)), np.zeros((1, 2, 3600)), np.zeros((1, 3, 200)),
                               np.full((1, 3, 3600), "1")])
def test_wrong_shape(x):
    """Other shapes than (N, 3, n), windows shorter than a segment and text are refused."""
    with pytest.raises(InputError):
        spectrogram(x, STFTSpec())


def test_no_windows():
    """No windows give no images of the right shape."""
    assert spectrogram(np.zeros((0, 3, 3600)), STFTSpec()).shape == (0, 3, 224, 224)


def test_jet_is_matplotlib_jet():
    """The colour table is matplotlib's within one level."""
    matplotlib = pytest.importorskip("matplotlib")
    reference = matplotlib.colormaps["jet"](np.arange(256), bytes=True)[:, :3]
    assert np.abs(jet_table().astype(int) - reference).max() <= 1


def test_published_rendering_loses_the_level():
    """Three panels of 224 x 224; a hundredfold power gives the same picture: a leak demonstrator."""
    x = np.random.default_rng(11).normal(size=(2, 3, 3600))
    spec = PRESETS["published"]
    picture = render_published(spectrogram(x, spec))
    assert picture.shape == (2, 224, 224, 3) and picture.dtype == np.uint8
    louder = render_published(spectrogram(10 * x, spec))
    assert np.abs(picture.astype(int) - louder).mean() < 0.5
    rgb = render_published(spectrogram(x, spec), "rgb")
    assert rgb.shape == (2, 224, 224, 3) and rgb.min() == 0 and rgb.max() == 255
    with pytest.raises(InputError, match="panels, rgb"):
        render_published(spectrogram(x, spec), "viridis")
