"""Shortcut probes: what else can be read from the images, and does it tell the class (layer 5).

A shortcut needs two legs. The attribute (station, season, geomagnetic activity, pipeline) can be decoded from
the images, and the attribute goes with the class. One leg alone is harmless: every station has its own noise,
and a design that matches stations makes that useless. Source: validity.md A1 (L2), A8.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib import purge
from lib.config import rng
from lib.duplicates import thumbnails
from lib.intervals import bootstrap_confusion
from lib.metrics import confusion, mcc

FOLDS = 5
DATE_BLOCKS = 4
PIXELS = 8       # a side of the thumbnail that a probe sees, beside mean and spread of each channel


def attributes(windows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return integer codes (N,) of what a probe tries to decode: station, date block, Kp tercile, pipeline.

    Attributes with one value, or not given, are left out; a window without Kp has no tercile (-1).
    """
    found = {"station": np.unique(windows["station"], return_inverse=True)[1]}
    n_dates = windows["start"].dt.date.nunique()
    if n_dates >= DATE_BLOCKS:
        found["date block"] = purge.blocks(windows, DATE_BLOCKS)
    kp = windows["kp_max"].to_numpy(float)
    if np.isfinite(kp).sum() >= 3:
        edges = np.unique(np.nanquantile(kp, [1 / 3, 2 / 3]))
        found["Kp tercile"] = np.where(np.isfinite(kp), np.searchsorted(edges, kp, side="left"), -1)
    if "pipeline" in windows:
        found["pipeline"] = np.unique(windows["pipeline"], return_inverse=True)[1]
    return {name: code for name, code in found.items() if np.unique(code[code >= 0]).size > 1}


def reduce(x: np.ndarray) -> np.ndarray:
    """Return features (N, D) of images: block means, mean and spread of each channel; else x itself."""
    if len(x.shape) == 2:
        return np.asarray(x, float)
    small = thumbnails(x, PIXELS)
    level = np.array([[(np.mean(c), np.std(c)) for c in np.asarray(x[i], float).reshape(small.shape[1], -1)]
                      for i in range(x.shape[0])])
    return np.concatenate([small.reshape(len(small), -1), level.reshape(len(small), -1)], 1)


def group_folds(group: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds that keep events and quiet blocks whole (P2-like), at most five."""
    code = np.unique(group, return_inverse=True)[1]
    splitter = GroupKFold(min(FOLDS, int(code.max()) + 1), shuffle=True, random_state=0)
    return list(splitter.split(code, groups=code))


def probe(windows: pd.DataFrame, y: np.ndarray, k: int, group: np.ndarray, x: np.ndarray | None = None,
          seed: int = 42, draws: int = 1000) -> list[dict]:
    """Test both legs of each shortcut under folds by event.

    Parameters
    ----------
    windows : DataFrame
        N rows: station, start, kp_max, and pipeline where there is one.
    y : array of int, shape (N,)
        Class of each window.
    k : int
        Number of classes.
    group : array, shape (N,)
        Event or quiet block.
    x : array, shape (N, D) or (N, ..., F, T), optional
        Without it only the second leg is tested.
    seed, draws
        Of the bootstrap over groups.

    Returns
    -------
    list of dict
        `attribute`; `decoded`, `decoded_interval`: MCC of a logistic regression from x (None without x);
        `tells`, `tells_interval`: MCC of the training majority class of each value of the attribute.
    """
    feature, split, found = None if x is None else reduce(x), group_folds(group), []
    for name, code in attributes(windows).items():
        known = code >= 0
        pairs = [(a[known[a]], b[known[b]]) for a, b in split]
        row = {"attribute": name, "decoded": None, "decoded_interval": None}
        if feature is not None:
            guess = _over(pairs, code.size, lambda a, b, c=code: _decode(feature, c, a, b))
            row["decoded"], row["decoded_interval"] = scored(
                code, guess, group, int(code.max()) + 1, seed, draws)
        guess = _over(pairs, code.size, lambda a, b, c=code: _majority(c, y, k, a, b))
        row["tells"], row["tells_interval"] = scored(y, guess, group, k, seed, draws)
        found.append(row)
    return found


def scored(y: np.ndarray, guess: np.ndarray, group: np.ndarray, k: int, seed: int, draws: int
           ) -> tuple[float, list[float]]:
    """Return the MCC of the rows that have a guess (not -1), and its interval over groups."""
    rows = guess >= 0
    drawn = rng(seed, "audit", "interval")
    interval = bootstrap_confusion(y[rows], guess[rows], group[rows], k, mcc, draws, drawn)
    return float(mcc(confusion(y[rows], guess[rows], k))), [interval.low, interval.high]


def _over(pairs, n, rule):
    """Join the guesses of all test parts; -1 where there is none."""
    out = np.full(n, -1)
    for train, test in pairs:
        if train.size and test.size:
            out[test] = rule(train, test)
    return out


def _decode(feature, code, train, test):
    if np.unique(code[train]).size == 1:
        return np.full(test.size, code[train][0])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200, tol=1e-2))
    return model.fit(feature[train], code[train]).predict(feature[test])


def _majority(code, y, k, train, test):
    """Training majority class of each value; of the whole training part for ties and for a value not seen."""
    counts = np.bincount(code[train] * k + y[train], minlength=(code.max() + 1) * k).reshape(-1, k)
    overall = np.bincount(y[train], minlength=k)
    return (counts + overall / (overall.sum() + 1)).argmax(1)[code[test]]
