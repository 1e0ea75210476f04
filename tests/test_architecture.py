"""The shape of the library is a promise: layers, sizes, and what no file may contain."""

import ast
import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIB = sorted((ROOT / "lib").rglob("*.py"))
LAYERS = {   # design.md; further modules say theirs in the first line of their docstring; within a layer of
    # the design a fraction says which of two modules may import the other
    "files": 0, "config": 0, "studies": 0, "earth": 1, "table_checks": 1, "stft": 2, "purge": 2,
    "duplicates": 2, "relabel": 2, "metrics": 2, "calibration": 2, "comparison": 2, "alarms": 2,
    "forecast_tests": 2, "directions": 2, "polarisation": 2, "night": 2.3, "tec_images": 2.3,
    "representation": 2.5, "dataset": 3, "splits": 3, "copies": 3,
    "forensics": 4, "nulls": 4, "model": 4, "losses": 3, "crnn": 3.5,
    "small_images": 3.5, "backbones": 3.5, "fitted": 4.5, "augment": 4, "floors": 4, "confounders": 4,
    "audit": 5, "train": 5, "gradcam": 5, "report": 6, "crnn_scores": 6.5, "predict": 6.5}
HEAVY = {"torch", "torchvision", "timm", "pytorch_grad_cam"}
DRAWING = {"matplotlib", "seaborn", "PIL"}
NETWORK = {"urllib", "http", "socket", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "ssl"}
HOSTS = [".".join(words) for words in (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"),
                                       ("npmjs", "org"), ("download", "pytorch"), ("conda-forge", "org"))]
HOMES = re.compile(r"(?<![\w.:/<>{}$)~\"*-])/(?:home|Users|root|work|tmp|opt|mnt|media|srv)/\w")


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def module(path):
    """Dotted name below lib, without __init__."""
    parts = path.relative_to(ROOT / "lib").with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


@functools.cache
def layer(name):
    """Layer of a module: fixed by design.md, or as its docstring says."""
    top = name.split(".")[0]
    if top in LAYERS:
        return LAYERS[top]
    path = ROOT / "lib" / f"{top}.py"
    found = re.search(r"\(layer (\d)[;)]", ast.get_docstring(tree(path)) or "")
    assert found, f"lib/{top}.py: its docstring has to say its layer, as in '(layer 2)'"
    return int(found.group(1))


def imports(path):
    """Every dotted name that a file imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}: relative import"
            for alias in node.names:
                inside = ROOT.joinpath(*node.module.split("."), alias.name)
                here = inside.with_suffix(".py").is_file() or inside.is_dir()
                yield f"{node.module}.{alias.name}" if here and node.module.startswith("lib") else node.module


def tracked():
    """Text files of the repository, tracked or about to be."""
    if shutil.which("git") and (ROOT / ".git").exists():
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True,
                             text=True, check=True).stdout.split("\n")
        files = [ROOT / name for name in out if name]
    else:
        files = [p for p in ROOT.rglob("*") if not {".venv", "_build"} & set(p.relative_to(ROOT).parts)]
    words = {".py", ".md", ".yml", ".toml", ".txt", ".css", ".bib", ".json", ".svg", ".cff", ".csv", ""}
    return [p for p in files if p.is_file() and p.suffix in words]


@pytest.mark.parametrize("path", LIB, ids=module)
def test_a_module_imports_only_from_layers_below_it(path):
    name = module(path)
    if not name:
        assert not list(imports(path))
        return
    for target in imports(path):
        if not target.startswith("lib."):
            continue
        target = target.removeprefix("lib.")
        top = name.split(".")[0]
        same = target.split(".")[0] == top and top in ("audit", "earth", "forensics", "predict", "report")
        ground = layer(target) == layer(name) == 0
        assert same or ground or layer(target) < layer(name), \
            f"lib.{name} (layer {layer(name)}) imports lib.{target} (layer {layer(target)})"


@pytest.mark.parametrize("path", LIB, ids=module)
def test_torch_drawing_and_network_stay_where_they_belong(path):
    name = module(path)
    found = {target.split(".")[0] for target in imports(path)}
    if name and layer(name) < 3:
        assert not found & HEAVY
    if name.split(".")[0] != "report":
        pictures = {"PIL"} if name.startswith("published_") else set()      # folders of PNG files, in and out
        assert not found & (DRAWING - pictures)
    if not name.startswith("earth.fetch"):
        assert not found & NETWORK


@pytest.mark.parametrize("path", LIB, ids=module)
def test_nothing_happens_at_import(path):
    """A module's top level holds a docstring, imports, constants, functions and classes only."""
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)
    body = tree(path).body
    if path.name == "__init__.py" and path.parent.name in ("lib", "earth"):
        assert all(isinstance(n, ast.Expr) for n in body), "stays empty of code"
    if path.name == "__main__.py":      # a command: it is run, never imported
        allowed += (ast.Raise,)
    for node in body[1:]:
        assert isinstance(node, allowed), f"{path.name}:{node.lineno} runs at import"
    assert ast.get_docstring(tree(path)), f"{path.name} has no docstring"


@pytest.mark.parametrize("path", [*LIB, *sorted((ROOT / "book").rglob("*.py"))], ids=lambda p: p.stem)
def test_modules_and_functions_stay_small(path):
    """Under 300 lines a module; under 50 a function, its docstring aside."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 300, f"{path.relative_to(ROOT)} holds two ideas: part them"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            said = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
            assert node.end_lineno - node.lineno + 1 - said < 50, f"{path.name}: {node.name}"


def test_public_functions_of_the_library_have_docstrings():
    for path in LIB:
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_no_file_names_a_machine_or_a_registry():
    """No absolute path of somebody's computer, no address of a package index."""
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not any(host in text for host in HOSTS), f"{path.relative_to(ROOT)} names a registry"
        found = HOMES.search(text)
        assert not found, f"{path.relative_to(ROOT)}: {text[found.start():found.end() + 30]!r}"


def test_git_does_not_ignore_the_library():
    """The stock Python .gitignore would."""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("not a git checkout")
    files = [p.relative_to(ROOT).as_posix() for p in LIB] + ["lib", "lib/earth/stations.csv"]
    done = subprocess.run(["git", "check-ignore", *files], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "" and done.returncode == 1


@pytest.mark.slow
def test_reading_records_needs_no_torch():
    """Layers 0 to 2 import in a fresh interpreter without torch, and print nothing."""
    names = [f"lib.{module(p)}" for p in LIB if module(p) and p.stem != "__main__" and layer(module(p)) <= 2]
    code = "import sys\nfor n in sys.argv[1:]: __import__(n)\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("tool", [("ruff", "check", "."),
                                  ("codespell_lib", "book", "lib", "notebooks", "tests", "benchmarks")])
def test_style_and_spelling_hold(tool):
    """Ruff and codespell find nothing; asked here, `make check` and `make test` both ask them."""
    pages = [page.name for page in ROOT.glob("*.md")] if tool[0] == "codespell_lib" else []
    done = subprocess.run([sys.executable, "-m", *tool, *pages], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
