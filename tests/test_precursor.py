"""The planted precursor on its own (validity.md C8) and the azimuth estimator (B7)."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.signal import welch

from lib.earth import precursor as pc
from lib.earth.field import World
from lib.files import InputError
from lib.studies import WorldSpec

STATION = {"code": "SKB", "latitude": -7.0744, "longitude": 106.5310}
EVENT = {"event_id": "E1", "time": pd.Timestamp("2020-03-20T05:00"), "latitude": -8.0, "longitude": 107.0,
         "depth_km": 20.0, "magnitude": 5.5}
ALWAYS_ON = pc.Shape(duty=(1.0, 1.0))


def _plant(start="2020-03-17", n=7200, snr=1.0, seed=3, event=EVENT, **changes):
    return pc.precursor(event, STATION, start, n, snr, seed, **changes)


def test_overlapping_intervals_have_the_same_bits():
    """Any start and any length gives the same samples (C0)."""
    whole = _plant(n=40000)
    for first, n in ((0, 1), (3599, 3), (5000, 3600), (17, 30000)):
        start = pd.Timestamp("2020-03-17") + pd.Timedelta(seconds=first)
        np.testing.assert_array_equal(_plant(start, n), whole[:, first:first + n])


def test_amplitude_is_snr_times_sigma0_times_g():
    """Rms of the horizontal signal is snr sigma0 10^(.5 (M - 5.5)), over the flat part of the lead."""
    for magnitude, g in ((5.5, 1.0), (6.5, 10**0.5)):
        x = _plant(n=48 * 3600, snr=2.0, event={**EVENT, "magnitude": magnitude}, shape=ALWAYS_ON)
        rms = np.sqrt((x[:2].astype(float) ** 2).sum(axis=0).mean())
        assert rms == pytest.approx(2 * 0.03 * g, rel=0.03)


def test_signal_scales_exactly_with_snr():
    np.testing.assert_allclose(_plant(snr=4.0), 4 * _plant(snr=1.0), rtol=1e-6)


def test_signal_lies_in_its_band():
    """At least 99 % of the power between .01 and .05 Hz."""
    f, p = welch(_plant(n=24 * 3600, shape=ALWAYS_ON)[0], 1.0, nperseg=4096)
    assert p[(f >= 0.0095) & (f <= 0.0505)].sum() / p.sum() > 0.99


def test_lead_window():
    """Nothing before seven days or within half a day; the middle is full."""
    day = pd.Timedelta(days=1)

    def rms(lead, n=1800):
        return float(np.sqrt((_plant(EVENT["time"] - lead * day, n, shape=ALWAYS_ON)**2).mean()))

    assert rms(7.1) == rms(0.5) == rms(0.2) == rms(-0.5) == 0
    assert 0 < rms(6.9) < 0.5 * rms(4) and 0 < rms(0.6) < 0.5 * rms(4)
    assert rms(6) == pytest.approx(rms(1.5), rel=0.5)


def test_duty_cycle():
    """A duty of .3 is on for 18 min of every hour."""
    x = _plant(n=10 * 3600, shape=pc.Shape(duty=(0.3, 0.3)))
    on = (np.abs(x[0]) > 0).reshape(10, 3600).mean(axis=1)
    np.testing.assert_allclose(on, 0.3, atol=0.002)


def test_vmd_polarisation():
    """All components share one series: H, D, Z go as cos, sin, zeta of the bearing and depth."""
    x = _plant(n=3600, shape=ALWAYS_ON).astype(float)
    table = pc.effects(pd.DataFrame([EVENT]), STATION["latitude"], STATION["longitude"], 3)
    np.testing.assert_allclose(x * table.vector[0, 0], x[0] * table.vector[0][:, None], atol=1e-7)
    bearing = np.degrees(np.arctan2(table.vector[0, 1], table.vector[0, 0])) % 360
    assert bearing == pytest.approx(153.2, abs=0.5)                 # south-south-east of SKB
    assert table.vector[0, 2] < 0                                   # 115 km away, 20 km deep


def test_stations_agree_on_the_series():
    """The same n(t) everywhere, scaled by each station's own vector (C8)."""
    other = {"code": "SRG", "latitude": -6.1713, "longitude": 106.0510}
    a = _plant(n=3600, shape=ALWAYS_ON)[0]
    b = pc.precursor(EVENT, other, "2020-03-17", 3600, 1.0, 3, shape=ALWAYS_ON)[0]
    assert abs(np.corrcoef(a, b)[0, 1]) > 1 - 1e-6


def test_series_never_repeats():
    """Other hours, days, events and seeds have other n(t)."""
    kept = [_plant(start, 3600, shape=ALWAYS_ON)[0]
            for start in ("2020-03-16T03:00", "2020-03-16T04:00", "2020-03-17T03:00")]
    kept += [_plant("2020-03-16T03:00", 3600, shape=ALWAYS_ON, seed=4)[0],
             _plant("2020-03-16T03:00", 3600, shape=ALWAYS_ON, event={**EVENT, "event_id": "E9"})[0]]
    assert np.abs(np.corrcoef(kept) - np.eye(5)).max() < 0.3         # 288 independent numbers an hour


def test_hed_has_a_random_axis_and_scalar_none():
    """The controls: linear but unrelated to the bearing; and power without polarisation."""
    events = [{**EVENT, "event_id": f"E{i}"} for i in range(60)]
    table = pc.effects(pd.DataFrame(events), STATION["latitude"], STATION["longitude"], 3, "hed")
    angle = np.arctan2(table.vector[:, 1], table.vector[:, 0])
    assert np.abs(np.exp(1j * angle).mean()) < 3 / np.sqrt(60)
    x = _plant(n=24 * 3600, source="scalar", shape=ALWAYS_ON)
    assert np.abs(np.corrcoef(x) - np.eye(3)).max() < 0.08


def test_far_deep_and_undetectable_events_carry_nothing():
    far, deep = {**EVENT, "latitude": -12.0}, {**EVENT, "depth_km": 150.0}
    assert not _plant(event=far).any() and not _plant(event=deep).any()
    assert not _plant(law="hattori").any()          # M 5.5 at 115 km is beyond 40 km
    assert _plant(shape=dataclasses.replace(ALWAYS_ON, max_distance_km=1000.0), event=far).any()


def test_a_catalogue_is_the_sum_of_its_events():
    second = {**EVENT, "event_id": "E2", "time": EVENT["time"] + pd.Timedelta(days=1), "longitude": 106.0}
    both = _plant(event=pd.DataFrame([EVENT, second]))
    np.testing.assert_allclose(both, _plant() + _plant(event=second), atol=1e-8)


def test_azimuth_of_a_clean_source():
    """Without background the estimator is exact in all quadrants, beyond sqrt(2) depths."""
    rng = np.random.default_rng(0)
    n = np.cumsum(rng.standard_normal(3600))
    for azimuth in (10, 100, 190, 280):
        theta = np.radians(azimuth)
        x = np.outer([np.cos(theta), np.sin(theta), -0.8], n)
        assert pc.estimate_azimuth(x) == pytest.approx(azimuth, abs=1e-6)


def _nights(n):
    """Draw n backgrounds at night and the signals to plant there: (bearing, background, signal at snr 1).

    Law `flat`, magnitude 5.5, 40 < R < 200 km, 20 km deep (C8).
    """
    world = World(11, WorldSpec(start="2018-01-01", years=0.5, snr=0.0))
    rng = np.random.default_rng(5)
    for i in range(n):
        row = world.stations.iloc[i % 24]
        start = pd.Timestamp("2018-01-10T17:00") + pd.Timedelta(days=int(rng.integers(160)))
        bearing, degrees = rng.uniform(0, 2 * np.pi), rng.uniform(40, 200) / 111.2
        event = {**EVENT, "event_id": f"T{i}", "time": start + pd.Timedelta(days=3),
                 "latitude": row.latitude + degrees * np.cos(bearing),
                 "longitude": row.longitude + degrees * np.sin(bearing) / np.cos(np.radians(row.latitude))}
        yield (np.degrees(bearing), world.window(row.code, start, 3600).astype(float),
               pc.precursor(event, row, start, 3600, 1.0, 7))


@pytest.mark.slow
def test_azimuth_is_found_at_snr_10_and_not_at_snr_0():
    """T-C8b: mean absolute error below 5 degrees at snr 10; 90 +- 3 * 51.96 / sqrt(N) at snr 0."""
    n, errors = 144, {0: [], 10: []}
    for bearing, noise, signal in _nights(n):
        for snr in errors:
            found = pc.estimate_azimuth(noise + snr * signal)
            errors[snr].append(abs((found - bearing + 180) % 360 - 180))
    assert np.mean(errors[10]) < 5
    assert abs(np.mean(errors[0]) - 90) < 3 * 51.96 / np.sqrt(n)


@pytest.mark.parametrize("change", [{"source": "dyke"}, {"law": "inverse"}, {"n": 0},
                                    {"start": "2020-03-17T00:00:00.5"}])
def test_bad_arguments_are_refused(change):
    with pytest.raises(InputError):
        _plant(**change)
