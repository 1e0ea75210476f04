"""Plots of results: scores with their floors, confusion counts, lines and bars (layer 6).

Every function returns a `Figure` and shows nothing; `lib.report.figure` puts it on the page.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lib.files import InputError
from lib.report import labels, style
from lib.report.scores import LABELS, check_row
from lib.typography import minus


def plot_scores(rows: Iterable[Mapping], group: str = "world", label: str = "score", chance: float = 0.0):
    """Draw score and interval of every row as dot and bar, with its floors as ticks on the same line.

    Parameters
    ----------
    rows : iterable of mappings
        Score rows as `lib.report.scoreboard` takes them; `comparators` (name to score) is drawn if present.
    group : str
        Key that gives the colour.
    label : str
        Name of the metric.
    chance : float
        Value drawn as the line of no skill.

    Raises
    ------
    InputError
        For an incomplete row, or none.
    """
    rows = [check_row(row) for row in rows]
    if not rows:
        raise InputError("plot_scores", "rows", 0, "at least one row")
    groups = list(dict.fromkeys(str(row.get(group, "")) for row in rows))
    colour = {name: style.CYCLE[i % len(style.CYCLE)] for i, name in enumerate(groups)}
    fig, ((ax,),) = style.new_figure(0.9 + 0.34 * len(rows))
    for y in _shaded(rows):
        ax.axhspan(-y - 0.5, -y + 0.5, color="#eef2f6", linewidth=0, zorder=0)
    ax.axvline(chance, color=style.GREY, linewidth=0.9, linestyle="--", zorder=1)
    for y, row in enumerate(rows):
        _draw_row(ax, -y, row, colour[str(row.get(group, ""))])
    names = _varying(rows)
    ax.set(yticks=[-y for y in range(len(rows))], yticklabels=names, xlabel=label,
           ylim=(0.5 - len(rows), 0.5))
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")
    _score_legend(fig, ax, colour, any(row.get("comparators") for row in rows))
    return fig


def _shaded(rows):
    """Positions of every second protocol, where the rows have more than one."""
    protocols = list(dict.fromkeys(str(row.get("protocol")) for row in rows))
    return [y for y, row in enumerate(rows) if protocols.index(str(row.get("protocol"))) % 2]


def _varying(rows):
    """Name each row by the labels that differ between rows."""
    keys = [k for k in LABELS if len({str(row.get(k)) for row in rows}) > 1] or [LABELS[-1]]
    return [", ".join(str(row[k]) for k in keys if k in row) for row in rows]


def _draw_row(ax, y, row, colour):
    """One line of the plot: interval, score, floors, comparators."""
    ax.plot(row["interval"], [y, y], color=colour, linewidth=3, solid_capstyle="round", zorder=2)
    ax.plot(list(row["floors"].values()), [y] * len(row["floors"]), "|", color=style.INK, markersize=10,
            markeredgewidth=1.2, zorder=3)
    others = list((row.get("comparators") or {}).values())
    ax.plot(others, [y] * len(others), "D", color="white", markeredgecolor=style.INK, markersize=4.5,
            markeredgewidth=0.9, zorder=4)
    ax.plot(row["score"], y, "o", color=colour, markersize=7, markeredgecolor="white", zorder=5)


def _score_legend(fig, ax, colours, comparators):
    """Explain the marks once, above the axes: one for each colour, then floors and comparators."""
    for name, colour in colours.items():
        ax.plot([], [], "-o", color=colour, linewidth=3, markeredgecolor="white", markersize=7,
                label=f"score, {name}" if name else "score")
    marks = [("|", "floor", style.INK)] + ([("D", "comparator", "white")] if comparators else [])
    for mark, name, face in marks:
        ax.plot([], [], mark, color=face, markeredgecolor=style.INK, markersize=5 if mark == "D" else 10,
                label=name)
    fig.legend(loc="outside upper left", ncols=4, handlelength=1.5, handletextpad=0.5, columnspacing=1.3)


def plot_confusion(counts, names: Iterable[str], title: str = ""):
    """Draw confusion counts with the share of each true class as shade.

    Parameters
    ----------
    counts : array, shape (K, K)
        Rows true, columns predicted.
    names : iterable of str
        Class names.

    Raises
    ------
    InputError
        If the table is not K by K.
    """
    counts, names = np.asarray(counts), list(names)
    if counts.shape != (len(names), len(names)):
        raise InputError("plot_confusion", "shape", counts.shape, f"({len(names)}, {len(names)})")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    fig, ((ax,),) = style.new_figure(0.42 * len(names) + 1.0)
    fig.set_figwidth(min(style.WIDTH_IN, 0.8 * len(names) + 2.1))
    drawn = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(counts.shape):
        ax.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=10,
                color=_readable(drawn.cmap(float(share[i, j]))))
    ticks = range(len(names))
    ax.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names, xlabel="predicted",
           ylabel="true", title=title)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    fig.colorbar(drawn, ax=ax, label="share of the true class", shrink=0.9)
    return fig


def _readable(background):
    """Return white or ink, whichever stands out more (relative luminance of WCAG 2)."""
    def luminance(colour):
        c = np.asarray(to_rgb(colour))
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)

    behind, ink = luminance(background[:3]), luminance(style.INK)
    return "white" if 1.05 / (behind + 0.05) > (behind + 0.05) / (ink + 0.05) else style.INK


def plot_lines(x, series: Mapping[str, np.ndarray], xlabel: str, ylabel: str, log: bool = False, bands=None,
               span: tuple[float, float] | None = None):
    """Draw curves over one axis, told apart by colour and dashes and named at their right end.

    Names too long for the margin go above the axes.

    Parameters
    ----------
    x : array, shape (n,)
    series : mapping
        Name to values of shape (n,).
    xlabel, ylabel : str
        With units.
    log : bool
        Logarithmic vertical axis.
    bands : mapping, optional
        Name to (low, high) arrays, shaded in the colour of the series.
    span : (low, high), optional
        Stretch of the horizontal axis to shade, for example a band of frequencies.

    Raises
    ------
    InputError
        If a series has another length than `x`.
    """
    fig, ((ax,),) = style.new_figure(3.0)
    for i, (name, y) in enumerate(series.items()):
        if len(y) != len(x):
            raise InputError("plot_lines", name, len(y), f"{len(x)} values, one for each x")
        colour = style.CYCLE[i % len(style.CYCLE)]
        dense = len(x) > 200           # dashes of a jagged line cannot be told apart
        ax.plot(x, y, color=colour, label=name, linewidth=1.0 if dense else 1.8,
                linestyle="-" if dense else style.DASHES[i % len(style.DASHES)])
        if bands and name in bands:
            ax.fill_between(x, *bands[name], color=colour, alpha=0.2, linewidth=0)
    if span:
        ax.axvspan(*span, color="#e8edf2", linewidth=0, zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(np.min(x), np.max(x)))
    if log:
        ax.set_yscale("log")
    ax.grid(True)
    if len(series) > 1 and max(map(len, series)) <= 18:
        _name_ends(ax, series)
    elif len(series) > 1:
        fig.legend(loc="outside upper left", ncols=2)
    return fig


def _name_ends(ax, series):
    """Write each name beside the last point of its curve, in its colour."""
    low, high = ax.get_ylim()
    to_axes = ax.transData + ax.transAxes.inverted()
    right = ax.get_xlim()[1]
    ends = {name: float(to_axes.transform((right, np.asarray(y)[-1]))[1]) for name, y in series.items()}
    ax.set_ylim(low, high)
    for name, y in labels.spread(ends, 0.075, top=0.99).items():
        colour = style.CYCLE[list(series).index(name) % len(style.CYCLE)]
        ax.annotate(name, (1.015, y), xycoords="axes fraction", va="center", color=colour, fontsize=9,
                    annotation_clip=False)


def plot_bars(values: Mapping[str, float], label: str, marks: Mapping[str, float] | None = None,
              names: tuple[str, str] | None = None, intervals: Mapping[str, tuple] | None = None):
    """Draw horizontal bars with their values in a column of their own on the right.

    Parameters
    ----------
    values : mapping
        Name to value.
    label : str
        What is measured, with its unit.
    marks : mapping, optional
        Name to a value marked on the same bar, for example the printed number beside the recomputed one.
    names : (str, str), optional
        What bars and marks are, for a key above the axes.
    intervals : mapping, optional
        Name to (low, high), drawn as a line on the bar.
    """
    fig, ((ax,),) = style.new_figure((1.05 if names else 0.8) + 0.34 * len(values))
    y, marks = dict(zip(values, -np.arange(len(values)), strict=True)), marks or {}
    ax.barh(list(y.values()), list(values.values()), height=0.62, color=style.BLUE)
    for name, (low, high) in (intervals or {}).items():
        ax.hlines(y[name], low, high, color=style.INK, linewidth=1.2)
    for name, value in marks.items():
        for colour, width in (("white", 4), (style.INK, 2)):
            ax.plot([value], [y[name]], "|", color=colour, markersize=19, markeredgewidth=width)
    whole = all(float(value).is_integer() for value in values.values())
    places = 0 if whole else 2 if max(map(abs, values.values())) >= 0.15 else 3
    for name, value in values.items():
        text = minus(f"{value:,.{places}f}")
        ax.annotate(text, (1, y[name]), xycoords=ax.get_yaxis_transform(), xytext=(32, 0),
                    textcoords="offset points", va="center", ha="right", fontsize=9)
    ax.set(yticks=list(y.values()), yticklabels=list(values), xlabel=label)
    if min(values.values()) < 0:
        ax.axvline(0, color=style.GREY, linewidth=0.8)
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.03)
    if names:
        keys = [Patch(color=style.BLUE, label=names[0]),
                Line2D([], [], color=style.INK, marker="|", markersize=12, markeredgewidth=2, label=names[1],
                       linestyle="none")]
        fig.legend(handles=keys[:1 + bool(marks)], loc="outside upper left", ncols=2)
    return fig


def plot_reliability(tables: Mapping[str, object], label: str = "stated probability"):
    """Draw observed frequency against stated probability, one small panel a model, with event bands.

    Parameters
    ----------
    tables : mapping
        Name to a table of `calibration.reliability`; two or three panels stand side by side.
    label : str
        What is stated, for the horizontal axis.

    Raises
    ------
    InputError
        For no table, or one without the columns that are drawn.
    """
    needed = {"confidence", "frequency", "low", "high"}
    for name, table in tables.items():
        if not needed <= set(table):
            raise InputError("plot_reliability", f"columns of {name}", list(table), ", ".join(sorted(needed)))
    if not tables:
        raise InputError("plot_reliability", "tables", 0, "at least one")
    columns = 2 if len(tables) == 4 else min(3, len(tables))
    rows = -(-len(tables) // columns)
    fig, axes = style.new_figure(0.5 + 1.9 * rows, rows, columns, sharex=True, sharey=True)
    for i, (ax, (name, table)) in enumerate(zip(axes.flat, tables.items(), strict=False)):
        colour = style.CYCLE[i % len(style.CYCLE)]
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.9, linestyle="--")
        ax.vlines(table["confidence"], table["low"], table["high"], color=colour, linewidth=3, alpha=0.35)
        ax.plot(table["confidence"], table["frequency"], "-o", color=colour, markersize=5,
                markeredgecolor="white")
        ax.set(title=name, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=[0, 0.5, 1],
               yticks=[0, 0.5, 1])
        ax.grid(True)
    for ax in axes.flat[len(tables):]:
        ax.set_visible(False)
    fig.supxlabel(label, fontsize=10)
    fig.supylabel("observed frequency", fontsize=10)
    return fig
