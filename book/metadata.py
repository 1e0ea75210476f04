"""Metadata for machines: `python -m book.metadata` writes codemeta.json and the RO-Crate from what is there.

CodeMeta describes the software, the RO-Crate says which notebook made which figure and results from which
inputs. Both come from pyproject.toml, CITATION.cff, the notebooks and the tracked output. They hold no date
and no address that nobody has given, so that an unchanged tree gives unchanged bytes.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

import yaml

from book import keys
from lib.files import InputError, atomic_path

CODEMETA, CRATE = "codemeta.json", "ro-crate-metadata.json"
LICENCES = {"MIT": "https://spdx.org/licenses/MIT", "CC-BY-4.0": "https://spdx.org/licenses/CC-BY-4.0"}
NEEDED = ("title", "abstract", "authors", "version", "license", "keywords")


def citation(root: Path) -> dict:
    """Return CITATION.cff.

    Raises
    ------
    InputError
        If a field that the metadata need is missing.
    """
    record = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    for field in NEEDED:
        if field not in record:
            raise InputError(root / "CITATION.cff", "field", field, f"all of {', '.join(NEEDED)}")
    return record


def _authors(record):
    """Return the authors as schema.org has them."""
    people = []
    for author in record["authors"]:
        if "name" in author:
            people.append({"@type": "Organization", "name": author["name"]})
        else:
            people.append({"@type": "Person", "givenName": author["given-names"],
                           "familyName": author["family-names"]})
    return people


def codemeta(root: Path) -> dict:
    """Return the CodeMeta 3.0 record of the software."""
    record = citation(root)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {
        "@context": "https://w3id.org/codemeta/3.0", "@type": "SoftwareSourceCode", "name": record["title"],
        "identifier": project["name"], "description": record["abstract"].strip(),
        "version": project["version"],
        "author": _authors(record), "license": [LICENCES[name] for name in record["license"]],
        "keywords": record["keywords"], "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "softwareRequirements": sorted(project["dependencies"]), "developmentStatus": "active",
        "readme": "README.md", "buildInstructions": "book/reproduce.md", "softwareHelp": "index.md"}
    return found | ({"datePublished": str(record["date-released"])} if "date-released" in record else {})


def _title(path):
    """Title of a notebook: its question."""
    return re.search(r"^# # (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[1]


def _made(root, name):
    """Tracked files that a notebook made."""
    figures = sorted((root / "figures").rglob(f"{name}-*.p[nd][gf]"))
    results = [root / "results" / kind / f"{name}.json" for kind in ("light", "full")]
    return [path.relative_to(root).as_posix() for path in (*figures, *results) if path.is_file()]


def _file(name, title, kind=()):
    """Entity of one file."""
    formats = {".py": "text/x-python", ".png": "image/png", ".pdf": "application/pdf",
               ".json": "application/json", ".cff": "text/yaml", ".txt": "text/plain"}
    types = ["File", *kind] if kind else "File"
    found = {"@id": name, "@type": types, "name": title}
    form = formats.get(Path(name).suffix)
    return found | ({"encodingFormat": form} if form else {})


def crate(root: Path) -> dict:
    """Return the RO-Crate 1.1 of the repository: notebooks, what they read, what they made."""
    record, files, actions = citation(root), {}, []
    for name in keys.names():
        source = f"notebooks/{name}.py"
        files[source] = _file(source, _title(root / source), ("SoftwareSourceCode",)) | {
            "programmingLanguage": {"@id": "#python"}}
        made = _made(root, name)
        for path in made:
            what = "Figure" if path.startswith("figures") else "Results"
            files[path] = _file(path, f"{what} of {name}: {Path(path).stem}")
        read = [f"results/light/{other}.json" for other in keys.inputs(keys.source(name))
                if other in keys.names()]
        actions.append({"@id": f"#run-{name}", "@type": "CreateAction", "name": f"Run of {name}",
                        "instrument": {"@id": source}, "object": [{"@id": path} for path in read],
                        "result": [{"@id": path} for path in made]})
    for name, title in (("requirements/lock.txt", "Exact versions of all packages, with hashes"),
                        ("CITATION.cff", "Citation"), ("LICENSE", "Licence of the code"),
                        ("LICENSE-CC-BY", "Licence of text and figures"), (CODEMETA, "CodeMeta record")):
        files[name] = _file(name, title)
    dataset = {"@id": "./", "@type": "Dataset", "name": record["title"],
               "description": record["abstract"].strip(), "version": str(record["version"]),
               "keywords": record["keywords"],
               "license": [{"@id": LICENCES[name]} for name in record["license"]],
               "author": [{"@id": f"#author-{i}"} for i in range(len(record["authors"]))],
               "hasPart": [{"@id": name} for name in sorted(files)],
               "mentions": [{"@id": action["@id"]} for action in actions]}
    descriptor = {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"},
                  "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}}
    others = [{"@id": f"#author-{i}"} | person for i, person in enumerate(_authors(record))]
    others += [{"@id": LICENCES[name], "@type": "CreativeWork", "name": name} for name in record["license"]]
    others += [{"@id": "#python", "@type": "ComputerLanguage", "name": "Python"}]
    return {"@context": "https://w3id.org/ro/crate/1.1/context",
            "@graph": [descriptor, dataset, *others, *(files[name] for name in sorted(files)), *actions]}


def texts(root: Path) -> dict[str, str]:
    """Return name and content of both files."""
    made = {CODEMETA: codemeta(root), CRATE: crate(root)}
    return {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in made.items()}


def main(arguments: list[str] | None = None) -> int:
    """Write both files, or with ``--check`` say which is stale."""
    parser = argparse.ArgumentParser(prog="python -m book.metadata", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is stale")
    args = parser.parse_args(arguments)
    try:
        made = texts(keys.ROOT)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    stale = [name for name, text in made.items()
             if not (keys.ROOT / name).is_file() or (keys.ROOT / name).read_text(encoding="utf-8") != text]
    if args.check:
        if stale:
            print(f"{' and '.join(stale)} stale: python -m book.metadata", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        with atomic_path(keys.ROOT / name) as temporary:
            temporary.write_text(made[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
