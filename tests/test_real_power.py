import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, spearmanr

from lib import metrics, real_power
from lib.earth import pseudo, series_checks, survey
from lib.matching import exchange

pytestmark = pytest.mark.slow       # worlds and networks, however small, take seconds


def nights(n=60, start="2015-01-01", seed=0, kp_power=0.0):
    """White nights of 1 nT with Kp; `kp_power` raises the level with it."""
    draw = np.random.default_rng(seed)
    begin = pd.date_range(start, periods=n, freq="D").as_unit("ns")
    kp = draw.integers(0, 18, n) / 3
    table = pd.DataFrame({"station": "AAA", "start": begin, "end": begin + pd.Timedelta(hours=4),
                          "kp_max": kp, "dst_min": -10.0})
    return table, draw.normal(size=(n, 3, 240)) * 10 ** (kp_power * kp)[:, None, None]


def test_band_power_and_rms_of_white_noise():
    """One-sided density 2 sigma^2 / fs in every band; 7 of the 8.33 mHz hold the share of the rms."""
    x = 2 * np.random.default_rng(0).normal(size=(200, 3, 240))
    power = 10 ** real_power.band_power(x)
    assert power.shape == (200, 12) and power.mean(0) == pytest.approx(np.full(12, 2 * 4 * 60), rel=.1)
    assert real_power.band_rms(x).mean() == pytest.approx(2 * np.sqrt(7 / 8.33), rel=.03)


def test_sign_p_is_the_permutation_test_inside_pairs():
    """Against all exchanges drawn: the share whose MCC is at least the observed one."""
    draw = np.random.default_rng(1)
    truth, pair = np.tile([1, 0], 12), np.repeat(np.arange(12), 2)
    y = np.where(draw.random(24) < .7, truth, 1 - truth)
    observed = metrics.mcc(metrics.confusion(truth, y, 2))
    null = [metrics.mcc(metrics.confusion(exchange(truth, pair, draw), y, 2)) for _ in range(4000)]
    share = np.mean(np.array(null) >= observed - 1e-12)
    assert real_power.sign_p(truth, y, pair) == pytest.approx(share, abs=.025)


def test_sign_p_of_known_counts():
    truth, pair = np.tile([1, 0], 10), np.repeat(np.arange(10), 2)
    y = truth.copy()
    y[16:] = 1 - y[16:]                            # eight pairs right, two wrong
    assert real_power.sign_p(truth, y, pair) == pytest.approx(binom.sf(7, 10, .5))
    assert real_power.sign_p(truth, np.ones(20, int), pair) == 1.0


def test_a_strong_signal_is_found_and_nothing_is_not():
    """MCC rises with the amplitude on the same draw; at zero, p is spread over (0, 1]."""
    records = [nights()]
    rows = pd.DataFrame([row for s in range(6)
                         for row in real_power.score_draw(records, [0, .5, 2], s, ("P2",))])
    mean = rows.groupby("amplitude_nt").mcc.mean()
    assert mean[0.0] < mean[0.5] < mean[2.0] and mean[2.0] > .9 and abs(mean[0.0]) < .2
    assert rows.p[rows.amplitude_nt == 0].max() > .2 and rows.p[rows.amplitude_nt == 2].max() < .001


def test_a_month_is_too_short_for_an_embargo():
    """P5 gives no row; P2 does."""
    rows = real_power.score_draw([nights(30)], [0.0], 0)
    assert [row["protocol"] for row in rows] == ["P2"]


def test_quiet_controls_score_without_a_signal():
    """Power that follows Kp and controls below Kp 2: a high MCC of nothing; matched controls have none."""
    records = [nights(90, kp_power=.3)]
    quiet, matched = (np.mean([real_power.score_draw(records, [0.0], s, ("P2",), 15, quiet_kp=k)[0]["mcc"]
                               for s in range(6)]) for k in (2.0, None))
    assert quiet > .4 and abs(matched) < .25


def draws(shares, n=20):
    """Draws whose p is small for a share of them at each amplitude."""
    return pd.DataFrame([{"seed": s, "amplitude_nt": float(a), "p": .01 if s < share * n else .5,
                          "mcc": share, "n_events": 10} for a, share in enumerate(shares) for s in range(n)])


def test_the_crossing_is_interpolated():
    """0.6 at 2 and 1.0 at 3: 80 % at 2.5."""
    found = real_power.amplitude_at(draws([0, .2, .6, 1]), 0)
    assert found["nt"] == pytest.approx(2.5) and found["low"] <= 2.5 <= found["high"]
    assert found["violation"] == 0


def test_a_fall_is_pooled_and_told_and_an_unreached_level_is_none():
    found = real_power.amplitude_at(draws([0, .6, .5, 1]), 0)
    assert found["violation"] == pytest.approx(.1) and found["nt"] == pytest.approx(2 + .25 / .45)
    assert real_power.amplitude_at(draws([0, .1, .2]), 0)["nt"] is None


def test_the_curve_counts_draws():
    """Ten of twenty: Clopper-Pearson 0.272 to 0.728."""
    curve = real_power.power_curve(draws([0, .5, 1]))
    assert curve.power.tolist() == [0, .5, 1] and curve.n_draws.tolist() == [20] * 3
    assert (curve.power_low[1], curve.power_high[1]) == pytest.approx((.272, .728), abs=1e-3)


def test_a_score_that_is_kp_is_called_so():
    kp = np.random.default_rng(0).random(140) * 6
    same, none = (real_power.against_kp(score, kp, 0) for score in (
        np.exp(kp), np.where(np.arange(140) % 9, np.random.default_rng(1).random(140), np.nan)))
    assert same["rho"] == pytest.approx(1) and same["n_alarms"] == 14
    assert same["kp_alarms"] > same["kp_others"] + 2
    assert none["low"] < 0 < none["high"] and none["n"] == 124
    assert none["rho"] == pytest.approx(spearmanr(
        np.random.default_rng(1).random(140)[np.arange(140) % 9 > 0], kp[np.arange(140) % 9 > 0]).statistic)


def test_a_detector_scores_another_record():
    """Trained on planted nights, it scores a planted record above an untouched one."""
    other = nights(40, "2016-01-01", seed=5)
    plain = real_power.untouched_scores([nights()], other, 1.0, [0, 1])
    _, x, unit = real_power.draw_windows([other], 0, 10)
    louder = real_power.untouched_scores([nights()], (other[0], x + unit), 1.0, [0, 1])
    assert plain.shape == (40,) and louder[unit.any((1, 2))].mean() > plain.mean() + 2


@pytest.mark.real
@pytest.mark.slow
def test_eskdalemuir(data):
    """Nothing planted: draws cover chance. 0.3 nT planted: found. In between the mean MCC rises."""
    geomag = data / "geomag"
    kept = survey.read_indices(data / "space_weather")
    records = [pseudo.cut_nights(series_checks.continuous(sorted((geomag / f"min1_ESK_{year}").glob("*")),
                                                          latitude=55.3, gaps="keep"), **kept)
               for year in (2003, 2015)]
    rows = pd.DataFrame([row for s in range(8) for row in real_power.score_draw(
        records, [0.0, 0.1, 0.3], s, n_events=40)])
    for _, some in rows.groupby("protocol"):
        curve = real_power.power_curve(some)
        assert curve.low[0] <= 0 <= curve.high[0] and curve.power[0] <= .25 and curve.power[2] == 1
        assert curve.mcc.is_monotonic_increasing and .05 < real_power.amplitude_at(some, 0)["nt"] < .3
