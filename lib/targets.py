"""What a network is asked: the targets, their truth in a windows table, their answer in numbers (layer 2).

A class target answers with a probability a class. The target `direction` answers with a vector towards the
epicentre, east and north; its truth is the bearing in degrees. A window to which a question does not apply,
the bearing of a quiet window for example, has truth -1 (class) or NaN (direction): it is neither trained on
nor scored.
"""

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.studies import CLASSES, MAGNITUDE_CLASSES
from lib.table_checks import column, number

DIRECTION = "direction"
TARGETS: dict[str, tuple[str, ...] | None] = CLASSES | {
    "event": ("quiet", "event"),                       # S2 to S4: is an earthquake near
    "event_magnitude": MAGNITUDE_CLASSES[1:],          # S2: three classes, asked of event windows only
    DIRECTION: None}                                   # S2: unit vector
N_NUMBERS = {name: len(classes) if classes else 2 for name, classes in TARGETS.items()}


def check(names, source: str = "study") -> None:
    """Refuse a target that is not one, and a study without any."""
    for name in names or [names]:
        if name not in TARGETS:
            raise InputError(source, "targets", name, ", ".join(TARGETS))


def truth(windows: pd.DataFrame, target: str, source="windows table") -> np.ndarray:
    """Return the truth of every window.

    Parameters
    ----------
    windows : DataFrame
        The windows table, N rows.
    target : str
        A key of `TARGETS`.
    source : str or Path
        Named in errors.

    Returns
    -------
    int64 array (N,), or float64 array (N,) for `direction`
        Class index, -1 where the question does not apply; degrees clockwise from north, NaN there.

    Raises
    ------
    InputError
        For an unknown target, a missing column or an unknown class name.

    Examples
    --------
    >>> truth(pd.DataFrame({"event_id": ["", "e1"]}), "event").tolist()
    [0, 1]
    """
    check([target], source)
    if target == "event":
        return (column(windows, "event_id") != "").astype(np.int64)
    if target == DIRECTION:
        return number(windows, "azimuth_deg")
    name = "magnitude_class" if target == "event_magnitude" else f"{target}_class"
    names, classes = column(windows, name), TARGETS[target]
    match = names[:, None] == np.array(classes)
    known = match.any(1) | ((names == MAGNITUDE_CLASSES[0]) & (target == "event_magnitude"))
    if not known.all():
        row = int(np.argmin(known))
        raise InputError(source, f"{name}, row {row}", str(names[row]), ", ".join(classes))
    return np.where(match.any(1), match.argmax(1), -1).astype(np.int64)


def applies(values: np.ndarray) -> np.ndarray:
    """Say to which windows the question applies: class indices from 0, bearings that are numbers; (N,)."""
    values = np.asarray(values)
    return np.isfinite(values) if values.dtype.kind == "f" else values >= 0


def answer(numbers: np.ndarray, target: str) -> np.ndarray:
    """Turn stored numbers (N, K) into answers (N,): the likeliest class, or degrees in 0 to 360.

    >>> answer(np.array([[1.0, 0.0]]), "direction").tolist()
    [90.0]
    """
    if target != DIRECTION:
        return numbers.argmax(1)
    degrees = np.degrees(np.arctan2(numbers[:, 0], numbers[:, 1])) % 360
    return np.where(degrees >= 360, 0.0, degrees)      # -1e-17 % 360 is 360


def belong(numbers: np.ndarray, target: str) -> np.ndarray:
    """Say which rows (N, K) can be an answer: probabilities that sum to 1, or a vector of length 1; (N,)."""
    finite = np.isfinite(numbers).all(1)
    size = np.hypot(*numbers.T) if target == DIRECTION else numbers.sum(1)
    return finite & (np.abs(size - 1) < 1e-3)
