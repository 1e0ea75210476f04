"""Plots of the Earth: maps, catalogues, records, spectrograms and Grad-CAM maps (layer 6).

Every function returns a `Figure` and shows nothing; `lib.report.figure` puts it on the page.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.report import style

HOUR_S, MHZ = 3600.0, 1000.0


def _need(frame, columns, function):
    """Refuse a table that lacks a column."""
    missing = [c for c in columns if c not in frame]
    if missing:
        raise InputError(function, "column", missing, f"a table with {', '.join(columns)}")


def plot_map(stations: pd.DataFrame, catalog: pd.DataFrame | None = None):
    """Draw stations and epicentres on plain longitude and latitude, scaled true at the mean latitude.

    Parameters
    ----------
    stations : DataFrame
        Columns code, latitude, longitude (degrees).
    catalog : DataFrame, optional
        Columns latitude, longitude, magnitude, depth_km. Area grows with magnitude, colour with depth.

    Raises
    ------
    InputError
        If a column is missing.
    """
    _need(stations, ("code", "latitude", "longitude"), "plot_map")
    given = [frame[["longitude", "latitude"]] for frame in (stations, catalog) if frame is not None]
    points = pd.concat(given)
    wide, high = np.maximum(np.ptp(points.to_numpy(), axis=0), 1)
    fig, ((ax,),) = style.new_figure(float(np.clip(4.9 * high / wide, 1.2, 5.5)) + 0.7)
    if catalog is not None and len(catalog):
        _need(catalog, ("latitude", "longitude", "magnitude", "depth_km"), "plot_map")
        size = 2.0 ** (2 * (catalog["magnitude"] - 4.5)) * 6     # area doubles every half unit
        dots = ax.scatter(catalog["longitude"], catalog["latitude"], s=size, c=catalog["depth_km"],
                          cmap="viridis_r", alpha=0.6, linewidths=0, rasterized=True)
        fig.colorbar(dots, ax=ax, label="depth (km)")
    ax.plot(stations["longitude"], stations["latitude"], "^", color=style.INK, markersize=6,
            markeredgecolor="white", markeredgewidth=0.6)
    for code, x, y in zip(stations["code"], stations["longitude"], stations["latitude"], strict=True):
        ax.annotate(code, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7)
    ax.set_aspect(1 / np.cos(np.radians(stations["latitude"].mean())), adjustable="datalim")
    ax.set(xlabel="longitude (°E)", ylabel="latitude (°N)")
    ax.grid(True)
    return fig


def plot_catalog(catalog: pd.DataFrame):
    """Draw magnitude against time, one stem an earthquake.

    Parameters
    ----------
    catalog : DataFrame
        Columns time, magnitude.

    Raises
    ------
    InputError
        If a column is missing or no earthquake is left.
    """
    _need(catalog, ("time", "magnitude"), "plot_catalog")
    if catalog.empty:
        raise InputError("plot_catalog", "rows", 0, "at least one earthquake")
    fig, ((ax,),) = style.new_figure(2.6)
    base = catalog["magnitude"].min() - 0.2
    ax.vlines(catalog["time"], base, catalog["magnitude"], color=style.GREY, linewidth=0.6)
    ax.plot(catalog["time"], catalog["magnitude"], "o", color=style.BLUE, markersize=3)
    ax.set(xlabel="time (UTC)", ylabel="magnitude", ylim=(base, None))
    return fig


def plot_radii(laws: Mapping[str, Callable], magnitudes=None, points: pd.DataFrame | None = None):
    """Draw the detectability radius against magnitude, one labelled curve a law.

    Parameters
    ----------
    laws : mapping
        Name to function of magnitude that returns kilometres (`lib.earth.stations.DETECTABILITY`).
    magnitudes : array, optional
        Defaults to 4 to 8.
    points : DataFrame, optional
        Columns magnitude, distance_km: event-station pairs drawn behind the curves.
    """
    m = np.linspace(4, 8, 81) if magnitudes is None else np.asarray(magnitudes, float)
    fig, ((ax,),) = style.new_figure(3.4)
    if points is not None:
        ax.plot(points["magnitude"], points["distance_km"], ".", color="#bbbbbb", markersize=3,
                rasterized=True)
    ends = {}
    for (name, law), colour in zip(laws.items(), _colours(len(laws)), strict=True):
        radius = np.broadcast_to(np.asarray(law(m), float), m.shape)
        shown = np.where(radius > 0, radius, np.nan)
        ax.semilogy(m, shown, color=colour)
        last = np.flatnonzero(np.isfinite(shown))[-1]
        ends[name] = (m[last], np.log10(shown[last]), colour)
    ax.set(xlabel="magnitude", ylabel="distance (km)", xlim=(m[0], m[-1]))
    low, high = np.log10(ax.get_ylim())
    for name, y in _spread({k: v[1] for k, v in ends.items()}, 0.055 * (high - low)).items():
        x = (ends[name][0] - m[0]) / (m[-1] - m[0])
        ax.annotate(name.replace("_", "–").title(), (x + 0.01, (y - low) / (high - low)),
                    xycoords="axes fraction", va="center", color=ends[name][2], fontsize=9,
                    annotation_clip=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    ax.grid(True)
    return fig


def _colours(n):
    return [style.CYCLE[i % len(style.CYCLE)] for i in range(n)]


def _spread(positions, gap):
    """Move labels up just enough that neighbours are `gap` apart."""
    placed, last = {}, -np.inf
    for name in sorted(positions, key=positions.get):
        last = placed[name] = max(positions[name], last + gap)
    return placed


def plot_record(record, sampling_s: float = 1.0, components: str = "HDZ"):
    """Draw three panels, one a component, each about its own median.

    Parameters
    ----------
    record : xarray.Dataset or array, shape (C, n)
        Field in nT; a Dataset brings its UTC axis, an array is drawn against hours.
    sampling_s : float
        Sampling interval of an array, in seconds.
    components : str
        One letter a channel.

    Raises
    ------
    InputError
        If an array has another number of channels.
    """
    if hasattr(record, "data_vars"):
        time, label = record["time"].values, "time (UTC)"
        values = np.stack([record[c].values for c in components])
    else:
        values = np.asarray(record, float)
        if values.ndim != 2 or len(values) != len(components):
            raise InputError("plot_record", "shape", values.shape, f"({len(components)}, n)")
        time, label = np.arange(values.shape[1]) * sampling_s / HOUR_S, "time (h)"
    fig, axes = style.new_figure(1.2 * len(components) + 0.6, rows=len(components), sharex=True)
    for ax, name, y in zip(axes[:, 0], components, values, strict=True):
        middle = np.nanmedian(y) if np.isfinite(y).any() else 0.0
        ax.plot(time, y - middle, color=style.COMPONENT_COLOURS.get(name, style.INK), linewidth=0.7,
                rasterized=True)
        ax.set_ylabel(f"{name} (nT)")
        ax.set_title(f"{name}, about its median of {middle:,.1f} nT", fontsize=9)
    axes[-1, 0].set_xlabel(label)
    fig.align_ylabels()
    return fig


def _extent(frequency_hz, time_s):
    """Edges of an image in hours and mHz, from its pixel centres."""
    t, f = np.asarray(time_s, float) / HOUR_S, np.asarray(frequency_hz, float) * MHZ
    dt, df = (t[-1] - t[0]) / max(len(t) - 1, 1) / 2, (f[-1] - f[0]) / max(len(f) - 1, 1) / 2
    return [t[0] - dt, t[-1] + dt, f[0] - df, f[-1] + df]


def _box(ax, band_hz, hours):
    """Outline a band of frequencies, over some hours or all."""
    if band_hz is None:
        return
    left, right = hours or ax.get_xlim()
    low, high = (f * MHZ for f in band_hz)
    ax.plot([left, right, right, left, left], [low, low, high, high, low], color="white", linewidth=2.4)
    ax.plot([left, right, right, left, left], [low, low, high, high, low], color=style.ORANGE, linewidth=1.2)


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
    fig, axes = style.new_figure(2.9, columns=len(components), sharey=True)
    for ax, name, picture in zip(axes[0], components, shown, strict=True):
        drawn = ax.imshow(picture, origin="lower", aspect="auto", extent=_extent(frequency_hz, time_s),
                          vmin=low, vmax=high, cmap=style.SEQUENTIAL)
        _box(ax, band_hz, hours)
        ax.set(title=name, xlabel="time (h)")
    axes[0, 0].set_ylabel("frequency (mHz)")
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
    fig, axes = style.new_figure(2.9, columns=1 + len(maps), sharey=True)
    extent = _extent(frequency_hz, time_s)
    options = {"origin": "lower", "aspect": "auto", "extent": extent}
    axes[0, 0].imshow(image, cmap="gray", **options)
    axes[0, 0].set(title="input", ylabel="frequency (mHz)")
    for ax, (name, values) in zip(axes[0, 1:], maps.items(), strict=True):
        peak = max(float(np.max(values)), np.finfo(float).tiny)
        drawn = ax.imshow(np.asarray(values) / peak, cmap=style.HEAT, vmin=0, vmax=1, **options)
        ax.set_title(name)
    for ax in axes[0]:
        _box(ax, band_hz, hours)
        ax.set_xlabel("time (h)")
    if maps:
        fig.colorbar(drawn, ax=list(axes[0]), label="share of the map's maximum", pad=0.02)
    return fig
