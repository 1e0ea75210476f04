"""Plots of the Earth: maps, catalogues, radii and records (layer 6).

Every function returns a `Figure` and shows nothing; `lib.report.figure` puts it on the page.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.report import labels, style
from lib.typography import minus

HOUR_S = 3600.0


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
    fig, ((ax,),) = style.new_figure(float(np.clip(4.9 * high / wide, 1.2, 5.5)) + 1.2)
    if catalog is not None and len(catalog):
        _need(catalog, ("latitude", "longitude", "magnitude", "depth_km"), "plot_map")
        _epicentres(fig, ax, catalog)
    ax.plot(stations["longitude"], stations["latitude"], "^", color=style.INK, markersize=6,
            markeredgecolor="white", markeredgewidth=0.7, label="station")
    ax.set_aspect(1 / np.cos(np.radians(stations["latitude"].mean())), adjustable="datalim")
    ax.set(xlabel="longitude (°E)", ylabel="latitude (°N)")
    ax.grid(True)
    fig.legend(loc="outside upper left", ncols=5, handletextpad=0.7, columnspacing=1.5)
    labels.beside(fig, ax, stations["longitude"], stations["latitude"], stations["code"])
    return fig


def _epicentres(fig, ax, catalog):
    """Draw large earthquakes first, so that they hide no small one, and say what sizes and colours mean."""
    def size(m):
        return 7 * 2.0 ** (1.5 * (m - 4.5))

    ordered = catalog.sort_values("magnitude", ascending=False)
    dots = ax.scatter(ordered["longitude"], ordered["latitude"], s=size(ordered["magnitude"]),
                      c=ordered["depth_km"], cmap="viridis_r", alpha=0.65, linewidths=0.4,
                      edgecolors=style.GREY, rasterized=True)
    fig.colorbar(dots, ax=ax, label="depth (km)", location="bottom", shrink=0.6, aspect=40)
    low, high = int(np.ceil(ordered["magnitude"].min())), int(ordered["magnitude"].max())
    for m in range(low, min(high, 8) + 1)[-3:]:     # a circle of magnitude 9 has no room above the map
        ax.scatter([], [], s=size(m), color="none", edgecolors=style.GREY, label=f"M {m}")


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
        ax.semilogy(m, shown, color=colour, linewidth=2)
        last = np.flatnonzero(np.isfinite(shown))[-1]
        words = name.replace("_", "–").title() + (f"\n{radius[0]:,.0f} km" if np.ptp(radius) == 0 else "")
        ends[words] = (m[last], np.log10(shown[last]), colour)
    ax.set(xlabel="magnitude", ylabel="distance (km)", xlim=(m[0], m[-1]))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    low, high = np.log10(ax.get_ylim())
    for name, y in labels.spread({k: v[1] for k, v in ends.items()}, 0.08 * (high - low)).items():
        x = (ends[name][0] - m[0]) / (m[-1] - m[0])
        ax.annotate(name, (x + 0.012, (y - low) / (high - low)), xycoords="axes fraction", va="center",
                    color=ends[name][2], fontsize=9, annotation_clip=False, path_effects=labels.halo(3))
    ax.grid(True)
    return fig


def _colours(n):
    return [style.CYCLE[i % len(style.CYCLE)] for i in range(n)]


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
    fig, axes = style.new_figure(1.15 * len(components) + 0.6, rows=len(components), sharex=True)
    for ax, name, y in zip(axes[:, 0], components, values, strict=True):
        middle = np.nanmedian(y) if np.isfinite(y).any() else 0.0
        ax.plot(time, y - middle, color=style.COMPONENT_COLOURS.get(name, style.INK), linewidth=0.7,
                rasterized=True)
        ax.set_ylabel(f"{name} (nT)")
        if abs(middle) >= 0.05:      # a record without its level needs no word about it
            level = minus(f"{middle:,.1f}")
            ax.set_title(f"{name}, about its median of {level} nT", fontsize=9)
        ax.margins(x=0)
    axes[-1, 0].set_xlabel(label)
    if label == "time (h)":
        _hours(axes[-1, 0])
    fig.align_ylabels()
    return fig


def _hours(ax):
    """Mark whole hours as clocks do: six of a day, every second of six hours."""
    low, high = ax.get_xlim()
    step = next((s for s in (1, 2, 4, 6, 12) if (high - low) / s <= 6.5), 24)
    ax.set_xlim(low, high if abs(high - round(high)) > 0.01 else round(high))
    ax.set_xticks(np.arange(np.ceil(low / step - 0.01) * step, high + 0.01 * step, step))
