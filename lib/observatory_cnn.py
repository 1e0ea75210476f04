"""The Table 2 network of seed 004 for one-minute records, and the memory it takes (layer 3)."""

import math

import pandas as pd
import torch
from torch import nn

from lib.files import InputError

ACTIVATIONS = ("printed", "text")
COMPONENTS = 3
_FULL = {"filters": (32, 64, 64), "dense": 64, "pool": 2}
_LIGHT = {"filters": (8, 16, 16), "dense": 16, "pool": 4}
_FLOAT, _INDEX = 4, 8                    # bytes
_PER_PARAMETER = 4 * _FLOAT              # value, gradient, and the two moments of Adam


class ObservatoryCNN(nn.Module):
    """Window (N, 1, 3, n) -> convolutions along time -> dense layer -> {"event": (N, 2)}."""

    def __init__(self, layers: nn.Sequential, n: int, activations: str):
        super().__init__()
        self.n, self.activations, self.channels, self.classes = n, activations, 1, {"event": 2}
        self.layers = layers

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the two outputs, logits for cross-entropy: {"event": (N, 2)}."""
        if x.ndim != 4 or tuple(x.shape[1:]) != (1, COMPONENTS, self.n):
            raise InputError("observatory_cnn", "shape of the input", tuple(x.shape),
                             f"(windows, 1, {COMPONENTS}, {self.n})")
        return {"event": self.layers(x)}


def build(n: int = 10_080, activations: str = "text", depth: int = 3, light: bool = False) -> ObservatoryCNN:
    """Build the network; its random numbers are torch's, so that `torch.manual_seed` before it decides.

    Parameters
    ----------
    n : int
        Samples in a window: 60, 1440, 10 080 (a week, Table 2) or 43 200 at 1/min; 4 or more, 16 if light.
    activations : str
        "printed": softmax on the hidden 64 units and nothing on the output, as Table 2 prints.
        "text": ReLU on the hidden units; the softmax comes last, inside the cross-entropy.
    depth : int
        Convolutions. Table 2 has 3, with pooling behind the first two; further ones are 1 x 3 x 64
        without pooling. The flattened length is the same for every depth, so only 12 352 parameters
        are added by each.
    light : bool
        8, 16, 16 filters, pooling by 4 and 16 hidden units.

    Returns
    -------
    ObservatoryCNN
        Outputs are logits in both variants.

    Raises
    ------
    InputError
        For too few samples, no convolution, or other activations.

    Notes
    -----
    All convolutions keep their length (Table 2: padding "yes"); 320, 6 208, 12 352, 30 965 824 and 130
    parameters, 30 984 834 in all, of which the dense layer holds 99.9 %. Under "printed" the hidden units
    are a softmax of 64: they sum to 1, start near 1/64 each and pass on little gradient. Weights start as
    torch's do; Keras starts from Glorot's.

    When not to use
    ---------------
    With records normalised by the main field: a 1 nT signal is then 2e-5 of the input range
    (systems.md K6).

    References
    ----------
    Seed 004, Table 2; systems.md §4.3.

    Examples
    --------
    >>> build(60, light=True)(torch.zeros(5, 1, 3, 60))["event"].shape
    torch.Size([5, 2])
    """
    size = _LIGHT if light else _FULL
    if activations not in ACTIVATIONS or depth < 1:
        raise InputError("observatory_cnn.build", "activations, depth", (activations, depth),
                         " or ".join(ACTIVATIONS) + "; one or more convolutions")
    _check_length(n, size)
    layers, before, width = [], 1, n
    for i in range(depth):
        filters = size["filters"][min(i, 2)]
        kernel = (3, 3) if i == 0 else (1, 3)
        layers += [nn.Conv2d(before, filters, kernel, padding="same"), nn.ReLU(inplace=True)]
        if i < 2:
            layers.append(nn.MaxPool2d((1, size["pool"])))
            width //= size["pool"]
        before = filters
    hidden = nn.Softmax(1) if activations == "printed" else nn.ReLU(inplace=True)
    layers += [nn.Flatten(), nn.Linear(before * COMPONENTS * width, size["dense"]), hidden,
               nn.Linear(size["dense"], 2)]
    return ObservatoryCNN(nn.Sequential(*layers), n, activations)


def parameter_table(n: int = 10_080, activations: str = "printed", depth: int = 3,
                    light: bool = False) -> pd.DataFrame:
    """Run the network on no data and list its layers as Table 2 does; costs no memory.

    Returns
    -------
    DataFrame
        `layer`, `window` (of a convolution or pooling), `activation`, `output_shape` (components, time,
        filters, as printed), `parameters`; one row a layer, activations beside the layer they follow.

    References
    ----------
    Seed 004, Table 2.

    Examples
    --------
    >>> parameter_table()["parameters"].tolist()
    [320, 0, 6208, 0, 12352, 0, 30965824, 130]
    """
    rows = []
    with torch.device("meta"):
        x = torch.zeros(1, 1, COMPONENTS, n)
        for layer in build(n, activations, depth, light).layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU | nn.Softmax):
                rows[-1]["activation"] = type(layer).__name__
                continue
            shape = tuple(x.shape[1:])
            rows.append({"layer": type(layer).__name__,
                         "window": "x".join(map(str, getattr(layer, "kernel_size", ()))), "activation": "",
                         "output_shape": (*shape[1:], shape[0]) if len(shape) == 3 else shape,
                         "parameters": sum(p.numel() for p in layer.parameters())})
    return pd.DataFrame(rows)


def first_layer_bytes(n: int, batch: int, light: bool = False) -> int:
    """Return the bytes of the first convolution's output: batch x filters x 3 x n in float32.

    >>> first_layer_bytes(10_080, 32)
    123863040
    """
    return batch * (_LIGHT if light else _FULL)["filters"][0] * COMPONENTS * n * _FLOAT


def step_bytes(n: int, batch: int, light: bool = False) -> int:
    """Return the bytes that a training step keeps for its backward pass, and the gradients at the peak.

    Kept: the input, every convolution's output after its ReLU (in place), every pooled map and its
    indices of 8 bytes. At the peak, in the first convolution, its gradient comes before and behind the
    ReLU. Scratch memory of the library's convolutions comes on top.
    """
    return batch * (kept_bytes(n, light) + 2 * first_layer_bytes(n, 1, light))


def kept_bytes(n: int, light: bool = False) -> int:
    """Return what one window of a three-layer "text" network keeps for the backward pass, in bytes."""
    size = _LIGHT if light else _FULL
    first, second, third = (f * COMPONENTS for f in size["filters"])
    half, quarter = n // size["pool"], n // size["pool"] // size["pool"]
    maps = COMPONENTS * n + first * n + first * half + second * half + second * quarter + third * quarter
    indices = first * half + second * quarter
    return _FLOAT * (maps + size["dense"]) + _INDEX * indices


def batch_for_memory(n: int, memory_bytes: int, light: bool = False) -> int:
    """Choose the largest batch whose training step with Adam fits into a memory.

    Parameters
    ----------
    n : int
        Samples in a window.
    memory_bytes : int
        What may be used; leave a margin for the library's scratch memory.
    light : bool

    Returns
    -------
    int
        Windows in a batch.

    Raises
    ------
    InputError
        If not even one window fits; says how much is needed.

    Examples
    --------
    >>> batch_for_memory(10_080, 1_000_000_000)
    17
    """
    _check_length(n, _LIGHT if light else _FULL)
    fixed = _PER_PARAMETER * int(parameter_table(n, light=light)["parameters"].sum())
    batch = (int(memory_bytes) - fixed) // step_bytes(n, 1, light)
    if batch < 1:
        raise InputError("observatory_cnn.batch_for_memory", "memory_bytes", memory_bytes,
                         f"{math.ceil((fixed + step_bytes(n, 1, light)) / 1e6)} MB or more for windows of "
                         f"{n} samples; or shorter windows, or light=True")
    return batch


def _check_length(n, size):
    if n != int(n) or n < size["pool"] ** 2:
        raise InputError("observatory_cnn", "samples in a window", n,
                         f"a whole number, {size['pool'] ** 2} or more: pooling twice leaves nothing else")
