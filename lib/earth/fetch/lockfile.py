"""The lock of a data folder: which file came from where, and its checksum (layer 1).

`checksums.json` lists every fetched file by its path below the folder: sha256, size in bytes, source address
and the parameters of the request. No times: fetching the same bytes again leaves the lock as it is.
"""

import hashlib
import json
from pathlib import Path

from lib.files import InputError, write_json

NAME = "checksums.json"
FIELDS = {"sha256", "size", "source", "parameters"}


def read_lock(folder: str | Path) -> dict[str, dict]:
    """Return the entries of a folder's lock, empty if there is none yet.

    Raises
    ------
    InputError
        If the lock is damaged, or names a path outside the folder.
    """
    path = Path(folder) / NAME
    if not path.exists():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        whole = all(set(entry) >= FIELDS for entry in lock.values())
    except (ValueError, AttributeError, TypeError, OSError) as error:
        raise InputError(path, "contents", str(error),
                         "the lock as written; or delete it, and fetch again") from error
    if not whole:
        raise InputError(path, "entries", "one that lacks a field", "each with " + ", ".join(sorted(FIELDS)))
    for name in lock:
        inside(folder, name)
    return lock


def inside(folder: str | Path, name: str) -> Path:
    """Return the path of a name below the folder; refuse one that leads out of it."""
    root = Path(folder).resolve()
    if ".." in Path(name).parts or root not in (root / name).resolve().parents:
        raise InputError(Path(folder) / NAME, "file name", name, "a path below the data folder")
    return Path(folder) / name


def describe(path: Path, source: str, parameters: dict) -> dict:
    """Return the entry of a file: sha256, size, source address, parameters."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size, "source": source, "parameters": parameters}


def compare(name: str, expected: dict, found: dict) -> None:
    """Raise InputError, with both checksums, unless two entries describe the same bytes."""
    if (found["sha256"], found["size"]) != (expected["sha256"], expected["size"]):
        raise InputError(name, "checksum", f"sha256 {found['sha256'][:16]}, {found['size']} bytes",
                         f"sha256 {expected['sha256'][:16]}, {expected['size']} bytes, as in {NAME}: put the "
                         "former file back, or fetch with --update to take new contents")


def same_request(name: str, entry: dict, source: str, parameters: dict) -> None:
    """Raise InputError unless an entry came from this source with these parameters."""
    for field, asked in (("source", source), ("parameters", parameters)):
        if entry[field] != asked:
            raise InputError(name, field, asked, f"{entry[field]}, as in {NAME}; or another folder; or "
                             "--update to replace the file")


def add(folder: str | Path, name: str, entry: dict) -> None:
    """Enter one file into the lock, which is written whole or not at all, and only if it changes."""
    lock = read_lock(folder)
    if lock.get(name) != entry:
        write_json(Path(folder) / NAME, lock | {name: entry})


def verify(folder: str | Path) -> list[str]:
    """Check every file of a folder's lock; return their names.

    Files that the lock does not name are left alone: a user's own records may lie beside the fetched ones.

    Raises
    ------
    InputError
        For the first file that is missing or has other contents, or if there is no lock.
    """
    lock = read_lock(folder)
    if not lock:
        raise InputError(Path(folder) / NAME, "lock", "no file listed", "a folder that `make fetch` filled")
    for name, entry in sorted(lock.items()):
        path = inside(folder, name)
        if not path.is_file():
            raise InputError(name, "file", "missing", f"sha256 {entry['sha256'][:16]}: fetch it again")
        compare(name, entry, describe(path, entry["source"], entry["parameters"]))
    return sorted(lock)
