"""Simple models beside a network, on the same rows: fitted once, or watched epoch by epoch (layer 4)."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier

from lib.files import InputError

SIMPLE = ("logistic", "forest")
TREES = 80
STEP = 0.01                    # of the logistic regression that is trained by epochs [D]


def standardise(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Scale features (N, D) by the mean and standard deviation of the rows that are fitted on.

    >>> standardise(np.array([[0.0], [2.0], [9.0]]), [0, 1]).ravel().tolist()
    [-1.0, 1.0, 8.0]
    """
    mean, sd = features[rows].mean(0), features[rows].std(0)
    return (features - mean) / np.where(sd > 0, sd, 1)


def probabilities(name: str, features: np.ndarray, y: np.ndarray, rows: np.ndarray, k: int, seed: int
                  ) -> np.ndarray:
    """Fit one simple model on some rows and return the class probabilities of all, (N, k).

    Parameters
    ----------
    name : str
        `logistic` or `forest`; both weigh the classes equally.
    features : array, shape (N, D)
    y : array of int, shape (N,)
        Classes 0 ... k-1; one that is absent from `rows` gets probability 0.
    rows : array of int
    k, seed : int

    Raises
    ------
    InputError
        For an unknown model.
    """
    _check(name)
    z = standardise(features, rows)
    found = np.zeros((len(y), k))
    if np.unique(y[rows]).size == 1:
        found[:, y[rows][0]] = 1
        return found
    model = (LogisticRegression(C=0.1, class_weight="balanced", max_iter=500) if name == "logistic" else
             RandomForestClassifier(TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed))
    model.fit(z[rows], y[rows])
    found[:, model.classes_] = model.predict_proba(z)
    return found


def answers_by_epoch(name: str, features: np.ndarray, y: np.ndarray, rows: np.ndarray, epochs: int, seed: int
                     ) -> np.ndarray:
    """Return the answers (epochs, N) of a two-class model after each epoch of its fit.

    An epoch is a pass of the logistic regression over its rows in a new order, or `TREES` / epochs more trees
    of the forest, at least one.

    Parameters
    ----------
    name, features, rows, seed
        As in `probabilities`.
    y : array of int, shape (N,)
        0 or 1.
    epochs : int

    References
    ----------
    What choosing among them does: validity.md A4, D5.
    """
    _check(name)
    z, found = standardise(features, rows), np.empty((epochs, len(y)), np.int64)
    model = (RandomForestClassifier(1, min_samples_leaf=2, warm_start=True, random_state=seed)
             if name == "forest" else
             SGDClassifier(loss="log_loss", learning_rate="constant", eta0=STEP, random_state=seed))
    for epoch in range(epochs):
        if name == "forest":
            trees = max(epoch + 1, round(TREES * (epoch + 1) / epochs))
            model.set_params(n_estimators=trees).fit(z[rows], y[rows])
        else:
            model.partial_fit(z[rows], y[rows], classes=[0, 1])
        found[epoch] = model.predict(z)
    return found


def _check(name):
    if name not in SIMPLE:
        raise InputError("simple_fits", "model", name, ", ".join(SIMPLE))
