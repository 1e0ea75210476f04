"""Run a notebook: jupytext, papermill, normalise, stamp (used by the Makefile; see `--help`).

An executed notebook holds no time, no path and no random id: the same inputs give the same bytes. It carries
its own key (`book.keys`), so that what is rendered can be checked against what is on disk.
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from book import keys
from lib import config, provenance
from lib.files import InputError, atomic_path, write_json

ROOT, BUILD = keys.ROOT, keys.ROOT / "_build"
STARTS = 3          # of a kernel that dies before its first cell


@dataclass(frozen=True)
class Layout:
    """Where a run writes: executed notebooks, and the folder of figures and results."""

    notebooks: Path
    out: Path


def layout(profile: str, out: str | None = None) -> Layout:
    """Return the folders of a profile: tracked ones for `light` and `full`, `_build/smoke` for `smoke`."""
    if out:
        folder = Path(out).resolve()
        return Layout(folder / "notebooks", folder)
    return Layout(ROOT / "book" / "notebooks", BUILD / "smoke" if profile == "smoke" else ROOT)


def stamp(path: Path) -> dict:
    """Return what an executed notebook says about its run; empty if it is absent or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["metadata"]["companion"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def stale(name: str, profile: str, data: str | None, place: Layout) -> str:
    """Return why a notebook has to run, in a few words; empty if it is fresh."""
    old = stamp(place.notebooks / f"{name}.ipynb")
    if not old:
        return "not run yet"
    values = keys.parameters(keys.source(name), _known(name, {"profile": profile}))
    new = keys.parts(name, values, place.out, data)
    if old.get("key") != keys.key_of(new):
        parts = old.get("parts", {})
        changed = sorted(k for k in {*parts, *new} if parts.get(k) != new.get(k))
        return ", ".join(changed[:4]) + (" ..." if len(changed) > 4 else "") + " changed"
    lost = [p for p, digest in old.get("outputs", {}).items() if keys.file_hash(place.out / p) != digest]
    return f"{lost[0]} is gone or edited" if lost else ""


def _known(name, overrides):
    """Drop the profile for a notebook that does not take one."""
    if "profile" in keys.parameters(keys.source(name)):
        return overrides
    return {k: v for k, v in overrides.items() if k != "profile"}


def environment(place: Layout, profile: str, data: str | None) -> dict[str, str]:
    """Return the environment of a kernel: quiet, offline, one thread unless `full`, importing this `lib`."""
    env = {"PRECURSOR_OUT": str(place.out), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0",
           "PYTHONWARNINGS": "ignore:IProgress not found", "TQDM_DISABLE": "1", "MPLBACKEND": "",
           "IPYTHONDIR": str(BUILD / "ipython"), "PRECURSOR_DATA": data or ""}
    if "HF_HUB_OFFLINE" not in os.environ:
        env["HF_HUB_OFFLINE"] = "1"
    if profile != "full":       # results must not depend on how many notebooks run beside this one
        env |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return env


def execute(name: str, overrides: dict, place: Layout, data: str | None, target: Path) -> float:
    """Run a notebook and write it, normalised and stamped, to `target`; return the seconds it took.

    Raises
    ------
    InputError
        For an unknown notebook or parameter.
    papermill.PapermillExecutionError
        If a cell fails; the partial notebook is kept in `_build/failed`.
    """
    values = keys.parameters(keys.source(name), _known(name, overrides))
    data = data if "DATA" in keys.inputs(keys.source(name)) else None    # others stay synthetic
    found = keys.parts(name, values, place.out, data)
    started = time.perf_counter()
    notebook = _papermill(name, values, environment(place, values.get("profile", "light"), data))
    seconds = time.perf_counter() - started
    from book import normalise
    normalise.normalise(notebook, name)
    outputs = normalise.outputs(notebook, name, values.get("profile", "light"))
    outputs = {p: keys.file_hash(place.out / p) for p in outputs if (place.out / p).is_file()}
    notebook.metadata["companion"] = {
        "notebook": name, "source": f"notebooks/{name}.py", "parameters": values, "parts": found,
        "key": keys.key_of(found), "outputs": outputs, "data": _data_of(name, found, data)}
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
                             encoding="utf-8")
    _drop_old_figures(name, place, outputs, values.get("profile", "light"))
    if place.notebooks == ROOT / "book" / "notebooks":          # a chapter, not a run by hand
        _remember(name, values.get("profile", "light"), seconds)
    return seconds


def _remember(name, profile, seconds):
    """Keep how long a chapter took, last and at most: what lies in the cache is not done again."""
    side = BUILD / "runs" / f"{name}.json"
    try:
        old = json.loads(side.read_text(encoding="utf-8"))
        longest = max(seconds, old["longest"] if old["profile"] == profile else 0.0)
    except (OSError, ValueError, KeyError, TypeError):
        longest = seconds
    write_json(side, {"seconds": round(seconds, 1), "longest": round(longest, 1), "profile": profile,
                      "hardware": provenance.hardware()})


def _data_of(name, parts, data):
    """Say in a few words what a chapter's numbers come from."""
    if "DATA" in keys.inputs(keys.source(name)):
        real = "real records" if data else "real records, committed results"
        return f"synthetic and {real}" if keys.WORLD in keys.inputs(keys.source(name)) else real
    return "printed numbers" if "lib/printed.py" in parts else "synthetic"


def _papermill(name, values, env):
    """Convert and run; return the executed notebook."""
    import jupytext
    import papermill
    work = BUILD / "work" / f"{name}-{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    notebook = jupytext.read(keys.source(name), fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, work / "in.ipynb", fmt="ipynb")
    os.environ.update(env)
    for key in ("MPLBACKEND", "PRECURSOR_DATA"):
        if not os.environ[key]:
            del os.environ[key]
    try:
        for left in range(STARTS)[::-1]:
            try:
                return papermill.execute_notebook(
                    str(work / "in.ipynb"), str(work / "out.ipynb"), parameters=values, kernel_name="python3",
                    cwd=str(ROOT), progress_bar=False)
            except RuntimeError as error:      # two kernels that start at once may have picked the same port
                if "Kernel died before replying" not in str(error) or not left:
                    raise
    except Exception:
        (BUILD / "failed").mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.move(work / "out.ipynb", BUILD / "failed" / f"{name}.ipynb")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _drop_old_figures(name, place, outputs, profile):
    """Remove figures that an earlier version of the notebook made and this one does not."""
    folder = place.out / ("figures/full" if profile == "full" else "figures")
    for path in folder.glob(f"{name}-*"):
        if path.suffix in (".png", ".pdf") and path.relative_to(place.out).as_posix() not in outputs:
            path.unlink()


def write_index(figures: Path) -> None:
    """Write figures/README.md: which notebook exports which figure."""
    lines = ["# Figures", "", "Made by `make notebooks`; do not edit. Each is saved as PNG and as PDF.", "",
             "| figure | notebook |", "|---|---|"]
    for path in sorted(figures.rglob("*.png")):
        stem = path.relative_to(figures).with_suffix("").as_posix()
        name = path.stem.split("-", 1)[0]
        lines.append(f"| `{stem}` | [{name}](../notebooks/{name}.py) |")
    with atomic_path(figures / "README.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def value_of(text: str):
    """Read a parameter as papermill's -p does: True, False, None, a number, else the text itself."""
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _run(args):
    """`execute` one notebook if it is stale, or `run` it with any parameters."""
    data = keys.data_path(args.data)
    if args.command == "execute":
        if args.profile not in config.PROFILES:
            raise InputError("make", "PROFILE", args.profile, ", ".join(config.PROFILES))
        place = layout(args.profile, args.out)
        why = "asked to" if args.force else stale(args.name, args.profile, data, place)
        if not why:
            print(f"{args.name}: up to date")
            return
        overrides, target = {"profile": args.profile}, place.notebooks / f"{args.name}.ipynb"
    else:
        target = Path(args.out or BUILD / "out" / f"{args.name}.ipynb").resolve()
        place = Layout(target.parent, target.parent / target.stem)
        overrides, why = {k: value_of(v) for k, v in args.parameter}, "asked to"
    print(f"{args.name}: running ({why})", flush=True)
    seconds = execute(args.name, overrides, place, data, target)
    print(f"{args.name}: {seconds:.0f} s -> {os.path.relpath(target)}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line: execute | run | index."""
    parser = argparse.ArgumentParser(prog="python -m book.runner", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for word, text in (("execute", "run a notebook of the book if it is stale"),
                       ("run", "run one notebook with any parameters, output where you say")):
        command = commands.add_parser(word, help=text)
        command.add_argument("name")
        command.add_argument("--out", help="folder" if word == "execute" else "path of the executed .ipynb")
        command.add_argument("--data", default=os.environ.get("PRECURSOR_DATA"))
    command.add_argument("-p", dest="parameter", nargs=2, action="append", default=[],
                         metavar=("NAME", "VALUE"))
    commands.choices["execute"].add_argument("--profile", default="light")
    commands.choices["execute"].add_argument("--force", action="store_true")
    commands.add_parser("index", help="write figures/README.md")
    args = parser.parse_args(arguments)
    try:
        _run(args) if args.command != "index" else write_index(ROOT / "figures")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        print(f"{args.name} failed; what ran is in _build/failed/{args.name}.ipynb\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
