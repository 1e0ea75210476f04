"""Sources, station transfer, Sq and storms of the background (validity.md C1 to C5)."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, csd, sosfiltfilt, welch

from lib.earth import background
from lib.earth.field import World
from lib.studies import WorldSpec

SPEC = WorldSpec(start="2018-01-01", years=1.0, snr=0.0)
BARE = background.Physics(pc3=0.0, pc4=0.0, pc5=0.0, pi2_per_hour=0.0, site_noise=0.0, sq=0.0, dst=0.0)
BAND = butter(4, [0.01, 0.05], "bandpass", fs=1, output="sos")


def _bare(**changes):
    return World(3, SPEC, physics=dataclasses.replace(BARE, **changes))


def test_spectral_slope():
    """T-C1: Welch slope of H over 2 to 10 mHz is -2.5 +- .2."""
    f, p = welch(_bare().window("SCN", "2018-01-10", 3 * 86400)[0], 1.0, nperseg=4096)
    band = (f >= 0.002) & (f <= 0.01)
    assert np.polyfit(np.log(f[band]), np.log(p[band]), 1)[0] == pytest.approx(-2.5, abs=0.2)


def test_spectral_level_and_kp_scaling():
    """C1: PSD of H at .01 Hz is .1 nT^2/Hz at Kp 1, times 10^(.25 (Kp - 1)); D has .35 of it."""
    world = _bare(gain_sd=0.0, misorientation_deg=0.0, incoherence=0.0)
    calm = world.kp.rolling(8).apply(lambda k: np.ptp(k) < 1.8).shift(-7) > 0
    for day in world.kp.index[calm][[0, 40, 80, -1]]:
        kp = world.kp[day:day + pd.Timedelta(hours=21)]
        expected = 0.1 * (10 ** (0.25 * (kp - 1))).mean()
        f, p = welch(world.window("SCN", day, 86400)[:2], 1.0, nperseg=2048)
        level = p[:, (f > 0.009) & (f < 0.0111)].mean(axis=1)
        np.testing.assert_allclose(level, [expected, 0.35 * expected], rtol=0.35)


def test_tipper():
    """T-C2: with phi = 0 and no site noise sqrt(S_ZZ / S_HH) at 5 mHz is T0 within 5 %."""
    world = _bare(gain_sd=0.0, misorientation_deg=0.0, tipper_azimuth_deg=0.0)
    for code in ("SCN", "LUT"):
        x = world.window(code, "2018-02-01", 86400)
        f, p = welch(x[[0, 2]], 1.0, nperseg=2048)
        i = np.argmin(np.abs(f - 0.005))
        assert np.sqrt(p[1, i] / p[0, i]) == pytest.approx(world.station_constants(code).tipper, rel=0.05)


def test_tipper_azimuth_is_the_direction_of_induction():
    """Z follows cos(phi) north + sin(phi) east: the fingerprint that mimics azimuth skill (B7)."""
    world = _bare(gain_sd=0.0, misorientation_deg=0.0)
    truth = world.station_constants("KPY")
    h, d, z = world.window("KPY", "2018-02-01", 2 * 86400).astype(float)
    f, zh = csd(h, z, 1.0, nperseg=1024)
    _, zd = csd(d, z, 1.0, nperseg=1024)
    _, hh = welch(h, 1.0, nperseg=1024)
    _, dd = welch(d, 1.0, nperseg=1024)
    i = np.argmin(np.abs(f - 0.01))
    measured = np.arctan2((zd[i] / dd[i]).real, (zh[i] / hh[i]).real)
    assert abs(np.angle(np.exp(1j * (measured - truth.tipper_azimuth_rad)))) < 0.1


def test_incoherence_grows_with_distance():
    """C1: 2 % of power a 1000 km from the centre, so the far ends of the network agree least."""
    world = World(3, SPEC)
    share = {c: world.station_constants(c).incoherence for c in ("SBG", "TRD", "JYP")}
    assert share["TRD"] < share["SBG"] and share["TRD"] < share["JYP"]
    assert share["JYP"] == pytest.approx(0.02 * 2.86, rel=0.01)


@pytest.mark.slow
def test_quiet_band_levels():
    """C1: quiet-night band rms about .058, .032, .019 nT on H, D, Z; by day about .156, .080, .032."""
    world = World(3, SPEC)
    quiet = world.kp[world.kp.between(0.6, 1.4)].index
    for local_h, level in ((1, (0.058, 0.032, 0.019)), (10, (0.156, 0.080, 0.032))):
        rms = []
        for j, row in enumerate(world.stations.itertuples()):
            hour = int(local_h - row.longitude / 15) % 24
            for start in quiet[quiet.hour == hour // 3 * 3][j::24][:3]:
                x = world.window(row.code, start.floor("D") + pd.Timedelta(hours=hour), 3600)
                x = x - x.mean(axis=1, keepdims=True)
                rms.append(np.sqrt((sosfiltfilt(BAND, x)[:, 600:-600] ** 2).mean(axis=1)))
        np.testing.assert_allclose(np.median(rms, axis=0), level, rtol=0.3)


def test_site_noise_level_drifts_from_day_to_day():
    """C2: log10 of the level is AR(1), sd .35 and lag-one correlation .9, its own in every component."""
    physics = background.Physics()
    station = World(3, SPEC).station_constants("SCN")
    level = np.log10(background.daily_levels(station, 3, 20000, physics))
    assert level.std() == pytest.approx(0.35, rel=0.05)
    assert np.corrcoef(level[1:, 0], level[:-1, 0])[0, 1] == pytest.approx(0.9, abs=0.02)
    assert abs(np.corrcoef(level.T)[0, 2]) < 0.1
    np.testing.assert_array_equal(background.daily_levels(station, 3, 50, physics),
                                  background.daily_levels(station, 3, 90, physics)[:50])


def test_sq_range():
    """T-C3: noon minus midnight in H is 20 to 60 nT off the electrojet, larger at SBG (mean flux year)."""
    physics = background.Physics(dst=0.0)
    world = World(3, WorldSpec(start="2022-03-01", years=0.3, snr=0.0), physics=physics)

    def mean_range(code):
        longitude = world.stations.set_index("code").longitude[code]
        noon = pd.Timestamp("2022-03-05") + pd.Timedelta(hours=11 - int(longitude / 15))
        ranges = [world.window(code, noon + pd.Timedelta(days=d), 3600)[0].mean()
                  - world.window(code, noon + pd.Timedelta(days=d, hours=12), 3600)[0].mean()
                  for d in range(0, 80, 4)]
        return np.mean(ranges)

    ranges = {c: mean_range(c) for c in ("SCN", "YOG", "JYP", "SBG")}
    assert all(20 < ranges[c] < 60 for c in ("SCN", "YOG", "JYP"))
    assert ranges["SBG"] > 1.5 * ranges["YOG"]


def test_sq_of_east_and_down_has_the_sign_of_the_dip_latitude():
    """C3: south of the dip equator Z falls by day, and D rises from morning to afternoon."""
    world = World(3, SPEC)
    south = world.station_constants("YOG")
    hour = 20 * 24 + 4                                             # 11 to 12 local time
    h, _, z = background.sq_hour(south, hour, 3, world.physics)
    assert h.mean() > 10 and z.mean() == pytest.approx(-0.4 * h.mean(), rel=1e-3)
    d = [background.sq_hour(south, hour + k, 3, world.physics)[1].mean() for k in (-2, 3)]
    assert d[0] < 0 < d[1]


def test_ring_current_appears_on_h():
    """C5: H follows Dst cos(dip latitude)."""
    world = _bare(dst=1.0)
    start = world.dst.loc["2018-02":"2018-11"].idxmin() - pd.Timedelta(hours=24)
    hourly = world.window("SCN", start, 72 * 3600)[0].reshape(72, 3600).mean(axis=1)
    dst = world.dst[start:start + pd.Timedelta(hours=71)].to_numpy()
    slope, _ = np.polyfit(dst, hourly, 1)
    assert slope == pytest.approx(np.cos(np.radians(9.4)), abs=0.1)


def test_sudden_commencement_rises_within_four_minutes():
    """C5: a step of 10 to 40 nT; here 30 nT at the dip equator, then a decay."""
    station = dataclasses.replace(World(3, SPEC).station_constants("SBG"), dip_latitude_deg=0.0)
    h = background.ring_current_hour(station, np.zeros(3), 1000, np.array([1000 * 3600.0 + 600]),
                                     np.array([30.0]))
    assert h[599] == 0 and h[840] == pytest.approx(30, abs=1.1) and h[3599] < h[840]


def test_pi2_only_at_night_and_on_all_stations():
    """C4: Poisson .5 an hour from 20 to 02 local time, network-coherent, H-dominant."""
    world = _bare(source=0.0, pi2_per_hour=0.5, gain_sd=0.0, misorientation_deg=0.0)
    a, b = (world.window(c, "2018-05-01", 5 * 86400) for c in ("SCN", "JYP"))
    a, b = (x - np.median(x, axis=1, keepdims=True) for x in (a, b))
    hours = np.arange(5 * 86400) // 3600 % 24
    assert np.abs(a[0, (hours >= 20) | (hours < 12)]).max() < 0.01        # 04 to 19 local time
    assert np.abs(a[0]).max() > 0.2
    np.testing.assert_allclose(a[0], b[0], atol=0.01)
    assert a[1].std() < 0.5 * a[0].std()
    n = [len(background._pi2_trains(3, h, 0.5)) for h in range(24 * 800)]
    assert sum(n) == pytest.approx(0.5 * 6 * 800, rel=0.06)


def test_pulsations_belong_to_the_day():
    """C4: Pc3 power at 10 local time is about ten times that at night."""
    world = _bare(source=0.0, pc3=0.6)
    power = []
    for hour in (3, 15):                                                  # 10 and 22 LT at SCN
        p = []
        for day in range(30):
            start = pd.Timestamp("2018-03-01") + pd.Timedelta(days=day, hours=hour)
            f, s = welch(world.window("SCN", start, 3600)[0], 1.0, nperseg=512)
            p.append(s[(f > 0.025) & (f < 0.036)].mean())
        power.append(np.median(p))
    assert 6 < power[0] / power[1] < 16


def test_season_and_cycle_enter_sq():
    """C3: the factor is .7 at F10.7 = 70 and 1.3 at 170, times 1 +- .15 with the equinoxes."""
    days = {date: (pd.Timestamp(date) - pd.Timestamp("1970-01-01")).days
            for date in ("2020-03-20", "2019-12-20", "2025-06-20", "2025-03-21")}
    k = {date: background.sq_factor(day) for date, day in days.items()}
    assert k["2020-03-20"] == pytest.approx(0.7 * 1.15, rel=0.01)
    assert k["2019-12-20"] == pytest.approx(0.7 * 0.85, rel=0.01)
    assert k["2025-06-20"] == pytest.approx(1.3 * 0.85, rel=0.01)
    assert k["2025-03-21"] == pytest.approx(1.3 * 1.15, rel=0.02)


def test_misorientation_is_a_rotation():
    """C2: the sensor axes stay at right angles, so that horizontal intensity does not change."""
    station = _bare(misorientation_deg=10.0, gain_sd=0.0).station_constants("SCN")
    x, y = np.random.default_rng(0).standard_normal((2, 100))
    h, d, _ = background._transfer(station, x, y, 1.0)
    assert abs(station.misorientation_rad) > 0.01
    np.testing.assert_allclose(h**2 + d**2, x**2 + y**2, rtol=1e-5)
    assert np.cov(h, x)[0, 1] > 0


@pytest.mark.slow
def test_culture_is_a_factor_of_the_waking_hours():
    """C2: amplitude x 1.8 from 05 to 23 local time, x 1 at rural stations."""
    for rural, factor in ((0.0, 1.8), (1.0, 1.0)):
        world = _bare(source=0.0, site_noise=0.02, level_sd=0.0, rural=rural)
        x = world.window("YOG", "2018-02-01", 10 * 86400)[0].reshape(10, 24, 3600)
        noise = np.diff(x.astype(float), axis=2).std(axis=(0, 2))         # by hour, UTC; LT = UT + 7.4 h
        assert noise[2:15].mean() / noise[17:21].mean() == pytest.approx(factor, rel=0.03)


def test_sq_is_continuous():
    """C3: the day's factor changes at local midnight, where Sq is nothing."""
    world = _bare(sq=1.0, source=0.0)
    x = world.window("JYP", "2018-02-01", 4 * 86400)
    assert np.abs(np.diff(x, axis=1)).max() < 0.02                       # 40 nT in 2 h: .006 nT/s
