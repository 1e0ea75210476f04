"""Daily windows: the same cases with either kind of control, and storms that nobody trains on."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib import config, splits
from lib.earth import daily, heliosphere, seismicity, stations, windows
from lib.files import InputError
from lib.studies import MAGNITUDE_CLASSES

SPEC = dataclasses.replace(config.load("convnext", "full").windows, window_s=86400, hour_utc=0, n_windows=400)
STORMS = {"n_storm": 120, "n_storm_cases": 40, "storm_from": "2021-01-01"}


@pytest.fixture(scope="module")
def inputs():
    """Catalogue, stations, Kp and Dst of four synthetic years."""
    return (seismicity.simulate_catalog(42, "2018-01-01", 4.0), stations.indonesian_stations(),
            *heliosphere.simulate_indices(42, "2018-01-01", 4 * 365))


@pytest.fixture(scope="module")
def matched(inputs):
    return daily.daily_windows(*inputs, SPEC, 42, **STORMS)


@pytest.fixture(scope="module")
def calm(inputs):
    return daily.daily_windows(*inputs, SPEC, 42, controls="quiet_only", **STORMS)


@pytest.fixture(scope="module")
def near(inputs):
    """Days from a window's start to every earthquake within the radius, by a search of its own."""
    catalog, places, *_ = inputs
    catalog = catalog[(catalog.magnitude >= SPEC.min_magnitude) & (catalog.depth_km <= SPEC.depth_km)]
    times = {}
    for p in places.itertuples():
        distance, _ = stations.distance_azimuth(p.latitude, p.longitude, catalog.latitude.to_numpy(),
                                                catalog.longitude.to_numpy())
        times[p.code] = catalog.time.to_numpy()[distance <= SPEC.radius_km]
    return lambda row: (times[row.station] - row.start.to_datetime64()) / np.timedelta64(1, "D")


@pytest.mark.slow
def test_without_storms_the_windows_are_those_of_the_fair_design(inputs, matched):
    """Nothing is copied: role and storm apart, `sample_windows` made the cases and matched controls."""
    fair = windows.sample_windows(*inputs, SPEC, 42)
    plain = daily.daily_windows(*inputs, SPEC, 42)
    for table in (plain, matched[matched.role != "storm"].reset_index(drop=True)):
        pd.testing.assert_frame_equal(table[list(windows.COLUMNS)], fair)
    assert tuple(matched.columns) == daily.COLUMNS and matched.window_id.is_unique
    assert (matched.end - matched.start == pd.Timedelta(days=1)).all()
    assert matched.start.is_monotonic_increasing
    assert matched.role.value_counts().to_dict() == {"case": 200, "control": 200, "storm": 160}


def test_every_row_is_an_event_or_a_block(matched, calm):
    """The schema that splits and floors read, and three classes of magnitude."""
    for table in (matched, calm):
        event = table.event_id != ""
        assert (event == (table.block_id == "")).all() and (event == table.magnitude.notna()).all()
        assert event[table.role == "case"].all() and not event[table.role == "control"].any()
        assert (event == (table.magnitude_class != "Normal")).all()
        assert set(table.magnitude_class[event]) == set(MAGNITUDE_CLASSES[1:])
        assert table.lead_days[event].between(1, 6).all()
        assert (table.parent_id == table.window_id).all() and not table.duplicated(["station", "start"]).any()
        assert len(splits.groups(table, "event")) == len(table)


def test_either_kind_of_control_is_judged_on_the_same_cases_and_storms(matched, calm):
    for role in ("case", "storm"):
        pd.testing.assert_frame_equal(*(t[t.role == role].reset_index(drop=True) for t in (matched, calm)))
    counts = [t[t.role == "control"].station.value_counts().sort_index() for t in (matched, calm)]
    pd.testing.assert_series_equal(*counts)


def test_calm_controls_make_kp_a_cue_and_matched_ones_do_not(matched, calm):
    """B10: that is what the two are for."""
    of = {name: t[t.role == "control"].kp_max for name, t in (("matched", matched), ("calm", calm))}
    case = matched[matched.role == "case"].kp_max
    assert of["calm"].max() < 2 and (case < 2).mean() < .3
    assert np.abs(np.sort(of["matched"]) - np.sort(case)).max() <= windows.KP_TOLERANCE


def test_quiet_windows_have_no_earthquake_near(matched, calm, near):
    """Matched controls and storms none from 2 d before to 20 d after; calm days none within their label."""
    quiet = pd.concat([matched[matched.event_id == ""], calm[calm.role == "control"]])
    for row in quiet.itertuples():
        days = near(row)
        last = 20 if row.role == "storm" or row.kp_max >= 2 else 1 + row.horizon_s / 86400
        assert not ((days >= -2) & (days < last)).any()
    far = [not ((near(r) > -2) & (near(r) < 20)).any()
           for r in calm[calm.role == "control"].itertuples()]
    assert np.mean(far) > .9


def test_storm_windows_are_storms_after_the_given_time(matched, inputs, near):
    storm = matched[matched.role == "storm"]
    assert storm.kp_max.min() >= 5 and storm.is_storm.all()
    assert storm.start.min() >= pd.Timestamp("2021-01-01")
    assert (storm.event_id != "").sum() == 40
    kp = inputs[2]
    for row in storm.itertuples():
        assert kp[row.start:row.end - pd.Timedelta(seconds=1)].max() == row.kp_max
        if row.event_id:
            days = near(row)
            assert np.isclose(days, row.lead_days + 1).any() and 1 <= row.lead_days < 6


def test_all_stations_share_the_block_of_a_storm(matched):
    """Its days are consecutive; two storms have a day without between them."""
    quiet = matched[(matched.role == "storm") & (matched.event_id == "")]
    by = quiet.groupby("block_id")
    assert by.station.nunique().max() > 3 and 5 < by.ngroups < 40
    span = by.start.agg(["min", "max"]).sort_values("min")
    assert (span["min"].iloc[1:].to_numpy() - span["max"].iloc[:-1].to_numpy() > np.timedelta64(1, "D")).all()
    assert not set(quiet.block_id) & set(matched.block_id[matched.role == "control"])


def test_is_storm_follows_both_indices(matched):
    assert (matched.is_storm == ((matched.kp_max >= 5) | (matched.dst_min <= -50))).all()
    assert .05 < matched.is_storm[matched.role == "case"].mean() < .25


def test_the_simulated_sun_has_storms_enough():
    """About one day in eight reaches Kp 5, whatever the seed: some 45 days a year."""
    for seed in (1, 2, 42):
        kp, _ = heliosphere.simulate_indices(seed, "2018-01-01", 4 * 365)
        assert .03 < (kp >= 5).mean() < .06
        assert .08 < (kp.groupby(kp.index.floor("D")).max() >= 5).mean() < .16


def test_a_chronological_split_keeps_storms_out_of_the_fit(matched):
    """P6 with an embargo of 30 days; what is left after dropping the role is before all storms."""
    (train, test), = splits.folds(matched, "P6", 5, embargo_days=30, on_absent="ignore")
    fit = train[(matched.role != "storm").to_numpy()[train]]
    assert len(fit) > 150 and matched.start[fit].max() + pd.Timedelta(days=38) < matched.start[test].min()
    assert not set(matched.event_id[fit]) & set(matched.event_id[test]) - {""}
    assert ((matched.role == "storm").to_numpy()[test]).sum() > 20


@pytest.mark.slow
def test_stretches_of_the_night_and_seeds(inputs):
    spec = dataclasses.replace(SPEC, window_s=21600, hour_utc=14, n_windows=60)
    table = daily.daily_windows(*inputs, spec, 7, controls="quiet_only", n_storm=10)
    assert set(table.start.dt.hour) == {14} and table.kp_max[table.role == "control"].max() < 2
    pd.testing.assert_frame_equal(
        daily.daily_windows(*inputs, spec, 7, controls="quiet_only", n_storm=10), table)
    other = daily.daily_windows(*inputs, spec, 8, controls="quiet_only", n_storm=10)
    assert set(other.window_id) != set(table.window_id)


@pytest.mark.parametrize(("spec", "change", "message"), [
    ({}, {"controls": "fair"}, "matched, quiet_only"), ({}, {"n_storm": -1}, "n_storm"),
    ({}, {"n_storm": 5, "storm_from": "2030-01-01"}, "n_storm: found 5.*storm_from"),
    ({}, {"n_storm_cases": 5, "storm_from": "2030-01-01"}, "n_storm_cases"),
    ({}, {"n_storm": 5, "storm_from": "soon"}, "a UTC time"),
    ({"design": "daily"}, {}, "fair_ulf")])
def test_what_cannot_be_is_refused(inputs, spec, change, message):
    with pytest.raises(InputError, match=message):
        daily.daily_windows(*inputs, dataclasses.replace(SPEC, n_windows=60, **spec), 42, **change)


def test_a_field_that_is_never_calm_gives_no_calm_controls(inputs):
    catalog, places, kp, dst = inputs
    spec = dataclasses.replace(SPEC, n_windows=60)
    with pytest.raises(InputError, match="calm days of .*found 0"):
        daily.daily_windows(catalog, places, kp.clip(lower=2), dst, spec, 42, controls="quiet_only")


def test_a_window_without_an_index_is_named(inputs, matched):
    """Dst missing on the day of a case."""
    row = matched[matched.role == "case"].iloc[0]
    dst = inputs[3].copy()
    dst[row.start + pd.Timedelta(hours=3)] = np.nan
    with pytest.raises(InputError, match=f"dst_min of .*, {row.start}"):
        daily.daily_windows(*inputs[:3], dst, SPEC, 42)
