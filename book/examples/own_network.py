"""A network of your own: two convolutions, and a linear layer for each target."""

import torch
from torch import nn


class Small(nn.Module):
    """Images (N, C, F, T) to {target: logits (N, K)}."""

    def __init__(self, channels, width, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.heads = nn.ModuleDict({target: nn.Linear(width, k) for target, k in classes.items()})

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits of every target."""
        features = self.features(x)
        return {target: head(features) for target, head in self.heads.items()}


def build(spec, channels, classes, size):
    """Build it for a study's `network` part, image channels, {target: K} and image size (F, T)."""
    return Small(channels, spec.hidden, classes)
