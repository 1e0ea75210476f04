"""One look for every figure: sizes, fonts and colours (layer 6)."""

import matplotlib
from matplotlib.figure import Figure

WIDTH_IN = 5.6        # shown 720 px wide, the text width of a page; 10 pt is then 18 px, 9 px on a phone
DPI = 200             # 1120 pixels for the 720 of the page, and for the 350 of a phone at three to one
SHOWN_PX = 720

# Okabe and Ito's palette (colour-blind safe); yellow is left out, being too pale on white
BLUE, ORANGE, GREEN, PINK, SKY, AMBER, INK, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222", "#767676")
CYCLE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)))
COMPONENT_COLOURS = {"H": BLUE, "D": ORANGE, "Z": GREEN}
COMPONENT_NAMES = {"H": "H (north)", "D": "D (east)", "Z": "Z (down)"}
SEQUENTIAL = "cividis"     # power, counts: perceptually uniform, readable without colour
HEAT = "inferno"           # maps laid over a grey image

RC = {
    "figure.dpi": 100, "savefig.dpi": DPI, "figure.facecolor": "white", "savefig.facecolor": "white",
    "axes.facecolor": "white", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY,
    "xtick.color": INK, "ytick.color": INK,
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10, "axes.labelsize": 10,
    "axes.titlelocation": "left", "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "axes.grid": False, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "lines.linewidth": 1.4, "legend.frameon": False, "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest", "axes.formatter.useoffset": False,
    "pdf.fonttype": 42, "svg.hashsalt": "precursor",
}


def setup() -> None:
    """Give matplotlib the compendium's fonts, sizes and colours.

    `lib.report.begin` calls it; a script that draws without a page calls it itself.
    """
    matplotlib.rcParams.update(RC)
    matplotlib.rcParams["axes.prop_cycle"] = matplotlib.cycler(color=CYCLE)


def new_figure(height_in: float = 3.4, rows: int = 1, columns: int = 1, **options):
    """Return a figure of text width and its array of axes, known to no window system.

    Parameters
    ----------
    height_in : float
        Height in inches; the width is `WIDTH_IN`.
    rows, columns : int
        Grid of axes.
    options
        Passed to `Figure.subplots`, for example ``sharex=True``.

    Returns
    -------
    (Figure, ndarray of Axes, shape (rows, columns))
    """
    setup()
    fig = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **options)
