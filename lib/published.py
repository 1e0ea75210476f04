"""Colour images as the repositories behind the seeds feed them to a network (layer 3).

A comparator and a demonstrator of leaks, never a representation to learn from: each panel is stretched
between its own extremes, so the power level is lost, and `jet` is not monotonic in brightness.
"""

import numpy as np

from lib.files import InputError
from lib.stft import resizing_matrix

PIXELS = 224                        # S1: images of 224 x 224
PANEL_HEIGHTS = (75, 75, 74)        # three panels make 224 rows


def render_published(image: np.ndarray, layout: str = "panels") -> np.ndarray:
    """Draw log power as the published colour images, without axes.

    Parameters
    ----------
    image : array (N, 3 or more, F, T)
        Output of `lib.stft.spectrogram`, best with its preset "published"; only H, D, Z are drawn.
    layout : str
        ``"panels"``: H above D above Z in `jet`, as R2's generator draws; ``"rgb"``: R=H, G=D, B=Z,
        as R1's METHODOLOGY:84-89 says.

    Returns
    -------
    uint8 array (N, 224, 224, 3)
        Low frequencies at the bottom of each panel.

    Raises
    ------
    InputError
        For another layout, shape or a NaN.

    References
    ----------
    systems.md 1.2; validity.md B2.

    Examples
    --------
    >>> ramp = np.tile(np.arange(9.0)[:, None], (1, 3, 1, 27))   # power rises with frequency
    >>> render_published(ramp)[0, [0, 74], 0].tolist()           # red on top, blue at the bottom
    [[128, 0, 0], [0, 0, 128]]
    """
    if layout not in ("panels", "rgb"):
        raise InputError("published", "layout", layout, "panels, rgb")
    image = np.asarray(image)
    if image.ndim != 4 or image.shape[1] < 3 or not np.isfinite(image).all():
        raise InputError("published", "image", image.shape, "(N, 3 or more, F, T) without NaN")
    image = image[:, :3, ::-1].astype(np.float32)   # high frequencies on top
    low = image.min(axis=(2, 3), keepdims=True)
    span = image.max(axis=(2, 3), keepdims=True) - low
    image = (image - low) / np.where(span > 0, span, 1)
    heights = PANEL_HEIGHTS if layout == "panels" else (PIXELS,) * 3
    columns = resizing_matrix(image.shape[3], PIXELS).toarray()
    panels = [resizing_matrix(image.shape[2], height).toarray() @ image[:, c] @ columns.T
              for c, height in enumerate(heights)]
    if layout == "rgb":
        return np.round(255 * np.stack(panels, axis=-1)).astype(np.uint8)
    return jet_table()[np.round(255 * np.concatenate(panels, axis=1)).astype(np.uint8)]


def jet_table() -> np.ndarray:
    """Colour table (256, 3) of the piecewise linear colour map `jet`, uint8.

    >>> jet_table()[[0, 255]].tolist()
    [[0, 0, 128], [128, 0, 0]]
    """
    level = np.linspace(0, 1, 256)
    red = np.interp(level, [0, .35, .66, .89, 1], [0, 0, 1, 1, .5])
    green = np.interp(level, [0, .125, .375, .64, .91, 1], [0, 0, 1, 1, 0, 0])
    blue = np.interp(level, [0, .11, .34, .65, 1], [.5, 1, 1, 0, 0])
    return np.round(255 * np.stack([red, green, blue], axis=1)).astype(np.uint8)
