"""MixUp and CutMix of images and their labels, and a MixUp that keeps electron content consistent (layer 4).

The random numbers of `timm.data.Mixup` are numpy's global ones; they are set from the caller's generator for
the call and put back afterwards, so that a run repeats.
"""

import contextlib

import numpy as np
import torch
from timm.data import Mixup

from lib.files import InputError

KINDS = ("mixup", "cutmix", "both", "consistent")
MIXUP_ALPHA, CUTMIX_ALPHA = 0.8, 1.0    # timm's defaults for training from scratch; S3 prints none [D]
TEC, UPPER, LOWER, POSITIVE, NEGATIVE = 0, 3, 2, 4, 5   # channels of `lib.tec_images`


def mix(x: torch.Tensor, y: dict[str, torch.Tensor], kind: str, generator: torch.Generator,
        mean: torch.Tensor, std: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mix each image of a batch with its partner from the other end, and the labels in the same share.

    Parameters
    ----------
    x : float tensor, shape (N, C, F, T)
        Scaled images; not modified. Of an odd batch the middle image stays as it is.
    y : dict
        ``event``, int tensor (N,), classes 0 and 1; any other label is refused, its mixture means nothing.
    kind : str
        `mixup`: weighted mean of two images; `cutmix`: a rectangle of one in the other; `both`: one of the
        two a batch; `consistent`: MixUp of the six-channel image in TECU with the polarity channels computed
        again from the mixed content and bounds. A plain MixUp shows polarities of 0.3, which no day has.
    generator : torch.Generator
    mean, std : float tensors, shape (C,)
        Scale of the channels.

    Returns
    -------
    (tensor, dict)
        Images, and ``event`` as a float tensor (N,): the share of class 1.

    Raises
    ------
    InputError
        For an unknown kind, labels other than `event`, or `consistent` on other than six channels.

    References
    ----------
    Zhang et al. (2018), Yun et al. (2019); timm.data.Mixup; systems.md P8.
    """
    if kind not in KINDS:
        raise InputError("mixing.mix", "training.augmentation", kind, ", ".join(KINDS))
    if set(y) != {"event"}:
        raise InputError("mixing.mix", "labels", sorted(y), "event alone")
    if kind == "consistent" and x.shape[1] != 6:
        raise InputError("mixing.mix", "channels", x.shape[1], "the six of lib.tec_images")
    half = len(x) // 2
    rows = torch.cat([torch.arange(half), torch.arange(len(x) - half, len(x))]).to(x.device)   # an even batch
    alphas = (0.0 if kind == "cutmix" else MIXUP_ALPHA, CUTMIX_ALPHA if kind in ("cutmix", "both") else 0.0)
    images, share = x.clone(), y["event"].float()
    if half:
        scale, shift = std.view(1, -1, 1, 1), mean.view(1, -1, 1, 1)
        part = x[rows] * scale + shift if kind == "consistent" else x[rows].clone()
        with _numpy_seeded(generator):
            mixed, soft = Mixup(*alphas, label_smoothing=0.0, num_classes=2)(part, y["event"][rows].long())
        if kind == "consistent":
            mixed[:, POSITIVE] = (mixed[:, TEC] > mixed[:, UPPER]).to(mixed.dtype)
            mixed[:, NEGATIVE] = (mixed[:, TEC] < mixed[:, LOWER]).to(mixed.dtype)
            mixed = (mixed - shift) / scale
        images[rows], share[rows] = mixed, soft[:, 1].to(share.dtype)
    return images, {"event": share}


@contextlib.contextmanager
def _numpy_seeded(generator):
    """Seed numpy's global generator from torch's inside the block; restore it afterwards."""
    before = np.random.get_state()                    # noqa: NPY002 - timm's choice
    np.random.seed(int(torch.randint(2**31, (1,), generator=generator, device=generator.device)))   # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)                      # noqa: NPY002
