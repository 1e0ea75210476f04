"""Independent jobs whose rows are kept on disk under the hash of what they depend on (layer 1)."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from lib import config
from lib.files import InputError, content_hash, write_json

LIB = Path(__file__).parent


def code_hash(*patterns: str) -> str:
    """Hash the files of `lib` that match, by content: a job's rows do not outlive a change to its code.

    Raises
    ------
    InputError
        For a pattern that matches no file.
    """
    found = {pattern: sorted(LIB.glob(pattern)) for pattern in patterns}
    for pattern, paths in found.items():
        if not paths:
            raise InputError("jobs.code_hash", "pattern", pattern, "the name of a file in lib")
    paths = sorted({path for some in found.values() for path in some})
    return content_hash(*[path.read_bytes() for path in paths])


def run(jobs: Iterable, work: Callable, key: str, executor: Executor | None = None,
        folder: str | Path | None = None, what: str = "jobs") -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows, in the order of the jobs.

    A finished job is one file, whole or not at all; a run that was killed continues where it stopped, and a
    job that is listed twice is run once.

    Parameters
    ----------
    jobs : iterable
        Each with a JSON form, such as a frozen dataclass.
    work : callable
        Maps a job to a list of dicts without NaN; a function of a module where an executor is given.
    key : str
        Whatever else decides the rows: `code_hash`, releases of libraries, settings.
    executor : concurrent.futures.Executor, optional
    folder : path, optional
        `config.CACHE / "jobs"` by default.
    what : str
        For the progress bar.

    Returns
    -------
    DataFrame
    """
    folder = Path(folder or config.CACHE / "jobs")
    named = [(job, folder / f"{content_hash(job, key)}.json") for job in jobs]
    todo = {path: job for job, path in named if not path.exists()}
    running = [executor.submit(_store, work, job, path) for path, job in todo.items()] if executor else []
    try:
        for one in tqdm(running or todo.items(), desc=what, disable=None, leave=False):
            one.result() if executor else _store(work, one[1], one[0])
    except BaseException:                       # what has not begun is not begun for nothing
        for one in running:
            one.cancel()
        raise
    return pd.DataFrame([row for _, path in named for row in json.loads(path.read_text(encoding="utf-8"))])


def _store(work, job, path):
    write_json(path, work(job))
