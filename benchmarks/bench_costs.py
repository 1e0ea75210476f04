"""What one window costs: milliseconds of processor time, for planning years of record (book/reproduce)."""

import time

import numpy as np
import torch

from benchmarks.measure import Row
from lib import cwt, model, stft
from lib.studies import CWTSpec, NetworkSpec, STFTSpec

WINDOWS, REPETITIONS = 8, 7


def run() -> list[Row]:
    """Measure processor time of all threads, so that other programs on the machine count little."""
    draw = np.random.default_rng(0)
    night, day = (draw.normal(size=(WINDOWS, 3, n)).astype(np.float32) for n in (21_600, 86_400))
    images = torch.from_numpy(draw.normal(size=(WINDOWS, 3, 224, 224)).astype(np.float32))
    network = model.build(NetworkSpec()).eval()

    def forward():
        with torch.inference_mode():
            network(images)

    costs = {"6 h at 1 Hz to a 224 x 224 spectrogram": lambda: stft.spectrogram(night, STFTSpec()),
             "a day at 1 Hz to a 128 x 1440 scalogram": lambda: cwt.scalogram(day, CWTSpec()),
             "a forward pass, ConvNeXt-Tiny 224": forward}
    return [Row(f"cost: ms of {name}", _ms(function), None, "lower") for name, function in costs.items()]


def _ms(function):
    """Processor time of a window in ms, each of `REPETITIONS` calls on `WINDOWS` windows."""
    function()
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        function()
        times.append(1000 * (time.process_time() - start) / WINDOWS)
    return np.array(times)
