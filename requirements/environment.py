"""Write environment.yml from pyproject.toml and the lock: `make lock` calls it.

conda installs Python and pip; everything else comes from the same hashed lock that `make` uses. The direct
dependencies are listed as comments, with the releases that the lock holds.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"^([A-Za-z0-9._-]+)")


def locked(lock: str) -> dict[str, str]:
    """Return name to releases in a lock; a package may have one release for each Python."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE):
        found.setdefault(_plain(name), []).append(version)
    return {name: " or ".join(versions) for name, versions in found.items()}


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def render(pyproject: str, lock: str) -> str:
    """Return the text of environment.yml."""
    project = tomllib.loads(pyproject)["project"]
    versions = locked(lock)
    groups = {"dependencies": project["dependencies"], **project.get("optional-dependencies", {})}
    lines = ["# Made by `make lock` from pyproject.toml and requirements/lock.txt; do not edit.",
             "# Use: conda env create -f environment.yml",
             f"name: {project['name']}", "channels: [conda-forge]",
             "dependencies:", "  - python=3.11", "  - pip", "  - pip:", "      - -r requirements/lock.txt"]
    for group, wanted in groups.items():
        lines.append(f"# {group}:")
        direct = [_plain(NAME.match(requirement).group(1)) for requirement in wanted]
        lines += [f"#   {name} {versions[name]}" for name in direct]
    return "\n".join(lines) + "\n"


def current() -> str:
    """Return what environment.yml has to be now."""
    return render((ROOT / "pyproject.toml").read_text(encoding="utf-8"),
                  (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(current(), encoding="utf-8")
    sys.exit(0)
