"""What an executed notebook says of itself, read from its file: used by the other extensions of the book.

Imports nothing from `lib`: a page is made from files.
"""

import ast
import functools
import html
import json
import subprocess
from pathlib import Path

NOTEBOOKS = "book/notebooks"


@functools.lru_cache(maxsize=64)
def _read(path: str, size: int, mtime_ns: int) -> dict:
    """Parse a notebook; size and time are there for the cache only."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def notebook(root: Path, docname: str) -> dict:
    """Return an executed notebook; empty for any other page."""
    path = root / f"{docname}.ipynb"
    if not path.is_file():
        return {}
    stat = path.stat()
    return _read(str(path), stat.st_size, stat.st_mtime_ns)


def stamp(root: Path, docname: str) -> dict:
    """Return what the runner wrote into an executed notebook; empty for other pages."""
    return notebook(root, docname).get("metadata", {}).get("companion", {})


def docnames(root: Path) -> list[str]:
    """Return the pages of all executed notebooks that the runner has stamped, in order."""
    found = (f"{NOTEBOOKS}/{path.stem}" for path in sorted((root / NOTEBOOKS).glob("*.ipynb")))
    return [name for name in found if stamp(root, name)]


def shown(root: Path, docname: str) -> list[dict]:
    """Return what `lib.report` said of each figure and table of a notebook, with the number of its cell."""
    return [output["metadata"]["companion"] | {"cell": i}
            for i, cell in enumerate(notebook(root, docname).get("cells", ()))
            for output in cell.get("outputs", ()) if output.get("metadata", {}).get("companion")]


def glued(root: Path, docname: str) -> dict[str, int]:
    """Return the number of the cell behind each glued value of a notebook."""
    return {output["metadata"]["scrapbook"]["name"]: i
            for i, cell in enumerate(notebook(root, docname).get("cells", ()))
            for output in cell.get("outputs", ()) if output.get("metadata", {}).get("scrapbook")}


def anchor(docname: str, key: str) -> str:
    """Return the id of the cell behind a glued value or a figure, unique in the whole book."""
    return f"n{docname.rsplit('/', 1)[-1][:2]}-{key}"


def run_record(root: Path, name: str) -> dict:
    """Return how long a notebook took here, last and at most, and on what; empty if it is not known."""
    side = root / "_build" / "runs" / f"{name}.json"
    record = json.loads(side.read_text(encoding="utf-8")) if side.is_file() else {}
    return record if "longest" in record else {}


def duration(record: dict, which: str = "longest") -> str:
    """Say how long a run took: the longest, in which the least lay in the cache, or the last (`seconds`)."""
    if not record:
        return "not measured"
    seconds = record[which]
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def commit(root: Path) -> str:
    """Return the short commit, marked if tracked files differ from it."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
        return done.stdout
    try:
        changed = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "--short=10", "HEAD").strip() + (" with local changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"


def up(docname: str) -> str:
    """Return the way from a page to the root of the site."""
    return "../" * docname.count("/")


def texts_in(path: Path, name: str) -> dict[str, str]:
    """Return a dictionary of texts that a module defines, read without importing the module: that is slow."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise KeyError(f"{path}: no {name}")


def table_html(name: str, caption: str, heads, rows: str, classes: str = "") -> str:
    """Return a captioned table that scrolls by keyboard; `numbered_tables` gives it number and CSV.

    `rows` is HTML, `caption` and `heads` are text.
    """
    caption = html.escape(caption)
    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in heads)
    rows = rows if rows.startswith("<tbody") else f"<tbody>{rows}</tbody>"
    kind = f' class="{classes}"' if classes else ""
    return (f'<div class="companion-table" id="tab-{name}" tabindex="0" role="region" aria-label="{caption}">'
            f"<table{kind}><caption>{caption}</caption><thead><tr>{head}</tr></thead>{rows}</table></div>")
