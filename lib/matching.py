"""Matched sets: which windows belong to one comparison, and how its labels may change places (layer 2).

In a case-crossover design a set holds event windows and as many quiet ones of the same station, hour, season
and Kp. An earthquake has a set at each of its stations. Without a precursor, nothing but chance decides which
half of a set precedes the earthquake: that is the null hypothesis, and it is all that may be permuted.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lib.files import InputError
from lib.table_checks import column, groups


def matched(windows: pd.DataFrame, key: str = "event") -> np.ndarray:
    """Label each window with its group, groups that a matched set joins counting as one.

    An earthquake is joined with the quiet blocks of all its sets: what exchanges its labels, and is held out,
    as a whole. The labels and their order do not say which half of a set is the event.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    key : str
        `event` or `cluster`, as in `groups`.

    Returns
    -------
    array, shape (N,)
        Numbers in order of appearance; the labels of `groups` if no window has a `set_id`.
    """
    labels = groups(windows, key)
    sets = column(windows, "set_id") if "set_id" in windows else np.full(len(windows), "")
    rows = np.flatnonzero(sets != "")
    if not rows.size:
        return labels
    group = np.unique(labels, return_inverse=True)[1]
    node = group.max() + 1 + np.unique(sets[rows], return_inverse=True)[1]
    links = coo_array((np.ones(rows.size), (group[rows], node)), shape=(node.max() + 1,) * 2)
    return pd.factorize(connected_components(links, directed=False)[1][group])[0]


def exchange(labels: np.ndarray, unit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Exchange labels as a matched design allows when there is nothing to find.

    In each unit a coin decides whether event and quiet windows change places, all sets of the earthquake
    together. The class of the earthquakes (one only, for detection) is shuffled among the units.

    Parameters
    ----------
    labels : array of int, shape (N,)
        0 for quiet windows; one other class in each unit.
    unit : array, shape (N,)
        Earthquake with its matched quiet blocks, `splits.matched(windows)`.
    generator : numpy Generator

    Returns
    -------
    array of int, shape (N,)
        Exact for case-crossover sampling: of two stretches matched in all that matters, the earthquake is
        as likely to follow one as the other.

    Raises
    ------
    InputError
        For a unit without an event window, without a quiet one, or of two classes.

    References
    ----------
    validity.md A7, C9; Maclure (1991), American Journal of Epidemiology 133, 144.

    Examples
    --------
    >>> exchange([1, 0, 2, 0], ["a", "a", "b", "b"], np.random.default_rng(3)).tolist()
    [0, 1, 2, 0]
    """
    labels, unit = np.asarray(labels), np.asarray(unit)
    name, code = np.unique(unit, return_inverse=True)
    event = labels != 0
    largest, least = np.zeros(name.size, labels.dtype), np.full(name.size, np.iinfo(labels.dtype).max)
    np.maximum.at(largest, code, labels)
    np.minimum.at(least, code[event], labels[event])
    bad = (largest != least) | (np.bincount(code[~event], minlength=name.size) == 0)
    if bad.any():
        raise InputError("matching.exchange", f"labels in unit {name[np.argmax(bad)]}",
                         np.unique(labels[code == np.argmax(bad)]).tolist(),
                         "0 and one class of event in every unit: a table of matched sets")
    coin = generator.integers(2, size=name.size).astype(bool)
    return np.where(event ^ coin[code], generator.permutation(largest)[code], 0)
