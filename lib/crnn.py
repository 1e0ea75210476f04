"""The CRNN of seed 002: EfficientNet-B1, a two-way GRU over time, three heads (layer 3)."""

import timm
import torch
from timm.models.efficientnet import EfficientNet, decode_arch_def
from torch import nn
from torch.nn import functional

from lib import pretrained
from lib.files import InputError
from lib.storm_loss import StormAdversary

IMAGENET = "efficientnet_b1.ft_in1k"
STRIDE = {False: (32, 32), True: (8, 8)}     # light -> pixels of scale and of time that become one


class CRNN(nn.Module):
    """Scalogram (N, C, F, T) -> feature map -> mean over F -> steps in time -> BiGRU -> heads.

    `encode` gives the state that the heads share, (N, 2 x hidden), and `decode` the heads' outputs; calling
    the network does both.
    """

    def __init__(self, backbone: nn.Module, hidden: int, head_hidden: int, dropout: float, channels: int,
                 kappa: bool, adversary: bool):
        super().__init__()
        self.channels, self.classes = channels, {"event": 2, "event_magnitude": 3}
        self.backbone = backbone
        self.gru = nn.GRU(backbone.num_features, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * hidden
        self.heads = nn.ModuleDict({t: nn.Linear(self.width, k) for t, k in self.classes.items()})
        self.direction = nn.Sequential(nn.Linear(self.width, head_hidden), nn.LayerNorm(head_hidden),
                                       nn.ReLU(), nn.Dropout(dropout))
        self.vector = nn.Linear(head_hidden, 2)
        self.kappa = nn.Linear(head_hidden, 1) if kappa else None
        self.adversary = StormAdversary(self.width) if adversary else None

    def steps(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sequence that the GRU reads: (N, C, F, T) -> (N, T / stride, features)."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise InputError("crnn", "shape of the input", tuple(x.shape),
                             f"(windows, {self.channels}, scales, times)")
        return self.backbone.forward_features(x).mean(2).transpose(1, 2)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last state of each direction side by side: (N, C, F, T) -> (N, 2 x hidden)."""
        last = self.gru(self.steps(x))[1]
        return torch.cat([last[0], last[1]], dim=1)

    def decode(self, state: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the output of every head for states (N, 2 x hidden)."""
        state = self.dropout(state)
        out = {target: head(state) for target, head in self.heads.items()}
        trunk = self.direction(state)
        out["direction"] = functional.normalize(self.vector(trunk), dim=1)
        if self.kappa is not None:
            out["kappa"] = self.kappa(trunk).squeeze(1)
        return out

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return "event" (N, 2), "event_magnitude" (N, 3), "direction" (N, 2), "kappa" and "storm_guess"."""
        state = self.encode(x)
        guess = {} if self.adversary is None else {"storm_guess": self.adversary(state)}
        return self.decode(state) | guess


def build(channels: int = 3, light: bool = False, weights: str | None = None, kappa: bool = False,
          dropout: float = 0.3, adversary: bool = False) -> CRNN:
    """Build the network; its random numbers are torch's, so that `torch.manual_seed` before it decides.

    Parameters
    ----------
    channels : int
        Components in the scalogram; 1 or 2 in an ablation.
    light : bool
        The same structure, small enough for two cores: stride 8 instead of 32, GRU of 32 units.
        Made for inputs such as 3 x 32 x 96.
    weights : None or "imagenet"
        Start of EfficientNet-B1. S2's code starts from ImageNet.
    kappa : bool
        Add a learned concentration, Linear 64 -> 1 beside the vector (65 parameters), for the losses
        `vm` and `axial`.
    dropout : float
        On the GRU's state and inside the direction head.
    adversary : bool
        Add a head that guesses how hard a storm was, for the storm penalty `adv`; its gradient is reversed.

    Returns
    -------
    CRNN
        Its outputs: "event" (N, 2) and "event_magnitude" (N, 3) logits; "direction" (N, 2), a unit vector
        (east, north) = (sin, cos) of the bearing clockwise from north, in this order as in S2's code and
        in validity.md; "kappa" (N,) before `direction_losses.concentration`.

    Raises
    ------
    InputError
        For ImageNet weights that cannot be fetched or that a light variant cannot take.

    Notes
    -----
    3 x 128 x 1440 becomes 1280 x 4 x 45; the mean over the four rows leaves 45 steps of 32 minutes. The
    heads read the last state of each direction (S2's code), not the mean over steps; the number of
    parameters, 7 614 055 without `kappa`, is the same for both. Stochastic depth 0.2 is what the
    EfficientNet-B1 of that code trains with.

    When not to use
    ---------------
    The state has seen the whole day in both directions: this network scores finished windows and cannot
    run along a stream.

    References
    ----------
    Seed 002; systems.md §4.1; public repository MTL-CRNN-Geomagnetic-Precursor.

    Examples
    --------
    >>> net = build(light=True)
    >>> {target: tuple(z.shape) for target, z in net(torch.zeros(2, 3, 32, 96)).items()}
    {'event': (2, 2), 'event_magnitude': (2, 3), 'direction': (2, 2)}
    """
    if weights not in (None, "imagenet") or (light and weights):
        raise InputError("crnn.build", "weights", weights, "None, or 'imagenet' without light")
    if light:
        return CRNN(_light(channels), 32, 32, dropout, channels, kappa, adversary)
    options = {"drop_path_rate": 0.2}
    backbone = (pretrained.imagenet(IMAGENET, channels, "crnn.build", **options) if weights else
                timm.create_model("efficientnet_b1", num_classes=0, in_chans=channels, **options))
    return CRNN(backbone, 128, 64, dropout, channels, kappa, adversary)


def _light(channels):
    """Stride 8: a 32 x 96 scalogram becomes 4 rows and 12 steps."""
    blocks = (["ds_r1_k3_s1_e1_c12_se0.25"], ["ir_r1_k3_s2_e4_c16_se0.25"],    # timm's notation: block,
              ["ir_r1_k5_s2_e4_c24_se0.25"])                                   # repeats, kernel, stride ...
    return EfficientNet(decode_arch_def(blocks), num_classes=0, num_features=64, stem_size=12,
                        in_chans=channels, act_layer=nn.SiLU)
