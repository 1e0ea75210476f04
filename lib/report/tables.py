"""A data frame as HTML that screen readers can read and eyes can compare (layer 6)."""

import html
import math
import numbers
import re
from collections.abc import Mapping

import pandas as pd

from lib.typography import minus

DASH = '<span title="not defined">–</span>'
LONG = 24                # characters of a cell; a column of longer ones would become tall and narrow
NUMERIC = re.compile(r"[+\u2212]?[\d.,]+(e[+-]\d+)?( to [+\u2212]?[\d.,]+)?|" + DASH)


def table_html(frame: pd.DataFrame, name: str, caption: str, formats: Mapping[str, str]) -> str:
    """Return the table's HTML; the book's extension adds the number before the caption.

    Parameters
    ----------
    frame : DataFrame
        Its first column becomes the row headers.
    name, caption : str
        As for `lib.report.page.table`.
    formats : mapping
        Column to format string.
    """
    cells = {c: [_cell(v, formats.get(c) or _decimals(frame[c])) for v in frame[c]] for c in frame}
    first, *others = frame.columns
    kinds = {c: _kind(cells[c]) if c != first else "" for c in frame}
    head = "".join(f'<th scope="col"{kinds[c]}>{html.escape(str(c)).replace("_", " ")}</th>' for c in frame)
    lines = []
    for i in range(len(frame)):
        body = "".join(f"<td{kinds[c]}>{cells[c][i]}</td>" for c in others)
        lines.append(f'<tr><th scope="row">{cells[first][i]}</th>{body}</tr>')
    caption = html.escape(caption)
    return (f'<div class="companion-table" id="tab-{name}" tabindex="0" role="region" aria-label="{caption}">'
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>\n<tbody>"
            + "\n".join(lines) + "</tbody></table></div>")


def _kind(cells):
    """Return the class of a column: numbers stand right, long text gets a least width."""
    if all(map(NUMERIC.fullmatch, cells)):
        return ' class="num"'
    return ' class="text"' if max(map(len, cells)) > LONG else ""


def _decimals(column):
    """Return one format for a column of small numbers, with the decimals that three digits of each need."""
    values = pd.to_numeric(column, errors="coerce").dropna()
    if not pd.api.types.is_float_dtype(column) or len(values) < 2 or values.abs().max() >= 10:
        return None
    needed = max(len(f"{v:.3g}".partition(".")[2]) for v in values)
    return f"{{:.{needed}f}}" if needed <= 4 and not any("e" in f"{v:.3g}" for v in values) else None


def _cell(value, template):
    """Format one cell; a missing value is a dash that is read out, a negative number has a minus sign."""
    if value is None or value is pd.NaT or (isinstance(value, numbers.Real) and math.isnan(value)):
        return DASH
    if template:
        text = template.format(value)
    elif isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        text = f"{float(value):.3g}"
    else:
        text = str(value)
    return html.escape(minus(text))
