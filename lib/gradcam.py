"""Grad-CAM on either head, its share of energy in a band, and its sanity check (layer 5)."""

import copy
import dataclasses

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from lib.files import InputError
from lib.model import MultiTask, build, target_layer


class _OneHead(nn.Module):
    """The network with one head: grad-cam expects logits (N, K), not a dictionary."""

    def __init__(self, network, target):
        super().__init__()
        self.network, self.target = network, target

    def forward(self, x):
        return self.network(x)[self.target]


def class_maps(model: nn.Module, x: torch.Tensor, target: str, class_index=None,
               layer: nn.Module | None = None, batch_size: int = 32) -> np.ndarray:
    """Grad-CAM maps: where in time and frequency the evidence for a class lies.

    Parameters
    ----------
    model : MultiTask
        Any network that returns {target: logits}; then `layer` is needed.
    x : float tensor, shape (N, C, F, T)
        Scaled images, as in training.
    target : str
        The head, such as "magnitude" or "event"; it gives logits.
    class_index : int or int array of shape (N,), optional
        Class whose logit is explained; the predicted one by default.
    layer : nn.Module, optional
        Read this layer instead of `model.target_layer`'s choice.
    batch_size : int
        Images per forward and backward pass.

    Returns
    -------
    float32 array, shape (N, F, T)
        ReLU(sum_k a_k A_k) with a_k the mean gradient of the logit over map k (Selvaraju et al. 2017,
        eq. 1 and 2), resized bilinearly to the input grid and divided by its maximum: in [0, 1], all 0
        where no location supports the class.

    Raises
    ------
    InputError
        For an unknown head or class, or a layer that gives no feature map.

    When not to use
    ---------------
    As proof: compare with `randomised` first, and read a coarse map (8 x 8 in the light profile) as
    nothing finer than its own pixels. The map is of the logit, not of the probability.
    """
    from pytorch_grad_cam import GradCAM  # 12 s of imports, only for those who need them
    _require_head(model, x, target)
    layer = target_layer(model, tuple(x.shape[-2:])) if layer is None else layer
    wrapped, training = _OneHead(model, target), model.training
    indices = None if class_index is None else np.broadcast_to(np.asarray(class_index), len(x))
    maps = []
    try:
        with (GradCAM(wrapped, [layer], reshape_transform=_feature_map) as cam, torch.enable_grad(),
              torch.backends.cudnn.flags(enabled=False)):     # its GRU has no gradient in evaluation mode
            for start in range(0, len(x), batch_size):
                chosen = None if indices is None else indices[start:start + batch_size]
                maps.append(_batch_maps(cam, layer, x[start:start + batch_size], chosen))
    finally:
        model.zero_grad(set_to_none=True)
        model.train(training)                    # grad-cam leaves it in evaluation mode
    return np.concatenate(maps)


def _batch_maps(cam, layer, x, class_index):
    """Unscaled map from grad-cam; its own scaling subtracts the minimum, which would move the zero."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    targets = None if class_index is None else [ClassifierOutputTarget(int(k)) for k in class_index]
    cam(x.detach().clone().requires_grad_(), targets)    # gradients flow even if all weights are frozen
    hooks = cam.activations_and_grads
    gradient = hooks.gradients[0].float().numpy()
    raw = cam.get_cam_image(x, layer, targets, hooks.activations[0].float(), gradient)
    grown = functional.interpolate(torch.from_numpy(np.maximum(raw, 0))[:, None], size=x.shape[-2:],
                                   mode="bilinear", align_corners=False)[:, 0].numpy()     # (n, F, T)
    highest = grown.max((1, 2), keepdims=True)
    return np.divide(grown, highest, out=np.zeros_like(grown), where=highest > 0).astype(np.float32)


def _feature_map(activation):
    if activation.ndim != 4:
        raise InputError("gradcam.class_maps", "layer output", tuple(activation.shape),
                         "a convolutional feature map (N, channels, F, T)")
    return activation


def _require_head(model, x, target):
    heads = getattr(model, "classes", None)
    if heads is not None and target not in heads:
        raise InputError("gradcam.class_maps", "target", target, ", ".join(heads))
    if x.ndim != 4 or len(x) == 0:
        raise InputError("gradcam.class_maps", "x", tuple(x.shape), "images (N, C, F, T) with N >= 1")


def band_energy_share(maps: np.ndarray, frequency_hz: np.ndarray, time_s: np.ndarray,
                      band_hz: tuple[float, float], hours: tuple[float, float] | None = None
                      ) -> tuple[np.ndarray, float]:
    """Share of a map's energy inside a band and hours, and the share expected by area alone.

    Parameters
    ----------
    maps : array, shape (N, F, T)
        Non-negative, as from `class_maps`.
    frequency_hz : array, shape (F,)
        Frequency of every row, Hz.
    time_s : array, shape (T,)
        Time of every column since the window's start, s.
    band_hz : tuple
        Lowest and highest frequency, both included, Hz.
    hours : tuple, optional
        First and last hour since the window's start; the whole window by default.

    Returns
    -------
    share : float array, shape (N,)
        Sum inside over sum of the map; NaN for a map that is zero everywhere.
    area_share : float
        Pixels inside over pixels: the share of a map that knows nothing.

    Raises
    ------
    InputError
        If axes and maps do not fit, or no pixel lies inside.

    Examples
    --------
    >>> maps = np.zeros((1, 4, 2)); maps[0, 1] = 1
    >>> band_energy_share(maps, np.array([0.0, 0.01, 0.02, 0.03]), np.array([0, 1800]), (0.005, 0.02))
    (array([1.]), 0.5)
    """
    if maps.ndim != 3 or maps.shape[1:] != (len(frequency_hz), len(time_s)):
        raise InputError("gradcam.band_energy_share", "maps", maps.shape,
                         f"(N, {len(frequency_hz)}, {len(time_s)}), the lengths of the two axes")
    first, last = (-np.inf, np.inf) if hours is None else (hours[0] * 3600, hours[1] * 3600)
    rows = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    columns = (time_s >= first) & (time_s <= last)
    inside = rows[:, None] & columns[None, :]
    if not inside.any():
        raise InputError("gradcam.band_energy_share", "band and hours", (band_hz, hours),
                         f"{frequency_hz[0]:g} to {frequency_hz[-1]:g} Hz, "
                         f"{time_s[0] / 3600:g} to {time_s[-1] / 3600:g} h")
    total = maps.sum((1, 2), dtype=float)
    share = np.divide(maps[:, inside].sum(1, dtype=float), total,
                      out=np.full(len(maps), np.nan), where=total > 0)
    return share, float(inside.mean())


def randomised(model: nn.Module, seed: int) -> nn.Module:
    """Copy of a network with all weights drawn anew: its maps show what the architecture alone draws.

    A map that survives this is an edge detector, not an explanation of what was learnt.

    Parameters
    ----------
    model : MultiTask or any module whose parts have `reset_parameters`
    seed : int

    References
    ----------
    Adebayo et al. 2018, model parameter randomisation test.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if isinstance(model, MultiTask):
            fresh = build(dataclasses.replace(model.spec, weights=None), model.channels, model.classes)
            fresh = fresh.to(next(model.parameters()).device)
        else:
            fresh = copy.deepcopy(model)
            for part in fresh.modules():
                if hasattr(part, "reset_parameters"):
                    part.reset_parameters()
    return fresh.train(model.training)


def map_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman rank correlation of two sets of maps, pixel by pixel.

    Parameters
    ----------
    a, b : arrays, shape (N, F, T)

    Returns
    -------
    float array, shape (N,)
        NaN where one of the maps is constant.

    Examples
    --------
    >>> a = np.arange(6.0).reshape(1, 2, 3)
    >>> map_similarity(a, a ** 3), map_similarity(a, -a)
    (array([1.]), array([-1.]))
    """
    if a.shape != b.shape:
        raise InputError("gradcam.map_similarity", "shapes", (a.shape, b.shape), "two equal shapes (N, F, T)")
    ranks = [stats.rankdata(m.reshape(len(m), -1), axis=1) for m in (a, b)]
    ranks = [r - r.mean(1, keepdims=True) for r in ranks]
    spread = np.sqrt((ranks[0] ** 2).sum(1) * (ranks[1] ** 2).sum(1))
    return np.divide((ranks[0] * ranks[1]).sum(1), spread, out=np.full(len(a), np.nan), where=spread > 0)
