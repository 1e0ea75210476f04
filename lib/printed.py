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

CONVNEXT_GROUPS = 301            # seed 001:147 "earthquake events"; station-days in R3 (validity.md E1.4)
CONVNEXT_COPIES = 4              # images of an event window: itself and three augmented copies (R2, E1)
CONVNEXT_QUIET_DAY_IMAGES = 24   # images of a quiet station-day: one an hour (R2, E1.3)

# Study crnn. Seed 002, line 2 (the abstract); shares as text, with every printed digit
CRNN_ABSTRACT = {"recall": "100.0%", "precision": "61.5%"}
CRNN_MAAE_DEG = 72.32
CRNN_BLIND_CASES = 28
# Its repository, sumawan-bmkg/MTL-CRNN-Geomagnetic-Precursor@ea0a0fb: rows of the ablation figure, accuracy
# of README:17, counts of the confusion-matrix picture and the shares beside it (systems.md 4.1 M5-M7)
CRNN_ABLATION = {"three components": {"accuracy": "82.14%"}, "Z only": {"accuracy": "28.57%"},
                 "H only": {"accuracy": "57.14%", "recall": "71.43%"}}
CRNN_README_ACCURACY = "86.1%"
CRNN_PICTURE = {"tp": 103, "fp": 12, "fn": 0, "tn": 4897}
CRNN_PICTURE_SHARES = {"accuracy": "99.76%", "precision": "89.6%"}

# Study tec. Seed 003: line 11 (abstract), 45 (samples), Table 1 (line 87, comma as decimal mark there),
# Table 2 (lines 103-113)
TEC_SAMPLES = 2356
TEC_BEST_PERCENT = "67.1"
TEC_MODELS = {"ResNet-RS50": "0.6208", "ResNet50": "0.6186", "VGG16": "0.5826", "DenseNet121": "0.6123",
              "MobileNetV3": "0.5530", "EfficientNetV2": "0.6716", "ConvNeXt": "0.5000"}
TEC_REPEATS = {
    "CutMix and MixUp": ("0.6504", "0.6292", "0.6186", "0.6504", "0.6377",
                         "0.6186", "0.6462", "0.6462", "0.6335", "0.6271"),
    "neither": ("0.6398", "0.6335", "0.6356", "0.6102", "0.6398",
                "0.6229", "0.6483", "0.6144", "0.6716", "0.6314")}
TEC_REPEATS_SUMMARY = {"CutMix and MixUp": ("0.6358", "0.012"), "neither": ("0.6348", "0.017")}   # mean, std
TEC_WINDOW_DAYS = 30             # line 23
TEC_EVENTS_AT_LEAST = 1000       # line 15: "over 1000 events with magnitudes larger than 5.0"
TEC_PERIOD = ("1999-01-01", "2022-01-01")   # line 15: "between 1999 and 2021"

# Study observatory. Seed 004: line 192 (shares of the labels), 200 (accuracy by window), 184 (events),
# 248 (filter), 176 (sampling), 204 (ratios of parameters to images)
OBSERVATORY_ACCURACY = {"week": "0.664", "hour": "0.586", "day": "0.414"}
OBSERVATORY_LABEL_SHARES = ("0.5874", "0.6641")
OBSERVATORY_EVENTS = {"MLR": 40, "DUR": 119, "IZN": 132}
OBSERVATORY_CORNER_HZ = 0.02
OBSERVATORY_SAMPLING_S = 60
OBSERVATORY_RATIOS = {"AlexNet": (60_000_000, 1_300_000, 60), "VGG16": (138_000_000, 16_185, 8625)}
# Table 2 (lines 61-155): layers as `lib.forensics.parameter_table` takes them, and the printed parameters
OBSERVATORY_INPUT = (3, 10_080, 1)
OBSERVATORY_LAYERS = (("conv", 32, (3, 3)), ("pool", (1, 2)), ("conv", 64, (1, 3)), ("pool", (1, 2)),
                      ("conv", 64, (1, 3)), ("flatten",), ("dense", 64), ("dense", 2))
OBSERVATORY_PARAMETERS = (320, 0, 6208, 0, 12_352, 0, 30_965_824, 130)
