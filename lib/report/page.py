"""The only way from a notebook to a page: figures, tables and numbers (layer 6).

Everything is shown twice: as output of the cell, where the book picks it up, and as a file below the
output folder. That folder is `PRECURSOR_OUT` (the runner sets it: the repository's root for the tracked
results of `light` and `full`, `_build/smoke` for `smoke`), else `_build/out`, so that a run by hand never
touches a tracked file.
"""

import base64
import io
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from lib import config
from lib.files import InputError, atomic_path
from lib.report import style
from lib.report.tables import table_html

GLUE_PREFIX = "application/papermill.record/"   # what myst-nb looks for
FEW_COLOURS = 4096       # a figure with more has shades over shades: without dithering they would band


@dataclass
class _Page:
    """What the running notebook has said about itself."""

    notebook: str = ""
    profile: str = ""
    numbers: dict = field(default_factory=dict)


_page = _Page()


def begin(notebook: str, profile: str) -> None:
    """Open a page: name the notebook and the profile, and set the style of its figures.

    Parameters
    ----------
    notebook : str
        File name without suffix, for example ``"03_loeo_training"``.
    profile : str
        A key of `lib.config.PROFILES`.

    Raises
    ------
    InputError
        For an unknown profile or a name that is not a file stem.
    """
    if profile not in config.PROFILES:
        raise InputError("report.begin", "profile", profile, ", ".join(config.PROFILES))
    if not re.fullmatch(r"\w+", notebook):
        raise InputError("report.begin", "notebook", notebook, "a notebook's file name without .py")
    _page.notebook, _page.profile, _page.numbers = notebook, profile, {}
    style.setup()


def current() -> _Page:
    """Return the open page.

    Raises
    ------
    InputError
        If `begin` was not called.
    """
    if not _page.notebook:
        raise InputError("lib.report", "page", None, "report.begin(notebook, profile) in an earlier cell")
    return _page


def output_folder(kind: str, profile: str) -> Path:
    """Folder of this run's `figures` or `results`; figures of `full` have their own subfolder."""
    root = Path(os.environ.get("PRECURSOR_OUT") or config.ROOT / "_build" / "out")
    if kind == "results":
        return root / "results" / profile
    return root / "figures" / "full" if profile == "full" else root / "figures"


def figure(fig: Figure | None, name: str, caption: str, alt: str, width: int | None = None) -> None:
    """Show a figure as the output of its cell, and save it as PNG and PDF without dates.

    Parameters
    ----------
    fig : Figure or None
        From a `lib.report` plot function; None shows the committed file again, for chapters whose data
        not every reader has.
    name : str
        Lower-case words joined by hyphens; pages refer to it as ``{numref}`fig-<name>```.
    caption : str
        Printed below the figure; Markdown, citations and mathematics are rendered.
    alt : str
        What the figure shows, for readers who cannot see it.
    width : int
        Width on the page in pixels; the height follows. By default text has one size in all figures.

    Raises
    ------
    InputError
        For a bad name, a caption or description that is missing, or a committed file that is.
    """
    page = current()
    _check_words(name, caption)
    if len(str(alt).split()) < 4:
        raise InputError("report.figure", f"alt of {name}", alt, "a description of four words or more")
    stem = output_folder("figures", page.profile) / f"{page.notebook}-{name}"
    inches = style.WIDTH_IN if fig is None else fig.get_figwidth()
    width = width or round(style.SHOWN_PX * inches / style.WIDTH_IN)
    png = _again(stem) if fig is None else _save(fig, stem)
    _show({"image/png": base64.b64encode(png).decode(), "text/plain": alt},
          {"image/png": {"width": width},
           "companion": {"kind": "figure", "name": f"fig-{name}", "caption": caption, "alt": alt}})


def _check_words(name, caption):
    """Refuse names that cannot be a label and captions that say nothing."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(name)):
        raise InputError("report", "name", name, "lower-case words joined by hyphens")
    if not str(caption).strip():
        raise InputError("report", f"caption of {name}", caption, "a sentence")


def _save(fig, stem):
    """Write PNG and PDF; return the PNG's bytes. Dates and versions stay out: same input, same bytes."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=style.DPI, metadata={"Software": None})
    png = _indexed(buffer)
    with atomic_path(stem.parent / (stem.name + ".png")) as temporary:
        temporary.write_bytes(png)
    with atomic_path(stem.parent / (stem.name + ".pdf")) as temporary:
        fig.savefig(temporary, format="pdf",
                    metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return png


def _indexed(buffer):
    """Return a PNG with a palette: two fifths of the size, to the eye the same; many hues are dithered."""
    with Image.open(buffer) as picture:
        picture = picture.convert("RGB")
    indexed, small = picture.quantize(256, dither=Image.Dither.NONE), io.BytesIO()
    if picture.getcolors(FEW_COLOURS) is None:
        indexed = picture.quantize(palette=indexed, dither=Image.Dither.FLOYDSTEINBERG)
    white = np.asarray(picture).min(axis=2) == 255
    if (np.asarray(indexed.convert("RGB"))[white] != 255).any():      # or the paper would turn grey
        paper, colours = int(np.asarray(indexed)[white][0]), indexed.getpalette()
        colours[3 * paper:3 * paper + 3] = 255, 255, 255
        indexed.putpalette(colours)
        indexed.paste(paper, mask=Image.fromarray(white))
    indexed.save(small, "png", optimize=True)
    return small.getvalue()


def _again(stem):
    """Copy the committed PNG and PDF to the output folder; return the PNG's bytes."""
    committed = [config.FIGURES / (stem.name + suffix) for suffix in (".pdf", ".png")]
    for path in committed:
        if not path.is_file():
            raise InputError(path, "figure", "missing", "a committed figure, or the data to draw it")
    for path in committed:
        content = path.read_bytes()
        with atomic_path(stem.parent / path.name) as temporary:
            temporary.write_bytes(content)
    return content


def _show(data, metadata):
    """Publish a cell output; outside a notebook there is nowhere to publish to."""
    if get_ipython() is not None:
        display(data, raw=True, metadata=metadata)


def table(frame: pd.DataFrame, name: str, caption: str, formats: Mapping[str, str] | None = None) -> None:
    """Show a table that screen readers can read: a caption, column headers and row headers.

    The first column (or the index, if it has a name) becomes the row headers. The same table travels beside
    it as CSV with all digits, which the book offers for download.

    Parameters
    ----------
    frame : DataFrame
        Shown as it is; a missing value becomes a dash.
    name : str
        Pages refer to it as ``{numref}`tab-<name>```.
    caption : str
        Plain text.
    formats : mapping, optional
        Column to format string, for example ``{"score": "{:.2f}"}``; floats default to three digits.

    Raises
    ------
    InputError
        For a bad name, a missing caption, an empty table or a format for no column.
    """
    current()
    _check_words(name, caption)
    if frame.index.name:
        frame = frame.reset_index()
    unknown = set(formats or {}) - set(frame.columns)
    if unknown:
        raise InputError("report.table", f"formats of {name}", sorted(unknown), list(frame.columns))
    if frame.empty:
        raise InputError("report.table", f"rows of {name}", 0, "at least one row")
    _show({"text/html": table_html(frame, name, caption, formats or {}),
           "text/plain": frame.to_string(index=False)},
          {"companion": {"kind": "table", "name": f"tab-{name}",
                         "csv": frame.to_csv(index=False, lineterminator="\n")}})


def glue(name: str, value, template: str | None = None) -> None:
    """Give a number or a word a name by which any page can quote it; nothing is shown.

    Pages quote with ``{glue:text}`book/notebooks/<notebook>.ipynb::<name>:.2f```. The value also goes into
    the notebook's results file, under ``numbers``.

    Parameters
    ----------
    name : str
        Letters, digits, hyphens, underscores.
    value : number, str or bool
        numpy scalars become Python's.
    template : str, optional
        A format string; the page then gets the formatted text.

    Raises
    ------
    InputError
        For NaN, infinity or None (a page never prints them), for arrays, and for a name used twice
        with different values.
    """
    page = current()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    finite = not isinstance(value, float) or math.isfinite(value)
    if not isinstance(value, (bool, int, float, str)) or not finite:
        raise InputError("report.glue", name, value, "a finite number, a string or a boolean")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise InputError("report.glue", "name", name, "letters, digits, hyphens and underscores")
    if page.numbers.get(name, value) != value:
        raise InputError("report.glue", name, value,
                         f"one value a name; it is {page.numbers[name]!r} already")
    page.numbers[name] = value
    shown = repr(template.format(value) if template else value)
    _show({GLUE_PREFIX + "text/plain": shown}, {"scrapbook": {"name": name, "mime_prefix": GLUE_PREFIX}})
