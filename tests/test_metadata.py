"""Metadata for machines: in step with the tree, whole, and refused where CITATION.cff lacks a field."""

import json
import shutil

import pytest

from book import keys, metadata
from lib.files import InputError

TEXTS = metadata.texts(keys.ROOT)


def graph():
    return json.loads(TEXTS[metadata.CRATE])["@graph"]


def references(value):
    """Yield every @id that an entity refers to."""
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_committed_file_is_what_the_tree_gives(name):
    """`python -m book.metadata` would change nothing."""
    assert (keys.ROOT / name).read_text(encoding="utf-8") == TEXTS[name], "run: python -m book.metadata"


def test_codemeta_names_what_pyproject_and_the_citation_say():
    """Version, requirements and licences come from their own files."""
    found = json.loads(TEXTS[metadata.CODEMETA])
    assert found["@context"].endswith("codemeta/3.0") and found["@type"] == "SoftwareSourceCode"
    assert any(item.startswith("torch>=") for item in found["softwareRequirements"])
    assert found["version"] == metadata.citation(keys.ROOT)["version"] and len(found["license"]) == 2


def test_the_crate_is_whole():
    """Every reference is defined once, every file is there, every notebook and figure is part of it."""
    entities = {entity["@id"]: entity for entity in graph()}
    assert len(entities) == len(graph())
    outside = {"https://w3id.org/ro/crate/1.1"}
    assert {i for entity in graph() for i in references(list(entity.values()))} - outside <= set(entities)
    files = {i for i, entity in entities.items() if "File" in entity["@type"]}
    assert all((keys.ROOT / name).is_file() for name in files)
    there = {p.relative_to(keys.ROOT).as_posix() for p in (keys.ROOT / "figures").rglob("*.p[nd][gf]")}
    assert there <= files and {f"notebooks/{name}.py" for name in keys.names()} <= files


def test_every_run_names_its_instrument_and_its_results():
    """A figure is the result of the run of its notebook; what a notebook reads is the object of its run."""
    runs = {entity["instrument"]["@id"]: entity for entity in graph() if entity["@type"] == "CreateAction"}
    assert set(runs) == {f"notebooks/{name}.py" for name in keys.names()}
    gradcam = runs["notebooks/05_gradcam.py"]
    assert gradcam["object"] == [{"@id": "results/light/03_loeo_training.json"}]
    assert {"@id": "figures/05_gradcam-maps.png"} in gradcam["result"]


def test_a_citation_without_a_field_is_refused(tmp_path):
    """The error names the file and the field."""
    shutil.copy(keys.ROOT / "CITATION.cff", tmp_path)
    text = (tmp_path / "CITATION.cff").read_text(encoding="utf-8").replace("keywords:", "words:")
    (tmp_path / "CITATION.cff").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"CITATION\.cff.*keywords"):
        metadata.citation(tmp_path)
