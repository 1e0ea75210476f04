"""Speed of the representation and memory of the dataset writer, as ratios measured in one run."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.fft
from scipy import signal

from benchmarks.measure import Row, interleaved
from lib.stft import resizing_matrix, spectrogram
from lib.studies import STFTSpec

ROOT = Path(__file__).resolve().parent.parent
SPEC = STFTSpec()   # the study's own: high-pass, 256/128, 224 x 224
WINDOW_S = 21600


def images() -> list[Row]:
    """Compare the image of a window with what a user would write, and with the transform alone."""
    x = np.random.default_rng(0).normal(0, 1, (64, 3, WINDOW_S)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(x, SPEC.nperseg, axis=-1)
    frames = np.ascontiguousarray(frames[:, :, ::SPEC.nperseg - SPEC.noverlap])
    few, cores = x[:2], os.cpu_count()
    plain = STFTSpec(highpass_hz=None)
    png = interleaved(lambda: [png_image(w) for w in few], lambda: spectrogram(x, SPEC), 31)
    loop = interleaved(lambda: scipy_loop(x, SPEC), lambda: spectrogram(x, SPEC), 15)
    loop_plain = interleaved(lambda: scipy_loop(x, plain), lambda: spectrogram(x, plain), 15)
    fft = interleaved(lambda: spectrogram(x, SPEC), lambda: scipy.fft.rfft(frames, workers=cores), 41)
    return [
        Row("stft: scipy + matplotlib PNG + decode, over window to model input", png * len(x) / len(few),
            300, "higher"),
        Row("stft: scipy loop over components, over window to model input", loop, 2, "higher"),
        Row("stft: the same without high-pass in either", loop_plain, None, "higher"),
        Row("stft: window to model input, over the bare batched FFT", fft, 4, "lower"),
    ]


def memory() -> list[Row]:
    """Peak memory of the dataset writer, ten times the windows over once."""
    return [Row("dataset: peak memory of 20 000 windows, over 2 000", [memory_growth()], 1.10, "lower")]


def scipy_loop(x, spec):
    """Do with scipy, component by component: high-pass, spectrogram, crop, resize, log."""
    sos = spec.highpass_hz and signal.butter(4, spec.highpass_hz, "high", fs=1, output="sos")
    frames = 1 + (x.shape[-1] - spec.nperseg) // (spec.nperseg - spec.noverlap)
    rows = resizing_matrix(spec.nperseg // 2 + 1, spec.size[0])
    columns = resizing_matrix(frames, spec.size[1]).T
    images = np.empty((*x.shape[:2], *spec.size), np.float32)
    for i, window in enumerate(x):
        for c, series in enumerate(window):
            if sos is not None:
                series = signal.sosfiltfilt(sos, series)
            f, _, power = signal.spectrogram(series, 1.0, "hann", spec.nperseg, spec.noverlap,
                                             detrend="constant")
            power = power[(f >= spec.freq_hz[0]) & (f <= spec.freq_hz[1])]
            images[i, c] = np.log10(rows @ power @ columns)
    return images


def png_image(window):
    """Draw dB panels as R2's generator does (gouraud, jet, tight), save as PNG and decode."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from PIL import Image
    sos = signal.butter(4, 0.001, "high", fs=1, output="sos")
    figure, axes = plt.subplots(3, 1, figsize=(2.24, 2.24), dpi=100)
    for series, axis in zip(window, axes, strict=True):
        f, t, power = signal.spectrogram(signal.sosfiltfilt(sos, series), 1.0, "hann", 256, 128)
        axis.pcolormesh(t, f, 10 * np.log10(power), shading="gouraud", cmap="jet")
        axis.axis("off")
    figure.subplots_adjust(left=0, right=1, top=1, bottom=0, hspace=0)
    buffer = io.BytesIO()   # memory, not a disk: in favour of the drawing
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0, facecolor="black")
    plt.close(figure)
    image = Image.open(buffer).convert("RGB").resize((224, 224))
    return np.asarray(image, np.float32).transpose(2, 0, 1) / 255


MEMORY = """if True:
    import sys
    import numpy as np, pandas as pd
    from pathlib import Path
    from lib import config
    from lib.dataset import build
    import json
    n, name, seconds = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    study = config.load(name, "light", json.loads(sys.argv[5]) | {"windows.window_s": seconds})
    start = pd.date_range("2020-01-01", periods=n, freq="10min").as_unit("ns")
    windows = pd.DataFrame({"window_id": [f"w{i}" for i in range(n)], "station": "TRD", "start": start,
                            "end": start + pd.Timedelta(seconds=seconds), "event_id": "",
                            "magnitude_class": "Normal", "azimuth_class": "Normal", "kp_max": 1.0})
    noise = np.random.default_rng(0).normal(size=(3, seconds)).astype(np.float32)
    build(sys.argv[1], windows, lambda station, start, n: noise, study)
    status = Path("/proc/self/status")
    if status.exists():   # Linux: ru_maxrss would include the parent's memory, this does not
        print(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line))
    else:
        import resource
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


SMALL = {"stft.nperseg": 64, "stft.noverlap": 32, "stft.size": (32, 32), "stft.highpass_hz": None}


def memory_growth(study="convnext", window_s=256, small=SMALL):
    """Peak resident memory writing 20 000 windows over 2 000; all images at once would be 123 MB more.

    `study`, its window and overrides that make it `small`; the images of `convnext` are 32 x 32.
    """
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (2_000, 20_000):
            command = [sys.executable, "-c", MEMORY, str(Path(folder) / f"{n}.h5"), str(n), study,
                       str(window_s), json.dumps(small)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            peaks.append(int(done.stdout))
    return peaks[1] / peaks[0]
