from itertools import permutations

import numpy as np
import pytest

from lib import directions, metrics
from lib.files import InputError

A = np.array([10, 20, 30, 350, 15, 40, 80, 355])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_exchange_of_bearings_against_every_permutation():
    """Six events of one row: 720 exchanges counted by hand."""
    true = rng(1).uniform(0, 360, 6)
    pred = (true + rng(2).normal(0, 60, 6)) % 360
    null = np.array([metrics.maae_deg(pred, true[list(order)]) for order in permutations(range(6))])
    found = directions.permute_bearings(pred, true, list("abcdef"), 20000, rng())
    assert found["maae_deg"] == pytest.approx(metrics.maae_deg(pred, true))
    assert found["p"] == pytest.approx(np.mean(null <= found["maae_deg"] + 1e-9), abs=.012)
    assert found["null_mean_deg"] == pytest.approx(null.mean(), abs=1)


def test_two_stations_of_one_event_count_once():
    """Predictions that are right for one event of eight, by luck, with 20 stations: no evidence by event."""
    p = {"event": [], "window": []}
    for seed in range(100):
        r = rng(seed)
        event = np.repeat(np.arange(8), 20)
        true, pred = (r.uniform(0, 360, 8)[event] + r.normal(0, 10, 160) for _ in range(2))
        p["event"].append(directions.permute_bearings(pred, true, event, 199, r)["p"])
        p["window"].append(directions.permute_bearings(pred, true, np.arange(160), 199, r)["p"])
    assert np.mean(np.array(p["event"]) <= .05) <= .11
    assert np.mean(np.array(p["window"]) <= .05) >= .25


def test_events_of_different_size_keep_apart():
    """Order of rows of other events does not matter; an event without a partner stays."""
    event = np.array(["a", "b", "a", "c", "d", "d", "d"])
    true = np.array([0, 90, 10, 180, 270, 280, 290.0])
    found = directions.permute_bearings(true, true, event, 4999, rng())
    assert (found["maae_deg"], found["n_units"]) == (0, 2)          # b and c; a and d are alone in their size
    assert found["p"] == pytest.approx(.5, abs=.03)


def test_monte_carlo_agrees_with_the_formulas():
    """As metrics.direction_tests (astropy) where that is good: 40 angles."""
    angles = rng(4).vonmises(0, .35, 40) * 180 / np.pi
    found = directions.uniformity_tests(angles, 20000, rng(), mean_deg=10)
    formula = metrics.direction_tests(angles, np.arange(40), mean_deg=10)
    assert (found["rayleigh_p"], found["v_p"]) == pytest.approx(
        (formula["rayleigh_p"], formula["v_p"]), rel=.1, abs=.004)


def test_eight_angles():
    """A12: Rayleigh 2.30e-4 (2e7 draws there, 4e5 here)."""
    found = directions.uniformity_tests(A, 400_000, rng(), mean_deg=20)
    assert found["rayleigh_p"] == pytest.approx(2.30e-4, rel=.3)
    assert 2e-6 < found["v_p"] < 4e-5


@pytest.mark.slow
def test_eight_angles_closely():
    """A12: Rayleigh 2.30e-4, V 1.4e-5."""
    found = directions.uniformity_tests(A, 8_000_000, rng(), mean_deg=20)
    assert found["rayleigh_p"] == pytest.approx(2.30e-4, rel=.07)
    assert found["v_p"] == pytest.approx(1.4e-5, rel=.28)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="one label a row"):
        directions.permute_bearings([1, 2], [1, np.nan], ["a", "b"], 99, rng())
    with pytest.raises(InputError, match="equal size"):
        directions.permute_bearings([1, 2, 3], [1, 2, 3], ["a", "b", "b"], 99, rng())
    with pytest.raises(InputError, match="finite"):
        directions.uniformity_tests([np.nan], 99, rng())
