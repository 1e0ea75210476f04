import json

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import bench_step, measure
from lib import config, schedule
from lib.files import InputError

ROWS = [measure.Row("a: up", np.array([1.0, 2.0, 4.0]), 2, "higher"),
        measure.Row("b: down", [1.2], 1.1, "lower"), measure.Row("c: for information", [0.5], None, "higher")]


def test_median_decides_and_a_row_without_goal_is_neither():
    assert [row.ratio for row in ROWS] == [2.0, 1.2, 0.5]
    assert [row.reached for row in ROWS] == [True, False, None]


def test_table_says_what_was_measured_and_what_was_missed():
    lines = measure.table(ROWS).splitlines()
    assert [line.split()[-1] for line in lines] == ["reached", "yes", "NO", "-"]
    assert "1 - 4" in lines[1] and ">= 2" in lines[1] and "<= 1.1" in lines[2]


def test_file_holds_every_key_of_every_row(tmp_path, monkeypatch):
    """One run through the command: rows with exactly the promised keys, in valid JSON."""
    monkeypatch.setattr(bench, "MEASURES", {"one": lambda: ROWS[:2], "two": lambda: ROWS[2:]})
    bench.main([], tmp_path / "bench.json")
    stored = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [set(row) for row in stored] == [set(measure.KEYS)] * 3
    assert [(row["ratio"], row["goal"], row["better"]) for row in stored] == [
        (2.0, 2, "higher"), (1.2, 1.1, "lower"), (0.5, None, "higher")]
    assert all(row["hardware"] and row["commit"] for row in stored)


def test_one_measure_leaves_the_others_in_the_file(tmp_path, monkeypatch):
    path = tmp_path / "bench.json"
    monkeypatch.setattr(bench, "MEASURES", {"one": lambda: ROWS[:2], "two": lambda: ROWS[2:]})
    bench.main([], path)
    monkeypatch.setitem(bench.MEASURES, "one", lambda: [ROWS[0]._replace(values=[9.0])])
    bench.main(["one"], path)
    ratios = {row["name"]: row["ratio"] for row in json.loads(path.read_text(encoding="utf-8"))}
    assert ratios == {"a: up": 9.0, "b: down": 1.2, "c: for information": 0.5}
    bench.main([], path)
    assert len(json.loads(path.read_text(encoding="utf-8"))) == 2      # a whole run keeps nothing old


def test_failed_write_leaves_the_old_file(tmp_path):
    """A value without a JSON form ends the write; the old bytes stay and no part is left behind."""
    path = tmp_path / "bench.json"
    measure.write(path, measure.records(ROWS))
    before = path.read_bytes()
    with pytest.raises(ValueError):
        measure.write(path, [{"name": "broken", "ratio": float("nan")}])
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["bench.json"]


def test_unknown_measure_is_refused(tmp_path):
    with pytest.raises(InputError, match="step-light"):
        bench.main(["steps"], tmp_path / "bench.json")
    assert not list(tmp_path.iterdir())


def test_race_times_each_step_of_fit_and_leaves_the_schedule(tmp_path):
    """Every timed step of `fit` has one step of each rival before it, and nothing stays patched."""
    study = config.load("convnext", "smoke", {**bench_step.PLAIN, "training.batch_size": 4})
    rate = schedule.warmup_cosine
    rivals = {"bare": bench_step.bare(study), "png": bench_step.png_loop(study, tmp_path)}
    times = bench_step.race(study, rivals, 3)
    assert schedule.warmup_cosine is rate
    assert {name: len(values) for name, values in times.items()} == {"fit": 3, "bare": 3, "png": 3}
    assert all((values > 0).all() for values in times.values())


def test_bare_step_is_the_step_of_fit():
    """Same start, images and order: network and loss after a bare step are those after a step of `fit`."""
    import torch

    from lib import train
    study = config.load("convnext", "smoke", {
        **bench_step.PLAIN, "training.batch_size": 4, "network.dropout": 0.0, "training.learning_rate": 1e-4,
        "training.min_learning_rate": 1e-4})
    x, labels = bench_step.examples(study)
    x, labels = x[:4], {t: np.arange(4) % k for t, k in (("magnitude", 4), ("azimuth", 9))}
    fitted = train.fit(study, x, labels, np.arange(4), np.arange(4), seed=0)
    device = next(fitted.network.parameters()).device
    network = bench_step.network_of(study).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=study.training.weight_decay)
    scaled = (x - fitted.mean[:, None, None]) / fitted.std[:, None, None]
    truth = bench_step.split({t: np.tile(v, 2) for t, v in labels.items()}, 4, device)[0]
    logits = network(torch.tensor(scaled, device=device))
    bench_step.descend(network, optimizer, logits, truth, study.training)
    off = [(mine - other).abs().flatten() for mine, other
           in zip(network.parameters(), fitted.network.parameters(), strict=True)]
    assert (torch.cat(off) < 2e-5).float().mean() > 0.99     # a step moves a weight by 1e-4
