"""Plots of images: spectrograms, the published pictures and Grad-CAM maps, on physical axes (layer 6).

Every function returns a `Figure` and shows nothing; `lib.report.figure` puts it on the page.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Rectangle

from lib.files import InputError
from lib.report import style

HOUR_S, MHZ = 3600.0, 1000.0


def _extent(frequency_hz, time_s):
    """Edges of an image in hours and mHz, from its pixel centres."""
    t, f = np.asarray(time_s, float) / HOUR_S, np.asarray(frequency_hz, float) * MHZ
    dt, df = (t[-1] - t[0]) / max(len(t) - 1, 1) / 2, (f[-1] - f[0]) / max(len(f) - 1, 1) / 2
    return [t[0] - dt, t[-1] + dt, f[0] - df, f[-1] + df]


def _box(ax, band_hz, hours):
    """Outline a band of frequencies, over some hours or all."""
    if band_hz is None:
        return
    (left, right), (low, high) = hours or ax.get_xlim(), (f * MHZ for f in band_hz)
    for colour, width in ((style.INK, 3.0), ("white", 1.3)):     # seen on dark and on light
        ax.add_patch(Rectangle((left, low), right - left, high - low, fill=False, edgecolor=colour,
                               linewidth=width, clip_on=False, zorder=4))


def _panels(used, n_columns):
    """Label the outer axes of panels of spectrograms: hours below, frequency on the left."""
    for i, ax in enumerate(used):
        left, right = ax.get_xlim()
        step = 2 if right - left < 13 else 6
        ax.set_xticks(np.arange(0, right + 0.2, step))
        ax.set_xlim(min(left, 0), right)
        if i % n_columns == 0:
            ax.set_ylabel("frequency (mHz)")
        if i >= len(used) - n_columns:
            ax.set_xlabel("time (h)")


def plot_spectrogram(image, frequency_hz, time_s, components: str = "HDZ", band_hz=None, hours=None,
                     label: str = "log$_{10}$ power (nT$^2$/Hz)"):
    """Draw the spectrogram of each component on one colour scale, in hours and millihertz.

    Parameters
    ----------
    image : array, shape (C, F, T)
        From `lib.stft.spectrogram`.
    frequency_hz, time_s : arrays, shapes (F,), (T,)
        Pixel centres.
    components : str
        One letter a channel drawn; further channels (phase) are left out.
    band_hz, hours : (low, high), optional
        Box to outline, for example where a signal was planted.

    Raises
    ------
    InputError
        If the axes do not fit the image.
    """
    image = np.asarray(image, float)
    if image.ndim != 3 or image.shape[1:] != (len(frequency_hz), len(time_s)) or len(image) < len(components):
        raise InputError("plot_spectrogram", "shape", image.shape,
                         f"({len(components)} or more, {len(frequency_hz)}, {len(time_s)})")
    shown = image[:len(components)]
    low, high = np.nanpercentile(shown, (1, 99.5))
    fig, axes = style.new_figure(2.9, columns=len(components), sharex=True, sharey=True)
    for ax, name, picture in zip(axes[0], components, shown, strict=True):
        drawn = ax.imshow(picture, origin="lower", aspect="auto", extent=_extent(frequency_hz, time_s),
                          vmin=low, vmax=high, cmap=style.SEQUENTIAL)
        _box(ax, band_hz, hours)
        ax.set_title(style.COMPONENT_NAMES.get(name, name))
    _panels(list(axes[0]), len(components))
    fig.colorbar(drawn, ax=list(axes[0]), label=label, pad=0.02)
    return fig


def plot_image(picture, xlabel: str, ylabel: str):
    """Draw a colour picture as it is, its pixels without units.

    Parameters
    ----------
    picture : uint8 array, shape (H, W, 3)
        First row on top.
    """
    fig, ((ax,),) = style.new_figure(3.6)
    fig.set_figwidth(3.6)
    ax.imshow(np.asarray(picture))
    ax.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel)
    return fig


def plot_gradcam(image, maps: Mapping[str, np.ndarray], frequency_hz, time_s, band_hz=None, hours=None):
    """Draw what a network looked at: mean spectrogram, then one class map a panel, on physical axes.

    Parameters
    ----------
    image : array, shape (C, F, T)
        The network's input.
    maps : mapping
        Title to map of shape (F, T), non-negative; each is scaled to its own maximum.
    frequency_hz, time_s : arrays, shapes (F,), (T,)
    band_hz, hours : (low, high), optional
        Where the signal was planted.

    Raises
    ------
    InputError
        If a map has another shape than the image.
    """
    image = np.asarray(image, float)[:3].mean(axis=0)
    for name, values in maps.items():
        if np.shape(values) != image.shape:
            raise InputError("plot_gradcam", f"map {name}", np.shape(values), f"{image.shape}")
    columns = min(1 + len(maps), 2)
    rows = -(-(1 + len(maps)) // columns)
    fig, axes = style.new_figure(0.5 + 2.0 * rows, rows=rows, columns=columns, sharex=True, sharey=True)
    used = list(axes.flat)[:1 + len(maps)]
    options = {"origin": "lower", "aspect": "auto", "extent": _extent(frequency_hz, time_s)}
    used[0].imshow(image, cmap="gray", **options)
    used[0].set_title("input")
    for ax, (name, values) in zip(used[1:], maps.items(), strict=True):
        peak = max(float(np.max(values)), np.finfo(float).tiny)
        drawn = ax.imshow(np.asarray(values) / peak, cmap=style.HEAT, vmin=0, vmax=1, **options)
        ax.set_title(name)
    for ax in used:
        _box(ax, band_hz, hours)
    for ax in list(axes.flat)[len(used):]:
        ax.remove()
    _panels(used, columns)
    if maps:
        fig.colorbar(drawn, ax=used, label="share of the map's maximum", pad=0.02)
    return fig
