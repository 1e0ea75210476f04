"""What a described design implies: parameters, sampling, overlap, folds (layer 4)."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import pandas as pd

from lib import splits
from lib.files import InputError
from lib.forensics.rounding import check_n


def parameter_table(shape: Sequence[int], layers: Sequence[tuple], padding: str = "same") -> pd.DataFrame:
    """Output shape and number of parameters of every layer of a plain stack.

    Proves nothing about what was trained: that the printed numbers follow says that the table describes one
    network. Biases are counted; batch normalisation, groups and branches are not known here.

    Parameters
    ----------
    shape : sequence of int
        Input, channels last: (3, 10080, 1).
    layers : sequence of tuple
        ``("conv", filters, kernel)`` with stride 1, ``("pool", kernel)`` with its own size as stride,
        ``("flatten",)``, ``("dense", units)``; a kernel has one number for each axis but the last.
    padding : str
        ``"same"`` or ``"valid"``, for convolutions; a pool drops what does not fill it.

    Returns
    -------
    DataFrame
        `layer`, `shape` (tuple), `parameters`; one row a layer.

    Raises
    ------
    InputError
        For an unknown layer, a kernel of the wrong length, a dense layer before `flatten`, or a layer that
        leaves nothing.

    Examples
    --------
    >>> parameter_table((3, 10080, 1), [("conv", 32, (3, 3)), ("pool", (1, 2))]).parameters.tolist()
    [320, 0]
    """
    if padding not in ("same", "valid"):
        raise InputError("forensics.parameter_table", "padding", padding, "same, valid")
    shape, rows = tuple(check_n(x, "shape") for x in shape), []
    for number, layer in enumerate(layers, 1):
        shape, parameters = _apply(f"layer {number}", shape, tuple(layer), padding)
        rows.append({"layer": layer[0], "shape": shape, "parameters": parameters})
    if not rows:
        raise InputError("forensics.parameter_table", "layers", layers, "one layer or more")
    return pd.DataFrame(rows)


def _apply(where, shape, layer, padding):
    """Shape and parameters of one layer on an input of this shape."""
    kind, *rest = layer
    if kind == "flatten" and not rest:
        return (prod(shape),), 0
    if kind == "dense" and len(rest) == 1 and len(shape) == 1:
        units = check_n(rest[0], f"{where}, units")
        return (units,), (shape[0] + 1) * units
    if kind in ("conv", "pool") and len(rest) == 1 + (kind == "conv") and len(rest[-1]) == len(shape) - 1:
        kernel = [check_n(x, f"{where}, kernel") for x in rest[-1]]
        if kind == "pool":
            after, channels, parameters = [a // b for a, b in zip(shape, kernel, strict=False)], shape[-1], 0
        else:
            channels = check_n(rest[0], f"{where}, filters")
            after = [a if padding == "same" else a - b + 1 for a, b in zip(shape, kernel, strict=False)]
            parameters = (prod(kernel) * shape[-1] + 1) * channels
        if min(after) >= 1:
            return (*after, channels), parameters
    raise InputError("forensics.parameter_table", where, layer,
                     f"('conv', filters, kernel), ('pool', kernel), ('flatten',) or ('dense', units) "
                     f"that takes an input of shape {shape}")


def nyquist_check(corner_hz: float, sampling_s: float) -> dict:
    """Compare a filter's corner frequency with the highest frequency that a sampling interval holds.

    Proves nothing about what was run: a corner above it cannot be meant in Hz at this rate, but the text may
    have another unit, another rate, or a corner relative to the Nyquist frequency.

    >>> nyquist_check(0.02, 60)["possible"]
    False
    """
    if not (0 < corner_hz < np.inf and 0 < sampling_s < np.inf):
        raise InputError("forensics.nyquist_check", "corner_hz, sampling_s", (corner_hz, sampling_s),
                         "positive numbers")
    nyquist = 0.5 / sampling_s
    return {"nyquist_hz": nyquist, "corner_hz": float(corner_hz), "ratio": corner_hz / nyquist,
            "possible": bool(corner_hz < nyquist)}


def window_coverage(n_windows: int, window_days: float, span_days: float, within_days: float = 0.0,
                    train_share: float = 0.8) -> dict:
    """How often windows of one series overlap, if they start at random.

    Proves nothing when windows were chosen apart from each other; then the text says so or the table of start
    times does. Starts that bunch, as aftershocks do, overlap more than this.

    Parameters
    ----------
    n_windows : int
    window_days, span_days : float
        Length of a window and of the series.
    within_days : float
        Distance at which a training window counts as near.
    train_share : float
        Share of the windows in training, 0 to 1.

    Returns
    -------
    dict
        `per_day`: windows that hold an average day; `uncovered`: Poisson probability that a day (or, for
        windows after random events, a window) has none; `near`: that a training window starts within
        `within_days` of a test window.

    Examples
    --------
    >>> round(window_coverage(1178, 30, 8401)["per_day"], 1)
    4.2
    """
    n = check_n(n_windows, "n_windows")
    if not (0 < window_days <= span_days < np.inf and 0 <= within_days < np.inf and 0 <= train_share <= 1):
        raise InputError("forensics.window_coverage", "window_days, span_days, within_days, train_share",
                         (window_days, span_days, within_days, train_share),
                         "0 < window <= span, 0 <= within, 0 <= share <= 1")
    per_day = n * window_days / span_days
    return {"per_day": per_day, "uncovered": float(np.exp(-per_day)),
            "near": float(-np.expm1(-2 * within_days * train_share * n / span_days))}


def fold_composition(groups: Sequence[tuple[str, int]], n_folds: int = 10, seed: int = 42,
                     images: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Count the groups of each class in every fold of the published splitter, from class counts alone.

    Proves nothing about the data: a printed fold table that follows from it is explained by the split. The
    order of the classes matters; another order may fit as well, and the list of groups would settle it.

    Parameters
    ----------
    groups : sequence of (class, count)
        Classes in order of first appearance.
    n_folds, seed : int
        Of protocol P1 (`lib.splits`): stratified folds over groups, as R3 with 10 and 42.
    images : mapping, optional
        Class to images of one group; adds the column `images`.

    Returns
    -------
    DataFrame
        Index `fold` from 1; a column a class, `groups`, and `images`.

    Raises
    ------
    InputError
        For counts below 1, a class twice, or more folds than the largest class has groups.

    References
    ----------
    validity.md E1.2, T-E1; systems.md 3.2.
    """
    names = [name for name, _ in groups]
    if not names or len(set(names)) < len(names) or (images is not None and set(images) != set(names)):
        raise InputError("forensics.fold_composition", "groups, images", names, "each class once, in both")
    label = np.repeat(names, [check_n(count, name) for name, count in groups])
    table = pd.DataFrame({"station": "A", "magnitude_class": label,
                          "start": np.datetime64("2000-01-01", "ns") + np.arange(label.size).astype("m8[D]")})
    parts = splits.folds(table, "P1", n_folds, seed, on_absent="ignore")
    counts = pd.DataFrame([{name: int((label[test] == name).sum()) for name in names} for _, test in parts])
    counts["groups"] = counts.sum(axis=1)
    if images is not None:
        counts["images"] = sum(counts[name] * images[name] for name in names)
    return counts.set_index(pd.RangeIndex(1, n_folds + 1, name="fold"))
