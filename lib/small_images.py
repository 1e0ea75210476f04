"""The seven networks of seed 003 on 32 x 32 images of six channels, through timm (layer 3)."""

import timm
import torch
from timm.models.efficientnet import EfficientNet, decode_arch_def
from timm.models.mobilenetv3 import MobileNetV3
from timm.models.vgg import VGG
from torch import nn
from torch.nn import functional

from lib import pretrained
from lib.files import InputError

NETWORKS = {                             # our names -> timm's, with the ImageNet weights
    "efficientnetv2": "tf_efficientnetv2_s.in1k",
    "mobilenetv3": "mobilenetv3_large_100.ra_in1k",
    "vgg16": "vgg16.tv_in1k",
    "densenet121": "densenet121.tv_in1k",
    "resnet50": "resnet50.tv_in1k",
    "convnext": "convnext_tiny.fb_in1k",
    "resnetrs50": "resnetrs50.tf_in1k",
}
SIDE = 32                                # pixels (S3: zero-padded)
_SMALL = {                               # light relatives that timm makes by the same function
    "densenet121": {"growth_rate": 8, "block_config": (2, 2, 2, 2)},
    "resnet50": {"layers": (1, 1, 1, 1), "channels": (8, 16, 24, 32), "stem_width": 16,
                 "zero_init_last": False},
    "convnext": {"depths": (1, 1, 2, 1), "dims": (16, 32, 48, 64), "ls_init_value": 0.1},
    "resnetrs50": {"layers": (1, 1, 1, 1), "channels": (8, 16, 24, 32), "stem_width": 8,
                   "zero_init_last": False},
}


class SmallImageNet(nn.Module):
    """Backbone (N, C, F, T) -> averaged features -> dropout -> one logit; the sigmoid stays outside."""

    def __init__(self, backbone: nn.Module, width: int, channels: int, dropout: float):
        super().__init__()
        self.channels, self.classes = channels, {"event": 1}
        self.backbone = backbone
        self.heads = nn.ModuleDict({"event": nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1))})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return {"event": (N, 1)}, the logit of a precursor."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise InputError("small_images", "shape of the input", tuple(x.shape),
                             f"(windows, {self.channels}, days, hours)")
        features = self.backbone(_padded(x))
        return {target: head(features) for target, head in self.heads.items()}


def build(name: str, channels: int = 6, dropout: float = 0.5, light: bool = False,
          weights: str | None = None) -> SmallImageNet:
    """Build a network; its random numbers are torch's, so that `torch.manual_seed` before it decides.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    channels : int
        TEC, median, lower and upper bound, positive and negative polarity.
    dropout : float
        Before the last layer. S3 says "high dropout" and prints no number [D].
    light : bool
        A relative of the same family with the same strides and under 200 000 weights: some seconds for
        a training on 600 images on two cores.
    weights : None or "imagenet"
        S3 starts from ImageNet, adapted to six channels; here through timm.

    Returns
    -------
    SmallImageNet

    Raises
    ------
    InputError
        For another name, or ImageNet weights that cannot be fetched or that a light variant cannot take.

    Notes
    -----
    At 32 x 32 the six baselines, of stride 32, end in a map of one pixel: averaging it averages nothing,
    and every later layer sees zero padding around a single value. EfficientNetV2 (S) has stride 1 in its
    stem and in its first block that had a stride (the very first block has none to remove), so its map is
    4 x 4; it is the only one of the seven that was adapted to the size, which a comparison has to say.
    VGG16 keeps its convolutions and loses the two 4096-wide layers.

    References
    ----------
    Seed 003; systems.md §4.2; timm.

    Examples
    --------
    >>> build("efficientnetv2", light=True)(torch.zeros(2, 6, 32, 32))["event"].shape
    torch.Size([2, 1])
    """
    if name not in NETWORKS:
        raise InputError("small_images.build", "name", name, ", ".join(NETWORKS))
    if weights not in (None, "imagenet") or (light and weights):
        raise InputError("small_images.build", "weights", weights, "None, or 'imagenet' without light")
    if light:
        backbone = _light(name, channels)
    elif weights:
        backbone = pretrained.imagenet(NETWORKS[name], channels, "small_images.build")
    else:
        backbone = _plain(name, channels, {})
    if name == "efficientnetv2":
        _keep_resolution(backbone)
    if isinstance(backbone, VGG):
        backbone.pre_logits, backbone.head_hidden_size = nn.Identity(), backbone.num_features
    width = getattr(backbone, "head_hidden_size", backbone.num_features)
    return SmallImageNet(backbone, width, channels, dropout)


def _padded(x):
    """Put images smaller than 32 x 32 in the middle of zeros: of scaled images the training mean (S3)."""
    missing = [max(SIDE - side, 0) for side in x.shape[-2:]]
    (top, left) = (rest // 2 for rest in missing)
    return functional.pad(x, (left, missing[1] - left, top, missing[0] - top)) if any(missing) else x


def feature_map(name: str, side: int = 32, light: bool = False) -> tuple[int, int, int]:
    """Return channels, height and width of the last feature map for a square image; costs no memory.

    >>> feature_map("efficientnetv2"), feature_map("resnet50")
    ((1280, 4, 4), (2048, 1, 1))
    """
    with torch.device("meta"):
        network = build(name, light=light).eval()
        found = network.backbone.forward_features(torch.zeros(1, network.channels, side, side))
    return tuple(found.shape[1:])


def _plain(name, channels, options):
    return timm.create_model(NETWORKS[name].split(".")[0], num_classes=0, in_chans=channels, **options)


def _keep_resolution(backbone):
    """Stride 1 in the stem and the first strided block; weights of the original still fit."""
    backbone.conv_stem.stride = (1, 1)
    backbone.blocks[1][0].conv_exp.stride = (1, 1)
    for stage in backbone.feature_info:          # what Grad-CAM goes by
        stage["reduction"] = max(1, stage["reduction"] // 4)


def _light(name, channels):
    if name in _SMALL:
        return _plain(name, channels, _SMALL[name])
    if name == "efficientnetv2":                 # timm's notation: block, repeats, kernel, stride, ...
        blocks = (["cn_r1_k3_s1_e1_c8_skip"], ["er_r1_k3_s2_e4_c12"], ["er_r1_k3_s2_e4_c16"],
                  ["ir_r1_k3_s2_e4_c24_se0.25"], ["ir_r1_k3_s2_e4_c32_se0.25"])
        return EfficientNet(decode_arch_def(blocks), num_classes=0, num_features=64, stem_size=8,
                            in_chans=channels, act_layer=nn.SiLU)
    if name == "mobilenetv3":
        blocks = (["ds_r1_k3_s1_e1_c8_nre"], ["ir_r1_k3_s2_e4_c12_nre"], ["ir_r1_k5_s2_e3_c16_se0.25_nre"],
                  ["ir_r1_k3_s2_e4_c24"], ["ir_r1_k5_s2_e4_c32_se0.25"], ["cn_r1_k1_s1_c64"])
        return MobileNetV3(decode_arch_def(blocks), num_classes=0, num_features=64, stem_size=8,
                           in_chans=channels, act_layer=nn.Hardswish)
    layers = [8, "M", 16, "M", 32, "M", 32, "M", 64, "M"]     # normalised: it starts at the light rate
    return VGG(layers, num_classes=0, in_chans=channels, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 4096)
