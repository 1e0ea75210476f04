"""A trained network: its scaling, its answers, its file (above layer 4)."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from lib import config, device, model, targets
from lib.files import InputError
from lib.studies import Study


@dataclasses.dataclass
class Fit:
    """A trained network with what it needs to be used again."""

    network: torch.nn.Module
    mean: np.ndarray            # (C,), of the training windows
    std: np.ndarray             # (C,)
    history: pd.DataFrame       # one row an epoch: learning_rate, train_loss, select_loss
    best_epoch: int


def as_input(trained: Fit, x: np.ndarray, study: Study) -> torch.Tensor:
    """Scale images (N, C, F, T) as in training and put them where the network is."""
    check_finite(x)
    place = next(trained.network.parameters()).device
    return device.scaled(x, trained.mean, trained.std, study.training.channels_last, place)


def predict_probabilities(trained: Fit, x: np.ndarray, study: Study) -> dict[str, np.ndarray]:
    """Numbers of every target for images (N, C, F, T): target -> float32 (N, K); see `numbers`."""
    spec, images = study.training, as_input(trained, x, study)
    parts: dict[str, list] = {}
    with torch.inference_mode(), device.reproducible(0, spec.threads):
        for batch in images.split(128):
            with device.autocast(spec.autocast, images.device):
                logits = trained.network.eval()(batch)
            for target, value in logits.items():
                if target in targets.TARGETS:       # not what a network says besides, such as kappa
                    parts.setdefault(target, []).append(numbers(value.float(), target).cpu().numpy())
    return {target: np.concatenate(value) for target, value in parts.items()}


def numbers(output: torch.Tensor, target: str) -> torch.Tensor:
    """Turn a network's output into what is stored, (N, K).

    Class probabilities, from K logits or from the one logit of the second of two classes; for `direction`
    the unit vector east and north.
    """
    if target == targets.DIRECTION:
        return functional.normalize(output[:, :2], dim=1)
    if output.shape[1] == 1:
        output = torch.cat([torch.zeros_like(output), output], 1)
    return output.softmax(1)


def load_fit(path: str | Path) -> tuple[Fit, Study]:
    """Load a stored network with its scaling and the study it was trained for.

    Raises
    ------
    InputError
        If the file or its card is damaged.
    """
    network, card = model.load_weights(path)
    source, channels = Path(path).with_suffix(".json"), network.channels
    try:
        study = config.from_dict(card["study"])
        mean, std = (np.array(card[name], np.float32) for name in ("mean", "std"))
        history, best_epoch = pd.DataFrame(card["history"]), int(card["best_epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(source, "study, mean, std, history, best_epoch", str(error),
                         "a card that train.cross_validate(keep_weights=True) wrote") from error
    for name, value in (("mean", mean), ("std", std)):
        least = 0 if name == "std" else -np.inf
        if value.shape != (channels,) or not (np.isfinite(value) & (value > least)).all():
            raise InputError(source, name, card[name], f"{channels} finite numbers, std above 0")
    return Fit(network.to(device.pick()).eval(), mean, std, history, best_epoch), study


def check_finite(x: np.ndarray) -> None:
    """Refuse images with NaN or infinity, by row."""
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(1))[0])
        raise InputError("lib.train", f"image {row}", "NaN or infinity",
                         "finite log power; drop windows with gaps")
