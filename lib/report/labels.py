"""Words inside figures: where they go, and how they stay readable over data (layer 6)."""

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

# offset in points and alignment of a label beside its mark, in the order of preference
BESIDE = ((5, 0, "left", "center"), (0, 5, "center", "bottom"), (0, -5, "center", "top"),
          (-5, 0, "right", "center"), (4, 4, "left", "bottom"), (4, -4, "left", "top"),
          (-4, 4, "right", "bottom"), (-4, -4, "right", "top"), (12, 10, "left", "bottom"),
          (-12, -10, "right", "top"), (12, -10, "left", "top"), (-12, 10, "right", "bottom"))
FAR = 10    # points; a label farther off gets a line to its mark


def halo(width: float = 2.2) -> list:
    """Return the path effects of a white outline, which keeps words readable over data."""
    return [effects.withStroke(linewidth=width, foreground="white")]


def spread(positions: dict, gap: float, top: float = np.inf) -> dict:
    """Move positions just enough that neighbours are `gap` apart: up, or down below `top`.

    >>> spread({"a": 0.0, "b": 0.25}, 0.5)
    {'a': 0.0, 'b': 0.5}
    >>> spread({"a": 0.75, "b": 1.0}, 0.5, top=1.0)
    {'a': 0.5, 'b': 1.0}
    """
    placed, last = {}, -np.inf
    for name in sorted(positions, key=positions.get):
        last = placed[name] = max(positions[name], last + gap)
    for name in reversed(list(placed)):
        placed[name] = min(placed[name], top)
        top = placed[name] - gap
    return placed


def beside(fig, ax, x, y, names, fontsize: float = 8) -> list:
    """Write a name beside each mark, on the side where it covers no other name and the fewest marks.

    Parameters
    ----------
    fig, ax : Figure, Axes
        With their limits set: places are chosen for the size at which the figure is drawn now.
    x, y : arrays, shape (n,)
        Marks in data coordinates.
    names : iterable of str
    fontsize : float

    Returns
    -------
    list of Annotation
    """
    fig.draw_without_rendering()
    renderer = FigureCanvasAgg(fig).get_renderer()
    marks = ax.transData.transform(np.column_stack([x, y]))
    places = list(zip(x, y, strict=True))
    written = [ax.annotate(name, at, xytext=(0, 0), textcoords="offset points", fontsize=fontsize,
                           path_effects=halo()) for name, at in zip(names, places, strict=True)]
    boxes = [_candidates(words.get_window_extent(renderer), mark, fig.dpi / 72)
             for words, mark in zip(written, marks, strict=True)]
    for words, at, best in zip(written, places, _choose(boxes, marks), strict=True):
        dx, dy, across, up = BESIDE[best]
        words.set(position=(dx, dy), ha=across, va=up)
        if abs(dx) > FAR:
            ax.annotate("", at, xytext=(dx, dy), textcoords="offset points", zorder=1,
                        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": "#222222"})
    return written


def _candidates(size, mark, scale):
    """Boxes (left, low, right, high) in pixels of one name at every place of `BESIDE`."""
    found = []
    for dx, dy, across, up in BESIDE:
        left = mark[0] + dx * scale - size.width * {"left": 0, "center": 0.5, "right": 1}[across]
        low = mark[1] + dy * scale - size.height * {"bottom": 0, "center": 0.5, "top": 1}[up]
        found.append((left, low, left + size.width, low + size.height))
    return found


def _choose(boxes, marks, sweeps=4):
    """Give each name its best place, given those of the others; of several orders keep the best outcome."""
    fixed = [[10 * _covers(box, marks, 3) + 0.2 * i for i, box in enumerate(row)] for row in boxes]
    across = np.argsort(marks[:, 0])
    outcomes = []
    for order in (across, across[::-1], np.argsort(marks[:, 1])):
        chosen = {}
        for k in [*order] * sweeps:
            others = [boxes[j][c] for j, c in chosen.items() if j != k]
            cost = [f + 100 * _overlaps(box, others) for f, box in zip(fixed[k], boxes[k], strict=True)]
            chosen[k] = int(np.argmin(cost))
        placed = {k: boxes[k][c] for k, c in chosen.items()}
        total = sum(fixed[k][c] + 50 * (_overlaps(placed[k], placed.values()) - 1) for k, c in chosen.items())
        outcomes.append((total, [chosen[k] for k in range(len(boxes))]))
    return min(outcomes)[1]


def _overlaps(box, others):
    """Count the boxes that a box touches."""
    return sum(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)


def _covers(box, marks, margin):
    """Count the marks of some size that a box covers."""
    low, high = np.array(box[:2]) - margin, np.array(box[2:]) + margin
    return int(((marks > low) & (marks < high)).all(axis=1).sum())
