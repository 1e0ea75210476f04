"""Many worlds: resumed, reproduced, and calibrated when there is nothing to find."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from lib import config, experiments, splits, synthetic
from lib.files import InputError

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds

SMALL = experiments.Job(seed=1, n_windows=60, protocols=("P2",), refits=9, bootstrap=50)


def fair(n):
    return synthetic.make_windows(config.load("convnext", "light", {
        "seed": 1, "windows.n_windows": n, "windows.window_s": 3600}))


def test_a_job_is_stored_once_and_comes_back_byte_for_byte(tmp_path, monkeypatch):
    """A second run reads, a run elsewhere writes the same bytes, another job is another file."""
    first = experiments.run_jobs([SMALL], folder=tmp_path / "a")
    file, = (tmp_path / "a").iterdir()
    experiments.run_jobs([SMALL], folder=tmp_path / "b")
    assert (tmp_path / "b" / file.name).read_bytes() == file.read_bytes()
    monkeypatch.setattr(experiments, "run_job", None)
    again = experiments.run_jobs([SMALL], folder=tmp_path / "a")
    assert again.equals(first) and json.loads(file.read_text())[0]["p"] == first.p[0]
    with pytest.raises(TypeError):
        experiments.run_jobs([dataclasses.replace(SMALL, refits=8)], folder=tmp_path / "a")


def test_a_strong_signal_is_found_and_matched_labels_are_exchanged():
    """At snr 30 p = 1/(1+B), accuracy is near 1; the interval counts earthquakes with their quiet windows."""
    job = dataclasses.replace(SMALL, snr=30.0, models=("logistic", "oracle"))
    n_events = fair(60).query("event_id != ''").event_id.nunique()
    for row in experiments.run_job(job):
        assert row["accuracy"] > .9 and row["p"] == .1 and row["low"] > .5 and row["n_groups"] == n_events


@pytest.mark.parametrize("shift", [0, 1, 5, 50])
def test_the_fast_logistic_regression_is_that_of_scikit_learn(shift):
    """Weights to 1e-5, from no signal to classes far apart, with a constant feature and few events."""
    r = np.random.default_rng(shift)
    event = np.arange(150) % 5 == 0
    z = r.normal(size=(150, 25)) + shift * event[:, None] * (np.arange(25) < 3)
    z[:, 7] = 0
    slow = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10**4).fit(z, event)
    fast = experiments._newton(z, event)
    np.testing.assert_allclose(fast, np.r_[slow.intercept_, slow.coef_[0]], atol=1e-5)


def test_magnitude_is_refitted_with_folds_of_the_drawn_classes():
    """Folds of P2 follow the classes that are drawn, those of P5 do not look at them."""
    windows = fair(120)
    truth = experiments._truth(windows, "magnitude")
    drawn = experiments.nulls.exchange(truth, splits.matched(windows), config.rng(0, "test"))
    for protocol, moves in {"P2": True, "P5": False}.items():
        folds = splits.folds(windows, protocol, 5, 1, on_absent="ignore")
        same, other = (experiments._folds(windows, folds, protocol, "magnitude", SMALL, y)
                       for y in (truth, drawn))
        assert same is folds and (other is not folds) == moves
    row, = experiments.run_job(dataclasses.replace(SMALL, targets=("magnitude",), refits=3))
    assert row["p"] in (.25, .5, .75, 1)


def test_designs_without_sets_permute_groups():
    job = experiments.Job("published_ulf", n_windows=60, protocols=("P2",), refits=3, bootstrap=20, folds=2)
    row, = experiments.run_job(job)
    assert row["p"] in (.25, .5, .75, 1) and row["n_groups"] < 10


def test_an_unknown_design_is_named():
    with pytest.raises(InputError, match="design"):
        experiments.run_job(dataclasses.replace(SMALL, design="fair"))


@pytest.mark.slow
def test_type_one_error_is_that_which_it_says():
    """Over 24 null worlds p-values are uniform under P2 and P5, and p <= 0.2 in about a fifth."""
    jobs = [dataclasses.replace(SMALL, seed=i, protocols=("P2", "P5"), n_windows=120, refits=19)
            for i in range(24)]
    rows = [row for job in jobs for row in experiments.run_job(job)]
    for protocol in ("P2", "P5"):
        p = np.array([row["p"] for row in rows if row["protocol"] == protocol])
        assert .04 <= (p <= .2).mean() <= .46 and stats.kstest(p, "uniform").pvalue > .01
