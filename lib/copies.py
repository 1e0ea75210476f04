"""Augmented copies that are stored before the split, as the published images were (layer 3).

A demonstrator of leaks: training augments online, after the split (`lib.augment`).
"""

import numpy as np
import pandas as pd

from lib.config import rng
from lib.files import InputError

GAIN = 0.05            # C9: amplitude +-5 %, in log10 power 2 log10(1 + g)
NOISE_DECADES = 0.05   # "small": a tenth of the scatter (.56) of log power in one frame [D]
MASK = 0.125           # widest stripe, share of the axis, as in lib.augment [D]
COMPONENTS = 3         # H, D, Z; further channels are coherencies, which have no gain


def render(images: np.ndarray, rows: pd.DataFrame, seed: int) -> np.ndarray:
    """Give each augmented copy a gain, noise and masks of its own; originals stay as they are.

    Parameters
    ----------
    images : array (n, C, F, T)
        log10 PSD of the rows' base records: equal for all copies of one.
    rows : DataFrame
        n rows of a windows table; a row is a copy if its window_id is not its parent_id.
    seed : int
        With the window_id it decides the copy: order and batches do not matter.

    Returns
    -------
    array (n, C, F, T)
        A new array of the same dtype.

    Raises
    ------
    InputError
        If images and rows differ in number.

    References
    ----------
    validity.md C9, E1.3 (R2: gain, noise, time and frequency masks).
    """
    _check(images, rows)
    out = np.array(images)
    for i, (name, parent) in enumerate(zip(rows.window_id, rows.parent_id, strict=True)):
        if name != parent:
            drawn = rng(seed, "copy", name)
            image = out[i].astype(float)
            image[:COMPONENTS] += 2 * np.log10(1 + drawn.uniform(-GAIN, GAIN))
            image += NOISE_DECADES * drawn.standard_normal(image.shape)
            out[i] = mask(image, drawn)
    return out


def mask(image: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """Set one stripe of frequencies and one of frames, at most `MASK` of each axis, to each channel's mean.

    Parameters
    ----------
    image : array (C, F, T)
        Not modified.
    drawn : numpy.random.Generator

    Returns
    -------
    array (C, F, T)
        At least one row and one column differ from the image unless they were at the mean.
    """
    out, mean = np.array(image), image.mean(axis=(1, 2), keepdims=True)
    for axis in (1, 2):
        length = image.shape[axis]
        width = int(drawn.integers(1, max(1, int(MASK * length)) + 1))
        first = int(drawn.integers(0, length - width + 1))
        stripe = (slice(None),) * axis + (slice(first, first + width),)
        out[stripe] = mean
    return out


def _check(images, rows):
    if np.ndim(images) != 4 or len(images) != len(rows):
        raise InputError("copies", "images", np.shape(images), f"(n, C, F, T), n = {len(rows)} rows")
