"""Bearings: floors by hand, planted worlds are pointed at, null worlds are not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import direction_experiments as experiments
from lib import metrics
from lib.files import InputError

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds

SMALL = experiments.DirectionJob(seed=1, heads=(), n_windows=120, folds=2, epochs=2, bootstrap=100,
                                 permutations=199)


def by_model(job):
    return {row["model"]: row for row in experiments.run_job(job)}


def test_floors_are_learned_on_the_training_part_only():
    """Station a points north in training: its test window gets 0, an unknown station the constant, 90."""
    windows = pd.DataFrame({"station": ["a", "a", "b", "b", "b", "a", "c"],
                            "azimuth_deg": [350.0, 10.0, 90.0, 90.0, 90.0, 200.0, 30.0]})
    found = experiments.direction_floors(windows, [(np.arange(5), np.array([5, 6]))])
    assert metrics.wrap_deg(found["station"][5:]) == pytest.approx([0, 90], abs=1e-9)
    assert found["constant"][5:].tolist() == [90, 90] and np.isnan(found["constant"][:5]).all()
    assert found["axis"][5:].tolist() == [90, 90]


def test_the_axis_floor_forgets_the_sense():
    windows = pd.DataFrame({"station": ["a"] * 4, "azimuth_deg": [40.0, 220.0, 220.0, 0.0]})
    found = experiments.direction_floors(windows, [(np.arange(3), np.array([3]))])
    assert found["axis"][3] == pytest.approx(40)


def test_scores_are_those_of_the_metrics_and_the_gain_is_paired():
    """Errors against `metrics`; a model that equals the best floor has gain 0 and interval [0, 0]."""
    rng = np.random.default_rng(0)
    truth, events = rng.uniform(0, 360, 40), np.repeat(np.arange(20), 2)
    answers = {"sincos": truth + rng.normal(0, 20, 40), "axial": truth + 180 * rng.integers(0, 2, 40),
               "constant": np.full(40, 10.0), "station": np.full(40, 200.0), "axis": np.full(40, 10.0)}
    rows = {row["model"]: row for row in experiments.score(answers, truth, events, SMALL)}
    one = rows["sincos"]
    assert one["maae_deg"] == pytest.approx(metrics.maae_deg(answers["sincos"], truth))
    assert one["axial_deg"] == pytest.approx(metrics.axial_error_deg(answers["sincos"], truth))
    assert one["low"] < one["maae_deg"] < one["high"] and one["p"] == 1 / 200 and one["v_p"] < 1e-6
    assert one["gain"] == pytest.approx(min(one["floors"].values()) - one["maae_deg"])
    floor = rows[one["best_floor"]]
    assert (floor["gain"], floor["gain_low"], floor["gain_high"]) == (0, 0, 0) and floor["kind"] == "floor"
    line = rows["axial"]
    assert line["maae_deg"] is None and line["axial_deg"] == pytest.approx(0, abs=1e-9)
    assert line["p"] == 1 / 200
    assert line["floors"]["axis"] > 20 and line["gain"] == pytest.approx(line["floors"]["axis"])


def test_a_strong_dipole_is_pointed_at_without_training_and_nothing_is_without_a_source():
    """B7's axis is within 5 degrees at snr 30; at snr 0, and for `hed`, its direction is at chance."""
    strong = by_model(dataclasses.replace(SMALL, snr=30.0))
    assert strong["polarisation"]["axial_deg"] < 5 and strong["polarisation"]["p"] == 1 / 200
    assert strong["linear"]["gain_low"] > 0
    for job in (dataclasses.replace(SMALL, snr=0.0), dataclasses.replace(SMALL, snr=30.0, source="hed")):
        one = by_model(job)["polarisation"]
        assert one["maae_deg"] == pytest.approx(90, abs=4 * 51.96 / one["n_events"] ** .5)


def test_a_job_is_reproducible_and_resumed(tmp_path):
    """Rows of both heads and protocols; kappa only where one is learned; the same bytes twice."""
    job = dataclasses.replace(SMALL, heads=("classes", "vm"), protocols=("P2", "P4"), n_windows=60)
    first = experiments.run_jobs([job], folder=tmp_path / "a")
    again = experiments.run_jobs([job], folder=tmp_path / "b")
    assert first.equals(again) and len(first) == 2 * 6
    file, = (tmp_path / "a").iterdir()
    assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    learned = first.model == "vm"
    assert first[learned].kappa.between(1e-3, 500).all() and first[~learned].kappa.isna().all()
    assert set(first.n_events) == {first.n_events[0]} and (first.kind == "network").sum() == 4


def test_an_unknown_head_is_named():
    with pytest.raises(InputError, match="cosinus"):
        experiments.run_job(dataclasses.replace(SMALL, heads=("cosinus",)))


@pytest.mark.slow
def test_a_network_learns_the_direction_from_phase():
    """At snr 10 every head that knows the sense beats both floors; a null world gives no gain."""
    job = experiments.DirectionJob(seed=1, snr=10.0, heads=("classes", "sincos", "vm"))
    rows = by_model(job)
    assert all(rows[head]["gain_low"] > 0 and rows[head]["p"] < .01 for head in job.heads)
    null = by_model(dataclasses.replace(job, snr=0.0, heads=("sincos",)))["sincos"]
    assert null["gain_low"] <= 0
