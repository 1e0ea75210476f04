"""What training minimises: one scalar from a network's outputs and the truth of its windows (layer 4)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from lib import direction_losses, losses, storm_loss, targets
from lib.files import InputError
from lib.studies import Study
from lib.table_checks import number

KINDS = ("balanced", "plain", "focal")
SEVERITY, GUESS = "storm_severity", "storm_guess"
CONCENTRATED = ("vm", "axial")       # direction losses that learn a concentration

Tensors = dict[str, torch.Tensor]


def truth(study: Study, windows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return everything the loss reads of a windows table: each target's truth, and storms if they count.

    Raises
    ------
    InputError
        For a missing column or class; for `direction`, an event without azimuth; for a storm penalty, a
        window whose Kp or Dst is unknown.
    """
    found = {target: targets.truth(windows, target) for target in study.targets}
    if targets.DIRECTION in found:
        direction_losses.bearing_mask(targets.truth(windows, "event") == 1, found[targets.DIRECTION])
    if study.loss.storm:
        found[SEVERITY] = storm_loss.severity(number(windows, "kp_max"), number(windows, "dst_min"))
    return {name: values.astype(np.float32) if values.dtype.kind == "f" else values
            for name, values in found.items()}


def outputs(study: Study) -> dict[str, int]:
    """Numbers that the network gives for each target, and for what only the loss reads.

    A learned concentration is one more of `direction`; the adversary of storms guesses one number.
    """
    found = {target: targets.N_NUMBERS[target] for target in study.targets}
    if targets.DIRECTION in found:
        found[targets.DIRECTION] += study.loss.direction in CONCENTRATED
    return found | ({GUESS: 1} if study.loss.storm == "adv" else {})


def make(study: Study, fit_truth: Tensors) -> Callable[[Tensors, Tensors], torch.Tensor]:
    """Return the loss of a batch, (outputs, truth) -> scalar.

    Every term is a mean over the windows to which its question applies, and 0 for a batch without any.
    `event` is binary cross-entropy (of one logit, or the difference of two; labels may be mixed), focal or
    class-weighted as `study.loss.kind` says, with the storm penalty added; class targets are cross-entropies;
    `direction` is one of `lib.direction_losses`.

    Parameters
    ----------
    study : Study
    fit_truth : dict of tensors
        Of the training windows only; class weights are counted there.

    Raises
    ------
    InputError
        For an unknown kind, or a storm penalty without an `event` target.

    References
    ----------
    S1: L = L_mag + 0.5 L_az with class weights. S2 code: 1, 0.1, 0.05 for event, magnitude and direction, the
    latter two masked for quiet windows here (validity.md D-losses). S3, S4: cross-entropy.
    """
    spec = study.loss
    if spec.kind not in KINDS:
        raise InputError("objectives.make", "loss.kind", spec.kind, ", ".join(KINDS))
    if spec.storm and "event" not in study.targets:
        raise InputError("objectives.make", "loss.storm", spec.storm, "a study with the target event")
    weights = {t: losses.class_weights(fit_truth[t][fit_truth[t] >= 0], targets.N_NUMBERS[t])
               for t in study.targets if t != targets.DIRECTION and spec.kind == "balanced"}
    factor = {"azimuth": spec.azimuth_weight, "event_magnitude": spec.magnitude_weight,
              targets.DIRECTION: spec.direction_weight if len(study.targets) > 1 else 1.0}

    def objective(out: Tensors, true: Tensors) -> torch.Tensor:
        total = 0.0
        for target in study.targets:
            if target == "event":
                term = _event(out, true, weights.get(target), spec)
            elif target == targets.DIRECTION:
                term = _direction(out, true[target], spec.direction)
            else:
                term = losses.class_loss(out[target], true[target], weights.get(target))
            total = total + factor.get(target, 1.0) * term
        return total
    return objective


def _event(out, true, weight, spec):
    """Return the loss of detection: cross-entropy, weighted, made focal, penalised in storms."""
    logit, y = storm_loss.event_logit(out["event"]), true["event"].float()
    gamma = spec.focal_gamma if spec.kind == "focal" else 0.0
    rows = storm_loss.detection_rows(logit, y, gamma)
    if weight is not None:
        rows = rows * (y * weight[1] + (1 - y) * weight[0])
    if not spec.storm:
        return rows.mean()
    return rows.mean() + storm_loss.storm_penalty(spec.storm, logit, y, true[SEVERITY], spec.storm_weight,
                                                  gamma, guess=out.get(GUESS))


def _direction(out, azimuth_deg, kind):
    """Loss of the direction head; its third number, or `kappa` beside it, is the learned concentration."""
    output = out[targets.DIRECTION]
    kappa = out.get("kappa", output[:, 2] if output.shape[1] > 2 else None)
    return direction_losses.direction_loss(kind, functional.normalize(output[:, :2], dim=1), azimuth_deg,
                                           torch.isfinite(azimuth_deg), kappa)
