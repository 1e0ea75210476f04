"""Every two-class confusion matrix behind a set of rounded metrics (layer 4)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.forensics.rounding import check_n, read_share

CELLS = 3 * 10**7   # matrices that one search may try: a few seconds
FINEST = 2 * 10**8   # denominator of a printed share: keeps every product below 2^63

# name -> numerator and denominator, from tp, fp, fn, tn (whole numbers or arrays of them)
METRICS = {
    "accuracy": lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "recall": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "npv": lambda tp, fp, fn, tn: (tn, tn + fn),
    "f1": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "prevalence": lambda tp, fp, fn, tn: (tp + fn, tp + fp + fn + tn),
    "balanced_accuracy": lambda tp, fp, fn, tn: (tp * (tn + fp) + tn * (tp + fn), 2 * (tp + fn) * (tn + fp)),
}


def confusion_matrices(metrics: Mapping[str, str], n: int | range,
                       positives: int | None = None) -> pd.DataFrame:
    """Every confusion matrix of n cases whose metrics all print as given.

    Proves nothing if many matrices fit, except what all of them share. None fitting proves that the metrics
    do not describe one matrix of that size: they may be means, come from different samples, or be misprinted.
    One fitting is the matrix only if n is right. A metric with denominator 0 fits no printed number.

    Parameters
    ----------
    metrics : mapping
        Name, one of `METRICS`, to the printed text, ``"61.5%"`` or ``"0.615"``.
    n : int or range
        Number of cases, or the numbers to try, each 1 to 100 000.
    positives : int, optional
        Number of positive cases, where it is known.

    Returns
    -------
    DataFrame
        Columns `n tp fp fn tn`, one row a matrix, sorted; no row if none fits.

    Raises
    ------
    InputError
        For an unknown metric, no metric, a bad share, n < 1, more positives than cases, or more than 3e7
        matrices to try; the message says how many.

    Notes
    -----
    For each n and number of positives, recall and prevalence bound the true positives and specificity the
    true negatives; what is left is tried in full with whole numbers, so nothing is missed.

    References
    ----------
    systems.md 4.1 M6, M7.

    Examples
    --------
    >>> confusion_matrices({"precision": "61.5%", "recall": "100.0%"}, 28).to_dict("split")["data"]
    [[28, 8, 5, 0, 15], [28, 16, 10, 0, 2]]
    """
    if not metrics or set(metrics) - set(METRICS):
        raise InputError("forensics.confusion_matrices", "metrics", sorted(metrics),
                         f"at least one of {', '.join(METRICS)}")
    spans = {name: read_share(text, name) for name, text in metrics.items()}
    for name, (low, high) in spans.items():
        if max(low.denominator, high.denominator) > FINEST:
            raise InputError("forensics.confusion_matrices", name, metrics[name],
                             "at most 6 decimals of a per cent")
    sizes = n if isinstance(n, range) else range(check_n(n), n + 1)
    if not len(sizes) or check_n(min(sizes)) > max(sizes) or max(sizes) > 10**5:
        raise InputError("forensics.confusion_matrices", "n", n, "numbers of cases from 1 to 100 000")
    if positives is not None and not 0 <= positives <= min(sizes):
        raise InputError("forensics.confusion_matrices", "positives", positives,
                         f"a whole number from 0 to {min(sizes)}, the least n")
    rows, tried = [], 0
    for size in sizes:
        blocks, tried = _blocks(spans, size, positives, tried)
        rows += [row for block in blocks for row in _fitting(spans, size, *block)]
    return pd.DataFrame(rows, columns=["n", "tp", "fp", "fn", "tn"], dtype=int)


def _blocks(spans, n, positives, tried):
    """Numbers of positives with the bounds of tp and tn; refuses when too many matrices are left."""
    p = np.arange(n + 1) if positives is None else np.array([positives])
    p = p[_within(spans.get("prevalence"), p, np.full_like(p, n))] if "prevalence" in spans else p
    tp, tn = _bounds(spans.get("recall"), p), _bounds(spans.get("specificity"), n - p)
    count = np.maximum(tp[1] - tp[0] + 1, 0) * np.maximum(tn[1] - tn[0] + 1, 0)
    tried += int(count.sum()) + 100 * p.size          # a block costs about as much as 100 matrices
    if tried > CELLS:
        raise InputError("forensics.confusion_matrices", "matrices to try", f"{tried} or more, at n = {n}",
                         f"at most {CELLS}: give the positives, more metrics, or fewer n")
    keep = count > 0
    return [(int(a), int(b), int(c), int(d), int(e))
            for a, b, c, d, e in zip(p[keep], *(end[keep] for end in (*tp, *tn)), strict=True)], tried


def _bounds(span, total):
    """Least and largest number of `total` cases (array) with a share inside the interval."""
    if span is None:
        return np.zeros_like(total), total
    (a, b), (c, d) = (end.as_integer_ratio() for end in span)
    return -(-a * total // b), c * total // d


def _within(span, numerator, denominator):
    """Whether each ratio of whole numbers lies inside the interval; never where the denominator is 0."""
    (a, b), (c, d) = (end.as_integer_ratio() for end in span)
    return (denominator > 0) & (numerator * b >= a * denominator) & (numerator * d <= c * denominator)


def _fitting(spans, n, p, tp_low, tp_high, tn_low, tn_high):
    """Rows of all matrices with p positives inside the bounds that fit every metric."""
    tp, tn = np.arange(tp_low, tp_high + 1)[:, None], np.arange(tn_low, tn_high + 1)[None, :]
    fits = np.ones((tp.size, tn.size), bool)
    for name, span in spans.items():
        fits &= _within(span, *METRICS[name](tp, n - p - tn, p - tp, tn))
    i, j = np.nonzero(fits)
    return [(n, int(a), int(n - p - b), int(p - a), int(b)) for a, b in zip(tp[i, 0], tn[0, j], strict=True)]
