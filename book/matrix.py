"""Run one notebook with every combination of some parameter values (used by `make matrix`; see `--help`).

Each run has a folder of its own, named by its values, with the executed notebook, figures and results. A run
that is there already is not run again and never overwritten; whatever was interrupted is continued. Then all
finished runs of the notebook in that folder are summed up in `summary.csv`, `scores.csv` and `summary.json`.
"""

import argparse
import itertools
import json
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from book import keys, runner
from lib.files import InputError, atomic_path, content_hash, write_json


@dataclass(frozen=True)
class Run:
    """One combination: what is overridden, and where its output goes."""

    notebook: str
    overrides: dict
    folder: Path

    @property
    def target(self) -> Path:
        """The executed notebook."""
        return self.folder / f"{self.notebook}.ipynb"


def parse(text: str) -> dict[str, list]:
    """Read ``"profile=smoke snr=0,1,2"`` as names and lists of values.

    Raises
    ------
    InputError
        For a word without `=`, an empty value, or a name or value given twice.

    >>> parse("profile=smoke snr=0,1.5")
    {'profile': ['smoke'], 'snr': [0, 1.5]}
    """
    found: dict[str, list] = {}
    for word in text.split():
        name, equals, given = word.partition("=")
        values = [runner.value_of(value) for value in given.split(",")]
        if not name.isidentifier() or not equals or "" in values or name in found:
            raise InputError("matrix", "word", word, "name=value,value,... with each name once")
        found[name] = values
    if not found:
        raise InputError("matrix", "MATRIX", text, 'such as "profile=smoke snr=0,1,2 seed=1,2"')
    return found


def plan(notebook: str, text: str, out: Path) -> list[Run]:
    """Return every combination of a matrix, each value checked against the notebook's own cell.

    Raises
    ------
    InputError
        For an unknown notebook or parameter, a value that is not accepted, or two runs with one folder.
    """
    source, matrix, runs = keys.source(notebook), parse(text), {}
    for combination in itertools.product(*matrix.values()):
        given = dict(zip(matrix, combination, strict=True))
        values = keys.parameters(source, given)
        overrides = {name: values[name] for name in values if name in given}     # in the notebook's order
        name = ",".join(f"{key}={re.sub(r'[^A-Za-z0-9.+-]+', '-', str(value)).strip('-')}"
                        for key, value in overrides.items())
        if name in runs:
            raise InputError("matrix", "combination given twice", name, "each value once")
        runs[name] = Run(notebook, overrides, out / notebook / name)
    return list(runs.values())


def is_done(run: Run, data: str | None) -> bool:
    """Whether a run is there already, whole and with the key that it would have now.

    Raises
    ------
    InputError
        If what is there was made by other code, data or values: it is not overwritten.
    """
    if not run.target.exists():
        return False
    source, old = keys.source(run.notebook), runner.stamp(run.target)
    values = keys.parameters(source, run.overrides)
    new = keys.parts(run.notebook, values, run.folder, data if "DATA" in keys.inputs(source) else None)
    before = old.get("parts", {})
    changed = sorted(part for part in {*before, *new} if before.get(part) != new.get(part))
    changed += sorted(name for name, digest in old.get("outputs", {}).items()
                      if keys.file_hash(run.folder / name) != digest)
    if changed:
        raise InputError(run.target, "what it was made from", changed[:4],
                         "the same sources, inputs and outputs as now: give another OUT, or move it away")
    return True


def execute(run: Run, data: str | None) -> str:
    """Run one combination; return what went wrong in one line, empty if nothing did."""
    try:
        place = runner.Layout(run.folder, run.folder)
        runner.execute(run.notebook, run.overrides, place, data, run.target)
    except Exception as error:      # a failing cell; the other runs go on
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        return lines[-1]
    return ""


def run_all(runs: list[Run], data: str | None, jobs: int = 1) -> dict[str, str]:
    """Execute what is not done; return folder name -> what went wrong.

    Raises
    ------
    InputError
        If any run's folder holds something else; then nothing is run.
    """
    waiting = [run for run in runs if not is_done(run, data)]
    print(f"{len(runs)} runs, {len(runs) - len(waiting)} done already", flush=True)
    failed = {}
    if jobs > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            said = pool.map(execute, waiting, [data] * len(waiting))
            failed = _told(zip(waiting, said, strict=True))
    else:
        failed = _told((run, execute(run, data)) for run in waiting)
    return failed


def _told(results):
    failed = {}
    for run, wrong in results:
        print(f"{run.folder.name}: {'failed: ' + wrong if wrong else 'done'}", flush=True)
        if wrong:
            failed[run.folder.name] = wrong
    return failed


def summarise(folder: Path, failed: dict[str, str] | None = None) -> list[dict]:
    """Write `summary.csv` (a row a run), `scores.csv` (a row a score) and `summary.json`; return the runs.

    Parameters
    ----------
    folder : Path
        Of one notebook: its runs are the folders in it.
    failed : dict, optional
        Folder name -> error, noted in the JSON.
    """
    runs = [_read(path) for path in sorted(folder.glob(f"*/{folder.name}.ipynb")) if runner.stamp(path)]
    _write_csv(folder / "summary.csv", [_joined({"run": r["run"], "key": r["key"], "code": r["code"]},
                                                r["parameters"], r["numbers"]) for r in runs])
    _write_csv(folder / "scores.csv", [_joined({"run": r["run"]}, r["parameters"], row)
                                       for r in runs for row in r["scores"]])
    write_json(folder / "summary.json", {"notebook": folder.name, "runs": runs, "failed": failed or {}})
    return runs


def _joined(*parts):
    """Make one row; a result with the name of a parameter, such as `snr`, says that it is a result."""
    row = {}
    for part in parts:
        row |= {f"result {name}" if name in row else name: value for name, value in part.items()}
    return row


def _read(path):
    """Return what one finished run says; `code` tells runs of other sources or inputs apart."""
    stamp = runner.stamp(path)
    values, parts = stamp["parameters"], stamp["parts"]
    name = Path("results") / values.get("profile", "light") / f"{path.stem}.json"
    try:
        results = json.loads((path.parent / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path.parent / name, "reading", str(error), "the results of this run; move it away") \
            from error
    rows = [{"field": field, **_flat(row)} for field, value in sorted(results.items())
            if isinstance(value, list) for row in value if isinstance(row, dict) and "score" in row]
    return {"run": path.parent.name, "key": stamp["key"], "parameters": values,
            "code": content_hash({k: v for k, v in parts.items() if not k.startswith("parameter ")}),
            "numbers": results.get("numbers", {}), "scores": rows}


def _flat(row):
    """Plain fields of a score row, its interval and its best floor; counts and tables stay in the results."""
    flat = {name: value for name, value in row.items() if isinstance(value, (str, int, float, type(None)))}
    if isinstance(row.get("interval"), list):
        flat["low"], flat["high"] = row["interval"]
    if isinstance(row.get("floors"), dict) and row.get("best_floor") in row["floors"]:
        flat["floor"] = row["floors"][row["best_floor"]]
    return flat


def _write_csv(path, rows):
    """Write rows with all their columns; no file where there is no row."""
    if rows:
        with atomic_path(path) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 if every run is done, 1 if one failed, 2 for a request that cannot be met."""
    parser = argparse.ArgumentParser(prog="python -m book.matrix", description=__doc__.splitlines()[0])
    parser.add_argument("notebook", help="such as 03_loeo_training")
    parser.add_argument("matrix", help='such as "profile=smoke snr=0,1,2 seed=1,2"')
    parser.add_argument("--out", default=str(runner.BUILD / "matrix"), help="folder of all runs")
    parser.add_argument("--data", default=os.environ.get("PRECURSOR_DATA"), help="folder of real records")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    args = parser.parse_args(arguments)
    try:
        data = keys.data_path(args.data)
        runs = plan(args.notebook, args.matrix, Path(args.out).resolve())
        failed = run_all(runs, data, args.jobs)
        folder = runs[0].folder.parent
        made = summarise(folder, failed)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if len({run["code"] for run in made}) > 1:
        print("note: the runs in this folder were made by different code or inputs; see the column `code`")
    print(f"{len(made)} runs -> {os.path.relpath(folder / 'summary.csv')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
