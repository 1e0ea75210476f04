"""Electron content: units, floors and models by hand; null worlds under both splits; jobs that resume."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import comparison, tec_real, tec_scores
from lib import tec_experiments as experiments
from lib.earth import noa
from lib.files import InputError
from lib.report import tec as drawn

SMALL = experiments.Setting(n_windows=80, years=4.0, seed=3)
FIT = experiments.FitJob(SMALL, "smoke", "convnext", folds=2, epochs=1, learning_rate=2e-3)


def test_pooling_is_the_mean_of_blocks():
    """A channel that holds its hour gives the mean hour of each block, whatever the day."""
    image = np.broadcast_to(np.arange(24.0), (1, 6, 30, 24))
    found = tec_scores.pooled(image).reshape(6, 6, 6)
    assert (found == np.arange(1.5, 24, 4)).all()
    with pytest.raises(InputError, match="days, hours"):
        tec_scores.pooled(image, days=7)


def test_units_are_matched_sets_or_quarters_of_a_year():
    """Sets where there are sets; otherwise 90 days count as one, counted from 1970."""
    start = pd.Timestamp("1970-01-01") + pd.to_timedelta([0, 89, 90, 91], unit="D")
    windows = pd.DataFrame({"start": start, "set_id": ["", "", "", "S1"]})
    assert tec_scores.units(windows).tolist() == ["t0", "t0", "t1", "S1"]


def test_the_floor_of_the_sun_knows_only_training_windows():
    """Low F10.7 is positive in training: a low test window gets 1, a high one 0; untested rows stay -1."""
    f107 = np.r_[np.linspace(70, 90, 20), np.linspace(150, 190, 20), 75.0, 180.0]
    windows = pd.DataFrame({"f107": f107, "event_id": ["e"] * 20 + [""] * 20 + ["", "e"]})
    found = tec_scores.f107_floor(windows, [(np.arange(40), np.array([40, 41]))])
    assert found[40:].tolist() == [1, 0] and (found[:40] == -1).all()


@pytest.mark.parametrize("name", tec_scores.MODELS)
def test_models_learn_what_is_there_and_nothing_from_noise(name):
    """A shifted feature is found out of fold; without it the answers are near one half."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = rng.normal(size=(200, 5))
    folds = [(np.arange(100), np.arange(100, 200)), (np.arange(100, 200), np.arange(100))]
    assert abs((tec_scores.predict(name, x, y, folds, 1) == y).mean() - 0.5) < 0.12
    shifted = np.column_stack([x, y + 0.1 * x[:, 0]])
    assert (tec_scores.predict(name, shifted, y, folds, 1) == y).mean() > 0.95
    with pytest.raises(InputError, match="trees, logistic"):
        tec_scores.predict("forest of one", x, y, folds, 1)


def test_a_world_scores_high_on_random_folds_and_cuts_no_link_there():
    """Null world: the nearest date is far above one half under P0; P5 leaves no link."""
    setting = experiments.Setting(n_windows=240, years=2.4, seed=2)
    job = experiments.FeatureJob(setting, models=("trees",), folds=3, bootstrap=50)
    rows = {(row["protocol"], row["model"]): row for row in experiments.run_job(job)}
    assert rows["P0", "nearest date"]["low"] > 0.6 and rows["P0", "trees"]["accuracy"] > 0.6
    assert rows["P0", "trees"]["certificate"]["overlap"] > 1000
    links = rows["P5", "trees"]["certificate"]
    assert not any(count for kind, count in links.items() if kind != "station")
    assert rows["P5", "trees"]["gap_days"] >= 22        # reference and horizon lie between
    one = rows["P0", "trees"]
    assert one["gain"] == pytest.approx(one["accuracy"] - max(one["floors"].values()))
    best = rows["P0", one["best_floor"]]
    assert (best["gain"], best["gain_low"], best["gain_high"]) == (0, 0, 0) and best["kind"] == "floor"


def test_fits_share_rows_and_starts_and_resume(tmp_path):
    """Same bytes twice; every window is answered once; folds join to the accuracy of their answers."""
    todo = [dataclasses.replace(FIT, fold=k) for k in (0, 1)]
    first = experiments.run_jobs(todo, folder=tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = experiments.run_jobs([*todo, todo[0]], folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert again.iloc[:2].equals(first) and len(again) == 3
    board = experiments.pool_folds(first, SMALL, 50).set_index("model")
    weighted = (first.accuracy * first.n_test).sum() / first.n_test.sum()
    assert board.accuracy["convnext"] == pytest.approx(weighted) and board.n_tested["convnext"] == 80
    with pytest.raises(InputError, match="each of 2 once"):
        experiments.pool_folds(again, SMALL)


def test_mixing_is_compared_on_the_same_folds():
    """T and Holm are those of `comparison`; an arm equal to none has p = 1; a missing fold is refused."""
    gains = np.array([0.02, 0.05, 0.03])
    size = {"n_fit": 80, "n_select": 20, "n_test": 50}
    arms = {None: 0 * gains, "mixup": gains, "both": 0 * gains}
    rows = [{"mixing": kind, "fold": k, "accuracy": 0.6 + change[k], **size}
            for kind, change in arms.items() for k in range(3)]
    found = experiments.compare_mixing(pd.DataFrame(rows)).set_index("mixing")
    expected = comparison.corrected_resampled_t(gains, 100, 50)
    assert found.t["mixup"] == pytest.approx(expected["t"])
    assert found.p["mixup"] == pytest.approx(expected["p"])
    assert found.p["both"] == 1 and found.p_holm["mixup"] == pytest.approx(min(1, 2 * expected["p"]))
    with pytest.raises(InputError, match="same folds"):
        experiments.compare_mixing(pd.DataFrame(rows[:-1]))


def test_coverage_counts_worlds_and_bounds_their_mean():
    """Two of three intervals hold one half; the t interval of the mean by hand."""
    rows = pd.DataFrame({"accuracy": [0.4, 0.5, 0.6], "low": [0.3, 0.4, 0.55], "high": [0.45, 0.6, 0.7]})
    found = experiments.covers(rows)
    assert found["covered"] == 1 and found["mean"] == pytest.approx(0.5)
    assert found["high"] - 0.5 == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-5)


@pytest.mark.parametrize("job", [
    dataclasses.replace(FIT, network="alexnet"), dataclasses.replace(FIT, mixing="blend"),
    dataclasses.replace(FIT, fold=2),
    experiments.FeatureJob(dataclasses.replace(SMALL, design="fair_ulf"))])
def test_what_cannot_be_run_is_named(job):
    with pytest.raises(InputError, match="accepted: "):
        experiments.run_job(job)


def test_an_hourly_series_is_laid_out_by_ut_days():
    """A series from 22 UT on fills the last two hours of its first row; the rest of it is a gap."""
    hours = pd.date_range("2020-01-01T22:00", periods=4, freq="h")
    found = tec_real.daily(pd.Series([1.0, 2.0, 3.0, 4.0], hours))
    assert found.shape == (2, 24) and found[0, 22:].tolist() == [1, 2] and found[1, :2].tolist() == [3, 4]
    assert np.isnan(found).sum() == 44


@pytest.mark.parametrize(("phi", "percent"), [(0.0, 39.3), (0.6, 42.7), (0.9, 49.4)])
def test_noise_leaves_its_bounds_as_often_as_the_specification_says(phi, percent):
    """Golden numbers of validity.md B11, within half a point at 4000 days."""
    values = tec_real.autoregressive(phi, 4000, np.random.default_rng(1))
    hours = pd.date_range("2000-01-01", periods=values.size, freq="h")
    assert tec_real.outside(pd.Series(values.ravel(), hours))["total"] == pytest.approx(percent, abs=0.6)


def test_the_catalogue_of_athens_is_read_and_refused_by_line(tmp_path):
    """Two rows in order of time, ML; a month that is none is named with its line."""
    head = "DATE,TIME (GMT),LAT. (N),LONG. (E),DEPTH (km),MAGNITUDE (Local)\n"
    path = tmp_path / "a.csv"
    path.write_text(head + "2020 OCT 30,11 51 24.4,37.9001,26.8149,12,6.7\n"
                    "2019 JAN  1,00 14 46.9,37.5,20.4,15,2.3\n")
    found = noa.read_noa(path)
    assert found.time.astype(str).tolist() == ["2019-01-01 00:14:46.900", "2020-10-30 11:51:24.400"]
    assert found.magnitude.tolist() == [2.3, 6.7] and found.event_id.is_unique
    assert len(noa.read_noa([path], 4.0)) == 1
    path.write_text(head + "2019 JUX  1,00 14 46.9,37.5,20.4,15,2.3\n")
    with pytest.raises(InputError, match="line 2"):
        noa.read_noa(path)
    with pytest.raises(InputError, match="at least one file"):
        noa.read_noa([])


def test_earthquakes_out_of_reach_are_counted_as_such():
    """M 6 reaches 380 km: one at 300 km is in reach, one at 600 km is not."""
    quakes = pd.DataFrame({"event_id": ["a", "b"], "time": pd.to_datetime(["2020-01-01", "2020-06-01"]),
                           "latitude": [2.7, 5.4], "longitude": [0.0, 0.0], "depth_km": [10.0, 10.0],
                           "magnitude": [6.0, 6.0], "magnitude_type": "ML", "source": "x",
                           "cluster_id": ["a", "b"]})
    found = tec_real.counts(quakes, 0.0, 0.0, 1000.0, "2019-01-01", "2021-01-01", (5.5, 6.5))
    assert found.iloc[0].tolist() == [5.5, 2, 2, 2, 1] and found.iloc[1].tolist() == [6.5, 0, 0, 0, 0]


def test_pictures_refuse_what_they_cannot_draw():
    with pytest.raises(InputError, match="6, days, hours"):
        drawn.plot_six_channels(np.zeros((3, 30, 24)))
    with pytest.raises(InputError, match="at least one value"):
        drawn.plot_spread({"a": []}, "accuracy")
    assert len(drawn.plot_six_channels(np.random.default_rng(0).random((6, 30, 24))).axes) == 7


@pytest.mark.slow
def test_null_worlds_are_at_chance_under_the_embargo_and_not_under_random_folds():
    """Over 20 worlds: the interval of the mean covers one half under P5; P0 is above .7 in each."""
    base = experiments.Setting(n_windows=600, years=5.9)
    todo = [experiments.FeatureJob(dataclasses.replace(base, seed=100 + i), models=("trees",))
            for i in range(20)]
    rows = pd.DataFrame([row for job in todo for row in experiments.run_job(job) if row["model"] == "trees"])
    honest, random = (rows[rows.protocol == p] for p in ("P5", "P0"))
    found = experiments.covers(honest)
    assert found["low"] <= 0.5 <= found["high"]
    assert random.accuracy.min() > 0.7 and (random.low > 0.5).all()


@pytest.mark.slow
def test_a_strong_anomaly_is_found_under_the_embargo():
    """Fair design, amplitude 3: above every floor in each of three worlds; amplitude 0: above none."""
    base = experiments.Setting(design="fair_tec", min_magnitude=6.0, n_windows=300)
    for seed in (200, 201, 202):
        rows = {snr: next(row for row in experiments.run_job(experiments.FeatureJob(
            dataclasses.replace(base, seed=seed, snr=snr), ("P5",), ("logistic",))) if row["kind"] == "model")
            for snr in (0.0, 3.0)}
        assert rows[3.0]["gain_low"] > 0 and rows[0.0]["gain_low"] <= 0


@pytest.mark.slow
@pytest.mark.real
def test_real_series_leave_their_bounds_two_hours_in_five(data):
    """40 N 10 E: 42.1 % of 26040 hours outside; F10.7 of CelesTrak agrees with the file's own."""
    from lib.earth.ionosphere import read_vtec_csv
    series = read_vtec_csv(data / "ionosphere" / "tec_series" / "ML_VTEC_data.csv.gz")
    found = tec_real.outside(series.tec.to_series())
    assert found["hours"] == 26040 and found["total"] == pytest.approx(42.1, abs=0.05)
    f107 = tec_real.read_f107(data / "space_weather" / "celestrak_SW-All.csv.gz")
    assert f107["2017-01-01"] == pytest.approx(float(series.f107[0]), abs=5)
