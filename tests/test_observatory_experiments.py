"""Jobs of the observatory study: hand counts, equal fits, nulls at chance, planted signals found."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import config, floors, model, observatory_fits, report
from lib import observatory_experiments as experiments
from lib.files import InputError
from lib.observatory_fits import BAND_POWER, FILTERED, Setting, storm_free_share

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds

SMALL = experiments.ObservatoryJob(profile="smoke", length="hour", years=2.0, n_windows=60, folds=2,
                                   bootstrap=100, permutations=99)


def test_band_power_is_that_of_a_sine():
    """A sine of 2 nT at 4 mHz in H raises the band of 4 mHz in H above all others by four decades."""
    x = np.zeros((2, 3, 1440))
    x[1, 0] = 2 * np.sin(2 * np.pi * 0.004 * 60 * np.arange(1440))
    found = observatory_fits.band_power(x).reshape(2, 3, -1)
    edges = np.geomspace(0.0005, 1 / 120, 9)
    assert found.shape[2] == 8 and (found[0] == -6).all() and (found[1, 1:] == -6).all()
    assert found[1, 0].argmax() == np.searchsorted(edges, 0.004) - 1 and np.ptp(found[1, 0]) > 4
    assert observatory_fits.band_power(np.zeros((1, 3, 60))).shape[1] % 3 == 0


def test_storm_free_share_counts_starts():
    """Three stormy hours on day 6 of ten spoil one day of ten, and three starts of three days of eight."""
    kp = pd.Series(1.0, pd.date_range("2020-01-01", periods=80, freq="3h"))
    dst = pd.Series(0.0, pd.date_range("2020-01-01", periods=240, freq="h"))
    kp.iloc[44] = 6.0
    assert storm_free_share(kp, dst, 1440) == pytest.approx(0.9)
    assert storm_free_share(kp, dst, 3 * 1440) == pytest.approx(5 / 8)
    assert storm_free_share(kp, dst - 60, 1440) == 0


def test_a_setting_decides_the_depth_of_the_network():
    """Two convolutions more are 2 (16 x 16 x 3 + 16) parameters more in the light network."""
    count = {}
    for depth in (3, 5):
        setting = Setting(activations="text", depth=depth)
        study = observatory_fits.apply(config.load("observatory", "smoke"), setting)
        network = model.build(study.network, 1, {"event": 2}, (3, 60))
        count[depth] = sum(p.numel() for p in network.parameters())
    assert count[5] == count[3] + 2 * (16 * 16 * 3 + 16)


def test_the_batch_is_what_fits_into_the_memory():
    """Week windows of the full network: 17 at 1 GB, the study's 32 at 4 GB, refused at half a GB."""
    study = config.load("observatory", "full")
    assert observatory_fits.apply(study, Setting(), 1.0).training.batch_size == 17
    assert observatory_fits.apply(study, Setting(), 4.0).training.batch_size == 32
    with pytest.raises(InputError, match="MB or more"):
        observatory_fits.apply(study, Setting(), 0.5)


def test_a_job_is_reproducible_resumed_and_fit_for_the_scoreboard(tmp_path):
    """Two runs give the same bytes; every row has floors, interval, p and certificate."""
    job = dataclasses.replace(SMALL, settings=(BAND_POWER, Setting()), protocols=("P0", "P5"))
    rows = experiments.run_jobs([job], folder=tmp_path / "a")
    experiments.run_jobs([job], folder=tmp_path / "b")
    file, = (tmp_path / "a").iterdir()
    assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert len(rows) == 4 and rows.model.unique().tolist() == ["band power", "as printed"]
    for row in rows.to_dict("records"):
        assert report.check_row(row)["score"] == row["score"] and "lookup_kp" in row["floors"]
    by = rows.set_index(["protocol", "model"])
    assert by.certificate["P5", "band power"]["overlap"] == 0
    assert by.floors["P0", "band power"] == by.floors["P0", "as printed"]


def test_a_curve_trains_on_whole_pairs_of_each_size():
    """One row a fold and size; tests share nothing; a size that is not there is named."""
    job = dataclasses.replace(SMALL, task="curve", protocols=("P2",), sizes=(2, 4, 8))
    rows = pd.DataFrame(experiments.run_job(job))
    assert rows.pairs.tolist() == [2, 4, 8] * 2 and rows.repeat.nunique() == 2
    assert rows.drop_duplicates("repeat").n_tested.sum() == 60 and rows.accuracy.between(0, 1).all()
    with pytest.raises(InputError, match="at most 1"):
        experiments.run_job(dataclasses.replace(job, sizes=(2, 400)))


def test_storm_free_quiet_raises_the_floor_of_kp():
    """Day windows: quiet without storms lets Kp tell them; matched quiet does not; no window is lost."""
    job = dataclasses.replace(SMALL, task="quiet", length="day", protocols=("P2",), years=1.0)
    (calm,), (matched,) = (experiments.run_job(dataclasses.replace(job, controls=c))
                           for c in ("calm", "matched"))
    assert calm["quiet_storms"] == 0 < calm["event_storms"]
    assert calm["floors"]["lookup_kp"] > matched["floors"]["lookup_kp"] + 0.1 > 0
    assert 0 < calm["storm_free_share"] < 1 and abs(calm["event_storms"] - matched["event_storms"]) < 0.05


def test_updates_without_a_gate_are_always_taken():
    """Ungated every challenger takes over; gated on the null stream hardly one; a job is counted once."""
    rows = [row for seed in range(6) for row in experiments.run_job(experiments.UpdateJob(seed=seed))]
    table = pd.DataFrame(rows).groupby("rule")[["challengers", "promotions", "worse"]].sum()
    assert table.promotions["ungated"] == table.challengers["ungated"] > 50
    assert table.promotions["gated"] <= 0.05 * table.challengers["gated"] + 5
    assert 0.2 < table.worse["ungated"] / table.promotions["ungated"] < 0.7


@pytest.mark.parametrize(("change", "named"), [
    ({"task": "tasks"}, "score, curve"), ({"length": "year"}, "hour, day"), ({"protocols": ("P9",)}, "P0"),
    ({"settings": (Setting(model="svm"),)}, "band_power"), ({"controls": "silent"}, "matched, calm"),
    ({"settings": (Setting(highpass_hz=0.02),)}, "Nyquist")])
def test_what_is_unknown_or_impossible_is_named(change, named):
    with pytest.raises(InputError, match=named):
        experiments.run_job(dataclasses.replace(SMALL, **change))


@pytest.mark.slow
def test_planted_days_are_found_from_nanotesla_and_not_from_the_main_field():
    """At snr 30, light network, P5: filtered nT beats every floor, max |Bz| answers one class a fold."""
    job = experiments.ObservatoryJob(seed=42, snr=30.0, settings=(BAND_POWER, Setting(), FILTERED))
    rows = {row["model"]: row for row in experiments.run_job(job)}
    best = rows["band power"]["floors"][rows["band power"]["best_floor"]]
    assert rows[FILTERED.name]["interval"][0] > max(0, best - 0.1) and rows[FILTERED.name]["score"] > best
    assert rows["as printed"]["constant_folds"] == 3
    null = experiments.run_job(dataclasses.replace(job, snr=0.0, settings=(BAND_POWER, FILTERED)))
    assert all(row["interval"][0] <= 0 <= row["interval"][1] for row in null)


def test_floors_know_the_event_target():
    """The floors of the rows are those of `floors.floors` on the same folds."""
    windows, _, _ = experiments.read_world(SMALL)
    row, = experiments.run_job(SMALL)
    folds = experiments.splits.folds(windows, "P5", 2, 0, "ignore")
    y = floors.floors(windows, folds, "event", 0)["lookup_kp"]
    truth = (windows.event_id != "").to_numpy()
    assert row["floors"]["lookup_kp"] == pytest.approx(np.corrcoef(truth, y)[0, 1] if y.std() else 0)


def test_a_stream_of_known_truth_is_learned_better_from_more():
    """Mean over four streams rises from 10 to 300 events and stays below the best possible rule."""
    found = np.array([observatory_fits.stream_curve(seed, (10, 300)) for seed in range(4)]).mean(0)
    best = 0.7734                      # Phi(1.5 / 2): two unit normal classes 1.5 apart
    assert found[0] + 0.05 < found[1] < best + 0.03


def test_memory_by_length_is_that_of_the_network():
    """A week at 1 GB: 17 windows, 123.9 MB in the first layer of 32; a month does not fit."""
    table = observatory_fits.memory_table(1.0)
    assert table.batch["week"] == 17 and table.batch["month"] == 0
    assert table.first_layer_mb["week"] == pytest.approx(123.86304)
    assert table.parameters["week"] == 30_984_834
