"""Predictions: from records, windows and pictures to classes, and what is refused on the way."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from lib import (
    cards,
    config,
    dataset,
    model,
    objectives,
    predict,
    published_layout,
    representation,
    runs,
    synthetic,
    train,
)
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
def calibrated(run, tmp_path_factory):
    """Copy of the weights with temperatures on their card."""
    folder = tmp_path_factory.mktemp("calibrated")
    for suffix in (".safetensors", ".json"):
        shutil.copy(run[2].with_suffix(suffix), folder / f"w{suffix}")
    cards.calibrate(folder / "w.safetensors", run[0])
    return folder / "w.safetensors"


@pytest.fixture(scope="module")
def record():
    return make_record("SKB", "2018-03-01T10:00", 4 * N)


@pytest.mark.slow
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
    monkeypatch.setattr(predict.inputs, "BATCH", 2)
    table = predict.predict(gap, weights)
    assert table.valid.tolist() == [True, False, True, True]
    assert table.loc[1].drop(["start", "end", "valid", "calibration"]).isna().all()
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


def test_a_folder_of_days_is_one_long_record(weights, record, tmp_path):
    """Files of any length, cut inside a window, give the answers of the whole; a foreign file is reported."""
    cuts = [0, 1000, 1500, 4100, 4 * N]
    for i, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False)):
        iaga2002.write_iaga2002(record.isel(time=slice(a, b)), tmp_path / f"part{i}.sec")
    iaga2002.write_iaga2002(record, tmp_path.parent / "whole.sec")
    for step in (None, 700, 2 * N + 60):
        whole = predict.predict_file(tmp_path.parent / "whole.sec", weights, step_s=step)
        found = predict.predict_folder(tmp_path, weights, step_s=step)
        assert (found.station == "SKB").all() and found.start.tolist() == whole.start.tolist()
        p = whole.filter(like="p_").columns
        np.testing.assert_allclose(found[p].astype(float), whole[p].astype(float), atol=0.02)
    (tmp_path / "notes.txt").write_text("no record")
    _, _, unreadable = predict.open_input(tmp_path, STUDY)
    assert [path.endswith("notes.txt") for path, _ in unreadable] == [True]


def test_gaps_between_files(weights, record, tmp_path):
    """A short gap costs the windows that hold it; after a long one windows begin at the next file."""
    for i, (a, b) in enumerate(((0, N + 100), (N + 160, 2 * N), (3 * N + 7, 4 * N))):
        iaga2002.write_iaga2002(record.isel(time=slice(a, b)), tmp_path / f"part{i}.sec")
    table = predict.predict_folder(tmp_path, weights)
    assert table.valid.tolist() == [True, False]          # the last file is shorter than a window
    filled = predict.predict_folder(tmp_path, weights, gap_rule="interpolate")
    assert filled.valid.tolist() == table.valid.tolist()        # the rule is for gaps inside a file
    far = record.assign_coords(time=record.time + np.timedelta64(30, "D"))
    iaga2002.write_iaga2002(far.isel(time=slice(17, 17 + N)), tmp_path / "far.sec")
    assert predict.predict_folder(tmp_path, weights).start.iloc[-1] == pd.Timestamp(far.time.values[17])
    with pytest.raises(InputError, match="a folder of record files"):
        predict.predict_folder(tmp_path / "absent", weights)


def test_gaps_in_a_file_are_filled_by_rule(weights, record, tmp_path):
    gappy = record.copy(deep=True)
    gappy["H"][N + 20:N + 60] = np.nan
    iaga2002.write_iaga2002(gappy, tmp_path / "g.sec")
    assert predict.predict_file(tmp_path / "g.sec", weights).valid.tolist() == [True, False, True, True]
    assert predict.predict_file(tmp_path / "g.sec", weights, gap_rule="interpolate").valid.all()
    with pytest.raises(InputError, match="mean_3min"):
        predict.predict_file(tmp_path / "g.sec", weights, gap_rule="guess")


def test_windows_of_an_array_are_those_of_the_record(weights, record, tmp_path):
    """An npy file of the record's windows gives its probabilities; one with a NaN is not valid."""
    x = np.stack([record[c].values for c in "HDZ"]).reshape(3, 4, N).swapaxes(0, 1)
    whole = predict.predict(record, weights)
    p = whole.filter(like="p_").columns
    np.save(tmp_path / "x.npy", x)
    found = predict.predict_file(tmp_path / "x.npy", weights)
    np.testing.assert_allclose(found[p].astype(float), whole[p].astype(float), atol=1e-5)
    x[2, 1, 5] = np.nan
    assert predict.predict_windows(x, weights).valid.tolist() == [True, True, False, True]
    for wrong in (x[:, :, 1:], x[:, :2], x[:0], x[0], x.astype(str)):
        with pytest.raises(InputError, match="windows"):
            predict.predict_windows(wrong, weights)
    np.save(tmp_path / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    with pytest.raises(InputError, match="objects.npy"):
        predict.predict_file(tmp_path / "objects.npy", weights)


def test_mean_bearing_decodes_sectors():
    """A sector is its centre, two are their mean across north, opposite ones cancel against a third."""
    p = np.zeros((4, 9))
    p[0, 6] = 1                                  # SW
    p[1, [1, 8]] = 0.5                           # N and NW
    p[2, [0, 3]] = 0.7, 0.3                      # Normal says nothing about the direction
    p[3, [1, 5, 3]] = 0.4, 0.4, 0.2
    np.testing.assert_allclose(predict.core.mean_bearing(p), [225, 337.5, 90, 90], atol=1e-5)


def test_azimuth_comes_in_degrees(weights, record):
    """Degrees where a sector is answered, nothing where the answer is quiet."""
    table = predict.predict(record, weights, step_s=600)
    quiet = table.azimuth_class == "Normal"
    assert table.azimuth_deg[quiet].isna().all() and table.azimuth_deg[~quiet].between(0, 360).all()


def test_probabilities_are_calibrated_or_say_that_they_are_not(weights, calibrated, record):
    """Temperature T turns p into p^(1/T), rescaled; without one the table says uncalibrated."""
    raw, done = predict.predict(record, weights), predict.predict(record, calibrated)
    assert (raw.calibration == "uncalibrated").all() and (done.calibration == "calibrated").all()
    temperature = cards.read_card(calibrated)["temperature"]
    for target, t in temperature.items():
        columns = [c for c in raw if c.startswith(f"p_{target}_")]
        powered = raw[columns].to_numpy(float) ** (1 / t)
        np.testing.assert_allclose(done[columns].to_numpy(float), powered / powered.sum(1, keepdims=True),
                                   rtol=1e-4)


def test_calibration_is_fitted_on_the_inner_windows_only(run, tmp_path, monkeypatch):
    """No test window is shown to the network, and another dataset is refused."""
    path, table, weights = run
    for suffix in (".safetensors", ".json"):
        shutil.copy(weights.with_suffix(suffix), tmp_path / f"w{suffix}")
    seen, read = [], dataset.Dataset.read
    monkeypatch.setattr(dataset.Dataset, "read", lambda self, rows: (
        seen.extend(self.windows.window_id.iloc[rows]), read(self, rows))[1])
    temperature = cards.calibrate(tmp_path / "w.safetensors", path)
    assert seen and not set(seen) & set(table.window_id[table.fold == 0])
    with dataset.open_dataset(path) as opened:
        card = cards.read_card(tmp_path / "w.safetensors")
        assert card["temperature"] == temperature and card["data_hash"] == opened.content_hash
    other = synthetic.make_dataset(dataclasses.replace(STUDY, seed=7), tmp_path)
    with pytest.raises(InputError, match="test windows of fold 0"):
        cards.calibrate(tmp_path / "w.safetensors", other)


def test_the_network_abstains_below_the_threshold(weights, calibrated, record):
    """Exactly the windows whose largest calibrated probability is below abstain; degrees go with them."""
    table = predict.predict(record, calibrated, step_s=300)
    largest = table[[c for c in table if c.startswith("p_azimuth_")]].max(axis=1)
    threshold = float(largest.median())
    found = predict.predict(record, calibrated, step_s=300, threshold=threshold)
    unsure = largest < threshold
    assert 0 < unsure.sum() < len(table)
    assert ((found.azimuth_class == "abstain") == unsure).all() and found.azimuth_deg[unsure].isna().all()
    assert (found.azimuth_class[~unsure] == table.azimuth_class[~unsure]).all()
    with pytest.raises(InputError, match=r"temperature.*cards\.calibrate"):
        predict.predict(record, weights, threshold=0.5)
    for wrong in (0, -1, 1.5, np.nan):
        with pytest.raises(InputError, match="threshold"):
            predict.predict(record, calibrated, threshold=wrong)


def test_a_map_is_that_of_the_window_asked_for(weights, record):
    """The kept image is the window's own, and its map that of the predicted class."""
    given = cards.load_pretrained(weights)
    chunk = predict.inputs.of_record(record, given.study)
    found = predict.run([chunk], given, row=2)
    window = np.stack([record[c].values[2 * N:3 * N] for c in "HDZ"])[None]
    expected = representation.of(given.study).images(window)[0].astype(np.float16)
    assert found.row == 2
    np.testing.assert_allclose(found.image, expected, atol=2e-3)
    maps = predict.explain(found.image, given)
    assert set(maps) == {"magnitude", "azimuth"}
    assert all(m.shape == found.image.shape[1:] and 0 <= m.min() <= m.max() <= 1 for m in maps.values())
    with pytest.raises(InputError, match="window of the map"):
        predict.run([predict.inputs.of_record(record, given.study)], given, row=4)


@pytest.mark.slow
def test_command_line_writes_every_format(calibrated, record, tmp_path, capsys):
    """JSON, CSV, map and figure agree with the table; the same input gives the same bytes."""
    iaga2002.write_iaga2002(record, tmp_path / "r.sec")
    command = [str(tmp_path / "r.sec"), "--weights", str(calibrated), "--format", "json,csv,figure", "--step",
               "900", "--threshold", "0.3"]
    for out in ("a", "b"):
        assert predict.main([*command, "--out", str(tmp_path / out)]) == 0
    for name in ("predictions.json", "predictions.csv", "map.npz", "map.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    text = json.loads((tmp_path / "a" / "predictions.json").read_text())
    table = pd.read_csv(tmp_path / "a" / "predictions.csv", parse_dates=["start", "end"])
    assert len(table) == len(text["windows"]) == 7 and text["weights"]["study"] == "convnext"
    for row, window in zip(table.to_dict("records"), text["windows"], strict=True):
        assert window["magnitude"]["class"] == row["magnitude_class"]
        assert window["azimuth"]["probabilities"]["NE"] == pytest.approx(row["p_azimuth_NE"])
        assert pd.Timestamp(window["start"]) == row["start"]
    stored = np.load(tmp_path / "a" / "map.npz")
    assert stored["map_azimuth"].shape == (len(stored["frequency_hz"]), len(stored["time_s"]))
    capsys.readouterr()
    assert predict.main(command) == 0
    assert capsys.readouterr().out == (tmp_path / "a" / "predictions.csv").read_text()


@pytest.mark.parametrize("change", [
    ["--weights", "absent.safetensors"], ["--format", "pdf"], ["--step", "0.5"], ["--study", "crnn"],
    ["--gaps", "guess"], ["--threshold", "2"], ["--map", "99"]])
def test_command_line_refuses_in_one_sentence(calibrated, record, tmp_path, capsys, change):
    iaga2002.write_iaga2002(record, tmp_path / "r.sec")
    assert predict.main([str(tmp_path / "r.sec"), "--weights", str(calibrated), *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.slow
def test_the_word_is_never_said(calibrated, record, tmp_path):
    """Neither output nor help nor Python's own notices hold the word, with all notices switched on."""
    iaga2002.write_iaga2002(record, tmp_path / "r.sec")
    for arguments in (["--help"], [str(tmp_path / "r.sec"), "--weights", str(calibrated), "--out",
                                   str(tmp_path / "out"), "--format", "json,csv,figure"]):
        done = subprocess.run([sys.executable, "-W", "always", "-m", "lib.predict", *arguments],
                              cwd=config.ROOT, capture_output=True, text=True)
        assert done.returncode == 0 and "warning" not in (done.stdout + done.stderr).lower()
    for path in (tmp_path / "out").glob("*.[jc]s*"):
        assert "warning" not in path.read_text().lower()


OTHERS = {
    "crnn": {"windows.window_s": 4096, "network.light": True, "cwt.n_scales": 16, "cwt.n_times": 64,
             "training.threads": 1},
    "observatory": {"windows.window_s": 3600}, "tec": {}}


@pytest.mark.parametrize("name", OTHERS)
def test_every_study_predicts_and_explains(name, tmp_path):
    """Networks as they start, stored with a card, answer every target of their study."""
    study = config.load(name, "smoke", OTHERS[name])
    form = representation.of(study)
    shape = (len(form.channels), *(len(v) for v, _ in form.axes.values()))
    network = model.build(study.network, shape[0], objectives.outputs(study), shape[1:]).eval()
    model.save_weights(network, tmp_path / "w.safetensors", {
        "study": study, "mean": np.zeros(shape[0]), "std": np.ones(shape[0]), "history": {}, "best_epoch": 0})
    rng = np.random.default_rng(3)
    x = 20 + rng.normal(0, 1, (3, form.components, form.n))
    given = cards.load_pretrained(tmp_path / "w.safetensors", study=study)
    found = predict.run([predict.inputs.of_windows(x, study)], given)
    assert found.table.valid.all() and set(found.table.event_class) <= {"quiet", "event"}
    maps = predict.explain(found.image, given)
    assert "direction" not in maps and maps["event"].shape == shape[1:]
    if name == "crnn":
        vector = found.table[["direction_east", "direction_north"]].to_numpy()
        np.testing.assert_allclose(np.hypot(*vector.T), 1, atol=1e-5)
        degrees = np.degrees(np.arctan2(*vector.T)) % 360
        np.testing.assert_allclose(found.table.direction_deg, degrees, atol=1e-3)
        assert predict.draw(found, given, maps).axes
    else:
        with pytest.raises(InputError, match="frequency"):
            predict.draw(found, given, maps)
    if name == "tec":
        with pytest.raises(InputError, match="does not read H, D, Z"):
            predict.predict(make_record("SKB", "2018-03-01T10:00", 4 * N), given)


def test_pictures_need_weights_of_pictures(weights, record, tmp_path):
    """Pictures go to networks of pictures, records to those of records, and never the other way."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    for name, values in zip("ab", pixels, strict=True):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match=r"a\.png.*trained on log power"):
        predict.predict_file(tmp_path / "a.png", weights)
    study = published_layout.layout_study("panels", "smoke")
    network = model.build(study.network, 3, objectives.outputs(study), (32, 32)).eval()
    path = tmp_path / "p.safetensors"
    model.save_weights(network, path, {"study": study, "mean": np.full(3, 0.5), "std": np.ones(3),
                                       "history": {}, "best_epoch": 0})
    both = predict.predict_file(tmp_path, path)
    one = predict.predict_file(tmp_path / "b.png", path)
    assert both.file.tolist() == ["a.png", "b.png"]
    np.testing.assert_allclose(both.iloc[[1]].filter(like="p_").to_numpy(float),
                               one.filter(like="p_").to_numpy(float), atol=1e-5)
    found = predict.run(predict.open_input(tmp_path / "a.png", study)[1], cards.load_pretrained(path))
    figure = predict.draw(found, cards.load_pretrained(path))
    assert "row of the image" in [ax.get_ylabel() for ax in figure.axes]
    for source in (record, np.zeros((1, 3, 3600))):
        with pytest.raises(InputError, match="trained on pictures"):
            (predict.predict if source is record else predict.predict_windows)(source, path)
