"""Sampling designs: the published counts to the unit, and the true base rate (validity.md C9, E1)."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import config, copies, dataset, splits, synthetic
from lib.certificate import certificate
from lib.earth import designs, heliosphere, seismicity, stations, windows
from lib.files import InputError

PUBLISHED = config.load("convnext", "full", {"windows.design": "published_ulf", "windows.window_s": 3600})
OPERATIONAL = dataclasses.replace(PUBLISHED.windows, design="operational", window_s=21600, n_windows=10**6)


@pytest.fixture(scope="module")
def inputs():
    """Catalogue, stations, Kp and Dst of six synthetic years."""
    catalog = seismicity.simulate_catalog(42, "2018-01-01", 6.0)
    return (catalog, stations.indonesian_stations(),
            *heliosphere.simulate_indices(42, pd.Timestamp("2018-01-01"), 6 * 365))


@pytest.fixture(scope="module")
def published(inputs):
    return designs.sample(*inputs, PUBLISHED.windows, 42)


@pytest.fixture(scope="module")
def daily(inputs):
    return designs.sample(*inputs, OPERATIONAL, 42)


def test_published_counts_are_those_printed(published):
    """E1.1, E1.4: classes of 1972 images, 301 station-days of which seven hold a second event hour."""
    assert tuple(published.columns) == windows.COLUMNS and published.window_id.is_unique
    assert (published.set_id == "").all()                       # nothing is matched
    assert published.magnitude_class.value_counts().to_dict() == {
        "Normal": 888, "Moderate": 20, "Medium": 1036, "Large": 28}
    event = published.event_id != ""
    assert event.sum() == 1084 == 271 * 4
    days = pd.Series(splits.groups(published, "station_day"))
    assert days.nunique() == 301 and days[event].nunique() == 264
    assert (days[event].value_counts().value_counts().to_dict()) == {4: 257, 8: 7}
    assert published[event].groupby("parent_id").size().eq(4).all()


def test_published_order_and_split_give_the_published_folds(published):
    """T-E1: R3's splitter on this table puts 8,4,4,4,4,4,4,4,4,8 Large and Moderate images into the folds."""
    first = published.magnitude_class.drop_duplicates().tolist()
    assert first == ["Medium", "Normal", "Large", "Moderate"]
    folds = splits.folds(published, "P1", 10, 42, on_absent="ignore")
    rare = published.magnitude_class.isin(["Large", "Moderate"]).to_numpy()
    assert [int(rare[test].sum()) for _, test in folds] == [8, 4, 4, 4, 4, 4, 4, 4, 4, 8]
    hours = published.groupby(splits.groups(published, "station_day")).parent_id.nunique()
    second = set(hours[(hours == 2)].index)
    day = splits.groups(published, "station_day")
    size = [len(test) - 4 * len(second & set(day[test])) for _, test in folds]
    assert size == [184, 180, 200, 200, 200, 200, 200, 200, 200, 180]


def test_published_quiet_windows_are_whole_quiet_days_of_one_station(published, inputs):
    """36 days at TRD, one at GTO, 24 hours each, every three-hourly Kp below 2."""
    quiet = published[published.event_id == ""]
    assert quiet.station.value_counts().to_dict() == {"TRD": 864, "GTO": 24}
    assert (quiet.groupby("block_id").start.apply(lambda t: sorted(t.dt.hour) == list(range(24)))).all()
    kp = inputs[2]
    for date in quiet.start.dt.floor("D").unique():
        day = kp[date:date + pd.Timedelta(hours=21)]
        assert len(day) == 8 and day.max() < 2
    assert (quiet.parent_id == quiet.window_id).all()
    assert published[published.event_id != ""].kp_max.max() > 2


def test_published_event_hours_lie_before_their_earthquake(published, inputs):
    """One station-event each, but for the seven second hours; labels are those of the catalogue."""
    event = published[published.parent_id == published.window_id]
    event = event[event.event_id != ""].merge(inputs[0], on="event_id", suffixes=("", "_true"))
    assert (event.end < event.time).all() and event.lead_days.between(1, 5.1).all()
    np.testing.assert_allclose((event.time - event.end).dt.total_seconds() / 86400, event.lead_days)
    np.testing.assert_array_equal(event.magnitude, event.magnitude_true)
    assert (event.end - event.start == pd.Timedelta(hours=1)).all() and (event.start.dt.minute == 0).all()
    where = inputs[1].set_index("code")
    km, deg = stations.distance_azimuth(where.latitude[event.station], where.longitude[event.station],
                                        event.latitude, event.longitude)
    np.testing.assert_allclose(km, event.distance_km)
    np.testing.assert_allclose(deg, event.azimuth_deg)
    assert event.groupby(["station", "event_id"]).size().value_counts().get(2, 0) >= 7


def test_certificate_shows_what_each_protocol_leaves(published):
    """P0 leaves copies; P1 cuts them and leaves earthquakes seen by two stations; P2 cuts those."""
    found = {p: certificate(published, splits.folds(published, p, 10, 42, on_absent="ignore"))
             for p in ("P0", "P1", "P2")}
    assert found["P0"]["dup"] > 0 and found["P0"]["event"] > found["P0"]["dup"]
    assert found["P1"]["dup"] == found["P1"]["station_day"] == 0 < found["P1"]["event"]
    assert found["P2"]["dup"] == found["P2"]["event"] == 0 < found["P2"]["day"]


@pytest.mark.parametrize(("n", "days", "hours"), [(480, 9, 66), (96, 2, 12), (986, 18, 138), (60, 2, 3)])
def test_smaller_sizes_keep_the_proportions(inputs, n, days, hours):
    table = designs.sample(*inputs, dataclasses.replace(PUBLISHED.windows, n_windows=n), 1)
    assert (table.event_id == "").sum() == 24 * days and (table.event_id != "").sum() == 4 * hours
    assert len(table) <= n < len(table) + 4
    assert set(table.magnitude_class) == {"Normal", "Moderate", "Medium", "Large"}


def test_operational_has_every_station_day_once(daily, inputs):
    """The first six years less the last week, whose labels are not known."""
    assert tuple(daily.columns) == windows.COLUMNS and daily.window_id.is_unique
    assert (daily.set_id == "").all()                       # nothing is matched
    per_day = daily.groupby("start").station.nunique()
    assert (per_day == 24).all() and set(daily.start.dt.hour) == {14}
    assert (np.diff(per_day.index.values) == np.timedelta64(1, "D")).all()
    kp = inputs[2]
    last = kp.index[-1] + pd.Timedelta(hours=3)
    assert daily.end.max() + pd.Timedelta(days=7) <= last < daily.end.max() + pd.Timedelta(days=8)


def test_operational_labels_agree_with_a_search_of_the_catalogue(daily, inputs):
    """Independent brute force: the largest event within radius, depth and the week after the window."""
    catalog, places = inputs[0], inputs[1].set_index("code")
    spec = OPERATIONAL
    catalog = catalog[(catalog.magnitude >= spec.min_magnitude) & (catalog.depth_km <= spec.depth_km)]
    km = {c: stations.distance_azimuth(places.latitude[c], places.longitude[c], catalog.latitude.to_numpy(),
                                       catalog.longitude.to_numpy())[0] for c in places.index}
    sample = pd.concat([daily.sample(300, random_state=1), daily[daily.magnitude_class == "Large"].iloc[:50]])
    for row in sample.itertuples():
        wait = (catalog.time - row.end).dt.total_seconds() / 86400
        near = catalog[(km[row.station] <= spec.radius_km) & (wait > 0) & (wait <= 7)]
        if near.empty:
            assert row.event_id == "" and row.block_id.startswith(f"quiet-{row.station}-")
            assert row.magnitude_class == row.azimuth_class == "Normal" and np.isnan(row.lead_days)
        else:
            assert row.magnitude == near.magnitude.max() and row.event_id in set(near.event_id)
            assert row.block_id == "" and 0 < row.lead_days <= 7


def test_operational_thins_by_whole_days(daily, inputs):
    """Fewer windows mean every k-th day at all stations: about the same base rate, no draw."""
    few = designs.sample(*inputs, dataclasses.replace(OPERATIONAL, n_windows=6000), 1)
    assert 4500 < len(few) <= 6000
    assert (np.diff(np.unique(few.start)) == np.timedelta64(9, "D")).all()
    same = daily.set_index("window_id").loc[few.window_id]
    assert (same.event_id.to_numpy() == few.event_id.to_numpy()).all()
    assert abs((few.event_id != "").mean() - (daily.event_id != "").mean()) < 0.03


def test_operational_blocks_are_station_weeks(daily):
    quiet = daily[daily.block_id != ""]
    by = quiet.groupby("block_id")
    assert (by.station.nunique() == 1).all() and by.size().max() == 7
    assert (by.end.max() - by.start.min()).max() <= pd.Timedelta(days=6, hours=6)


@pytest.mark.slow
def test_same_seed_same_table_and_dispatch(inputs, published):
    again = designs.sample(*inputs, PUBLISHED.windows, 42)
    pd.testing.assert_frame_equal(again, published)
    assert not designs.sample(*inputs, PUBLISHED.windows, 43).window_id.equals(published.window_id)
    fair = dataclasses.replace(PUBLISHED.windows, design="fair_ulf", n_windows=60, window_s=21600)
    pd.testing.assert_frame_equal(designs.sample(*inputs, fair, 7), windows.sample_windows(*inputs, fair, 7))


@pytest.mark.parametrize(("change", "message"), [
    ({"design": "fair"}, "fair_ulf, published_ulf, operational"), ({"window_s": 21600}, "3600"),
    ({"n_windows": 50}, "at least 60"), ({"radius_km": 1.0}, "larger radius_km"),
    ({"n_windows": 40_000}, "longer span"),
])
def test_unusable_specifications_are_refused(inputs, change, message):
    with pytest.raises(InputError, match=message):
        designs.sample(*inputs, dataclasses.replace(PUBLISHED.windows, **change), 7)


def test_a_network_without_the_quiet_stations_is_refused(inputs):
    catalog, places, *rest = inputs
    with pytest.raises(InputError, match="TRD"):
        designs.sample(catalog, places[places.code != "TRD"], *rest, PUBLISHED.windows, 7)


def test_copies_differ_from_their_base_and_nothing_else_changes(published):
    """Gain +-5 % and small noise outside the masks; the same whatever the batch and order."""
    rows = published.iloc[:40].reset_index(drop=True)
    base = np.random.default_rng(0).normal(size=(10, 3, 32, 40)).astype(np.float32)
    x = np.repeat(base, 4, axis=0)
    before = x.copy()
    made = copies.render(x, rows, 42)
    np.testing.assert_array_equal(x, before)
    original = (rows.window_id == rows.parent_id).to_numpy()
    assert original.sum() == 10 and made.dtype == x.dtype
    np.testing.assert_array_equal(made[original], x[original])
    shift = (made - x)[~original]
    level = np.median(shift, axis=(1, 2, 3))
    assert np.abs(level).max() < 2 * np.log10(1.05) + 0.01 and level.std() > 0.01
    assert np.mean(np.abs(shift - level[:, None, None, None]) > 0.25) < 0.24      # masks: at most 1 - (7/8)^2
    backwards = copies.render(x[::-1], rows.iloc[::-1], 42)[::-1]
    np.testing.assert_array_equal(backwards, made)
    with pytest.raises(InputError, match="40 rows"):
        copies.render(x[:3], rows, 42)


def test_mask_is_one_stripe_of_each_kind_at_the_mean():
    image = np.random.default_rng(0).normal(size=(3, 32, 40))
    for k in range(20):
        made = copies.mask(image, np.random.default_rng(k))
        changed = made != image
        np.testing.assert_array_equal(changed[0], changed[1])
        rows, frames = changed[0].all(axis=1), changed[0].all(axis=0)
        assert 1 <= rows.sum() <= 4 and 1 <= frames.sum() <= 5
        assert np.diff(np.flatnonzero(rows)).max(initial=1) == 1
        np.testing.assert_array_equal(changed[0], rows[:, None] | frames[None, :])
        np.testing.assert_allclose(made[:, rows][:, 0], image.mean(axis=(1, 2))[:, None].repeat(40, 1))


def test_the_dataset_of_the_published_design_holds_rendered_copies(tmp_path):
    """A study with the published design goes through `synthetic` as any other; four images of one record."""
    study = config.load("convnext", "smoke", {
        "windows.design": "published_ulf", "windows.window_s": 3600, "windows.n_windows": 60,
        "stft.size": (16, 16)})
    with dataset.open_dataset(synthetic.make_dataset(study, tmp_path)) as made:
        assert len(made) == 60
        x, rows = made.read(slice(None)), made.windows
    for parent, group in rows[rows.event_id != ""].groupby("parent_id").groups.items():
        assert parent in set(rows.window_id[group]) and len(group) == 4
        assert len({x[i].tobytes() for i in group}) == 4
        change = np.median((x[group[1:]] - x[group[0]]).astype(float), axis=(1, 2, 3))
        assert np.abs(change).max() < 2 * np.log10(1.05) + 0.02
