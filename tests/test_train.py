import dataclasses
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from lib import config, dataset, runs, train
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES, N_CLASSES

STUDY = config.load("convnext", "smoke", {"windows.window_s": 1800, "evaluation.folds": 3})


def fake_windows(n_events=12, per_event=2):
    """Events and quiet blocks of two windows each, a month apart."""
    rows = []
    for i in range(2 * n_events):
        event = i % 2 == 0
        for j in range(per_event):
            start = pd.Timestamp("2020-01-01 14:00") + pd.Timedelta(days=20 * i + j)
            rows.append({
                "window_id": f"w{i:02d}-{j}", "station": f"ST{i % 4}", "start": start,
                "end": start + pd.Timedelta(seconds=STUDY.windows.window_s),
                "event_id": f"e{i}" if event else "", "cluster_id": f"e{i}" if event else "",
                "block_id": "" if event else f"b{i}", "parent_id": f"w{i:02d}-{j}",
                "magnitude": 4.6 + (i // 2 % 3) if event else np.nan,
                "magnitude_class": MAGNITUDE_CLASSES[1 + i // 2 % 3] if event else "Normal",
                "azimuth_deg": 45.0 * (i // 2 % 8) if event else np.nan,
                "azimuth_class": AZIMUTH_CLASSES[1 + i // 2 % 8] if event else "Normal",
                "distance_km": 50.0 if event else np.nan, "depth_km": 20.0 if event else np.nan,
                "lead_days": 1.0 if event else np.nan, "kp_max": 2.0, "dst_min": -10.0,
                "lookback_s": 0.0, "horizon_s": 604_800.0})
    return pd.DataFrame(rows)


WINDOWS = fake_windows()
LOUD = dict(zip(WINDOWS.start, WINDOWS.event_id != "", strict=True))


def read(station, start, n):
    """Noise, ten times louder before events."""
    rng = np.random.default_rng(int(pd.Timestamp(start).value // 10**9) % 2**32)
    return (rng.normal(size=(3, n)) * (10 if LOUD[pd.Timestamp(start)] else 1)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return dataset.build(tmp_path_factory.mktemp("train") / "x.h5", WINDOWS, read, STUDY)


@pytest.mark.slow
def test_one_batch_can_be_learned_by_heart(path):
    """A network that cannot overfit sixteen windows is not wired up."""
    study = config.load("convnext", "smoke", {
        "training.epochs": 60, "training.patience": 60, "training.augmentation": None,
        "network.dropout": 0.0, "training.batch_size": 16, "targets": ("magnitude",)})
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(0, 16)), {"magnitude": opened.labels("magnitude")[:16]}
    rows = np.arange(16)
    fitted = train.fit(study, x, labels, rows, rows, 1)
    assert fitted.history.train_loss.iloc[-1] < 0.2 * fitted.history.train_loss.iloc[0]
    quiet = train.predict_probabilities(fitted, x, study)["magnitude"].argmax(1) == 0
    assert (quiet == (labels["magnitude"] == 0)).all()


def test_peak_and_final_rate(path):
    """Warm-up ends at the published rate and the cosine at the final one, stepped per step."""
    study = config.load("convnext", "smoke", {"training.epochs": 6, "training.patience": 6,
                                              "training.warmup_epochs": 2})
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in study.targets}
    rows = np.arange(32)
    history = train.fit(study, x, labels, rows, np.arange(32, 48), 1).history
    assert history.learning_rate.max() == pytest.approx(study.training.learning_rate, rel=0.05)
    assert history.learning_rate.iloc[-1] == pytest.approx(study.training.min_learning_rate, rel=0.5)


@pytest.mark.slow
def test_same_seed_same_predictions_with_and_without_pool(path, tmp_path):
    """A process pool changes how long a run takes and nothing else."""
    alone = train.cross_validate(STUDY, path, "P2", folder=tmp_path / "a")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pooled = train.cross_validate(STUDY, path, "P2", executor=pool, folder=tmp_path / "b")
    pd.testing.assert_frame_equal(alone, pooled, check_exact=True)
    for one, two in zip(sorted((tmp_path / "a").rglob("*.csv")), sorted((tmp_path / "b").rglob("*.csv")),
                        strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_predictions_table_is_complete(path, tmp_path):
    table = train.cross_validate(STUDY, path, "P0", folder=tmp_path)
    for target, k in N_CLASSES.items():
        rows = table[table.target == target]
        assert sorted(rows.window_id) == sorted(WINDOWS.window_id)
        p = rows[[f"p_{i}" for i in range(k)]].to_numpy()
        assert np.allclose(p.sum(1), 1, atol=1e-5) and (p.argmax(1) == rows.y_pred).all()
        assert rows[[f"p_{i}" for i in range(k, 9)]].isna().all(axis=None)


RUN = """
import pathlib, sys, time
sys.path.insert(0, {root!r})
from lib import runs, train
from tests.test_train import STUDY

def hang(path):
    context = whole(path)
    if path.name != "fold_001.csv":
        return context
    context.__enter__().write_text("half a table")      # and never finish
    pathlib.Path({folder!r}, "ready").touch()
    time.sleep(3600)

whole, runs.atomic_path = runs.atomic_path, hang
train.cross_validate(STUDY, {path!r}, "P2", folder=pathlib.Path({folder!r}))
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes(path, tmp_path):
    """Kill -9 while the second fold is being written, then again: files as of an undisturbed run.

    The child stops itself there and waits to be killed, so that no machine is too slow or too fast.
    """
    train.cross_validate(STUDY, path, "P2", folder=tmp_path / "whole")
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").rglob("fold_*.csv")}
    code = RUN.format(root=str(config.ROOT), path=str(path), folder=str(tmp_path / "killed"))
    child = subprocess.Popen([sys.executable, "-c", code], cwd=config.ROOT)
    try:
        deadline = time.monotonic() + 600
        while not (tmp_path / "killed" / "ready").exists() and time.monotonic() < deadline:
            assert child.poll() is None, "the run ended before it could be killed"
            time.sleep(0.05)
    finally:
        child.kill()                                        # SIGKILL: nothing is tidied up
        child.wait()
    assert {p.name for p in (tmp_path / "killed").rglob("fold_*.csv")} == {"fold_000.csv"} < set(whole)
    first = next((tmp_path / "killed").rglob("fold_000.csv")).stat().st_mtime_ns
    train.cross_validate(STUDY, path, "P2", folder=tmp_path / "killed")
    assert {p.name: p.read_bytes() for p in (tmp_path / "killed").rglob("fold_*.csv")} == whole
    kept = next((tmp_path / "killed").rglob("fold_000.csv"))
    assert kept.stat().st_mtime_ns == first                  # not trained again


def test_stored_network_predicts_what_was_tested(path, tmp_path):
    """A network read back from safetensors gives the fold's own probabilities."""
    table = train.cross_validate(STUDY, path, "P2", keep_weights=True, folder=tmp_path)
    weights = sorted(tmp_path.rglob("fold_001.safetensors"))[0]
    fitted, study = train.load_fit(weights)
    assert study == STUDY
    rows = table[(table.fold == 1) & (table.target == "magnitude")]
    with dataset.open_dataset(path) as opened:
        position = pd.Index(opened.windows.window_id).get_indexer(rows.window_id)
        p = train.predict_probabilities(fitted, opened.read(slice(None))[position], study)["magnitude"]
    assert np.allclose(p, rows[[f"p_{i}" for i in range(4)]], atol=1e-6)


def test_configuration_names_the_run():
    """What training depends on changes the key; what is scored afterwards does not."""
    key = train.run_key(STUDY, "abc", "P2")
    assert key == train.run_key(dataclasses.replace(STUDY, profile="light"), "abc", "P2")
    assert key != train.run_key(config.load("convnext", "smoke", {"seed": 1}), "abc", "P2")
    assert key != train.run_key(STUDY, "abd", "P2") and key != train.run_key(STUDY, "abc", "P0")


def test_nan_never_reaches_a_network(path):
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in STUDY.targets}
    x[3, 1, 2, 2] = np.nan
    with pytest.raises(InputError, match="image 3"):
        train.fit(STUDY, x, labels, np.arange(32), np.arange(32, 48), 1)


def test_unknown_protocol_is_refused(path, tmp_path):
    with pytest.raises(InputError, match="P2"):
        train.cross_validate(STUDY, path, "LOEO", folder=tmp_path)


def test_a_changed_weights_file_is_another_run(tmp_path):
    """The path alone does not name where training starts."""
    start = tmp_path / "start.safetensors"
    study = config.load("convnext", "smoke", {"network.weights": str(start)})
    keys = []
    for content in (b"one", b"two", b"one"):
        start.write_bytes(content)
        keys.append(train.run_key(study, "abc", "P2"))
    assert keys[0] == keys[2] != keys[1]


def test_a_run_key_knows_the_code_that_training_imports():
    """Every module of `lib` that `lib.train` imports counts; data count by their content."""
    import ast
    import inspect
    names = set()
    for node in ast.walk(ast.parse(inspect.getsource(train))):
        if isinstance(node, ast.ImportFrom) and node.module == "lib":
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib."):
            names.add(node.module.removeprefix("lib."))
    known = {"config", "dataset", "executors", "files", "studies"}
    known |= {n.removesuffix(".py") for n in runs._CODE}
    missing = names - known
    assert not missing


def test_a_dataset_made_for_another_representation_is_refused(path, tmp_path):
    for change in ({"stft.phase": True}, {"stft.freq_hz": (0.0, 0.25)}, {"windows.window_s": 3600}):
        with pytest.raises(InputError, match="x.h5, (stft|windows)"):
            train.cross_validate(config.load("convnext", "smoke", {"windows.window_s": 1800, **change}), path,
                                 "P2", folder=tmp_path)
    with pytest.raises(InputError, match="targets"):
        train.cross_validate(dataclasses.replace(STUDY, targets=()), path, "P2", folder=tmp_path)


def test_a_damaged_image_is_not_trained_on(path, tmp_path):
    import h5py
    shutil.copy(path, tmp_path / "broken.h5")
    with h5py.File(tmp_path / "broken.h5", "r+") as file:
        file["x"][3] = 1.0
    with pytest.raises(InputError, match="broken.h5.*hash of the images"):
        train.cross_validate(STUDY, tmp_path / "broken.h5", "P2", folder=tmp_path)


def test_a_dataset_that_changes_under_a_run_ends_it(path, tmp_path):
    job = (np.arange(32), np.arange(32, 48), tmp_path, False)
    with pytest.raises(InputError, match="content hash.*when the run began"):
        train._run_fold(STUDY, path, "another", "P2", 0, *job)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def finished(path, tmp_path_factory):
    """Keep one finished run with weights, to be damaged in copies."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, train.cross_validate(STUDY, path, "P2", keep_weights=True, folder=folder)


def _swap_labels(text):
    lines = text.split("\n")
    parts = lines[1].split(",")
    parts[6] = "0" if parts[6] != "0" else "1"
    return "\n".join([lines[0], ",".join(parts), *lines[2:]])


@pytest.mark.parametrize("change", [
    lambda text: "", lambda text: text[:len(text) // 2], lambda text: "\0\1" * 50,
    lambda text: "\n".join(text.split("\n")[:-4]) + "\n",
    lambda text: text.replace("magnitude", "azimuth", 1),
    lambda text: text.replace("y_pred", "y_guess"), lambda text: text.replace(",0.", ",1.", 1),
    lambda text: text.replace("w00", "w99"), _swap_labels],
    ids=["empty", "half", "binary", "rows gone", "target", "header", "probability", "window", "label"])
def test_a_damaged_fold_is_one_clear_error(finished, path, tmp_path, change):
    """Never silent nonsense: the message names the file and says to delete it."""
    shutil.copytree(finished[0], tmp_path / "run")
    for fold in (tmp_path / "run").rglob("fold_*.csv"):
        fold.write_text(change(fold.read_text()))
    with pytest.raises(InputError, match="fold_00.*delete it and run again"):
        train.cross_validate(STUDY, path, "P2", folder=tmp_path / "run")


def test_stored_probabilities_come_back_to_the_last_bit(finished, path):
    """What is read is what Python's own float reads from the file."""
    import csv
    folder, table = finished
    with open(sorted(folder.rglob("fold_000.csv"))[0], newline="") as file:
        lines = list(csv.DictReader(file))
    rows = table[table.fold == 0]
    assert [float(line["p_2"]) for line in lines] == rows.p_2.tolist()
    assert table.dtypes[["fold", "seed", "y_true", "y_pred"]].eq(np.int64).all()


def test_weights_without_their_card_are_made_again(finished, path, tmp_path):
    """A run killed between weights and card, after one that kept none, is not taken for finished."""
    shutil.copytree(finished[0], tmp_path / "run")
    card = next((tmp_path / "run").rglob("fold_001.json"))
    before = card.read_bytes()
    card.unlink()
    table = train.cross_validate(STUDY, path, "P2", keep_weights=True, folder=tmp_path / "run")
    assert card.read_bytes() == before
    pd.testing.assert_frame_equal(table, finished[1], check_exact=True)


def test_a_failed_fold_stops_the_others(path, tmp_path, monkeypatch):
    """The error of a worker comes home as it is, and folds that have not begun are cancelled."""
    futures = []

    class Slow(Executor):
        def submit(self, function, /, *args, **kwargs):
            futures.append(Future())
            if len(futures) == 1:
                futures[0].set_exception(InputError("disk", "writing", "full", "space"))
            return futures[-1]

    with pytest.raises(InputError, match="disk, writing"):
        train.cross_validate(STUDY, path, "P2", executor=Slow(), folder=tmp_path)
    assert len(futures) == 3 and all(f.cancelled() for f in futures[1:])


@pytest.mark.parametrize("keep_weights", [False, True])
def test_a_full_disk_ends_a_run_in_one_clear_error(path, tmp_path, keep_weights):
    """Predictions and weights alike; nothing half-written is left."""
    old, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, old[1]))
    try:
        with pytest.raises(InputError, match="fold_000.*writing.*space left"):
            train.cross_validate(STUDY, path, "P2", keep_weights=keep_weights, folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} <= {"study.json"}


@pytest.mark.slow
def test_a_last_batch_of_one_row_joins_the_one_before(path):
    """Batch norm cannot train on one value a channel; every row is still used once."""
    import torch
    parts = train._batches(torch.arange(65), 32)
    assert [len(p) for p in parts] == [32, 33] and torch.cat(parts).tolist() == list(range(65))
    assert [len(p) for p in train._batches(torch.arange(66), 32)] == [32, 32, 2]
    assert [len(p) for p in train._batches(torch.arange(1), 32)] == [1]
    study = config.load("convnext", "smoke", {"network.backbone": "resnet18", "network.light": False,
                                              "training.epochs": 1, "network.hidden": 8})
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in study.targets}
    assert len(train.fit(study, x, labels, np.arange(33), np.arange(33, 48), 1).history) == 1


@pytest.mark.parametrize(("study", "size", "word"), [
    (config.load("convnext", "smoke", {"training.autocast": "float16"}), 32, "bfloat16"),
    (STUDY, 16, "stft.size"),
    (config.load("convnext", "smoke", {"training.learning_rate": 1e30, "training.warmup_epochs": 0}), 32,
     "learning_rate"),
])
def test_settings_that_cannot_train_are_refused(path, study, size, word):
    """An unknown precision, an image too small for the network, a rate that diverges."""
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in study.targets}
    with pytest.raises(InputError, match=word):
        train.fit(study, x[..., :size, :size], labels, np.arange(32), np.arange(32, 48), 1)


def test_selection_and_test_rows_do_not_shape_the_scale_or_the_weights(path):
    """Scale and class weights follow the fitting rows alone; the test rows could be anything."""
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in STUDY.targets}
    fitted = train.fit(STUDY, x, labels, np.arange(24), np.arange(24, 36), 1)
    own = x[:24].astype(np.float64)
    assert np.allclose(fitted.mean, own.mean((0, 2, 3)), atol=1e-4)
    assert np.allclose(fitted.std, own.std((0, 2, 3)), atol=1e-4)
    x[36:] = 5.0
    labels = {t: np.where(np.arange(len(y)) < 36, y, 0) for t, y in labels.items()}
    again = train.fit(STUDY, x, labels, np.arange(24), np.arange(24, 36), 1)
    pd.testing.assert_frame_equal(again.history, fitted.history, check_exact=True)


def test_the_network_kept_is_that_of_the_best_epoch(path):
    """Its selection loss, computed anew, is the lowest of the history."""
    study = config.load("convnext", "smoke", {"training.epochs": 8, "training.patience": 3})
    with dataset.open_dataset(path) as opened:
        x, labels = opened.read(slice(None)), {t: opened.labels(t) for t in study.targets}
    fit_rows, select = np.arange(32), np.arange(32, 48)
    fitted = train.fit(study, x, labels, fit_rows, select, 1)
    assert fitted.best_epoch == fitted.history.select_loss.idxmin()
    assert len(fitted.history) == min(8, fitted.best_epoch + 1 + study.training.patience)
    total = 0.0
    for target, p in train.predict_probabilities(fitted, x[select], study).items():
        y, k = labels[target], N_CLASSES[target]
        n = np.bincount(y[fit_rows], minlength=k)
        weight = np.where(n > 0, len(fit_rows) / (n > 0).sum() / np.maximum(n, 1), 0)[y[select]]
        loss = -(weight * np.log(p[np.arange(len(select)), y[select]])).sum() / weight.sum()
        total += loss * (0.5 if target == "azimuth" else 1.0)
    assert fitted.history.select_loss.min() == pytest.approx(total, rel=1e-4)


def test_a_pool_has_at_least_one_worker():
    with pytest.raises(InputError, match="workers"):
        train.pool(0)
