"""Take from an executed notebook what changes from run to run, and mark it up for the book."""

import hashlib

from lib.files import InputError

KEPT = ("tags", "mystnb")


def normalise(notebook, name: str) -> None:
    """Remove times, paths and random ids in place; fold code away; turn figures into numbered ones.

    A cell tagged `show` keeps its code open. The cell with papermill's values is left out of the page:
    the box at its end shows them.

    Raises
    ------
    InputError
        If a cell shows two figures: a caption belongs to one.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata["language_info"] = {"name": "python", "file_extension": ".py",
                                          "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
    for i, cell in enumerate(notebook.cells):
        cell["id"] = hashlib.sha256(f"{i}:{cell.cell_type}:{cell.source}".encode()).hexdigest()[:12]
        cell["metadata"] = {key: cell.metadata[key] for key in KEPT if key in cell.metadata}
        if cell.cell_type == "code":
            cell["metadata"]["tags"] = _tags(cell.metadata.get("tags", []))
            cell["outputs"] = _merge_streams(cell.outputs)
            _number_figures(cell, name)


def _tags(tags):
    """Return the tags with the one that folds or removes the code."""
    if "injected-parameters" in tags:
        return [*tags, "remove-cell"]
    return list(tags) if "show" in tags or "hide-input" in tags else [*tags, "hide-input"]


def _merge_streams(outputs):
    """Join neighbouring pieces of one stream: where they part is chance."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if last.get("output_type") == output.output_type == "stream" and last.name == output.name:
            last["text"] += output.text
        else:
            merged.append(output)
    return merged


def _companions(cell):
    """Return what `lib.report.figure` said beside a cell's outputs."""
    found = (output.get("metadata", {}).get("companion", {}) for output in cell.get("outputs", ()))
    return [item for item in found if item.get("kind") == "figure"]


def _number_figures(cell, name):
    """Give the cell the metadata that makes myst-nb number its figure."""
    figures = _companions(cell)
    if len(figures) > 1:
        raise InputError(f"notebooks/{name}.py", "figures in one cell", [f["name"] for f in figures],
                         "one figure a cell")
    for item in figures:
        cell["metadata"]["mystnb"] = {"figure": {"name": item["name"], "caption": item["caption"]},
                                      "image": {"alt": item["alt"]}}


def outputs(notebook, name: str, profile: str) -> list[str]:
    """Return the files that a run should have left, relative to its output folder."""
    folder = "figures/full" if profile == "full" else "figures"
    stems = [item["name"].removeprefix("fig-") for cell in notebook.cells for item in _companions(cell)]
    files = [f"{folder}/{name}-{stem}.{kind}" for stem in stems for kind in ("png", "pdf")]
    return [*files, f"results/{profile}/{name}.json"]
