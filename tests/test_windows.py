import numpy as np
import pandas as pd
import pytest

from lib import config
from lib.earth import seismicity, stations, windows
from lib.files import InputError

SPEC = config.load("convnext", "light").windows


@pytest.fixture(scope="module")
def inputs():
    """Three synthetic years with a Kp that wanders between 0 and 5."""
    catalog = seismicity.simulate_catalog(3, "2018-01-01", 3.0)
    hours = pd.date_range("2018-01-01", periods=3 * 365 * 8, freq="3h")
    noise = np.random.default_rng(1).normal(size=len(hours)).cumsum()
    kp = pd.Series(np.round(3 * np.abs(2.5 * np.sin(noise / 9))) / 3, index=hours)
    dst = pd.Series(-10.0, index=pd.date_range("2018-01-01", periods=3 * 365 * 24, freq="h"))
    return catalog, stations.indonesian_stations(), kp, dst


@pytest.fixture(scope="module")
def table(inputs):
    return windows.sample_windows(*inputs, SPEC, 7)


def test_half_of_the_windows_are_quiet(table):
    assert len(table) == SPEC.n_windows
    assert (table.event_id == "").sum() == len(table) // 2
    assert ((table.event_id == "") == (table.magnitude_class == "Normal")).all()
    assert ((table.event_id == "") == (table.azimuth_class == "Normal")).all()
    assert ((table.event_id == "") == (table.block_id != "")).all()


def test_table_has_the_agreed_columns_and_unique_names(table):
    assert tuple(table.columns) == windows.COLUMNS
    assert table.window_id.is_unique
    assert (table.end - table.start == pd.Timedelta(hours=6)).all()


def test_cases_end_before_their_event_by_the_lead(table):
    event = table[table.event_id != ""]
    lead = event.lead_days.to_numpy()
    assert lead.min() >= min(SPEC.lead_days) and lead.max() < max(SPEC.lead_days) + 1
    assert (event.distance_km <= SPEC.radius_km).all() and (event.depth_km <= SPEC.depth_km).all()


@pytest.mark.slow
def test_quiet_windows_have_no_earthquake_near(table, inputs):
    """An independent search of the catalogue finds nothing near from 2 d before to 20 d after."""
    catalog, places, *_ = inputs
    catalog = catalog[(catalog.magnitude >= SPEC.min_magnitude) & (catalog.depth_km <= SPEC.depth_km)]
    where = places.set_index("code")
    for row in table[table.event_id == ""].itertuples():
        distance, _ = stations.distance_azimuth(where.latitude[row.station], where.longitude[row.station],
                                                catalog.latitude.to_numpy(), catalog.longitude.to_numpy())
        near = catalog[distance <= SPEC.radius_km]
        days = (near.time - row.start).dt.total_seconds() / 86_400
        assert not ((days > -2) & (days < 20)).any()


def test_station_hour_and_kp_do_not_separate_the_classes(table):
    """Cases and controls are matched one to one."""
    event, quiet = table[table.event_id != ""], table[table.event_id == ""]
    assert event.station.value_counts().sort_index().equals(quiet.station.value_counts().sort_index())
    assert set(table.start.dt.hour) == {SPEC.hour_utc}
    difference = np.sort(event.kp_max) - np.sort(quiet.kp_max)
    assert np.abs(difference).max() <= windows.KP_TOLERANCE


def test_a_set_is_one_event_at_one_station_with_as_many_quiet_windows_of_its_own(table):
    """Same spacing, season and Kp within one unit, window by window; no block serves two sets."""
    for name, rows in table.groupby("set_id"):
        event, quiet = (rows[(rows.event_id != "") == side].sort_values("start") for side in (True, False))
        assert name == f"{event.event_id.iloc[0]}-{event.station.iloc[0]}" and len(event) == len(quiet) > 0
        assert rows.station.nunique() == event.event_id.nunique() == quiet.block_id.nunique() == 1
        assert (event.start.diff().dropna().to_numpy() == quiet.start.diff().dropna().to_numpy()).all()
        assert np.abs(event.kp_max.to_numpy() - quiet.kp_max.to_numpy()).max() <= windows.KP_TOLERANCE
        assert abs(event.start.iloc[-1].month - quiet.start.iloc[-1].month) % 12 in (0, 1, 11)
    quiet = table[table.event_id == ""]
    assert (quiet.groupby("block_id").set_id.nunique() == 1).all() and (table.set_id != "").all()


def test_no_case_is_masked_by_a_larger_event(table, inputs):
    catalog, places, *_ = inputs
    where = places.set_index("code")
    for row in table[table.event_id != ""].drop_duplicates(["event_id", "station"]).itertuples():
        distance, _ = stations.distance_azimuth(where.latitude[row.station], where.longitude[row.station],
                                                catalog.latitude.to_numpy(), catalog.longitude.to_numpy())
        own = catalog[catalog.event_id == row.event_id].iloc[0]
        near = catalog[(distance <= SPEC.radius_km) & (catalog.depth_km <= SPEC.depth_km)]
        days = (near.time - own.time).dt.total_seconds().abs() / 86_400
        assert not ((days < windows.HORIZON_DAYS) & (near.magnitude > own.magnitude)).any()


@pytest.mark.slow
def test_same_seed_same_table(table, inputs):
    again = windows.sample_windows(*inputs, SPEC, 7)
    pd.testing.assert_frame_equal(again, table)
    other = windows.sample_windows(*inputs, SPEC, 8)
    assert not other.window_id.equals(table.window_id)


def test_all_magnitude_classes_are_drawn(table):
    counts = windows.class_counts(table)
    assert (counts["windows"] > 0).all()
    assert counts["windows"].sum() == len(table)
    assert counts.loc["Large", "events"] >= 10


@pytest.mark.parametrize(("change", "message"), [
    ({"design": "fair"}, "fair_ulf"),
    ({"radius_km": 0.001}, "matched sets"),
])
def test_unusable_specifications_are_refused(inputs, change, message):
    import dataclasses
    with pytest.raises(InputError, match=message):
        windows.sample_windows(*inputs, dataclasses.replace(SPEC, **change), 7)


def test_missing_columns_are_named(inputs):
    catalog, *rest = inputs
    with pytest.raises(InputError, match="depth_km"):
        windows.sample_windows(catalog.drop(columns="depth_km"), *rest, SPEC, 7)


@pytest.mark.parametrize("change", [
    {"n_windows": 1}, {"n_windows": 0}, {"lead_days": ()}, {"hour_utc": 24}, {"hour_utc": -1}])
def test_sizes_that_cannot_be_are_refused(inputs, change):
    import dataclasses
    with pytest.raises(InputError, match="n_windows, lead_days, hour_utc"):
        windows.sample_windows(*inputs, dataclasses.replace(SPEC, **change), 7)


def test_events_beyond_the_indices_are_left_out(inputs):
    """A catalogue that goes on for two years after Kp ends gives no window two years before its event."""
    catalog, *rest = inputs
    catalog = catalog[catalog.magnitude >= 5.6]
    later = catalog.assign(time=catalog.time + pd.Timedelta(days=730))
    table = windows.sample_windows(later, *rest, SPEC, 7)
    assert table.lead_days.dropna().between(min(SPEC.lead_days), max(SPEC.lead_days) + 1).all()
    assert table.end.max() <= rest[1].index[-1] + pd.Timedelta("3h")
    with pytest.raises(InputError, match="matched sets"):
        windows.sample_windows(catalog.assign(time=catalog.time + pd.Timedelta(days=2000)), *rest, SPEC, 7)


def test_a_catalogue_without_large_events_gives_the_other_classes(inputs):
    catalog, *rest = inputs
    counts = windows.class_counts(windows.sample_windows(catalog[catalog.magnitude < 6], *rest, SPEC, 7))
    assert counts.loc["Large"].eq(0).all()
    assert (counts.loc[["Normal", "Moderate", "Medium"], "windows"] > 0).all()
    with pytest.raises(InputError, match="matched sets"):
        windows.sample_windows(catalog.iloc[:0], *rest, SPEC, 7)


def test_stations_of_a_user_give_windows_at_those_stations(inputs, tmp_path):
    """Three columns of a CSV are enough."""
    catalog, _, kp, dst = inputs
    (tmp_path / "mine.csv").write_text("code,latitude,longitude\nABC,-7.5,110.25\nXYZ,-8.0,112.0\n")
    table = windows.sample_windows(catalog, stations.read_stations(tmp_path / "mine.csv"), kp, dst, SPEC, 7)
    assert set(table.station) <= {"ABC", "XYZ"} and (table.event_id != "").sum() == len(table) // 2
