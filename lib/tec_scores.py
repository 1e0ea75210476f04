"""Simple models and floors on windows of electron content, and their scores (layer 5).

The models see each image averaged over blocks of days and hours; the floors see the table alone. The unit of
every interval is what could have come out differently: a matched set, or a quarter of a year of one series,
since windows of 30 days overlap. Sources: validity.md A6, A8, B11, D1.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier

from lib import config, floors, intervals, metrics, simple_fits, splits
from lib.certificate import LINKS, certificate
from lib.files import InputError

MODELS = ("trees", "logistic")
TREES = 40
DAYS, HOURS = 5, 4              # block that is averaged [D]
UNIT_DAYS = 90                  # of the blocks of time that are resampled [D]
DECILES = 10
FLOORS = {"majority": "majority", "nearest date": "time_adjacency", "month": "lookup_month",
          "whole table": "metadata"}        # our name -> that of `lib.floors`; F10.7 is added here


def pooled(images: np.ndarray, days: int = DAYS, hours: int = HOURS) -> np.ndarray:
    """Average images (N, 6, D, 24) over blocks of days and hours; (N, 6 D/days 24/hours).

    >>> pooled(np.ones((2, 6, 30, 24))).shape
    (2, 216)
    """
    n, channels, rows, columns = images.shape
    if rows % days or columns % hours:
        raise InputError("tec_scores.pooled", "days, hours", (days, hours), f"divisors of {(rows, columns)}")
    blocks = images.reshape(n, channels, rows // days, days, columns // hours, hours)
    return blocks.mean((3, 5), dtype=np.float64).reshape(n, -1)


def truth(windows: pd.DataFrame) -> np.ndarray:
    """Return 1 for the windows before earthquakes and 0 for quiet ones, int (N,)."""
    return (windows["event_id"].to_numpy() != "").astype(np.int64)


def units(windows: pd.DataFrame) -> np.ndarray:
    """Return what may be resampled: the matched set, else the quarter of a year of the window's start.

    Notes
    -----
    Earthquakes bunch and windows overlap, so that neither windows nor earthquakes are independent; intervals
    over them would be too narrow. Blocks of `UNIT_DAYS` are three windows long.
    """
    days = splits.times(windows, "start").astype(np.int64) // (UNIT_DAYS * 86_400 * 10**9)
    sets = windows["set_id"].to_numpy(str)
    return np.where(sets != "", sets, np.char.add("t", days.astype(str)))


def f107_floor(windows: pd.DataFrame, folds: list) -> np.ndarray:
    """Predict each window by the training majority of its decile of F10.7; (N,), -1 where never tested."""
    y, value = truth(windows), windows["f107"].to_numpy(float)
    found = np.full(len(y), -1)
    for train, test in folds:
        edges = np.quantile(value[train], np.arange(1, DECILES) / DECILES)
        code, seen = np.searchsorted(edges, value, "right"), np.bincount(y[train], minlength=2)
        counts = np.bincount(code[train] * 2 + y[train], minlength=2 * DECILES).reshape(-1, 2)
        found[test] = (counts + seen / (seen.sum() + 1)).argmax(1)[code[test]]
    return found


def known_floors(windows: pd.DataFrame, folds: list, seed: int) -> dict[str, np.ndarray]:
    """Predictions of every floor, (N,) each: constant, nearest date, month, F10.7, boosting on the table."""
    found = floors.floors(windows, folds, "event", seed)
    return {ours: found[theirs] for ours, theirs in FLOORS.items()} | {"F10.7": f107_floor(windows, folds)}


def predict(name: str, features: np.ndarray, y: np.ndarray, folds: list, seed: int) -> np.ndarray:
    """Out-of-fold answers of one simple model, (N,); -1 where a window is never tested.

    Parameters
    ----------
    name : {"trees", "logistic"}
        Extremely randomised trees, or a logistic regression.
    features : array, shape (N, D)
    y : array of int, shape (N,)
    folds : list of (train, test)
    seed : int

    Raises
    ------
    InputError
        For another model.
    """
    if name not in MODELS:
        raise InputError("tec_scores.predict", "model", name, ", ".join(MODELS))
    found = np.full(len(y), -1)
    for number, (train, test) in enumerate(folds):
        own = int(config.rng(seed, "tec_scores", name, number).integers(2**31))
        if name == "logistic":
            found[test] = simple_fits.probabilities(name, features, y, train, 2, own)[test].argmax(1)
        else:
            model = ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=own)
            found[test] = model.fit(features[train], y[train]).predict(features[test])
    return found


def rows(windows: pd.DataFrame, images: np.ndarray, protocol: str, models=MODELS, folds: int = 5,
         seed: int = 0, embargo_days: float = 45.0, bootstrap: int = 1000) -> list[dict]:
    """Score simple models and floors under one protocol.

    Parameters
    ----------
    windows : DataFrame
        From a design of `lib.earth.tec_designs`, N rows.
    images : array, shape (N, 6, D, 24)
    protocol, folds, embargo_days
        As in `splits.folds`.
    models : tuple of str
        Of `MODELS`.
    seed, bootstrap : int

    Returns
    -------
    list of dict
        As `score` gives them, with `protocol`, `certificate` (pairs by kind of link), `linked_share` and the
        least `gap_days`.
    """
    parts = splits.folds(windows, protocol, folds, seed, "ignore", embargo_days)
    y, features = truth(windows), pooled(images)
    answers = {name: predict(name, features, y, parts, seed) for name in models}
    found = score(windows, answers, known_floors(windows, parts, seed), seed, bootstrap)
    links = certificate(windows, parts)
    named = {"protocol": protocol, "certificate": {kind: links[kind] for kind in LINKS},
             "linked_share": links["fraction"], "gap_days": links["gap_days"]}
    return [named | row for row in found]


def score(windows: pd.DataFrame, answers: dict, floor_answers: dict, seed: int, bootstrap: int) -> list[dict]:
    """Accuracy and MCC of each answer with intervals over `units`, beside the floors.

    Returns
    -------
    list of dict
        `model`, `kind` (model or floor), `accuracy` with `low` and `high`, `mcc` with `mcc_low` and
        `mcc_high`, `constant` (share of the commoner answer), `best_floor`, `floors` (their accuracies),
        `gain` over the best floor in accuracy with a paired interval, `n_tested`, `n_units`, `n_events`.
    """
    y, unit = truth(windows), units(windows)
    tested = np.all([a >= 0 for a in (*answers.values(), *floor_answers.values())], axis=0)
    y, unit = y[tested], unit[tested]
    known = {name: float((a[tested] == y).mean()) for name, a in floor_answers.items()}
    best = max(known, key=known.get)
    n_events = int(windows["event_id"][tested].replace("", np.nan).nunique())
    found = []
    for name, answer in (answers | floor_answers).items():
        answer, other = answer[tested], floor_answers[best][tested]
        accuracy, mcc, gain = (intervals.bootstrap_confusion(
            y, answer, unit, 2, statistic, bootstrap, config.rng(seed, "tec_scores", purpose), "unit",
            y_other=against) for statistic, purpose, against in (
                (metrics.accuracy, "accuracy", None), (metrics.mcc, "mcc", None),
                (metrics.accuracy, "gain", other)))
        share = float((answer == 1).mean())
        found.append({
            "model": name, "kind": "floor" if name in floor_answers else "model",
            "accuracy": float((answer == y).mean()), "low": accuracy.low, "high": accuracy.high,
            "mcc": float(metrics.mcc(metrics.confusion(y, answer, 2))), "mcc_low": mcc.low,
            "mcc_high": mcc.high, "constant": max(share, 1 - share), "best_floor": best, "floors": known,
            "gain": float((answer == y).mean() - (other == y).mean()), "gain_low": gain.low,
            "gain_high": gain.high, "n_tested": int(tested.sum()), "n_units": accuracy.n_units,
            "n_events": n_events})
    return found
