"""Training steps of the CRNN inside lib.train.fit against bare steps, and memory of the tensor writer."""

import numpy as np
import torch

from benchmarks import bench_step, bench_stft
from benchmarks.measure import Row
from lib import config, model, objectives

BATCHES = 2      # different ones; the bare step takes them in turn
SMALL = {"cwt.freq_hz": (0.01, 0.1), "cwt.n_scales": 16, "cwt.n_times": 64}    # for the writer's memory
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
    grown = bench_stft.memory_growth("crnn", 512, SMALL)
    return [Row("dataset: peak memory of 20 000 wavelet tensors, over 2 000", [grown], 1.10, "lower")]


def _row(study, shape, steps, name):
    data = examples(study, shape)
    times = bench_step.race(study, {"bare": bare_step(study, *data)}, steps, data)
    return Row(f"step: bare, over fit, {name}", times["bare"] / times["fit"], 0.95, "higher")


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
