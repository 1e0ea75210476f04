"""Training steps of the CRNN inside lib.train.fit against bare steps, and memory of the tensor writer."""

import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks.measure import Row, clock
from lib import config, model, objectives, schedule, train
from lib.files import InputError

ROOT = Path(__file__).resolve().parent.parent
BATCHES = 2      # different ones; the bare step takes them in turn
WARM_UP = 3      # steps that do not count
PLAIN = {"training.epochs": 1, "loss.storm": "gpl"}


def light() -> list[Row]:
    """Race the light CRNN at 3 x 32 x 72 as profile `light` trains it, on one thread."""
    study = config.load("crnn", "light", PLAIN)
    return [_row(study, (3, study.cwt.n_scales, study.cwt.n_times), 150, "light CRNN 32 x 72")]


def published() -> list[Row]:
    """Race EfficientNet-B1 with its GRU at 3 x 128 x 1440, float32, batches of 2: a few steps are enough."""
    study = config.load("crnn", "full", PLAIN | {"training.batch_size": 2, "training.autocast": None})
    return [_row(study, (3, 128, 1440), 6, "CRNN 128 x 1440, batch 2")]


def memory() -> list[Row]:
    """Peak memory of the writer of wavelet tensors, ten times the windows over once."""
    return [Row("dataset: peak memory of 20 000 wavelet tensors, over 2 000", [memory_growth()], 1.10,
                "lower")]


def _row(study, shape, steps, name):
    times = race(study, shape, steps)
    return Row(f"step: bare, over fit, {name}", times["bare"] / times["fit"], 0.95, "higher")


def race(study, shape, steps) -> dict[str, np.ndarray]:
    """Seconds of every step inside `fit` and of a bare one between two of them, as in `bench_step.race`."""
    times, began, turn, rate = {"fit": [], "bare": []}, None, 0, schedule.rate
    x, labels = examples(study, shape)
    bare = bare_step(study, x, labels)

    def pause(*settings):
        nonlocal began, turn
        if began is not None:
            times["fit"].append(clock() - began)
        turn += 1
        start = clock()
        bare(turn)
        times["bare"].append(clock() - start)
        began = clock()
        return rate(*settings)

    fit_idx = np.resize(np.arange(len(x)), (steps + WARM_UP + 1) * study.training.batch_size)
    with mock.patch.object(schedule, "rate", pause):
        train.fit(study, x, labels, fit_idx, np.arange(2), seed=0)
    if len(times["fit"]) != steps + WARM_UP:      # the last step has no end
        raise InputError("bench_crnn", "learning rates asked for", turn, "one a step of fit, at its start")
    return {name: np.array(values[WARM_UP:WARM_UP + steps]) for name, values in times.items()}


def bare_step(study, x, labels):
    """Return a step on resident tensors: forward, the study's loss, backward, clip, fused AdamW."""
    spec, device = study.training, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if spec.channels_last else torch.contiguous_format
    images = [part.to(device, memory_format=layout) for part in torch.tensor(x).split(spec.batch_size)]
    truths = [{t: torch.tensor(v[i * spec.batch_size:(i + 1) * spec.batch_size], device=device)
               for t, v in labels.items()} for i in range(BATCHES)]
    objective = objectives.make(study, {t: torch.tensor(v, device=device) for t, v in labels.items()})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = model.build(study.network, x.shape[1], objectives.outputs(study), x.shape[2:]).train()
    network = network.to(device, memory_format=layout)
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=spec.weight_decay, fused=True)

    def step(turn):
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.autocast == "bfloat16"):
            out = network(images[turn % BATCHES])
        loss = objective({t: v.float() for t, v in out.items()}, truths[turn % BATCHES])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, spec.clip)
        optimizer.step()
    return step


def examples(study, shape):
    """Noise images of `BATCHES` batches and labels of every kind that the loss reads."""
    n, random = study.training.batch_size * BATCHES, np.random.default_rng(0)
    event = np.arange(n) % 2
    labels = {"event": event, "event_magnitude": np.where(event, random.integers(3, size=n), -1),
              "direction": np.where(event, random.uniform(0, 360, n), np.nan).astype(np.float32),
              objectives.SEVERITY: random.random(n).astype(np.float32)}
    return random.normal(size=(n, *shape)).astype(np.float32), labels


MEMORY = """if True:
    import sys
    import numpy as np, pandas as pd
    from pathlib import Path
    from lib import config
    from lib.dataset import build
    study = config.load("crnn", "light", {"windows.window_s": 512, "cwt.freq_hz": (0.01, 0.1),
                        "cwt.n_scales": 16, "cwt.n_times": 64})
    n = int(sys.argv[2])
    start = pd.date_range("2020-01-01", periods=n, freq="10min").as_unit("ns")
    windows = pd.DataFrame({"window_id": [f"w{i}" for i in range(n)], "station": "TRD", "start": start,
                            "end": start + pd.Timedelta(seconds=512), "event_id": "",
                            "magnitude_class": "Normal", "azimuth_class": "Normal", "kp_max": 1.0})
    noise = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)
    build(sys.argv[1], windows, lambda station, start, n: noise, study)
    status = Path("/proc/self/status")
    if status.exists():   # Linux: ru_maxrss would include the parent's memory, this does not
        print(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line))
    else:
        import resource
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory_growth():
    """Peak resident memory writing 20 000 tensors over 2 000; all of them at once would be 111 MB more."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (2_000, 20_000):
            command = [sys.executable, "-c", MEMORY, str(Path(folder) / f"{n}.h5"), str(n)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            peaks.append(int(done.stdout))
    return peaks[1] / peaks[0]
