"""From a windows table to one HDF5 file, and from the file to arrays and tensors (layer 3).

The file holds the images, the table of their windows, axes, units, the configuration that shaped them and
a content hash over all of it. It is written in batches, so memory does not grow with the number of windows.
"""

import dataclasses
import hashlib
import inspect
import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib import representation
from lib.config import ROOT
from lib.files import InputError, atomic_path, canonical_json, content_hash
from lib.hdf5 import file_hash, images_hash, new_file, read_table, table_hash, write_table
from lib.studies import Study
from lib.targets import truth

COLUMNS = ("window_id", "station", "start", "end")   # at least
FIELDS = ("x", "windows", "dropped")
ATTRIBUTES = ("channels", "units", "axes", "configuration", "config_hash", "x_sha256", "content_hash",
              "key", "version")
_REBUILD = "a file written by lib.dataset.build; delete it and build it again"


def build(path: str | Path, windows: pd.DataFrame, read: Callable, study: Study, *,
          source: str = "", batch: int = 64, on_gap: str = "raise", render: Callable | None = None,
          form: representation.Form | None = None) -> Path:
    """Write the images of all windows into one HDF5 file, or return the file if it is already that.

    Parameters
    ----------
    path : str or Path
        The file; it appears whole or not at all.
    windows : DataFrame
        The windows table (design.md); every column is kept.
    read : callable
        ``read(station, start, n)`` returns (3, n) in nT, or (1, n) in TECU; InputError where no record is.
    study : Study
        Its representation and `windows` shape the images; `world` and `seed` go into the key as well.
    source : str
        What `read` reads, for example a hash over the records; part of the key that decides on reuse.
    batch : int
        Windows transformed and written at a time.
    on_gap : str
        ``"raise"`` or ``"drop"``: what a window without record, or with a NaN in it, does. Dropped windows
        are listed with their classes in `Dataset.dropped`: look whether a class lost more than another.
    render : callable, optional
        ``render(images, rows, seed)`` returns the images (n, C, F, T) to store for these rows (`lib.copies`).
    form : representation.Form, optional
        Instead of the study's own, for images that are not made from records (`lib.published_layout`).

    Raises
    ------
    InputError
        For a table without the columns, a duplicate window_id, a gap, an overflow of float16, a full disk.
    """
    path = Path(path)
    if on_gap not in ("raise", "drop"):
        raise InputError("dataset.build", "on_gap", on_gap, "raise, drop")
    _check_table(windows, study)
    windows, form = windows.reset_index(drop=True), form or representation.of(study)
    configuration = _configuration(study, source)
    key = content_hash(configuration, _code(render), table_hash(windows), on_gap)
    if _is_current(path, key):
        return path
    with atomic_path(path) as temporary, new_file(temporary, _most_bytes(windows, form)) as file:
        _describe(file, form, configuration, key)
        digest, dropped = _write_images(file["x"], windows, read, study, batch, on_gap, render, form)
        kept = windows.drop(index=[i for i, _ in dropped]).reset_index(drop=True)
        write_table(file.create_group("windows"), kept)
        lost = windows.loc[[i for i, _ in dropped]].assign(reason=pd.array([s for _, s in dropped], "str"))
        write_table(file.create_group("dropped"), lost)
        file.attrs["x_sha256"] = digest
        file.attrs["content_hash"] = file_hash(file, kept, lost)
    return path


class Dataset:
    """An open dataset file; use it as a context manager or close it.

    Attributes
    ----------
    windows, dropped : DataFrame
        The windows table, row by row that of `x`, and the windows left out with the reason.
    x : h5py.Dataset
        float16, of `series` float32 (N, C, F, T) on disk; `read` and `tensor` bring it into memory.
    axes : dict
        Centres of the rows and columns under their names, for spectra `frequency_hz` and `time_s` (also as
        attributes); `channels` names the channels, `units` their unit.
    study : dict
        The part of the study's configuration that shaped the file.
    config_hash, content_hash, version : str
        Of the configuration, of images, tables and axes, and of the library.
    """

    def __init__(self, path: str | Path, verify: bool = True):
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(path, "dataset", "no such file", "a file that lib.dataset.build has written")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise InputError(path, "HDF5 structure", str(error), _REBUILD) from error
        try:
            self._load(verify)
        except InputError:
            self.close()
            raise
        except Exception as error:   # h5py raises any kind on damaged structures
            self.close()
            raise InputError(path, "HDF5 structure", f"{type(error).__name__}: {error}", _REBUILD) from error

    def _load(self, verify):
        file, attrs = self._file, self._file.attrs
        for what, present, needed in (("fields", file, FIELDS), ("attributes", attrs, ATTRIBUTES),
                                      ("fields", file, json.loads(attrs.get("axes", "[]")))):
            if missing := [name for name in needed if name not in present]:
                raise InputError(self.path, what, sorted(present), f"{', '.join(missing)}; {_REBUILD}")
        self.x = file["x"]
        self.windows, self.dropped = read_table(file["windows"]), read_table(file["dropped"])
        self.axes = {name: file[name][:] for name in json.loads(attrs["axes"])}
        self.channels = tuple(json.loads(attrs["channels"]))
        self.study, self.units = json.loads(attrs["configuration"]), attrs["units"]
        self.config_hash, self.content_hash = attrs["config_hash"], attrs["content_hash"]
        self.version, self.key = attrs["version"], attrs["key"]
        expected = (len(self.windows), len(self.channels), *map(len, self.axes.values()))
        if self.x.shape != expected or self.x.dtype not in (np.float16, np.float32):
            raise InputError(self.path, "x", f"{self.x.dtype} {self.x.shape}", f"float16 {expected}")
        if file_hash(file, self.windows, self.dropped) != self.content_hash:
            raise InputError(self.path, "content hash of tables and axes", self.content_hash, _REBUILD)
        if verify and images_hash(self.x) != attrs["x_sha256"]:
            raise InputError(self.path, "x_sha256, hash of the images", attrs["x_sha256"], _REBUILD)

    frequency_hz = property(lambda self: self._axis("frequency_hz"))
    time_s = property(lambda self: self._axis("time_s"))

    def _axis(self, name):
        if name not in self.axes:
            raise InputError(self.path, "axis", name, ", ".join(self.axes))
        return self.axes[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __len__(self):
        return len(self.windows)

    def close(self):
        """Close the file; what was read stays."""
        self._file.close()

    def read(self, index) -> np.ndarray:
        """Read images (n, C, F, T) of any rows, as stored, in the order asked: integers, mask or slice."""
        rows = np.arange(len(self))[index]
        if not len(rows):
            return np.empty((0, *self.x.shape[1:]), self.x.dtype)
        unique, back = np.unique(rows, return_inverse=True)   # HDF5 wants rising rows
        span = unique[-1] - unique[0] + 1
        if span <= 2 * len(unique):                           # one sweep is faster than many picks
            return self.x[unique[0]:unique[-1] + 1][rows - unique[0]]
        return self.x[unique][back]

    def tensor(self, dtype: str = "float16", limit_gb: float = 4.0):
        """Bring all images into memory as one torch tensor (N, C, F, T).

        More than `limit_gb` (1e9 bytes) ends in InputError; read batches with `read` then.
        """
        if dtype not in ("float16", "float32"):
            raise InputError("Dataset.tensor", "dtype", dtype, "float16, float32")
        if (need_gb := self.x.size * np.dtype(dtype).itemsize / 1e9) > limit_gb:
            raise InputError(self.path, "tensor", f"{need_gb:.1f} GB as {dtype}",
                             f"at most limit_gb = {limit_gb:g}; raise it, take float16 or use read()")
        import torch  # not above: exploring a dataset needs no torch

        values = np.empty(self.x.shape, dtype)
        if values.size:
            self.x.read_direct(values)
        return torch.from_numpy(values)

    def labels(self, target: str) -> np.ndarray:
        """Truth of every window, (N,): class index or degrees; see `lib.targets.truth`."""
        return truth(self.windows, target, self.path)


def open_dataset(path: str | Path, verify: bool = True) -> Dataset:
    """Open a dataset file and check it; ``verify=False`` skips the hash over the images.

    A missing, foreign, truncated or changed file ends in InputError, which names it and what is wrong.
    """
    return Dataset(path, verify)


def _check_table(windows, study):
    if not set(COLUMNS) <= set(windows.columns) or not len(windows):
        raise InputError("windows table", "columns", list(windows.columns),
                         f"at least one row and the columns {', '.join(COLUMNS)}")
    if len(twice := windows["window_id"][windows["window_id"].duplicated()]):
        raise InputError("windows table", f"row {twice.index[0]}, window_id", twice.iloc[0], "each id once")
    seconds = (windows["end"] - windows["start"]).dt.total_seconds()
    if len(wrong := seconds[~(seconds == study.windows.window_s)]):
        raise InputError("windows table", f"row {wrong.index[0]}, end - start in s", wrong.iloc[0],
                         f"the study's window_s = {study.windows.window_s}")


def _configuration(study, source):
    """Return what of a study shapes the images; training may change without a rebuild."""
    parts = ("world", "windows", representation.part(study))
    return json.loads(canonical_json({"study": study.name, "seed": study.seed, "source": source,
                                      **{name: dataclasses.asdict(getattr(study, name)) for name in parts}}))


def _code(render):
    """Hash of the code between samples and file: no cache outlives a change to it."""
    files = (*representation.code(), __file__, *([inspect.getsourcefile(render)] if render else ()))
    return content_hash(*(Path(name).read_bytes() for name in files))


def _is_current(path, key):
    if not path.exists():
        return False
    try:
        with Dataset(path) as dataset:
            return dataset.key == key
    except InputError:   # damaged: build it again
        return False


def _describe(file, form, configuration, key):
    """Create the empty image array, the axes and the attributes."""
    shape = (len(form.channels), *(len(values) for values, _ in form.axes.values()))
    file.create_dataset("x", (0, *shape), form.dtype, chunks=(1, *shape), maxshape=(None, *shape))
    for name, (values, unit) in form.axes.items():
        file.create_dataset(name, data=values).attrs["units"] = unit
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    file.attrs.update({"channels": json.dumps(form.channels), "units": form.units, "key": key,
                       "axes": json.dumps(list(form.axes)), "configuration": canonical_json(configuration),
                       "config_hash": content_hash(configuration), "version": project["version"]})


def _write_images(x, windows, read, study, batch, on_gap, render, form):
    """Append the images batch by batch; return the hash over them and (row, reason) of dropped windows."""
    digest, dropped = hashlib.sha256(), []
    for start in range(0, len(windows), batch):
        records, rows = [], []
        for row in windows.iloc[start:start + batch].itertuples():
            try:
                records.append(_read_window(read, row, form))
                rows.append(row.Index)
            except InputError as error:
                if on_gap == "raise":
                    raise InputError(error.source, f"{error.where}, for window {row.window_id}", error.value,
                                     f"{error.accepted}; or on_gap='drop'") from error
                dropped.append((row.Index, str(error)))
        if not records:
            continue
        images = form.images(np.stack(records))
        images = render(images, windows.loc[rows], study.seed) if render else images
        with np.errstate(over="ignore"):   # refused by name below
            images = images.astype(form.dtype)
        if len(bad := np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))):
            raise InputError("dataset.build", f"window {windows.window_id[rows[bad[0]]]}",
                             "overflow of float16", f"values that give finite {form.units}")
        x.resize(len(x) + len(images), axis=0)
        x[-len(images):] = images
        digest.update(images.tobytes())
    if not len(x):
        raise InputError("dataset.build", "windows", f"{len(dropped)} dropped of {len(windows)}",
                         "at least one window that a record covers; " + dropped[0][1])
    return digest.hexdigest(), dropped


def _read_window(read, row, form):
    begin, shape = row.start - form.before, (form.components, form.n)
    values, where = np.asarray(read(row.station, begin, form.n)), f"{row.station} from {begin}"
    if values.shape != shape:
        raise InputError("record", where, f"shape {values.shape}", f"{shape}: all components, whole window")
    if (missing := int((~np.isfinite(values)).sum())) > form.max_gap * values.size:
        raise InputError("record", where, f"{missing} samples without value",
                         "a window without gaps" if not form.max_gap else f"at most {form.max_gap:.0%}")
    return values


def _most_bytes(windows, form):
    """Bound on the file's size: images, table, and what HDF5 adds for each chunk and text."""
    pixels = len(form.channels) * math.prod(len(values) for values, _ in form.axes.values())
    row = np.dtype(form.dtype).itemsize * pixels + 1024 + 64 * windows.shape[1]
    return int(len(windows) * row + windows.memory_usage(deep=True).sum() + 2**20)
