"""Weighted cross-entropy (layer 3)."""

import torch
from torch.nn import functional

from lib.files import InputError


def class_weights(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Inverse-frequency weight of every class of one training fold.

    Parameters
    ----------
    y : int tensor or array, shape (N,)
        Class indices of the training windows only; counting test windows would leak them.
    n_classes : int
        Number of classes K, present or not.

    Returns
    -------
    float32 tensor, shape (K,)
        N / (K' n_k) with K' the number of classes present, as scikit-learn's "balanced", so that the mean
        weight over the windows is 1. A class without a window gets 0; `absent_classes` names it.

    Raises
    ------
    InputError
        For an empty fold or an index outside 0 ... K-1.

    Examples
    --------
    >>> class_weights(torch.tensor([0, 0, 0, 1]), 3)
    tensor([0.6667, 2.0000, 0.0000])
    """
    counts = _counts(y, n_classes)
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp_min(1))
    return torch.where(present, weights, 0.0).float()


def absent_classes(y: torch.Tensor, n_classes: int) -> list[int]:
    """Classes without a window in this fold: no network trained on it can learn them.

    >>> absent_classes(torch.tensor([0, 0, 2]), 4)
    [1, 3]
    """
    return torch.nonzero(_counts(y, n_classes) == 0).flatten().tolist()


def class_loss(logits: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Class-weighted cross-entropy of one target over the windows to which its question applies.

    Parameters
    ----------
    logits : float tensor, (N, K)
    y : int tensor, (N,)
        Class indices; -1 where the question does not apply.
    weight : float tensor, (K,), optional
        From `class_weights` of the training fold; all ones by default.

    Returns
    -------
    scalar tensor
        sum(w l) / sum(w) over the batch; 0 where every window has weight 0.

    Notes
    -----
    The Normal class of `magnitude` and `azimuth` counts, as published. It turns part of the azimuth score
    into detection, which is why `lib.metrics` also scores within events.

    References
    ----------
    Seed 001; the published leave-one-event-out script used no weights (E1.9).
    """
    y, weight = y.long(), (torch.ones(logits.shape[1]) if weight is None else weight).to(logits.device)
    summed = functional.cross_entropy(logits.float(), y, weight=weight, ignore_index=-1, reduction="sum")
    total = torch.where(y >= 0, weight[y.clamp_min(0)], 0.0).sum()
    return summed / total.clamp_min(torch.finfo(torch.float32).tiny)


def _counts(y, n_classes):
    y = torch.as_tensor(y)
    if y.numel() == 0:
        raise InputError("losses.class_weights", "training fold", "no window", "at least one window")
    wrong = (y < 0) | (y >= n_classes) | (y != y.long())     # a NaN label fails the last comparison
    if wrong.any():
        row = int(torch.nonzero(wrong)[0])
        raise InputError("losses.class_weights", f"label {row}", y[row].item(),
                         f"an integer class index 0 to {n_classes - 1}")
    return torch.bincount(y.long(), minlength=n_classes)
