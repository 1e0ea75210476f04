"""Names and files of one cross-validation: its key, and the predictions of each fold (layer 4)."""

import dataclasses
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.files import InputError, atomic_path, canonical_json, content_hash
from lib.studies import N_CLASSES, Study

PROBABILITIES = [f"p_{k}" for k in range(max(N_CLASSES.values()))]
COLUMNS = ["study", "protocol", "fold", "seed", "window_id", "target", "y_true", "y_pred", *PROBABILITIES]
_CODE = ("train.py", "runs.py", "device.py", "model.py", "losses.py", "augment.py", "schedule.py",
         "splits.py", "purge.py", "table_checks.py", "scale.py")


def run_key(study: Study, content: str, protocol: str) -> str:
    """Name one cross-validation: data, code, releases and those fields of the study that training reads."""
    code = [(Path(__file__).parent / name).read_bytes() for name in _CODE]
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
    if not study.targets:
        raise InputError("study", "targets", study.targets, ", ".join(N_CLASSES))
    wanted = json.loads(canonical_json(study))
    for part, name in (*(("stft", name) for name in wanted["stft"]), ("windows", "window_s"),
                       ("windows", "sampling_s")):
        found = dataset.study[part].get(name)
        if found != wanted[part][name]:
            raise InputError(dataset.path, f"{part}.{name}", found,
                             f"{wanted[part][name]}, as the study says; build the dataset with this study")


def write_fold(path: Path, study: Study, protocol: str, fold: int, window_ids: np.ndarray,
               labels: dict[str, np.ndarray], probabilities: dict[str, np.ndarray]) -> None:
    """Write the predictions table of one fold, whole or not at all; target -> (n,) and (n, K)."""
    tables = []
    for target, p in probabilities.items():
        table = pd.DataFrame({
            "study": study.name, "protocol": protocol, "fold": fold, "seed": study.seed,
            "window_id": window_ids, "target": target, "y_true": labels[target], "y_pred": p.argmax(1)})
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
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"columns {', '.join(table.columns)[:60]}")
        exact = table[PROBABILITIES].replace("", "nan").to_numpy(object).astype(float)   # as Python reads
        table[PROBABILITIES] = exact
        table = table.astype({name: int for name in ("fold", "seed", "y_true", "y_pred")})
    except (OSError, ValueError) as error:
        raise _damaged(path, "table", str(error)) from error
    k = table.target.map(N_CLASSES).to_numpy()
    for name, expected in (("window_id", np.tile(window_ids, len(labels))),
                           ("target", np.repeat(list(labels), len(window_ids))),
                           ("y_true", np.concatenate(list(labels.values())))):
        if table[name].tolist() != expected.tolist():
            raise _damaged(path, name, f"{len(table)} rows")
    inside = np.arange(len(PROBABILITIES)) < k[:, None]
    whole = (np.isfinite(exact) == inside).all(1)
    p = np.where(inside & np.isfinite(exact), exact, 0)
    wrong = ~whole | (np.abs(p.sum(1) - 1) > 1e-3) | (p.argmax(1) != table.y_pred)
    if wrong.any():
        raise _damaged(path, f"line {2 + int(np.argmax(wrong))}", "probabilities that do not fit")
    return table


def _damaged(path, where, value):
    return InputError(path, where, value, "the file that train.cross_validate wrote; delete it and run again")
