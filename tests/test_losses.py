"""lib.losses: closed forms of weights and loss."""

import math

import pytest
import torch

from lib.files import InputError
from lib.losses import absent_classes, class_weights, multitask_loss


def test_published_counts_give_every_class_the_same_total_weight():
    """Balanced: n_k w_k = 1972 / 4 = 493 for each of the published magnitude classes, mean weight 1."""
    counts = torch.tensor([888, 20, 1036, 28])
    y = torch.repeat_interleave(torch.arange(4), counts)
    weights = class_weights(y, 4)
    assert (weights * counts).tolist() == pytest.approx([493] * 4)
    assert float(weights[y].mean()) == pytest.approx(1.0)
    assert weights.dtype == torch.float32


def test_absent_class_has_weight_zero_and_is_named():
    y = torch.tensor([0, 0, 0, 2])
    assert class_weights(y, 4).tolist() == pytest.approx([2 / 3, 0, 2, 0])
    assert absent_classes(y, 4) == [1, 3]


@pytest.mark.parametrize(("y", "value"), [([], "no window"), ([0, 4], "4"), ([0, -1], "-1"),
                                          ([0.0, float("nan")], "nan")])
def test_labels_that_are_no_class_are_refused(y, value):
    with pytest.raises(InputError, match=value):
        class_weights(torch.tensor(y), 4)


def test_uniform_logits_cost_log_k_whatever_the_weights():
    """L = ln 4 + 0.5 ln 9 for logits that say nothing."""
    logits = {"magnitude": torch.zeros(6, 4), "azimuth": torch.zeros(6, 9)}
    labels = {"magnitude": torch.tensor([0, 1, 2, 3, 0, 0]), "azimuth": torch.arange(6)}
    weights = {"magnitude": torch.tensor([.5, 1, 2, 4]), "azimuth": torch.ones(9)}
    expected = math.log(4) + 0.5 * math.log(9)
    assert float(multitask_loss(logits, labels, weights)) == pytest.approx(expected, rel=1e-6)
    assert float(multitask_loss(logits, labels, weights, 0.0)) == pytest.approx(math.log(4), rel=1e-6)


def test_weighted_mean_by_hand():
    """Two windows with l = ln 2 (weight 1) and ln(1 + e^2) (weight 3): sum(w l) / sum(w)."""
    logits = {"magnitude": torch.tensor([[0.0, 0.0], [2.0, 0.0]])}
    labels = {"magnitude": torch.tensor([0, 1])}
    l0, l1 = math.log(2), math.log(1 + math.exp(2.0))
    loss = multitask_loss(logits, labels, {"magnitude": torch.tensor([1.0, 3.0])})
    assert float(loss) == pytest.approx((l0 + 3 * l1) / 4, rel=1e-6)


def test_gradient_is_probability_minus_truth():
    """Gradient by each logit is w (p - 1[y]) / sum w, from the closed form of cross-entropy."""
    logits = torch.tensor([[1.0, -1.0, 0.5]], requires_grad=True)
    multitask_loss({"magnitude": logits}, {"magnitude": torch.tensor([2])},
                   {"magnitude": torch.tensor([1.0, 2.0, 3.0])}).backward()
    expected = torch.softmax(logits.detach(), 1) - torch.tensor([[0.0, 0.0, 1.0]])
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_batch_of_absent_classes_costs_nothing_instead_of_nan():
    loss = multitask_loss({"azimuth": torch.randn(2, 3)}, {"azimuth": torch.tensor([1, 1])},
                          {"azimuth": torch.tensor([1.0, 0.0, 1.0])})
    assert float(loss) == 0.0


def test_bfloat16_logits_are_scored_in_float32():
    loss = multitask_loss({"magnitude": torch.zeros(2, 4, dtype=torch.bfloat16)},
                          {"magnitude": torch.tensor([0, 1], dtype=torch.int16)},
                          {"magnitude": torch.ones(4)})
    assert loss.dtype == torch.float32 and float(loss) == pytest.approx(math.log(4))
