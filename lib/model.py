"""The networks: a timm backbone and one published head per target, and their files (layer 4)."""

import dataclasses
import difflib
import hashlib
import json
from pathlib import Path

import safetensors.torch
import timm
import torch
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet, decode_arch_def
from timm.models.vgg import VGG
from torch import nn

from lib.files import InputError, atomic_path, content_hash, write_json
from lib.studies import N_CLASSES, NetworkSpec

BACKBONES = {                                    # our names -> timm's; any other timm name works as well
    "convnext": "convnext_tiny",
    "convnext_small": "convnext_small",
    "convnext_base": "convnext_base",
    "efficientnet": "efficientnet_b0",
    "vgg16": "vgg16",
}
_IMAGENET_1K = {                                 # timm's default weights for ConvNeXt saw ImageNet-12k first
    "convnext_tiny": "fb_in1k", "convnext_small": "fb_in1k", "convnext_base": "fb_in1k",
    "efficientnet_b0": "ra_in1k", "vgg16": "tv_in1k",
}
_CLASSIFIER = ("head.", "classifier.", "pre_logits.")   # parts of a timm file that our heads replace
_SMALLEST_MAP = 7                                # pixels a side: ConvNeXt and VGG16 at 224 / 32


class MultiTask(nn.Module):
    """Backbone (N, C, F, T) -> (N, width) with global average pooling, and one head per target."""

    def __init__(self, backbone: nn.Module, width: int, spec: NetworkSpec, channels: int,
                 classes: dict[str, int]):
        super().__init__()
        self.spec, self.channels, self.classes = spec, channels, dict(classes)
        self.backbone = backbone
        self.heads = nn.ModuleDict({target: _head(width, spec, k) for target, k in classes.items()})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits of every target: (N, C, F, T) -> {target: (N, K)}."""
        features = self.backbone(x)
        return {target: head(features) for target, head in self.heads.items()}


def build(spec: NetworkSpec, channels: int = 3, classes: dict[str, int] = N_CLASSES) -> MultiTask:
    """Build a network; its random numbers are torch's, so that `torch.manual_seed` before it decides.

    Parameters
    ----------
    spec : NetworkSpec
        `backbone` is a key of `BACKBONES` or a timm name; `light` takes a variant of `convnext`,
        `efficientnet` or `vgg16` that trains on two cores; `weights` is None, "imagenet" or the path of
        a safetensors file with a backbone or a whole network.
    channels : int
        Image channels: 3, or 7 with phase.
    classes : dict
        Target -> number of classes.

    Returns
    -------
    MultiTask

    Raises
    ------
    InputError
        For an unknown backbone, a light variant that does not exist, ImageNet weights that cannot be
        fetched, and a weights file that does not fit. Nothing falls back to random weights.

    Notes
    -----
    Heads: LayerNorm - Dropout p - Linear `hidden` - GELU - Dropout p/2 - Linear K on globally averaged
    features. ConvNeXt's own final norm is left out (R1), so Tiny has 27 818 592 + 397 316 + 399 881
    parameters. VGG16 keeps its 14.7 M convolutions and gets the same heads on 512 averaged features; the
    138 M that R2 quotes are those of the full classifier with its two 4096-wide layers.

    When not to use
    ---------------
    A transformer of fixed image size needs `stft.size` to match it, and has no map for `target_layer`.

    References
    ----------
    systems.md §1.5; R1 `src/model.py`; timm.

    Examples
    --------
    >>> net = build(NetworkSpec(light=True, hidden=64))
    >>> {target: tuple(z.shape) for target, z in net(torch.zeros(2, 3, 64, 64)).items()}
    {'magnitude': (2, 4), 'azimuth': (2, 9)}
    """
    name = BACKBONES.get(spec.backbone, spec.backbone)
    _require_known(name, spec.backbone)
    if spec.light:
        backbone = _light(name, channels, spec)
    elif spec.weights == "imagenet":
        backbone = _imagenet(name, channels)
    else:
        backbone = timm.create_model(name, num_classes=0, in_chans=channels)
    network = MultiTask(*_pooled(backbone), spec, channels, classes)
    if spec.weights not in (None, "imagenet"):
        _load_start(network, Path(spec.weights))
    return network


def target_layer(model: MultiTask, size: tuple[int, int]) -> nn.Module:
    """Layer whose feature map Grad-CAM reads: the deepest stage with at least 7 x 7 pixels.

    At 224 that is the last stage (stride 32; VGG16's last convolution, stride 16), at 64 the stage of
    stride 8: the last one would be a 2 x 2 map, too coarse to tell a band from its surroundings. A
    shallower layer shows finer but less class-specific evidence.

    Parameters
    ----------
    model : MultiTask
    size : tuple of int
        (F, T) of the input image.

    Raises
    ------
    InputError
        If the backbone has no convolutional feature maps.
    """
    stages = [(stage["reduction"], model.backbone.get_submodule(stage["module"]))
              for stage in getattr(model.backbone, "feature_info", None) or []]
    stages = [stage for stage in stages if not isinstance(stage[1], nn.MaxPool2d)]
    if not stages or getattr(model.backbone, "output_fmt", "NCHW") != "NCHW":
        raise InputError("model.target_layer", "network.backbone", model.spec.backbone,
                         "a convolutional backbone: " + ", ".join(BACKBONES))
    deep = [layer for stride, layer in stages if min(size) // stride >= _SMALLEST_MAP]
    return deep[-1] if deep else stages[0][1]


def save_weights(model: MultiTask, path: str | Path, card: dict) -> None:
    """Write weights as safetensors and a JSON card beside them, each whole or not at all.

    Parameters
    ----------
    model : MultiTask
    path : path
        Ends in .safetensors; the card is the same name with .json.
    card : dict
        Study, scores, anything with a JSON form. Network, channels, classes and checksums are added.

    Raises
    ------
    InputError
        If the folder cannot be written or has no space left.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        try:
            safetensors.torch.save_file(state, temporary)
        except safetensors.SafetensorError as error:      # its own kind for a full disk
            raise InputError(path, "writing", str(error), "a folder with space left") from error
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    write_json(_card_path(path), {
        **card, "network": model.spec, "channels": model.channels, "classes": model.classes,
        "sha256": digest, "tensors": {name: content_hash(t.numpy()) for name, t in state.items()}})


def load_weights(path: str | Path) -> tuple[MultiTask, dict]:
    """Read a network that `save_weights` wrote.

    Parameters
    ----------
    path : path
        The safetensors file; its card must be beside it.

    Returns
    -------
    model : MultiTask
        In evaluation mode.
    card : dict

    Raises
    ------
    InputError
        If file or card is missing, damaged or of another network; names the first wrong tensor.
    """
    path, card = Path(path), _read_card(path)
    spec = NetworkSpec(**{**card["network"], "weights": None})
    with torch.random.fork_rng(devices=[]):      # the random weights below are overwritten
        network = build(spec, card["channels"], card["classes"])
    state = _read_state(path)
    _load_exactly(network, state, path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
        changed = [n for n in sorted(state) if content_hash(state[n].numpy()) != card["tensors"].get(n)]
        raise InputError(path, f"tensor {changed[0]}" if changed else "file", "values that changed",
                         f"the file that {_card_path(path).name} describes; copy both again")
    return network.eval(), card


def _head(width, spec, k):
    """R1's head: 397 316 parameters for width 768, hidden 512, K = 4."""
    return nn.Sequential(nn.LayerNorm(width), nn.Dropout(spec.dropout), nn.Linear(width, spec.hidden),
                         nn.GELU(), nn.Dropout(spec.dropout / 2), nn.Linear(spec.hidden, k))


def _require_known(name, given):
    if not timm.is_model(name):
        known = [*BACKBONES, *timm.list_models()]
        close = dict.fromkeys([*difflib.get_close_matches(given, known, 5), *BACKBONES])
        raise InputError("model.build", "network.backbone", given,
                         ", ".join(close) + " or another name of timm.list_models()")


def _light(name, channels, spec):
    """Small relatives of the three backbones for 64 x 64 images: about 20 ms a step of 32 on one core."""
    if spec.weights == "imagenet":
        raise InputError("model.build", "network.weights", "imagenet", "None for a light variant")
    if name == BACKBONES["convnext"]:            # 1e-6 would need more steps than a light run has
        return ConvNeXt(channels, num_classes=0, depths=(1, 1, 2, 1), dims=(16, 32, 48, 64),
                        ls_init_value=0.1)
    if name == BACKBONES["efficientnet"]:        # fused first stages (V2): few channels make them cheap
        blocks = (["cn_r1_k3_s2_e1_c16_skip"], ["er_r1_k3_s2_e4_c24"],   # timm's notation: block, repeats,
                  ["ir_r1_k3_s2_e4_c32_se0.25"], ["ir_r1_k3_s1_e4_c48_se0.25"])   # kernel, stride, ...
        return EfficientNet(decode_arch_def(blocks), num_classes=0, num_features=128, stem_size=16,
                            in_chans=channels, act_layer=nn.SiLU)
    if name == BACKBONES["vgg16"]:               # normalised, or it does not start at the light rate
        layers = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"]
        return VGG(layers, num_classes=0, in_chans=channels, norm_layer=nn.BatchNorm2d,
                   mlp_ratio=1 / 4096)           # the classifier is dropped: do not allocate it
    raise InputError("model.build", "network.light", f"{spec.backbone} with light=True",
                     "convnext, efficientnet or vgg16; light=False for any other backbone")


def _imagenet(name, channels):
    """ImageNet weights through timm, which also adapts the first layer to other channel numbers."""
    tagged = f"{name}.{_IMAGENET_1K[name]}" if name in _IMAGENET_1K else name
    try:
        return timm.create_model(tagged, pretrained=True, num_classes=0, in_chans=channels)
    except Exception as error:   # hub, network and cache each raise their own kind
        raise InputError("model.build", f"ImageNet weights of {tagged}", str(error).split("\n")[0],
                         "a connection to timm's hub, which cannot be reached or lacks them; or "
                         "network.weights = path of a safetensors file fetched elsewhere") from error


def _pooled(backbone):
    """Leave nothing after the feature map but global averaging; return it with its number of features."""
    width = getattr(backbone, "head_hidden_size", backbone.num_features)
    if isinstance(backbone, ConvNeXt):
        backbone.head.norm = nn.Identity()       # R1's heads bring their own
    if isinstance(backbone, VGG):
        backbone.pre_logits, width = nn.Identity(), backbone.num_features
    return backbone, width


def _load_start(network, path):
    """Start from a file: a whole network of ours, or a timm backbone with or without its classifier."""
    state = _read_state(path)
    if any(name.startswith("backbone.") for name in state):
        return _load_exactly(network, state, path)
    kept = {n: t for n, t in state.items() if not n.startswith(_CLASSIFIER)}
    return _load_exactly(network.backbone, kept, path)


def _read_state(path):
    try:
        return safetensors.torch.load_file(path)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(path, "reading", str(error), "a complete safetensors file") from error


def _load_exactly(module, state, path):
    """Load only if names and shapes are all as expected and every value is finite."""
    expected = module.state_dict()
    for name in [*expected, *sorted(state)]:
        found = tuple(state[name].shape) if name in state else "nothing"
        wanted = f"shape {tuple(expected[name].shape)}" if name in expected else "no tensor of this name"
        if found == "nothing" or name not in expected or found != tuple(expected[name].shape):
            raise InputError(path, f"tensor {name}", found, wanted)
        if not torch.isfinite(state[name]).all():
            raise InputError(path, f"tensor {name}", "NaN or infinity", "finite weights")
    module.load_state_dict(state)


def _card_path(path):
    return Path(path).with_suffix(".json")


def _read_card(path):
    source = _card_path(path)
    try:
        card = json.loads(source.read_text(encoding="utf-8"))
        known = {field.name for field in dataclasses.fields(NetworkSpec)}
        missing = {"network", "channels", "classes", "sha256", "tensors"} - set(card)
        wrong = set(card.get("network", ())) - known
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(source, "reading", str(error), "the card written beside the weights") from error
    if missing or wrong:
        raise InputError(source, "fields", sorted(missing | wrong), "the card written beside the weights")
    return card
