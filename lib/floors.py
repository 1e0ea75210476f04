"""Floors and comparators: what a network must beat, and what stands beside it (layer 4).

A *floor* sees the windows table only, so it cannot know the physics; a score that does not beat every floor
under the same split is no evidence (validity.md A8, B1, B2, B6). A *comparator* sees the record through a
handful of simple numbers and a logistic regression (B3, B7, band power); it may well win, and then the page
says so. Everything is fitted on the training part of each fold.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as nnf
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.config import rng
from lib.files import InputError
from lib.splits import check_rows, column, start_date, times
from lib.table_checks import number
from lib.targets import DIRECTION, N_NUMBERS, applies, truth

N_BANDS = 8          # log-spaced bands of the frequency axis [D]
THUMBNAIL = 8        # pixels a side (B3)
RANDOM_WIDTHS = (16, 32, 64)   # channels of the untrained network (B7) [D]
REGULARISATION = 0.1           # C of the logistic regression: some hundred features, some hundred windows [D]
CHUNK = 64           # windows held in memory at once

Folds = list[tuple[np.ndarray, np.ndarray]]


def floors(windows: pd.DataFrame, folds: Folds, target: str, seed: int = 42) -> dict[str, np.ndarray]:
    """Predict each window from the table alone, fitted on its fold's training part.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    folds : list of (train, test)
        From `splits.folds`.
    target : str
        `magnitude` or `azimuth`.
    seed : int
        Of the boosting.

    Returns
    -------
    dict of str to array of int, shape (N,)
        `majority`; `lookup_...`: the training majority of windows with the same station, date, hour, month,
        Kp (whole units), Dst (tens of nT), or two of them, and the training majority overall for a value
        never seen; `time_adjacency`: the class of the training window nearest in time; `metadata`: boosted
        trees on all of these. -1 where a window is in no test part.

    Raises
    ------
    InputError
        For a missing column, an unknown class, or a window tested twice.
    """
    y, k, folds = *_classes(windows, target), _asked(windows, target, folds)
    keys = _keys(windows)
    start = times(windows, "start").astype(np.int64)
    table = _metadata(windows)
    code = {name: np.unique(key, return_inverse=True)[1] for name, key in keys.items()}
    rules: dict[str, Callable] = {
        "majority": lambda train, test: _lookup(np.zeros_like(y), y, k, train, test),
        **{f"lookup_{name}": lambda train, test, c=c: _lookup(c, y, k, train, test)
           for name, c in code.items()},
        "time_adjacency": lambda train, test: y[train][_nearest(start[train], start[test])],
        "metadata": lambda train, test: _boosting(table, y, train, test, seed)}
    return _over_folds(rules, folds, len(windows))


def _classes(windows, target):
    """Class index of each window (N,) and the number of classes."""
    if target == DIRECTION:
        raise InputError("floors", "target", target, "a target with classes; lib.directions has its floors")
    return truth(windows, target), N_NUMBERS[target]


def _asked(windows, target, folds):
    """Folds whose training parts hold only windows to which the target's question applies."""
    asked = applies(truth(windows, target))
    return [(train[asked[check_rows("train", train, asked.size)]], test) for train, test in folds]


def _over_folds(rules, folds, n):
    """Run each rule (train, test) -> classes on every fold and join the test parts."""
    result = {name: np.full(n, -1) for name in rules}
    tested = np.zeros(n, bool)
    for train, test in folds:
        train, test = check_rows("train", train, n), check_rows("test", test, n)
        if tested[test].any() or np.unique(test).size < test.size:
            raise InputError("floors", "folds", "a window tested twice", "test parts that are disjoint")
        tested[test] = True
        for name, rule in rules.items():
            result[name][test] = rule(train, test)
    return result


def _keys(windows):
    """Return what a lookup may know of a window, as text; a missing Kp or Dst is a value of its own."""
    station, date = column(windows, "station"), start_date(windows)
    hour = times(windows, "start").astype("datetime64[h]").astype(np.int64) % 24
    kp, dst = number(windows, "kp_max"), number(windows, "dst_min")
    one = {"station": station, "date": date, "hour": hour.astype(str), "month": np.strings.slice(date, 5, 7),
           "kp": (np.round(kp) + 0.0).astype(str), "dst": (np.round(dst / 10) + 0.0).astype(str)}   # no -0.0
    pairs = (("station", "hour"), ("station", "month"), ("station", "kp"), ("station", "date"))
    return one | {f"{a}_{b}": one[a] + "|" + one[b] for a, b in pairs}


def _lookup(code, y, k, train, test):
    """Majority of the training windows with the same code; ties, unseen codes: the commoner class overall."""
    counts = np.bincount(code[train] * k + y[train], minlength=(code.max() + 1) * k).reshape(-1, k)
    overall = np.bincount(y[train], minlength=k)
    return (counts + overall / (overall.sum() + 1)).argmax(1)[code[test]]


def _nearest(train_ns, test_ns):
    """Position in `train_ns` of the nearest time; of two as near the earlier, of two equal the first row."""
    order = np.argsort(train_ns, kind="stable")
    ordered = train_ns[order]
    after = np.minimum(np.searchsorted(ordered, test_ns), ordered.size - 1)
    before = np.maximum(after - 1, 0)
    pick = np.where(test_ns - ordered[before] <= ordered[after] - test_ns, before, after)
    return order[np.searchsorted(ordered, ordered[pick])]      # first row of equal times


def _metadata(windows):
    """Columns of the boosting, shape (N, 6): station code, hour, day of year, days since 1970, Kp, Dst."""
    start = times(windows, "start")
    days = start.astype(np.int64) / 86400e9
    year = start.astype("datetime64[Y]").astype("datetime64[ns]").astype(np.int64) / 86400e9
    station = np.unique(column(windows, "station"), return_inverse=True)[1]
    return np.column_stack([station, days % 1 * 24, days - year, days,
                            number(windows, "kp_max"), number(windows, "dst_min")])


def _boosting(table, y, train, test, seed):
    if np.unique(y[train]).size == 1:
        return np.full(test.size, y[train][0])
    few = table[:, 0].max() < 255       # scikit-learn's limit for a categorical column
    model = HistGradientBoostingClassifier(
        max_iter=30, learning_rate=0.2, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False,
        categorical_features=[0] if few else None,
        random_state=int(rng(seed, "floors", "metadata").integers(2**32)))
    return model.fit(table[train], y[train]).predict(table[test])


def features(x: np.ndarray, frequency_hz: np.ndarray, seed: int = 42) -> dict[str, np.ndarray]:
    """Reduce each spectrogram to simple numbers for `comparators`, once for all targets and protocols.

    Parameters
    ----------
    x : array or HDF5 dataset, shape (N, C, F, T)
        log10 PSD; read 64 windows at a time.
    frequency_hz : array, shape (F,)
    seed : int
        Of the random weights.

    Returns
    -------
    dict of str to array (N, D)
        `band_power`: mean of each channel in 8 log-spaced bands; `thumbnail`: 8 x 8 block means of each
        channel; `random_weights`: channel levels, and mean activations of an untrained network of three
        convolutions.

    Raises
    ------
    InputError
        For a wrong shape or a value that is not finite (the window is named).
    """
    if len(x.shape) != 4 or x.shape[2] != np.size(frequency_hz) or 0 in x.shape:
        raise InputError("floors.features", "shapes of x and frequency_hz", (x.shape, np.shape(frequency_hz)),
                         "(N, C, F, T) and (F,), none empty")
    bands = _band_weights(np.asarray(frequency_hz, float))
    kernels = _random_kernels(x.shape[1], seed)
    parts = {"band_power": [], "thumbnail": [], "random_weights": []}
    for begin in range(0, x.shape[0], CHUNK):
        chunk = np.asarray(x[begin:begin + CHUNK], np.float32)
        bad = ~np.isfinite(chunk).all((1, 2, 3))
        if bad.any():
            raise InputError("floors.features", f"window {begin + int(np.argmax(bad))}", "nan or inf",
                             "finite log10 PSD")
        parts["band_power"].append((chunk.mean(3) @ bands).reshape(len(chunk), -1))   # (n, C, F) -> (n, C*B)
        image = torch.from_numpy(chunk)
        side = min(THUMBNAIL, *chunk.shape[2:])
        parts["thumbnail"].append(nnf.adaptive_avg_pool2d(image, side).flatten(1).numpy())
        parts["random_weights"].append(_random_features(image, kernels))
    return {name: np.concatenate(part).astype(np.float64) for name, part in parts.items()}


def _band_weights(frequency_hz):
    """Weights (F, B) of the mean over each log-spaced band; bands without a row are left out, as is 0 Hz."""
    positive = frequency_hz > 0
    if not positive.any() or not np.isfinite(frequency_hz).all():
        raise InputError("floors.features", "frequency_hz", frequency_hz, "frequencies, some above 0")
    log = np.log(np.where(positive, frequency_hz, 1))
    low, high = log[positive].min(), log[positive].max()
    band = np.clip(((log - low) / max(high - low, 1e-12) * N_BANDS).astype(int), 0, N_BANDS - 1)
    weights = (band[:, None] == np.arange(N_BANDS)) & positive[:, None]
    weights = weights[:, weights.any(0)].astype(np.float32)
    return weights / weights.sum(0)


def _random_kernels(channels, seed):
    """He-normal kernels from numpy, so that they do not depend on torch's generator."""
    generator = rng(seed, "floors", "random_weights")
    widths = (channels, *RANDOM_WIDTHS)
    return [torch.from_numpy(generator.normal(0, np.sqrt(2 / (9 * a)), (b, a, 3, 3)).astype(np.float32))
            for a, b in zip(widths[:-1], widths[1:], strict=True)]


@torch.no_grad()
def _random_features(image, kernels):
    """Levels (n, C) and mean activations (n, 64) of windows freed of their level, (n, C + 64)."""
    level = image.mean((2, 3))
    out = image - level[:, :, None, None]
    for kernel in kernels:
        out = nnf.relu(nnf.conv2d(out, kernel, stride=2, padding=1))
    return torch.cat([level, out.mean((2, 3))], 1).numpy()


def comparators(x: np.ndarray | dict[str, np.ndarray], windows: pd.DataFrame, folds: Folds, target: str,
                seed: int = 42, frequency_hz: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Predict each window by logistic regression on simple features, fitted on its fold's training part.

    Parameters
    ----------
    x : array (N, C, F, T), or dict
        log10 PSD, with `frequency_hz`; or what `features` returned, to spend that time once.
    windows, folds, target, seed
        As in `floors`.
    frequency_hz : array, shape (F,)

    Returns
    -------
    dict of str to array of int, shape (N,)
        `band_power`, `thumbnail`, `random_weights`; features standardised on the training part, classes
        weighted by their inverse frequency.
    """
    found = x if isinstance(x, dict) else features(x, frequency_hz, seed)
    y, folds = truth(windows, target), _asked(windows, target, folds)
    for name, value in found.items():
        if value.shape[0] != len(windows):
            raise InputError("floors.comparators", f"rows of {name}", len(value), f"{len(windows)} windows")
    rules = {name: lambda train, test, f=value: _logistic(f, y, train, test)
             for name, value in found.items()}
    return _over_folds(rules, folds, len(windows))


def _logistic(feature, y, train, test):
    if np.unique(y[train]).size == 1:
        return np.full(test.size, y[train][0])
    model = make_pipeline(StandardScaler(), LogisticRegression(
        C=REGULARISATION, class_weight="balanced", max_iter=500, tol=1e-3))
    return model.fit(feature[train], y[train]).predict(feature[test])
