"""Clear errors, files that appear whole or not at all, and content hashes (layer 0)."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np


class InputError(ValueError):
    """One clear sentence about input that cannot be used.

    Parameters
    ----------
    source : str or Path
        The file, table or argument that holds the bad value.
    where : str
        Line, field, row or key: whatever leads the reader to the place.
    value : object
        The value found there.
    accepted : str
        What would have been accepted, or what to do about it.

    Examples
    --------
    >>> print(InputError("alr.sec", "line 31, column H", "12x", "a number in nT"))
    alr.sec, line 31, column H: found '12x'; accepted: a number in nT
    """

    def __init__(self, source, where, value, accepted):
        self.source, self.where, self.value, self.accepted = str(source), where, value, accepted
        super().__init__(source, where, value, accepted)   # the four parts, so that it pickles

    def __str__(self):
        shown = repr(self.value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return f"{self.source}, {self.where}: found {shown}; accepted: {self.accepted}"


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` only if the block succeeds.

    Nothing half-written is left behind: on any exception the temporary file is removed.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written; the message names `path`.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise InputError(path, "writing", error.strerror, "a folder that can be written") from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)   # mkstemp makes it private
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None:      # a reader's or HDF5's own complaint, not the disk's
            raise
        raise InputError(path, "writing", error.strerror,
                         "a folder that can be written, with space left") from error
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value):
    """Turn what JSON does not know into what it does: numpy scalars, arrays, paths, dataclasses."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def canonical_json(value, indent: int | None = None) -> str:
    """Serialise with sorted keys and no NaN, so that equal values give equal bytes.

    >>> canonical_json({"b": 1, "a": (2, 3)})
    '{"a": [2, 3], "b": 1}'
    """
    return json.dumps(value, sort_keys=True, default=_plain, allow_nan=False, indent=indent)


def content_hash(*values) -> str:
    """First 16 hex digits of the sha256 of arrays, bytes, strings or anything with a JSON form."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, bytes):
            digest.update(value)
        else:
            digest.update(canonical_json(value).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def write_json(path: str | Path, value) -> None:
    """Write canonical, indented JSON atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(canonical_json(value, indent=1) + "\n", encoding="utf-8")
