"""The dataset file: what goes in comes out, and what is damaged says so."""

import dataclasses
import resource
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from benchmarks.bench_stft import memory_growth
from lib import config, representation
from lib.dataset import _most_bytes, build, open_dataset
from lib.files import InputError
from lib.hdf5 import read_table, table_hash, write_table
from lib.scale import fit_scale
from lib.stft import spectrogram
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES


@pytest.fixture(scope="module")
def study():
    return config.load("convnext", "smoke", {"windows.window_s": 1024, "stft.size": (6, 8)})


def make_windows(n, seconds=1024):
    """Table of n windows at two stations, classes in turn."""
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) * 3600, unit="s")
    k = np.arange(n) % 4
    return pd.DataFrame({
        "window_id": [f"w{i:04d}" for i in range(n)],
        "station": ["TRD", "SÃO"] * (n // 2) + ["TRD"] * (n % 2),
        "start": start.astype("datetime64[ns]"),
        "end": (start + pd.Timedelta(seconds=seconds)).astype("datetime64[ns]"),
        "event_id": np.where(k > 0, "e1", ""),
        "magnitude": np.where(k > 0, 5.0 + k, np.nan),
        "magnitude_class": np.take(MAGNITUDE_CLASSES, k),
        "azimuth_class": np.take(AZIMUTH_CLASSES, k * 2),
        "kp_max": np.arange(n) / 3,
        "fold": np.arange(n),
    })


def read(station, start, n):
    """Noise that depends on station and time only, on the level of the main field."""
    rng = np.random.default_rng([len(station), station.encode()[1], start.value // 10**9])
    return (38000 + rng.normal(0, 1, (3, n))).astype(np.float32)


@pytest.fixture(scope="module")
def path(study, tmp_path_factory):
    return build(tmp_path_factory.mktemp("dataset") / "d.h5", make_windows(21), read, study, batch=8)


def test_what_goes_in_comes_out(path, study):
    """Images, table, axes and configuration come back; float16 costs less than 0.002 decades."""
    windows = make_windows(21)
    records = np.stack([read(w.station, w.start, 1024) for w in windows.itertuples()])
    images = spectrogram(records, study.stft)
    with open_dataset(path) as dataset:
        pd.testing.assert_frame_equal(dataset.windows, windows.astype({"event_id": "str"}))
        assert dataset.x.shape == (21, 3, 6, 8) and dataset.x.chunks == (1, 3, 6, 8)
        assert np.abs(dataset.read(slice(None)) - images).max() < 2e-3
        assert dataset.channels == ("H", "D", "Z") and "nT^2/Hz" in dataset.units
        assert len(dataset.frequency_hz) == 6 and len(dataset.time_s) == 8
        assert dataset.study["stft"]["nperseg"] == 256 and dataset.study["seed"] == study.seed
        assert dataset.version and len(dataset) == 21 and not len(dataset.dropped)


def test_rows_in_any_order(path):
    """Integers in any order with repeats, masks and slices give the rows asked for."""
    with open_dataset(path) as dataset:
        everything = dataset.read(slice(None))
        for index in ([5, 2, 2, 20], [20, 0], np.arange(21) % 3 == 0, slice(3, 9), [], -1 + np.zeros(1, int)):
            index = np.asarray(index, int) if isinstance(index, list) else index
            assert np.array_equal(dataset.read(index), everything[index])
        with pytest.raises(IndexError):
            dataset.read([21])


def test_same_input_same_bytes(study, path, tmp_path):
    """The file's bytes depend neither on the batch nor on the day."""
    again = build(tmp_path / "again.h5", make_windows(21), read, study, batch=8)
    assert again.read_bytes() == path.read_bytes()
    with open_dataset(path) as one, open_dataset(build(tmp_path / "b.h5", make_windows(21), read, study,
                                                       batch=64)) as other:
        assert np.abs(one.read(slice(None)) - other.read(slice(None))).max() < 2e-3


def test_reuse_and_rebuild(study, tmp_path):
    """The same key reads no window; other windows, settings or source build again; so does damage."""
    calls = []

    def counted(*where):
        calls.append(where)
        return read(*where)

    path, windows = tmp_path / "d.h5", make_windows(4)
    build(path, windows, counted, study)
    build(path, windows, counted, dataclasses.replace(study, training=dataclasses.replace(study.training,
                                                                                          epochs=99)))
    assert len(calls) == 4
    for change in ({"source": "other records"}, {"windows": windows.assign(kp_max=1.0)},
                   {"study": dataclasses.replace(study, seed=7)}):
        calls.clear()
        build(path, **{"windows": windows, "study": study, "read": counted, **change})
        assert len(calls) == 4, change
    path.write_bytes(path.read_bytes()[:-100])
    build(path, windows, counted, dataclasses.replace(study, seed=7))
    with open_dataset(path) as dataset:
        assert len(dataset) == 4


def test_gap_raises_or_drops(study, tmp_path):
    """A window without record, or with a NaN, stops the build by name, or is dropped and listed."""
    def gappy(station, start, n):
        values = read(station, start, n)
        if start == pd.Timestamp("2020-01-01 03:00"):
            raise InputError("TRD.sec", "2020-01-01", "no record", "another station")
        if start == pd.Timestamp("2020-01-01 06:00"):
            values[2, 5] = np.nan
        return values

    with pytest.raises(InputError, match=r"TRD\.sec.*window w0003.*on_gap='drop'"):
        build(tmp_path / "d.h5", make_windows(9), gappy, study)
    assert not list(tmp_path.iterdir())
    path = build(tmp_path / "d.h5", make_windows(9), gappy, study, on_gap="drop", batch=2)
    with open_dataset(path) as dataset:
        assert list(dataset.dropped.window_id) == ["w0003", "w0006"]
        assert dataset.dropped.magnitude_class.value_counts().to_dict() == {"Large": 1, "Medium": 1}
        assert "1 samples without value" in dataset.dropped.reason[1]
        assert list(dataset.windows.window_id) == [f"w{i:04d}" for i in (0, 1, 2, 4, 5, 7, 8)]
        records = read("SÃO", pd.Timestamp("2020-01-01 05:00"), 1024)[None]
        assert np.abs(dataset.read([4]) - spectrogram(records, study.stft)).max() < 2e-3
    with pytest.raises(InputError, match="9 dropped of 9"):
        build(path, make_windows(9), lambda *_: np.full((3, 1024), np.nan), study,
              source="all gaps", on_gap="drop")


@pytest.mark.filterwarnings("ignore:overflow")
def test_overflow_and_shape_are_refused(study, tmp_path):
    """Records beyond float32 and records of another length are named."""
    with pytest.raises(InputError, match="window w0000"):
        build(tmp_path / "d.h5", make_windows(2), lambda *w: (read(*w).astype(float) - 38000) * 1e25, study)
    with pytest.raises(InputError, match=r"shape \(3, 1023\).*"):
        build(tmp_path / "d.h5", make_windows(2), lambda *w: read(*w)[:, 1:], study)


@pytest.mark.parametrize(("change", "word"), [
    (lambda w: w.drop(columns="station"), "columns"), (lambda w: w.iloc[:0], "at least one row"),
    (lambda w: w.assign(window_id="w"), "window_id"), (lambda w: w.assign(end=w.start), "window_s"),
    (lambda w: w.assign(event_id=[None] * len(w)), "column event_id, row 0"),
])
def test_bad_tables(study, tmp_path, change, word):
    """A table without columns or rows, with an id twice, another length or gaps in text is refused."""
    with pytest.raises(InputError, match=word):
        build(tmp_path / "d.h5", change(make_windows(3)), read, study)


def test_labels(path):
    """Labels are positions in the classes of lib.studies; an unknown target is refused."""
    with open_dataset(path) as dataset:
        assert dataset.labels("magnitude")[:5].tolist() == [0, 1, 2, 3, 0]
        assert dataset.labels("azimuth")[:5].tolist() == [0, 2, 4, 6, 0]
        with pytest.raises(InputError, match="magnitude, azimuth"):
            dataset.labels("depth")
        dataset.windows.loc[2, "magnitude_class"] = "Huge"
        with pytest.raises(InputError, match="row 2.*Huge.*Medium"):
            dataset.labels("magnitude")


def test_tensor(path):
    """The resident tensor equals the file, in both types; a limit gives a clear error."""
    with open_dataset(path) as dataset:
        values = dataset.read(slice(None))
        assert np.array_equal(dataset.tensor().numpy(), values)
        assert np.array_equal(dataset.tensor("float32").numpy(), values.astype(np.float32))
        with pytest.raises(InputError, match="limit_gb"):
            dataset.tensor(limit_gb=1e-6)


@pytest.mark.slow
def test_no_torch_for_exploration():
    """Importing the module and opening files needs neither torch nor matplotlib."""
    code = "import lib.dataset, lib.published, sys; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=config.ROOT)


def _broken(path, tmp_path, change):
    copy = tmp_path / "broken.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        change(file)
    return copy


def _set(name, row, value):
    def change(file):
        file[name][row] = value
    return change


@pytest.mark.parametrize(("change", "word"), [
    (_set("x", 3, 1.0), "hash of the images"),
    (_set("windows/kp_max", 0, 9.0), "content hash"),
    (_set("windows/magnitude_class", 1, "Large"), "content hash"),
    (_set("frequency_hz", 0, 9.0), "content hash"),
    (lambda f: f.pop("x"), "fields.*accepted: x;"),
    (lambda f: f["windows"].pop("kp_max"), "HDF5 structure"),
    (lambda f: f.attrs.pop("channels"), "attributes.*accepted: channels;"),
    (lambda f: f.attrs.modify("units", "nT"), "content hash"),
    (lambda f: f["x"].resize(5, axis=0), "float16"),
])
def test_changed_files(path, tmp_path, change, word):
    """A changed image, table or axis and a missing field or attribute are each named with the file."""
    with pytest.raises(InputError, match=rf"(?s)broken\.h5.*{word}"):
        open_dataset(_broken(path, tmp_path, change))


def test_truncated_and_foreign_files(path, tmp_path):
    """Missing, empty, text, truncated and foreign HDF5 files end in one clear error."""
    whole = path.read_bytes()
    for k, content in enumerate((b"", b"H D Z\n1 2 3\n", whole[:2000], whole[:len(whole) // 2], whole[:-1])):
        (tmp_path / f"{k}.h5").write_bytes(content)
        with pytest.raises(InputError, match=rf"{k}\.h5"):
            open_dataset(tmp_path / f"{k}.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(InputError, match=r"foreign\.h5, fields.*windows, dropped"):
        open_dataset(tmp_path / "foreign.h5")
    with pytest.raises(InputError, match="no such file"):
        open_dataset(tmp_path / "absent.h5")


def test_flipped_bytes_never_pass(path, tmp_path):
    """Any single changed byte either ends in InputError or changes nothing that is read."""
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    with open_dataset(path) as dataset:
        images, windows = dataset.read(slice(None)), dataset.windows
    refused = 0
    for position in rng.integers(0, len(whole), 40):
        data = bytearray(whole)
        data[position] ^= 0x5A
        (tmp_path / "flip.h5").write_bytes(data)
        try:
            with open_dataset(tmp_path / "flip.h5") as dataset:
                assert np.array_equal(dataset.read(slice(None)), images)
                pd.testing.assert_frame_equal(dataset.windows, windows)
        except InputError:
            refused += 1
    assert refused > 5


def test_full_disk(study, tmp_path):
    """No space left ends, before any window is read, in one error that names the file; nothing stays."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, old[1]))
    try:
        with pytest.raises(InputError, match=r"d\.h5, writing.*File too large.*space left"):
            build(tmp_path / "d.h5", make_windows(800), None, study)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert not list(tmp_path.iterdir())


def test_reserved_space_is_enough_and_given_back(study, tmp_path):
    """The bound reserved holds for tiny images with long text and many drops; the file is smaller."""
    study = dataclasses.replace(study, stft=dataclasses.replace(study.stft, size=(1, 1)))
    windows = make_windows(400).assign(note="long " * 50)
    keep = windows.start.iloc[0]

    def mostly_gaps(station, start, n):
        if start != keep:
            raise InputError("a file with a long name" * 5, "line 1", "text" * 20, "numbers" * 10)
        return read(station, start, n)

    for reader in (read, mostly_gaps):
        path = build(tmp_path / "d.h5", windows, reader, study, source=reader.__name__, on_gap="drop")
        assert path.stat().st_size < _most_bytes(windows, representation.of(study))


def test_table_round_trip(tmp_path):
    """Text, times with gaps, integers, booleans, floats with NaN and an empty table come back alike."""
    table = pd.DataFrame({
        "text": pd.array(["", "ä"], dtype="str"), "n": [1, 2], "flag": [True, False], "v": [np.nan, 1.5],
        "t": np.array(["2020-01-01T00:00:00.123456789", "NaT"], "datetime64[ns]")})
    with h5py.File(tmp_path / "t.h5", "w") as file:
        for name, part in (("all", table), ("none", table.iloc[:0])):
            write_table(file.create_group(name), part)
            back = read_table(file[name])
            pd.testing.assert_frame_equal(back, part.reset_index(drop=True))
            assert table_hash(back) == table_hash(part)
    assert table_hash(table) != table_hash(table[["n", "text", "flag", "v", "t"]])


def test_scale_knows_the_training_rows_only():
    """Mean and deviation equal numpy's in float64 over the rows given; a dead channel gets the floor."""
    x = np.random.default_rng(0).normal(-3, 2, (150, 3, 4, 5)).astype(np.float16)
    x[:, 2] = -9
    mean, std = fit_scale(x[:100])
    assert np.allclose(mean, x[:100].mean(axis=(0, 2, 3), dtype=float), atol=1e-6)
    assert np.allclose(std[:2], x[:100].std(axis=(0, 2, 3), dtype=float)[:2], atol=1e-6)
    assert std[2] == np.float32(1e-3)
    for bad in (x[:0], np.full((1, 3, 2, 2), np.nan)):
        with pytest.raises(InputError, match="x_train"):
            fit_scale(bad)


@pytest.mark.slow
def test_memory_does_not_grow_with_windows():
    """Peak memory grows by at most 10 % from 2 000 to 20 000 windows (123 MB of images)."""
    assert memory_growth() <= 1.10
