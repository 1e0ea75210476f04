"""lib.model: published parameter counts, light variants, weights files."""

import json

import pytest
import safetensors.torch
import torch

from lib import model
from lib.files import InputError
from lib.studies import NetworkSpec

LIGHT = NetworkSpec(light=True, hidden=16)


def _count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture
def meta():
    """Build without memory: counting parameters needs shapes only."""
    with torch.device("meta"):
        yield


def _small(seed=0, spec=LIGHT, **options):
    torch.manual_seed(seed)
    return model.build(spec, **options)


@pytest.mark.parametrize(("backbone", "total"), [
    ("convnext", 28_615_789), ("convnext_small", 50_250_349), ("convnext_base", 88_624_781)])
def test_convnext_has_the_published_parameter_counts(meta, backbone, total):
    """Golden numbers of systems.md 1.5 with the published heads."""
    assert _count(model.build(NetworkSpec(backbone=backbone))) == total


def test_convnext_tiny_splits_into_the_published_pieces(meta):
    """Backbone 27 818 592, magnitude head 397 316, azimuth head 399 881, stem and stages as listed."""
    network = model.build(NetworkSpec())
    assert _count(network.backbone) == 27_818_592
    assert _count(network.heads["magnitude"]) == 397_316
    assert _count(network.heads["azimuth"]) == 399_881
    assert _count(network.backbone.stem) == 4_896
    stages = network.backbone.stages
    assert [_count(s.blocks) for s in stages] == [237_888, 918_144, 10_817_280, 14_289_408]
    assert [_count(s.downsample) for s in stages] == [0, 74_112, 295_680, 1_181_184]
    dropouts = [m.p for m in network.heads["azimuth"] if isinstance(m, torch.nn.Dropout)]
    assert dropouts == [0.5, 0.25]


@pytest.mark.parametrize(("backbone", "features", "width"), [
    ("efficientnet", 4_007_548, 1280), ("vgg16", 14_714_688, 512)])
def test_other_backbones_carry_the_same_heads(meta, backbone, features, width):
    """The published networks without their classifiers, plus two heads counted by hand."""
    network = model.build(NetworkSpec(backbone=backbone))
    heads = sum(2 * width + width * 512 + 512 + 512 * k + k for k in (4, 9))
    assert _count(network.backbone) == features and _count(network) == features + heads
    full = {"efficientnet": 5_288_548, "vgg16": 138_357_544}[backbone]      # R2: 5.3 M and 138 M
    import timm
    assert _count(timm.create_model(model.BACKBONES[backbone])) == full


@pytest.mark.parametrize(("backbone", "channels", "size"), [
    ("convnext", 3, 64), ("convnext", 7, 32), ("efficientnet", 3, 64), ("efficientnet", 7, 32),
    ("vgg16", 3, 64), ("vgg16", 7, 32)])
def test_light_variants_are_small_and_every_weight_learns(backbone, channels, size):
    """Logits of both heads, fewer than 200 000 weights, and no weight without a gradient."""
    network = _small(spec=NetworkSpec(backbone=backbone, light=True, hidden=64), channels=channels)
    logits = network(torch.randn(4, channels, size, size))
    assert {t: tuple(z.shape) for t, z in logits.items()} == {"magnitude": (4, 4), "azimuth": (4, 9)}
    assert _count(network) < 200_000
    sum(z.square().sum() for z in logits.values()).backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


def test_any_timm_name_works_and_targets_decide_the_heads():
    network = _small(spec=NetworkSpec(backbone="test_resnet", hidden=8), channels=2, classes={"alarm": 2})
    assert {t: tuple(z.shape) for t, z in network(torch.zeros(1, 2, 64, 64)).items()} == {"alarm": (1, 2)}


def test_equal_seeds_give_equal_weights():
    first, again, other = _small(1), _small(1), _small(2)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.heads["magnitude"][2].weight, other.heads["magnitude"][2].weight)


@pytest.mark.parametrize(("spec", "expected"), [
    (NetworkSpec(backbone="convnext_tinny"), "convnext_tiny"),
    (NetworkSpec(backbone="vgg61"), "vgg16"),
    (NetworkSpec(backbone="resnet18", light=True), "light=False"),
    (NetworkSpec(light=True, weights="imagenet"), "None for a light variant"),
    (NetworkSpec(light=True, weights="nowhere.safetensors"), "nowhere.safetensors")])
def test_what_cannot_be_built_is_refused_with_the_remedy(spec, expected):
    with pytest.raises(InputError, match=expected):
        model.build(spec)


def test_imagenet_without_the_hub_is_an_error_never_random_weights(monkeypatch, tmp_path):
    """Offline with an empty cache: one error that says how to pass a file."""
    import huggingface_hub.constants as hub
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"convnext_tiny\.fb_in1k.*cannot be reached.*safetensors"):
        model.build(NetworkSpec(weights="imagenet"))


@pytest.mark.parametrize("backbone", ["convnext", "efficientnet", "vgg16"])
def test_weights_come_back_bit_for_bit_with_their_card(tmp_path, backbone):
    """Same logits, same card; the file is the same bytes when written again."""
    network = _small(3, NetworkSpec(backbone=backbone, light=True, hidden=16), channels=7).eval()
    path = tmp_path / "fold.safetensors"
    model.save_weights(network, path, {"fold": 3, "mcc": 0.25})
    first = path.read_bytes()
    state = torch.random.get_rng_state()
    loaded, card = model.load_weights(path)
    assert torch.equal(state, torch.random.get_rng_state())
    x = torch.randn(2, 7, 64, 64)
    assert all(torch.equal(z, network(x)[t]) for t, z in loaded(x).items()) and not loaded.training
    assert card["fold"] == 3 and card["classes"] == {"magnitude": 4, "azimuth": 9}
    model.save_weights(loaded.to(memory_format=torch.channels_last), path, {"fold": 3, "mcc": 0.25})
    assert path.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fold.json", "fold.safetensors"]


def _saved(tmp_path):
    path = tmp_path / "net.safetensors"
    model.save_weights(_small(), path, {})
    return path


def test_damaged_files_name_file_and_first_wrong_tensor(tmp_path):
    """A flipped bit, a missing, foreign, reshaped or NaN tensor, a truncated file, a lost or torn card."""
    path = _saved(tmp_path)
    good, card = path.read_bytes(), path.with_suffix(".json").read_text()
    state = safetensors.torch.load_file(path)
    name = "heads.azimuth.5.bias"
    changed = {
        "flipped": {**state, name: -state[name]},
        "missing": {k: v for k, v in state.items() if k != name},
        "reshaped": {**state, name: state[name][:4].clone()},
        "nan": {**state, name: torch.full_like(state[name], float("nan"))},
    }
    for case in changed.values():
        safetensors.torch.save_file(case, path)
        with pytest.raises(InputError, match=rf"net\.safetensors, tensor {name}"):
            model.load_weights(path)
    safetensors.torch.save_file({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="tensor extra"):
        model.load_weights(path)
    for content in (good[:-9], good[:4], b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"net\.safetensors, reading"):
            model.load_weights(path)
    path.write_bytes(good)
    for text in ("{", "[]", json.dumps({k: v for k, v in json.loads(card).items() if k != "sha256"}), None):
        path.with_suffix(".json").write_text(text) if text else path.with_suffix(".json").unlink()
        with pytest.raises(InputError, match=r"net\.json"):
            model.load_weights(path)


def test_start_from_a_file_takes_a_whole_network_or_a_timm_backbone(tmp_path):
    """A timm file's classifier is dropped; anything else must fit exactly."""
    path, source = _saved(tmp_path), _small()
    spec = NetworkSpec(light=True, hidden=16, weights=str(path))
    started = _small(5, spec)
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), started.parameters(), strict=True))
    timm_state = {**source.backbone.state_dict(), "head.norm.weight": torch.ones(64),
                  "head.fc.weight": torch.zeros(1000, 64)}
    safetensors.torch.save_file(timm_state, path)
    started = _small(5, spec)
    assert torch.equal(started.backbone.stem[0].weight, source.backbone.stem[0].weight)
    assert not torch.equal(started.heads["azimuth"][2].weight, source.heads["azimuth"][2].weight)
    with pytest.raises(InputError, match=r"tensor stem\.0\.weight"):
        _small(5, spec, channels=7)


@pytest.mark.parametrize(("spec", "size", "sides"), [
    (NetworkSpec(light=True), 64, 8), (NetworkSpec(light=True), 32, 8),
    (NetworkSpec(backbone="efficientnet", light=True), 64, 8),
    (NetworkSpec(backbone="vgg16", light=True), 64, 8), (NetworkSpec(), 224, 7),
    (NetworkSpec(backbone="efficientnet"), 224, 7), (NetworkSpec(backbone="vgg16"), 224, 14)])
def test_target_layer_gives_a_map_of_at_least_seven_pixels(spec, size, sides):
    """The deepest stage that still resolves the image, for every backbone."""
    with torch.device("meta"):
        network = model.build(spec).eval()
        seen = []
        model.target_layer(network, (size, size)).register_forward_hook(lambda m, i, o: seen.append(o.shape))
        network(torch.zeros(1, 3, size, size))
    assert tuple(seen[0][-2:]) == (sides, sides)


@pytest.mark.parametrize("backbone", ["swin_tiny_patch4_window7_224", "convnext"])
def test_backbone_without_channel_maps_has_no_target_layer(meta, backbone):
    """Maps with channels last, and a backbone that lists no stages."""
    network = model.build(NetworkSpec(backbone=backbone))
    if backbone == "convnext":
        network.backbone.feature_info = []
    with pytest.raises(InputError, match="convolutional"):
        model.target_layer(network, (224, 224))
