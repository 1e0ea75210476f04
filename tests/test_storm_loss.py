"""lib.storm_loss: T-D1 and the other closed forms of validity.md D-losses."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from lib import storm_loss
from lib.files import InputError
from lib.storm_loss import detection_loss, recalibrated, severity, storm_penalty


def _logit(p, n=1, **options):
    return torch.full((n,), math.log(p / (1 - p)), dtype=torch.float64, **options)


def test_severity_has_the_golden_values():
    assert severity([2, 5, 7], [-10, -60, -150]) == pytest.approx([0.020414, 0.865529, 1.0], abs=1e-6)


def test_severity_grows_with_either_index_and_stays_between_0_and_1():
    kp, dst = np.meshgrid(np.linspace(0, 9, 28), np.linspace(100, -1800, 39))
    s = severity(kp.ravel(), dst.ravel()).reshape(kp.shape)
    assert (np.diff(s, axis=0) >= 0).all() and (np.diff(s, axis=1) >= 0).all()
    assert (s >= 0).all() and (s <= 1).all() and s[0, 0] < 1e-4


@pytest.mark.parametrize(("kp", "dst", "row"), [
    ([1, np.nan], [0, 0], "row 1, Kp"), ([1, 99.9], [0, 0], "row 1, Kp"),
    ([1, 2], [99999, 0], "row 0, Dst"), ([1, 2], [0, np.nan], "row 1, Dst"), ([1, 2], [0], "shapes")])
def test_a_missing_index_is_named_by_its_row(kp, dst, row):
    with pytest.raises(InputError, match=row):
        severity(kp, dst)


@pytest.mark.parametrize(("y", "s", "value", "gradient"), [
    (0, 0, 1.609438, 0.8), (0, 1, 4.828314, 2.4), (1, 1, 0.223144, -0.2), (1, 0, 0.223144, -0.2)])
def test_penalised_loss_and_its_gradient_at_p_08(y, s, value, gradient):
    """T-D1: lambda = 2; by the logit the gradient is (1 + lambda s) p for quiet and p - 1 for events."""
    z = _logit(0.8, requires_grad=True)
    loss = detection_loss(z, torch.tensor([y]), torch.tensor([float(s)]))
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-6)
    assert z.grad.item() == pytest.approx(gradient, abs=1e-9)


@pytest.mark.parametrize(("events", "quiet", "strength", "s", "best"), [
    (1, 1, 2, 1, 0.25), (1, 1, 4, 1, 0.16667), (1, 9, 2, 0.5, 0.052632), (1, 9, 2, 0.0, 0.1)])
def test_best_constant_answer_is_shifted_by_the_penalty(events, quiet, strength, s, best):
    """Minimised numerically; `recalibrated` gives the share of events back."""
    y = torch.cat([torch.ones(events), torch.zeros(quiet)])
    n = len(y)

    def loss(z):
        return float(detection_loss(torch.full((n,), z, dtype=torch.float64), y, torch.full((n,), s),
                                    strength=strength))

    z = minimize_scalar(loss, bounds=(-9, 9), method="bounded", options={"xatol": 1e-9}).x
    share = events / n
    assert 1 / (1 + math.exp(-z)) == pytest.approx(best, abs=1e-5)
    assert best == pytest.approx(share / (share + (1 - share) * (1 + strength * s)), abs=1e-5)
    back = recalibrated(torch.tensor([z]), torch.tensor([s]), strength).sigmoid()
    assert float(back) == pytest.approx(share, abs=1e-5)


def test_public_code_is_strength_4_with_the_storm_flag():
    """Quiet windows in a storm weigh 5, for cross-entropy and for the focal loss on two outputs."""
    torch.manual_seed(0)
    logits, y, flag = torch.randn(8, 2), torch.arange(8) % 2, (torch.arange(8) < 4).float()
    weight = torch.where((y == 0) & (flag == 1), 5.0, 1.0)
    for gamma in (0.0, 2.0):
        cost = functional.cross_entropy(logits, y, reduction="none")
        expected = (weight * (1 - torch.exp(-cost)) ** gamma * cost).mean()
        found = detection_loss(logits, y, flag, "gpl", 4.0, gamma)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_strength_zero_no_kind_and_no_storm_are_plain_cross_entropy():
    torch.manual_seed(0)
    z, y, s = torch.randn(9), torch.arange(9) % 2, torch.rand(9)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(z, y.float())
    for loss in (detection_loss(z, y, s, kind=None), detection_loss(z, y, s, strength=0.0),
                 detection_loss(z, y, torch.zeros(9))):
        assert torch.allclose(loss, plain)


BATCH = {"logits": torch.tensor([0.2, 0.9, 0.7, 0.6, 0.3, 0.8], dtype=torch.float64).logit(),
         "labels": torch.tensor([0, 0, 0, 1, 0, 1]),
         "severity": torch.tensor([0.1, 0.8, 0.5, 0.9, 0.0, 0.2], dtype=torch.float64)}


def test_alternatives_by_hand():
    """hinge, all, decorr and group on six windows, with numpy."""
    p, y, s = (BATCH[k].numpy() for k in ("logits", "labels", "severity"))
    p = 1 / (1 + np.exp(-p))
    cost = -np.log(np.where(y == 1, p, 1 - p))
    expected = {
        "gpl": 2 * np.mean(s * (1 - y) * -np.log(1 - p)),
        "hinge": 2 * (0.8 * 0.4 ** 2 + 0.5 * 0.2 ** 2) / 6,
        "all": 2 * np.mean(s * p),
        "decorr": 2 * np.corrcoef(p[y == 0], s[y == 0])[0, 1] ** 2,
        "group": 2 * (max(cost[s >= 0.5].mean(), cost[s < 0.5].mean()) - cost.mean())}
    for kind, value in expected.items():
        assert float(storm_penalty(kind, **BATCH)) == pytest.approx(value, rel=1e-9), kind


def test_group_with_strength_one_is_the_worst_group_alone_even_if_a_group_is_empty():
    rows = torch.nn.functional.binary_cross_entropy_with_logits(
        BATCH["logits"], BATCH["labels"].double(), reduction="none")
    storm = BATCH["severity"] >= 0.5
    worst = max(float(rows[storm].mean()), float(rows[~storm].mean()))
    assert float(detection_loss(**BATCH, kind="group", strength=1.0)) == pytest.approx(worst, rel=1e-12)
    calm = {**BATCH, "severity": torch.zeros(6)}
    assert float(storm_penalty("group", **calm)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", ["gpl", "hinge", "all", "decorr", "group"])
def test_gradients_are_those_of_finite_differences_and_events_stay_untouched(kind):
    """Only `all` and `group` may push on events."""
    z = BATCH["logits"].clone().requires_grad_()
    rest = (BATCH["labels"], BATCH["severity"])
    assert torch.autograd.gradcheck(lambda z: storm_penalty(kind, z, *rest, gamma=2.0), z)
    storm_penalty(kind, z, *rest).backward()
    assert bool((z.grad[BATCH["labels"] == 1] == 0).all()) == (kind not in ("all", "group"))


@pytest.mark.parametrize("kind", storm_loss.KINDS)
@pytest.mark.parametrize("labels", [torch.ones(4), torch.tensor([1.0, 1, 0, 0]), torch.zeros(4)])
def test_batches_without_quiet_windows_or_without_spread_stay_finite(kind, labels):
    z = torch.zeros(4, requires_grad=True)
    loss = storm_penalty(kind, z, labels, torch.full((4,), 0.3), guess=torch.zeros(4, requires_grad=True))
    assert torch.isfinite(loss) and loss.requires_grad
    gradient = torch.autograd.grad(loss, z, allow_unused=True)[0]
    assert gradient is None or torch.isfinite(gradient).all()


def test_adversary_learns_forwards_and_its_features_backwards():
    """Same loss, gradient on its own weights as usual, on the features with the sign changed."""
    torch.manual_seed(0)
    adversary, y, s = storm_loss.StormAdversary(3, 8), BATCH["labels"], BATCH["severity"].float()
    grads = []
    for head in (adversary, adversary.head):
        features = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
        loss = storm_penalty("adv", torch.zeros(6), y, s, strength=1.0, guess=head(features).reshape(-1))
        grads.append(torch.autograd.grad(loss, [features, *adversary.head.parameters()]))
    assert torch.allclose(grads[0][0], -grads[1][0]) and grads[0][0][y == 0].abs().sum() > 0
    assert all(torch.equal(a, b) for a, b in zip(grads[0][1:], grads[1][1:], strict=True))
    assert (grads[0][0][y == 1] == 0).all()


def test_adversarial_training_turns_the_features_away_from_the_storm():
    """A feature mixes noise and storm in equal parts; with the penalty the storm's part is trained away."""
    generator = torch.Generator().manual_seed(0)
    s = (torch.rand(256, generator=generator) < 0.5).float()
    x, quiet = torch.stack([torch.randn(256, generator=generator), 2 * s - 1], 1), torch.zeros(256)
    part = {}
    for strength in (0.0, 1.0):
        torch.manual_seed(0)
        weight, adversary = torch.ones(2, requires_grad=True), storm_loss.StormAdversary(1, 8)
        optimizer = torch.optim.SGD([{"params": [weight], "lr": 0.05},
                                     {"params": adversary.parameters(), "lr": 0.5}])
        for _ in range(60):
            feature = x @ torch.nn.functional.normalize(weight, dim=0)
            optimizer.zero_grad()
            storm_penalty("adv", quiet, quiet, s, strength, guess=adversary(feature[:, None])).backward()
            optimizer.step()
        part[strength] = float(torch.nn.functional.normalize(weight.detach(), dim=0)[1])
    assert part[0.0] == pytest.approx(math.sqrt(0.5)) and abs(part[1.0]) < 0.3


def test_one_and_two_outputs_say_the_same():
    z = torch.randn(5, generator=torch.Generator().manual_seed(0))
    y, s = torch.tensor([0, 1, 0, 1, 0]), torch.rand(5)
    two = torch.stack([z - 1, 2 * z - 1], 1)
    values = [float(detection_loss(v, y, s)) for v in (z, z[:, None], two)]
    assert values == pytest.approx([values[0]] * 3, rel=1e-6)


@pytest.mark.parametrize(("options", "expected"), [
    ({"kind": "gpl2"}, "hinge"), ({"strength": -1.0}, "strength"), ({"strength": math.nan}, "strength"),
    ({"labels": torch.zeros(5)}, "one of each"), ({"severity": torch.zeros(1)}, "one of each"),
    ({"logits": torch.zeros(6, 3)}, "shape of logits"), ({"kind": "adv"}, "StormAdversary")])
def test_what_cannot_be_scored_is_refused(options, expected):
    with pytest.raises(InputError, match=expected):
        storm_penalty(**{"kind": "gpl", **BATCH, **options})


def test_an_empty_batch_is_refused():
    with pytest.raises(InputError, match="at least one window"):
        detection_loss(torch.zeros(0), torch.zeros(0), torch.zeros(0))


@pytest.mark.parametrize(("p", "gamma"), [(0.5, 2), (0.9, 2), (0.1, 2), (0.7, 0.5), (0.3, 0)])
def test_focal_loss_in_closed_form(p, gamma):
    """-(1 - p)^gamma ln p for the probability p of the true class, either class."""
    z = torch.tensor([math.log(p / (1 - p)), math.log((1 - p) / p)], dtype=torch.float64)
    rows = storm_loss.detection_rows(z, torch.tensor([1.0, 0.0], dtype=torch.float64), gamma)
    assert rows.tolist() == pytest.approx([-(1 - p) ** gamma * math.log(p)] * 2, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certain_and_hopeless_windows_give_finite_gradients(gamma):
    z = torch.tensor([200.0, -200.0], requires_grad=True)
    storm_loss.detection_rows(z, torch.ones(2), gamma).sum().backward()
    assert torch.isfinite(z.grad).all() and float(z.grad[1]) == pytest.approx(-1.0)
