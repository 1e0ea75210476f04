"""The environment: one list of dependencies, everything else made from it."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def load(name):
    """Import a script of requirements/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "requirements" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_environment_yml_is_what_the_lock_says():
    """Regenerating environment.yml changes nothing."""
    assert load("environment").current() == (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_environment_yml_follows_a_changed_lock():
    """A new pin shows."""
    module = load("environment")
    project = '[project]\nname = "a"\ndependencies = ["Foo_bar>=1"]\n'
    text = module.render(project, "foo-bar==2.5 \\\n  --hash=x\n")
    assert "#   foo-bar 2.5\n" in text and "- -r requirements/lock.txt" in text


def test_every_dependency_is_locked_within_its_range():
    """Each requirement of pyproject.toml is pinned to a release that it admits."""
    from packaging.requirements import Requirement
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = load("environment").locked(LOCK)
    wanted = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    for requirement in map(Requirement, wanted):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for version in pins[name].split(" or "):
            assert requirement.specifier.contains(version, prereleases=True), f"{name} {version}"


@pytest.mark.parametrize("name", ["lock.txt", "uv.txt"])
def test_locks_are_hashed_and_carry_no_address(name):
    """Every pin has a hash; no address, path or local build (such as +cpu) is in the file."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in pin for pin in pins if "==" in pin)
    assert "://" not in text and "file:" not in text and "+cpu" not in text and "--find-links" not in text


def test_make_helps_without_an_environment():
    """`make help` lists every target that the README may name."""
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for word in ("book", "notebooks", "run", "test", "check", "bench", "lock", "pdf", "clean"):
        assert re.search(rf"^{word} ", said, re.MULTILINE), word


def test_a_missing_python_is_named(tmp_path):
    """Without Python, make says which versions would do."""
    (tmp_path / "requirements").mkdir()
    for name in ("lock.txt", "uv.txt", "bootstrap.py"):
        (tmp_path / "requirements" / name).write_text("")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    done = subprocess.run(["make", "site", "PYTHON=no-such-python"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode and "needs Python 3.11, 3.12 or 3.13" in done.stdout + done.stderr


@pytest.mark.parametrize(("version", "missing", "said"), [
    ((3, 9), None, "this is Python 3.9"), ((3, 14), None, "needs 3.11, 3.12 or 3.13"),
    ((3, 12), "ensurepip", "python3-venv"), ((3, 11), None, "")])
def test_bootstrap_says_what_is_missing(monkeypatch, capsys, version, missing, said):
    """A wrong version and a Python without venv each end in one sentence with the remedy."""
    bootstrap = load("bootstrap")
    monkeypatch.setattr(bootstrap.sys, "version_info", (*version, 0))
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    if said:
        with pytest.raises(SystemExit):
            bootstrap.check()
        assert said in capsys.readouterr().err
    else:
        bootstrap.check()


def test_torch_is_the_locked_build():
    """The torch that runs is the release in the lock, not a local build from elsewhere."""
    from importlib.metadata import version
    assert version("torch") == load("environment").locked(LOCK)["torch"]
