"""Learning curves: exact power laws come back, and what has no end gives a reason instead of a number."""

import numpy as np
import pytest

from lib.config import rng
from lib.files import InputError
from lib.learning_curve import fit_curve, power_law

SIZES = np.array([20, 40, 80, 160, 320, 640])


def noisy(mean, sd, repeats=10, seed=0):
    return np.clip(mean + np.random.default_rng(seed).normal(0, sd, (repeats, len(mean))), 0, 1)


@pytest.mark.parametrize(("a", "b", "c"), [(.9, 1.0, .5), (.75, .4, .25), (.97, 4.0, 1.2)])
def test_an_exact_power_law_comes_back(a, b, c):
    """Without noise the fit is the law, and so is the extrapolation to ten times the data."""
    curve = fit_curve(SIZES, np.tile(power_law(SIZES, a, b, c), (4, 1)), rng(1, "curve"), draws=20)
    assert curve.can_extrapolate
    assert (curve.a, curve.b, curve.c) == pytest.approx((a, b, c), rel=1e-3)
    value, low, high = curve.at(6400)
    assert value == pytest.approx(power_law(6400, a, b, c), abs=1e-5)
    assert high - low < 1e-6


@pytest.mark.slow
def test_the_band_covers_the_truth():
    """A noisy law: the 95 % band at five times the data holds it in most of 12 replicas."""
    truth = power_law(3000, .85, 1.0, .6)
    inside = []
    for seed in range(12):
        scores = noisy(power_law(SIZES, .85, 1.0, .6), .02, 30, seed)
        curve = fit_curve(SIZES, scores, rng(seed, "c"), draws=60)
        if curve.can_extrapolate:
            _, low, high = curve.at(3000)
            inside.append(low <= truth <= high)
    assert len(inside) >= 11 and np.mean(inside) >= 0.8


def test_flat_noise_is_never_extrapolated():
    """Chance scores: a reason and no number, in (nearly) all of 40 replicas; asking anyway is refused."""
    scores = [noisy(np.full(6, .5), .03, seed=k) for k in range(40)]
    curves = [fit_curve(SIZES, scores[k], rng(k, "flat"), draws=60) for k in range(40)]
    assert sum(curve.can_extrapolate for curve in curves) <= 2
    curve = next(curve for curve in curves if not curve.can_extrapolate)
    assert curve.a is curve.b is curve.c is curve.draws is None
    with pytest.raises(InputError, match="does not rise|not identified|falls|bending"):
        curve.at(10_000)


def test_constant_scores_are_flat():
    """The majority predictor of S4 (E4): the same score at every size has no curve."""
    curve = fit_curve(SIZES, np.full((5, 6), .664), rng(1, "x"), draws=20)
    assert "does not rise" in curve.reason and curve.mean.tolist() == pytest.approx([.664] * 6)


def test_falling_scores_say_so():
    assert "falls" in fit_curve(SIZES, np.tile(.9 - .05 * np.arange(6), (4, 1)), rng(1, "x"), draws=20).reason


def test_a_straight_rise_has_no_known_end():
    """Equal gains a doubling fit any end: no extrapolation, though the rise is beyond doubt."""
    curve = fit_curve(SIZES, noisy(.3 + .045 * np.log2(SIZES / 20), .004, 6), rng(1, "z"), draws=60)
    assert not curve.can_extrapolate and "rise with n" not in curve.reason


def test_same_input_same_curve():
    scores = noisy(power_law(SIZES, .85, 1.0, .6), .02)
    first, second = (fit_curve(SIZES, scores, rng(3, "same"), draws=30) for _ in range(2))
    assert first.a == second.a and first.draws.tobytes() == second.draws.tobytes()


def test_mcc_may_be_negative():
    """With bounds (-1, 1) a curve that starts below zero is fitted."""
    curve = fit_curve(SIZES, np.tile(power_law(SIZES, .5, 3.0, .5), (4, 1)), rng(1, "m"), 20, bounds=(-1, 1))
    assert curve.a == pytest.approx(.5, abs=1e-4)


@pytest.mark.parametrize(("sizes", "scores", "words"), [
    ([10, 20, 30], np.full((5, 3), .5), "3 repeats and 4 sizes"),
    (SIZES, np.full((2, 6), .5), "3 repeats"),
    (SIZES[::-1], np.full((5, 6), .5), "increasing"),
    (SIZES, np.full((5, 6), 1.2), "scores from 0 to 1"),
    (SIZES, np.full((5, 6), np.nan), "scores from 0 to 1"),
    (SIZES, np.full(6, .5), "repeats, sizes")])
def test_bad_input_is_named(sizes, scores, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        fit_curve(sizes, scores, rng(1, "x"))
