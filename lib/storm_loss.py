"""How hard a geomagnetic storm was, and losses that punish false alarms in it (layer 3).

S2 names a "Geomagnetic Penalty Loss" and prints no formula; the formulas here are ours (validity.md
D-losses). Its public repository multiplies the loss of quiet windows in a storm by 5, which is
`gpl` with strength 4 and the storm flag as severity; its training script does not call it.
"""

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.nn import functional

from lib.files import InputError

KINDS = ("gpl", "hinge", "all", "decorr", "adv", "group")
_INDICES = {"Kp": (0, 9), "Dst": (-3000, 500)}       # what the index can be; sentinels lie outside


def severity(kp_max: np.ndarray, dst_min: np.ndarray) -> np.ndarray:
    """Storminess of windows between 0 and 1: either index alone is enough.

    s = 1 - (1 - sigma((Kp - 5) / 0.5)) (1 - sigma((-Dst - 50) / 10))

    Parameters
    ----------
    kp_max : array, shape (N,)
        Largest Kp in each window, 0 to 9.
    dst_min : array, shape (N,)
        Smallest Dst in each window, nT.

    Returns
    -------
    float64 array, shape (N,)

    Raises
    ------
    InputError
        Naming the first row whose index is missing, or a sentinel.

    References
    ----------
    validity.md D-losses.

    Examples
    --------
    >>> severity([2, 5, 7], [-10, -60, -150]).round(5)
    array([0.02041, 0.86553, 1.     ])
    """
    kp, dst = np.asarray(kp_max, float), np.asarray(dst_min, float)
    if kp.shape != dst.shape:
        raise InputError("storm_loss.severity", "shapes of kp_max and dst_min", (kp.shape, dst.shape),
                         "one of each a window")
    for (name, (low, high)), values in zip(_INDICES.items(), (kp, dst), strict=True):
        wrong = np.flatnonzero(~((values >= low) & (values <= high)))
        if wrong.size:
            raise InputError("storm_loss.severity", f"row {wrong[0]}, {name}",
                             float(values.flat[wrong[0]]), f"a number from {low} to {high}; drop windows "
                             "without indices or train without a storm penalty")
    return 1 - expit(-(kp - 5) / 0.5) * expit((dst + 50) / 10)


def event_logit(logits: torch.Tensor) -> torch.Tensor:
    """Return ln(p / (1 - p)) of "event" from one or two outputs: (N,), (N, 1) or (N, 2) -> (N,).

    >>> event_logit(torch.tensor([[1.0, 3.0]]))
    tensor([2.])
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if logits.ndim == 2 and logits.shape[1] == 2:
        return logits[:, 1] - logits[:, 0]
    if logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1):
        return logits.reshape(-1)
    raise InputError("storm_loss.event_logit", "shape of logits", tuple(logits.shape),
                     "(N,), (N, 1) or (N, 2)")


def detection_rows(z: torch.Tensor, y: torch.Tensor, gamma: float = 0.0) -> torch.Tensor:
    """Focal loss of every window, (1 - p)^gamma (-ln p) with p of the true class; cross-entropy for gamma 0.

    Parameters
    ----------
    z : tensor, shape (N,)
        ln(p / (1 - p)) of an event, from `event_logit`.
    y : tensor, shape (N,)
        1 event, 0 quiet, or the share of a mixture between.
    gamma : float
        S2's code has 2, and a mean in the loss beside its storm penalty, which therefore cannot run (M1).

    References
    ----------
    Lin et al. 2017, eq. 5, with alpha 1 (systems.md §4.1). Not proper for gamma > 0: p is pulled to 1/2.

    Examples
    --------
    >>> detection_rows(torch.zeros(1), torch.ones(1), 2.0)       # ln(2) / 4
    tensor([0.1733])
    """
    rows = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    if gamma == 0:
        return rows
    return (-torch.expm1(-rows)).clamp_min(torch.finfo(z.dtype).tiny).pow(gamma) * rows


def storm_penalty(kind: str, logits: torch.Tensor, labels: torch.Tensor, severity: torch.Tensor,
                  strength: float = 2.0, gamma: float = 0.0, p0: float = 0.5,
                  guess: torch.Tensor | None = None) -> torch.Tensor:
    """Term that is added to the detection loss of a batch; strength is the lambda of the formulas.

    Parameters
    ----------
    kind : str
        `gpl`: lambda mean[s (1-y) (-ln(1-p))]: quiet windows weigh 1 + lambda s; events are untouched.
        `hinge`: lambda mean[s (1-y) max(0, p - p0)^2]: only alarms, the surer the worse.
        `all`: lambda mean[s p]: also suppresses events in storms; the negative control.
        `decorr`: lambda corr(p, s | quiet)^2; 0 with fewer than three quiet windows or no spread.
        `adv`: lambda x cross-entropy of an adversary that reads s off the shared features of quiet
        windows, with its gradient reversed for them (`StormAdversary`).
        `group`: lambda (worst - mean) of the loss over storm (s >= 0.5) and quiet-time windows; with
        lambda = 1 the sum is the loss of the worst group alone.
    logits : tensor, shape (N,), (N, 1) or (N, 2)
    labels : tensor, shape (N,)
        1 event, 0 quiet.
    severity : tensor, shape (N,)
    strength : float
    gamma : float
        Of the focal loss beside it: `gpl` and `group` then weigh (1 - p)^gamma too.
    p0 : float
        Of `hinge`.
    guess : tensor, shape (N,)
        Output of the adversary, for `adv`.

    Returns
    -------
    scalar tensor

    Raises
    ------
    InputError
        For an unknown kind, a negative strength, shapes that do not fit, or `adv` without a guess.

    When not to use
    ---------------
    As proof that storms are handled: `gpl` is a prior shift within storms. Compare at matched recall,
    and by the ROC within storms (validity.md D4).

    References
    ----------
    validity.md D-losses; `adv`: Ganin & Lempitsky 2015; `group`: Sagawa et al. 2020.

    Examples
    --------
    >>> z, quiet, storm = torch.tensor([0.8]).logit(), torch.zeros(1), torch.ones(1)
    >>> storm_penalty("gpl", z, quiet, storm)       # 2 ln 5
    tensor(3.2189)
    """
    z, y, s = _checked(kind, logits, labels, severity, strength)
    if kind == "gpl":
        term = (s * (1 - y) * detection_rows(z, y, gamma)).mean()
    elif kind == "hinge":
        term = (s * (1 - y) * (z.sigmoid() - p0).clamp_min(0).square()).mean()
    elif kind == "all":
        term = (s * z.sigmoid()).mean()
    elif kind == "decorr":
        term = _squared_correlation(z.sigmoid(), s, 1 - y)
    elif kind == "group":
        term = _worst_minus_mean(detection_rows(z, y, gamma), s >= 0.5)
    else:
        if guess is None or guess.shape != z.shape:
            raise InputError("storm_loss.storm_penalty", "guess",
                             guess if guess is None else tuple(guess.shape),
                             f"StormAdversary's output, shape {tuple(z.shape)}")
        rows = functional.binary_cross_entropy_with_logits(guess.to(s.dtype), s, reduction="none")
        term = (rows * (1 - y)).sum() / (1 - y).sum().clamp_min(1)
    return strength * term


def detection_loss(logits: torch.Tensor, labels: torch.Tensor, severity: torch.Tensor,
                   kind: str | None = "gpl", strength: float = 2.0, gamma: float = 0.0,
                   **options) -> torch.Tensor:
    """Cross-entropy (focal for gamma > 0) plus `storm_penalty`; kind None leaves the penalty out.

    Parameters and errors are those of `storm_penalty`. With gamma = 0 and `gpl` this is
    mean[-y ln p - (1 + lambda s)(1-y) ln(1-p)].
    """
    z, y, _ = _checked(kind or "gpl", logits, labels, severity, strength)
    base = detection_rows(z, y, gamma).mean()
    if kind is None:
        return base
    return base + storm_penalty(kind, logits, labels, severity, strength, gamma, **options)


def recalibrated(logits: torch.Tensor, severity: torch.Tensor, strength: float) -> torch.Tensor:
    """Undo what `gpl` does to the probabilities of a network trained with it, before any threshold.

    Training drives p to pi / (pi + (1 - pi)(1 + lambda s)); adding ln(1 + lambda s) to the logit gives
    pi back. It holds for gamma = 0 and needs the indices of the windows that are scored.

    >>> z = recalibrated(torch.tensor([0.25]).logit(), torch.ones(1), 2.0)
    >>> float(z.sigmoid())
    0.5
    """
    z = event_logit(logits)
    return z + torch.log1p(strength * severity.to(z.dtype))


class StormAdversary(nn.Module):
    """Small head that guesses the severity from features (N, width) -> (N,), as a logit.

    Its own weights learn to guess; the gradient that reaches the features is reversed, so that they learn
    to hide it. Its parameters belong in the optimiser beside the network's. It undoes a change of scale, so
    a feature that is the storm and nothing else shrinks but little.
    """

    def __init__(self, width: int, hidden: int = 64):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the guess for `storm_penalty("adv", ..., guess=...)`."""
        return self.head(reverse_gradient(features)).squeeze(1)


def reverse_gradient(x: torch.Tensor) -> torch.Tensor:
    """Return x unchanged, with a gradient of opposite sign."""
    return _Reverse.apply(x)


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def _checked(kind, logits, labels, severity, strength):
    if kind not in KINDS:
        raise InputError("storm_loss.storm_penalty", "kind", kind, ", ".join(KINDS))
    if not strength >= 0:
        raise InputError("storm_loss.storm_penalty", "strength", strength, "0 or more")
    z = event_logit(logits)
    if not len(z) or labels.shape != z.shape or severity.shape != z.shape:
        raise InputError("storm_loss.storm_penalty", "windows in logits, labels, severity",
                         tuple(tuple(v.shape) for v in (logits, labels, severity)),
                         "one of each a window, at least one window")
    return z, labels.to(z.dtype), severity.to(z.dtype)


def _squared_correlation(p, s, weight):
    """corr(p, s)^2 over the rows of weight 1; 0, with a graph, where it is not defined."""
    n = weight.sum()
    p = (p - (p * weight).sum() / n.clamp_min(1)) * weight
    s = (s - (s * weight).sum() / n.clamp_min(1)) * weight
    spread = p.square().sum() * s.square().sum()
    defined = (n >= 3) & (spread > torch.finfo(p.dtype).tiny)
    return torch.where(defined, (p * s).sum().square() / torch.where(defined, spread, 1.0), 0.0)


def _worst_minus_mean(rows, storm):
    sides = torch.stack([torch.where(side, rows, 0.0).sum() / side.sum().clamp_min(1)
                         for side in (storm, ~storm)])      # an empty side gives 0: never the worst
    return sides.max() - rows.mean()
