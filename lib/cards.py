"""Stored weights and what is said about them: found, checked, completed, calibrated (layer 5).

`train.cross_validate` writes a card beside the weights: study, scaling, checksums. Whoever passes weights on
completes it with scores beside their floors, licence, commit and the hash of the data. Nothing here opens a
pickle, which can run code.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lib import calibration, config, dataset, fitted, objectives, representation, splits, targets
from lib.files import InputError, canonical_json, content_hash, write_json
from lib.studies import Study

FIELDS = {                       # that `complete` takes: kind, what is accepted
    "scores": (list, "rows of `evaluate.score_rows`, each with its score and floors"),
    "licence": (str, "the name of a licence, as CC-BY-4.0"),
    "commit": (str, "the commit that the weights were made from"),
    "data_hash": (str, "the content hash of the dataset"),
    "temperature": (dict, "a number above 0 for each class target, from `calibrate`"),
    "notes": (str, "a text"),
}
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
_SEAL = "card_sha256"
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class Pretrained(NamedTuple):
    """A trained network that was checked against its card."""

    fit: fitted.Fit
    study: Study
    card: dict
    path: Path

    @property
    def temperature(self) -> dict[str, float]:
        """Temperature of each calibrated target; empty for a card without calibration."""
        return self.card.get("temperature", {})


def load_pretrained(name: str | Path, folder: str | Path | None = None, *, study: str | Study | None = None,
                    allow_network: bool = False) -> Pretrained:
    """Load a network from a file, or from a hub by its name.

    Parameters
    ----------
    name : str or path
        A safetensors file whose card lies beside it, or ``"organisation/name"`` of a repository that holds
        one such file.
    folder : path, optional
        Where `name` has to lie; two dots, absolute paths and links that lead out of it are refused.
    study : str or Study, optional
        What the network has to be for: the name of a study, or one with the same targets, windows,
        representation and network.
    allow_network : bool
        Ask the hub; else only what huggingface_hub has on disk already is used.

    Raises
    ------
    InputError
        For weights or a card that are missing, damaged or changed by one byte; a pickle; another study's
        weights; a path out of the folder; a hub that cannot be reached.
    """
    path = _locate(name, folder, allow_network)
    _refuse_pickle(path)
    card = read_card(path)
    trained, found = fitted.load_fit(path)
    _check_study(path, found, study)
    return Pretrained(trained, found, card, path)


def read_card(path: str | Path) -> dict:
    """Read the card beside weights; one that was completed has to be unchanged since.

    Raises
    ------
    InputError
        If there is none, or it was changed.
    """
    source = Path(path).with_suffix(".json")
    try:
        card = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(source, "reading", str(error), "the card written beside the weights") from error
    if not isinstance(card, dict):
        raise InputError(source, "contents", type(card).__name__, "the card written beside the weights")
    if _SEAL in card and card[_SEAL] != _seal(card):
        raise InputError(source, _SEAL, card[_SEAL], "the card as it was written; copy it again")
    for name in FIELDS.keys() & card.keys():
        _check_field(source, name, card[name])
    return card


def complete(path: str | Path, **fields) -> dict:
    """Add to the card of stored weights what a user of them has to know, whole or not at all.

    Parameters
    ----------
    path : path
        The safetensors file. It is read and checked first.
    **fields
        Keys of `FIELDS`; each replaces what the card said before.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    InputError
        For another field or value, or weights that do not match their card.
    """
    source = Path(path).with_suffix(".json")
    card = dict(load_pretrained(path).card)
    for name, value in fields.items():
        if name not in FIELDS:
            raise InputError("cards.complete", "field", name, ", ".join(FIELDS))
        _check_field(source, name, value)
    card = json.loads(canonical_json({**card, **fields}))        # as it will be read
    card[_SEAL] = _seal(card)
    write_json(source, card)
    return card


def calibrate(path: str | Path, data: str | Path) -> dict[str, float]:
    """Fit a temperature for each class target on the fold's inner validation windows; write it to the card.

    Parameters
    ----------
    path : path
        Weights of one fold from `train.cross_validate(keep_weights=True)`.
    data : path
        The dataset that they were trained on.

    Returns
    -------
    dict
        Target -> temperature; 1 leaves the probabilities as they are.

    Raises
    ------
    InputError
        If the dataset gives another test fold than the card lists.

    Notes
    -----
    The windows are those that chose the epoch (validity.md A4), never test windows; having chosen it they
    are a little optimistic.

    References
    ----------
    Guo et al. 2017; validity.md A10.
    """
    given = load_pretrained(path)
    study, card = given.study, given.card
    with dataset.open_dataset(data) as opened:
        windows = opened.windows
        parts = splits.folds(windows, card["protocol"], study.evaluation.folds, study.seed, "ignore",
                             study.evaluation.embargo_days)
        train, test = parts[card["fold"]] if card["fold"] < len(parts) else (None, [])
        if windows.window_id.to_numpy(object)[test].tolist() != card["test_window_ids"]:
            raise InputError(data, f"test windows of fold {card['fold']}", len(test),
                             f"those that {Path(path).with_suffix('.json').name} lists: its own dataset")
        seed = int(config.rng(study.seed, "fold", card["protocol"], card["fold"]).integers(2**31))
        _, rows = splits.inner_split(windows, train, study.training.inner_fraction, seed, card["protocol"])
        found = fitted.predict_probabilities(given.fit, opened.read(rows), study)
        truth = objectives.truth(study, windows.iloc[rows].reset_index(drop=True))
        content = opened.content_hash
    temperature = {}
    for target in sorted(set(found) - {targets.DIRECTION}):
        asked = targets.applies(truth[target])
        temperature[target] = calibration.fit_temperature(found[target][asked], truth[target][asked])
    complete(path, temperature=temperature, data_hash=content)
    return temperature


def _seal(card):
    return content_hash({name: value for name, value in card.items() if name != _SEAL})


def _check_field(source, name, value):
    kind, accepted = FIELDS[name]
    good = isinstance(value, kind) and bool(value)
    if good and name == "scores":
        good = all(isinstance(row, dict) and {"target", "score", "floors"} <= row.keys() and row["floors"]
                   for row in value)
    if good and name == "temperature":
        good = all(isinstance(t, (int, float)) and 0 < t < np.inf and targets.TARGETS.get(target)
                   for target, t in value.items())
    if not good:
        raise InputError(source, name, value, accepted)


def _locate(name, folder, allow_network):
    """Path of a weights file: in a folder, anywhere if none is given, or in the hub's cache."""
    known = Path(name).suffix.lower() in (".safetensors", *PICKLES)
    if folder is None and not known and not Path(name).exists() and _HUB.fullmatch(str(name)):
        return _from_hub(str(name), allow_network)
    path = Path(name) if folder is None else Path(folder) / name
    if folder is not None:
        inside, both = Path(folder).resolve(), (path, path.with_suffix(".json"))
        if (Path(name).is_absolute() or ".." in Path(name).parts
                or not all(part.resolve().is_relative_to(inside) for part in both)):
            raise InputError("load_pretrained", "name", str(name), f"a file inside the folder {folder}")
    if not path.is_file():
        raise InputError(path, "weights", "no such file", "a safetensors file with its card beside it, or "
                         "'organisation/name' of a hub")
    return path


def _from_hub(name, allow_network):
    """Weights file of a hub repository, from what is on disk unless the network is allowed."""
    from huggingface_hub import snapshot_download  # not above: only for those who ask for it

    try:
        found = Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json"],
                                       local_files_only=not allow_network))
    except Exception as error:       # hub, network and cache each raise their own kind
        raise InputError("load_pretrained", f"hub name {name}", str(error).split("\n")[0],
                         "a repository that can be reached" if allow_network else
                         "one that is on disk already, a file, or allow_network=True") from error
    files = sorted(found.rglob("*.safetensors"))
    inside = found.parents[1].resolve()              # of the repository: snapshots link to its blobs
    if len(files) != 1 or not files[0].resolve().is_relative_to(inside):
        raise InputError(f"hub {name}", "safetensors files", [f.name for f in files],
                         "exactly one, its card beside it")
    return files[0]


def _refuse_pickle(path):
    with open(path, "rb") as stream:
        first = stream.read(9)
    pickled = first[8:] != b"{" and (first[:4] == b"PK\x03\x04" or first[:1] == b"\x80")   # torch zips them
    if path.suffix.lower() in PICKLES or pickled:
        raise InputError(path, "format", path.suffix, "safetensors: a pickle can run code and is not opened. "
                         "Convert it where you trust it, with safetensors.torch.save_file")


def _check_study(path, found, wanted):
    """Refuse weights of another study than was asked for."""
    if wanted is None:
        return
    if isinstance(wanted, str):
        pairs = [("study", found.name, wanted)]
    else:
        pairs = [("study", found.name, wanted.name), ("targets", found.targets, wanted.targets),
                 ("representation", representation.part(found), representation.part(wanted))]
        pairs += [(f"{part}.{name}", value, getattr(getattr(wanted, part), name, None))
                  for part in (representation.part(wanted), "network") if getattr(found, part)
                  for name, value in dataclasses.asdict(getattr(found, part)).items() if name != "weights"]
        pairs += [(f"windows.{name}", getattr(found.windows, name), getattr(wanted.windows, name))
                  for name in ("window_s", "sampling_s")]
    for name, value, asked in pairs:
        if value != asked:
            raise InputError(path, name, value, f"{asked}: these weights are another study's")
