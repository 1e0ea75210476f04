"""Losses for a bearing on the circle, masked where there is no earthquake to point at (layer 3).

The bearing is in degrees clockwise from north; a vector is (east, north) = (sin, cos), as the direction
head of `lib.crnn` gives it. Source of the formulas: validity.md D-losses; S2's code has `von_mises` only.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from lib.files import InputError

KINDS = ("sincos", "cosine", "von_mises", "vm", "axial")
FIXED_KAPPA = 5.0        # S2's code
LEAST_KAPPA, MOST_KAPPA = 1e-3, 500.0


def unit_vector(azimuth_deg: torch.Tensor) -> torch.Tensor:
    """Return (east, north) of bearings: (N,) degrees -> (N, 2).

    >>> unit_vector(torch.tensor([0.0, 90.0])).round(decimals=6).abs()
    tensor([[0., 1.],
            [1., 0.]])
    """
    angle = torch.deg2rad(azimuth_deg)
    return torch.stack([angle.sin(), angle.cos()], dim=-1)


def bearing_deg(vector: torch.Tensor) -> torch.Tensor:
    """Return the bearing of (east, north) vectors: (N, 2) -> (N,) degrees, 0 <= bearing < 360.

    >>> bearing_deg(torch.tensor([[0.0, -2.0], [-1.0, 0.0]]))
    tensor([180., 270.])
    """
    degrees = torch.rad2deg(torch.atan2(vector[..., 0], vector[..., 1])) % 360
    return torch.where(degrees == 360, 0.0, degrees)        # a tiny negative angle rounds up to 360


def bearing_mask(event: np.ndarray, azimuth_deg: np.ndarray) -> np.ndarray:
    """Return the rows whose bearing counts: the events; refuse an event that has none.

    Call it once before training, so that no batch has to look.

    Parameters
    ----------
    event : bool array, shape (N,)
    azimuth_deg : array, shape (N,)
        Bearing in degrees; anything, NaN included, in quiet rows.

    Returns
    -------
    bool array, shape (N,)

    Raises
    ------
    InputError
        Naming the first event without a finite bearing.
    """
    event, azimuth = np.asarray(event, bool), np.asarray(azimuth_deg, float)
    if event.shape != azimuth.shape:
        raise InputError("direction_losses.bearing_mask", "shapes of event and azimuth_deg",
                         (event.shape, azimuth.shape), "one bearing a row")
    lost = np.flatnonzero(event & ~np.isfinite(azimuth))
    if lost.size:
        raise InputError("windows", f"row {lost[0]}, azimuth_deg", float(azimuth[lost[0]]),
                         "a bearing in degrees for every event, or train without the direction head")
    return event


def concentration(raw: torch.Tensor) -> torch.Tensor:
    """Return kappa = softplus(raw) + 0.001, at most 500 (a spread of 2.6 degrees)."""
    return (functional.softplus(raw) + LEAST_KAPPA).clamp_max(MOST_KAPPA)


def von_mises_nll(cos_delta: torch.Tensor, kappa: torch.Tensor) -> torch.Tensor:
    """Negative log density of a von Mises error with cosine `cos_delta`, without overflow.

    -kappa cos(delta) + ln(2 pi I0(kappa)), with I0 = i0e exp(kappa). Its smallest value for directions
    that nothing predicts is ln 2 pi = 1.837877, at kappa = 0.

    >>> kappa = torch.tensor([0.0, 5.0], dtype=torch.float64)
    >>> von_mises_nll(torch.ones(2, dtype=torch.float64), kappa)
    tensor([1.8379, 0.1426], dtype=torch.float64)
    """
    return kappa * (1 - cos_delta) + math.log(2 * math.pi) + torch.special.i0e(kappa).log()


def direction_loss(kind: str, vector: torch.Tensor, azimuth_deg: torch.Tensor, mask: torch.Tensor,
                   raw_kappa: torch.Tensor | None = None) -> torch.Tensor:
    """Mean loss of predicted directions over the rows that have a bearing.

    Parameters
    ----------
    kind : str
        `sincos`: squared distance to (sin, cos), 2 - 2 cos(delta) for unit vectors.
        `cosine`: 1 - cos(delta).
        `von_mises`: 5 - 5 cos(delta), S2's code.
        `vm`: von Mises negative log-likelihood with the network's own concentration.
        `axial`: `vm` of the doubled angle, for fields that do not tell a direction from its opposite.
    vector : tensor, shape (N, 2)
        Unit vectors (east, north).
    azimuth_deg : tensor, shape (N,)
        True bearings; anything, NaN included, where the mask is False.
    mask : bool tensor, shape (N,)
        Rows with an earthquake (`bearing_mask`). S2's code has none: there, quiet windows point north.
    raw_kappa : tensor, shape (N,), optional
        The output "kappa" of the network; `vm` and `axial` need it.

    Returns
    -------
    scalar tensor
        In float64 if `vector` is, else in float32; 0, with a graph, if no row counts.

    Raises
    ------
    InputError
        For an unknown kind, a missing concentration, or shapes that do not fit.

    When not to use
    ---------------
    A low loss alone is no skill: the best constant direction of the training events is the floor, and on
    a single station a map of directions is narrow (validity.md A12).

    References
    ----------
    validity.md D-losses; systems.md §4.1.

    Examples
    --------
    >>> east, to = torch.tensor([[1.0, 0.0]]), torch.tensor([30.0])
    >>> float(direction_loss("sincos", east, to, torch.tensor([True])).round(decimals=5))
    1.0
    """
    _check(kind, vector, azimuth_deg, mask, raw_kappa)
    vector = vector if vector.dtype == torch.float64 else vector.float()
    truth = unit_vector(torch.where(mask, azimuth_deg, 0.0).to(vector.dtype))
    cosine = (vector * truth).sum(1)
    if kind == "sincos":
        rows = (vector - truth).square().sum(1)
    elif kind == "cosine":
        rows = 1 - cosine
    elif kind == "von_mises":
        rows = FIXED_KAPPA - FIXED_KAPPA * cosine
    else:
        kappa = concentration(raw_kappa.to(vector.dtype))
        rows = von_mises_nll(cosine if kind == "vm" else 2 * cosine.square() - 1, kappa)
    return torch.where(mask, rows, 0.0).sum() / mask.sum().clamp_min(1)


def _check(kind, vector, azimuth_deg, mask, raw_kappa):
    source = "direction_losses.direction_loss"
    if kind not in KINDS:
        raise InputError(source, "kind", kind, ", ".join(KINDS))
    if raw_kappa is None and kind in ("vm", "axial"):
        raise InputError(source, "raw_kappa", None,
                         f"the network's output 'kappa' for {kind}: crnn.build(kappa=True)")
    shapes = [azimuth_deg.shape, mask.shape] + ([] if raw_kappa is None else [raw_kappa.shape])
    if vector.ndim != 2 or vector.shape[1] != 2 or any(s != vector.shape[:1] for s in shapes):
        raise InputError(source, "shapes of vector, azimuth_deg, mask, raw_kappa",
                         [tuple(s) for s in (vector.shape, *shapes)], "(N, 2) and (N,) for the others")
    if mask.dtype != torch.bool:
        raise InputError(source, "mask", str(mask.dtype), "a bool tensor")
