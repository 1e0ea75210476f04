"""The figure that carries the book's message: score and floor against what a protocol cuts (layer 6)."""

from collections.abc import Mapping, Sequence

import numpy as np

from lib.files import InputError
from lib.report import style

TOP = 0.06        # room above the highest mark, as a share of the axis


def plot_cuts(worlds: Mapping[str, Sequence[Mapping]], cuts: Mapping[str, str], label: str):
    """Draw one panel a world: the network's score beside the best that knowing no physics gives.

    Parameters
    ----------
    worlds : mapping
        Title of a panel to the score rows of one network (`lib.evaluate.score_rows`), one a protocol.
    cuts : mapping
        Protocol to what it holds out, in the order drawn, the loosest first; two or three words a line.
    label : str
        Of the score's axis.

    Returns
    -------
    Figure
        Step of grey: the highest floor. Dot with line: score and 95 % interval.

    Raises
    ------
    InputError
        If a world lacks a protocol.
    """
    fig, axes = style.new_figure(3.5, columns=len(worlds), sharey=True)
    x = np.arange(len(cuts))
    for i, (ax, (title, rows)) in enumerate(zip(axes[0], worlds.items(), strict=True)):
        found = {row["protocol"]: row for row in rows}
        missing = [p for p in cuts if p not in found]
        if missing:
            raise InputError("plot_cuts", f"protocols of {title}", missing,
                             f"a row for each of {', '.join(cuts)}")
        chosen = [found[p] for p in cuts]
        floor = [row["floors"][row["best_floor"]] for row in chosen]
        score = np.array([row["score"] for row in chosen])
        low, high = np.transpose([row["interval"] for row in chosen])
        ax.bar(x, floor, width=0.86, color="#d5d9de", zorder=1)
        ax.hlines(floor, x - 0.43, x + 0.43, color=style.GREY, linewidth=1.6, zorder=2)
        colour = (style.BLUE, style.ORANGE)[i % 2]
        ax.vlines(x, low, high, color=colour, linewidth=3.5, zorder=3)
        ax.plot(x, score, "o", color=colour, markersize=9, markeredgecolor="white", markeredgewidth=1.2,
                zorder=4)
        ax.axhline(0, color=style.INK, linewidth=0.8, zorder=2.5)
        ax.set_title(title, fontweight="bold")
        ax.set_xticks(x, [f"{cuts[p]}\n({p})" for p in cuts], fontsize=8)
        ax.tick_params(axis="x", length=0)
        ax.set_xlim(-0.6, len(cuts) - 0.4)
    fig.supxlabel("what is held out together, from loose to strict", fontsize=10)
    axes[0][0].set_ylabel(label)
    _name(axes[0], worlds, cuts)
    low, high = axes[0][0].get_ylim()
    axes[0][0].set_ylim(low, high + TOP * (high - low))
    return fig


def _name(axes, worlds, cuts):
    """Say what the marks are: the floors in the first panel, the network where it is farthest from one."""
    for i, (ax, rows) in enumerate(zip(axes, worlds.values(), strict=True)):
        found = {row["protocol"]: row for row in rows}
        floor = [found[p]["floors"][found[p]["best_floor"]] for p in cuts]
        top = [found[p]["interval"][1] for p in cuts]
        at = int(np.argmax(np.abs(np.subtract(floor, top))))
        ax.annotate("network", (at, top[at]), xytext=(0, 5), textcoords="offset points", ha="center",
                    va="bottom", fontsize=9, color=(style.BLUE, style.ORANGE)[i % 2], fontweight="bold")
        if i == 0:
            ax.annotate("highest floor: knows dates and\nstations, but no record", (-0.43, max(floor)),
                        xytext=(0, 6), textcoords="offset points", ha="left", va="bottom", fontsize=9,
                        color=style.INK)
