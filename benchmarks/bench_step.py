"""Training steps: the bare step in its fastest settings against a plain fp32 loop over PNG files."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from lib import losses, model
from lib.studies import NetworkSpec

# name, network, image side, batch; a step of 32 at 224 takes half a minute on two cores: 8 keep the ratio
CASES = (("ConvNeXt-Tiny 224", NetworkSpec(), 224, 8),
         ("light ConvNeXt 64", NetworkSpec(light=True, hidden=64), 64, 32),
         ("light EfficientNet 64", NetworkSpec("efficientnet", light=True, hidden=64), 64, 32))
# fastest settings measured on two CPU cores without a GPU; see best_settings
SETTINGS = {"ConvNeXt-Tiny 224": {"autocast": True, "channels_last": False},
            "light ConvNeXt 64": {"autocast": False, "channels_last": False},
            "light EfficientNet 64": {"autocast": False, "channels_last": True}}


def make_batches(spec, side, batch, n_batches=2, seed=0):
    """Return images (N, 3, F, T) float32 and labels for `n_batches` batches."""
    generator = torch.Generator().manual_seed(seed)
    n = batch * n_batches
    x = torch.randn(n, 3, side, side, generator=generator)
    return x, {t: torch.randint(0, k, (n,), generator=generator) for t, k in model.CLASSES.items()}


def make_network(spec, channels_last=False, seed=0):
    """Network, optimiser and class weights as the study trains them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = model.build(spec).train()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.05, fused=True)
    return network, optimizer, {t: torch.ones(k) for t, k in model.CLASSES.items()}


def bare_step(network, optimizer, weights, x, y, autocast=False):
    """Forward, backward, clip, step: what no training loop can do without."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
        logits = network(x)
    loss = losses.multitask_loss(logits, y, weights)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def seconds_per_step(step, batches, repeats):
    """Fastest of `repeats` passes over the batches, after one that warms up, seconds a step."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        for batch in batches:
            step(batch)
        times.append((time.perf_counter() - start) / len(batches))
    return min(times[1:])


def bare(spec, side, batch, autocast=False, channels_last=False, repeats=3):
    """Seconds a bare step on resident tensors."""
    x, y = make_batches(spec, side, batch)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    network, optimizer, weights = make_network(spec, channels_last)
    batches = [slice(i, i + batch) for i in range(0, len(x), batch)]

    def step(rows):
        bare_step(network, optimizer, weights, x[rows], {t: v[rows] for t, v in y.items()}, autocast)
    return seconds_per_step(step, batches, repeats)


def png_fp32_loop(spec, side, batch, repeats=3):
    """Seconds a step of the usual loop: decode a PNG an image, stack, normalise, fp32 step."""
    x, y = make_batches(spec, side, batch)
    network, optimizer, weights = make_network(spec)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.05)   # torch's default
    batches = [slice(i, i + batch) for i in range(0, len(x), batch)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i:05d}.png" for i in range(len(x))]
        for file, image in zip(files, x, strict=True):
            pixels = np.clip(image.numpy() * 40 + 128, 0, 255).astype(np.uint8)
            Image.fromarray(pixels.transpose(1, 2, 0)).save(file)      # (C, F, T) -> (F, T, C)

        def step(rows):
            images = torch.stack([to_tensor(Image.open(f).convert("RGB")) for f in files[rows]])
            bare_step(network, optimizer, weights, (images - 0.5) / 0.25, {t: v[rows] for t, v in y.items()})
        return seconds_per_step(step, batches, repeats)


def best_settings(spec, side, batch, repeats=2):
    """Measure the four combinations of bfloat16 autocast and channels-last: {settings: seconds}."""
    return {(autocast, channels_last): bare(spec, side, batch, autocast, channels_last, repeats)
            for autocast in (False, True) for channels_last in (False, True)}


def run() -> list[dict]:
    """Rows {name, ratio, goal, better} for `make bench`."""
    rows = []
    for name, spec, side, batch in CASES:
        repeats = 2 if side > 100 else 20
        fast = bare(spec, side, batch, **SETTINGS[name], repeats=repeats)
        rows.append({"name": f"bare step against fp32 loop over PNG files, {name}",
                     "ratio": png_fp32_loop(spec, side, batch, repeats) / fast,
                     "goal": 2.0, "better": "higher"})
    return rows


if __name__ == "__main__":
    for name, spec, side, batch in CASES:
        for (autocast, channels_last), seconds in best_settings(spec, side, batch).items():
            print(f"{name}: autocast {autocast}, channels_last {channels_last}: {seconds:.3f} s a step")
    for row in run():
        print(row)
