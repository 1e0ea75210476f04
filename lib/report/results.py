"""A notebook's numbers as one JSON file, tracked and compared (layer 6)."""

import importlib.metadata
import json
import math

import pandas as pd

from lib import config, provenance
from lib.files import InputError, write_json
from lib.report.page import current, output_folder

VERSIONED = ("numpy", "scipy", "torch", "timm")   # the packages whose release can change a number


def save_results(notebook: str, values: dict) -> None:
    """Write the page's numbers to results/<profile>/<notebook>.json below the output folder.

    Glued numbers are added under ``numbers``, releases of the packages that matter under ``versions``.
    Data frames become lists of rows. No date, and no machine except for `full`, whose results name hardware
    and commit: an unchanged result leaves an unchanged file.

    Raises
    ------
    InputError
        If `notebook` is not the open page, or a value is NaN or infinite outside a data frame (there a
        missing value becomes null); the message gives the path of the key.
    """
    page = current()
    if notebook != page.notebook:
        raise InputError("report.save_results", "notebook", notebook, f"the open page, {page.notebook!r}")
    content = {"notebook": notebook, "profile": page.profile, "numbers": dict(page.numbers),
               "versions": {name: importlib.metadata.version(name) for name in VERSIONED}, **values}
    if page.profile == "full":
        content |= {"hardware": provenance.hardware(), "commit": provenance.commit()}
    write_json(output_folder("results", page.profile) / f"{notebook}.json", _plain(content, notebook))


def _plain(value, path):
    """Return the value with frames as rows, refusing what JSON cannot say."""
    if isinstance(value, pd.DataFrame):
        rows = value.astype(object).where(value.notna(), None).to_dict("records")
        return [_plain(row, f"{path}[{i}]") for i, row in enumerate(rows)]
    if isinstance(value, dict):
        return {str(k): _plain(v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v, f"{path}[{i}]") for i, v in enumerate(value)]
    if hasattr(value, "tolist"):                 # numpy scalars and arrays
        return _plain(value.tolist(), path)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError("report.save_results", path, value, "a finite number, or None where none is defined")
    return value


def load_results(notebook: str, profile: str, required: bool = True) -> dict | None:
    """Read what a notebook saved: in this run, else the committed file, else that of a smoke run.

    Parameters
    ----------
    notebook, profile : str
        As given to `save_results`.
    required : bool
        If false, a missing file gives None: a page shows `full` results where they exist.

    Raises
    ------
    InputError
        If the file is missing and required, or is not a results file.
    """
    name = f"{notebook}.json"
    places = (output_folder("results", profile) / name, config.RESULTS / profile / name,
              config.ROOT / "_build" / "smoke" / "results" / profile / name)
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        if not required:
            return None
        raise InputError(places[1], "file", "missing", f"a run of it: make notebooks PROFILE={profile}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, f"line {getattr(error, 'lineno', '?')}", "damaged JSON",
                         "a file written by report.save_results: delete it and run the notebook") from error
    if not isinstance(content, dict) or content.get("notebook") != notebook:
        raise InputError(path, "field notebook", type(content).__name__, f"the results of {notebook}")
    return content
