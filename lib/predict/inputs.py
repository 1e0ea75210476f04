"""Whatever a network can be asked about, as windows and their images, a batch at a time (above layer 6)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from lib import published_layout, representation
from lib.earth import records
from lib.files import InputError
from lib.studies import COMPONENTS, Study

BATCH = 64                    # windows transformed at a time
MOST_SAMPLES = 64 * 21_600    # of one component, in one batch


class Chunk(NamedTuple):
    """Some windows in order: their table with the column `valid`, and the images of those that are."""

    table: pd.DataFrame
    images: Iterable[np.ndarray]      # batches (n, C, F, T), as `lib.dataset` stores them


def open_input(path: str | Path, study: Study, step_s: float | None = None, gap_rule: str = "none"
               ) -> tuple[str, Iterator[Chunk], list]:
    """Recognise an input and open it.

    Parameters
    ----------
    path : path
        A record file of any known format, a folder of such files, an array of windows (.npy), a picture
        (.png) of the published layout, or a folder of pictures for a network trained on pictures.
    study : Study
        Of the network.
    step_s : float, optional
        Between the starts of two windows of a record; one window length by default.
    gap_rule : str
        Of `records.fill_gaps`, applied file by file.

    Returns
    -------
    kind : str
        record, folder, windows or pictures.
    chunks : iterator of Chunk
    unreadable : list of (path, reason)
        Files of a folder that are no records.
    """
    path = Path(path)
    if path.is_dir():
        if published_layout.is_layout(study):
            files = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".png")
            return "pictures", iter([of_pictures(files, study)]), []
        _takes_records(study)
        index, bad = records.open_folder(path)
        if index.empty:
            raise InputError(path, "records", 0, "at least one record file in the folder")
        unreadable = [(str(p), reason) for p, reason in bad.itertuples(index=False)]
        return "folder", of_folder(index, study, step_s, gap_rule), unreadable
    if path.suffix.lower() == ".png":
        return "pictures", iter([of_pictures([path], study)]), []
    if path.suffix.lower() == ".npy":
        return "windows", iter([of_windows(_read_array(path), study, path)]), []
    _takes_records(study)
    record = records.fill_gaps(records.read_record(path), gap_rule)
    return "record", iter([of_record(record, study, step_s)]), []


def of_record(record: xr.Dataset, study: Study, step_s: float | None = None) -> Chunk:
    """Cut a record into windows that start every `step_s` seconds; those with gaps are not valid."""
    form, sampling_s = representation.of(study), study.windows.sampling_s
    _takes_records(study)
    step = _step(study, step_s)
    values = _samples(record, sampling_s, form.n)
    starts = np.arange(0, values.shape[1] - form.n + 1, step)
    missing = np.concatenate([[0], np.cumsum(~np.isfinite(values.sum(axis=0)))])    # NaN in any one
    valid = missing[starts + form.n] == missing[starts]
    start = record.time.values[starts].astype("datetime64[ns]")
    length = np.timedelta64(round(study.windows.window_s * 1e9), "ns")
    table = pd.DataFrame({"start": start, "end": start + length, "valid": valid})
    return Chunk(table, _transformed(lambda s: values[:, s:s + form.n], starts[valid], form))


def of_windows(x: np.ndarray, study: Study, source="windows") -> Chunk:
    """Take windows (N, components, n) as they are, from memory or a mapped file."""
    form = representation.of(study)
    _takes_samples(study)
    shape = (form.components, form.n)
    if x.ndim != 3 or x.shape[1:] != shape or x.dtype.kind not in "fiu" or not len(x):
        raise InputError(source, "windows", f"{x.dtype} {x.shape}", f"numbers (N, {shape[0]}, {shape[1]})")
    most = form.max_gap * form.components * form.n
    valid = np.array([(~np.isfinite(window)).sum() <= most for window in x])
    table = pd.DataFrame({"window": np.arange(len(x)), "valid": valid})
    return Chunk(table, _transformed(lambda i: np.asarray(x[i]), np.flatnonzero(valid), form))


def of_pictures(paths: list[Path], study: Study) -> Chunk:
    """Take PNG pictures of the published layout, for a network that was trained on such."""
    if not published_layout.is_layout(study):
        raise InputError(paths[0] if paths else "pictures", "kind of input", "picture",
                         f"a record or windows: study {study.name} was trained on log power, which a "
                         "picture has lost; or weights trained on pictures (lib.published_layout)")
    if not paths:
        raise InputError("folder", "pictures", 0, "PNG files")
    table = pd.DataFrame({"file": [Path(p).name for p in paths], "valid": True})
    return Chunk(table, (np.stack([published_layout.read_png(p, study.stft.size) for p in paths[i:i + BATCH]])
                         for i in range(0, len(paths), BATCH)))


def of_folder(index: pd.DataFrame, study: Study, step_s: float | None = None,
              gap_rule: str = "none") -> Iterator[Chunk]:
    """Run through the files of `records.open_folder`, station by station, one file in memory at a time.

    Windows go on across files, as in one long record. After a gap of a window or more, which none can span,
    they begin anew at the next file.
    """
    n, step, sampling_s = representation.of(study).n, _step(study, step_s), study.windows.sampling_s
    for station, files in index.groupby("station"):
        kept, skip, found = None, 0, 0
        for path in files["path"]:
            record = records.fill_gaps(records.read_record(path), gap_rule)
            if kept is not None:
                gap_s = (record.time.values[0] - kept.time.values[-1]) / np.timedelta64(1, "s")
                near = gap_s <= n * sampling_s
                record, skip = (records.join_records([kept, record]), skip) if near else (record, 0)
            windows = max(0, (record.sizes["time"] - skip - n) // step + 1)
            if windows:
                chunk = of_record(record.isel(time=slice(skip, None)), study, step_s)
                chunk.table.insert(0, "station", station)
                yield chunk
            found += windows
            first = skip + windows * step                # where the next window begins
            kept = record.isel(time=slice(min(first, record.sizes["time"] - 1), None))
            skip = first - min(first, record.sizes["time"] - 1)
        if not found:
            raise InputError(files["path"].iloc[0], f"length of {station} in the folder",
                             int(files["samples"].sum()), f"at least {n} samples on end, one window")


def _step(study, step_s):
    """Count samples from the start of one window to the next."""
    sampling_s = study.windows.sampling_s
    step = (study.windows.window_s if step_s is None else step_s) / sampling_s
    if not step >= 1 or step != int(step):
        raise InputError("predict", "step_s", step_s, f"a positive multiple of {sampling_s:g} s")
    return int(step)


def _takes_samples(study):
    if published_layout.is_layout(study):
        raise InputError("predict", "kind of input", "record",
                         "a PNG picture of the published layout: this network was trained on pictures")


def _takes_records(study):
    _takes_samples(study)
    if representation.of(study).components != len(COMPONENTS):
        raise InputError("predict", "kind of input", "record", f"windows (.npy): study {study.name} does not "
                         "read H, D, Z")


def _samples(record, sampling_s, n):
    """H, D, Z of a record that the network can be asked about, (3, n_record)."""
    if not isinstance(record, xr.Dataset):
        raise InputError("predict", "record", type(record).__name__, "a record from lib.earth.records")
    source = record.attrs.get("source", "record")
    if missing := [name for name in (*COMPONENTS, "time") if name not in record]:
        raise InputError(source, "components", missing, "H, D, Z in nT on a UTC time axis")
    if not np.isclose(record.attrs.get("sampling_s", np.nan), sampling_s):
        raise InputError(source, "sampling interval", record.attrs.get("sampling_s"),
                         f"{sampling_s:g} s, as the network was trained")
    time = record.time.values
    if len(time) < n:
        raise InputError(source, "length", len(time), f"at least {n} samples, one window")
    step_ns = np.diff(time.astype("datetime64[ns]").astype(np.int64))
    odd = np.flatnonzero(np.abs(step_ns - round(sampling_s * 1e9)) > 1e6 * sampling_s)
    if odd.size:
        raise InputError(source, "time axis", f"a step after {time[odd[0]]}",
                         f"a sample every {sampling_s:g} s, NaN in gaps")
    return np.stack([record[c].values for c in COMPONENTS])


def _transformed(window, places, form):
    """Yield images of windows, rounded as `lib.dataset` stores those that the network was trained on."""
    size = max(1, min(BATCH, MOST_SAMPLES // form.n))
    for i in range(0, len(places), size):
        images = form.images(np.stack([window(place) for place in places[i:i + size]]))
        with np.errstate(over="ignore"):        # what overflows is refused before the network
            yield images.astype(form.dtype)


def _read_array(path):
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(path, "array", str(error), "an npy file of numbers (N, components, n), no pickled "
                         "objects") from error
