"""The published fields beside ours: views, labels, and files of other people."""

import hashlib

import h5py
import numpy as np
import pandas as pd
import pytest

from lib import config, dataset, monolithic
from lib.files import InputError

STUDY = config.load("crnn", "full", {"windows.window_s": 3600, "cwt.n_scales": 4, "cwt.n_times": 12,
                                     "cwt.freq_hz": (0.01, 0.1)})


def windows(n=7, **columns):
    start = pd.date_range("2020-01-01", periods=n, freq="D").as_unit("ns")
    event = np.arange(n) % 2 == 0
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(n)], "station": "TRD", "start": start,
        "end": start + pd.Timedelta(hours=1), "event_id": np.where(event, "e", ""),
        "magnitude_class": np.where(event, ["Moderate", "Medium", "Large", "Medium"][n % 4], "Normal"),
        "azimuth_deg": np.where(event, 45.0 * np.arange(n), np.nan),
        "kp_max": np.arange(n, dtype=float), "dst_min": -10.0} | columns)


def read(station, start, n):
    return np.random.default_rng(start.day).normal(size=(3, n)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return dataset.build(tmp_path / "d.h5", windows(), read, STUDY)


def test_the_groups_are_views_in_the_published_order_and_cost_no_second_copy(path):
    """tensors[k] is x[row k] as Z, H, D, whatever the rows; our file still passes its own hash."""
    size = path.stat().st_size
    rows = {"train": np.array([0, 1, 2, 5]), "val": np.array([6, 4])}
    monolithic.add_published_fields(path, rows)
    with h5py.File(path) as file, dataset.open_dataset(path) as ours:
        x = ours.read(slice(None))
        for name, index in rows.items():
            assert file[name]["tensors"].dtype == np.float16 and file[name]["tensors"].is_virtual
            np.testing.assert_array_equal(file[name]["tensors"][:], x[index][:, [2, 0, 1]])
            assert file[name].attrs["order"] == "ZHD"
    with h5py.File(path) as file:
        assert all(file[name]["tensors"].id.get_storage_size() == 0 for name in rows)
    assert path.stat().st_size - size < 60_000                # labels and mappings only


def test_labels_are_those_of_the_published_loader(path):
    """Event and storm 0 or 1, magnitude 0 to 2, azimuth in radians; quiet: -100, ignored, and NaN."""
    monolithic.add_published_fields(path, {"train": np.arange(7)})
    with h5py.File(path) as file:
        group = {field: file["train"][field][:] for field in monolithic.FIELDS[1:]}
    assert group["label_event"].tolist() == [1, 0, 1, 0, 1, 0, 1]
    assert group["is_storm"].tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert set(group["label_mag"][1::2]) == {-100} and set(group["label_mag"][::2]) == {1}
    assert np.isnan(group["label_azm"][1::2]).all()
    np.testing.assert_allclose(group["label_azm"][::2], np.radians([0, 90, 180, 270]), atol=1e-6)


def test_reading_back_gives_images_and_labels_as_they_were(path):
    """Round trip, bit for bit for the images; groups can be replaced."""
    monolithic.add_published_fields(path, {"train": [0]})
    monolithic.add_published_fields(path, {"train": np.arange(5), "val": np.array([5, 6])})
    x, table = monolithic.read_published(path)
    with dataset.open_dataset(path) as ours:
        np.testing.assert_array_equal(x, ours.read(slice(None)))
    given = windows()
    assert table.part.tolist() == ["train"] * 5 + ["val"] * 2
    assert ((table.event_id != "") == (given.event_id != "")).all()
    assert table.magnitude_class.tolist() == given.magnitude_class.tolist()
    np.testing.assert_allclose(table.azimuth_deg, given.azimuth_deg, atol=1e-4)


def foreign(path, **fields):
    """Write a file as the public generator does, at the top level and without a stated order."""
    r = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, values in ({"tensors": r.normal(size=(4, 3, 2, 5)).astype(np.float16),
                              "label_event": np.array([0, 1, 1, 0]), "is_storm": np.array([0, 1, 0, 0]),
                              "label_mag": np.array([0, 2, 0, 0]),
                              "label_azm": np.array([0, 6.2, 1, 0], np.float32)} | fields).items():
            if values is not None:
                file.create_dataset(name, data=values)
    return path


def test_a_foreign_file_is_read_once_its_order_is_said(tmp_path):
    path = foreign(tmp_path / "f.h5")
    with pytest.raises(InputError, match="order of the components"):
        monolithic.read_published(path)
    x, table = monolithic.read_published(path, "ZHD")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(x[:, 2], file["tensors"][:, 0])
    assert table.magnitude_class.tolist() == ["Normal", "Large", "Moderate", "Normal"]
    assert table.event_id.tolist() == ["", "all-00001", "all-00002", ""]
    assert np.isnan(table.azimuth_deg[0]) and table.azimuth_deg[2] == pytest.approx(np.degrees(1))


@pytest.mark.parametrize(("fields", "words"), [
    ({"label_azm": np.array([0, np.nan, 1, 0])}, "label_azm, row 1"),
    ({"label_azm": np.array([0, 355, 1, 0])}, "label_azm, row 1"),        # degrees
    ({"label_event": np.array([0, 2, 1, 0])}, "label_event, row 1"),
    ({"label_mag": np.array([0, 3, 1, 0])}, "label_mag, row 1"),
    ({"label_mag": np.array([0, 1, 1])}, "of one length"),
    ({"is_storm": None}, "is_storm"), ({"tensors": None}, "tensors"),
    ({"tensors": np.full((4, 3, 2, 5), np.nan, np.float16)}, "finite")])
def test_foreign_labels_that_cannot_be_are_named(tmp_path, fields, words):
    """A label without azimuth among them."""
    with pytest.raises(InputError, match=words):
        monolithic.read_published(foreign(tmp_path / "f.h5", **fields), "HDZ")


@pytest.mark.parametrize(("columns", "words"), [
    ({"azimuth_deg": np.nan}, "azimuth_deg of w0"), ({"kp_max": np.nan}, "kp_max, dst_min of w0"),
    ({"magnitude_class": "Normal"}, "magnitude_class of w0")])
def test_windows_without_a_label_are_refused(tmp_path, columns, words):
    """An event without azimuth, a missing index: no placeholder is written."""
    path = dataset.build(tmp_path / "d.h5", windows(**columns), read, STUDY)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match=words):
        monolithic.add_published_fields(path, {"train": [0]})
    assert "train" not in h5py.File(path) and len(before) == 64


@pytest.mark.parametrize("parts", [{"train": []}, {"windows": [0]}, {"train": [7]}])
def test_groups_that_cannot_be_are_refused(path, parts):
    with pytest.raises(InputError):
        monolithic.add_published_fields(path, parts)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "no.h5").write_bytes(b"no")
    for call in (lambda p: monolithic.add_published_fields(p, {"train": [0]}), monolithic.read_published):
        with pytest.raises(InputError, match="HDF5"):
            call(tmp_path / "no.h5")


def test_float16_costs_less_than_its_spacing():
    """Log power between -4 and 4: at most 2**-9 / 2 decades, 0.225 % of the power."""
    x = np.random.default_rng(0).uniform(-4, 4, 100_000)
    error = monolithic.float16_error(x)
    assert error["max_decades"] <= error["bound_decades"] == 2.0**-10
    assert 0.2 < error["max_percent"] < 0.226 and error["rms_decades"] < error["max_decades"] / 2
    with pytest.raises(InputError):
        monolithic.float16_error([1e6])
