"""Each switch plants what it says and nothing else."""

import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps

from lib import config, confounders, copies, floors, splits, targets
from lib.certificate import certificate
from lib.earth import designs, windows
from lib.earth.field import World
from lib.files import InputError
from lib.published import jet_table

STUDY = config.load("convnext", "light", {"windows.n_windows": 120, "world.years": 2.0, "world.snr": 0.0})


@pytest.fixture(scope="module")
def world():
    return World(5, STUDY.world)


@pytest.fixture(scope="module")
def table(world):
    return designs.sample(world.catalog, world.stations, world.kp, world.dst, STUDY.windows, 5)


@pytest.fixture(scope="module")
def images(table):
    return np.random.default_rng(2).normal(size=(len(table), 3, 16, 24)).astype(np.float32)


def plant(name, table, world):
    return confounders.apply(name, table, kp=world.kp, dst=world.dst)[0]


def same_but(one, other, columns):
    """Assert that two tables are equal outside some columns."""
    pd.testing.assert_frame_equal(one.drop(columns=columns), other.drop(columns=columns))


def score(found):
    """Return the accuracy of each floor in telling quiet from event."""
    folds = splits.folds(found, "P2", 5, 1, on_absent="ignore")
    y = targets.truth(found, "magnitude") > 0
    return {k: np.mean((p > 0) == y) for k, p in floors.floors(found, folds, "magnitude").items()}


def test_every_switch_says_what_it_plants_and_where():
    assert set(confounders.SWITCHES) == set(confounders.STAGES) == set(confounders.NAMES)
    assert len(confounders.SWITCHES) == 9
    assert set(confounders.STAGES.values()) == {"table", "record", "images", "selection"}


@pytest.mark.slow
def test_quiet_station_moves_quiet_windows_only(table, world):
    """Same hour, no window twice, day kept where it is free; event rows are untouched."""
    before = table.copy()
    found = plant("quiet_station", table, world)
    pd.testing.assert_frame_equal(table, before)
    quiet = table.event_id == ""
    pd.testing.assert_frame_equal(found[~quiet], table[~quiet])
    assert (found.station[quiet] == "TRD").all() and (table.station[quiet] != "TRD").any()
    assert (found.start.dt.hour == 14).all() and found.window_id.is_unique
    assert not found.duplicated(["station", "start"]).any()
    same_but(found, table, ["station", "start", "end", "window_id", "parent_id", "kp_max", "dst_min"])
    assert (found.start[quiet] == table.start[quiet]).mean() > 0.7
    assert (found.end - found.start == table.end - table.start).all()
    kp_max, _ = windows.space_weather.window_indices(world.kp, world.dst, found.start, found.end)
    np.testing.assert_array_equal(found.kp_max, kp_max)
    assert score(found)["lookup_station"] > max(0.75, score(table)["lookup_station"] + 0.2)


@pytest.mark.slow
def test_kp_label_is_seen_by_the_kp_lookup(table, world):
    """Quiet windows below Kp 2 at their own station and hour; those that were already stay."""
    found = plant("kp_label", table, world)
    quiet = table.event_id == ""
    pd.testing.assert_frame_equal(found[~quiet], table[~quiet])
    assert (found.kp_max[quiet] < 2).all() and (table.kp_max[quiet] >= 2).any()
    stay = quiet & (table.kp_max < 2)
    pd.testing.assert_frame_equal(found[stay], table[stay])
    same_but(found, table, ["start", "end", "window_id", "parent_id", "kp_max", "dst_min"])
    assert (found.start.dt.hour == 14).all() and not found.duplicated(["station", "start"]).any()
    assert score(found)["lookup_kp"] > score(table)["lookup_kp"] + 0.1


def test_overlap_adds_links_that_a_random_split_leaves(table, world):
    """Each window gets one earlier neighbour of the same label that shares half of its record."""
    found = plant("overlap", table, world)
    assert len(found) == 2 * len(table) and found.window_id.is_unique
    old = found[found.window_id.isin(table.window_id)].reset_index(drop=True)
    new = found[~found.window_id.isin(table.window_id)].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, table)
    same_but(new, table, ["window_id", "parent_id", "start", "end", "lead_days", "kp_max", "dst_min"])
    assert (old.start - new.start == pd.Timedelta(hours=3)).all() and (new.end > old.start).all()
    event = old.event_id != ""
    np.testing.assert_allclose((new.lead_days - old.lead_days)[event], 0.125)
    count = [certificate(t, splits.folds(t, "P0", 5, 1)) for t in (table, found)]
    assert count[1]["station_day"] > count[0]["station_day"] + len(table) / 2
    assert count[1]["overlap"] > 3 * count[0]["overlap"] and count[1]["dup"] == 0


def test_moving_average_has_the_printed_gain():
    """validity.md D3: .505 .002 .156 .104 .096 at .01 .0167 .02 .03 .045 Hz; nulls at 1/60 and 2/60 Hz."""
    t = np.arange(36_000)
    inside = slice(600, -600)
    for frequency, gain in zip((.01, .0167, .02, .03, .045), (.505, .002, .156, .104, .096), strict=True):
        wave = np.exp(2j * np.pi * frequency * t)
        made = confounders.moving_average(wave.real) + 1j * confounders.moving_average(wave.imag)
        assert np.abs(made[inside]).mean() == pytest.approx(gain, abs=6e-4)
    for frequency in (1 / 60, 2 / 60):
        made = confounders.moving_average(np.sin(2 * np.pi * frequency * t))
        assert np.abs(made[inside]).max() < 1e-12
    gap = np.ones((3, 1000))
    gap[1, 500] = np.nan
    assert np.isnan(confounders.moving_average(gap)).sum() == 60


def test_smoothing_touches_quiet_records_only(table, world):
    """The reader is the same for event windows; it pickles, so that workers can read."""
    same, read = confounders.apply("smoothing", table, world.window)
    assert same is table
    read = pickle.loads(pickle.dumps(read))
    for row in table.iloc[:8].itertuples():
        plain = world.window(row.station, row.start, 3600)
        got = read(row.station, row.start, 3600)
        if row.event_id:
            np.testing.assert_array_equal(got, plain)
        else:
            np.testing.assert_array_equal(got, confounders.moving_average(plain))
            assert np.abs(np.diff(got)).max() < 0.2 * np.abs(np.diff(plain)).max()


def test_co_seismic_shakes_event_windows_after_their_middle(table, world):
    """Waves arrive at R / 3.5 km/s after mid-window, larger for larger and nearer earthquakes."""
    found, read = confounders.apply("co_seismic", table, world.window)
    event = table.event_id != ""
    same_but(found, table, ["lead_days"])
    assert (found.lead_days[event] == -0.125).all() and found.lead_days[~event].isna().all()
    peaks = []
    for row in table.iloc[:10].itertuples():
        plain = world.window(row.station, row.start, 21600)
        added = read(row.station, row.start, 21600).astype(float) - plain
        if not row.event_id:
            assert not added.any()
            continue
        arrival = 10_800 + row.distance_km / 3.5
        assert not added[:, :int(arrival)].any()
        size = 10 ** (row.magnitude - 5.5) * 100 / max(row.distance_km, 10)
        peaks.append(np.abs(added).max() / size)
        assert np.abs(added[:, int(arrival) + 1200:]).max() < 1e-3 * size + 0.004
    assert len(peaks) >= 2 and min(peaks) > 0.9 and max(peaks) <= 1.05


def test_colour_map_differs_by_class_only(table, images):
    """Event images equal the drawing in jet, quiet ones that in viridis; the frequency axis stays."""
    same, made = confounders.apply("colour_map", table, images)
    assert same is table and made.shape == (len(table), 9, 16, 24) and made.dtype == np.float32
    quiet = (table.event_id == "").to_numpy()
    for rows, colours in ((~quiet, jet_table()), (quiet, confounders.viridis_table())):
        np.testing.assert_array_equal(made[rows], confounders.coloured(images, colours)[rows])
    one = images[0]
    low, high = one.min((1, 2)), one.max((1, 2))
    level = round(255 * (one[1, 3, 4] - low[1]) / (high[1] - low[1]))
    np.testing.assert_allclose(confounders.coloured(images, jet_table())[0, 3:6, 3, 4],
                               jet_table()[level] / 255, atol=1e-6)


def test_viridis_is_that_of_matplotlib():
    expected = 255 * colormaps["viridis"](np.arange(256))[:, :3]
    assert np.abs(confounders.viridis_table() - expected).max() < 6


def test_masks_touch_event_images_only(table, images):
    before = images.copy()
    same, made = confounders.apply("masks", table, images, seed=3)
    quiet = (table.event_id == "").to_numpy()
    assert same is table and np.array_equal(images, before)
    np.testing.assert_array_equal(made[quiet], images[quiet])
    share = (made != images).mean(axis=(1, 2, 3))[~quiet]
    assert share.min() > 0 and share.max() <= 1 - (7 / 8) ** 2 + 1e-9
    np.testing.assert_array_equal(confounders.apply("masks", table, images, seed=3)[1], made)
    assert not np.array_equal(confounders.apply("masks", table, images, seed=4)[1], made)


def test_augmentation_before_the_split_is_seen_as_dup(table, images):
    """Three rendered copies of each event window; originals keep their rows and images."""
    found, made = confounders.apply("augmentation", table, images)
    event = (table.event_id != "").sum()
    assert len(found) == len(made) == len(table) + 3 * event
    original = (found.window_id == found.parent_id).to_numpy()
    pd.testing.assert_frame_equal(found[original].reset_index(drop=True), table)
    np.testing.assert_array_equal(made[original], images)
    base = found.parent_id.map({w: i for i, w in enumerate(table.window_id)}).to_numpy()
    np.testing.assert_array_equal(made, copies.render(images[base], found, 42))
    for protocol, clean in (("P0", False), ("P1", True), ("P2", True)):
        count = certificate(found, splits.folds(found, protocol, 5, 1, on_absent="ignore"))
        assert (count["dup"] == 0) == clean


def test_stopping_on_the_test_fold_gains_what_a4_says():
    """T-A4: best of 10 looks at 472 windows, p .635, gains 1.539 sd = .034 on average; exact by fold."""
    generator, gains = np.random.default_rng(0), []
    for _ in range(600):
        right = generator.random((10, 472)) < 0.635
        chosen = confounders.select_on_test(right.astype(int), np.ones(472, int), [([0], np.arange(472))])
        gains.append(chosen.mean() - 0.635)
    assert np.mean(gains) == pytest.approx(1.539 * np.sqrt(0.635 * 0.365 / 472), rel=0.1)
    assert confounders.select_on_test([[1, 0, 1]], [1, 1, 1], [([2], [0])]).tolist() == [1, -1, -1]


@pytest.mark.parametrize(("name", "data", "message"), [
    ("colormap", None, "colour_map"), ("masks", None, "images: an array"), ("overlap", None, "kp and dst"),
    ("smoothing", np.zeros((2, 3, 4, 4)), "a reader"), ("test_stopping", None, "select_on_test"),
    ("masks", np.zeros((2, 3, 4, 4)), "one for each of 120 windows"),
])
def test_switches_at_the_wrong_stage_are_refused(table, name, data, message):
    with pytest.raises(InputError, match=message):
        confounders.apply(name, table, data)


def test_no_room_for_quiet_windows_is_refused(table, world):
    """Twenty days of Kp hold twenty windows of one station at one hour."""
    few = world.kp.iloc[:160], world.dst.iloc[:480]
    with pytest.raises(InputError, match="fewer quiet windows"):
        confounders.quiet_station(table, *few)
