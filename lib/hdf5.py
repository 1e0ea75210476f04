"""Tables in HDF5 files, the same bytes for the same table, and hashes over a dataset file (layer 1)."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib.files import InputError, content_hash


@contextlib.contextmanager
def new_file(path: str | Path, reserve_bytes: int) -> Iterator[h5py.File]:
    """Open a new HDF5 file whose space is reserved first; what is not used is given back on closing.

    HDF5 ends the whole process when it meets a full disk while closing; so a disk that would be full
    raises the system's OSError here, before anything is computed.
    """
    with open(path, "w+b") as handle, h5py.File(handle, "w") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, reserve_bytes)
        elif shutil.disk_usage(Path(path).parent).free < reserve_bytes:   # macOS, Windows
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield file


def write_table(group: h5py.Group, table: pd.DataFrame, source: str = "windows table") -> None:
    """Write a table into an empty group, one dataset a column.

    Text becomes UTF-8, times int64 nanoseconds since 1970 UTC, numbers stay what they are.

    Raises
    ------
    InputError
        For a column that is none of these, or text with gaps; names column and row.
    """
    group.attrs["columns"] = list(table.columns)
    for name in table.columns:
        kind, values = _encode(name, table[name], source)
        dtype = h5py.string_dtype() if kind == "text" else values.dtype
        group.create_dataset(name, data=values, dtype=dtype).attrs["kind"] = kind


def read_table(group: h5py.Group) -> pd.DataFrame:
    """Read what `write_table` wrote, columns in their order."""
    columns = {}
    for name in group.attrs["columns"]:
        kind, values = group[name].attrs["kind"], group[name]
        if kind == "text":
            columns[name] = pd.array(list(values.asstr()[:]), dtype="str")
        else:
            columns[name] = values[:].astype("datetime64[ns]") if kind == "time" else values[:]
    return pd.DataFrame(columns)


def table_hash(table: pd.DataFrame, source: str = "windows table") -> str:
    """Sixteen hex digits over names, kinds and values of all columns, in order."""
    parts = []
    for name in table.columns:
        kind, values = _encode(name, table[name], source)
        parts += [name, kind, list(values) if kind == "text" else values]
    return content_hash(*parts)


def images_hash(x: h5py.Dataset) -> str:
    """Hexadecimal sha256 over all images, read in batches."""
    digest = hashlib.sha256()
    for start in range(0, len(x), 64):
        digest.update(x[start:start + 64].tobytes())
    return digest.hexdigest()


def file_hash(file: h5py.File, windows: pd.DataFrame, dropped: pd.DataFrame) -> str:
    """Sixteen hex digits over images (by their own hash), tables, axes and attributes of a dataset file."""
    attrs = [str(file.attrs[name]) for name in ("x_sha256", "channels", "units", "axes", "configuration")]
    axes = [file[name][:] for name in json.loads(file.attrs["axes"])]
    return content_hash(*attrs, *axes, table_hash(windows), table_hash(dropped))


def _encode(name, column, source):
    """Return the kind of a column, text, time or number, and its values as stored."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return "number", column.to_numpy()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        return "time", column.to_numpy().astype("datetime64[ns]").astype(np.int64)
    values = column.to_numpy(object)
    for row, value in enumerate(values):
        if not isinstance(value, str) or "\0" in value:
            raise InputError(source, f"column {name}, row {row}", value,
                             "text ('' where there is none), numbers, or times in UTC without zone")
    return "text", values
