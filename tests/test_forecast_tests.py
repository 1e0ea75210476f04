import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from lib import forecast_tests as ft
from lib.files import InputError

G = np.array([.9, .8, .6, .5, .4, .3, .2, .1])
W = np.full(8, 1 / 8)
EVENTS = np.array([2, 1, 0, 1, 0, 0, 1, 0])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_single_alarm_set():
    """T-A13a."""
    found = ft.alarm_set_test(7, 10, .3)
    assert (found["p"], found["gain"]) == pytest.approx((.0105921, 2.3333), abs=5e-5)
    assert found["p"] == pytest.approx(sum(stats.binom.pmf(h, 10, .3) for h in range(7, 11)))
    assert ft.alarm_set_test(0, 10, .3)["p"] == 1


def test_trajectory_and_area_skill():
    """T-A13b, in any order of the cells and with any shape."""
    for order in (np.arange(8), rng().permutation(8)):
        tau, nu = ft.molchan(G[order].reshape(2, 4), W.reshape(2, 4), EVENTS[order].reshape(2, 4))
        assert nu == pytest.approx([1, .6, .4, .4, .2, .2, .2, 0, 0])
        assert tau == pytest.approx(np.arange(9) / 8)
        assert ft.area_skill(tau, nu) == pytest.approx(.6875)
    found = ft.area_skill_test(G, W, EVENTS, 40000, rng())
    assert found["area_skill"] == pytest.approx(.6875)
    assert found["p"] == pytest.approx(.088, abs=.005)
    assert (found["null_mean"], found["null_sd"]) == pytest.approx((.5, .128), abs=.002)
    assert (found["unit"], found["n_units"], found["draws"]) == ("earthquake", 5, 40000)


@pytest.mark.parametrize("seed", range(5))
def test_mean_of_middles_is_the_trapezoid(seed):
    """Ties, unequal weights and cells of weight 0: the two ways to the area agree."""
    r = rng(seed)
    g, w, n = r.integers(0, 6, 60) / 5, r.random(60) * (r.random(60) > .2), r.integers(0, 3, 60)
    n[w == 0] = 0
    g[r.random(60) < .1] = -np.inf
    area = ft.area_skill(*ft.molchan(g, w, n))
    assert ft.area_skill_test(g, w, n, 9, r)["area_skill"] == pytest.approx(area)


def test_area_skill_is_the_area_under_the_roc_curve_for_rare_targets():
    """With w uniform over the cells without targets, Molchan and ROC are the same curve."""
    r = rng(1)
    g, n = r.random(200), (r.random(200) < .2).astype(int)
    area = ft.area_skill(*ft.molchan(g, np.where(n == 1, 1e-12, 1.0), n))
    assert area == pytest.approx(roc_auc_score(n, g), abs=1e-9)


def test_p_values_of_chance_are_uniform():
    """Targets drawn from the reference: p <= 0.05 in about 5 % of 400 catalogues; an oracle is found."""
    r, p = rng(2), []
    g, w = r.random(300), r.dirichlet(np.ones(300))
    for _ in range(400):
        n = r.multinomial(20, w)
        p.append(ft.area_skill_test(g, w, n, 199, r)["p"])
    assert .025 <= np.mean(np.array(p) <= .05) <= .08
    assert stats.kstest(p, "uniform").pvalue > .001
    assert ft.area_skill_test(n, w, n, 199, r)["p"] == .005


def test_always_alarm_is_worth_nothing():
    board = ft.scoreboard({"oracle": EVENTS}, {"uniform": W, "other": np.arange(1, 9)},
                          {"full": EVENTS, "declustered": EVENTS > 0}, 99, rng())
    assert len(board) == 8
    always = board[board.alarm == "always"]
    assert np.allclose(always.area_skill, .5) and (always.p == 1).all()
    assert (board[(board.alarm == "oracle") & (board.reference == "uniform")].p < .1).all()
    assert ft.always_alarm(.047) == pytest.approx({"ppv": .047, "fdr": .953, "alarms_per_day": 1, "gain": 1})


def test_base_rates():
    """A14."""
    for base, ppv in ((.5, .8), (.2857, .6154), (.1, .3077), (.01, .0388), (.001, .0040)):
        found = ft.precision_at(1, .75, base)
        assert found["ppv"] == pytest.approx(ppv, abs=5e-5)
        assert found["fdr"] == pytest.approx(1 - found["ppv"])
        assert found["alarms_per_day"] == pytest.approx(base + .25 * (1 - base))
    assert ft.network_probability(200, 7) == pytest.approx(.978, abs=5e-4)
    assert ft.network_probability(13, 7) == pytest.approx(.221, abs=5e-4)
    assert np.isnan(ft.precision_at(0, 1, .1)["ppv"])


def test_gridded_forecasts():
    """A13, last line."""
    found = ft.number_test(8, 4.2)
    assert (found["p_at_least"], found["p_at_most"]) == pytest.approx((.06394, .9721), abs=5e-5)
    found = ft.information_gain([.2, .1, .4], [.1, .1, .1], 2, 2)
    assert (found["gain"], found["t"]) == pytest.approx((.693147, 1.73205), abs=5e-6)
    assert found["p"] == pytest.approx(stats.ttest_1samp(np.log([2, 1, 4]), 0, alternative="greater").pvalue)
    assert ft.information_gain([.2, .2], [.1, .1], 3, 1)["gain"] == pytest.approx(np.log(2) - 1)


def test_sample_sizes():
    """A15; and the exact power at these numbers is about 0.8."""
    table = ft.sample_size_table((.6, .55))
    assert table.events_needed.tolist() == [153, 617]
    for p, n in zip(table.hit_rate, table.events_needed, strict=True):
        limit = stats.binom.isf(.05, n, .5)
        assert stats.binom.sf(limit, n, p) == pytest.approx(.8, abs=.04)
    assert ft.miss_rate_limit(8) == pytest.approx(.312, abs=5e-4)
    assert ft.miss_rate_limit(28) == pytest.approx(.101, abs=5e-4)
    assert stats.binom.cdf(2, 20, ft.miss_rate_limit(20, 2)) == pytest.approx(.05)
    assert ft.miss_rate_limit(3, 3) == 1


@pytest.mark.parametrize(("g", "w", "n", "message"), [
    (G[:7], W, EVENTS, "three equal"), (np.where(G == .5, np.nan, G), W, EVENTS, "alarm, 1 cells"),
    (G, -W, EVENTS, "weight, 8 cells"), (G, W, EVENTS / 2, "targets, 3 cells"), (G, W, EVENTS * 0, "above 0"),
    (G, np.where(EVENTS == 2, 0, W), EVENTS, "wherever a target lies")])
def test_impossible_cells_are_refused(g, w, n, message):
    with pytest.raises(InputError, match=message):
        ft.molchan(g, w, n)


def test_impossible_numbers_are_refused():
    for call in (lambda: ft.alarm_set_test(3, 2, .1), lambda: ft.alarm_set_test(1, 2, 0),
                 lambda: ft.precision_at(1.2, .5, .5), lambda: ft.events_needed(.5),
                 lambda: ft.miss_rate_limit(3, 4), lambda: ft.information_gain([.1], [.2], 1, 1),
                 lambda: ft.information_gain([.1, 0], [.2, .1], 1, 1), lambda: ft.number_test(3, 0)):
        with pytest.raises(InputError):
            call()
