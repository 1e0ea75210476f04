"""A prospective ledger: forecasts on record before their outcomes are looked at (layer 4).

One line of JSON a forecast, and in each the sha256 of the line before it. Whoever holds the hash of the last
line (the head) can tell that no line was changed, removed, moved or added since, and which is the first that
does not fit; `open_labels` joins outcomes to nothing else. What a ledger cannot do: the times in it are what
the writer states. That the forecasts were made before the outcomes is shown only by a head that somebody
else received in time: publish it (`seal`).
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import InputError, atomic_path, canonical_json, write_json
from lib.table_checks import check_rows, column, seconds, times

GENESIS = "0" * 64       # what the first line is chained to
FIELDS = {"sequence", "previous", "issued", "model", "window_id", "target", "station", "start", "end",
          "valid_from", "valid_to", "probabilities", "further"}
TIMES = ("issued", "start", "end", "valid_from", "valid_to")
KEY = ["window_id", "target"]


def write_forecasts(path: str | Path, predictions: pd.DataFrame, windows: pd.DataFrame, *, model: str,
                    issued, valid_from=None, further: tuple[str, ...] = ()) -> str:
    """Append forecasts to a ledger, which is made if it is not there, and return its new head.

    Parameters
    ----------
    path : str or Path
        The ledger. It is read, verified, extended and replaced as a whole: never half a line.
    predictions : DataFrame
        `window_id`, p_0, p_1 ... (NaN beyond the classes of a target), `target` if there are several. A
        column of truths is not read.
    windows : DataFrame
        The windows table; gives station, start, end and horizon_s.
    model : str
        What made the forecasts: a hash of weights and configuration, say `files.content_hash`.
    issued : time, or one a row of `predictions`
        When the forecast was made, UTC; not before the window ends. A blind period of the past is played back
        by giving each window's end.
    valid_from : time or times, optional
        From when the forecast speaks; `issued` if not given. It speaks until the window's end + horizon.
    further : tuple of str
        Other numeric columns of `predictions` to put on record, such as a bearing; NaN becomes null.

    Returns
    -------
    str
        Head: sha256 of the last line, 64 hex digits.

    Raises
    ------
    InputError
        For a ledger that does not verify or that somebody is writing to, a forecast already on it, times out
        of order, unknown windows, or numbers that are no probabilities.
    """
    new = _forecasts(predictions, windows, model, issued, valid_from, further)
    path = Path(path)
    with _only_writer(path):
        old = read(path) if path.exists() else pd.DataFrame(columns=[*KEY, "issued"])
        names = pd.concat([old[KEY], new[KEY]])
        if names.duplicated().any():
            raise InputError(path, "window_id, target", tuple(names[names.duplicated()].iloc[0]),
                             "one forecast each, never revised")
        if len(old) and new.issued.min() < old.issued.iloc[-1]:
            raise InputError(path, "issued", str(new.issued.min()),
                             f"a time not before the last forecast, {old.issued.iloc[-1]}")
        text, head = (path.read_bytes(), verify(path)) if len(old) else (b"", GENESIS)
        lines = []
        for number, row in enumerate(new.to_dict("records"), len(old) + 1):
            lines.append(canonical_json({**row, "sequence": number, "previous": head}).encode() + b"\n")
            head = _sha(lines[-1][:-1])
        with atomic_path(path) as temporary:
            temporary.write_bytes(text + b"".join(lines))
    return head


def verify(path: str | Path, head: str | None = None) -> str:
    """Check the chain and return its head, or name the first line that does not fit.

    Without the published `head`, three things stay hidden: lines removed from the end, a change of the last
    line, and a ledger rewritten from some line on with all hashes made anew. With it, nothing does.

    Raises
    ------
    InputError
        Naming the line: changed, or removed, inserted or moved there, or not a forecast at all.
    """
    if head is not None and not re.fullmatch("[0-9a-f]{64}", str(head)):
        raise InputError("ledger.verify", "head", head, "64 hex digits, as write_forecasts returned them")
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise InputError(path, "reading", error.strerror, "a ledger made by write_forecasts") from error
    lines = text.split(b"\n")
    if lines.pop() or not lines:
        raise InputError(path, f"line {len(lines) + 1}", text[-20:],
                         "a line that ends with a newline: it was cut off or changed")
    hashes = [_sha(line) for line in lines]
    entries = [_entry(path, i, line) for i, line in enumerate(lines, 1)]
    chained = [entry["previous"] for entry in entries] + [head or hashes[-1]]
    fits = [a == b for a, b in zip([GENESIS, *hashes], chained, strict=True)]
    if not all(fits):
        bad = fits.index(False)            # line `bad` (0: none) is not the one that line bad + 1 follows
        if bad == len(lines):
            raise InputError(path, f"line {bad}", hashes[-1], f"the head {head}: the last line was changed, "
                             "lines after it were removed, or lines were added or rewritten")
        guilty = bad if bad and fits[bad + 1] else bad + 1      # the next link vouches for line bad + 1
        raise InputError(path, f"line {guilty}", hashes[guilty - 1],
                         "the line as it was chained: it was changed, or lines before it were")
    return hashes[-1]


def seal(path: str | Path) -> Path:
    """Write head and number of forecasts beside a ledger that verifies, as NAME.seal.json; return its path.

    When not to use: as proof by itself. Beside the ledger it can be replaced with the ledger; publish it.
    """
    head, table, path = verify(path), read(path), Path(path)
    where = path.with_name(path.name + ".seal.json")
    write_json(where, {"ledger": path.name, "head": head, "forecasts": len(table),
                       "first_issued": table.issued.iloc[0], "last_issued": table.issued.iloc[-1]})
    return where


def read(path: str | Path) -> pd.DataFrame:
    """Verify a ledger without its head and return it: one row a forecast, `FIELDS`, p_0 ... and the further.

    When not to use: for scoring; `open_labels` asks for the head.
    """
    verify(path)
    entries = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
    table = pd.DataFrame(entries).drop(columns=["probabilities", "further"])
    try:
        for name in TIMES:
            table[name] = pd.to_datetime(table[name], format="ISO8601").astype("datetime64[ns]")
        p, further = (pd.DataFrame([entry[name] for entry in entries], dtype=float)
                      for name in ("probabilities", "further"))
    except (ValueError, TypeError) as error:
        raise InputError(path, "last line", str(error), "times and numbers as written") from error
    return pd.concat([table, p.add_prefix("p_"), further], axis=1)


def open_labels(path: str | Path, head: str, labels: pd.DataFrame | Callable[[], pd.DataFrame]
                ) -> pd.DataFrame:
    """Join outcomes to the forecasts of a ledger, if it is the one that was published.

    Parameters
    ----------
    path : str or Path
    head : str
        As published before the outcomes.
    labels : DataFrame or function without arguments that returns it
        `window_id`, `target` if it tells the rows apart, and the outcomes. A function is called only once the
        ledger has passed. Columns that the ledger also has must agree with it.

    Returns
    -------
    DataFrame
        `read(path)` with the columns of `labels`; one row a forecast, in the order of the ledger.

    Raises
    ------
    InputError
        If the ledger does not verify with the head, a forecast was issued before its window ended or after it
        began to be valid, or the labels are not those of exactly these windows.
    """
    verify(path, str(head))        # None too is refused: the head is what makes the ledger prospective
    table = read(path)
    _in_order(path, table)
    labels = labels() if callable(labels) else labels
    key = KEY if "target" in labels else KEY[:1]
    names = pd.MultiIndex.from_arrays([column(labels, name) for name in key])
    wanted = pd.MultiIndex.from_arrays([column(table, name) for name in key])
    if not names.is_unique:
        raise InputError("labels", ", ".join(key), names[names.duplicated()][0], "one row each")
    strange = names.difference(wanted).append(wanted.difference(names))
    if len(strange):
        raise InputError("labels", ", ".join(key), strange[:3].tolist(),
                         f"exactly the {len(wanted.unique())} windows of the ledger: none more, none less "
                         f"({len(strange)} differ)")
    rows = labels.iloc[names.get_indexer(wanted)].reset_index(drop=True)
    for name in rows.columns.intersection(table.columns):
        differs = (rows[name] != table[name]).to_numpy()
        if differs.any():
            row = int(np.argmax(differs))
            raise InputError("labels", f"{name} of {table.window_id[row]}", rows[name][row],
                             f"{table[name][row]}, as on the ledger")
    return table.join(rows[rows.columns.difference(table.columns, sort=False)])


def _forecasts(predictions, windows, model, issued, valid_from, further):
    """One row a forecast in order of issue, everything but the chain."""
    if not isinstance(model, str) or not model.strip():
        raise InputError("ledger", "model", model, "a name or hash of what made the forecasts")
    names, known = column(predictions, "window_id"), pd.Index(column(windows, "window_id"))
    if not len(names):
        raise InputError("ledger", "predictions", "no row", "at least one forecast")
    where = known.get_indexer(names) if known.is_unique else np.array([-1])
    if (where < 0).any():
        raise InputError("ledger", "window_id of predictions", names[int(np.argmin(where))],
                         "a window of the windows table, where each is named once")
    of = windows.iloc[check_rows("window_id", where, len(windows))]
    end = times(of, "end")
    issued = _times(issued, "issued", len(names))
    table = pd.DataFrame({
        "issued": issued, "model": model, "window_id": names,
        "target": column(predictions, "target") if "target" in predictions else "",
        "station": column(of, "station"), "start": times(of, "start"), "end": end,
        "valid_from": issued if valid_from is None else _times(valid_from, "valid_from", len(names)),
        "valid_to": end + seconds(of, "horizon_s"), "probabilities": _probabilities(predictions)})
    _in_order("ledger", table)
    if not set(further) <= set(predictions) - {*FIELDS, "y_true"}:
        raise InputError("ledger", "further", further, f"columns of predictions: {', '.join(predictions)}")
    numbers = predictions.loc[:, list(further)].astype(float)
    table["further"] = [{k: v if np.isfinite(v) else None for k, v in row.items()}
                        for row in numbers.to_dict("records")]
    return table.sort_values("issued", kind="stable", ignore_index=True)


def _probabilities(predictions):
    """Return lists of the p_0, p_1 ... that are there."""
    found = predictions.filter(regex=r"^p_\d+$")
    p = found.reindex(columns=[f"p_{k}" for k in range(found.shape[1])]).to_numpy(float)
    there = np.isfinite(p)
    gaps = (there[:, 1:] & ~there[:, :-1]).any(1) | (p < 0).any(1)
    good = ~gaps & (np.abs(np.where(there, p, 0).sum(1) - 1) < 1e-4)      # no column: a sum of 0
    if not good.all():
        row = int(np.argmin(good))
        raise InputError("ledger", f"row {row} of predictions", p[row].tolist(),
                         "p_0, p_1 ... from 0 to 1 with sum 1, NaN beyond the last class only")
    return [row[ok].tolist() for row, ok in zip(p, there, strict=True)]


def _times(value, name, n):
    """One UTC time a forecast."""
    try:
        value = np.broadcast_to(np.asarray(value, "datetime64[ns]"), n)
    except (TypeError, ValueError) as error:
        raise InputError("ledger", name, value, f"a UTC time without zone, or {n}") from error
    return times(pd.DataFrame({name: value}), name)


def _in_order(source, table):
    """Refuse a forecast made before its window ended, or after it began to be valid."""
    for first, then, why in (("start", "end", "a window has a length"),
                             ("end", "issued", "its data are needed"),
                             ("issued", "valid_from", "later, its outcome could be known"),
                             ("valid_from", "valid_to", "it speaks of some time")):
        bad = table[first] > table[then] if then in ("issued", "valid_from") else table[first] >= table[then]
        if bad.any():
            row = table[bad].iloc[0]
            raise InputError(source, f"{then} of {row.window_id}", str(row[then]),
                             f"a time after {first}, {row[first]}: {why}")


def _entry(path, number, line):
    """One line as a dictionary; its number has to be its place."""
    try:
        entry = json.loads(line)
        good = set(entry) == FIELDS and isinstance(entry["probabilities"], list)
    except (ValueError, TypeError, RecursionError):
        good = False
    if not good:
        raise InputError(path, f"line {number}", line[:60].decode("utf-8", "replace"),
                         f"a forecast as JSON with {', '.join(sorted(FIELDS))}: it was changed")
    if entry["sequence"] != number or isinstance(entry["sequence"], bool):
        raise InputError(path, f"line {number}, sequence", entry["sequence"],
                         f"{number}: a line was removed, inserted, repeated or moved here")
    return entry


def _sha(line):
    return hashlib.sha256(line).hexdigest()


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold NAME.lock while a ledger is read and replaced, so that two writers cannot lose each other's."""
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.open("x").close()
    except FileExistsError as error:
        raise InputError(lock, "lock", "there already",
                         "no other writer; remove it if none is at work") from error
    except OSError as error:
        raise InputError(lock, "writing", error.strerror, "a folder that can be written") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
