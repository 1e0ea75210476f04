"""lib.small_images: the seven networks of seed 003 at 32 x 32 x 6."""

import pytest
import torch

from lib import small_images
from lib.files import InputError
from lib.small_images import NETWORKS


def _count(module):
    return sum(p.numel() for p in module.parameters())


def _light(name, seed=0, **options):
    torch.manual_seed(seed)
    return small_images.build(name, light=True, **options)


# torchvision's and Google's counts without the classifier, for three channels
FEATURES = {"efficientnetv2": 20_177_488, "mobilenetv3": 4_202_032, "vgg16": 14_714_688,
            "densenet121": 6_953_856, "resnet50": 23_508_032, "convnext": 27_820_128,
            "resnetrs50": 33_642_912}
WIDTHS = {"efficientnetv2": 1280, "mobilenetv3": 1280, "vgg16": 512, "densenet121": 1024, "resnet50": 2048,
          "convnext": 768, "resnetrs50": 2048}
FIRST = {"efficientnetv2": 24 * 9, "mobilenetv3": 16 * 9, "vgg16": 64 * 9, "densenet121": 64 * 49,
         "resnet50": 64 * 49, "convnext": 96 * 16, "resnetrs50": 32 * 9}        # weights a further channel


@pytest.mark.parametrize("name", NETWORKS)
def test_full_networks_have_the_known_counts_maps_and_one_logit(name):
    """Known features, three more input channels, one output; maps of 1 x 1, EfficientNetV2's 4 x 4."""
    with torch.device("meta"):
        network, maps = small_images.build(name).eval(), []
        last = network.backbone.forward_features
        network.backbone.forward_features = lambda x: maps.append(last(x)) or maps[0]
        assert network(torch.zeros(2, 6, 32, 32))["event"].shape == (2, 1)
    assert _count(network) == FEATURES[name] + 3 * FIRST[name] + WIDTHS[name] + 1
    side = 4 if name == "efficientnetv2" else 1
    assert maps[0].shape[2:] == (side, side)
    assert network.heads["event"][0].p == 0.5


@pytest.mark.slow
def test_without_the_two_changes_efficientnetv2_would_see_one_pixel_too():
    """Stride 1 in stem and first strided block: 16 times as many pixels; the stages' strides say so."""
    import timm
    with torch.device("meta"):
        plain = timm.create_model("tf_efficientnetv2_s", num_classes=0, in_chans=6).eval()
        assert plain.forward_features(torch.zeros(1, 6, 32, 32)).shape[2:] == (1, 1)
        network = small_images.build("efficientnetv2").eval().backbone
        sizes = []
        for stage in network.feature_info:
            module = network.get_submodule(stage["module"])
            module.register_forward_hook(lambda m, i, o: sizes.append(o.shape[-1]))
        network(torch.zeros(1, 6, 32, 32))
    assert sizes == [32 // stage["reduction"] for stage in network.feature_info] == [32, 32, 16, 8, 4]
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (network, plain)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_light_networks_are_small_keep_the_maps_and_every_weight_learns(name):
    network = _light(name)
    out = network(torch.randn(8, 6, 32, 32))
    assert list(out) == ["event"] and out["event"].shape == (8, 1)
    assert _count(network) < 200_000
    side = 4 if name == "efficientnetv2" else 1
    assert small_images.feature_map(name, light=True)[1:] == (side, side)
    torch.nn.functional.binary_cross_entropy_with_logits(out["event"][:, 0], torch.arange(8) % 2.0).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("name", [
    name if name == "convnext" else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS])
def test_light_networks_learn_a_planted_anomaly(name):
    """A bright patch in the polarity channel of every second image: separated after 25 steps."""
    torch.manual_seed(1)
    network, y = _light(name, 1, dropout=0.0), torch.arange(32) % 2.0
    x = 0.3 * torch.randn(32, 6, 32, 32)
    x[y == 1, 4, 10:20, 5:15] += 1
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(25):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(network(x)["event"][:, 0], y).backward()
        optimizer.step()
    assert ((network(x)["event"][:, 0] > 0) == (y == 1)).float().mean() >= 0.9


def test_equal_seeds_give_equal_weights():
    first, again, other = (_light("efficientnetv2", s) for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.heads["event"][1].weight, other.heads["event"][1].weight)


@pytest.mark.parametrize(("options", "expected"), [
    ({"name": "resnet5"}, "resnet50"), ({"name": "vgg16", "weights": "imagnet"}, "imagenet"),
    ({"name": "vgg16", "weights": "imagenet", "light": True}, "without light")])
def test_what_cannot_be_built_is_refused(options, expected):
    with pytest.raises(InputError, match=expected):
        small_images.build(**options)


def test_images_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"\(windows, 6, days, hours\)"):
        _light("convnext")(torch.zeros(1, 3, 32, 32))


def test_imagenet_without_the_hub_is_an_error_never_random_weights(monkeypatch, tmp_path):
    import huggingface_hub.constants as hub
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"ImageNet weights of mobilenetv3.*cannot be reached"):
        small_images.build("mobilenetv3", weights="imagenet")


def test_imagenet_weights_have_known_names():
    """Every tag is one that timm lists, so that only the connection can be missing."""
    import timm
    assert set(NETWORKS.values()) <= set(timm.list_pretrained())
