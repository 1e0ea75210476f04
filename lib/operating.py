"""Precision, recall, specificity with exact limits, and precision where events are rare (layer 3).

Sources: validity.md A6 (intervals, design effect), A14 (base rate).
"""

import numpy as np
import pandas as pd

from lib import intervals
from lib.files import InputError
from lib.forecast_tests import precision_at
from lib.metrics import check_classes


def detection_table(truth: np.ndarray, predicted: np.ndarray, base_rate: float, groups: np.ndarray,
                    level: float = 0.95, unit: str = "earthquake or quiet block") -> pd.DataFrame:
    """Tabulate precision, recall and specificity, and the precision where events are as rare as in nature.

    Clopper-Pearson at the effective number of windows (`intervals.n_effective`), which is the number of
    windows where each is a group of its own. The limits of the precision at the base rate are those of recall
    and specificity together, each at level (1 + level) / 2: at least `level`, wide on purpose.

    Parameters
    ----------
    truth, predicted : array of 0 and 1, shape (N,)
    base_rate : float
        Share of station-days before an earthquake (validity.md A14).
    groups : array, shape (N,)
        `splits.groups(windows, "event")`, or coarser.
    level, unit
        Of the intervals; and what a group is, for the page.

    Returns
    -------
    DataFrame
        `score`, `value`, `low`, `high`, `n` (windows it is a share of), `n_effective`, `n_units`, `unit`.
        NaN where there is no such window (precision of no alarm).

    When not to use: with thresholds chosen on these windows; with picked quiet days for the last row.
    """
    truth, predicted = (check_classes(*pair, 2) == 1 for pair in (("truth", truth), ("predicted", predicted)))
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    if not predicted.shape == codes.shape == truth.shape:
        raise InputError("detection_table", "shapes of predicted and groups", (predicted.shape, codes.shape),
                         f"{truth.shape}, as truth")
    right, outer = truth == predicted, (1 + level) / 2
    parts = {"precision": predicted, "recall": truth, "specificity": ~truth}
    rows = [{"score": name, **_share_of(right[of], codes[of], level), "unit": unit}
            for name, of in parts.items()]
    recall, specificity = (_share_of(right[of], codes[of], outer) for of in (truth, ~truth))
    worth = {key: precision_at(recall[key], specificity[key], base_rate)["ppv"]
             if recall["n"] and specificity["n"] else np.nan for key in ("value", "low", "high")}
    count = {key: recall[key] + specificity[key] for key in ("n", "n_effective", "n_units")}
    return pd.DataFrame([*rows, {"score": "precision at base rate", **worth, **count, "unit": unit}])


def _share_of(right, codes, level):
    """Share of windows that are right, with its exact interval at the effective number."""
    if not right.size:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0, "n_effective": 0.0, "n_units": 0}
    n = intervals.n_effective(right, codes)
    found = intervals.clopper_pearson(right.mean() * n, n, "window", level)
    return {"value": float(right.mean()), "low": found.low, "high": found.high, "n": right.size,
            "n_effective": n, "n_units": np.unique(codes).size}
