import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib import config, dataset, predict, runs, synthetic, train
from lib.earth import iaga2002
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

STUDY = config.load("convnext", "smoke", {"windows.window_s": 1800, "windows.n_windows": 36,
                                          "training.epochs": 1})
WORLD = synthetic.make_world(STUDY)
N = STUDY.windows.window_s


def make_record(station, start, n, dtype=np.float64):
    values = WORLD.window(station, start, n).astype(dtype)
    time = np.datetime64(start, "ns") + np.arange(n) * np.timedelta64(1, "s")
    return xr.Dataset({c: ("time", values[i]) for i, c in enumerate("HDZ")}, {"time": time},
                      {"station": station, "sampling_s": 1.0, "source": "world.sec", "reported": "HDZ",
                       "latitude": -6.9, "longitude": 106.6})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train once: dataset file, predictions table, weights of the first fold."""
    folder = tmp_path_factory.mktemp("predict")
    path = synthetic.make_dataset(STUDY, folder)
    table = train.cross_validate(STUDY, path, "P2", keep_weights=True, folder=folder)
    return path, table, next(folder.rglob("fold_000.safetensors"))


@pytest.fixture(scope="module")
def weights(run):
    return run[2]


@pytest.fixture(scope="module")
def record():
    return make_record("SKB", "2018-03-01T10:00", 4 * N)


def test_a_record_and_the_dataset_give_the_same_answer(run):
    """Every test window of the fold, cut from its record: class and probabilities are those of the table."""
    path, table, weights = run
    with dataset.open_dataset(path) as opened:
        windows = opened.windows.set_index("window_id")
    rows = table[table.fold == 0].set_index(["target", "window_id"])
    for name in windows.index[windows.index.isin(table[table.fold == 0].window_id)]:
        row = predict.predict(make_record(windows.station[name], windows.start[name], N, np.float32), weights)
        for target, classes in (("magnitude", MAGNITUDE_CLASSES), ("azimuth", AZIMUTH_CLASSES)):
            expected = rows.loc[target, name]
            p = row.loc[0, [f"p_{target}_{c}" for c in classes]].to_numpy(float)
            assert np.allclose(p, expected[runs.PROBABILITIES[:len(classes)]].to_numpy(float), atol=1e-5)
            assert row[f"{target}_class"][0] == classes[int(expected.y_pred)]


def test_windows_follow_each_other(weights, record):
    """Four windows by default, more with a step; times are those of the record."""
    table = predict.predict(record, weights)
    assert list(table.start) == list(pd.date_range("2018-03-01T10:00", periods=4, freq="30min"))
    assert (table.end - table.start == pd.Timedelta("30min")).all() and table.valid.all()
    p = table.filter(like="p_magnitude_").to_numpy()
    assert np.allclose(p.sum(1), 1, atol=1e-5)
    half = predict.predict(record, weights, step_s=900)
    assert len(half) == 7
    pd.testing.assert_frame_equal(half.iloc[::2].reset_index(drop=True), table, rtol=1e-4)


def test_a_gap_makes_no_prediction_and_changes_no_other(weights, record, monkeypatch):
    """A NaN in one component costs the windows that hold it; batches do not matter."""
    whole = predict.predict(record, weights)
    gap = record.copy(deep=True)
    gap["D"][N + 7] = np.nan
    monkeypatch.setattr(predict, "BATCH", 2)
    table = predict.predict(gap, weights)
    assert table.valid.tolist() == [True, False, True, True]
    assert table.loc[1].drop(["start", "end", "valid"]).isna().all()
    kept = [0, 2, 3]
    assert (table.magnitude_class[kept] == whole.magnitude_class[kept]).all()
    p = whole.filter(like="p_").columns
    assert np.allclose(table.loc[kept, p].astype(float), whole.loc[kept, p].astype(float), atol=1e-5)


def test_a_record_of_gaps_has_the_same_columns_and_no_prediction(weights, record):
    table = predict.predict((record * np.nan).assign_attrs(record.attrs), weights)
    assert list(table.columns) == list(predict.predict(record, weights).columns)
    assert not table.valid.any() and table.p_magnitude_Normal.isna().all()


def test_a_file_is_read_and_predicted(weights, tmp_path, record):
    """Written as IAGA-2002 to a hundredth of a nanotesla, read again: nearly the same answer."""
    path = tmp_path / "skb20180301vsec.sec"
    iaga2002.write_iaga2002(record, path)
    found, direct = predict.predict_file(path, weights), predict.predict(record, weights)
    assert list(found.start) == list(direct.start)
    assert np.allclose(found.p_magnitude_Normal, direct.p_magnitude_Normal, atol=0.1)
    with pytest.raises(InputError, match="absent.sec"):
        predict.predict_file(tmp_path / "absent.sec", weights)


def test_a_study_of_one_target_predicts_one(run, record, tmp_path):
    study = dataclasses.replace(STUDY, targets=("azimuth",))
    train.cross_validate(study, run[0], "P2", keep_weights=True, folder=tmp_path)
    table = predict.predict(record, next(tmp_path.rglob("fold_000.safetensors")))
    assert "azimuth_class" in table and "magnitude_class" not in table


def _without_attributes(record):
    record = record.copy()
    record.attrs = {}
    return record


@pytest.mark.parametrize(("change", "word"), [
    (lambda r: r.assign_attrs(sampling_s=60.0), "world.sec, sampling interval: found 60.0; accepted: 1 s"),
    (lambda r: r.isel(time=slice(0, N - 1)), f"length: found {N - 1}; accepted: at least {N}"),
    (lambda r: r.isel(time=slice(0, 0)), "length: found 0"),
    (lambda r: r.drop_vars("Z"), r"components: found \['Z'\]"),
    (lambda r: r.isel(time=np.r_[0:100, 200:4 * N]), "time axis: found 'a step after 2018-03-01T10:01:39"),
    (_without_attributes, "sampling interval: found None"),
    (lambda r: r.to_array().values, "record: found 'ndarray'"),
])
def test_records_that_do_not_fit_are_refused(weights, record, change, word):
    with pytest.raises(InputError, match=word):
        predict.predict(change(record), weights)


@pytest.mark.parametrize("step_s", [0, -5, 0.5, 1.5])
def test_steps_that_cannot_be_are_refused(weights, record, step_s):
    with pytest.raises(InputError, match="step_s"):
        predict.predict(record, weights, step_s=step_s)


@pytest.fixture
def copy(weights, tmp_path):
    """Copy weights and card, the card changed by a function."""
    def make(change=lambda card: None):
        path = tmp_path / "w.safetensors"
        shutil.copy(weights, path)
        card = json.loads(weights.with_suffix(".json").read_text())
        change(card)
        path.with_suffix(".json").write_text(json.dumps(card))
        return path
    return make


@pytest.mark.parametrize(("change", "word"), [
    (lambda c: c.pop("study"), "study"),
    (lambda c: c.pop("mean"), "mean"),
    (lambda c: c.pop("history"), "history"),
    (lambda c: c.update(mean=[1.0]), "mean: .*3 finite numbers"),
    (lambda c: c.update(mean="x"), "mean"),
    (lambda c: c.update(std=[1.0, 0.0, 1.0]), "std: .*above 0"),
    (lambda c: c.update(study="x"), "study"),
    (lambda c: c["study"].update(extra=1), "extra"),
    (lambda c: c["study"].pop("seed"), "seed"),
    (lambda c: c["study"].update(training=3), "TrainingSpec"),
    (lambda c: c["study"]["training"].update(epochs="9"), "epochs"),
])
def test_a_damaged_card_is_one_clear_error(copy, record, change, word):
    """The message names the card's file and the field."""
    with pytest.raises(InputError, match=word):
        predict.predict(record, copy(change))


def test_damaged_and_missing_weights_are_one_clear_error(copy, record):
    path = copy()
    assert len(predict.predict(record, path)) == 4
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-1], whole[:-4] + b"abcd", b"text"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="w.safetensors"):
            predict.predict(record, path)
    path.unlink()
    with pytest.raises(InputError, match="w.safetensors"):
        predict.predict(record, path)
    path.write_bytes(whole)
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="w.json"):
        predict.predict(record, path)
