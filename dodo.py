"""The task graph behind `make notebooks`: which notebook waits for which, and when one has to run."""

import sys

from doit import get_var

from book import keys, runner

DOIT_CONFIG = {"dep_file": "_build/.doit.json", "backend": "json", "verbosity": 2, "par_type": "thread",
               "reporter": "error-only", "default_tasks": ["notebooks"]}


def task_notebooks():
    """Run the stale notebooks; a notebook waits for those whose results it declares as inputs."""
    profile, data, out = get_var("profile", "light"), get_var("data", ""), get_var("out", "")
    options = ["--profile", profile, *(["--data", data] if data else []), *(["--out", out] if out else [])]
    place = runner.layout(profile, out or None)
    for name in keys.names():
        yield {
            "name": name,
            "actions": [[sys.executable, "-m", "book.runner", "execute", name, *options]],
            "task_dep": [f"notebooks:{i}" for i in keys.inputs(keys.source(name)) if i in keys.names()],
            "uptodate": [lambda name=name: not runner.stale(name, profile, keys.data_path(data), place)],
        }
