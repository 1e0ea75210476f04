import dataclasses
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from lib import config, dataset, train
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

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
    for target, k in train.CLASSES.items():
        rows = table[table.target == target]
        assert sorted(rows.window_id) == sorted(WINDOWS.window_id)
        p = rows[[f"p_{i}" for i in range(k)]].to_numpy()
        assert np.allclose(p.sum(1), 1, atol=1e-5) and (p.argmax(1) == rows.y_pred).all()
        assert rows[[f"p_{i}" for i in range(k, 9)]].isna().all(axis=None)


RUN = """
import sys
sys.path.insert(0, {root!r})
from lib import train
from tests.test_train import STUDY
train.cross_validate(STUDY, {path!r}, "P2", folder=__import__("pathlib").Path({folder!r}))
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes(path, tmp_path):
    """Kill -9 after the first fold, then again: the files equal those of an undisturbed run."""
    train.cross_validate(STUDY, path, "P2", folder=tmp_path / "whole")
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").rglob("*.csv")}
    code = RUN.format(root=str(config.ROOT), path=str(path), folder=str(tmp_path / "killed"))
    child = subprocess.Popen([sys.executable, "-c", code], cwd=config.ROOT)
    deadline = time.time() + 300
    while not list((tmp_path / "killed").rglob("fold_000.csv")) and time.time() < deadline:
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = {p.name for p in (tmp_path / "killed").rglob("fold_*.csv")}
    assert "fold_000.csv" in done and len(done) < len(whole)
    train.cross_validate(STUDY, path, "P2", folder=tmp_path / "killed")
    assert {p.name: p.read_bytes() for p in (tmp_path / "killed").rglob("*.csv")} == whole


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
