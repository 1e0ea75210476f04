"""Small networks and simple models on many worlds: choice, grid, forecasts."""

import dataclasses

import numpy as np
import pytest

from lib import comparison, config, network_experiments, simple_fits
from lib.files import InputError

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds

SMALL = network_experiments.NetworkJob(seed=1, n_windows=60, folds=2, size=(32, 32), epochs=2, looks=2,
                                       bootstrap=50)


def test_a_grid_scores_networks_simple_models_and_floors_on_the_same_windows(tmp_path):
    """Two runs give the same bytes; each model is scored once a protocol, with certificate and interval."""
    job = dataclasses.replace(SMALL, models=("convnext", "logistic"), target="magnitude",
                              protocols=("P0", "P2"))
    rows = network_experiments.run_jobs([job], folder=tmp_path / "a")
    network_experiments.run_jobs([job], folder=tmp_path / "b")
    file, = (tmp_path / "a").iterdir()
    assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert rows.groupby("protocol").model.apply(list).map(len).tolist() == [5, 5]
    assert (rows.n_tested == 60).all() and set(rows.kind) == {"network", "simple", "floor"}
    assert ((rows.low <= rows.mcc + 1e-9) & (rows.mcc <= rows.high + 1e-9)).mean() > .8
    at = rows.set_index(["protocol", "model"])
    assert at.certificate["P2", "convnext"]["event"] == 0 < at.certificate["P0", "convnext"]["event"]
    assert at.accuracy["P0", "majority"] == pytest.approx(at.majority["P0", "majority"], abs=.05)


def test_the_published_design_is_found_out_by_the_station():
    job = dataclasses.replace(SMALL, models=("forest",), design="published_ulf", target="magnitude",
                              protocols=("P0",), n_windows=120)
    rows = {row["model"]: row for row in network_experiments.run_job(job)}
    assert rows["lookup_station"]["accuracy"] > .85
    assert rows["forest"]["accuracy"] > rows["majority"]["accuracy"]


def test_choosing_never_lowers_and_the_bound_is_that_of_the_formula():
    """Best seed is at least the mean; bound = c_E sqrt(1/4 / n_eff), epochs chosen fold by fold."""
    job = dataclasses.replace(SMALL, task="selection", models=("convnext", "logistic", "forest"))
    rows = network_experiments.run_job(job)
    assert len(rows) == 12
    for model in job.models:
        nested, epoch, seed, both = [row for row in rows if row["model"] == model]
        assert nested["optimism"] == 0 <= seed["optimism"] and both["accuracy"] >= epoch["accuracy"]
        n = nested["n_effective"]
        assert seed["bound"] == pytest.approx(comparison.expected_maximum(2) / 2 / n ** .5)
        assert epoch["bound"] == pytest.approx(comparison.expected_maximum(2) / 2 / (n / 2) ** .5)
        if model != "convnext":                       # judged by accuracy on the test part itself
            assert epoch["accuracy"] >= nested["accuracy"]


def test_forecasts_are_probabilities_with_a_temperature_of_their_fold():
    job = dataclasses.replace(SMALL, task="forecast", models=("convnext", "forest"), snr=5.0)
    rows = network_experiments.run_job(job)
    assert len(rows) == 120 and len({row["window_id"] for row in rows}) == 60
    assert all(0 <= row["p"] <= 1 and (row["p"] - .5) * (row["p_scaled"] - .5) >= 0 for row in rows)
    assert len({row["temperature"] for row in rows}) == 4
    forest = [row for row in rows if row["model"] == "forest"]
    assert np.mean([(row["p"] > .5) == row["y"] for row in forest]) > .8


@pytest.mark.parametrize(("change", "named"), [
    ({"task": "tasks"}, "grid, selection"), ({"models": ("vgg",)}, "vgg16"), ({"design": "fair"}, "design"),
    ({"protocols": ("P9",)}, "P0")])
def test_what_is_unknown_is_named(change, named):
    with pytest.raises(InputError, match=named):
        network_experiments.run_job(dataclasses.replace(SMALL, **change))


def test_simple_models_learn_what_is_there_and_answer_every_epoch():
    """A separable class is found; the logistic regression by epochs ends where the fitted one does."""
    rng = config.rng(0, "test")
    y = np.arange(200) % 2
    x, rows = rng.normal(size=(200, 3)) + 3 * y[:, None], np.arange(100)
    for name in simple_fits.SIMPLE:
        p = simple_fits.probabilities(name, x, y, rows, 3, 0)
        assert p.shape == (200, 3) and p.sum(1) == pytest.approx(1) and (p[:, 2] == 0).all()
        assert (p.argmax(1) == y)[100:].mean() > .95
        steps = simple_fits.answers_by_epoch(name, x, y, rows, 5, 0)
        assert steps.shape == (5, 200) and (steps[-1] == y)[100:].mean() > .95
    assert (simple_fits.probabilities("forest", x, np.ones(200, int), rows, 2, 0)[:, 1] == 1).all()
    with pytest.raises(InputError, match="svm"):
        simple_fits.probabilities("svm", x, y, rows, 2, 0)


@pytest.mark.slow
def test_choosing_among_noise_adds_no_more_than_the_formula_says():
    """Mean optimism of the best of 10 seeds over 10 null worlds: above 0, within 1.5 times the bound."""
    rows = [row for seed in range(10) for row in network_experiments.run_job(dataclasses.replace(
        SMALL, task="selection", models=("forest",), seed=seed, n_windows=120, looks=10))]
    best = [row for row in rows if row["rule"] == "best seed"]
    assert 0 < np.mean([row["optimism"] for row in best]) < 1.5 * np.mean([row["bound"] for row in best])
