"""Tables of windows and predictions from any study, checked and completed for an audit (layer 5).

Every complaint names the rows and says what to do. Rows count from 0, without the header line.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.duplicates import name_base
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES
from lib.table_checks import column, groups, start_date

KNOWN = {"magnitude_class": MAGNITUDE_CLASSES, "azimuth_class": AZIMUTH_CLASSES}
LABELS = (*KNOWN, "label", "class")            # the first of these that a table has
REQUIRED = ("window_id", "station", "start", "end")
MAX_CLASSES = len(AZIMUTH_CLASSES)             # what the floors can count
_OFFSET = r":\d{2}[\d.]*\s*([Zz]|[+-]\d{2}:?\d{2}|[A-Za-z]{2,}(?:/\w+)?)$"


@dataclass(frozen=True)
class Table:
    """A windows table with every column that an audit reads, and what had to be assumed."""

    windows: pd.DataFrame      # magnitude_class holds the label, whatever its name was
    label: str                 # column that it came from
    classes: tuple[str, ...]
    y: np.ndarray              # index into classes, (N,)
    group: np.ndarray          # event, or quiet block, (N,)
    given: frozenset[str]      # optional columns that were there
    notes: tuple[str, ...]


def prepare(windows: pd.DataFrame, label: str | None = None,
            classes: tuple[str, ...] | None = None) -> Table:
    """Check a windows table and fill in the columns it may lack.

    Parameters
    ----------
    windows : DataFrame
        window_id, station, start, end (UTC), event_id or block_id or both, and a label; optional: cluster_id,
        parent_id, file, lookback_s, horizon_s, kp_max, dst_min, lead_days, pipeline.
    label : str, optional
        Column of the class; by default the first of `LABELS` that is there.
    classes : tuple of str, optional
        The names that may occur; by default those of the studies for their own columns, else what occurs.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        For missing columns, repeated names, times that are unreadable, not UTC or in the wrong order, unknown
        labels, one class only, windows of no group or of two, and events with two labels.
    """
    if not isinstance(windows, pd.DataFrame) or windows.empty:
        raise InputError("windows table", "rows", 0, "a table with at least one row")
    raw = windows.reset_index(drop=True)
    label = label or next((name for name in LABELS if name in raw), "label")
    missing = [c for c in (*REQUIRED, label) if c not in raw]
    if missing or not {"event_id", "block_id"} & set(raw):
        raise InputError("windows table", "columns", missing or ["event_id or block_id"],
                         f"{', '.join(REQUIRED)}, event_id or block_id, and a label ({', '.join(LABELS)}); "
                         f"has {', '.join(map(str, raw.columns))}")
    table = pd.DataFrame({c: column(raw, c) for c in ("window_id", "station")})
    _refuse(table["window_id"].duplicated() | (table["window_id"] == ""), "window_id",
            table["window_id"], "a name of its own for each window")
    _refuse(table["station"] == "", "station", table["station"], "a station code")
    table["start"], table["end"] = read_times(raw, "start"), read_times(raw, "end")
    _refuse(table["end"] <= table["start"], "end", table["end"], "a time after the start")
    names, y = _labels(raw, label, classes)
    notes = _complete(raw, table)
    table["magnitude_class"] = np.array(names)[y]
    group = groups(table, "event")
    if label != "azimuth_class":                   # a bearing differs from station to station
        _one_label_each(group, y, names)
    return Table(table, label, names, y, group, frozenset(set(raw) - {label}), tuple(notes))


def read_times(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of UTC times as datetime64[ns], from text, Timestamps or datetimes.

    Times without a zone are taken for UTC; Z, UTC, GMT and +00:00 are accepted, any other zone is refused.

    Raises
    ------
    InputError
        For times that cannot be read or are in another zone; the rows are named.
    """
    values = table[name]
    if pd.api.types.is_numeric_dtype(values):
        raise InputError("windows table", f"{name}, all rows", values.iloc[0],
                         "UTC times such as 2020-01-31T14:00:00, not numbers")
    text = values.astype(object).where(values.notna(), "").astype(str).str.strip()
    zone = text.str.extract(_OFFSET, expand=False).fillna("").str.upper()
    other = ~zone.isin(["", "Z", "UTC", "GMT"]) & ~zone.str.fullmatch(r"[+-]00:?00")
    _refuse(other, name, values, "UTC: convert local times, or write Z or no zone")
    bare = text.where(zone == "", text.str.replace(r"\s*([Zz]|[+-]00:?00|[A-Za-z]{3})$", "", regex=True))
    found = pd.to_datetime(bare, format="ISO8601", errors="coerce")
    _refuse(found.isna(), name, values, "a UTC time such as 2020-01-31T14:00:00")
    return found.to_numpy("datetime64[ns]")


def _labels(raw, label, classes):
    """Class names and the index of each row's class."""
    text = column(raw, label)
    known = classes or KNOWN.get(label)
    _refuse((text == "") | (~np.isin(text, known) if known else False), label, text,
            ", ".join(known) if known else "a class name")
    found = np.unique(text)
    if found.size == 1:
        raise InputError("windows table", f"{label}, all {len(text)} rows", str(found[0]),
                         "two classes or more: with one there is nothing to tell apart")
    names = tuple(c for c in known if c in found) if known else tuple(found.tolist())
    if len(names) > MAX_CLASSES:
        raise InputError("windows table", f"classes of {label}", len(names),
                         f"at most {MAX_CLASSES}; join some")
    return names, np.array([names.index(t) for t in text])


def _complete(raw, table):
    """Add the optional columns to `table`; say what was assumed for those that are missing."""
    notes = []
    empty = np.full(len(raw), "", object)
    event = column(raw, "event_id").astype(object) if "event_id" in raw else empty
    block = column(raw, "block_id").astype(object) if "block_id" in raw else empty
    both, none = (event != "") & (block != ""), (event == "") & (block == "")
    _refuse(both, "event_id and block_id", event, "one of the two: event_id, or block_id if quiet")
    if "block_id" in raw:
        _refuse(none, "event_id and block_id", event,
                "one of the two filled; a quiet window needs a block_id")
    elif none.any():
        block = np.where(none, ("day-" + start_date(table)).astype(object), "")
        notes.append("block_id is missing: quiet windows are grouped by UTC date.")
    table["event_id"], table["block_id"] = event.astype(str), block.astype(str)
    table["cluster_id"] = column(raw, "cluster_id") if "cluster_id" in raw else ""
    names = column(raw, "file" if "file" in raw else "window_id")
    if "file" in raw:
        table["file"] = names
    parent = column(raw, "parent_id") if "parent_id" in raw else np.full(len(raw), "")
    table["parent_id"] = [p or name_base(n) for p, n in zip(parent, names, strict=True)]
    for name in ("lookback_s", "horizon_s", "kp_max", "dst_min", "lead_days"):
        default = 0.0 if name.endswith("_s") else np.nan
        table[name] = _numbers(raw, name, default) if name in raw else default
    if "pipeline" in raw:
        table["pipeline"] = column(raw, "pipeline")
    told = {"cluster_id": "families of earthquakes are unknown; every event counts as its own",
            "parent_id": "copies are recognised by their names only",
            "lookback_s": "taken as 0: overlap may be understated",
            "horizon_s": "taken as 0: overlap may be understated"}
    return notes + [f"{name} is missing: {text}." for name, text in told.items() if name not in raw]


def _numbers(raw, name, default):
    text = raw[name].replace("", np.nan) if raw[name].dtype != float else raw[name]
    value = pd.to_numeric(text, errors="coerce")
    bad = value.isna() & text.notna()
    if name.endswith("_s"):
        bad |= value < 0
    _refuse(bad, name, raw[name], "seconds, 0 or more" if name.endswith("_s") else "a number, or nothing")
    return value.fillna(default).to_numpy(float)


def _one_label_each(group, y, names):
    """Refuse a group whose windows carry two labels."""
    name, first, code = np.unique(group, return_index=True, return_inverse=True)
    wrong = y != y[first][code]
    if wrong.any():
        g = code[np.argmax(wrong)]
        rows = np.flatnonzero(code == g)
        raise InputError(
            "windows table", f"labels of {name[g]}, {_rows(rows)}", sorted({names[i] for i in y[rows]}),
            f"one label for all windows of an earthquake or block (wrong in {np.unique(code[wrong]).size}); "
            "give windows with another label a block_id of their own")


def align(table: Table, predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the predicted class and the fold of each window, -1 where there is none.

    Parameters
    ----------
    table : Table
    predictions : DataFrame
        window_id and y_pred (class name, or index into the classes); optional y_true, fold, target.

    Returns
    -------
    array of int, shape (N,)
    array of int, shape (N,), or None without a column `fold`

    Raises
    ------
    InputError
        For predictions of unknown windows, several of one window, unknown classes, or a y_true that is not
        the window's label.
    """
    if missing := [c for c in ("window_id", "y_pred") if c not in predictions]:
        raise InputError("predictions", "columns", missing,
                         "window_id, y_pred; optional fold, y_true, target")
    rows, target = predictions, table.label.removesuffix("_class")
    if "target" in rows and rows["target"].nunique() > 1:
        rows = rows[rows["target"] == target]
    if rows.empty:
        raise InputError("predictions", "target", target, "at least one row of it")
    names, where = column(rows, "window_id"), pd.Series(np.arange(len(table.y)), table.windows["window_id"])
    _refuse(~np.isin(names, where.index), "window_id", names, "a window of the windows table", "predictions")
    several = ", ".join(c for c in ("study", "protocol", "seed") if c in rows and rows[c].nunique() > 1)
    _refuse(pd.Series(names).duplicated(), "window_id", names, "one prediction a window"
            + (f"; keep one value of {several}" if several else ""), "predictions")
    at = where[names].to_numpy()
    predicted, fold = np.full(len(table.y), -1), np.full(len(table.y), -1)
    predicted[at] = _class_index(rows, "y_pred", table.classes)
    if "y_true" in rows:
        wrong = _class_index(rows, "y_true", table.classes) != table.y[at]
        _refuse(wrong, "y_true", column(rows, "y_true"), "the label of the window with this window_id",
                "predictions")
    if "fold" not in rows:
        return predicted, None
    _refuse(column(rows, "fold") == "", "fold", names, "a fold for every prediction", "predictions")
    fold[at] = np.unique(column(rows, "fold"), return_inverse=True)[1]
    return predicted, fold


def _class_index(rows, name, classes):
    """Index of each class; text that is no class name may be an index, such as 2 or 2.0."""
    text = column(rows, name)
    value = pd.to_numeric(pd.Series(text), errors="coerce").to_numpy(float)
    index = np.where((value >= 0) & (value < len(classes)) & (value % 1 == 0), value, -1)
    for i, c in enumerate(classes):
        index[text == c] = i
    _refuse(index < 0, name, text, f"one of {', '.join(classes)}, or 0 to {len(classes) - 1}", "predictions")
    return index.astype(int)


def check_x(x: np.ndarray, n: int) -> np.ndarray:
    """Return x, features (N, D) or images (N, ..., F, T), if it has one finite row for each window."""
    shape, kind = getattr(x, "shape", ()), getattr(x, "dtype", None)
    if len(shape) not in (2, 3, 4) or 0 in shape or kind.kind not in "fiub":
        raise InputError("x", "shape and type", (shape, str(kind)),
                         "numbers of shape (N, D), (N, F, T) or (N, C, F, T)")
    if x.shape[0] != n:
        raise InputError("x", "rows", x.shape[0], f"{n}, one for each window, in the order of the table")
    bad = np.array([not np.isfinite(x[i]).all() for i in range(n)])
    _refuse(bad, "values", np.full(n, "nan or inf"), "finite values; leave such windows out of both", "x")
    return x


def _refuse(bad, where, values, accepted, source="windows table"):
    """Raise InputError naming the bad rows."""
    bad = np.broadcast_to(np.asarray(bad, bool), np.shape(values))
    if bad.any():
        rows = np.flatnonzero(bad)
        raise InputError(source, f"{where}, {_rows(rows)}", str(np.asarray(values, object)[rows[0]]),
                         accepted)


def _rows(rows):
    """Name up to five rows."""
    shown = ", ".join(map(str, rows[:5]))
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"
