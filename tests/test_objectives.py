"""lib.objectives: each study's loss by hand, and questions that do not apply to a window."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from lib import direction_losses, objectives, storm_loss
from lib.files import InputError
from lib.studies import STUDIES, LossSpec

N = 6
TRUE = {"event": torch.tensor([0, 1, 0, 1, 1, 0]), "event_magnitude": torch.tensor([-1, 0, -1, 2, 1, -1]),
        "direction": torch.tensor([math.nan, 10.0, math.nan, 200.0, 90.0, math.nan]),
        "magnitude": torch.tensor([0, 1, 0, 3, 2, 0]), "azimuth": torch.tensor([0, 1, 0, 5, 3, 0])}
WINDOWS = pd.DataFrame({
    "event_id": ["", "a"], "magnitude_class": ["Normal", "Large"], "azimuth_class": ["Normal", "S"],
    "azimuth_deg": [np.nan, 170.0], "kp_max": [5.0, 1.0], "dst_min": [-60.0, 0.0]})


def _study(targets, **loss):
    return dataclasses.replace(STUDIES["convnext"], targets=targets, loss=LossSpec(**loss))


def _outputs(study, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {t: torch.randn(N, k, generator=g).requires_grad_() for t, k in objectives.outputs(study).items()}


def test_published_two_task_loss():
    """L = L_mag + 0.5 L_az, each weighted by the inverse frequency of its classes."""
    study = _study(("magnitude", "azimuth"))
    out = _outputs(study)
    expected = 0.0
    for target, factor in (("magnitude", 1.0), ("azimuth", 0.5)):
        y, k = TRUE[target], out[target].shape[1]
        count = torch.bincount(y, minlength=k)
        weight = torch.where(count > 0, N / ((count > 0).sum() * count.clamp_min(1)), 0.0)
        expected += factor * functional.cross_entropy(out[target], y, weight=weight)
    assert objectives.make(study, TRUE)(out, TRUE).item() == pytest.approx(expected.item(), rel=1e-6)


def test_three_heads_with_the_weights_of_the_public_code():
    """Event 1, magnitude 0.1, direction 0.05; the latter two ask earthquakes only."""
    study = _study(("event", "event_magnitude", "direction"), kind="plain")
    out, asked = _outputs(study), TRUE["event"] == 1
    vector = functional.normalize(out["direction"], dim=1)
    expected = functional.cross_entropy(out["event"], TRUE["event"])
    expected += 0.1 * functional.cross_entropy(out["event_magnitude"][asked], TRUE["event_magnitude"][asked])
    expected += 0.05 * direction_losses.direction_loss("von_mises", vector, TRUE["direction"], asked)
    found = objectives.make(study, TRUE)(out, TRUE)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    found.backward()
    for target in ("event_magnitude", "direction"):
        assert (out[target].grad[~asked] == 0).all() and torch.isfinite(out[target].grad).all()


@pytest.mark.parametrize("kind", ["plain", "balanced", "focal"])
def test_detection_by_hand(kind):
    """Cross-entropy, its class-weighted mean, or (1 - p)^2 of it."""
    study = _study(("event",), kind=kind)
    out = _outputs(study)
    rows = functional.cross_entropy(out["event"], TRUE["event"], reduction="none")
    if kind == "focal":
        rows = rows * (1 - torch.exp(-rows)) ** 2
    assert objectives.make(study, TRUE)(out, TRUE).item() == pytest.approx(rows.mean().item(), rel=1e-5)
    if kind == "balanced":       # 5 of 6 quiet: weights 0.6 and 3
        rare = {"event": torch.tensor([0, 0, 0, 0, 0, 1])}
        weight = torch.tensor([.6] * 5 + [3.0])
        rows = weight * functional.cross_entropy(out["event"], rare["event"], reduction="none")
        assert objectives.make(study, rare)(out, rare).item() == pytest.approx(rows.mean().item(), rel=1e-5)


def test_one_logit_and_mixed_labels():
    """A label of 0.3 is binary cross-entropy with 0.3; one logit is as good as two."""
    study, z = _study(("event",), kind="plain"), torch.randn(N, 1, generator=torch.Generator().manual_seed(2))
    soft = {"event": torch.tensor([0.3, 0.0, 1.0, 0.5, 0.9, 0.1])}
    expected = functional.binary_cross_entropy_with_logits(z[:, 0], soft["event"]).item()
    objective = objectives.make(study, TRUE)
    assert objective({"event": z}, soft).item() == pytest.approx(expected, rel=1e-6)
    two = {"event": torch.cat([-z / 2, z / 2], 1)}
    assert objective(two, soft).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("storm", storm_loss.KINDS)
def test_the_storm_penalty_is_added(storm):
    study = _study(("event",), kind="focal", storm=storm, storm_weight=3.0)
    out, severity = _outputs(study), torch.tensor([1.0, 0.9, 0.0, 0.2, 0.7, 0.6])
    if storm == "adv":
        out[objectives.GUESS] = out[objectives.GUESS][:, 0]
    logit = storm_loss.event_logit(out["event"])
    base = storm_loss.detection_rows(logit, TRUE["event"].float(), 2.0).mean()
    added = storm_loss.storm_penalty(storm, logit, TRUE["event"], severity, 3.0, 2.0,
                                     guess=out.get("storm_guess"))
    found = objectives.make(study, TRUE)(out, TRUE | {objectives.SEVERITY: severity})
    assert found.item() == pytest.approx((base + added).item(), rel=1e-6) and added.item() != 0


@pytest.mark.parametrize(("direction", "width"), [("vm", 3), ("axial", 3), ("cosine", 2), ("sincos", 2)])
def test_a_direction_alone_has_weight_one_and_its_own_concentration(direction, width):
    study = _study(("direction",), direction=direction)
    out = _outputs(study)
    assert out["direction"].shape == (N, width)
    vector, asked = functional.normalize(out["direction"][:, :2], dim=1), TRUE["event"] == 1
    expected = direction_losses.direction_loss(direction, vector, TRUE["direction"], asked,
                                               out["direction"][:, 2] if width == 3 else None)
    assert objectives.make(study, TRUE)(out, TRUE).item() == pytest.approx(expected.item(), rel=1e-6)


def test_truth_holds_what_the_loss_reads():
    found = objectives.truth(_study(("event", "direction"), storm="gpl"), WINDOWS)
    assert found["event"].tolist() == [0, 1] and found["direction"].dtype == np.float32
    expected = [.865529, float(storm_loss.severity(1.0, 0.0))]
    assert found[objectives.SEVERITY].tolist() == pytest.approx(expected, abs=1e-5)
    assert objectives.SEVERITY not in objectives.truth(_study(("event",)), WINDOWS)


def test_what_cannot_be_minimised_is_refused():
    with pytest.raises(InputError, match="balanced, plain, focal"):
        objectives.make(_study(("event",), kind="hinge"), TRUE)
    with pytest.raises(InputError, match="event"):
        objectives.make(_study(("magnitude",), storm="gpl"), TRUE)
    with pytest.raises(InputError, match="row 1"):
        objectives.truth(_study(("event",), storm="gpl"), WINDOWS.assign(kp_max=[5.0, np.nan]))
