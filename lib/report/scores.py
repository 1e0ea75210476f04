"""The scoreboard: no score without its interval, its floors and its certificate (layer 6)."""

import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping

import pandas as pd

from lib.files import InputError
from lib.report.page import table

LABELS = ("world", "backbone", "protocol", "target")
COMMON = ("target", "windows", "events")     # go into the caption where all rows agree
NEEDED = ("score", "interval", "p", "floors", "n_windows", "n_events", "n_effective", "certificate")


def check_row(row: Mapping) -> dict:
    """Return a complete score row in plain Python values.

    Parameters
    ----------
    row : mapping
        `score`, `interval` (low, high), `p` (permutation), `floors` (name to score), `n_windows`, `n_events`,
        `n_effective`, `certificate` (kind of link to count, or a dataclass of counts); further keys are kept.

    Raises
    ------
    InputError
        If a part is missing, undefined or impossible; the message names the row and the part.
    """
    row = dict(row)
    title = " ".join(str(row[k]) for k in LABELS if k in row) or "unnamed row"
    for key in NEEDED:
        if row.get(key) is None:
            raise InputError(f"scoreboard, {title}", key, None, "a value: a score is never shown without it")
    if dataclasses.is_dataclass(row["certificate"]):
        row["certificate"] = dataclasses.asdict(row["certificate"])
    for key in ("floors", "certificate"):
        if not isinstance(row[key], Mapping) or not row[key]:
            raise InputError(f"scoreboard, {title}", key, row[key], "a mapping from name to number")
        row[key] = {str(k): _number(v, title, f"{key}.{k}") for k, v in row[key].items()}
    for key in ("score", "p", "n_windows", "n_events", "n_effective"):
        row[key] = _number(row[key], title, key)
    if not isinstance(row["interval"], (list, tuple)) or len(row["interval"]) != 2:
        raise InputError(f"scoreboard, {title}", "interval", row["interval"], "(low, high)")
    low, high = row["interval"] = [_number(v, title, "interval") for v in row["interval"]]
    if low > high or not 0 <= row["p"] <= 1:
        raise InputError(f"scoreboard, {title}", "interval, p", (low, high, row["p"]),
                         "low <= high, 0 <= p <= 1")
    return row


def _number(value, title, key):
    """Return a finite Python number."""
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"scoreboard, {title}", key, value, "a finite number")
    return value


def scoreboard(rows: Iterable[Mapping], caption: str, name: str = "scoreboard") -> list[dict]:
    """Show scores with everything that is needed to read them, and return the checked rows.

    Parameters
    ----------
    rows : iterable of mappings
        See `check_row`; the keys of `LABELS` that are present come first.
    caption : str
        Says which metric the score is.
    name : str
        Label of the table.

    Raises
    ------
    InputError
        For a row without one of its parts (`check_row`), or without any row.
    """
    rows = [check_row(row) for row in rows]
    if not rows:
        raise InputError("scoreboard", "rows", 0, "at least one row")
    labels = [key for key in LABELS if any(key in row for row in rows)]
    frame = pd.DataFrame([{**{key: row.get(key, "") for key in labels}, **_shown(row)} for row in rows])
    same = [c for c in frame if len(rows) > 1 and c in COMMON and frame[c].nunique() == 1]
    if same:       # said once, so that the table is no wider than it has to be
        caption += f" In every row: {', '.join(f'{c} {frame[c].iloc[0]}' for c in same)}."
    table(frame.drop(columns=same), name, caption)
    return rows


def _highest(floors, n=2):
    """Name the highest floors; all of them are in the results file."""
    ranked = sorted(floors, key=floors.get, reverse=True)
    rest = f", {len(ranked) - n} lower" if len(ranked) > n else ""
    return ", ".join(f"{name.replace('_', ' ')} {floors[name]:.3f}" for name in ranked[:n]) + rest


def _shown(row):
    """Return a row's printed cells."""
    low, high = row["interval"]
    return {
        "score": f"{row['score']:.3f}", "95 % interval": f"{low:.3f} to {high:.3f}", "p": f"{row['p']:.3f}",
        "floors (highest)": _highest(row["floors"]),
        "windows": row["n_windows"], "events": row["n_events"], "effective": f"{row['n_effective']:.3g}",
        "links train–test": ", ".join(f"{k} {v:,.0f}" for k, v in row["certificate"].items() if v) or "none",
    }
