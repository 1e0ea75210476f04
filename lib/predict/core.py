"""Images in, answers out: classes, degrees, probabilities, and where they come from (above layer 6)."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr

from lib import calibration, cards, fitted, gradcam, targets
from lib.files import InputError
from lib.predict import inputs
from lib.studies import AZIMUTH_CLASSES

ABSTAIN = "abstain"


class Result(NamedTuple):
    """Predictions, and the image of one window for `explain`."""

    table: pd.DataFrame
    row: int | None               # of the table
    image: np.ndarray | None      # (C, F, T)


def predict(record: xr.Dataset, weights, step_s: float | None = None,
            threshold: float | None = None) -> pd.DataFrame:
    """Predict every target of a network for every window of a record.

    The network answers whatever it is shown. A prediction on a record unlike its training data says
    nothing about the Earth: run `lib.earth.plausibility.check` first and read the page on limits.

    Parameters
    ----------
    record : Dataset
        H, D, Z in nT on a uniform UTC axis, at the sampling the study was trained for.
    weights : path or cards.Pretrained
        A safetensors file written by `train.cross_validate(keep_weights=True)`, its card beside it; or what
        `cards.load_pretrained` returned, which saves loading it again.
    step_s : float, optional
        From the start of one window to the next; one window length by default.
    threshold : float, optional
        Class "abstain" where the largest calibrated probability is below this.

    Returns
    -------
    DataFrame
        One row a window: start, end, valid, calibration; for each class target `<target>_class` and
        `p_<target>_<class>` ...; `azimuth_deg`, the mean direction of the sectors by their probabilities,
        NaN for a quiet window; for the target `direction` its degrees and vector. Windows with gaps are
        listed with `valid` False and no prediction.

    Raises
    ------
    InputError
        If weights or card are damaged, the record lacks a component or has another sampling than the study,
        its time axis is not uniform, or it is shorter than one window; for a threshold without calibration.
    """
    given = _loaded(weights)
    return run([inputs.of_record(record, given.study, step_s)], given, threshold).table


def predict_windows(x: np.ndarray, weights, threshold: float | None = None) -> pd.DataFrame:
    """Predict for windows (N, components, n) in nT, or TECU; see `predict`."""
    given = _loaded(weights)
    return run([inputs.of_windows(x, given.study)], given, threshold).table


def predict_pictures(paths: list, weights, threshold: float | None = None) -> pd.DataFrame:
    """Predict for PNG pictures with weights that were trained on pictures; see `predict`."""
    given = _loaded(weights)
    return run([inputs.of_pictures([Path(p) for p in paths], given.study)], given, threshold).table


def predict_file(path: str | Path, weights, step_s: float | None = None, threshold: float | None = None,
                 gap_rule: str = "none") -> pd.DataFrame:
    """Predict for whatever `open_input` recognises; see `predict`."""
    given = _loaded(weights)
    return run(inputs.open_input(path, given.study, step_s, gap_rule)[1], given, threshold).table


def predict_folder(folder: str | Path, weights, step_s: float | None = None, threshold: float | None = None,
                   gap_rule: str = "none") -> pd.DataFrame:
    """Predict along all records of a folder, whole as one: `predict` with the column `station` in front."""
    if not Path(folder).is_dir():
        raise InputError(folder, "folder", "not there", "a folder of record files")
    return predict_file(folder, weights, step_s, threshold, gap_rule)


def run(chunks: Iterable[inputs.Chunk], given: cards.Pretrained, threshold: float | None = None,
        row: int | None = None) -> Result:
    """Predict chunk by chunk; no more than a batch of images is held at a time.

    Parameters
    ----------
    chunks : iterable of Chunk
    given : cards.Pretrained
    threshold : float, optional
        As in `predict`.
    row : int, optional
        Window whose image is kept, counted from 0 over the whole table; the first valid one by default.
    """
    _check_threshold(given, threshold)
    tables, done, kept = [], 0, (None, None)
    for chunk in chunks:
        valid, parts, seen = np.flatnonzero(chunk.table["valid"]), [], 0
        for images in chunk.images:
            parts.append(fitted.predict_probabilities(given.fit, images, given.study))
            rows = done + valid[seen:seen + len(images)]
            at = np.flatnonzero(rows == row) if row is not None else np.arange(1)
            if kept[0] is None and at.size:
                kept = int(rows[at[0]]), images[at[0]].copy()
            seen += len(images)
        tables.append(_table(chunk.table, valid, parts, given, threshold))
        done += len(chunk.table)
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    if row is not None and kept[0] is None:
        raise InputError("predict", "window of the map", row, f"a valid window, 0 to {len(table) - 1}")
    return Result(table, *kept)


def _table(table, valid, parts, given, threshold):
    """Add answers to the rows that have any."""
    columns = {name: table[name] for name in table}
    columns |= {"calibration": ["calibrated" if _calibrated(given) else "uncalibrated"] * len(table)}
    for target in given.study.targets:
        numbers = np.concatenate([np.empty((0, targets.N_NUMBERS[target])), *(p[target] for p in parts)])
        if target in given.temperature and len(numbers):
            numbers = calibration.apply_temperature(numbers, given.temperature[target])
        for name, values in _answers(target, numbers, threshold):
            column = np.full(len(table), np.nan, values.dtype)
            column[valid] = values
            columns[name] = column
    return pd.DataFrame(columns, copy=False)


def _answers(target, numbers, threshold):
    """Columns of one target: name, values (n,)."""
    if target == targets.DIRECTION:
        yield "direction_deg", targets.answer(numbers, target)
        yield from (("direction_east", numbers[:, 0]), ("direction_north", numbers[:, 1]))
        return
    classes, best = np.array(targets.TARGETS[target], object), numbers.argmax(1)
    unsure = numbers.max(1, initial=0) < (threshold or 0)
    yield f"{target}_class", np.where(unsure, ABSTAIN, classes[best])
    if target == "azimuth":
        yield "azimuth_deg", np.where(unsure | (best == 0), np.nan, mean_bearing(numbers))
    yield from ((f"p_{target}_{name}", numbers[:, k]) for k, name in enumerate(classes))


def mean_bearing(p: np.ndarray) -> np.ndarray:
    """Decode azimuth probabilities (N, 9) to degrees (N,): the direction of the sectors' weighted mean.

    >>> mean_bearing(np.eye(9)[[1, 2]]), mean_bearing(np.eye(9)[[1]] / 2 + np.eye(9)[[3]] / 2)
    (array([ 0., 45.]), array([45.]))
    """
    angle = np.deg2rad(360 / (len(AZIMUTH_CLASSES) - 1) * np.arange(len(AZIMUTH_CLASSES) - 1))
    vector = p[:, 1:] @ np.column_stack([np.sin(angle), np.cos(angle)])        # east, north
    return np.round(targets.answer(vector, targets.DIRECTION), 6) % 360


def explain(image: np.ndarray, given: cards.Pretrained) -> dict[str, np.ndarray]:
    """Map where the evidence for each predicted class lies: class target -> (F, T) in [0, 1].

    Parameters
    ----------
    image : array (C, F, T)
        Unscaled, from `Result.image`.
    given : cards.Pretrained

    Notes
    -----
    `gradcam.class_maps`; networks without a backbone are read at their last convolution. Where one
    logit serves two classes, the map is that of the second. The target `direction` has no class and no map.
    """
    network, x = given.fit.network, fitted.as_input(given.fit, image[None], given.study)
    layer = None if hasattr(network, "backbone") else [
        part for part in network.modules() if isinstance(part, torch.nn.Conv2d)][-1]
    with torch.inference_mode():
        logits = network.eval()(x)
    return {target: gradcam.class_maps(network, x, target, int(logits[target].argmax()), layer)[0]
            for target in given.study.targets if target != targets.DIRECTION}


def _loaded(weights):
    return weights if isinstance(weights, cards.Pretrained) else cards.load_pretrained(weights)


def _calibrated(given):
    return set(given.study.targets) - {targets.DIRECTION} <= set(given.temperature)


def _check_threshold(given, threshold):
    if threshold is None:
        return
    if not 0 < threshold <= 1:
        raise InputError("predict", "threshold", threshold, "a probability above 0, at most 1")
    if not _calibrated(given):
        raise InputError(given.path.with_suffix(".json"), "temperature", sorted(given.temperature),
                         "one for each class target: probabilities that are not calibrated cannot tell when "
                         "to abstain; run cards.calibrate with the dataset of these weights")
