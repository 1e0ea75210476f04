"""Does a penalty tell storms from precursors, or does it only alarm less? (layer 3).

Every score is taken at one overall recall, so that a model cannot win by raising its threshold, and within
storms (Kp of 5 or more) on a ROC of their own. Two models are compared on the same resamples of the same
groups (earthquakes, quiet blocks, storms). Sources: validity.md B10, D4, D-losses; A6 for the intervals.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.metrics import check_classes

STORM_KP = 5.0        # D4
RECALL = 0.8          # D4: overall, of all event windows
MARGIN = 0.02         # area under the storm ROC: smaller differences are none that matter [D]
DEFINED = 0.95        # share of resamples that a score has to be defined on to have an interval [D]
CELLS = 4_000_000     # weights held at once: 32 MB
SCORES = ("storm_fpr", "storm_recall", "calm_fpr", "storm_auc", "storm_fpr_own", "auc")


def at_recall(truth: np.ndarray, score: np.ndarray, recall: float = RECALL) -> float:
    """Return the highest threshold at which `score >= threshold` finds at least this share of the events.

    When not to use: to choose an operating threshold on the windows that are then scored (validity.md A4).

    >>> at_recall([1, 1, 1, 1, 0], [.9, .8, .7, .2, .95], .75)
    0.7
    """
    truth, score, _ = _windows(truth, score, np.zeros(np.size(truth)))
    return float(_threshold(np.sort(score[truth])[::-1], np.ones((1, int(truth.sum()))), _share(recall))[0])


def storm_scores(truth: np.ndarray, score: np.ndarray, kp: np.ndarray, recall: float = RECALL,
                 weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Score one model in and out of storms.

    Parameters
    ----------
    truth : array of 0 and 1, shape (N,)
        1 for a window before an earthquake.
    score : array, shape (N,)
        Higher is more alarmed, on any scale.
    kp : array, shape (N,)
        Largest Kp of each window.
    recall : float
        Share of all event windows that the threshold has to find.
    weights : array, shape (B, N), optional
        How often each of B resamples holds a window; once each if not given.

    Returns
    -------
    dict of arrays of shape (B,), NaN where there is nothing to count
        `storm_fpr`, `calm_fpr`: share of quiet windows alarmed, Kp from 5 and below. `storm_recall`: share of
        event windows in storms found. `storm_auc`: area under the ROC of storm windows. `storm_fpr_own`:
        `storm_fpr` at the threshold that finds `recall` of the events *in storms*; unlike `storm_fpr`, it
        does not change if all storm scores are lowered alike. `auc`: area under the ROC of all windows.
    """
    truth, score, kp = _windows(truth, score, kp)
    recall, storm = _share(recall), kp >= STORM_KP
    weights = np.ones((1, truth.size)) if weights is None else np.atleast_2d(np.asarray(weights, float))
    if weights.shape[1] != truth.size:
        raise InputError("storm_scores", "shape of weights", weights.shape, f"(B, {truth.size})")
    order = np.argsort(-score, kind="stable")                        # the most alarmed first
    truth, score, storm, weights = truth[order], score[order], storm[order], weights[:, order]
    alarm = score >= _threshold(score[truth], weights[:, truth], recall)[:, None]
    in_storm = truth & storm
    own = score >= _threshold(score[in_storm], weights[:, in_storm], recall)[:, None]
    own_fpr = _rate(own, weights, ~truth & storm)
    own_fpr[weights[:, in_storm].sum(1) == 0] = np.nan
    return {"storm_fpr": _rate(alarm, weights, ~truth & storm),
            "storm_recall": _rate(alarm, weights, in_storm),
            "calm_fpr": _rate(alarm, weights, ~truth & ~storm),
            "storm_auc": _area(truth[storm], score[storm], weights[:, storm]),
            "storm_fpr_own": own_fpr, "auc": _area(truth, score, weights)}


def storm_roc(truth: np.ndarray, score: np.ndarray, kp: np.ndarray) -> pd.DataFrame:
    """Trace the ROC of the windows with Kp of 5 or more: `threshold`, `fpr`, `recall`, from (0, 0) to (1, 1).

    When not to use: to compare two models by eye; `compare_on_storms` has the interval of the difference.
    """
    truth, score, kp = _windows(truth, score, kp)
    truth, score = truth[kp >= STORM_KP], score[kp >= STORM_KP]
    if truth.all() or not truth.any():
        raise InputError("storm_scores.storm_roc", "storm windows", f"{truth.sum()} events of {truth.size}",
                         "some events and some quiet windows with Kp of 5 or more")
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)         # of each run of equal scores
    hit, false = (np.r_[0, np.cumsum(of[order])[last] / of.sum()] for of in (truth, ~truth))
    return pd.DataFrame({"threshold": np.r_[np.inf, score[order][last]], "fpr": false, "recall": hit})


def compare_on_storms(truth: np.ndarray, scores: Mapping[str, np.ndarray], kp: np.ndarray, groups: np.ndarray,
                      draws: int, rng: np.random.Generator, *, recall: float = RECALL, level: float = 0.95,
                      unit: str = "earthquake, quiet block or storm") -> pd.DataFrame:
    """Score models on the same windows in storms, each and against the first, with intervals over groups.

    Parameters
    ----------
    truth, kp, recall
        As in `storm_scores`.
    scores : mapping of name to array (N,)
        The first is what the others are compared with (the loss without penalty).
    groups : array, shape (N,)
        `splits.groups(windows, "event")`, or coarser.
    draws : int, 2000 unless time forbids (A6)
    rng : numpy Generator
    level : float
    unit : str
        What a group is, for the page.

    Returns
    -------
    DataFrame
        `model`, `minus` (the first model's name in rows of paired differences, else ""), `score` (of
        `SCORES`), `value`, `low`, `high`, `level`, `unit`, `n_units`, `defined` (share of resamples on which
        the score is defined). The threshold is found anew in every resample, and all models share each.
        Below 95 % defined, low and high are NaN: too few earthquakes in storms.

    Raises
    ------
    InputError
        For no model, unequal lengths, a value that is not finite, fewer than two groups, or no event.
    """
    if not scores:
        raise InputError("compare_on_storms", "scores", scores, "one model or more, by name")
    labels, codes = np.unique(np.asarray(groups), return_inverse=True)
    if codes.shape != np.shape(truth) or labels.size < 2 or draws < 2:
        raise InputError("compare_on_storms", "shape of groups, their number, draws",
                         (codes.shape, labels.size, draws),
                         f"one label for each of {np.size(truth)} windows, two groups and two draws or more")
    parts = {name: [storm_scores(truth, score, kp, recall)] for name, score in scores.items()}
    for step in np.array_split(np.arange(draws), -(-draws * codes.size // CELLS)):
        weights = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), step.size)[:, codes]
        for name, score in scores.items():
            parts[name].append(storm_scores(truth, score, kp, recall, weights))
    drawn = {name: {key: np.concatenate([part[key] for part in found]) for key in SCORES}
             for name, found in parts.items()}                       # the first value is of the sample itself
    base = next(iter(scores))
    pairs = [(name, "") for name in scores] + [(name, base) for name in scores if name != base]
    rows = []
    for name, minus in pairs:
        for key in SCORES:
            values = drawn[name][key] - (drawn[base][key] if minus else 0)
            rows.append({"model": name, "minus": minus, "score": key, "value": values[0],
                         **_limits(values[1:], level), "level": level, "unit": unit, "n_units": labels.size})
    return pd.DataFrame(rows)


def verdict(table: pd.DataFrame, model: str, margin: float = MARGIN) -> dict:
    """Say whether a model improves the storm ROC of the first one or moves along it.

    Parameters
    ----------
    table : DataFrame
        Of `compare_on_storms`.
    model : str
        Not the first.
    margin : float
        Area that does not matter: "same" needs the whole interval of the difference within it. An interval
        that holds 0 and reaches beyond is "undecided", never "same".

    Returns
    -------
    dict
        `roc`: improved, worse, same or undecided, by the difference of `storm_auc`; `storm_fpr` and
        `storm_recall`: lower, higher or undecided at the same overall recall; `sentence`.
    """
    rows = table[(table.model == model) & (table.minus != "")].set_index("score")
    if rows.empty:
        raise InputError("storm_scores.verdict", "model", model, "a model compared with the first one: "
                         + ", ".join(table.model[table.minus != ""].unique()))
    low, high = rows.low.storm_auc, rows.high.storm_auc
    roc = ("improved" if low > 0 else "worse" if high < 0 else
           "same" if -margin <= low and high <= margin else "undecided")
    moved = {key: "lower" if rows.high[key] < 0 else "higher" if rows.low[key] > 0 else "undecided"
             for key in ("storm_fpr", "storm_recall")}
    text = {"improved": "improves the storm ROC", "worse": "worsens the storm ROC",
            "same": "moves along the same storm ROC",
            "undecided": "may move along the same storm ROC or change it: the interval allows both"}[roc]
    return {"roc": roc, **moved, "sentence":
            f"{model} {text} (area {rows.value.storm_auc:+.3f}, {rows.level.iloc[0]:.0%} CI {low:+.3f} to "
            f"{high:+.3f}); at equal overall recall its storm false-positive rate changes by "
            f"{rows.value.storm_fpr:+.3f} ({rows.low.storm_fpr:+.3f} to {rows.high.storm_fpr:+.3f})"}


def _windows(truth, score, kp):
    """Return truth as bool, scores and Kp as finite floats of one length; there has to be an event."""
    truth = check_classes("truth", truth, 2) == 1
    out = [truth]
    for name, value in (("score", score), ("kp", kp)):
        value = np.asarray(value, float)
        if value.shape != truth.shape or not np.isfinite(value).all():
            raise InputError("storm_scores", name, value, f"{truth.size} finite numbers, one a window")
        out.append(value)
    if not truth.any():
        raise InputError("storm_scores", "truth", "no window before an earthquake", "at least one")
    return out


def _share(recall):
    if not 0 < recall <= 1:
        raise InputError("storm_scores", "recall", recall, "a share above 0, at most 1")
    return recall


def _threshold(score, weights, recall):
    """Highest threshold (B,) that finds the share of events, whose scores descend; inf if there is none."""
    reached = np.cumsum(weights, axis=1)
    total = reached[:, -1:] if score.size else np.zeros((len(weights), 1))
    enough = reached >= recall * total - 1e-9
    return np.where(total[:, 0] > 0, np.r_[score, np.inf][enough.argmax(1) if score.size else -1], np.inf)


def _rate(alarm, weights, of):
    """Weighted share (B,) of the chosen windows that are alarmed."""
    w = weights[:, of]
    with np.errstate(invalid="ignore"):
        return (w * alarm[:, of]).sum(1) / w.sum(1)


def _area(truth, score, weights):
    """Area under the ROC (B,), equal scores counting half; scores descend."""
    level = np.cumsum(np.r_[True, score[1:] != score[:-1]][:score.size]) - 1
    starts = np.flatnonzero(np.diff(level, prepend=-1))
    if not score.size:
        return np.full(len(weights), np.nan)
    event, quiet = (np.add.reduceat(weights * of, starts, axis=1) for of in (truth, ~truth))
    below = quiet.sum(1, keepdims=True) - np.cumsum(quiet, axis=1)
    with np.errstate(invalid="ignore"):
        return (event * (below + quiet / 2)).sum(1) / (event.sum(1) * quiet.sum(1))


def _limits(values, level):
    """Percentile limits of the resamples on which a score is defined."""
    good = values[np.isfinite(values)]
    defined = good.size / values.size
    low, high = np.quantile(good, [(1 - level) / 2, (1 + level) / 2]) if defined >= DEFINED else (np.nan,) * 2
    return {"low": float(low), "high": float(high), "defined": defined}
