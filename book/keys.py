"""What an executed notebook depends on, as one key.

The key is the sha256 of the notebook's source, every `lib` module it imports (and what those import), its
parameters, its declared inputs, the locked environment and this machinery. A notebook declares inputs in
one comment line of its source::

    # inputs: 03_loeo_training, DATA

A name is another notebook, whose results file is read; `DATA` is the folder of real records. Beside `DATA`
the word `synthetic` says that a synthetic world is shown as well; it names no file. `full` is the notebook's
own committed run of that profile, which the page shows where there is one.
"""

import ast
import functools
import hashlib
import json
import os
import re
from pathlib import Path

from book import parameters as cell
from lib.files import InputError, canonical_json, write_json

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "notebooks"
MACHINERY = ("requirements/lock.txt", "book/keys.py", "book/normalise.py", "book/runner.py")


def names() -> list[str]:
    """Return the notebooks in order, without suffix."""
    return sorted(path.stem for path in SOURCES.glob("[0-9][0-9]_*.py"))


def source(name: str) -> Path:
    """Return the path of a notebook's source.

    Raises
    ------
    InputError
        For an unknown notebook; the message lists the known ones.
    """
    path = SOURCES / f"{name}.py"
    if not path.is_file():
        raise InputError("notebooks", "name", name, ", ".join(names()))
    return path


@functools.lru_cache(maxsize=4096)
def _sha(path: str, size: int, mtime_ns: int) -> str:
    """Hash a file; size and time are there for the cache only."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """First 16 hex digits of a file's sha256, or `absent`."""
    if not path.is_file():
        return "absent"
    stat = path.stat()
    return _sha(str(path), stat.st_size, stat.st_mtime_ns)


def parameters(path: Path, overrides: dict | None = None) -> dict:
    """Return the values of the parameters cell, with the overrides that it knows (`book.parameters`).

    Raises
    ------
    InputError
        If there is no such cell, a value is not a literal, or an override is unknown or not accepted.
    """
    return cell.values(path, overrides)


WORLD = "synthetic"      # declared beside DATA by a notebook that shows a synthetic world too
FULL = "full"            # declared by a notebook that shows its own committed full run


def inputs(path: Path) -> list[str]:
    """Return the inputs that a notebook declares."""
    found = re.search(r"^# inputs:(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [word.strip() for word in found.group(1).split(",") if word.strip()] if found else []


def _imported(path: Path) -> frozenset[str]:
    """Dotted `lib` names that one file imports, anywhere in it."""
    stat = path.stat()
    return _imports(str(path), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _imports(path: str, size: int, mtime_ns: int) -> frozenset[str]:
    """Parse a file; size and time are there for the cache only."""
    found = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == "lib")


def _files_of(dotted: str, root: Path) -> list[Path]:
    """Files behind a dotted name: the module, the packages above it, and data files beside it."""
    parts = dotted.split(".")
    packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    module = root.joinpath(*parts).with_suffix(".py")
    found = [path for path in (*packages, module) if path.is_file()]
    beside = {path.parent for path in found}
    return found + [p for folder in beside for p in folder.iterdir()
                    if p.is_file() and p.suffix not in (".py", ".pyc") and not p.name.startswith(".")]


def closure(path: Path, root: Path = ROOT) -> list[Path]:
    """Return every file of `lib` that a notebook or module reaches by imports, sorted."""
    reached, waiting = set(), [path]
    while waiting:
        for dotted in _imported(waiting.pop()):
            new = [p for p in _files_of(dotted, root) if p not in reached]
            reached.update(new)
            waiting += [p for p in new if p.suffix == ".py"]
    return sorted(reached)


def data_manifest(folder: Path, cache: Path) -> str:
    """Hash of the names, sizes and contents below a folder; contents are read again only if touched."""
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    rows, fresh = [], {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        stat = path.stat()
        mark = f"{path} {stat.st_size} {stat.st_mtime_ns}"
        fresh[mark] = known.get(mark) or hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        rows.append((path.relative_to(folder).as_posix(), stat.st_size, fresh[mark]))
    if fresh != known:
        write_json(cache, fresh)
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()[:16]


def parts(name: str, values: dict, out: Path, data: str | None = None) -> dict:
    """Return everything a run depends on: relative path or name to hash or value.

    Parameters
    ----------
    name : str
        Notebook.
    values : dict
        All its parameters.
    out : Path
        Folder below which results are written and looked for first.
    data : str, optional
        Folder of real records.
    """
    path = source(name)
    found = {f"parameter {key}": value for key, value in values.items()}
    found["source"] = file_hash(path)
    files = [*closure(path), *(ROOT / m for m in MACHINERY)]
    found |= {p.relative_to(ROOT).as_posix(): file_hash(p) for p in files}
    for item in inputs(path):
        if item == WORLD:
            continue
        if item == "DATA":
            cache = ROOT / "_build" / "data_hashes.json"
            found["DATA"] = data_manifest(Path(data), cache) if data else "none"
        elif item != FULL:
            found[f"results of {item}"] = _results_hash(item, values.get("profile", "light"), out)
        elif values.get("profile") != FULL:
            found["results of its full run"] = _results_hash(name, FULL, out)
    return found


def _results_hash(name, profile, out):
    """Hash of the results that `report.load_results` would read."""
    below = Path("results") / profile / f"{name}.json"
    places = [folder / below for folder in (out, ROOT, ROOT / "_build" / "smoke")]
    return file_hash(next((p for p in places if p.is_file()), places[0]))


def key_of(found: dict) -> str:
    """Return the key: sixteen hex digits of the sha256 of all parts."""
    return hashlib.sha256(canonical_json(found).encode()).hexdigest()[:16]


def data_path(value: str | None) -> str | None:
    """Return the absolute path of the folder of records; None for an empty value.

    Raises
    ------
    InputError
        If it does not exist.
    """
    if not value:
        return None
    folder = Path(os.path.expanduser(value)).resolve()
    if not folder.is_dir():
        raise InputError("make", "DATA", value, "an existing folder of records")
    return str(folder)
