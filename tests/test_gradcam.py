"""lib.gradcam: analytic maps, energy shares, randomisation."""

import numpy as np
import pytest
import torch
from torch import nn

from lib import gradcam, model
from lib.files import InputError
from lib.studies import NetworkSpec

FREQUENCY = np.linspace(0, 0.1, 11)
TIME = np.arange(12) * 1800.0


class Linear(nn.Module):
    """Convolution, global average pooling, dense layer: the net whose Grad-CAM is known."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.dense = nn.Linear(4, 2)

    def forward(self, x):
        """Logits of one head."""
        return {"magnitude": self.dense(self.conv(x).mean((2, 3)))}


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return Linear()


def test_map_of_a_linear_network_equals_its_weights(linear):
    """The logit's gradient by map k is w_k / (F T), so the map is ReLU(sum_k w_k A_k) up to scale."""
    x = torch.randn(5, 3, 6, 9)
    maps = gradcam.class_maps(linear, x, "magnitude", class_index=1, layer=linear.conv, batch_size=2)
    weight = (linear.dense.weight[1] @ linear.conv.weight[:, :, 0, 0]).detach()       # one per input channel
    expected = torch.relu(torch.einsum("c,ncft->nft", weight, x))
    expected /= expected.amax((1, 2), keepdim=True)
    assert maps.dtype == np.float32
    assert np.allclose(maps, expected.numpy(), atol=1e-5)


def test_default_class_is_the_predicted_one_and_classes_may_differ_by_image(linear):
    x = torch.randn(6, 3, 4, 4)
    predicted = linear(x)["magnitude"].argmax(1).numpy()
    own = gradcam.class_maps(linear, x, "magnitude", layer=linear.conv)
    assert np.array_equal(own, gradcam.class_maps(linear, x, "magnitude", predicted, linear.conv))
    other = gradcam.class_maps(linear, x, "magnitude", 1 - predicted, linear.conv)
    assert not np.allclose(own, other)


def test_frozen_weights_and_training_mode_are_left_as_they_were(linear):
    x = torch.randn(2, 3, 4, 4)
    free = gradcam.class_maps(linear, x, "magnitude", 0, linear.conv)
    linear.requires_grad_(False).train()
    frozen = gradcam.class_maps(linear, x, "magnitude", 0, linear.conv)
    assert np.array_equal(free, frozen)
    assert linear.training and not any(len(m._forward_hooks) for m in linear.modules())
    assert all(p.grad is None for p in linear.parameters())


@pytest.mark.parametrize("backbone", ["convnext", "efficientnet", "vgg16"])
@pytest.mark.parametrize("target", ["magnitude", "azimuth"])
def test_every_backbone_and_head_gives_maps_on_the_input_grid(backbone, target):
    """In [0, 1] with maximum 1 (or all 0), not constant, and different for another class."""
    torch.manual_seed(1)
    network = model.build(NetworkSpec(backbone=backbone, light=True, hidden=16)).eval()
    x = torch.randn(3, 3, 64, 48)
    maps = [gradcam.class_maps(network, x, target, k) for k in (0, 2)]
    assert maps[0].shape == (3, 64, 48) and min(m.min() for m in maps) >= 0
    for one in (*maps[0], *maps[1]):
        assert one.max() in (0.0, 1.0)
    assert not np.allclose(*maps)


def test_wrong_head_layer_and_shape_are_refused():
    torch.manual_seed(1)
    network = model.build(NetworkSpec(light=True, hidden=16))
    x = torch.zeros(1, 3, 64, 64)
    with pytest.raises(InputError, match="magnitude, azimuth"):
        gradcam.class_maps(network, x, "depth")
    with pytest.raises(InputError, match="feature map"):
        gradcam.class_maps(network, x, "azimuth", layer=network.heads["azimuth"][2])
    transformer = model.build(NetworkSpec(backbone="test_vit", hidden=16))
    with pytest.raises(InputError, match="feature map"):
        gradcam.class_maps(transformer, torch.zeros(1, 3, 160, 160), "azimuth")
    with pytest.raises(InputError, match="images"):
        gradcam.class_maps(network, x[:0], "azimuth")


def test_uniform_map_has_the_area_share():
    """A map that knows nothing scores its area: 3 of 11 rows, 5 of 12 columns."""
    share, area = gradcam.band_energy_share(np.ones((2, 11, 12)), FREQUENCY, TIME, (0.015, 0.045), (1, 3))
    assert area == pytest.approx(3 / 11 * 5 / 12)
    assert share == pytest.approx([area, area])


def test_energy_inside_and_outside_the_band():
    """All inside 1, all outside 0, a quarter inside .25, an empty map NaN."""
    maps = np.zeros((4, 11, 12))
    maps[0, 2:5] = 3.0
    maps[1, 6:] = 2.0
    maps[2, 3], maps[2, 8] = 1.0, 3.0
    share, area = gradcam.band_energy_share(maps, FREQUENCY, TIME, (0.015, 0.045))
    assert share[:3] == pytest.approx([1, 0, 0.25]) and np.isnan(share[3])
    assert area == pytest.approx(3 / 11)


def test_band_off_the_axis_and_wrong_axes_are_refused():
    with pytest.raises(InputError, match=r"0 to 0\.1 Hz, 0 to 5\.5 h"):
        gradcam.band_energy_share(np.ones((1, 11, 12)), FREQUENCY, TIME, (0.2, 0.3))
    with pytest.raises(InputError, match=r"\(N, 11, 12\)"):
        gradcam.band_energy_share(np.ones((1, 12, 11)), FREQUENCY, TIME, (0.01, 0.03))


def test_randomised_copy_has_new_weights_and_leaves_the_model_alone():
    """Adebayo's test: every weight matrix differs, the seed decides, the original stays."""
    torch.manual_seed(1)
    network = model.build(NetworkSpec(light=True, hidden=16)).eval()
    before = [p.clone() for p in network.parameters()]
    first, again = gradcam.randomised(network, 7), gradcam.randomised(network, 7)
    for (name, old), new, same in zip(network.named_parameters(), first.parameters(),
                                      again.parameters(), strict=True):
        assert torch.equal(new, same)
        assert old.ndim < 2 or not torch.allclose(old, new), name
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert not first.training


def test_similarity_is_spearman():
    """Independent: scipy.stats.spearmanr map by map, with ties; a constant map has none."""
    from scipy.stats import spearmanr
    rng = np.random.default_rng(0)
    a, b = np.round(rng.random((3, 5, 6)), 1), rng.random((3, 5, 6))
    expected = [spearmanr(u.ravel(), v.ravel()).statistic for u, v in zip(a, b, strict=True)]
    assert gradcam.map_similarity(a, b) == pytest.approx(expected)
    assert np.isnan(gradcam.map_similarity(np.zeros((1, 2, 2)), b[:1, :2, :2])).all()
    with pytest.raises(InputError, match="equal shapes"):
        gradcam.map_similarity(a, b[:1])
