"""Pictures of electron content: the six channels of one image, and how scores of repeats spread (layer 6)."""

from collections.abc import Mapping

import numpy as np

from lib.files import InputError
from lib.report import style

NAMES = ("TEC", "median", "lower bound", "upper bound", "above the upper", "below the lower")


def plot_six_channels(image, units: str = "TECU"):
    """Draw one image, a panel a channel: days downwards, hours to the right, one colour scale for TEC.

    Parameters
    ----------
    image : array, shape (6, D, 24)
        From `lib.tec_images`: TEC, median, lower and upper bound in `units`, then the two polarities.

    Raises
    ------
    InputError
        For another shape.
    """
    image = np.asarray(image, float)
    if image.ndim != 3 or len(image) != len(NAMES):
        raise InputError("plot_six_channels", "shape", image.shape, "(6, days, hours)")
    fig, axes = style.new_figure(4.2, rows=2, columns=3, sharex=True, sharey=True)
    low, high = image[:4].min(), image[:4].max()
    extent = [0, image.shape[2], image.shape[1], 0]
    for i, (ax, name, part) in enumerate(zip(axes.flat, NAMES, image, strict=True)):
        scale = {"vmin": low, "vmax": high, "cmap": style.SEQUENTIAL} if i < 4 else {
            "vmin": 0, "vmax": max(1.0, image[4:].max()), "cmap": "Greys"}
        drawn = ax.imshow(part, aspect="auto", extent=extent, **scale)
        ax.set_title(name)
        ax.set_xticks(range(0, image.shape[2] + 1, 6))
        if i < 4:
            kept = drawn
    for ax in axes[-1]:
        ax.set_xlabel("hour (UT)")
    for ax in axes[:, 0]:
        ax.set_ylabel("day")
    fig.colorbar(kept, ax=list(axes.flat), label=f"electron content ({units})", shrink=0.9, pad=0.02)
    return fig


def plot_spread(groups: Mapping[str, object], label: str, chance: float = 0.5,
                reference: tuple[float, str] | None = None, jitter: float = 0.28):
    """Draw every value of every group as a dot on the group's line, with the mean as an upright tick.

    Parameters
    ----------
    groups : mapping
        Name to values; dots are spread by their order in steps that repeat, never at random.
    label : str
        What is measured.
    chance : float
        Drawn as a dashed line.
    reference : (value, words), optional
        A published number, drawn as a line with its words.
    jitter : float
        Half the width of a line of dots.

    Raises
    ------
    InputError
        For no group, or one without a value.
    """
    empty = [name for name, values in groups.items() if not len(values)]
    if not groups or empty:
        raise InputError("plot_spread", "groups", empty or "none", "groups with at least one value each")
    fig, ((ax,),) = style.new_figure(0.9 + 0.42 * len(groups))
    ax.axvline(chance, color=style.GREY, linewidth=0.9, linestyle="--", zorder=1, label="chance")
    if reference:
        ax.axvline(reference[0], color=style.ORANGE, linewidth=1.4, zorder=1, label=reference[1])
    for y, values in enumerate(groups.values()):
        values = np.asarray(values, float)
        offset = jitter * (np.arange(len(values)) % 5 - 2) / 2
        ax.plot(values, -y + offset, "o", color=style.BLUE, markersize=4.5, alpha=0.75, markeredgewidth=0,
                zorder=3)
        ax.plot([values.mean()] * 2, [-y - 0.4, -y + 0.4], color=style.INK, linewidth=2, zorder=4)
    ax.set(yticks=[-y for y in range(len(groups))], yticklabels=list(groups), xlabel=label,
           ylim=(0.55 - len(groups), 0.55))
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")
    ax.plot([], [], "o", color=style.BLUE, markersize=4.5, alpha=0.75, label="one run")
    ax.plot([], [], "|", color=style.INK, markersize=11, markeredgewidth=2, label="mean")
    fig.legend(loc="outside upper left", ncols=4, handlelength=1.3, handletextpad=0.5, columnspacing=1.3)
    return fig
