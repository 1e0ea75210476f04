"""Names and files of one cross-validation: its key, and the predictions of each fold (layer 4)."""

import dataclasses
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import own_network, representation, targets
from lib.files import InputError, atomic_path, canonical_json, content_hash
from lib.studies import Study

PROBABILITIES = [f"p_{k}" for k in range(max(targets.N_NUMBERS.values()))]
COLUMNS = ["study", "protocol", "fold", "seed", "window_id", "target", "y_true", "y_pred", *PROBABILITIES]
_CODE = ("train.py", "runs.py", "device.py", "model.py", "losses.py", "augment.py", "schedule.py",
         "splits.py", "purge.py", "table_checks.py", "scale.py", "fitted.py", "mixing.py", "objectives.py",
         "targets.py", "backbones.py", "pretrained.py", "crnn.py", "small_images.py", "observatory_cnn.py",
         "direction_losses.py", "storm_loss.py", "own_network.py")


def run_key(study: Study, content: str, protocol: str) -> str:
    """Name one cross-validation: data, code, releases and those fields of the study that training reads."""
    code = [(Path(__file__).parent / name).read_bytes() for name in _CODE]
    code.append(own_network.source(study.network.family))     # an edited network is another network
    scored_later = dataclasses.replace(study.evaluation, bootstrap=0, permutations=0)
    relevant = dataclasses.replace(study, profile="", evaluation=scored_later)
    start = Path(study.network.weights or "")       # a file that is replaced is another start
    weights = start.read_bytes() if start.is_file() else b""
    return f"{protocol}-{content_hash(relevant, content, torch.__version__, version('timm'), weights, *code)}"


def fold_path(folder: Path, fold: int) -> Path:
    """Where the predictions of a fold are."""
    return folder / f"fold_{fold:03d}.csv"


def weights_path(folder: Path, fold: int) -> Path:
    """Where `cross_validate(keep_weights=True)` stores the network of a fold."""
    return folder / f"fold_{fold:03d}.safetensors"


def is_done(folder: Path, fold: int, keep_weights: bool) -> bool:
    """Whether a fold has all its files; the card is written after the weights."""
    weights = weights_path(folder, fold)
    return fold_path(folder, fold).exists() and (
        not keep_weights or (weights.exists() and weights.with_suffix(".json").exists()))


def check_representation(study: Study, dataset) -> None:
    """Refuse a study without targets, and images it would not make: `predict` would make others.

    Raises
    ------
    InputError
        Naming the field in which dataset and study differ.
    """
    targets.check(study.targets)
    wanted, form = json.loads(canonical_json(study)), representation.part(study)
    for part, name in (*((form, name) for name in wanted[form]), ("windows", "window_s"),
                       ("windows", "sampling_s")):
        found = dataset.study.get(part, {}).get(name)
        if found != wanted[part][name]:
            raise InputError(dataset.path, f"{part}.{name}", found,
                             f"{wanted[part][name]}, as the study says; build the dataset with this study")
    designs = dataset.study["windows"]["design"], study.windows.design
    if designs[0] != designs[1] and any(name.startswith("png_") for name in designs):   # pictures, no records
        raise InputError(dataset.path, "windows.design", designs[0], f"{designs[1]}, as the study says")


def write_fold(path: Path, study: Study, protocol: str, fold: int, window_ids: np.ndarray,
               labels: dict[str, np.ndarray], numbers: dict[str, np.ndarray]) -> None:
    """Write the predictions table of one fold, whole or not at all.

    `labels`: target -> truth (n,), `numbers`: target -> probabilities (n, K) or, for `direction`, the unit
    vector east and north in p_0 and p_1, with y_true and y_pred in degrees.
    """
    tables = []
    for target, p in numbers.items():
        table = pd.DataFrame({
            "study": study.name, "protocol": protocol, "fold": fold, "seed": study.seed,
            "window_id": window_ids, "target": target, "y_true": labels[target],
            "y_pred": targets.answer(p, target)}).astype({"y_true": object, "y_pred": object})
        full = np.full((len(p), len(PROBABILITIES)), np.nan)
        full[:, : p.shape[1]] = p
        tables.append(pd.concat([table, pd.DataFrame(full, columns=PROBABILITIES)], axis=1))
    text = io.StringIO()
    pd.concat(tables).to_csv(text, index=False, lineterminator="\n")
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_fold(path: Path, window_ids: np.ndarray, labels: dict[str, np.ndarray]) -> pd.DataFrame:
    """Read the predictions of one fold and check that they are whole and belong to these windows.

    Raises
    ------
    InputError
        If the file is damaged, or its windows, labels or probabilities are not those of the fold.
    """
    kind = float if targets.DIRECTION in labels else int
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"columns {', '.join(table.columns)[:60]}")
        for name in [*PROBABILITIES, *(["y_true", "y_pred"] if kind is float else [])]:
            table[name] = table[name].replace("", "nan").to_numpy(object).astype(float)   # as Python reads
        table = table.astype({"fold": int, "seed": int, "y_true": kind, "y_pred": kind})
    except (OSError, ValueError) as error:
        raise _damaged(path, "table", str(error)) from error
    for name, expected in (("window_id", np.tile(window_ids, len(labels))),
                           ("target", np.repeat(list(labels), len(window_ids)))):
        if table[name].tolist() != expected.tolist():
            raise _damaged(path, name, f"{len(table)} rows")
    if not np.array_equal(table.y_true, np.concatenate(list(labels.values())), equal_nan=kind is float):
        raise _damaged(path, "y_true", f"{len(table)} rows")
    exact = table[PROBABILITIES].to_numpy()
    for i, target in enumerate(labels):
        rows, k = slice(i * len(window_ids), (i + 1) * len(window_ids)), targets.N_NUMBERS[target]
        p = exact[rows, :k]
        fits = targets.belong(p, target) & np.isnan(exact[rows, k:]).all(1)
        fits &= targets.answer(np.where(np.isfinite(p), p, 0), target) == table.y_pred.to_numpy()[rows]
        if not fits.all():
            raise _damaged(path, f"line {2 + rows.start + int(np.argmin(fits))}",
                           "probabilities that do not fit")
    return table


def _damaged(path, where, value):
    return InputError(path, where, value, "the file that train.cross_validate wrote; delete it and run again")
