"""Where and how tensors are computed: device, precision, seeds, threads (layer 4)."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

from lib.files import InputError

AUTOCAST = (None, "bfloat16")


def pick() -> torch.device:
    """Return the accelerator if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def scaled(x: np.ndarray, mean: np.ndarray, std: np.ndarray, channels_last: bool,
           device: torch.device) -> torch.Tensor:
    """Put images (N, C, F, T) on a device, less the mean (C,) and over the deviation (C,) of each channel."""
    images = torch.as_tensor(np.asarray(x, np.float32), device=device)
    images = (images - torch.as_tensor(mean, device=device).view(1, -1, 1, 1)) / torch.as_tensor(
        std, device=device).view(1, -1, 1, 1)
    return images.contiguous(memory_format=torch.channels_last) if channels_last else images


def autocast(kind: str | None, device: torch.device) -> torch.autocast:
    """Return the context in which a network runs in single precision (None) or partly in bfloat16."""
    if kind not in AUTOCAST:
        raise InputError("lib.train", "training.autocast", kind, "None or bfloat16")
    return torch.autocast(device.type, torch.bfloat16, enabled=kind == "bfloat16")


@contextlib.contextmanager
def reproducible(seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch and fix its threads inside the block; leave both as they were afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
