"""A model that updates itself, simulated: what a gate on new data does, and what no gate does (layer 4).

Study S4 expects its network "to self-update and become increasingly better trained with time". Here events
arrive one by one, a challenger is trained at intervals, and takes over either always (ungated) or only when
it has beaten the champion on events that came after both were trained.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.comparison import mcnemar_exact, sign_flip
from lib.config import rng
from lib.files import InputError

COLUMNS = ("step", "time", "n_train", "champion_from", "challenger_from", "n_test", "n_events", "difference",
           "p", "promoted", "reason", "champion_score", "challenger_score")
TESTS = ("sign_flip", "mcnemar")
DRAWS = 999


def simulate(x: np.ndarray, y: np.ndarray, time: np.ndarray, groups: np.ndarray,
             make_model: Callable[[int], object], *, every: int, first: int, gate: bool = True,
             test: str = "sign_flip", alpha: float = 0.05, trial: int | None = None, seed: int = 42
             ) -> pd.DataFrame:
    """Replay a stream of labelled windows and record every retraining and every change of model.

    At each retraining the challenger learns from all windows that have arrived. Gated, it then runs beside
    the champion for `trial` windows that neither has seen; a one-sided paired test by event decides, and the
    next challenger is trained after that. Each challenger is tested once, on windows of its own: no
    window enters two decisions, so that `alpha` holds for each. Ungated, it takes over at once.

    Parameters
    ----------
    x : array, shape (N, ...)
    y : int array, shape (N,)
    time : array, shape (N,)
        When the label of a window becomes known; any order.
    groups : array, shape (N,)
        Event, or quiet block, of each window. Windows of a group that are in the training set of either
        model do not count in their test.
    make_model : callable
        ``make_model(k)`` gives an untrained model for the k-th training, with `fit(x, y)` and
        `predict_proba(x)` whose columns follow the sorted classes of its training; a constant answer where
        there is one class. Draw its randomness from k.
    every : int
        Windows from one training to the next; ungated.
    first : int
        Windows of the first training.
    gate : bool
    test : {"sign_flip", "mcnemar"}
        Of the share of right answers. McNemar counts a group by its majority.
    alpha : float
        Level of one promotion, one-sided: only a better challenger is promoted.
    trial : int, optional
        Windows of one trial, `every` by default.
    seed : int
        Of the sign patterns.

    Returns
    -------
    DataFrame
        One row a challenger (`COLUMNS`): `time` of the decision; `champion_from`, `challenger_from` (number
        of the training each is from); `n_test` windows and `n_events` groups compared; `difference` of the
        share of right answers; `p`; `promoted`; `reason`; scores of both on those windows. Ungated rows have
        the scores on the next `every` windows, which the decision did not see. Byte for byte the same on
        every run.

    Raises
    ------
    InputError
        For lengths that differ, sizes that leave nothing to test, or an unknown test.

    When not to use: with a champion chosen, or `trial` set, after a look at this stream.
    """
    trial = every if trial is None else trial
    x, y, time, groups = _check(x, y, time, groups, every, first, trial, alpha, test)
    champion, champion_from = _train(make_model, 0, x[:first], y[:first]), 0
    rows, at, step = [], first + every, 0
    while at + trial <= len(y):
        step += 1
        challenger = _train(make_model, step, x[:at], y[:at])
        shown = at + np.flatnonzero(~np.isin(groups[at:at + trial], groups[:at]))
        right = [_answer(model, x[shown]) == y[shown] for model in (champion, challenger)]
        found = _compare(right, groups[shown], test, rng(seed, "updating", step))
        better = found["difference"] > 0 and found["p"] <= alpha
        promoted = better if gate else True
        verdict = found["reason"] or ("better" if better else "not shown to be better")
        rows.append((step, time[(at + trial if gate else at) - 1], at, champion_from, step, len(shown),
                     found["n_events"], found["difference"], found["p"], promoted,
                     verdict if gate else "no gate", *found["scores"]))
        if promoted:
            champion, champion_from = challenger, step
        at += max(every, trial) if gate else every
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _check(x, y, time, groups, every, first, trial, alpha, test):
    """Return the stream sorted by time, or say what is wrong with it."""
    x, y, time, groups = (np.asarray(value) for value in (x, y, time, groups))
    if y.ndim != 1 or not len(x) == len(y) == len(time) == len(groups):
        raise InputError("updating.simulate", "lengths of x, y, time, groups",
                         (len(x), len(y), len(time), len(groups)), "one row for each window")
    if min(every, first, trial) < 1 or first + every + trial > len(y):
        raise InputError("updating.simulate", "first + every + trial", first + every + trial,
                         f"each 1 or more, together at most the {len(y)} windows of the stream")
    if test not in TESTS or not 0 < alpha < 1:
        raise InputError("updating.simulate", "test, alpha", (test, alpha),
                         f"{' or '.join(TESTS)}, a level between 0 and 1")
    order = np.argsort(time, kind="stable")
    return x[order], y[order], time[order], groups[order]


def _train(make_model, k, x, y):
    """Model of training k and its classes; no model where there is one class only."""
    classes = np.unique(y)
    if len(classes) == 1:
        return None, classes
    model = make_model(k)
    model.fit(x, y)
    return model, classes


def _answer(trained, x):
    model, classes = trained
    if model is None or not len(x):
        return np.repeat(classes[:1], len(x))
    return classes[np.argmax(model.predict_proba(x), axis=1)]


def _compare(right, groups, test, draw):
    """One-sided paired test that the second of two models is right more often; by group."""
    champion, challenger = (np.asarray(r, float) for r in right)
    names, code = np.unique(groups, return_inverse=True)
    found = {"n_events": len(names), "difference": np.nan, "p": np.nan, "scores": (np.nan, np.nan),
             "reason": ""}
    if not len(groups):
        return found | {"reason": "no new event in the trial"}
    found |= {"difference": float((challenger - champion).mean()),
              "scores": (float(champion.mean()), float(challenger.mean()))}
    if len(names) < 2:
        return found | {"reason": "one event in the trial cannot be tested"}
    if test == "sign_flip":
        p = sign_flip(challenger - champion, groups, DRAWS, draw)["p"]
        ahead = found["difference"]
    else:
        size = np.bincount(code)
        a, b = (np.bincount(code, r) > size / 2 for r in (champion, challenger))
        ahead = int((b & ~a).sum()) - int((a & ~b).sum())
        p = mcnemar_exact(int((b & ~a).sum()), int((a & ~b).sum()), "event")["p"]
    return found | {"p": p / 2 if ahead > 0 else 1 - p / 2}


def summary(history: pd.DataFrame) -> dict:
    """Count challengers and promotions of a replay, and what the promotions brought.

    Returns
    -------
    dict
        `challengers`; `promotions`; `rate`; `gain` (mean difference of right answers over promotions, NaN
        without any; measured on the gate's own trial it is optimistic, ungated it is not); `worse`
        (promotions after which the new model did worse than the old one would have).
    """
    taken = history[history["promoted"]]
    return {"challengers": len(history), "promotions": len(taken),
            "rate": len(taken) / len(history) if len(history) else np.nan,
            "gain": float(taken["difference"].mean()) if len(taken) else np.nan,
            "worse": int((taken["difference"] < 0).sum())}


def toy_stream(n_events: int, seed: int, per_event: int = 3, n_features: int = 8, effect: float = 0.0
               ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make a stream whose truth is known: events and quiet blocks in turn by chance, `effect` in one feature.

    Parameters
    ----------
    n_events : int
        Groups of `per_event` windows that share half of their noise.
    effect : float
        Difference of the class means in feature 0, in standard deviations; 0 is the null stream.

    Returns
    -------
    x (N, n_features), y (N,) of 0 and 1, time (N,), groups (N,)
    """
    draw = rng(seed, "updating", "stream")
    label = draw.integers(2, size=n_events)
    shared = draw.normal(size=(n_events, 1, n_features))
    x = np.sqrt(0.5) * (shared + draw.normal(size=(n_events, per_event, n_features)))
    x[..., 0] += effect * (label[:, None] - 0.5)
    n = n_events * per_event
    return (x.reshape(n, n_features), np.repeat(label, per_event), np.arange(n, dtype=float),
            np.repeat(np.arange(n_events), per_event))
