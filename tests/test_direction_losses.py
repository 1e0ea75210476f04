"""lib.direction_losses: values of validity.md D-losses, masks, gradients."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from lib.direction_losses import (
    KINDS,
    bearing_deg,
    bearing_mask,
    concentration,
    direction_loss,
    unit_vector,
    von_mises_nll,
)
from lib.files import InputError


def _one(kind, delta_deg, kappa=None):
    """Loss of one window that misses by delta, from a bearing of 350 degrees."""
    raw = None if kappa is None else torch.tensor([math.log(math.expm1(kappa - 1e-3))], dtype=torch.float64)
    vector = unit_vector(torch.tensor([350.0 + delta_deg], dtype=torch.float64))
    return float(direction_loss(kind, vector, torch.tensor([350.0]), torch.tensor([True]), raw))


@pytest.mark.parametrize(("kappa", "delta", "value"), [
    (2, 60, 1.661871), (0, 0, 1.837877), (0, 120, 1.837877), (5, 0, 0.142559), (500, 0, -2.188115)])
def test_von_mises_likelihood_has_the_golden_values(kappa, delta, value):
    cosine = torch.tensor(math.cos(math.radians(delta)), dtype=torch.float64)
    found = von_mises_nll(cosine, torch.tensor(kappa, dtype=torch.float64))
    assert float(found) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("kappa", [0.3, 4.0, 60.0])
def test_von_mises_likelihood_is_scipys(kappa):
    delta = np.linspace(-3, 3, 13)
    found = von_mises_nll(torch.tensor(np.cos(delta)), torch.tensor(kappa, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, -scipy.stats.vonmises(kappa).logpdf(delta), rtol=1e-9)


@pytest.mark.parametrize(("kind", "delta", "kappa", "value"), [
    ("sincos", 60, None, 1.0), ("sincos", 180, None, 4.0), ("cosine", 60, None, 0.5),
    ("cosine", -90, None, 1.0), ("von_mises", 60, None, 2.5), ("von_mises", 180, None, 10.0),
    ("vm", 60, 2, 1.661871), ("vm", 0, 5, 0.142559), ("vm", 0, 500, -2.188115),
    ("axial", 30, 2, 1.661871), ("axial", 180, 5, 0.142559), ("axial", 0, 5, 0.142559)])
def test_losses_have_their_closed_form(kind, delta, kappa, value):
    assert _one(kind, delta, kappa) == pytest.approx(value, abs=1e-6)


def test_concentration_is_softplus_with_floor_and_cap():
    raw = torch.tensor([-50.0, 0.0, 499.0, 5000.0], dtype=torch.float64)
    expected = [1e-3, math.log(2) + 1e-3, 499.001, 500.0]
    assert concentration(raw).tolist() == pytest.approx(expected, rel=1e-9)


def test_vectors_and_bearings_are_inverse_and_clockwise_from_north():
    azimuth = torch.tensor([0.0, 45.0, 90.0, 135.0, 180.0, 270.0, 359.0], dtype=torch.float64)
    assert unit_vector(azimuth)[2].tolist() == pytest.approx([1, 0], abs=1e-12)       # (east, north)
    assert torch.allclose(bearing_deg(3 * unit_vector(azimuth)), azimuth, atol=1e-9)
    assert float(bearing_deg(torch.tensor([[-1e-12, 1.0]]))[0]) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_bearing_contribute_nothing(kind):
    """NaN bearings behind the mask change neither the loss nor any gradient; the mean is over the rest."""
    torch.manual_seed(0)
    vector = torch.nn.functional.normalize(torch.randn(5, 2), dim=1).requires_grad_()
    kappa = torch.randn(5, requires_grad=True)
    azimuth = torch.tensor([10.0, math.nan, 200.0, math.nan, 300.0])
    mask = azimuth.isfinite()
    loss = direction_loss(kind, vector, azimuth, mask, kappa)
    alone = direction_loss(kind, vector[mask], azimuth[mask], mask[mask], kappa[mask])
    assert float(loss.detach()) == pytest.approx(float(alone.detach()), rel=1e-6)
    loss.backward()
    assert (vector.grad[~mask] == 0).all() and (vector.grad[mask] != 0).any(1).all()
    if kind in ("vm", "axial"):
        assert (kappa.grad[~mask] == 0).all() and (kappa.grad[mask] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_batch_of_quiet_windows_costs_nothing_and_keeps_a_graph(kind):
    vector, kappa = torch.randn(3, 2, requires_grad=True), torch.zeros(3, requires_grad=True)
    loss = direction_loss(kind, vector, torch.full((3,), math.nan), torch.zeros(3, dtype=torch.bool), kappa)
    assert loss.item() == 0.0 and loss.requires_grad
    loss.backward()
    assert (vector.grad == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind):
    generator = torch.Generator().manual_seed(3)
    vector = torch.randn(4, 2, dtype=torch.float64, generator=generator).requires_grad_()
    kappa = torch.tensor([-2.0, 0.0, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
    azimuth, mask = torch.tensor([5.0, 100.0, 222.0, 340.0]), torch.tensor([True, True, False, True])

    def loss(v, k):
        return direction_loss(kind, torch.nn.functional.normalize(v, dim=1), azimuth, mask, k)

    assert torch.autograd.gradcheck(loss, (vector, kappa))


def test_without_information_the_likelihood_is_best_at_no_concentration():
    """Uniform truth, one answer: kappa falls towards its floor and the loss to ln 2 pi."""
    azimuth, mask = torch.arange(0.0, 360, 10), torch.ones(36, dtype=torch.bool)
    vector = unit_vector(torch.full((36,), 77.0))
    losses = [float(direction_loss("vm", vector, azimuth, mask, torch.full((36,), raw)))
              for raw in (-9.0, 0.0, 2.0, 4.0)]
    assert losses == sorted(losses) and losses[0] == pytest.approx(math.log(2 * math.pi), abs=1e-5)


def test_bfloat16_vectors_are_scored_in_float32():
    loss = direction_loss("vm", torch.tensor([[0.0, 1.0]]).bfloat16(), torch.tensor([0.0]),
                          torch.tensor([True]), torch.tensor([1.0]).bfloat16())
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(("options", "expected"), [
    ({"kind": "vonmises"}, "von_mises"), ({"kind": "vm"}, "kappa=True"),
    ({"azimuth_deg": torch.zeros(2)}, "shapes"), ({"mask": torch.ones(3)}, "bool"),
    ({"kind": "axial", "raw_kappa": torch.zeros(3, 1)}, "shapes")])
def test_what_cannot_be_scored_is_refused(options, expected):
    given = {"kind": "sincos", "vector": torch.ones(3, 2), "azimuth_deg": torch.zeros(3),
             "mask": torch.ones(3, dtype=torch.bool), **options}
    with pytest.raises(InputError, match=expected):
        direction_loss(**given)


def test_an_event_without_a_bearing_is_named():
    assert bearing_mask([True, False], [20.0, np.nan]).tolist() == [True, False]
    with pytest.raises(InputError, match="row 2, azimuth_deg"):
        bearing_mask([True, False, True], [20.0, np.nan, np.nan])
    with pytest.raises(InputError, match="shapes"):
        bearing_mask([True], [20.0, 30.0])
