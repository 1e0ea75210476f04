from collections import Counter

import h5py
import numpy as np
import pandas as pd
import pytest

from lib import floors, splits, targets
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES

FREQUENCY_HZ = np.linspace(0, .125, 32)


def world(n=240, seed=0, stations="ABCD"):
    """Half quiet, half events, everything independent of the labels; pairs of windows share a group."""
    r = np.random.default_rng(seed)
    label = np.repeat(r.integers(0, 4, n // 2), 2)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(r.integers(0, 9000, n), "h")
    group = np.repeat(np.arange(n // 2), 2)
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(n)], "station": r.choice(list(stations), n), "start": start,
        "end": start + pd.Timedelta("1h"),
        "event_id": np.where(label > 0, np.char.add("e", group.astype(str)), ""),
        "block_id": np.where(label > 0, "", np.char.add("q", group.astype(str))),
        "magnitude_class": np.array(MAGNITUDE_CLASSES)[label],
        "azimuth_class": [AZIMUTH_CLASSES[0 if not m else 1 + r.integers(8)] for m in label],
        "kp_max": r.uniform(0, 6, n), "dst_min": r.uniform(-60, 9, n)})


def hit_rate(found, windows, target="magnitude"):
    y = targets.truth(windows, target)
    return {name: np.mean(pred == y) for name, pred in found.items()}


def brute_lookup(keys, y, split):
    """Look each test window's key up in the training windows, one at a time."""
    out = np.full(y.size, -1)
    for train, test in split:
        overall = Counter(y[train])
        for i in test:
            same = Counter(y[j] for j in train if keys[j] == keys[i])
            out[i] = max(range(4), key=lambda c: (same[c], overall[c], -c))
    return out


def test_lookups_equal_a_loop_over_rows():
    """Majority, station, hour, date and Kp: the training majority of the same key, found the long way."""
    windows = world(120)
    split = splits.folds(windows, "P2", 4)
    y = targets.truth(windows, "magnitude")
    found = floors.floors(windows, split, "magnitude")
    keys = {"majority": [0] * len(windows), "lookup_station": list(windows["station"]),
            "lookup_hour": [t.hour for t in windows["start"]],
            "lookup_date": [t.date() for t in windows["start"]],
            "lookup_kp": [round(v) for v in windows["kp_max"]],
            "lookup_dst": [round(v / 10) for v in windows["dst_min"]],
            "lookup_station_hour": [(w.station, w.start.hour) for w in windows.itertuples()]}
    for name, key in keys.items():
        np.testing.assert_array_equal(found[name], brute_lookup(key, y, split), err_msg=name)


def test_time_adjacency_takes_the_nearest_training_window():
    """Checked against a full distance table, on times without ties."""
    windows = world(120)
    windows["start"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        np.random.default_rng(3).choice(10**6, len(windows), replace=False), "s")
    split = splits.folds(windows, "P2", 4)
    y, t = targets.truth(windows, "magnitude"), windows["start"].to_numpy("int64") / 1e9
    found = floors.floors(windows, split, "magnitude")["time_adjacency"]
    for train, test in split:
        np.testing.assert_array_equal(found[test], y[train[np.abs(t[test][:, None] - t[train]).argmin(1)]])


def test_nearest_of_equal_times_is_the_first_row():
    assert list(floors._nearest(np.array([5, 1, 5, 9]), np.array([5, 0, 7, 20, 3]))) == [0, 1, 0, 3, 1]


@pytest.mark.parametrize("target", ["magnitude", "azimuth"])
def test_no_floor_sees_the_test_labels(target):
    """Scrambling the labels of one test part leaves its predictions as they were."""
    windows = world(120)
    split = splits.folds(windows, "P2", 4, on_absent="ignore")
    before = floors.floors(windows, [split[1]], target)
    test = split[1][1]
    name = f"{target}_class"
    windows.loc[test, name] = windows[name].to_numpy()[np.roll(test, 7)]
    after = floors.floors(windows, [split[1]], target)
    for rule, pred in after.items():
        np.testing.assert_array_equal(pred[test], before[rule][test], err_msg=rule)
        assert (np.delete(pred, test) == -1).all()


def test_floors_find_what_the_table_gives_away():
    """Class decided by station, then by Kp: the lookup and the trees find it; P4 takes the station away."""
    windows = world(seed=1)
    windows["magnitude_class"] = windows["station"].map(dict(zip("ABCD", MAGNITUDE_CLASSES, strict=True)))
    random = splits.folds(windows, "P0", 4)
    rate = hit_rate(floors.floors(windows, random, "magnitude"), windows)
    assert rate["lookup_station"] == 1
    assert min(rate["metadata"], rate["lookup_station_month"]) > .95
    assert rate["majority"] < .4
    by_station = splits.folds(windows, "P4", None, on_absent="ignore")
    found = floors.floors(windows, by_station, "magnitude")
    assert hit_rate(found, windows)["lookup_station"] == 0
    np.testing.assert_array_equal(found["lookup_station"], found["majority"])
    windows["magnitude_class"] = np.where(windows["kp_max"].round() < 2, "Normal", "Medium")
    rate = hit_rate(floors.floors(windows, random, "magnitude"), windows)
    assert rate["lookup_kp"] == 1
    assert rate["metadata"] > .97


def test_floors_have_no_skill_without_information():
    """Four classes independent of the table: every floor within 3.5 sigma of a quarter."""
    windows = world(n=600, seed=2)
    rate = hit_rate(floors.floors(windows, splits.folds(windows, "P2", 5), "magnitude"), windows)
    for name, value in rate.items():
        assert abs(value - .25) < 3.5 * np.sqrt(.25 * .75 / 300), name    # 300 groups of two


def test_one_class_in_training_is_predicted():
    windows = world()
    windows["magnitude_class"] = "Medium"
    split = [(np.arange(100), np.arange(100, 240))]
    found = floors.floors(windows, split, "magnitude")
    found |= floors.comparators({"a": np.zeros((240, 1))}, windows, split, "magnitude")
    assert all((pred[100:] == 2).all() for pred in found.values())


def test_missing_indices_are_a_value_of_their_own():
    windows = world(120)
    windows["kp_max"] = np.where(windows["magnitude_class"] == "Normal", np.nan, 3.0)
    found = floors.floors(windows, splits.folds(windows, "P2", 4), "magnitude")
    quiet = (windows["magnitude_class"] == "Normal").to_numpy()
    assert (found["lookup_kp"][quiet] == 0).all()


def test_band_power_is_the_mean_log_power_of_each_band():
    """A spectrogram that equals its frequency gives each band's mean frequency; 0 Hz is left out."""
    x = np.broadcast_to(FREQUENCY_HZ[:, None], (2, 3, 32, 20)).copy()
    x[:, :, 0] = 1e6
    found = floors.features(x, FREQUENCY_HZ)["band_power"].reshape(2, 3, -1)
    edges = np.geomspace(FREQUENCY_HZ[1], .125, 9)
    edges[[0, -1]] *= 1 - 1e-9, 1 + 1e-9
    band = np.searchsorted(edges, FREQUENCY_HZ[1:])
    means = [FREQUENCY_HZ[1:][band == b].mean() for b in np.unique(band)]
    np.testing.assert_allclose(found, np.broadcast_to(means, found.shape), rtol=1e-5)


def test_thumbnail_is_the_block_mean():
    block = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    x = np.repeat(np.repeat(block, 4, 2), 5, 3)
    np.testing.assert_allclose(floors.features(x, FREQUENCY_HZ)["thumbnail"], block.reshape(1, -1), rtol=1e-4)


def test_random_weights_are_seeded_and_free_of_the_level():
    """Same seed, same numbers; a raised level moves the level features alone."""
    x = np.random.default_rng(0).normal(size=(3, 3, 32, 40)).astype(np.float32)
    found = floors.features(x, FREQUENCY_HZ, 1)["random_weights"]
    assert found.shape == (3, 3 + 64)
    np.testing.assert_array_equal(found, floors.features(x, FREQUENCY_HZ, 1)["random_weights"])
    assert np.abs(found - floors.features(x, FREQUENCY_HZ, 2)["random_weights"])[:, 3:].mean() > .1
    raised = floors.features(x + 2, FREQUENCY_HZ, 1)["random_weights"]
    np.testing.assert_allclose(raised[:, :3], found[:, :3] + 2, atol=1e-5)
    np.testing.assert_allclose(raised[:, 3:], found[:, 3:], atol=1e-5)


def test_features_stream_from_a_file(tmp_path):
    """A float16 HDF5 dataset longer than a chunk gives what the array in memory gives."""
    x = np.random.default_rng(0).normal(size=(floors.CHUNK + 5, 2, 32, 16)).astype(np.float16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        found = floors.features(file.create_dataset("x", data=x), FREQUENCY_HZ)
    for name, value in floors.features(x.astype(np.float32), FREQUENCY_HZ).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def spectrograms(windows, planted, seed=0):
    """Noise; with `planted`, event windows carry a patch of power at 30 to 60 mHz in H."""
    x = np.random.default_rng(seed).normal(size=(len(windows), 3, 32, 32)).astype(np.float32)
    x[windows["event_id"].to_numpy() != "", 0, 8:16, 8:24] += planted
    return x


def test_comparators_find_a_planted_band_and_nothing_in_noise():
    """Quiet against event: nearly all found when power is planted, near chance when it is not."""
    windows = world()
    windows["magnitude_class"] = np.where(windows["event_id"] != "", "Medium", "Normal")
    split = splits.folds(windows, "P2", 4)
    x = spectrograms(windows, 2)
    found = floors.comparators(x, windows, split, "magnitude", frequency_hz=FREQUENCY_HZ)
    assert set(found) == {"band_power", "thumbnail", "random_weights"}
    y = targets.truth(windows, "magnitude")
    for name, pred in found.items():
        assert np.mean([np.mean(pred[y == c] == c) for c in (0, 2)]) > .9, name
    cached = floors.features(spectrograms(windows, 0), FREQUENCY_HZ)
    for name, pred in floors.comparators(cached, windows, split, "magnitude").items():
        assert .3 < np.mean([np.mean(pred[y == c] == c) for c in (0, 2)]) < .7, name


def test_no_comparator_sees_the_test_part():
    """Labels and features of one test part do not reach another window's prediction."""
    windows = world()
    split = splits.folds(windows, "P2", 4)
    cached = {"a": np.random.default_rng(0).normal(size=(240, 5))}
    before = floors.comparators(cached, windows, split[:1], "magnitude")["a"]
    test = split[0][1]
    windows.loc[test[1:], "magnitude_class"] = "Large"
    cached["a"][test[1:]] *= 100
    assert floors.comparators(cached, windows, split[:1], "magnitude")["a"][test[0]] == before[test[0]]


def test_bad_input_is_named():
    windows = world()
    split = splits.folds(windows, "P2", 4)
    x = spectrograms(windows, 0)
    with pytest.raises(InputError, match="magnitude, azimuth"):
        floors.floors(windows, split, "depth")
    with pytest.raises(InputError, match="kp_max"):
        floors.floors(windows.drop(columns="kp_max"), split, "magnitude")
    with pytest.raises(InputError, match="tested twice"):
        floors.floors(windows, [split[0], split[0]], "magnitude")
    with pytest.raises(InputError, match="240 windows"):
        floors.comparators({"a": np.zeros((3, 2))}, windows, split, "magnitude")
    with pytest.raises(InputError, match="shapes"):
        floors.features(x, FREQUENCY_HZ[:5])
    with pytest.raises(InputError, match="above 0"):
        floors.features(x, np.zeros(32))
    x[70, 1, 2, 3] = np.nan
    with pytest.raises(InputError, match="window 70"):
        floors.features(x, FREQUENCY_HZ)
    windows.loc[4, "azimuth_class"] = "NNE"
    with pytest.raises(InputError, match="azimuth_class, row 4"):
        floors.floors(windows, split, "azimuth")
