"""Audit of a study from its tables: what its split leaves, and what may stand in for a signal (layer 5).

A clean audit does not show that a signal is there; it shows that these ways of being wrong were looked for.
Sources: validity.md A1-A9.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib import duplicates, floors, intervals, metrics, splits
from lib.audit import inputs, probes, verdicts
from lib.certificate import certificate
from lib.config import rng
from lib.files import InputError
from lib.purge import EMBARGO_DAYS
from lib.studies import AZIMUTH_CLASSES

DEFAULT = "P5"       # what a study without a split of its own is held to
DRAWS, PERMUTATIONS = 1000, 999


@dataclass(frozen=True)
class Audit:
    """Everything that an audit found; plain numbers, texts, lists and mappings."""

    label: str
    split: str                 # where the folds come from
    sample: dict               # counts and effective sample size
    certificate: dict
    duplicates: dict
    floors: dict               # name -> score (MCC) and interval
    probes: list
    claim: dict | None         # scores of the predictions
    verdicts: tuple[verdicts.Verdict, ...]
    notes: tuple[str, ...]     # what had to be assumed

    @property
    def flagged(self) -> list[verdicts.Verdict]:
        """Verdicts on data and split that did not pass; a claim without support is not a defect of these."""
        return [v for v in self.verdicts if v.passed is False and v.kind != "claim"]

    def to_dict(self) -> dict:
        """Return the audit as JSON values."""
        return dataclasses.asdict(self) | {"flagged": [v.criterion for v in self.flagged]}

    def table(self) -> pd.DataFrame:
        """Return the verdict table: criterion, value, limit, passed, what to do."""
        said = {True: "passed", False: "flagged", None: "not checked"}
        return pd.DataFrame([{"kind": v.kind, "criterion": v.criterion, "value": v.value, "limit": v.limit,
                              "verdict": said[v.passed], "what to do": "" if v.passed else v.advice}
                             for v in self.verdicts])


def audit(windows: pd.DataFrame, x: np.ndarray | None = None, predictions: pd.DataFrame | None = None, *,
          label: str | None = None, classes: tuple[str, ...] | None = None, protocol: str | None = None,
          folds: Sequence | None = None, n_folds: int = 5, embargo_days: float = EMBARGO_DAYS,
          seed: int = 42) -> Audit:
    """Look for every known way in which a split, a design or an image can stand in for a signal.

    Parameters
    ----------
    windows : DataFrame
        window_id, station, start, end (UTC), event_id or block_id, and a label (`lib.audit.inputs.prepare`).
    x : array, shape (N, D), (N, F, T) or (N, C, F, T), optional
        What a model sees, in the order of the table.
    predictions : DataFrame, optional
        window_id, y_pred; optional y_true, fold, target.
    label, classes
        Column of the class, and the names that may occur.
    protocol : str, optional
        A key of `splits.PROTOCOLS` whose folds are audited.
    folds : sequence of (train, test), optional
        Row positions; before `protocol`, before the column `fold` of the predictions, before P5.
    n_folds, embargo_days, seed
        Of `protocol`.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        For tables that do not fit together or cannot be read; the message names the rows.

    Notes
    -----
    With a column `fold` alone, the training part of a fold is taken to be all other windows. Training choices
    (early stopping on the test fold) leave no trace in these tables and are not seen.
    """
    table = inputs.prepare(windows, label, classes)
    x = None if x is None else inputs.check_x(x, len(table.y))
    predicted, fold = (None, None) if predictions is None else inputs.align(table, predictions)
    said, pairs = _folds(table, folds, protocol, fold, n_folds, embargo_days, seed)
    links = certificate(table.windows, pairs)
    links["gap_days"] = float(links["gap_days"])
    guesses, floor_scores = _floors(table, pairs, seed)
    probed = probes.probe(table.windows, table.y, len(table.classes), table.group, x, seed, DRAWS)
    copies, straddling, family = _duplicates(table, x, pairs)
    claim = None if predicted is None else _claim(table, predicted, guesses, floor_scores, family, seed)
    sample = _sample(table, pairs, claim)
    known = {name: bool(np.isfinite(table.windows[column]).any())
             for name, column in (("kp", "kp_max"), ("dst", "dst_min"))}
    station_tells = floor_scores["lookup_station"]["interval"][0] > verdicts.SHORTCUT
    found = (*verdicts.of_split(links, station_tells), *verdicts.of_duplicates(straddling),
             *verdicts.of_floors(floor_scores, known),
             *verdicts.of_probes(probed, x is not None, "pipeline" in table.windows),
             *verdicts.of_design(sample, _single_class(table), _after(table)), *verdicts.of_claim(claim))
    return Audit(table.label, said, sample, links, copies, floor_scores, probed, claim, found, table.notes)


def _folds(table, folds, protocol, fold, n_folds, embargo_days, seed):
    """Where the folds come from, in words, and the folds."""
    n = len(table.y)
    if folds is not None:
        return f"{len(folds)} folds as given", [(np.asarray(a), np.asarray(b)) for a, b in folds]
    if protocol is None and fold is not None:
        names = np.unique(fold[fold >= 0])
        if names.size == 1 and (fold >= 0).all():
            raise InputError("predictions", "fold", "one fold that tests every window",
                             "two folds or more, or training windows without a prediction")
        groups = np.unique(table.group).size
        if names.size > groups:
            raise InputError("predictions", "fold", f"{names.size} folds",
                             f"at most {groups}, the earthquakes and blocks: fewer events than folds")
        rows = np.arange(n)
        return (f"{names.size} folds of the predictions, trained on all other windows",
                [(rows[fold != f], rows[fold == f]) for f in names])
    name = protocol or DEFAULT
    events = np.unique(table.group[column_filled(table)]).size
    if name not in ("P0", "P4") and isinstance(n_folds, (int, np.integer)) and 0 < events < n_folds:
        raise InputError("windows table", "earthquakes", events,
                         f"as many as folds, {n_folds}: fewer events than folds; lower n_folds or add events")
    try:
        pairs = splits.folds(table.windows, name, n_folds, seed, "ignore", embargo_days)
    except InputError as error:
        if protocol is None:
            raise InputError(error.source, error.where, error.value,
                             f"{error.accepted}; or name the split: a protocol, or a column fold") from error
        raise
    return f"{name}: {splits.PROTOCOLS[name]}" + ("" if protocol else " (assumed: no split was given)"), pairs


def column_filled(table: inputs.Table) -> np.ndarray:
    """Return which windows belong to an earthquake, or all where no event_id is filled; (N,) bool."""
    event = table.windows["event_id"].to_numpy(str) != ""
    return event if event.any() else np.ones_like(event)


def _floors(table, pairs, seed):
    """Predictions and scores of every floor; the class names do not matter to a floor."""
    unknown = {"kp_max": -1.0, "dst_min": 99.0}        # a value of its own: trees need one in every fold
    stand_in = table.windows.assign(azimuth_class=np.array(AZIMUTH_CLASSES)[table.y]).fillna(unknown)
    guesses = floors.floors(stand_in, pairs, "azimuth", seed)
    scores = {}
    for name, guess in guesses.items():
        score, interval = probes.scored(table.y, guess, table.group, len(AZIMUTH_CLASSES), seed, DRAWS)
        scores[name] = {"score": score, "interval": interval}
    return guesses, scores


def _duplicates(table, x, pairs):
    """Count by search; share of test windows with a relative in training; the families of copies."""
    found = duplicates.find(table.windows, x)
    facts = {k: v for k, v in found.items() if k in duplicates.FACTS}
    family = duplicates.families(len(table.y), facts)
    alike = {k: v for k, v in found.items() if k not in duplicates.FACTS}
    size = np.bincount(family)
    counts = {"families": int((size > 1).sum()), "rows_in_families": int(size[size > 1].sum()),
              "largest": int(size.max()), "pairs": {k: len(v) for k, v in found.items()}}
    shares = {"copies": _straddling(family, pairs),
              "likenesses": _straddling(duplicates.families(len(table.y), alike), pairs) if alike else None}
    return counts, shares, family


def _straddling(family, pairs):
    """Share of test windows with a member of their family in the training part."""
    linked = sum(int(np.isin(family[test], family[train]).sum()) for train, test in pairs)
    return linked / sum(len(test) for _, test in pairs)


def _sample(table, pairs, claim):
    """Count; windows of one group pass for copies in the effective number, unless predictions say better."""
    size = np.unique(table.group, return_counts=True)[1]
    per_class = [np.unique(table.group[table.y == k]).size for k in range(len(table.classes))]
    event = table.windows["event_id"] != ""
    return {"windows": len(table.y), "stations": int(table.windows["station"].nunique()),
            "events": int(table.windows["event_id"][event].nunique()), "groups": len(size),
            "classes": {name: int((table.y == k).sum()) for k, name in enumerate(table.classes)},
            "groups_of_class": dict(zip(table.classes, per_class, strict=True)),
            "fewest_groups_of_a_class": min(per_class), "folds": len(pairs) if len(pairs) < 50 else 2,
            "effective": claim["n_effective"] if claim else float(size.sum() ** 2 / (size**2).sum()),
            "majority": float(np.bincount(table.y).max() / len(table.y))}


def _single_class(table):
    """Share of windows at stations where only one class occurs."""
    code = np.unique(table.windows["station"], return_inverse=True)[1]
    kinds = np.zeros((code.max() + 1, len(table.classes)), bool)
    kinds[code, table.y] = True
    return float((kinds.sum(1) == 1)[code].mean())


def _after(table):
    """Share of windows with a lead time that end after their earthquake; None without lead times."""
    lead = table.windows["lead_days"].to_numpy(float)
    return float((lead[np.isfinite(lead)] < 0).mean()) if np.isfinite(lead).any() else None


def _claim(table, predicted, guesses, floor_scores, family, seed):
    """Scores of the predictions with intervals, p, the best floor, and one row a family."""
    rows = np.flatnonzero((predicted >= 0) & (guesses["majority"] >= 0))
    if not rows.size:
        raise InputError("predictions", "window_id", "no test window",
                         "predictions of the windows that are tested")
    k, y, guess, group = len(table.classes), table.y[rows], predicted[rows], table.group[rows]
    matrix = metrics.confusion(y, guess, k)
    best = max(floor_scores, key=lambda name: floor_scores[name]["score"])
    score, interval = probes.scored(y, guess, group, k, seed, DRAWS)
    above = intervals.bootstrap_confusion(y, guess, group, k, metrics.mcc, DRAWS, rng(seed, "audit", "above"),
                                          y_other=guesses[best][rows])
    null = intervals.permutation_test(y, guess, group, k, metrics.mcc, PERMUTATIONS, rng(seed, "audit", "p"),
                                      blocks=table.label == "azimuth_class")
    one = duplicates.keep_one(family, rows)
    return {"tested": len(rows), "score": score, "interval": interval, "p": null.p, "best_floor": best,
            "above_best_floor": [above.low, above.high], "scores": metrics.scores(matrix),
            "majority_accuracy": float(matrix.sum(1).max() / matrix.sum()), "confusion": matrix.tolist(),
            "n_effective": intervals.n_effective(guess == y, group),
            "one_per_family": None if one.size == rows.size else {
                "windows": len(one), "score": float(metrics.mcc(
                    metrics.confusion(table.y[one], predicted[one], k)))}}
