"""The synthetic ionosphere (validity.md C10): formula, storms, anomalies and what they leave alone."""

import numpy as np
import pandas as pd
import pytest

from lib.earth import heliosphere, tec
from lib.earth.stations import distance_azimuth
from lib.earth.tec import TECWorld
from lib.files import InputError
from lib.quartiles import exceedance

NO_EVENTS = tec.simulate_japan(0, "2010-01-01", 0.1).iloc[:0]


def event(time, magnitude=6.5, latitude=37.0, longitude=142.5):
    """Make a catalogue of one earthquake."""
    return pd.DataFrame({"time": [pd.Timestamp(time)], "magnitude": [magnitude], "latitude": [latitude],
                         "longitude": [longitude]})


@pytest.fixture(scope="module")
def worlds():
    """Two worlds as long as the study."""
    return [TECWorld(seed) for seed in (1, 2)]


def test_quiet_tec_by_hand():
    """F10.7 160, day 80: 26 (1 + .18 + .10 cos(2 pi 65 / 365)) at 14 LT, .18 of it at 2 LT; never below 1."""
    peak = 26 * (1.18 + 0.1 * np.cos(2 * np.pi * 65 / 365))
    np.testing.assert_allclose(tec.quiet_tec(160, 80, [14, 2]), [peak, 0.18 * peak])
    np.testing.assert_allclose(tec.quiet_tec(160, 80, 20),
                               peak * (0.18 + 0.82 * np.cos(0.46 * np.pi) ** 1.3))
    assert tec.quiet_tec(60, 180, 3) == 1


def test_storm_first_raises_and_then_depletes():
    """Ten hours at -140 nT: up at once, below 1 on the next day, back after a week; else 1."""
    dst = np.zeros(240)
    dst[24:34] = -140
    factor = tec.storm_factor(dst)
    np.testing.assert_array_equal(factor[:24], 1)
    assert 1.4 < factor[33] < 1.6 and factor[46] < 0.86 and abs(factor[-1] - 1) < 0.01
    assert factor.argmax() == 33 and factor.argmin() == 45
    np.testing.assert_array_equal(tec.storm_factor(np.full(50, -40.0)), 1)
    dst[:100] = -900
    assert tec.storm_factor(dst).min() == tec.LEAST_STORM


def test_noon_and_night_of_an_active_sun(worlds):
    """C10 targets, F10.7 above 100: noon 10 to 60 and, above 130, night 3 to 12 TECU in most days."""
    for world in worlds:
        _, hour = tec.local_days(world.series.index, 142.0)
        f107 = np.repeat(world.f107.to_numpy(), 24)
        noon = world.series[(np.abs(hour - 12.5) < 0.5) & (f107 > 100)]
        night = world.series[(np.abs(hour - 2) < 0.5) & (f107 > 130)]
        assert noon.between(10, 60).mean() > 0.9 and night.between(3, 12).mean() > 0.7
        assert 15 < noon.median() < 25 and 3 < night.median() < 5
        assert world.series.min() > 0 and world.series.max() < 90


def test_solar_flux_spans_a_cycle(worlds):
    """F10.7 about 70 at minimum and 170 at maximum, with a 27-day rotation that a quiet sun has not."""
    for world in worlds:
        yearly = world.f107.groupby(world.f107.index.year).mean()
        assert 68 < yearly[2009] < 80 and 160 < yearly[2003] < 175
        at_27 = [np.abs(np.exp(-2j * np.pi * np.arange(351) / 27) @ world.f107[f"{year}-01-10":].iloc[:351])
                 for year in (2003, 2009)]
        assert at_27[0] > 2 * at_27[1]


def test_noise_alone_leaves_the_bounds_as_often_as_the_prototype(worlds):
    """C10: .24 of the hours are above the upper bound and .225 below the lower one without any precursor."""
    for world in worlds:
        result = exceedance(world.series.to_numpy().reshape(-1, 24))
        assert result.above == pytest.approx(0.24, abs=0.015)
        assert result.below == pytest.approx(0.225, abs=0.015)


def test_day_to_day_noise_has_the_stated_size_and_memory():
    """exp(AR(1), .6, .15) by day times exp(AR(1), .7, .06) by hour, under a steady sun without storms."""
    index = pd.date_range("2009-01-01", periods=24 * 3000, freq="h", unit="ns")
    f107 = pd.Series(150.0, index=index[::24])
    made = tec.background(3, f107, pd.Series(0.0, index=index), 0.0)
    quiet = tec.quiet_tec(150.0, index.day_of_year, index.hour)
    log = np.log(made / quiet).reshape(-1, 24)
    day = log.mean(axis=1)
    within = (log - day[:, None]).std() / np.sqrt(1 - log.shape[1] ** -1)
    assert day.std() == pytest.approx(0.15, abs=0.012) and within == pytest.approx(0.06, abs=0.006)
    assert np.corrcoef(day[1:], day[:-1])[0, 1] == pytest.approx(0.6, abs=0.05)


def test_same_seed_same_bits_and_a_longer_world_has_the_same_past():
    a, b, longer = (TECWorld(5, "2010-01-01", years, snr=2.0, catalog=event("2010-05-05"))
                    for years in (0.5, 0.5, 1.0))
    pd.testing.assert_series_equal(a.series, b.series, check_exact=True)
    pd.testing.assert_series_equal(a.series, longer.series.iloc[:len(a.series)], check_exact=True,
                                   check_freq=False)
    assert abs(np.corrcoef(*(np.log(TECWorld(s, "2010-01-01", 2).series).groupby(lambda t: t.date()).mean()
                             .diff().dropna() for s in (5, 6)))[0, 1]) < 0.1


def test_at_snr_0_the_sky_does_not_know_the_earth():
    """T-C0a: without anomalies, the catalogue, the clustering and the variant change no bit."""
    base = TECWorld(5, "2010-01-01", 0.5, catalog=NO_EVENTS).series
    for kwargs in ({}, {"clustering": "poisson"}, {"variant": "morning"}, {"catalog": event("2010-05-05")}):
        np.testing.assert_array_equal(TECWorld(5, "2010-01-01", 0.5, **kwargs).series, base)
    np.testing.assert_array_equal(TECWorld(5, "2010-01-01", 0.5, snr=3.0, catalog=NO_EVENTS).series, base)


@pytest.mark.parametrize("variant, first, last, factor", [
    ("afternoon", 12, 18, 0.7), ("positive", 12, 18, 1.3), ("morning", 6, 12, 0.7)])
def test_the_anomaly_is_where_and_as_deep_as_said(variant, first, last, factor):
    """Days -5 to -1 before an M 6.5 nearby, in local hours; nothing else changes, to the bit."""
    quake = event("2010-05-05T03:00")                               # 12:28 LT on 5 May
    base, planted = (TECWorld(5, "2010-03-01", 0.3, snr, variant, catalog=quake).series for snr in (0.0, 2.0))
    local = base.index + pd.Timedelta(hours=142 / 15)
    inside = ((local >= "2010-04-30") & (local < "2010-05-05")
              & (local.hour >= first) & (local.hour < last))
    assert inside.sum() == 30
    np.testing.assert_array_equal(planted[~inside], base[~inside])
    np.testing.assert_allclose(planted[inside], factor * base[inside], atol=0.1)


def test_only_large_and_near_earthquakes_have_an_anomaly():
    """M >= 6 within 10^(.43 M) km: 380 km for M 6; where two claim an hour, it is changed once."""
    hours = pd.date_range("2010-04-01", periods=24 * 60, freq="h", unit="ns")

    def changed(*catalogs):
        return tec.anomaly(hours, pd.concat(catalogs), 1.0, "afternoon", 36.5, 142.0)
    assert (changed(event("2010-05-05", 5.99)) == 1).all()
    near, far = event("2010-05-05", 6.0, 36.5 - 370 / 111.2), event("2010-05-05", 6.0, 36.5 - 390 / 111.2)
    assert (changed(near) < 1).sum() == 30 and (changed(far) == 1).all()
    both = changed(near, event("2010-05-07", 7.0))
    assert (both < 1).sum() == 42 and both.min() == pytest.approx(0.85)


def test_families_keep_their_shape_and_lie_east_of_japan(worlds):
    """Each family is moved as a whole: times, sizes and distances to its first event stay."""
    from lib.earth import seismicity
    old = seismicity.simulate_catalog(1, "1999-01-01", 23.0, "etas", rate_m5_per_year=130.0)
    new = worlds[0].catalog
    pd.testing.assert_frame_equal(old.drop(columns=["latitude", "longitude"]),
                                  new.drop(columns=["latitude", "longitude"]))
    leader = new.groupby("cluster_id").time.transform("idxmin").to_numpy()
    distances = [distance_azimuth(*(c[name].to_numpy()[rows] for rows in (leader, np.arange(len(c)))
                                    for name in ("latitude", "longitude")))[0] for c in (old, new)]
    near = distances[0] < 100
    assert near.mean() > 0.7
    np.testing.assert_allclose(distances[1][near], distances[0][near], rtol=0.03, atol=0.5)
    first = new.loc[new.index == leader]
    assert first.longitude.between(138.5, 151.5).all() and first.latitude.between(28.5, 47).all()


def test_earthquakes_bunch_in_time_under_etas_and_not_under_poisson():
    """Weekly counts: variance over mean is 1 for independent earthquakes and a multiple of it in families."""
    ratio = {}
    for clustering in ("etas", "poisson"):
        time = tec.simulate_japan(4, "2000-01-01", 20.0, clustering).time
        weekly = np.bincount(((time - time.iloc[0]) / pd.Timedelta(days=7)).astype(int))
        ratio[clustering] = weekly.var() / weekly.mean()
    assert ratio["etas"] > 4 and ratio["poisson"] == pytest.approx(1, abs=0.2)


def test_indices_are_those_of_the_seed():
    world = TECWorld(7, "2015-03-01", 0.2)
    kp, dst = heliosphere.simulate_indices(7, "2015-03-01", 74)
    np.testing.assert_array_equal(world.kp, kp)
    np.testing.assert_array_equal(world.dst, dst)
    assert world.stations.to_dict("list") == {"code": ["TEC"], "latitude": [36.5], "longitude": [142.0]}
    assert world.series.index.equals(dst.index) and len(world.f107) == 74
    np.testing.assert_array_equal(world.series, np.round(world.series, 1))


@pytest.mark.parametrize("kwargs, where", [
    ({"years": 0}, "years"), ({"years": np.nan}, "years"), ({"snr": -1}, "snr"), ({"snr": 7}, "snr"),
    ({"snr": np.nan}, "snr"), ({"variant": "evening"}, "variant"), ({"latitude": 91}, "latitude"),
    ({"longitude": 218.0}, "longitude"), ({"clustering": "grid"}, "clustering"), ({"seed": -1}, "seed")])
def test_bad_arguments_are_named(kwargs, where):
    with pytest.raises(InputError, match=where):
        TECWorld(**{"seed": 1, "start": "2010-01-01", "years": 0.1} | kwargs)
