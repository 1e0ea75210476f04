"""Nulls that are refitted: what a whole pipeline scores when no cause can be at work (layer 4).

Unlike `intervals.permutation_test`, which asks whether given predictions know the labels, everything here
calls the caller's own fit again for every draw, so that the fitting is tested too. Source: validity.md A7.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.config import rng
from lib.duplicates import thumbnails
from lib.earth import seismicity
from lib.files import InputError
from lib.intervals import NullTest
from lib.matching import exchange
from lib.relabel import relabel, shift_catalog

__all__ = ["RenderNull", "catalog_null", "exchange_refit", "permutation_refit", "relabel", "render_null",
           "shift_catalog", "time_shift_null"]

SHIFT_DAYS = (60.0, 300.0)   # A7: keeps clustering, breaks any causal link
DRAWS = 199                  # A7: at least


def time_shift_null(score: Callable[[pd.DataFrame], float], catalog: pd.DataFrame, start, end,
                    draws: int = DRAWS, seed: int = 42, executor=None) -> NullTest:
    """Score with the catalogue, and with the catalogue moved by 60 to 300 days.

    Parameters
    ----------
    score : callable
        Takes a catalogue, labels windows by it (`relabel`, or sampling them anew), fits, and returns a
        number, larger is better. The true catalogue goes through the same call.
    catalog : DataFrame
    start, end : datetime-like
        Span of the record; a shift is at most the span less 60 days, so that no event comes back near itself.
    draws : int
        199 or more.
    seed : int
    executor : concurrent.futures.Executor, optional
        Runs the draws; `score` has to pickle.

    Returns
    -------
    NullTest
        p = (1 + number of shifted scores >= the true one) / (1 + draws).

    Raises
    ------
    InputError
        For a span under 120 days, or a score that is not a number.

    When not to use: on windows that were chosen by the true catalogue, with a score that depends on how many
    windows each class has (accuracy): the shift changes the shares. Use MCC or balanced accuracy.
    """
    span = (pd.Timestamp(end) - pd.Timestamp(start)) / pd.Timedelta(1, "D")
    low, high = SHIFT_DAYS[0], min(SHIFT_DAYS[1], span - SHIFT_DAYS[0])
    if high < low:
        raise InputError("nulls.time_shift_null", "span", f"{span:.0f} days", "120 days or more")
    days = rng(seed, "nulls", "time shift").uniform(low, high, draws)
    drawn = partial(_shifted, score, catalog, start, end)
    return _compare(score(shift_catalog(catalog, 0, start, end)), drawn, days, executor, "catalogue",
                    len(catalog), "circular shift of the catalogue by 60 to 300 days, refitted")


def _shifted(score, catalog, start, end, days):
    return score(shift_catalog(catalog, float(days), start, end))


def catalog_null(score: Callable[[pd.DataFrame], float], catalog: pd.DataFrame, start, end,
                 draws: int = DRAWS, seed: int = 42, executor=None) -> NullTest:
    """Score with the catalogue, and with simulated ETAS catalogues of the same rate in its place.

    Parameters
    ----------
    score, catalog, start, end, draws, seed, executor
        As in `time_shift_null`.

    Notes
    -----
    `lib.earth.seismicity` draws along the arcs of Indonesia; a score on other geography needs its own
    simulator and `time_shift_null` meanwhile. The rate of M >= 5 is that of the catalogue in the span.
    """
    years = (pd.Timestamp(end) - pd.Timestamp(start)) / pd.Timedelta(seismicity.DAYS_PER_YEAR, "D")
    inside = shift_catalog(catalog, 0, start, end)
    strong = int((inside["magnitude"] >= 5).sum())
    if not strong:
        raise InputError("nulls.catalog_null", "earthquakes of M >= 5 in the span", 0,
                         "one or more: they set the rate")
    seeds = rng(seed, "nulls", "catalogue").integers(2**31, size=draws)
    drawn = partial(_simulated, score, start, years, strong / years)
    return _compare(score(inside), drawn, seeds, executor, "catalogue", len(inside),
                    "simulated ETAS catalogue, refitted")


def _simulated(score, start, years, rate, seed):
    return score(seismicity.simulate_catalog(int(seed), start, years, "etas", rate_m5_per_year=rate))


def permutation_refit(score: Callable[[np.ndarray], float], labels: np.ndarray, group: np.ndarray,
                      draws: int = DRAWS, seed: int = 42, unit: str = "event", executor=None) -> NullTest:
    """Permute the labels of whole groups, fit again, and compare.

    Parameters
    ----------
    score : callable
        Takes labels (N,), fits and tests, returns a number; larger is better.
    labels : array, shape (N,)
        One label a group.
    group : array, shape (N,)
        Event or coarser, `splits.groups(windows, "event")`. scikit-learn's
        ``permutation_test_score(groups=)`` permutes inside groups, which moves nothing here (T-A7).
    draws, seed, executor
        As in `time_shift_null`.
    unit : str
        What a group is, for the page.

    Returns
    -------
    NullTest

    Raises
    ------
    InputError
        For a group with two labels (it is named), unequal lengths, or a single label.

    When not to use: where event and quiet windows were matched. Then not all groups are exchangeable, only
    the two halves of a set: `exchange_refit`.
    """
    labels, group = np.asarray(labels), np.asarray(group)
    if labels.shape != group.shape or labels.ndim != 1 or labels.size == 0:
        raise InputError("nulls.permutation_refit", "shapes of labels and group", (labels.shape, group.shape),
                         "one label and one group for each row")
    name, first, code = np.unique(group, return_index=True, return_inverse=True)
    mixed = labels != labels[first][code]
    if mixed.any():
        raise InputError("nulls.permutation_refit", f"labels of {unit} {name[code[np.argmax(mixed)]]}",
                         "more than one", "one label a group")
    if np.unique(labels).size < 2:
        raise InputError("nulls.permutation_refit", "labels", labels[0], "two different labels or more")
    drawn = partial(_permuted, score, labels[first], code, seed)
    return _compare(score(labels), drawn, range(draws), executor, unit, name.size,
                    "permutation of group labels, refitted")


def _permuted(score, of_group, code, seed, i):
    return score(rng(seed, "nulls", "permutation", i).permutation(of_group)[code])


def exchange_refit(score: Callable[[np.ndarray], float], labels: np.ndarray, unit: np.ndarray,
                   draws: int = DRAWS, seed: int = 42, executor=None) -> NullTest:
    """Exchange event and quiet windows inside matched sets, an earthquake at a time, fit again, and compare.

    Parameters
    ----------
    score : callable
        Takes labels (N,), fits and tests, returns a number; larger is better. Its folds must not tell the
        halves of a set apart: those of P2, P3 and P5 to P7 on the same table do not.
    labels : array of int, shape (N,)
        0 for quiet windows; one other class in each unit.
    unit : array, shape (N,)
        `splits.matched(windows)`: an earthquake and all quiet blocks matched to it.
    draws, seed, executor
        As in `time_shift_null`.

    Returns
    -------
    NullTest
        Exact whatever the model: under the null every exchange was as likely as the one observed. Ties count
        against the finding, so scores of few values make it conservative.

    Raises
    ------
    InputError
        For unequal lengths, or a unit that is not matched (`matching.exchange`).
    """
    labels, unit = np.asarray(labels), np.asarray(unit)
    if labels.shape != unit.shape or labels.ndim != 1 or labels.size == 0:
        raise InputError("nulls.exchange_refit", "shapes of labels and unit", (labels.shape, unit.shape),
                         "one label and one unit for each row")
    return _compare(score(labels), partial(_exchanged, score, labels, unit, seed), range(draws), executor,
                    "matched event", np.unique(unit).size, "exchange inside matched sets, refitted")


def _exchanged(score, labels, unit, seed, i):
    return score(exchange(labels, unit, rng(seed, "nulls", "exchange", i)))


def _compare(observed, drawn, jobs, executor, unit, n_units, method):
    """Run the draws and count those that reach the observed score."""
    values = np.array(list((executor.map if executor else map)(drawn, jobs)), float)
    if values.size == 0 or not np.isfinite([observed, *values]).all():
        raise InputError("nulls", f"scores of {values.size} draws", "none, or not a number",
                         "one draw or more, and a score that is defined on every one")
    reached = int((values >= observed - 1e-12).sum())          # equal up to rounding counts
    return NullTest(float(observed), (1 + reached) / (1 + values.size), values.size, unit, n_units, method)


@dataclass(frozen=True)
class RenderNull:
    """Hits of a classifier that should be at chance, and the limits within which they are."""

    hits: int
    n: int
    low: int      # binomial 99 % limits at chance 1/K
    high: int
    passed: bool


def render_null(pipelines: Mapping[str, Callable[[np.ndarray], np.ndarray]], shape: tuple[int, int],
                n: int = 400, seed: int = 42) -> RenderNull:
    """Send white noise of one distribution through each class's pipeline and try to tell the classes apart.

    Parameters
    ----------
    pipelines : mapping
        Class name to a callable that makes an image (C, F, T) or (F, T) of a record (C, T).
    shape : (int, int)
        Channels and samples of a record, for example (3, 21600).
    n : int
        Records a class; half fit the classifier, half test it.
    seed : int

    Returns
    -------
    RenderNull
        Passed if the hits of a logistic regression on block means of the images and of their squares lie
        within the binomial 99 % limits of chance.

    Raises
    ------
    InputError
        For fewer than two pipelines, fewer than 8 records, or images of different shapes.

    When not to use: as proof of equal treatment. A cue that block means do not hold stays unseen.
    """
    if len(pipelines) < 2 or n < 8:
        raise InputError("nulls.render_null", "pipelines, n", (len(pipelines), n), "two or more, 8 or more")
    generator, parts, found = rng(seed, "nulls", "render"), [], set()
    for make in pipelines.values():
        images = np.stack([np.asarray(make(generator.normal(size=shape)), float) for _ in range(n)])
        found.add(images.shape[1:])
        if len(found) > 1:
            raise InputError("nulls.render_null", "shapes of images", sorted(found),
                             "one shape for all classes")
        parts.append(np.concatenate([thumbnails(v).reshape(n, -1) for v in (images, images**2)], 1))
    y, test = np.repeat(np.arange(len(parts)), n), np.tile(np.arange(n) >= n // 2, len(parts))
    feature = np.concatenate(parts)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300, tol=1e-3))
    hits = int((model.fit(feature[~test], y[~test]).predict(feature[test]) == y[test]).sum())
    low, high = (int(v) for v in binom.interval(0.99, int(test.sum()), 1 / len(parts)))
    return RenderNull(hits, int(test.sum()), low, high, low <= hits <= high)
