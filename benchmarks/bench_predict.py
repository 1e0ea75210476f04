"""Cost of a prediction over its bare parts, and speed and memory of importing published pictures."""

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
import xarray as xr
from PIL import Image

from benchmarks.measure import Row, interleaved
from lib import cards, config, device, fitted, model, objectives, predict, published, published_layout, stft
from lib.published_table import METADATA

ROOT = Path(__file__).resolve().parent.parent
DAY = 86_400
PICTURES = 1_000          # of a timed import
FEW, MANY = 500, 5_000    # of the memory's


def day() -> list[Row]:
    """Predict a day of 1 Hz values, windows of six hours, over transform and forward pass alone."""
    rows = []
    for profile, name in (("full", "ConvNeXt-Tiny 224"), ("light", "light ConvNeXt 64")):
        study = config.load("convnext", profile, {"training.autocast": None})
        given, record = untrained(study), one_day()
        step = None if profile == "full" else 3600         # 4 windows, 19 windows
        times = interleaved(lambda g=given, r=record, s=step: predict.predict(r, g, s),
                            lambda g=given, r=record, s=step: bare(r, g, s), 11)
        goal = 1.2 if profile == "full" else None
        rows.append(Row(f"predict: a day, over STFT and bare forward, {name}", times, goal, "lower"))
    return rows


def untrained(study) -> cards.Pretrained:
    """Return a network as it starts, as if it had been loaded."""
    torch.manual_seed(0)
    place = device.pick()
    network = model.build(study.network, 3, objectives.outputs(study), study.stft.size).to(place).eval()
    if study.training.channels_last:
        network = network.to(memory_format=torch.channels_last)
    scale = np.full(3, -2, np.float32), np.ones(3, np.float32)
    return cards.Pretrained(fitted.Fit(network, *scale, pd.DataFrame(), 0), study, {}, Path("none"))


def one_day() -> xr.Dataset:
    """Return a day of noise at 1 Hz."""
    values = np.random.default_rng(0).normal(0, 1, (3, DAY)).cumsum(axis=1) + 38_000
    time = np.datetime64("2020-01-01", "ns") + np.arange(DAY) * np.timedelta64(1, "s")
    return xr.Dataset({c: ("time", v) for c, v in zip("HDZ", values, strict=True)}, {"time": time},
                      {"station": "TRD", "sampling_s": 1.0, "source": "noise", "reported": "HDZ"})


def bare(record, given, step_s=None):
    """Cut, transform, scale, one forward pass, softmax: what any prediction has to do."""
    study, n = given.study, round(given.study.windows.window_s)
    values = np.stack([record[c].values for c in "HDZ"])
    x = np.stack([values[:, s:s + n] for s in range(0, DAY - n + 1, int(step_s or n))])
    images = torch.from_numpy(stft.spectrogram(x, study.stft)).to(device.pick())
    if study.training.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(study.training.threads or threads)
    with torch.inference_mode():
        found = {t: z.softmax(1).cpu().numpy() for t, z in given.fit.network((images + 2) / 1).items()}
    torch.set_num_threads(threads)
    return found


def pictures() -> list[Row]:
    """Import a folder of published pictures: as a user writes it, and with the library; peak memory."""
    study = published_layout.layout_study("panels", "full")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(folder / "in", PICTURES)
        files = sorted((folder / "in").glob("*.png"))

        def ours():
            (folder / "ours.h5").unlink(missing_ok=True)
            published_layout.to_dataset(folder / "in", folder / "ours.h5", study)

        to_file = interleaved(lambda: pil_loop(files, folder / "loop.h5"), ours, 7)
        decoded = interleaved(lambda: pil_loop(files), ours, 7)
        growth = memory_growth(folder)
    return [
        Row("pictures: PIL loop, stack and one HDF5 file, over to_dataset", to_file, 2, "higher"),
        Row("pictures: PIL loop and stack, nothing stored, over to_dataset", decoded, None, "higher"),
        Row(f"pictures: peak memory of importing {MANY}, over {FEW}", growth, 1.10, "lower"),
    ]


def pil_loop(files, path=None):
    """Open, convert, stack; then shares of full brightness, channels first, in a file if asked."""
    stack = np.stack([np.array(Image.open(file).convert("RGB")) for file in files])
    if path is None:
        return stack
    images = (stack.transpose(0, 3, 1, 2)[:, :, ::-1].astype(np.float32) / 255).astype(np.float16)
    with h5py.File(path, "w") as out:
        out["x"] = images
    return images


def make_folder(folder: Path, n: int, kinds: int = 50) -> None:
    """Write n pictures of noise as R2 draws them, `kinds` different ones, and their metadata file."""
    folder.mkdir()
    noise = np.random.default_rng(0).normal(size=(kinds, 3, 3600)).astype(np.float32)
    drawn = published.render_published(stft.spectrogram(noise, stft.PRESETS["published"]))
    lines = ["station,date,hour,magnitude_class,azimuth_class,filename"]
    for i, image in enumerate(drawn):
        Image.fromarray(image).save(folder / f"{i:06d}.png")
    for i in range(n):
        if i >= kinds:
            (folder / f"{i:06d}.png").write_bytes((folder / f"{i % kinds:06d}.png").read_bytes())
        day, hour = divmod(i, 24)
        date = np.datetime64("2000-01-01") + day
        lines.append(f"TRD,{date},{hour},{'Medium,N' if day % 2 else 'Normal,Normal'},{i:06d}.png")
    (folder / METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")


MEMORY = """if True:
    import sys
    from pathlib import Path
    from lib import published_layout
    published_layout.to_dataset(sys.argv[1], sys.argv[2], published_layout.layout_study("panels", "full"), 2)
    status = Path("/proc/self/status")
    if status.exists():   # Linux: ru_maxrss would include the parent's memory, this does not
        print(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line))
    else:
        import resource
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory_growth(folder: Path) -> np.ndarray:
    """Peak resident memory of importing many pictures over few; all at once would be 1.4 GB more."""
    peaks = []
    for n in (FEW, MANY):
        make_folder(folder / f"{n}", n)
        command = [sys.executable, "-c", MEMORY, str(folder / f"{n}"), str(folder / f"{n}.h5")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        peaks.append(int(done.stdout))
        (folder / f"{n}.h5").unlink()
    return np.array([peaks[1] / peaks[0]])
