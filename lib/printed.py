"""Numbers as the studies print them, with their source (layer 0). Nothing here was computed by us."""

import pandas as pd

from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

# Images per class: sumawanbmkg/EfficientNet@ba3fba1, supplements and scripts (validity.md E1.1)
CONVNEXT_IMAGES = {
    "magnitude": dict(zip(MAGNITUDE_CLASSES, (888, 20, 1036, 28), strict=True)),
    "azimuth": dict(zip(AZIMUTH_CLASSES, (888, 480, 4, 44, 84, 168, 96, 104, 104), strict=True)),
}

# Test images and accuracies in per cent of the ten folds: result files of ctrd3r/convnext2@dd103d5 and
# sumawanbmkg/EfficientNet@ba3fba1 (validity.md E1.2)
_FOLDS = """
fold n_test magnitude azimuth magnitude_efficientnet azimuth_efficientnet
1 184 95.6522 67.3913 95.6522 67.3913
2 184 97.8261 67.3913 97.8261 68.4783
3 200 98 72 98 72
4 204 98.0392 70.5882 98.0392 71.5686
5 216 98.1481 66.6667 98.1481 66.6667
6 200 98 72 98 72
7 200 98 70 98 70
8 204 98.0392 67.1569 98.0392 66.6667
9 200 98 82 98 82
10 180 95.5556 57.7778 95.5556 58.3333
"""

# Headline values: seed 000, "MCC Analysis" and "Model Comparison"
CONVNEXT_HEADLINE = {
    "magnitude": {"accuracy": 0.9753, "mcc": 0.97, "baseline": 0.25},
    "azimuth": {"accuracy": 0.6930, "mcc": 0.69, "baseline": 1 / 9},
}


def convnext_folds() -> pd.DataFrame:
    """Return the ten published folds: n_test and accuracies in per cent, for both backbones."""
    lines = [line.split() for line in _FOLDS.strip().splitlines()]
    return pd.DataFrame(lines[1:], columns=lines[0]).astype(float).astype({"fold": int, "n_test": int})
