"""Training steps inside lib.train.fit against bare steps and against a plain fp32 loop over PNG files."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torchvision.transforms.functional import to_tensor

from benchmarks.measure import Row, clock, seconds
from lib import config, model, schedule, stft, train
from lib.files import InputError
from lib.studies import N_CLASSES

PLAIN = {"training.augmentation": None, "training.epochs": 1, "training.warmup_epochs": 0}
BATCHES = 2      # different ones; the rivals take them in turn
WARM_UP = 3      # steps that do not count


def convnext() -> list[Row]:
    """Race ConvNeXt-Tiny at 224 as profile `full` trains it, in batches of 8: 32 are slow on two cores."""
    study = config.load("convnext", "full", {**PLAIN, "training.batch_size": 8})
    return rows(study, "ConvNeXt-Tiny 224", 12)


def light() -> list[Row]:
    """Race the light ConvNeXt at 64 as profile `light` trains it, on one thread; and its augmentation."""
    study = config.load("convnext", "light", PLAIN)
    augmented = config.load("convnext", "light", {**PLAIN, "training.augmentation": "physical"})
    times = race(augmented, {"bare": bare(augmented)}, 80)
    return [*rows(study, "light ConvNeXt 64", 150),
            Row("step: fp32 loop over PNG files on all cores, over fit with a fold a core, light ConvNeXt 64",
                side_by_side(study), None, "higher"),   # no goal: a busy machine slows two threads more
            Row("step: bare, over fit with augmentation 'physical', light ConvNeXt 64",
                times["bare"] / times["fit"], None, "higher")]


def rows(study, name, steps) -> list[Row]:
    """Compare one study with both rivals, in one run of `fit`."""
    with tempfile.TemporaryDirectory() as folder:
        times = race(study, {"bare": bare(study), "png": png_loop(study, Path(folder))}, steps)
    return [Row(f"step: bare, over fit, {name}", times["bare"] / times["fit"], 0.95, "higher"),
            Row(f"step: fp32 loop over PNG files, over fit, {name}", times["png"] / times["fit"], 2,
                "higher")]


def side_by_side(study, repetitions=5, steps=40) -> np.ndarray:
    """Compare what a whole machine gets through: the loop with torch's own threads, and fits side by side.

    Profile `light` gives each fold one thread, as `cross_validate` runs a fold a core. Seconds a step of
    the loop, over seconds a step of one `fit` divided by the number of fits that run at the time.
    """
    cores, ratios = os.cpu_count() or 1, []
    with tempfile.TemporaryDirectory() as folder, train.pool(cores) as pool:
        loop = png_loop(study, Path(folder))
        for _ in range(repetitions + 1):          # the first one warms up and starts the processes
            fits = [pool.submit(race, study, {}, steps) for _ in range(cores)]
            fit = np.mean([np.median(done.result()["fit"]) for done in fits]) / cores
            ratios.append(np.median([seconds(lambda turn=turn: loop(turn)) for turn in range(steps)]) / fit)
    return np.array(ratios[1:])


def race(study, rivals, steps, data=None) -> dict[str, np.ndarray]:
    """Seconds of every step inside `fit`, and of every rival's step, run between two steps of `fit`.

    `fit` asks for the learning rate at the start of each step. There the clock is stopped, each rival
    takes one step with torch's settings as `fit` left them, and the clock starts again: no set-up, model
    building or selection pass counts, and whatever else the machine does hits all alike.
    """
    times, began, turn, rate = {"fit": [], **{name: [] for name in rivals}}, None, 0, schedule.rate

    def pause(*settings):
        nonlocal began, turn
        if began is not None:
            times["fit"].append(clock() - began)
        turn += 1
        for name in list(rivals)[:: 1 if turn % 2 else -1]:    # neither always follows the other
            start = clock()
            rivals[name](turn)
            times[name].append(clock() - start)
        began = clock()
        return rate(*settings)

    x, labels = data or examples(study)
    fit_idx = np.resize(np.arange(len(x)), (steps + WARM_UP + 1) * study.training.batch_size)
    with mock.patch.object(schedule, "rate", pause):
        train.fit(study, x, labels, fit_idx, np.arange(1), seed=0)
    if len(times["fit"]) != steps + WARM_UP:      # the last step has no end
        raise InputError("bench_step", "learning rates asked for", turn, "one a step of fit, at its start")
    return {name: np.array(values[WARM_UP: WARM_UP + steps]) for name, values in times.items()}


def bare(study):
    """Return a step on resident tensors in the study's precision and layout.

    Forward, weighted cross-entropies, backward, clip, fused AdamW, zero_grad: what `fit` has to do.
    Drawing and gathering the batch, the rate, the running loss and checks are `fit`'s own.
    """
    spec, device = study.training, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if spec.channels_last else torch.contiguous_format
    x, labels = examples(study)
    images = [part.to(device, memory_format=layout) for part in torch.tensor(x).split(spec.batch_size)]
    truths = split(labels, spec.batch_size, device)
    network = network_of(study).to(device, memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=spec.weight_decay, fused=True)

    def step(turn):
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.autocast == "bfloat16"):
            logits = network(images[turn % BATCHES])
        descend(network, optimizer, logits, truths[turn % BATCHES], spec)
    return step


def png_loop(study, folder):
    """Return a step of the usual loop: decode a PNG file an image, stack, normalise, step in float32."""
    spec, device = study.training, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x, labels = examples(study)
    files = [folder / f"{i:05d}.png" for i in range(len(x))]
    for file, image in zip(files, x, strict=True):
        pixels = np.clip(image * 40 + 128, 0, 255).astype(np.uint8)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(file)      # (C, F, T) -> (F, T, C)
    truths = split(labels, spec.batch_size, device)
    network = network_of(study).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=spec.weight_decay)

    def step(turn):
        start = turn % BATCHES * spec.batch_size
        images = [to_tensor(Image.open(file).convert("RGB")) for file in files[start:start + spec.batch_size]]
        logits = network((torch.stack(images).to(device) - 0.5) / 0.25)
        descend(network, optimizer, logits, truths[turn % BATCHES], spec)
    return step


def descend(network, optimizer, logits, truth, spec):
    """Do the second half of a step as anybody would write it."""
    loss = functional.cross_entropy(logits["magnitude"].float(), truth["magnitude"], truth["w_magnitude"]) \
        + 0.5 * functional.cross_entropy(logits["azimuth"].float(), truth["azimuth"], truth["w_azimuth"])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), spec.clip)
    optimizer.step()


def examples(study):
    """Images of noise (N, 3, F, T), zero mean and unit variance, and labels; `BATCHES` batches of them."""
    n, random = study.training.batch_size * BATCHES, np.random.default_rng(0)
    x = stft.spectrogram(random.normal(size=(n, 3, study.windows.window_s)).astype(np.float32), study.stft)
    return (x - x.mean()) / x.std(), {t: random.integers(k, size=n) for t, k in N_CLASSES.items()}


def split(labels, batch, device):
    """Labels of each batch and class weights, on the device."""
    weights = {f"w_{t}": torch.ones(k, device=device) for t, k in N_CLASSES.items()}
    return [{**weights, **{t: torch.tensor(v[i * batch:(i + 1) * batch], device=device)
                           for t, v in labels.items()}} for i in range(BATCHES)]


def network_of(study):
    """Build the study's network, leaving torch's random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model.build(study.network).train()
