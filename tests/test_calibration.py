import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from lib import calibration
from lib.files import InputError

P = np.array([.95, .9, .85, .8, .7, .65, .55, .45, .3, .1])
Y = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 0])
P3 = np.array([[.7, .2, .1], [.1, .6, .3], [.2, .2, .6], [.5, .3, .2]])
Y3 = np.array([0, 1, 2, 1])


def sample(seed, n=500, k=4):
    r = np.random.default_rng(seed)
    p = r.dirichlet(np.ones(k), n)
    return p, (p.cumsum(1) < r.random((n, 1))).sum(1)      # classes drawn from p: calibrated


def test_golden_numbers():
    """A10, binary and with three classes."""
    assert calibration.ece(P, Y, 5) == pytest.approx(.185, abs=1e-12)
    assert calibration.brier(P, Y) == pytest.approx(.16925, abs=1e-12)
    assert calibration.brier_skill(P, Y) == pytest.approx(.323, abs=1e-12)
    assert calibration.log_loss(P, Y) == pytest.approx(.499282, abs=5e-7)
    assert calibration.brier(P3, Y3) == pytest.approx(.355, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed):
    p, y = sample(seed)
    assert calibration.brier(p, y) == pytest.approx(
        sk.brier_score_loss(y, p, labels=range(4), scale_by_half=False))
    assert calibration.log_loss(p, y) == pytest.approx(sk.log_loss(y, p, labels=range(4)))
    one, hit = p[:, 1], (y == 1).astype(int)
    assert calibration.brier(one, hit) == pytest.approx(sk.brier_score_loss(hit, one))
    assert calibration.brier(np.column_stack([1 - one, one]), hit) == pytest.approx(
        2 * calibration.brier(one, hit))


@pytest.mark.parametrize("equal_mass", [False, True])
def test_bins_are_those_of_scikit_learn(equal_mass):
    """Frequency and mean probability of each bin, where no value lies on an edge."""
    p, y = sample(1, 503)
    p, y = p[:, 0], (y == 0).astype(int)
    found = calibration.reliability(p, y, np.arange(503), np.random.default_rng(0), bins=7, draws=10,
                                    equal_mass=equal_mass)
    true, mean = calibration_curve(y, p, n_bins=7, strategy="quantile" if equal_mass else "uniform")
    tolerance = .02 if equal_mass else 1e-12          # its quantiles are interpolated, ours are data
    assert np.allclose(found.frequency, true, atol=tolerance)
    assert np.allclose(found.confidence, mean, atol=tolerance)
    error = (found.n * abs(found.frequency - found.confidence)).sum() / 503
    assert calibration.ece(p, y, 7, equal_mass) == pytest.approx(error, abs=1e-12)


def test_a_value_on_an_edge_belongs_below_it():
    """0.2, 0.4, 0.6 and 0.8 of five right-closed bins; ties of equal-mass bins stay together."""
    for edge in (.2, .4, .6, .8):
        assert calibration.ece([edge, edge - .1, edge + .1], [1, 0, 1], 5) == pytest.approx(
            (abs(1 - 2 * edge + .1) + .9 - edge) / 3)
    p, y = np.repeat([.1, .9], [9, 1]), np.r_[np.ones(4), np.zeros(6)].astype(int)
    order = np.random.default_rng(0).permutation(10)
    assert calibration.ece(p, y, 5, True) == calibration.ece(p[order], y[order], 5, True)
    assert calibration.ece(p, y, 5, True) == pytest.approx((3.1 + .9) / 10)


def test_equal_mass_bins_are_equally_full():
    p, y = sample(2, 1000)
    found = calibration.reliability(p, y, np.arange(1000), np.random.default_rng(0), bins=8, draws=10,
                                    equal_mass=True)
    assert found.n.tolist() == [125] * 8


def test_columns_mean_the_most_probable_class():
    confidence, correct = calibration.top_label(P3, Y3)
    assert confidence.tolist() == [.7, .6, .6, .5] and correct.tolist() == [1, 1, 1, 0]
    assert calibration.ece(P3, Y3, 5) == pytest.approx(calibration.ece(confidence, correct, 5))


def test_skill_is_against_the_training_share_if_given():
    assert calibration.brier_skill(np.full(10, .5), Y) == 0
    assert calibration.brier_skill(P, Y, base_rate=.9) == pytest.approx(1 - .16925 / .41)
    rate = np.bincount(Y3, minlength=3) / 4
    assert calibration.brier_skill(np.tile(rate, (4, 1)), Y3) == pytest.approx(0)
    assert calibration.brier_skill(np.eye(3)[Y3], Y3) == 1


def test_copies_widen_the_band_only_if_events_are_resampled():
    """Four copies of each event: bands by event are about twice those by row."""
    p, y = sample(3, 400)
    p, y = np.repeat(p[:, 0], 4), np.repeat((y == 0).astype(int), 4)
    width = []
    for groups in (np.repeat(np.arange(400), 4), np.arange(1600)):
        found = calibration.reliability(p, y, groups, np.random.default_rng(0), bins=2, draws=500)
        width.append((found.high - found.low).iloc[0])
    assert width[0] / width[1] == pytest.approx(2, rel=.1)
    assert found.unit.eq("event").all() and found.n_units.sum() == 1600


def test_bands_of_a_calibrated_forecast_cover_the_diagonal():
    """About 95 % of the bins over 40 samples."""
    inside = []
    for seed in range(40):
        p, y = sample(seed, 300, 2)
        found = calibration.reliability(p[:, 1], y, np.arange(300), np.random.default_rng(seed), bins=4,
                                        draws=300)
        inside += list((found.low <= found.confidence) & (found.confidence <= found.high))
    assert .9 <= np.mean(inside) <= .99


def test_a_bin_of_one_event_has_no_band():
    found = calibration.reliability([.1, .15, .9, .95], [0, 0, 1, 1], ["a", "b", "c", "c"],
                                    np.random.default_rng(0), bins=2, draws=99)
    assert np.isfinite(found.low[0]) and np.isnan(found.low[1]) and found.n_units.tolist() == [2, 1]


@pytest.mark.parametrize("shape", ["columns", "binary"])
def test_temperature_is_recovered(shape):
    """Bold forecasts p^2.5 of a calibrated sample are cooled by T = 2.5, which mends the log-loss."""
    p, y = sample(4, 6000, 4 if shape == "columns" else 2)
    bold = calibration.apply_temperature(p, 1 / 2.5)
    bold = bold if shape == "columns" else bold[:, 1]
    t = calibration.fit_temperature(bold, y)
    assert t == pytest.approx(2.5, rel=.06)
    mended = calibration.apply_temperature(bold, t)
    assert calibration.log_loss(mended, y) < calibration.log_loss(bold, y)
    assert calibration.ece(mended, y) < .25 * calibration.ece(bold, y)
    grid = [calibration.log_loss(calibration.apply_temperature(bold, s), y) for s in np.linspace(.5, 6, 200)]
    assert calibration.log_loss(mended, y) <= min(grid) + 1e-9


def test_temperature_keeps_order_and_stays_within_limits():
    p, _ = sample(5)
    assert (calibration.apply_temperature(p, 3).argmax(1) == p.argmax(1)).all()
    assert np.allclose(calibration.apply_temperature(p, 1), p)
    assert calibration.fit_temperature([.8, .2, .7], [1, 0, 1]) == pytest.approx(.05, rel=1e-3)


@pytest.mark.parametrize(("p", "y", "message"), [
    ([.2, np.nan], [0, 1], "p, row 1"), ([.2, 1.2], [0, 1], "p, row 1"), ([[.5, .6]], [0], "sum to 1"),
    ([.2, .3], [0, 2], "y, row 1"), ([.2, .3], [0], "shape of y"), ([], [], "shape of p")])
def test_bad_rows_are_named(p, y, message):
    for score in (calibration.ece, calibration.brier, calibration.log_loss, calibration.fit_temperature):
        with pytest.raises(InputError, match=message):
            score(p, y)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="only class 1"):
        calibration.brier_skill([.5, .6], [1, 1])
    with pytest.raises(InputError, match="flat"):
        calibration.fit_temperature([[.5, .5]], [1])
    with pytest.raises(InputError, match="two or more labels"):
        calibration.reliability(P, Y, np.zeros(10), np.random.default_rng(0))
    assert calibration.log_loss([0.0, .5], [1, 1]) == np.inf
