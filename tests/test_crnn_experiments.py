"""The CRNN's experiments: one blind period, forecasts without truth, scores with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

from lib import certificate, config, crnn, crnn_experiments, crnn_scores, cwt, gradcam, model, splits, train
from lib.crnn_experiments import Job
from lib.files import InputError
from lib.studies import CWTSpec

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds

STUDY = config.load("crnn", "smoke")


@pytest.fixture(scope="module")
def windows():
    return crnn_experiments.make_windows(STUDY)


def storm_table():
    """Forty nights a week apart, every other one before an earthquake, and three storms."""
    n = 43
    day = np.r_[np.arange(40) * 7.0, 10.5, 200.5, 290.0]
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(day, "D")
    event = [f"e{i}" if i % 2 and i < 40 else "" for i in range(n)]
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(n)], "parent_id": [f"w{i}" for i in range(n)], "station": "A",
        "start": start, "end": start + pd.Timedelta(hours=6), "event_id": event, "cluster_id": event,
        "block_id": ["" if e else f"b{i}" for i, e in enumerate(event)],
        "magnitude_class": ["Medium" if e else "Normal" for e in event], "lookback_s": 0.0,
        "horizon_s": 7 * 86400.0, "role": ["control"] * 40 + ["storm"] * 3})


@pytest.mark.parametrize("protocol", ["P5", "P6"])
def test_storms_are_tested_in_their_time_and_never_trained_on(protocol):
    """Each is in the test part that holds its date; the folds of the other rows are as without storms."""
    table, n = storm_table(), 4
    found = splits.folds(table, protocol, n, on_absent="ignore")
    plain = splits.folds(table.iloc[:40], protocol, n, on_absent="ignore")
    assert len(found) == len(plain) == (n if protocol == "P5" else 1)
    for (train_rows, test), (_, plain_test) in zip(found, plain, strict=True):
        assert not set(train_rows) & {40, 41, 42}
        assert set(test) - {40, 41, 42} == set(plain_test)
        links = certificate.certificate(table, [(train_rows, test)])
        assert not any(links[kind] for kind in splits.CUTS[protocol])
    tested = [{40, 41, 42} & set(test) for _, test in found]
    assert tested == ([{40}, set(), {41}, {42}] if protocol == "P5" else [{42}])


def test_a_storm_window_of_a_training_earthquake_costs_the_training_rows():
    """Its family is held out with it: the storm stays, e1's own window goes."""
    table = storm_table()
    table.loc[42, ["event_id", "cluster_id", "block_id"]] = ["e1", "e1", ""]
    [(rows, test)] = splits.folds(table, "P6", 4, on_absent="ignore")
    [(before, _)] = splits.folds(storm_table(), "P6", 4, on_absent="ignore")
    assert 42 in test and set(before) - set(rows) == {1}


@pytest.mark.parametrize("protocol", ["P0", "P1", "P2", "P3", "P4", "P7"])
def test_other_protocols_refuse_storm_windows(protocol):
    with pytest.raises(InputError, match="storm.*P5 or P6"):
        splits.folds(storm_table(), protocol, 2)


def test_an_embargo_longer_than_the_data_is_refused():
    """Issue 5: it names what is left, which is nothing, and the remedy."""
    with pytest.raises(InputError, match="no window left.*embargo under 300 days"):
        splits.folds(storm_table(), "P6", 4, on_absent="ignore", embargo_days=300)
    long = config.load("crnn", "smoke", {"evaluation.embargo_days": 4000.0})
    with pytest.raises(InputError, match="embargo under 4000 days"):
        crnn_experiments.make_windows(long)


def test_the_split_is_chronological_and_storms_are_blind(windows):
    """30 days between the last label before and the first blind window; storms and calm days in place."""
    rows, blind = crnn_experiments.parts(windows)
    begin = windows.start[blind].min()
    for controls in crnn_experiments.CONTROLS:
        known, same = crnn_experiments.parts(windows, controls)
        assert np.array_equal(same, blind)
        label_end = windows.end[known] + pd.to_timedelta(windows.horizon_s[known], "s")
        assert (label_end + pd.Timedelta(days=30) < begin).all()
        links = certificate.certificate(windows, [(known, blind)])
        assert not any(links[kind] for kind in splits.CUTS["P6"])
    assert set(windows.role[windows.part == "blind"]) == {"case", "control", "storm"}
    assert (windows.kp_max[windows.role == "calm"] < 2).all()
    assert set(windows.part) == {"train", "blind", "calm"} and windows.window_id.is_unique
    known, _ = crnn_experiments.parts(windows, "calm")
    cases = [i for i in rows if windows.role[i] == "case"]
    assert set(cases) <= set(known) and len(known) == len(rows)
    assert (windows.kp_max[windows.role == "storm"] >= 5).all()
    other = config.load("crnn", "smoke", {"world.snr": 9.0, "world.source": "hed"})
    pd.testing.assert_frame_equal(crnn_experiments.make_windows(other), windows)


def test_coherency_from_powers_is_that_of_the_samples():
    """One for H = Z, minus one for D = -Z, near nothing for noise: the sense that power alone lacks."""
    r = np.random.default_rng(0)
    h, noise = r.normal(size=(2, 3600))
    spec = CWTSpec(freq_hz=(0.01, 0.1), n_scales=5, n_times=12)
    for d, expected in ((-h, -1.0), (noise, 0.0)):
        x = np.stack([h, d, h])[None].astype(np.float32)
        sums = np.stack([x[:, a] + x[:, b] for a, b in crnn_experiments.PAIRS], 1)
        found = crnn_experiments.coherency(cwt.scalogram(x, spec), cwt.scalogram(sums, spec))
        assert found.shape == (1, 3, 5, 12) and np.allclose(found[:, 0], 1, atol=1e-3)
        assert abs(found[:, 1].mean() - expected) < (1e-3 if expected else 0.2)


def test_forecasts_hold_no_truth_resume_and_repeat(windows, tmp_path):
    """Same bytes in another folder, nothing fitted twice; unknown names are refused."""
    jobs = [Job("a", STUDY, keep=True), Job("calm", STUDY, controls="calm")]
    first = crnn_experiments.run_jobs(jobs, folder=tmp_path / "a")
    assert set(first) == {"job", "window_id", "p_0", "p_1", "east", "north", "threshold", "n_fit",
                          "best_epoch", "weights"}
    blind = windows.window_id[windows.part == "blind"]
    assert all(set(part.window_id) == set(blind) for _, part in first.groupby("job"))
    files = sorted((tmp_path / "a").rglob("forecasts.json"))
    stamp = [file.stat().st_mtime_ns for file in files]
    again = crnn_experiments.run_jobs(jobs, folder=tmp_path / "a")
    pd.testing.assert_frame_equal(again, first)
    assert stamp == [file.stat().st_mtime_ns for file in files] and len(files) == 2
    rows = json.loads(files[0].read_text())
    assert not {"y_true", "event_id", "azimuth_deg"} & set(rows[0])
    for bad in (Job("a", STUDY, channels="X"), Job("a", STUDY, controls="none")):
        with pytest.raises(InputError):
            crnn_experiments.run_jobs([bad], folder=tmp_path)
    with pytest.raises(InputError, match="name of its own"):
        crnn_experiments.run_jobs([jobs[0], jobs[0]], folder=tmp_path)
    network = train.load_fit(first.weights[0])[0].network
    assert isinstance(network, crnn.CRNN) and network.channels == 3


def answers(windows, p_1, azimuth_deg):
    """Forecasts of one job as given."""
    blind = windows[windows.part == "blind"]
    angle = np.radians(np.broadcast_to(azimuth_deg, len(blind)))
    return pd.DataFrame({"job": "j", "window_id": blind.window_id, "p_0": 1 - p_1, "p_1": p_1,
                         "east": np.sin(angle), "north": np.cos(angle), "threshold": 0.5})


def test_perfect_and_constant_forecasts_get_the_scores_they_deserve(windows):
    """MCC 1 and 0; error 0 and that of the constant; precision at a base rate of 1 for specificity 1."""
    blind = windows[windows.part == "blind"]
    truth, bearing = (blind.event_id != "").to_numpy(float), blind.azimuth_deg.fillna(0).to_numpy()
    perfect = crnn_scores.opened(answers(windows, truth, bearing), windows, "j")
    row = crnn_scores.detection_row(STUDY, windows, perfect, world="w")
    assert row["score"] == row["auc"] == 1 and row["n_windows"] == (blind.role != "storm").sum()
    assert row["certificate"]["event"] == row["certificate"]["overlap"] == 0 and row["gap_days"] >= 30
    table = crnn_scores.detection(perfect, {"5 %": 0.05, "all": 1.0})
    assert table.value.tolist() == [1, 1, 1, 1, 1] and table.base_rate.tolist()[-2:] == ["5 %", "all"]
    errors = crnn_scores.bearings(STUDY, windows, perfect)
    assert errors.maae["network"] == pytest.approx(0, abs=1e-4) and errors.maae["uniform"] == 90
    assert errors.gain["best constant"] == pytest.approx(errors.maae["best constant"], abs=1e-4)
    assert errors.p["network"] < 0.1                       # five earthquakes
    constant = crnn_scores.opened(answers(windows, np.zeros(len(blind)), 0.0), windows, "j")
    assert crnn_scores.detection_row(STUDY, windows, constant)["score"] == 0
    opposite = crnn_scores.opened(answers(windows, truth, bearing + 180), windows, "j")
    found = crnn_scores.bearings(STUDY, windows, opposite)
    assert found.maae["network"] == pytest.approx(180, abs=1e-3) and abs(found.axial["network"]) < 1e-3


def test_an_event_without_azimuth_is_refused_before_training(windows, tmp_path, monkeypatch):
    """Issue 5: it is not taken for a quiet window."""
    row = int(np.flatnonzero((windows.part == "train") & (windows.role == "case"))[0])
    broken = windows.copy()
    broken.loc[row, "azimuth_deg"] = np.nan
    monkeypatch.setattr(crnn_experiments, "make_windows", lambda study: broken)
    with pytest.raises(InputError, match=f"row {row}, azimuth_deg"):
        crnn_experiments.run_jobs([Job("a", STUDY)], folder=tmp_path)


def test_the_floors_of_bearings_come_from_the_training_part(windows):
    """The best constant of training bearings, by brute force over whole degrees."""
    known = windows[(windows.part == "train") & (windows.event_id != "")].azimuth_deg.to_numpy()
    blind = windows[(windows.part == "blind") & (windows.role == "case")].azimuth_deg.to_numpy()
    error = [np.abs((a - known + 180) % 360 - 180).mean() for a in np.arange(0, 360, 0.1)]
    best = np.arange(0, 360, 0.1)[int(np.argmin(error))]
    n = (windows.part == "blind").sum()
    found = crnn_scores.opened(answers(windows, np.zeros(n), 0), windows, "j")
    expected = np.abs((best - blind + 180) % 360 - 180).mean()
    table = crnn_scores.bearings(STUDY, windows, found)
    assert table.maae["best constant"] == pytest.approx(expected, abs=1.5)


def test_lowered_storm_scores_move_along_the_roc(windows):
    """A penalty that lowers all storm scores alike keeps the area: the verdict is `same`."""
    blind = windows[windows.part == "blind"]
    truth = (blind.event_id != "").to_numpy(float)
    score = 1 / (1 + np.exp(-(truth + np.random.default_rng(0).normal(size=len(blind)))))
    lowered = score * np.where(blind.kp_max >= 5, 0.5, 1.0)
    both = pd.concat([answers(windows, p, 0).assign(job=job)
                      for job, p in (("none", score), ("gpl", lowered))])
    table, said = crnn_scores.storms(STUDY, both, windows, ["none", "gpl"])
    change = table[(table.minus == "none") & (table.score == "storm_auc")].iloc[0]
    assert change.value == change.low == change.high == 0 and said.roc.tolist() == ["same"]
    assert said.storm_fpr[0] in ("lower", "undecided")
    with pytest.raises(InputError, match="job"):
        crnn_scores.storms(STUDY, both, windows, ["none", "other"])


def test_maps_of_the_crnn_cover_time_and_scale():
    """Grad-CAM reads a stage of its backbone, back through the GRU; random weights draw another map."""
    import torch
    torch.manual_seed(0)
    network = model.build(STUDY.network, 3, {"event": 2, "event_magnitude": 3, "direction": 2}).eval()
    x = torch.randn(3, 3, 16, 24)
    maps = gradcam.class_maps(network, x, "event", 1)
    assert maps.shape == (3, 16, 24) and maps.max() == 1 and maps.min() >= 0
    other = gradcam.class_maps(gradcam.randomised(network, 1), x, "event", 1)
    assert not np.allclose(maps, other)


@pytest.mark.slow
def test_a_strong_source_is_detected_and_its_bearing_found_with_signed_channels_only(tmp_path):
    """At snr 8: detection for both sources, a bearing for the dipole, nothing where nothing is planted."""
    size = {"world.years": 6.0, "windows.n_windows": 360, "windows.stations_per_event": 1,
            "training.epochs": 20, "windows.lead_days": (1, 3),
            "training.learning_rate": 5e-3, "loss.storm": None, "evaluation.folds": 4}
    worlds = {"vmd": ("vmd", 8.0), "hed": ("hed", 8.0), "null": ("vmd", 0.0)}
    study = {name: config.load("crnn", "smoke", size | {"world.source": source, "world.snr": snr})
             for name, (source, snr) in worlds.items()}
    pointing = {name: config.load("crnn", "smoke", size | {
        "world.source": source, "world.snr": snr, "loss.direction_weight": 0.5})
        for name, (source, snr) in worlds.items()}
    jobs = [Job(name, one) for name, one in study.items()]
    jobs += [Job(f"{name}, signed", one, channels="signed") for name, one in pointing.items()]
    with train.pool(2) as executor:
        forecasts = crnn_experiments.run_jobs(jobs, executor, tmp_path)
    table = crnn_experiments.make_windows(study["null"])
    found = {job.name: crnn_scores.opened(forecasts, table, job.name) for job in jobs}
    auc = {name: crnn_scores.detection_row(study[name], table, found[name])["auc"] for name in study}
    errors = {name: crnn_scores.bearings(study[name], table, found[f"{name}, signed"]) for name in study}
    assert auc["vmd"] > 0.8 and auc["hed"] > 0.8 and 0.3 < auc["null"] < 0.7, auc
    gain = {name: error.gain["best constant"] for name, error in errors.items()}
    low = {name: error.gain_low["best constant"] for name, error in errors.items()}
    # the low end of the dipole's gain lies near zero and on either side of it, by the processor that trained
    assert gain["vmd"] > 10 + max(gain["hed"], gain["null"]) and gain["vmd"] > 10, gain
    assert low["hed"] < 0 and low["null"] < 0, low
