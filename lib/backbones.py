"""Backbones through timm, and one published head per target on top of them (layer 3)."""

import difflib

import timm
import torch
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet, decode_arch_def
from timm.models.vgg import VGG
from torch import nn

from lib import pretrained
from lib.files import InputError
from lib.studies import NetworkSpec

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


def multitask(spec: NetworkSpec, channels: int, classes: dict[str, int]) -> MultiTask:
    """Build a backbone with its heads; `lib.model.build` documents it and adds weights from a file."""
    name = BACKBONES.get(spec.backbone, spec.backbone)
    _require_known(name, spec.backbone)
    if spec.light:
        backbone = _light(name, channels, spec)
    elif spec.weights == "imagenet":
        backbone = _imagenet(name, channels)
    else:
        backbone = timm.create_model(name, num_classes=0, in_chans=channels)
    return MultiTask(*_pooled(backbone), spec, channels, classes)


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
    return pretrained.imagenet(tagged, channels, "model.build")


def _pooled(backbone):
    """Leave nothing after the feature map but global averaging; return it with its number of features."""
    width = getattr(backbone, "head_hidden_size", backbone.num_features)
    if isinstance(backbone, ConvNeXt):
        backbone.head.norm = nn.Identity()       # R1's heads bring their own
    if isinstance(backbone, VGG):
        backbone.pre_logits, width = nn.Identity(), backbone.num_features
    return backbone, width
