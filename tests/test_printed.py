import numpy as np
import pytest

from lib import intervals, metrics, printed


def test_counts_add_up_to_the_printed_total():
    for counts in printed.CONVNEXT_IMAGES.values():
        assert sum(counts.values()) == 1972
    assert printed.convnext_folds().n_test.sum() == 1972


@pytest.mark.parametrize(("column", "hits", "mean", "sd0", "sd1"), [
    ("magnitude", 1924, 97.526040, 0.964183, 1.016338),
    ("azimuth", 1369, 69.297215, 5.741035, 6.051582),
    ("magnitude_efficientnet", 1924, 97.526040, 0.964183, 1.016338),
    ("azimuth_efficientnet", 1373, 69.510486, 5.652598, None),
])
def test_folds_reproduce_the_printed_means(column, hits, mean, sd0, sd1):
    """Every printed percentage is a whole number of images; means and SDs follow (golden numbers)."""
    folds = printed.convnext_folds()
    found = folds.n_test * folds[column] / 100
    assert np.allclose(found, found.round(), atol=2e-3)
    assert found.round().sum() == hits
    spread = intervals.fold_spread(100 * found.round() / folds.n_test)
    assert spread["mean"] == pytest.approx(mean, abs=1e-6)
    assert spread["sd_ddof0"] == pytest.approx(sd0, abs=1e-6)
    if sd1:
        assert spread["sd_ddof1"] == pytest.approx(sd1, abs=1e-6)


def trivial(target, guess):
    """Confusion matrix of the rule 'Normal if Normal, else one class'."""
    counts = printed.CONVNEXT_IMAGES[target]
    names = list(counts)
    truth = np.repeat(np.arange(len(names)), list(counts.values()))
    return metrics.confusion(truth, np.where(truth == 0, 0, names.index(guess)), len(names))


@pytest.mark.parametrize(("target", "guess", "right", "mcc", "kappa", "balanced", "macro", "weighted"), [
    ("magnitude", "Medium", 1924, .953276, .952127, .5, .494340, .963764),
    ("azimuth", "N", 1368, .597996, .538324, .222222, .179312, .599711),
])
def test_trivial_rule(target, guess, right, mcc, kappa, balanced, macro, weighted):
    """The rule that never names a rare class has the printed number of hits (golden numbers)."""
    matrix = trivial(target, guess)
    assert np.trace(matrix) == right
    assert float(metrics.mcc(matrix)) == pytest.approx(mcc, abs=1e-6)
    assert float(metrics.kappa(matrix)) == pytest.approx(kappa, abs=1e-6)
    assert float(metrics.balanced_accuracy(matrix)) == pytest.approx(balanced, abs=1e-6)
    assert float(metrics.f1(matrix)) == pytest.approx(macro, abs=1e-6)
    assert float(metrics.f1(matrix, weighted=True)) == pytest.approx(weighted, abs=1e-6)
