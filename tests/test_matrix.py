"""Parameters refused before any work; a matrix of runs that is resumed and never overwritten."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from book import keys, matrix, parameters, runner
from lib import config
from lib.files import InputError, write_json

TOY = '''# %% [markdown]
# # A toy

# %% tags=["parameters"]
profile = "smoke"  # type: str  # smoke | light
snr = 1.0  # type: float  # how strong
seed = 3  # type: int  # which draw
folds = 0  # type: int  # 0 keeps the profile's
share = 0.1  # type: float  # part of the weeks [0.01, 0.5]
protocol = "P2"  # type: str  # which split

# %%
from lib import report
report.begin("01_toy", profile)
report.glue("doubled", 2 * snr)
report.glue("seed", seed)

# %%
row = {"target": "magnitude", "score": snr / 10, "interval": [0.0, 0.5], "floors": {"majority": 0.25},
       "best_floor": "majority", "certificate": {"event": 0}}
report.save_results("01_toy", {"scores": [row]})
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Make a folder with one notebook, and the runner pointed at it."""
    monkeypatch.setattr(keys, "SOURCES", tmp_path / "notebooks")
    monkeypatch.setattr(runner, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(runner.os, "environ", dict(os.environ))
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "01_toy.py"
    path.write_text(TOY)
    return SimpleNamespace(path=path, out=tmp_path / "out")


@pytest.fixture
def quick(toy, monkeypatch):
    """Replace papermill by something that writes what a run would, and remembers that it ran."""
    ran = []

    def execute(name, overrides, place, data, target):
        ran.append(target.parent.name)
        if overrides.get("snr") == 9.0:
            raise RuntimeError("Cell 3\n\nZeroDivisionError: division by zero\n")
        values = keys.parameters(keys.source(name), overrides)
        found = keys.parts(name, values, place.out, None)
        results = place.out / "results" / values["profile"] / f"{name}.json"
        numbers = {"doubled": 2 * values["snr"], "seed": values["seed"]}
        write_json(results, {"notebook": name, "numbers": numbers,
                             "scores": [{"target": "magnitude", "score": values["snr"] / 10,
                                         "interval": [0.0, 0.5], "floors": {"majority": 0.25},
                                         "best_floor": "majority", "certificate": {"event": 0}}]})
        outputs = {results.relative_to(place.out).as_posix(): keys.file_hash(results)}
        write_json(target, {"metadata": {"companion": {"parameters": values, "parts": found,
                                                       "key": keys.key_of(found), "outputs": outputs}}})
    monkeypatch.setattr(runner, "execute", execute)
    return SimpleNamespace(path=toy.path, out=toy.out, ran=ran)


# --- parameters ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("given", "said"), [
    ({"snrr": 1.0}, "profile, snr, seed"), ({"snr": "strong"}, "a value like 1.0"),
    ({"snr": True}, "a value like 1.0"), ({"snr": None}, "a value like 1.0"), ({"snr": -1}, "0 or more"),
    ({"snr": float("nan")}, "0 or more"), ({"snr": float("inf")}, "0 or more"),
    ({"seed": 1.5}, "a value like 3"), ({"seed": -1}, "0 or more"), ({"seed": None}, "a value like 3"),
    ({"folds": 1}, "0, or 2 or more"), ({"folds": -2}, "0, or 2 or more"), ({"share": 0.6}, "0.01 to 0.5"),
    ({"share": 0}, "0.01 to 0.5"), ({"profile": "full"}, "smoke | light"), ({"profile": ""}, "smoke | light"),
    ({"protocol": "P9"}, "P0 | P1")])
def test_a_bad_value_is_refused_before_any_work(toy, monkeypatch, given, said):
    """Unknown, of another type, out of bounds or none of the choices: one sentence, and no kernel starts."""
    monkeypatch.setattr(runner, "_papermill", lambda *_: pytest.fail("something ran"))
    with pytest.raises(InputError) as error:
        runner.execute("01_toy", given, runner.Layout(toy.out, toy.out), None, toy.out / "x.ipynb")
    assert said in str(error.value) and "01_toy.py" in str(error.value)
    assert not toy.out.exists()


def test_values_inside_the_bounds_are_taken(toy):
    """Bounds belong to the range, 0 keeps the profile's folds, a whole number stands for a float."""
    good = {"snr": 0, "seed": 0, "folds": 2, "share": 0.5, "protocol": "P7", "profile": "light"}
    assert keys.parameters(toy.path, good) == good | {"snr": 0.0}
    assert keys.parameters(toy.path)["folds"] == 0
    assert isinstance(keys.parameters(toy.path, {"snr": 2})["snr"], float)


@pytest.mark.parametrize("name", keys.names())
def test_every_parameter_of_the_book_is_documented_and_bounded(name):
    """A comment each, bounds for each number, choices for each name that has them; defaults are accepted."""
    for one in parameters.read(keys.source(name)).values():
        assert one.comment and one.kind == type(one.default).__name__
        assert parameters.check(name, one, one.default) == one.default
        if isinstance(one.default, (int, float)) and not isinstance(one.default, bool):
            assert one.bounds, f"{one.name}: say its bounds in the comment, as in [0, 1]"
        if one.name == "profile":
            assert set(one.choices) <= set(config.PROFILES)
            with pytest.raises(InputError, match="smoke"):
                keys.parameters(keys.source(name), {"profile": "huge"})


def test_names_with_one_meaning_are_known_everywhere():
    """An amplitude law, a station, a scheduler's address."""
    for name, bad in (("08_power", {"law": "cubic"}), ("01_data_exploration", {"station": "XYZ"}),
                      ("08_power", {"scheduler": "host 8786"}), ("08_power", {"workers": 0})):
        with pytest.raises(InputError):
            keys.parameters(keys.source(name), bad)
    good = {"law": "physical", "scheduler": "tcp://node-1:8786"}
    assert keys.parameters(keys.source("08_power"), good).items() >= good.items()


def test_a_line_that_is_no_parameter_is_named(toy):
    toy.path.write_text(TOY.replace("seed = 3", "seed = 1 + len('ab')"))
    with pytest.raises(InputError, match="literal"):
        keys.parameters(toy.path)


# --- matrix -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["", "snr", "snr=", "snr=1,", "=1", "snr=1 snr=2", "snr=1,1", "snr=1,1.0",
                                  "nope=1", "snr=1,-1", "seed=1.5"])
def test_a_bad_matrix_is_refused_whole(quick, capsys, text):
    """Exit 2, one sentence, and not even the good combinations ran."""
    assert matrix.main(["01_toy", text, "--out", str(quick.out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert not quick.ran and not quick.out.exists()


@pytest.mark.slow
def test_every_combination_runs_once_in_its_own_folder(quick, capsys):
    """The product in order, names from values; a second call runs nothing, a larger one only what is new."""
    ask = ["01_toy", "seed=1,2 snr=0,0.5", "--out", str(quick.out)]
    assert matrix.main(ask) == 0
    names = [f"snr={snr},seed={seed}" for seed in (1, 2) for snr in ("0.0", "0.5")]
    assert quick.ran == names
    before = {p: p.read_bytes() for p in quick.out.rglob("*") if p.is_file()}
    assert matrix.main(ask) == 0 and quick.ran == names and "4 done already" in capsys.readouterr().out
    assert before == {p: p.read_bytes() for p in quick.out.rglob("*") if p.is_file()}
    assert matrix.main(["01_toy", "seed=1,2,3 snr=0,0.5", "--out", str(quick.out)]) == 0
    assert quick.ran[4:] == ["snr=0.0,seed=3", "snr=0.5,seed=3"]
    assert len(pd.read_csv(quick.out / "01_toy" / "summary.csv")) == 6


def test_the_summary_holds_parameters_and_scores(quick):
    """A row a run with every parameter and number, a row a score with interval and floor."""
    matrix.main(["01_toy", "snr=1,2", "--out", str(quick.out)])
    folder = quick.out / "01_toy"
    runs, scores = pd.read_csv(folder / "summary.csv"), pd.read_csv(folder / "scores.csv")
    assert runs.run.tolist() == ["snr=1.0", "snr=2.0"] and runs.doubled.tolist() == [2.0, 4.0]
    assert {"profile", "snr", "seed", "folds", "share", "protocol", "key", "result seed"} <= set(runs)
    assert runs.code.nunique() == 1 and runs.key.nunique() == 2
    assert scores[["snr", "score", "low", "high", "best_floor", "floor"]].to_numpy().tolist() == [
        [1.0, 0.1, 0.0, 0.5, "majority", 0.25], [2.0, 0.2, 0.0, 0.5, "majority", 0.25]]
    content = json.loads((folder / "summary.json").read_text())
    assert [r["numbers"]["doubled"] for r in content["runs"]] == [2.0, 4.0] and content["failed"] == {}


def test_a_run_of_other_code_is_never_overwritten(quick, capsys):
    """A changed source, a changed output or a foreign file: refused before anything runs, left as it is."""
    matrix.main(["01_toy", "snr=1", "--out", str(quick.out)])
    target = quick.out / "01_toy" / "snr=1.0" / "01_toy.ipynb"
    results, n = target.parent / "results" / "smoke" / "01_toy.json", len(quick.ran)
    kept = target.read_bytes(), results.read_bytes()
    quick.path.write_text(TOY + "\n")
    assert matrix.main(["01_toy", "snr=1,2", "--out", str(quick.out)]) == 2
    assert "source" in capsys.readouterr().err and len(quick.ran) == n
    assert (target.read_bytes(), results.read_bytes()) == kept
    quick.path.write_text(TOY)
    for path, text in ((results, "{}"), (target, "mine")):
        path.write_text(text)
        assert matrix.main(["01_toy", "snr=1,2", "--out", str(quick.out)]) == 2
        assert "another OUT" in capsys.readouterr().err
        assert path.read_text() == text and len(quick.ran) == n


def test_a_failing_run_does_not_stop_the_others(quick, capsys):
    """Exit 1; the others are done and summed up; the next call tries the failed one again."""
    ask = ["01_toy", "snr=1,9,2", "--out", str(quick.out)]
    for _ in range(2):
        assert matrix.main(ask) == 1
        assert "failed: ZeroDivisionError" in capsys.readouterr().out
    assert quick.ran == ["snr=1.0", "snr=9.0", "snr=2.0", "snr=9.0"]
    content = json.loads((quick.out / "01_toy" / "summary.json").read_text())
    assert list(content["failed"]) == ["snr=9.0"] and len(content["runs"]) == 2


def test_runs_of_different_code_are_told_apart(quick, capsys):
    """Values run after the source changed stand beside the older ones under another code, and it is said."""
    matrix.main(["01_toy", "snr=1", "--out", str(quick.out)])
    quick.path.write_text(TOY + "\n")
    assert matrix.main(["01_toy", "snr=2", "--out", str(quick.out)]) == 0
    assert "different code" in capsys.readouterr().out
    assert pd.read_csv(quick.out / "01_toy" / "summary.csv").code.nunique() == 2


def test_names_that_fall_together_are_refused(quick, capsys):
    """Two values that would share a folder."""
    quick.path.write_text(TOY.replace("# which split", "# free").replace("protocol", "label"))
    assert matrix.main(["01_toy", "label=a/b,a:b", "--out", str(quick.out)]) == 2
    assert "given twice" in capsys.readouterr().err


@pytest.mark.slow
def test_real_runs_of_a_toy_make_the_same_folder_again(toy, capsys):
    """Through papermill: results in the run's own folder, nothing elsewhere, resumed without running."""
    ask = ["01_toy", "snr=1,2", "--out", str(toy.out)]
    assert matrix.main(ask) == 0
    assert pd.read_csv(toy.out / "01_toy" / "scores.csv").score.tolist() == [0.1, 0.2]
    assert {p.name for p in toy.out.iterdir()} == {"01_toy"}
    assert matrix.main(ask) == 0 and "2 done already" in capsys.readouterr().out


@pytest.mark.slow
def test_make_matrix_runs_a_chapter(tmp_path):
    """As a re-runner does: one command, a chapter of the book, its numbers side by side."""
    command = [sys.executable, "-m", "book.matrix", "02_spectrograms", "profile=smoke snr=0,4", "--jobs", "2",
               "--out", str(tmp_path)]
    for _ in range(2):
        done = subprocess.run(command, cwd=keys.ROOT, capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if k != "PRECURSOR_DATA"})
        assert done.returncode == 0, done.stdout + done.stderr
    assert "2 done already" in done.stdout
    runs = pd.read_csv(tmp_path / "02_spectrograms" / "summary.csv")
    assert runs.snr.tolist() == [0.0, 4.0] and runs.profile.tolist() == ["smoke"] * 2
    text = (keys.ROOT / "Makefile").read_text(encoding="utf-8")
    assert '-m book.matrix "$(NB)" "$(MATRIX)"' in text
