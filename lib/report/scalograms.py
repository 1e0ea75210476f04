"""Plots of wavelet images and maps over time and scale, with the cone of influence (layer 6)."""

from collections.abc import Mapping

import numpy as np

from lib.files import InputError
from lib.report import style

MHZ, HOUR_S = 1000.0, 3600.0


def plot_scalogram(image, frequency_hz, time_s, cone=None, components: str = "HDZ", band_hz=None):
    """Draw the wavelet power of each component on one colour scale, frequency logarithmic.

    Parameters
    ----------
    image : array, shape (C, F, T)
        From `lib.cwt.scalogram`.
    frequency_hz, time_s : arrays, shapes (F,), (T,)
        Pixel centres; frequencies log-spaced.
    cone : bool array, shape (F, T), optional
        From `lib.cwt.cone_of_influence`; its edge is drawn, what lies inside is hatched.
    components : str
        One letter a channel.
    band_hz : (low, high), optional
        Band to mark on the frequency axis.

    Raises
    ------
    InputError
        If the axes do not fit the image.
    """
    image = np.asarray(image, float)
    low, high = np.percentile(image, (1, 99.5))
    names = [style.COMPONENT_NAMES.get(name, name) for name in components]
    panels = dict(zip(names, image, strict=True))
    return _panels(panels, frequency_hz, time_s, cone, band_hz, len(panels), 2.9,
                   "log$_{10}$ power (nT$^2$)", {"vmin": low, "vmax": high, "cmap": style.SEQUENTIAL})


def plot_maps(maps: Mapping[str, np.ndarray], frequency_hz, time_s, cone=None, band_hz=None):
    """Draw class maps over time and scale, each against its own maximum.

    Parameters
    ----------
    maps : mapping
        Title to map of shape (F, T), non-negative.
    frequency_hz, time_s, cone, band_hz
        As in `plot_scalogram`.
    """
    peaks = {name: max(float(np.max(values)), np.finfo(float).tiny) for name, values in maps.items()}
    panels = {name: np.asarray(values, float) / peaks[name] for name, values in maps.items()}
    return _panels(panels, frequency_hz, time_s, cone, band_hz, len(panels), 2.9,
                   "share of the map's maximum", {"vmin": 0, "vmax": 1, "cmap": style.HEAT})


def _panels(panels, frequency_hz, time_s, cone, band_hz, columns, height_in, label, options):
    shape = (len(frequency_hz), len(time_s))
    for name, values in panels.items():
        if values.shape != shape or (cone is not None and np.shape(cone) != shape):
            raise InputError("report.scalograms", f"shape of {name}, of the cone",
                             (values.shape, np.shape(cone)), f"{shape}, the lengths of the axes")
    fig, axes = style.new_figure(height_in, columns=columns, sharex=True, sharey=True)
    hours, mhz = np.asarray(time_s, float) / HOUR_S, np.asarray(frequency_hz, float) * MHZ
    for ax, (name, values) in zip(axes[0], panels.items(), strict=True):
        drawn = ax.pcolormesh(hours, mhz, values, shading="nearest", rasterized=True, **options)
        ax.set(title=name, yscale="log", xlabel="time (h)")
        if cone is not None:
            inside = np.asarray(cone, float)
            ax.contourf(hours, mhz, inside, levels=[0.5, 1.5], colors="none", hatches=["///"])
            for colour, width in (("white", 2.6), (style.INK, 1.0)):
                ax.contour(hours, mhz, inside, levels=[0.5], colors=colour, linewidths=width)
        for edge in band_hz or ():
            for colour, width in (("white", 2.6), (style.INK, 1.0)):
                ax.axhline(edge * MHZ, color=colour, linewidth=width, linestyle="--")
    axes[0, 0].set_ylabel("frequency (mHz)")
    fig.colorbar(drawn, ax=list(axes[0]), label=label, pad=0.02)
    return fig
