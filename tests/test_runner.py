"""The runner: a key that sees every change, executed notebooks that are the same every time."""

import json
from types import SimpleNamespace

import pytest

from book import keys, normalise, runner
from lib.files import InputError

TOY = '''# %% [markdown]
# # A toy

# %% tags=["parameters"]
profile = "smoke"  # type: str  # smoke | light
steps = 3  # type: int  # how many
rate = 0.5  # type: float  # how fast
# inputs: 02_upstream, DATA, full

# %%
from lib import files, report
report.begin("01_toy", profile)
report.glue("n", steps)

# %% tags=["show"]
print("first")
print("second")

# %%
report.save_results("01_toy", {"hash": files.content_hash(rate)})
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Make a folder with one notebook, and the runner pointed at it."""
    monkeypatch.setattr(keys, "SOURCES", tmp_path / "notebooks")
    monkeypatch.setattr(runner, "BUILD", tmp_path / "_build")
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "01_toy.py"
    path.write_text(TOY)
    place = runner.Layout(tmp_path / "out" / "notebooks", tmp_path / "out")
    return SimpleNamespace(path=path, place=place, folder=tmp_path)


def test_parameters_are_read_and_checked(toy):
    """Defaults come from the cell; an unknown name or another type is one clear error."""
    assert keys.parameters(toy.path, {"rate": 2}) == {"profile": "smoke", "steps": 3, "rate": 2.0}
    with pytest.raises(InputError, match="profile, steps, rate"):
        keys.parameters(toy.path, {"step": 3})
    for bad in ({"steps": "three"}, {"steps": 1.5}, {"steps": True}, {"profile": 1}):
        with pytest.raises(InputError, match="a value like"):
            keys.parameters(toy.path, bad)


def test_unknown_notebook_lists_the_known_ones(toy):
    with pytest.raises(InputError, match="01_toy"):
        keys.source("02_none")


def test_the_longest_run_of_a_chapter_is_remembered(monkeypatch, tmp_path):
    """A later run out of the cache does not make the chapter look quick; another profile starts anew."""
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    seen = []
    for profile, seconds in (("light", 240.0), ("light", 12.34), ("smoke", 3.0), ("light", 20.0)):
        runner._remember("01_toy", profile, seconds)
        record = json.loads((tmp_path / "runs" / "01_toy.json").read_text())
        seen.append((record["profile"], record["longest"], record["seconds"]))
    assert seen == [("light", 240.0, 240.0), ("light", 240.0, 12.3), ("smoke", 3.0, 3.0),
                    ("light", 20.0, 20.0)]
    (tmp_path / "runs" / "01_toy.json").write_text('{"seconds": 1}')          # of an earlier version
    runner._remember("01_toy", "light", 5.0)
    assert json.loads((tmp_path / "runs" / "01_toy.json").read_text())["longest"] == 5.0


@pytest.mark.parametrize("deaths, runs", [(0, True), (2, True), (3, False)])
def test_a_kernel_that_dies_before_its_first_cell_is_started_again(monkeypatch, deaths, runs):
    """Twice; then, and for any other error at once, the run fails."""
    import papermill
    calls = []

    def execute(*_, **__):
        calls.append(1)
        if len(calls) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "a notebook"

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    monkeypatch.setattr(runner.os, "environ", dict(runner.os.environ))
    env = {"MPLBACKEND": "", "PRECURSOR_DATA": ""}
    if runs:
        assert runner._papermill(keys.names()[0], {}, env) == "a notebook" and len(calls) == deaths + 1
    else:
        with pytest.raises(RuntimeError, match="Kernel died"):
            runner._papermill(keys.names()[0], {}, env)
        assert len(calls) == runner.STARTS


def test_values_are_read_as_papermill_reads_them():
    words = ("3", "0.5", "True", "None", "light")
    assert [runner.value_of(word) for word in words] == [3, 0.5, True, None, "light"]


def test_closure_follows_imports_of_imports(tmp_path):
    """A module that is imported by a module counts; one that is not, does not; data beside it counts."""
    lib = tmp_path / "lib"
    (lib / "earth").mkdir(parents=True)
    files = {"__init__": "", "a": "def f():\n    from lib.earth import c\n", "b": "", "d": "",
             "earth/__init__": "", "earth/c": "import lib.d", "earth/table.csv": ""}
    for name, text in files.items():
        path = lib / (name if name.endswith(".csv") else f"{name}.py")
        path.write_text(text)
    notebook = tmp_path / "n.py"
    notebook.write_text("from lib import a\nimport numpy\n")
    found = {p.relative_to(lib).as_posix() for p in keys.closure(notebook, tmp_path)}
    assert found == {"__init__.py", "a.py", "d.py", "earth/__init__.py", "earth/c.py", "earth/table.csv"}


def test_the_key_sees_source_parameters_inputs_and_data(toy):
    """Each change changes the key; a run without change keeps it."""
    data = toy.folder / "data"
    data.mkdir()
    (data / "a.csv").write_text("1")

    def key(values=None, folder=None):
        return keys.key_of(keys.parts("01_toy", keys.parameters(toy.path, values), toy.place.out, folder))
    seen = [key(), key({"steps": 4}), key(folder=str(data))]
    assert key() == seen[0] and key(folder=str(data)) == seen[2]
    (data / "a.csv").write_text("2")
    seen.append(key(folder=str(data)))
    upstream = toy.place.out / "results" / "smoke" / "02_upstream.json"
    upstream.parent.mkdir(parents=True)
    upstream.write_text("{}")
    seen.append(key())
    committed = toy.place.out / "results" / "full" / "01_toy.json"
    committed.parent.mkdir()
    committed.write_text("{}")
    seen.append(key())
    toy.path.write_text(TOY + "\n")
    seen.append(key())
    assert len(set(seen)) == len(seen)


def test_missing_data_folder_is_refused():
    with pytest.raises(InputError, match="DATA"):
        keys.data_path("no/such/folder")
    assert keys.data_path("") is None


def test_normalising_removes_what_changes():
    """Times, ids and the cut of a stream go; parameters fold; the injected cell leaves the page."""
    import nbformat
    import nbformat.v4 as v4
    stream = [v4.new_output("stream", name="stdout", text=t) for t in ("a", "b")]
    cells = [v4.new_code_cell("x = 1", metadata={"tags": ["parameters"], "papermill": {"duration": 1.0}}),
             v4.new_code_cell("x = 2", metadata={"tags": ["injected-parameters"]}),
             v4.new_code_cell("print(x)", outputs=stream, metadata={"execution": {"started": "now"}}),
             v4.new_code_cell("1", metadata={"tags": ["show"]})]
    notebook = v4.new_notebook(cells=cells, metadata={"papermill": {"start_time": "now"}})
    ids = [c.id for c in cells]
    normalise.normalise(notebook, "01_toy")
    assert [c.metadata["tags"] for c in notebook.cells] == [
        ["parameters", "hide-input"], ["injected-parameters", "remove-cell"], ["hide-input"], ["show"]]
    assert [o.text for o in notebook.cells[2].outputs] == ["ab"]
    assert "now" not in json.dumps(notebook) and "papermill" not in notebook.metadata
    assert [c.id for c in notebook.cells] != ids
    nbformat.validate(notebook)


def test_two_figures_in_a_cell_are_refused():
    import nbformat.v4 as v4
    outputs = [v4.new_output("display_data", {"text/plain": "x"}, metadata={"companion": {
        "kind": "figure", "name": f"fig-{i}", "caption": "c", "alt": "a"}}) for i in "ab"]
    with pytest.raises(InputError, match="one figure a cell"):
        normalise.normalise(v4.new_notebook(cells=[v4.new_code_cell("", outputs=outputs)]), "01_toy")


def test_the_index_lists_every_figure(tmp_path):
    (tmp_path / "full").mkdir()
    for name in ("01_a-map.png", "01_a-map.pdf", "full/02_b-scores.png"):
        (tmp_path / name).write_bytes(b"")
    runner.write_index(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| `01_a-map` | [01_a](../notebooks/01_a.py) |" in text
    assert "| `full/02_b-scores` | [02_b](../notebooks/02_b.py) |" in text
    assert text.count("\n|") == 4


@pytest.mark.slow
def test_a_run_is_stamped_fresh_and_byte_identical(toy, monkeypatch):
    """Run, fresh; run again, same bytes; touch an output or the source, stale with the reason."""
    target = toy.place.notebooks / "01_toy.ipynb"
    monkeypatch.setattr(runner.os, "environ", dict(runner.os.environ))
    for _ in range(2):
        runner.execute("01_toy", {"profile": "smoke"}, toy.place, None, target)
        digest = target.read_bytes()
    assert runner.stale("01_toy", "smoke", None, toy.place) == ""
    runner.execute("01_toy", {"profile": "smoke"}, toy.place, None, target)
    assert target.read_bytes() == digest
    assert str(toy.folder) not in digest.decode() and str(keys.ROOT) not in digest.decode()
    assert runner.stamp(target)["parameters"] == {"profile": "smoke", "steps": 3, "rate": 0.5}
    (toy.place.out / "results" / "smoke" / "01_toy.json").write_text("{}")
    assert "gone or edited" in runner.stale("01_toy", "smoke", None, toy.place)
    toy.path.write_text(TOY.replace("second", "third"))
    assert runner.stale("01_toy", "smoke", None, toy.place) == "source changed"


@pytest.mark.slow
def test_a_failing_notebook_is_kept_aside(toy, capsys, monkeypatch):
    """The command fails, names the error, and what ran is in _build/failed, not in the book."""
    monkeypatch.setattr(runner.os, "environ", dict(runner.os.environ))
    toy.path.write_text(TOY.replace('print("second")', "1 / 0"))
    code = runner.main(["execute", "01_toy", "--profile", "smoke", "--out", str(toy.place.out)])
    assert code == 1 and "ZeroDivisionError" in capsys.readouterr().err
    assert "first" in (toy.folder / "_build" / "failed" / "01_toy.ipynb").read_text()
    assert not list(toy.place.out.rglob("*.ipynb"))


def test_bad_requests_end_in_one_sentence(toy, capsys):
    """Unknown notebook, parameter, profile or folder of data: exit 2, no traceback."""
    for words in (["run", "09_none"], ["run", "01_toy", "-p", "nope", "1"],
                  ["execute", "01_toy", "--data", "none/x"], ["execute", "01_toy", "--profile", "huge"]):
        assert runner.main(words) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1
