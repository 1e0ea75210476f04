from itertools import product

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from lib import comparison, intervals, metrics
from lib.files import InputError

N = np.array([184, 184, 200, 204, 216, 200, 200, 204, 200, 180])
CONVNEXT = np.array([124, 124, 144, 144, 144, 144, 140, 137, 164, 104])
EFFNET = np.array([124, 126, 144, 146, 144, 144, 140, 136, 164, 105])


@pytest.mark.parametrize(("looks", "c"), [(1, 0), (5, 1.163), (10, 1.539), (15, 1.736), (30, 2.043)])
def test_expected_maximum(looks, c):
    assert comparison.expected_maximum(looks) == pytest.approx(c, abs=5e-4)


def test_selecting_the_best_of_ten_noise_scores_is_biased_as_predicted():
    """T-A4: simulated optimism agrees with the formula within 10 %."""
    best = np.random.default_rng(1).binomial(472, .635, (4000, 10)).max(1) / 472
    assert best.mean() - .635 == pytest.approx(comparison.selection_optimism(.635, 472, 10), rel=.1)


def test_corrected_t():
    """T-A11a."""
    d = [.02, .01, .03, -.01, .02, 0, .01, .02, .03, .01]
    found = comparison.corrected_resampled_t(d, 9, 1)
    assert (found["naive_t"], found["naive_p"]) == pytest.approx((3.500, .00672), abs=5e-4)
    assert (found["t"], found["p"]) == pytest.approx((2.4089, .03932), abs=5e-5)
    assert (found["unit"], found["n_folds"]) == ("fold", 10)


def test_published_backbones_do_not_differ():
    """T-A11b: ConvNeXt minus EfficientNet, azimuth, ten folds."""
    d = 100 * (CONVNEXT - EFFNET) / N
    assert d.mean() == pytest.approx(-.2133, abs=5e-5)
    found = comparison.corrected_resampled_t(d, 9, 1)
    assert (found["naive_t"], found["naive_p"]) == pytest.approx((-1.353, .209), abs=5e-4)
    assert (found["t"], found["p"]) == pytest.approx((-.931, .376), abs=5e-4)


def test_mcnemar():
    found = comparison.mcnemar_exact(15, 5, "event")
    assert (found["p"], found["mid_p"]) == pytest.approx((.041389, .026604), abs=5e-7)
    assert comparison.mcnemar_exact(4, 4, "event")["p"] == 1


def test_nothing_to_test_is_an_error():
    with pytest.raises(InputError, match="folds that differ"):
        comparison.corrected_resampled_t([.1, .1, .1], 9, 1)
    with pytest.raises(InputError, match="looks"):
        comparison.expected_maximum(0)


@pytest.mark.slow
def test_holm():
    """As statsmodels; configurations tried and not shown count."""
    for seed in range(3):
        p = np.random.default_rng(seed).random(7).round(1) / 10
        assert comparison.holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    shown = comparison.holm([.001, .01], tried=20)
    assert shown == pytest.approx(multipletests([.001, .01, *[1] * 18], method="holm")[1][:2])
    with pytest.raises(InputError, match="tried"):
        comparison.holm([.1, .2], tried=1)
    with pytest.raises(InputError, match="probabilities"):
        comparison.holm([np.nan, .2])


def test_sign_flip_counts_every_pattern():
    """Seven events of unequal size against a plain loop over 128 patterns."""
    d, groups = np.array([1, 1, 0, -1, 2, .5, 1, 0, 3, 1]), np.array([0, 0, 1, 1, 2, 3, 4, 5, 6, 6])
    total = np.array([d[groups == g].sum() for g in range(7)])
    null = np.array([np.dot(s, total) for s in product([1, -1], repeat=7)])
    found = comparison.sign_flip(d, groups, 999, np.random.default_rng(0))
    assert found["p"] == np.mean(np.abs(null) >= total.sum())
    assert (found["difference"], found["n_units"], found["draws"]) == (d.mean(), 7, 128)
    drawn = comparison.sign_flip(d, groups, 100, np.random.default_rng(0))
    assert drawn["draws"] == 100 and drawn["p"] == pytest.approx(found["p"], abs=.15)


def test_copies_of_an_event_are_no_evidence():
    """Type I error with ten copies of each event: 5 % by event, far more by row."""
    by_event, by_row = [], []
    for seed in range(200):
        r = np.random.default_rng(seed)
        d, event = np.repeat(r.normal(size=20), 10), np.repeat(np.arange(20), 10)
        by_event.append(comparison.sign_flip(d, event, 199, r)["p"] <= .05)
        by_row.append(comparison.sign_flip(d, np.arange(200), 199, r, "window")["p"] <= .05)
    assert .015 <= np.mean(by_event) <= .095 and np.mean(by_row) > .35


def test_swapping_models_is_flipping_signs_for_the_accuracy():
    """And for MCC it agrees with exchanging the predictions themselves, event by event."""
    r = np.random.default_rng(3)
    event, y = np.repeat(np.arange(8), 5), r.integers(0, 3, 40)
    a, b = (np.where(r.random(40) < share, y, r.integers(0, 3, 40)) for share in (.8, .4))
    counts = [intervals.group_confusions(y, z, event, 3) for z in (a, b)]
    found = comparison.swap_models(*counts, metrics.accuracy, 999, r)
    flipped = comparison.sign_flip((a == y) * 1.0 - (b == y), event, 999, r)
    assert (found["p"], found["difference"]) == pytest.approx((flipped["p"], flipped["difference"]))
    null = []
    for keep in product([True, False], repeat=8):
        mine = np.array(keep)[event]
        null.append(metrics.mcc(metrics.confusion(y, np.where(mine, a, b), 3))
                    - metrics.mcc(metrics.confusion(y, np.where(mine, b, a), 3)))
    found = comparison.swap_models(*counts, metrics.mcc, 999, r)
    assert found["p"] == np.mean(np.abs(null) >= abs(null[0]) - 1e-12)
    assert found["difference"] == pytest.approx(null[0])


def test_what_cannot_be_compared_is_refused():
    r = np.random.default_rng(0)
    with pytest.raises(InputError, match="at least 2"):
        comparison.sign_flip([1, 2], ["a", "a"], 99, r)
    with pytest.raises(InputError, match="one label a row"):
        comparison.sign_flip([1, np.nan], ["a", "b"], 99, r)
    with pytest.raises(InputError, match="same rows"):
        comparison.swap_models(np.ones((2, 2, 2)), np.zeros((2, 2, 2)), metrics.mcc, 99, r)
