"""The chapters: one skeleton, short cells, nothing typed that a run should say; all of them run."""

import ast
import fcntl
import json
import os
import re
import subprocess
import sys

import pytest

from book import keys, runner

NAMES = keys.names()
SMOKE = runner.BUILD / "smoke"
TYPED_SCORE = re.compile(r"\b(MCC|accuracy|R_K|kappa|recall|p-value)\b[^.`{}]{0,20}?"
                         r"(=|\bis\b|\bof\b)\s*[-−+]?0?\.\d")
every = pytest.mark.parametrize("name", NAMES)


def cells(name):
    """Pairs of header and text of each cell."""
    text = keys.source(name).read_text(encoding="utf-8")
    parts = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert not parts[0].strip(), "no header before the first cell"
    return [(part.split("\n", 1)[0].strip(), part.split("\n", 1)[1]) for part in parts[1:]]


def code(name):
    return "\n".join(text for head, text in cells(name) if "[markdown]" not in head)


def prose(name):
    return "\n".join(re.sub(r"^# ?", "", text, flags=re.MULTILINE) for head, text in cells(name)
                     if "[markdown]" in head)


def calls(name, function):
    """First argument of every call of a function of `report`."""
    return [node.args[0].value for node in ast.walk(ast.parse(code(name)))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"report.{function}"]


def test_the_chapters_of_the_issue_are_there():
    """Six chapters in order, and the book's table of contents lists each notebook once."""
    toc = (keys.ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert re.findall(r"book/notebooks/(\w+)", toc) == NAMES
    assert len(NAMES) >= 6


@every
def test_it_starts_with_a_question_and_ends_with_what_to_take_away(name):
    """Label, title as a question, overview, take-away; heads in order."""
    head, first = cells(name)[0]
    assert "[markdown]" in head and re.match(r"# \(nb-[a-z-]+\)=\n# # .+\?\n", first)
    assert len(re.findall(r"^# ", prose(name), re.MULTILINE)) == 1
    for words in ("## Overview", "## Take-away"):
        assert words in prose(name), words


@every
def test_it_answers_first_and_ends_with_exercises(name):
    """A head, an answer with glued numbers before the overview, two exercises or more after the take-away."""
    text = prose(name)
    answer = text[text.index("**In short.**"):text.index("## Overview")]
    assert ":::{glance}" in text[:text.index("**In short.**")] and answer.count("{glue:text}") >= 2
    assert text.index("## Take-away") < text.index("## Exercises")
    assert len(re.findall(r"^\*\*\d\. .+?\*\*", text[text.index("## Exercises"):], re.MULTILINE)) >= 2


@every
def test_every_command_it_proposes_is_accepted(name):
    """The notebook exists and takes the parameters with the values that an exercise names."""
    for other, options in re.findall(r'make run NB=(\w+)\s+P="([^"]*)"', prose(name)):
        given = {key: runner.value_of(" ".join(value.split())) for key, value in
                 re.findall(r"-p\s+(\w+)\s+(\S+)", options)}
        assert given and keys.parameters(keys.source(other), given)


@every
def test_it_takes_at_most_six_documented_parameters(name):
    """One parameters cell; every value is a literal with a type and a comment; profile comes first."""
    values = keys.parameters(keys.source(name))
    assert 1 <= len(values) <= 6 and list(values)[0] == "profile" and values["profile"] == "light"
    text = next(text for head, text in cells(name) if head == 'tags=["parameters"]')
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    for line in lines:
        assert re.search(r"^\w+(: \w+)? *= .+#.*[a-z]", line), f"no comment: {line}"
        assert "# type: " in line or re.match(r"\w+: \w+", line), f"no type: {line}"


@every
def test_it_defines_nothing_and_cells_are_short(name):
    """No function or class in a notebook; at most 15 lines of code in a cell; no magic, no pyplot."""
    for node in ast.walk(ast.parse(code(name))):
        assert not isinstance(node, (ast.FunctionDef, ast.ClassDef)), f"{node.name} belongs in lib"
    for head, text in cells(name):
        lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
        assert "[markdown]" in head or len(lines) <= 15, f"{len(lines)} lines: {lines[0]}"
    assert "plt." not in code(name) and not re.search(r"^[%!]", code(name), re.MULTILINE)


@every
def test_it_is_named_alike_everywhere(name):
    """Its page and its results carry its file name; results that it reads are declared as inputs."""
    assert calls(name, "begin") == [name] and calls(name, "save_results") == [name]
    read = {other for other in calls(name, "load_results") if other != name}
    read |= {keys.FULL} if re.search(r'load_results\("\w+", "full"', code(name)) else set()
    assert read <= set(keys.inputs(keys.source(name))), "add them to the line '# inputs:'"
    assert set(keys.inputs(keys.source(name))) <= {*NAMES, "DATA", keys.WORLD, keys.FULL}


@every
def test_no_score_is_typed(name):
    """Scores in prose are pasted from a run."""
    assert not TYPED_SCORE.search(prose(name)), TYPED_SCORE.search(prose(name)).group()


def doit():
    """Run the task graph of the smoke profile into its own folder, one caller at a time."""
    SMOKE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "doit", "-f", "dodo.py", "-n", "2", "--continue",
               "--db-file", str(SMOKE / ".doit.json"), "profile=smoke", f"out={SMOKE}"]
    clean = {k: v for k, v in os.environ.items() if k != "PRECURSOR_DATA"}
    with open(SMOKE / ".lock", "w") as lock:   # test_book asks for the same run, perhaps at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(command, cwd=keys.ROOT, capture_output=True, text=True, env=clean)


@pytest.fixture(scope="session")
def smoke():
    """Return the folder of all notebooks run under `smoke`, without data; only what is stale runs."""
    done = doit()
    assert done.returncode == 0, done.stdout + done.stderr
    return SMOKE


@pytest.mark.slow
@every
def test_it_runs(smoke, name):
    """Under `smoke`: fresh key, no error, nothing on stderr, results outside the tracked folder."""
    path = smoke / "notebooks" / f"{name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error" and output.get("name") != "stderr", output
    assert runner.stale(name, "smoke", None, runner.layout("smoke", str(smoke))) == ""
    assert f"results/smoke/{name}.json" in notebook["metadata"]["companion"]["outputs"]
    assert str(keys.ROOT) not in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_does_nothing(smoke):
    """An unchanged book re-executes no notebook."""
    done = doit()
    assert done.returncode == 0 and "running" not in done.stdout, done.stdout


@pytest.mark.slow
def test_running_again_gives_the_same_bytes(smoke, tmp_path):
    """The first chapter, run afresh elsewhere, is byte-identical to the first run, figures included."""
    command = [sys.executable, "-m", "book.runner", "execute", NAMES[0], "--profile", "smoke",
               "--out", str(tmp_path)]
    subprocess.run(command, cwd=keys.ROOT, check=True, capture_output=True)
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        assert path.read_bytes() == (smoke / path.relative_to(tmp_path)).read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.real
def test_the_real_record_chapter_runs_on_records(smoke, data, tmp_path):
    """06 runs on the folder of real records."""
    target = tmp_path / "real.ipynb"
    command = [sys.executable, "-m", "book.runner", "run", "06_real_records", "-p", "profile", "smoke",
               "--data", str(data), "--out", str(target)]
    done = subprocess.run(command, cwd=keys.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(target.read_text())["metadata"]["companion"]["data"] == "real records"


@pytest.mark.slow
@pytest.mark.skipif(not NAMES, reason="no notebooks")
def test_a_notebook_can_be_piped_into_papermill(tmp_path):
    """The line in reproduce.md works: jupytext to stdout, papermill from stdin."""
    line = ('"$PY" -m jupytext --to ipynb --set-kernel python3 -o - notebooks/04_mcc_analysis.py | '
            '"$PY" -m papermill - "$PRECURSOR_OUT/out.ipynb" -p profile smoke --no-progress-bar')
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=keys.ROOT, capture_output=True,
                          text=True, env=os.environ | {"PRECURSOR_OUT": str(tmp_path), "PY": sys.executable})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "smoke" / "04_mcc_analysis.json").is_file()
