"""Curves of nights, one panel above the other (layer 6)."""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from lib.files import InputError
from lib.report import style


def plot_nights(panels: Mapping[str, pd.Series | pd.DataFrame], marks: Iterable = (),
                height_in: float = 1.25):
    """Draw one panel a quantity over a common axis of dates, with earthquakes as upright lines.

    Nights without a value leave a hole in the line.

    Parameters
    ----------
    panels : mapping
        Label of the vertical axis, with unit, to one curve or several named ones, indexed by date.
    marks : iterable of datetime
        Times to mark in every panel.
    height_in : float
        Of one panel.

    Raises
    ------
    InputError
        If there is no panel, or an index is not of dates.
    """
    frames = {label: values.to_frame() if isinstance(values, pd.Series) else values
              for label, values in panels.items()}
    wrong = [label for label, frame in frames.items() if not isinstance(frame.index, pd.DatetimeIndex)]
    if wrong or not frames:
        raise InputError("plot_nights", "panels", wrong or "none", "curves indexed by dates")
    fig, axes = style.new_figure(height_in * len(frames) + 0.4, rows=len(frames), sharex=True)
    for ax, (label, frame) in zip(axes[:, 0], frames.items(), strict=True):
        for i, (name, values) in enumerate(frame.items()):
            dense = len(values) > 100
            ax.plot(frame.index, values, color=style.CYCLE[i % len(style.CYCLE)], label=str(name), marker="o",
                    markersize=1.5 if dense else 2.5, linewidth=0.8 if dense else 1.2,
                    linestyle="-" if dense else style.DASHES[i % len(style.DASHES)])
        for time in marks:
            ax.axvline(time, color=style.GREY, linewidth=0.9)
        ax.set_ylabel(label)
        ax.grid(True, axis="y")
        if frame.shape[1] > 1:
            ax.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=frame.shape[1], fontsize=8)
    locator = AutoDateLocator(maxticks=8)
    axes[-1, 0].xaxis.set_major_locator(locator)
    axes[-1, 0].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    fig.align_ylabels()
    return fig
