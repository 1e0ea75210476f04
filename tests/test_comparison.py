import numpy as np
import pytest

from lib import comparison
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
