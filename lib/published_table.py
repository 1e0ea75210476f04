"""The windows table of a folder of published pictures: its metadata file, or its class folders (layer 2).

The public repositories behind the seeds keep one PNG a window and one line a PNG in `unified_metadata.csv`,
under column names that changed between versions. Every complaint names file, line, column and value.
"""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

METADATA = "unified_metadata.csv"
WINDOW_S = 3600                      # one hour: the metadata of R2 counts 3600 samples a picture
NAMES = {                            # our column -> theirs, the first that is filled (systems.md 1.2)
    "file": ("unified_path", "spectrogram_file", "filename", "image_path", "spectrogram_path"),
    "event_id": ("event_id", "earthquake_id"),
    "date": ("start", "date", "event_date"),
    "magnitude_class": ("magnitude_class", "mag_class"),
    "azimuth_class": ("azimuth_class", "azi_class"),
    "azimuth_deg": ("azimuth_deg", "azimuth"),
    "kp_max": ("kp_max", "kp_index"),
    "pipeline": ("pipeline", "dataset_source", "data_source", "image_type", "source"),
}
NUMBERS = {                          # least and greatest value
    "magnitude": (-2, 10), "azimuth_deg": (0, 360), "distance_km": (0, 20_100), "depth_km": (-10, 800),
    "lead_days": (-36_525, 36_525), "kp_max": (0, 9), "dst_min": (-5000, 1000),
    "lookback_s": (0, np.inf), "horizon_s": (0, np.inf)}
CLASSES = {"magnitude_class": MAGNITUDE_CLASSES, "azimuth_class": AZIMUTH_CLASSES}
QUIET = MAGNITUDE_CLASSES[0]
_NAME = re.compile(r"(?P<station>[A-Za-z0-9]{2,5})_(?P<date>\d{8})(?:_H(?P<hour>\d{2}))?")
_COPY = re.compile(r"[_.-]*aug(?:mented|mentation)?[_-]*\d*", re.IGNORECASE)


def read_layout(folder: str | Path, window_s: float = WINDOW_S) -> pd.DataFrame:
    """Read what is known of every picture below a folder, as a windows table.

    Parameters
    ----------
    folder : path
        With `unified_metadata.csv`; or without it one folder a class, each PNG named by station, date and
        hour, as in ``Medium/SCN_20220704_H13.png``.
    window_s : float
        Length of a window in seconds, where the metadata has no column `end`.

    Returns
    -------
    DataFrame
        The windows table of design.md in the order of the file, with `file` (below the folder) and, where
        told, `pipeline`. The magnitude or azimuth class is left out where no row has one.

    Raises
    ------
    InputError
        Naming the file, line, column and value that cannot be used.

    Notes
    -----
    Without an event column an event is a station and a date, as the repositories group them. Quiet windows
    form a block a station and date. A copy (augmentation_id, or "aug" in its name) has the picture that it
    was made from as its parent. Pictures outside the folder, or behind links, are not looked at.

    References
    ----------
    systems.md 1.2; public repository sumawanbmkg/EfficientNet.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "folder", "not there", f"a folder with {METADATA} or one folder a class")
    files = _pictures(folder)
    source = folder / METADATA
    rows = _metadata(source, files) if source.is_file() else _class_folders(folder, files)
    table = pd.DataFrame(rows)
    _each_once(source, table)
    table = _with_parents(table)
    missing = table["end"].isna()
    table.loc[missing, "end"] = table.loc[missing, "start"] + pd.Timedelta(seconds=window_s)
    for name in ("start", "end"):
        table[name] = table[name].astype("datetime64[ns]")
    empty = [name for name in (*CLASSES, "pipeline") if (table[name] == "").any()]
    return table.drop(columns=["line", "copy", *empty])


def _pictures(folder):
    """Find every PNG below a folder, links left out: relative path -> itself, name -> relative paths."""
    paths, names, stack = {}, {}, [folder]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(".png"):
                    path = Path(entry.path).relative_to(folder).as_posix()
                    paths[path] = path
                    names.setdefault(entry.name, []).append(path)
    if not paths:
        raise InputError(folder, "pictures", 0, "PNG files in the folder or below it")
    return paths, names


def _metadata(source, files):
    """Rows of a metadata file."""
    with open(source, encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        rows = []
        try:
            for raw in reader:
                if None in raw or None in raw.values():
                    raise InputError(source, f"line {reader.line_num}", "another number of fields",
                                     f"{len(reader.fieldnames)}, as in line 1")
                row = {name: text.strip() for name, text in raw.items()}
                rows.append(_row(row, source, reader.line_num, files))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(source, f"line {reader.line_num}", str(error), "a CSV file in UTF-8") from error
    if not rows:
        raise InputError(source, "lines", 0, "a header line and a line for each picture")
    return rows


def _class_folders(folder, files):
    """Rows from the folders that the pictures lie in."""
    known = {name.lower(): (kind, name) for kind, names in CLASSES.items() for name in names[1:]}
    paths = sorted(files[0])
    kinds = {known[p.split("/")[0].lower()][0] for p in paths if p.split("/")[0].lower() in known}
    rows = []
    for path in paths:
        parts = path.split("/")
        kind, name = known.get(parts[0].lower(), ("", ""))
        if len(parts) != 2 or len(kinds) != 1 or (not kind and parts[0].lower() != QUIET.lower()):
            raise InputError(folder / path, "folder of the picture", "/".join(parts[:-1]),
                             f"a line in {METADATA}, or one folder a class, all magnitudes "
                             f"({', '.join(MAGNITUDE_CLASSES)}) or all azimuths "
                             f"({', '.join(AZIMUTH_CLASSES)})")
        rows.append(_row({"filename": path, min(kinds): name or QUIET}, folder / path, None, files))
    return rows


def _row(raw, source, line, files):
    """One window from one line; `line` is None for a picture without one."""
    def fail(column, value, accepted):
        raise InputError(source, f"line {line}, column {column}" if line else column, value, accepted)

    column, text = _first(raw, "file")
    path = _resolve(text, files, lambda accepted: fail(column, text, accepted))
    stem = Path(path).stem
    told = _NAME.match(stem)
    station = (raw.get("station") or (told["station"] if told else "")).upper()
    if not station:
        fail("station", "", "a station code, or a name such as SCN_20220704_H13.png")
    start = _start(raw, told, fail)
    end = _time(raw["end"], "end", fail) if raw.get("end") else pd.NaT
    classes = {name: _class(raw, name, fail) for name in CLASSES}
    if not any(classes.values()):
        fail("magnitude_class", "", "a magnitude class or an azimuth class")
    quiet = QUIET in classes.values()
    if quiet and set(classes.values()) - {QUIET, ""}:
        fail("azimuth_class", classes["azimuth_class"], f"{QUIET} in both classes, or in neither")
    numbers = {name: _number(raw, name, fail) for name in NUMBERS}
    group = f"{station}-{str(start)[:10].replace('-', '')}"
    copy = bool(raw.get("augmentation_id")) or bool(_COPY.search(stem))
    window = raw.get("window_id") or stem
    return {
        "window_id": window, "station": station, "start": start, "end": end,
        "event_id": "" if quiet else _first(raw, "event_id")[1] or group,
        "cluster_id": raw.get("cluster_id", ""),
        "block_id": (raw.get("block_id") or f"quiet-{group}") if quiet else "",
        "parent_id": raw.get("parent_id") or (_COPY.sub("", stem) if copy else window),
        **{name: numbers[name] for name in ("magnitude", "azimuth_deg")}, **classes,
        **{name: numbers[name] for name in list(NUMBERS)[2:]}, "file": path,
        "pipeline": _first(raw, "pipeline")[1], "line": line or 0, "copy": copy and not raw.get("parent_id")}


def _first(raw, name):
    """Column and text of the first of the alternative columns that is filled."""
    columns = NAMES.get(name, (name,))
    return next(((c, raw[c]) for c in columns if raw.get(c)), (columns[0], ""))


def _resolve(text, files, fail):
    """Path below the folder of a picture named by a path of the author's machine."""
    paths, names = files
    text = text.replace("\\", "/")
    if text in paths:
        return text
    found = names.get(text.split("/")[-1], [])
    if len(found) != 1:
        fail(f"one of the {len(found)} pictures of this name, by its path in the folder" if found else
             "a PNG in the folder or below it")
    return found[0]


def _start(raw, told, fail):
    column, text = _first(raw, "date")
    if column == "start" and text:
        return _time(text, column, fail)
    day = _time(text or (told["date"] if told else ""), column if text else "date", fail)
    hour = raw.get("hour") or (told["hour"] if told else None) or "0"
    try:
        value = float(hour)
    except ValueError:
        value = np.nan
    if value not in range(24):
        fail("hour", hour, "0 to 23, UTC")
    return day.astype("datetime64[D]") + np.timedelta64(int(value), "h")


def _time(text, column, fail):
    bare = re.sub(r"(Z|\+00:?00)$", "", text)
    bare = f"{bare[:4]}-{bare[4:6]}-{bare[6:]}" if re.fullmatch(r"\d{8}", bare) else bare
    try:
        if not re.match(r"\d{4}-\d{2}-\d{2}", bare):
            raise ValueError
        return np.datetime64(bare, "ns")
    except ValueError:
        return fail(column, text, "a UTC date such as 2022-07-04")


def _class(raw, name, fail):
    column, text = _first(raw, name)
    found = next((known for known in CLASSES[name] if known.lower() == text.lower()), None)
    if text and found is None:
        fail(column, text, ", ".join(CLASSES[name]))
    return found or ""


def _number(raw, name, fail):
    """Read a number in range: NaN where nothing or `Normal` stands, 0 for spans of time."""
    column, text = _first(raw, name)
    if text in ("", QUIET, "nan"):
        return 0.0 if name.endswith("_s") else np.nan
    low, high = NUMBERS[name]
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        fail(column, text, f"a number from {low} to {high}, or nothing")
    return value


def _each_once(source, table):
    for name, column in (("window_id", "file name"), ("file", "file")):
        twice = table[name].duplicated()
        if twice.any():
            row = table[twice].iloc[0]
            where = f"line {row['line']}, column {column}" if row["line"] else column
            raise InputError(source, where, row[name], "each picture once, under a name of its own")


def _with_parents(table):
    """Point copies whose name does not tell it to the picture of the same station and hour."""
    known = set(table["window_id"])
    original = {(r.station, r.start): r.window_id for r in table[~table["copy"]].itertuples()}
    itself = table["parent_id"] == table["window_id"]
    lost = table["copy"] & (itself | ~table["parent_id"].isin(known))
    parents = [original.get((r.station, r.start), r.parent_id) for r in table[lost].itertuples()]
    table.loc[lost, "parent_id"] = parents
    return table
