"""lib.losses: closed forms of weights and loss."""

import math

import pytest
import torch

from lib.files import InputError
from lib.losses import absent_classes, class_loss, class_weights


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
    """Logits that say nothing cost ln 4."""
    y, weight = torch.tensor([0, 1, 2, 3, 0, 0]), torch.tensor([.5, 1, 2, 4])
    assert float(class_loss(torch.zeros(6, 4), y, weight)) == pytest.approx(math.log(4), rel=1e-6)
    assert float(class_loss(torch.zeros(6, 4), y)) == pytest.approx(math.log(4), rel=1e-6)


def test_windows_without_an_answer_neither_cost_nor_teach():
    """Class -1 changes neither value nor gradient of the others, and gets none itself."""
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    y, weight = torch.tensor([0, -1, 2, -1, 1]), torch.tensor([1.0, 2.0, 3.0])
    value = class_loss(logits, y, weight)
    assert value.item() == pytest.approx(class_loss(logits[y >= 0], y[y >= 0], weight).item())
    value.backward()
    assert (logits.grad[y < 0] == 0).all() and (logits.grad[y >= 0] != 0).all()
    assert float(class_loss(logits.detach(), torch.full((5,), -1), weight)) == 0.0


def test_weighted_mean_by_hand():
    """Two windows with l = ln 2 (weight 1) and ln(1 + e^2) (weight 3): sum(w l) / sum(w)."""
    logits, labels = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    l0, l1 = math.log(2), math.log(1 + math.exp(2.0))
    loss = class_loss(logits, labels, torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx((l0 + 3 * l1) / 4, rel=1e-6)


def test_gradient_is_probability_minus_truth():
    """Gradient by each logit is w (p - 1[y]) / sum w, from the closed form of cross-entropy."""
    logits = torch.tensor([[1.0, -1.0, 0.5]], requires_grad=True)
    class_loss(logits, torch.tensor([2]), torch.tensor([1.0, 2.0, 3.0])).backward()
    expected = torch.softmax(logits.detach(), 1) - torch.tensor([[0.0, 0.0, 1.0]])
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_batch_of_absent_classes_costs_nothing_instead_of_nan():
    loss = class_loss(torch.randn(2, 3), torch.tensor([1, 1]), torch.tensor([1.0, 0.0, 1.0]))
    assert float(loss) == 0.0


def test_bfloat16_logits_are_scored_in_float32():
    loss = class_loss(torch.zeros(2, 4, dtype=torch.bfloat16), torch.tensor([0, 1], dtype=torch.int16),
                      torch.ones(4))
    assert loss.dtype == torch.float32 and float(loss) == pytest.approx(math.log(4))
