"""Containers and workflows: parsed, pinned, with few rights, and calling only what the Makefile has."""

import json
import re

import pytest
import yaml

from book import keys

ROOT = keys.ROOT
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
every = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def test_check_book_and_pages_are_there():
    """One workflow for each."""
    assert {path.stem for path in WORKFLOWS} == {"check", "book", "pages"}


@every
def test_every_action_is_pinned(path):
    """Forty hexadecimal digits, and the release they are in a comment."""
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert used
    for words in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", words), words


@every
def test_rights_and_time_are_limited(path):
    """The token may read; a job that may more says which; every job ends."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert found["permissions"] == {"contents": "read"} and "concurrency" in found
    for name, job in found["jobs"].items():
        assert job["timeout-minutes"] <= 90, name


@every
def test_it_runs_only_what_the_makefile_has(path):
    """`make` and a target of ours."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    commands = [step["run"] for job in found["jobs"].values() for step in job["steps"] if "run" in step]
    for command in commands:
        assert re.fullmatch(r"make ([\w-]+)", command) and command.split()[1] in TARGETS, command


def test_the_container_installs_the_same_lock():
    """What is copied exists, the environment is the Makefile's, and the user is not root."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for words in re.findall(r"^COPY --chown=\w+ (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in words.split()), words
    assert "make .venv/.ready" in text and ".venv/.ready" in TARGETS
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (ROOT / ".devcontainer" / found["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert found["postCreateCommand"] == "make .venv/.ready"
