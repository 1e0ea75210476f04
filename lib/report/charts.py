"""Plots of results: scores with their floors, confusion counts, lines and bars (layer 6).

Every function returns a `Figure` and shows nothing; `lib.report.figure` puts it on the page.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from lib.files import InputError
from lib.report import style
from lib.report.scores import LABELS, check_row


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
    fig, ((ax,),) = style.new_figure(0.9 + 0.36 * len(rows))
    ax.axvline(chance, color=style.GREY, linewidth=0.8, linestyle="--")
    for y, row in enumerate(rows):
        _draw_row(ax, -y, row, colour[str(row.get(group, ""))])
    names = _varying(rows)
    ax.set(yticks=[-y for y in range(len(rows))], yticklabels=names, xlabel=label,
           ylim=(0.6 - len(rows), 0.6))
    ax.grid(True, axis="x")
    _score_legend(fig, ax, any(row.get("comparators") for row in rows))
    return fig


def _varying(rows):
    """Name each row by the labels that differ between rows."""
    keys = [k for k in LABELS if len({str(row.get(k)) for row in rows}) > 1] or [LABELS[-1]]
    return [", ".join(str(row[k]) for k in keys if k in row) for row in rows]


def _draw_row(ax, y, row, colour):
    """One line of the plot: interval, score, floors, comparators."""
    ax.plot(row["interval"], [y, y], color=colour, linewidth=2.6, solid_capstyle="round")
    ax.plot(row["score"], y, "o", color=colour, markersize=7, markeredgecolor="white", zorder=3)
    ax.plot(list(row["floors"].values()), [y] * len(row["floors"]), "|", color=style.INK, markersize=11,
            markeredgewidth=1.4, zorder=2)
    others = list((row.get("comparators") or {}).values())
    ax.plot(others, [y] * len(others), "D", color="white", markeredgecolor=style.GREY, markersize=4, zorder=2)


def _score_legend(fig, ax, comparators):
    """Explain the marks once, above the axes."""
    marks = [("o", "score, 95 % interval", style.BLUE, style.BLUE), ("|", "floors", style.INK, style.INK)]
    if comparators:
        marks.append(("D", "comparators", "white", style.GREY))
    for mark, name, face, edge in marks:
        ax.plot([], [], mark, color=face, markeredgecolor=edge, markersize=6, label=name)
    fig.legend(loc="outside upper right", ncols=len(marks))


def plot_confusion(counts, labels: Iterable[str], title: str = ""):
    """Draw confusion counts with the share of each true class as shade.

    Parameters
    ----------
    counts : array, shape (K, K)
        Rows true, columns predicted.
    labels : iterable of str
        Class names.

    Raises
    ------
    InputError
        If the table is not K by K.
    """
    counts, labels = np.asarray(counts), list(labels)
    if counts.shape != (len(labels), len(labels)):
        raise InputError("plot_confusion", "shape", counts.shape, f"({len(labels)}, {len(labels)})")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    fig, ((ax,),) = style.new_figure(0.45 * len(labels) + 1.4)
    fig.set_figwidth(min(style.WIDTH_IN, 0.6 * len(labels) + 2.4))
    drawn = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        ax.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=9,
                color="white" if share[i, j] > 0.55 else style.INK)
    ticks = range(len(labels))
    ax.set(xticks=ticks, yticks=ticks, yticklabels=labels, xlabel="predicted", ylabel="true", title=title)
    ax.set_xticklabels(labels, rotation=0 if len(labels) < 6 else 45)
    ax.spines[:].set_visible(False)
    fig.colorbar(drawn, ax=ax, label="share of the true class", shrink=0.9)
    return fig


def plot_lines(x, series: Mapping[str, np.ndarray], xlabel: str, ylabel: str, log: bool = False, bands=None):
    """Draw curves over one axis, each labelled at its right end.

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

    Raises
    ------
    InputError
        If a series has another length than `x`.
    """
    fig, ((ax,),) = style.new_figure(3.2)
    for i, (name, y) in enumerate(series.items()):
        if len(y) != len(x):
            raise InputError("plot_lines", name, len(y), f"{len(x)} values, one for each x")
        colour = style.CYCLE[i % len(style.CYCLE)]
        ax.plot(x, y, color=colour, label=name)
        if bands and name in bands:
            ax.fill_between(x, *bands[name], color=colour, alpha=0.2, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    ax.grid(True)
    if len(series) > 1:
        fig.legend(loc="outside upper right", ncols=min(len(series), 4))
    return fig


def plot_bars(values: Mapping[str, float], label: str, marks: Mapping[str, float] | None = None):
    """Draw horizontal bars with their values written at the end.

    Parameters
    ----------
    values : mapping
        Name to value.
    label : str
        What is measured, with its unit.
    marks : mapping, optional
        Name to a value marked on the same bar, for example the printed number beside the recomputed one.
    """
    fig, ((ax,),) = style.new_figure(0.8 + 0.34 * len(values))
    y = -np.arange(len(values))
    ax.barh(y, list(values.values()), height=0.6, color=style.BLUE)
    for position, value in zip(y, values.values(), strict=True):
        ax.annotate(f"{value:,.3g}", (max(value, 0), position), xytext=(5, 0), textcoords="offset points",
                    va="center", fontsize=9)
    for name, value in (marks or {}).items():
        ax.plot([value], [y[list(values).index(name)]], "|", color=style.INK, markersize=16,
                markeredgewidth=2)
    ax.set(yticks=y, yticklabels=list(values), xlabel=label)
    ax.margins(x=0.15)
    return fig
