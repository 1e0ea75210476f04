"""lib.crnn: counts and shapes of seed 002's network, its direction head, the light variant."""

import pytest
import torch

from lib import crnn
from lib.files import InputError


def _count(module):
    return sum(p.numel() for p in module.parameters())


def _light(seed=0, **options):
    torch.manual_seed(seed)
    return crnn.build(light=True, **options)


def test_parameter_counts_are_those_of_the_public_code():
    """7 614 055 in all: features 6 513 184, GRU 1 082 880, heads 514 + 771 + 16 706 by hand."""
    with torch.device("meta"):
        network = crnn.build()
    assert _count(network) == 7_614_055
    assert _count(network.backbone) == 6_513_184
    assert _count(network.gru) == 1_082_880 == 2 * 3 * 128 * (1280 + 128 + 2)
    assert [_count(network.heads[t]) for t in ("event", "event_magnitude")] == [514, 771]
    assert _count(network.direction) + _count(network.vector) == 256 * 64 + 64 + 128 + 64 * 2 + 2
    assert [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)] == [0.3, 0.3]


@pytest.mark.slow
def test_a_day_becomes_45_steps_of_1280_features_and_three_answers():
    """3 x 128 x 1440 -> 1280 x 4 x 45 -> 45 steps -> 256 -> (2, 3, 2)."""
    with torch.device("meta"):
        network, x = crnn.build(kappa=True).eval(), torch.zeros(2, 3, 128, 1440)
        assert network.backbone.forward_features(x).shape == (2, 1280, 4, 45)
        steps = network.steps(x)
        assert steps.shape == (2, 45, 1280) and network.encode(x).shape == (2, 256)
        out = network(x)
    assert {t: tuple(z.shape) for t, z in out.items()} == {
        "event": (2, 2), "event_magnitude": (2, 3), "direction": (2, 2), "kappa": (2,)}
    assert _count(network) == 7_614_055 + 65


def test_state_is_the_last_step_forwards_beside_the_first_step_backwards():
    """What S2's code reads: each direction after it has seen the whole day."""
    network, x = _light().eval(), torch.randn(3, 3, 32, 96)
    sequence = network.gru(network.steps(x))[0]
    expected = torch.cat([sequence[:, -1, :32], sequence[:, 0, 32:]], 1)
    assert torch.allclose(network.encode(x), expected, atol=1e-6)


def test_steps_average_over_scale_only():
    network, x = _light().eval(), torch.randn(2, 3, 32, 96)
    maps = network.backbone.forward_features(x)
    assert maps.shape == (2, 64, 4, 12)
    by_hand = torch.stack([maps[:, :, :, t].sum(2) / 4 for t in range(12)], 1)
    assert torch.allclose(network.steps(x), by_hand, atol=1e-6)


@pytest.mark.parametrize("kappa", [False, True])
def test_light_network_is_small_gives_unit_vectors_and_every_weight_learns(kappa):
    network = _light(kappa=kappa)
    out = network(torch.randn(4, 3, 32, 96))
    assert list(out) == ["event", "event_magnitude", "direction"] + ["kappa"] * kappa
    assert torch.allclose(out["direction"].norm(dim=1), torch.ones(4))
    assert _count(network) < 60_000
    rest = [z.square().sum() for target, z in out.items() if target != "direction"]
    (sum(rest) + out["direction"][:, 0].sum()).backward()      # its length is 1, whatever the weights
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.slow
def test_light_network_learns_a_planted_direction():
    """A bright band in one component points east, in another north: both are found after 20 steps."""
    torch.manual_seed(1)
    network, label = _light(1, dropout=0.0), torch.arange(16) % 2
    x = 0.3 * torch.randn(16, 3, 32, 96)
    x[label == 0, 0, 8:12] += 1
    x[label == 1, 1, 8:12] += 1
    truth = torch.eye(2)[label]
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(20):
        optimizer.zero_grad()
        (truth - network(x)["direction"]).square().sum(1).mean().backward()
        optimizer.step()
    assert (truth * network(x)["direction"]).sum(1).min() > 0.7       # within 45 degrees, every one


def test_equal_seeds_give_equal_weights():
    first, again, other = _light(1), _light(1), _light(2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.vector.weight, other.vector.weight)


@pytest.mark.parametrize("shape", [(2, 1, 32, 96), (3, 32, 96)])
def test_input_of_another_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"\(windows, 3, scales, times\)"):
        _light()(torch.zeros(shape))


def test_imagenet_is_refused_for_light_and_without_the_hub(monkeypatch, tmp_path):
    """Offline with an empty cache: one error, never random weights."""
    import huggingface_hub.constants as hub
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"efficientnet_b1\.ft_in1k.*cannot be reached.*weights = None"):
        crnn.build(weights="imagenet")
    for options in ({"light": True, "weights": "imagenet"}, {"weights": "imagnet"}):
        with pytest.raises(InputError, match="without light"):
            crnn.build(**options)
