import ast
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import config, dataset, synthetic
from lib.earth import field
from lib.files import InputError

TINY = {"windows.window_s": 1800, "windows.n_windows": 36, "stft.size": (8, 8)}
STUDY = config.load("convnext", "smoke", TINY | {"world.snr": 2.0})
NULL = config.load("convnext", "smoke", TINY | {"world.snr": 0.0})
N = STUDY.windows.window_s


@pytest.fixture(scope="module")
def windows():
    return synthetic.make_windows(STUDY)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Both worlds as dataset files."""
    folder = tmp_path_factory.mktemp("synthetic")
    return {name: synthetic.make_dataset(s, folder) for name, s in {"planted": STUDY, "null": NULL}.items()}


def records(study, windows):
    """Record of every window, made afresh."""
    world = synthetic.make_world(study)
    return np.stack([world.window(row.station, row.start, N) for row in windows.itertuples()])


def test_same_study_same_bytes(built, tmp_path):
    """A file built again, elsewhere, is the same file."""
    again = synthetic.make_dataset(STUDY, tmp_path)
    assert again.name == built["planted"].name and again.read_bytes() == built["planted"].read_bytes()


def test_a_finished_file_is_used_again(built, monkeypatch):
    """What is on disk is not computed again; what shaped it decides, and training does not shape it."""
    monkeypatch.setattr(dataset, "_write_images", None)       # building would fail
    longer = dataclasses.replace(STUDY, training=dataclasses.replace(STUDY.training, epochs=9))
    assert synthetic.make_dataset(longer, built["planted"].parent) == built["planted"]


@pytest.mark.slow
def test_a_change_to_the_world_builds_the_file_again(tmp_path, monkeypatch):
    """No file outlives the code of the world that is in it."""
    path = synthetic.make_dataset(NULL, tmp_path)
    with dataset.open_dataset(path) as before:
        content = before.content_hash
    changed = tmp_path / "changed.py"
    changed.write_text("another physics")
    monkeypatch.setattr(synthetic, "code_files", lambda: [changed])
    with dataset.open_dataset(synthetic.make_dataset(NULL, tmp_path)) as after:
        assert after.content_hash != content


def test_the_code_of_a_world_is_all_that_its_module_imports():
    """Compare with the import statements of `lib.earth.field` and of what it imports, read from the files."""
    folder, found, queue = Path(field.__file__).parent, set(), ["field"]
    while queue:
        found.add(name := queue.pop())
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib.earth"):
                inside = node.module.removeprefix("lib.earth").strip(".")
                queue += {inside} - found if inside else {a.name for a in node.names} - found
    assert found - {"tables", "rawfile"} <= {p.stem for p in synthetic.code_files() if p.suffix == ".py"}
    assert {"stations.csv"} <= {p.name for p in synthetic.code_files()}


def test_windows_do_not_depend_on_snr(windows):
    pd.testing.assert_frame_equal(synthetic.make_windows(NULL), windows)


def test_worlds_share_windows_and_axes_and_differ_in_content(built):
    with dataset.open_dataset(built["planted"]) as planted, dataset.open_dataset(built["null"]) as null:
        pd.testing.assert_frame_equal(planted.windows, null.windows)
        np.testing.assert_array_equal(planted.frequency_hz, null.frequency_hz)
        assert planted.content_hash != null.content_hash


def test_quiet_windows_are_the_same_sample_for_sample_and_event_windows_differ(windows):
    """Nothing but the precursor differs between the worlds, and every event window holds some of it."""
    differs = records(STUDY, windows) != records(NULL, windows)
    event = (windows.event_id != "").to_numpy()
    assert not differs[~event].any()
    assert differs[event].any((1, 2)).mean() > 0.9


def test_images_of_quiet_windows_are_equal_too(built):
    with dataset.open_dataset(built["planted"]) as planted, dataset.open_dataset(built["null"]) as null:
        quiet = (planted.windows.event_id == "").to_numpy()
        np.testing.assert_array_equal(planted.read(quiet), null.read(quiet))
        assert (planted.read(~quiet) != null.read(~quiet)).any()


def test_another_seed_is_another_world(windows):
    other = synthetic.make_windows(config.load("convnext", "smoke", TINY | {"seed": 7}))
    assert not other.window_id.equals(windows.window_id)


def test_a_sampling_that_the_world_does_not_have_is_refused(tmp_path):
    study = config.load("convnext", "smoke", TINY | {"windows.sampling_s": 2.0})
    with pytest.raises(InputError, match=r"2\.0; accepted: 1\.0"):
        synthetic.make_dataset(study, tmp_path)


@pytest.mark.slow
def test_the_full_study_can_be_set_up():
    """World and windows of the published size; no record is computed."""
    study = config.load("convnext", "full")
    table = synthetic.make_windows(study)
    assert len(table) == study.windows.n_windows == 1972
    assert (table.event_id == "").sum() == 986
