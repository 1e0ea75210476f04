"""Folders of published pictures from a dataset: PNG files and `unified_metadata.csv` (layer 5)."""

import collections
import csv
import functools
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib import dataset, published
from lib.files import InputError, atomic_path
from lib.published_layout import UNITS
from lib.published_table import METADATA, QUIET
from lib.studies import COMPONENTS

BATCH = 64            # pictures drawn at a time
_COLUMNS = ("station", "date", "hour", "azimuth", "magnitude", "azimuth_class", "magnitude_class",
            "spectrogram_file", "unified_path", "augmentation_type", "augmentation_id", "filename",
            "kp_index", "event_id", "window_id", "start", "end", "cluster_id", "block_id", "parent_id",
            "distance_km", "depth_km", "lead_days", "kp_max", "dst_min", "lookback_s", "horizon_s",
            "pipeline")


def export_layout(source: dataset.Dataset, folder: str | Path, layout: str = "panels") -> Path:
    """Write a dataset as pictures with their metadata file; undoes `published_layout.to_dataset`.

    Parameters
    ----------
    source : Dataset
        Of pictures, written as they are; or of log power with H, D, Z, drawn by `published.render_published`.
    folder : path
        New, or without a metadata file: nothing is overwritten.
    layout : str
        Of drawn pictures: ``"panels"`` or ``"rgb"``.

    Returns
    -------
    Path
        The metadata file, written last.

    Raises
    ------
    InputError
        If the folder holds such a file, or the images are neither pictures nor spectra of three components.
    """
    folder, windows = Path(folder), source.windows
    if (folder / METADATA).exists():
        raise InputError(folder / METADATA, "file", "exists", "another folder: nothing is overwritten")
    spectra = source.channels[:3] == tuple(COMPONENTS) and "frequency_hz" in source.axes
    if source.units != UNITS and not spectra:
        raise InputError(source.path, "channels", source.channels, "pictures, or spectra of H, D, Z")
    names = [f"spectrograms/{name}.png" for name in _safe_names(windows["window_id"])]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for start in range(0, len(windows), BATCH):
            rows = slice(start, start + BATCH)
            images = source.read(rows)
            if source.units == UNITS:
                pixels = np.round(images[:, :, ::-1].astype(np.float32) * 255).astype(np.uint8)
                pixels = pixels.transpose(0, 2, 3, 1)
            else:
                pixels = published.render_published(images.astype(np.float32), layout)
            list(pool.map(_write_png, [folder / name for name in names[rows]], pixels))
    lines = map(_line, names, windows.to_dict("records"))
    with atomic_path(folder / METADATA) as path, open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return folder / METADATA


def _write_png(path, pixels):
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, "PNG")


def _safe_names(ids):
    """File names from window ids; a number in front keeps those apart that would become one."""
    safe = [re.sub(r"[^\w.-]", "_", name) for name in ids]
    counts = collections.Counter(safe)
    return [name if counts[name] == 1 else f"{i:06d}_{name}" for i, name in enumerate(safe)]


def _line(name, row):
    """One line of the metadata file: their columns, then ours."""
    copy = row.get("parent_id", row["window_id"]) != row["window_id"]
    quiet = QUIET in (row.get("magnitude_class"), row.get("azimuth_class"))
    short = Path(name).name
    mark = re.search(r"(\d+)$", row["window_id"]) if copy else None
    told = row | {
        "date": f"{row['start']:%Y-%m-%d}", "hour": row["start"].hour, "spectrogram_file": short,
        "unified_path": name, "filename": short, "kp_index": row.get("kp_max", ""),
        "azimuth": QUIET if quiet else row.get("azimuth_deg", ""),
        "magnitude": QUIET if quiet else row.get("magnitude", ""),
        "augmentation_type": "augmented" if copy else "", "augmentation_id": mark[1] if mark else ""}
    return {column: _text(told.get(column, "")) for column in _COLUMNS}


@functools.singledispatch
def _text(value):
    return "" if value != value else str(value)       # NaN is not itself


@_text.register
def _(value: pd.Timestamp):
    return value.isoformat()
