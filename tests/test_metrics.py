import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lib import metrics
from lib.files import InputError

EX1 = np.array([[10, 2, 1], [3, 8, 2], [1, 1, 12]])
AZIMUTH_COUNTS = {1: 480, 5: 168, 8: 104, 7: 104, 6: 96, 4: 84, 3: 44, 2: 4, 0: 888}   # E1.1
MAGNITUDE_COUNTS = {0: 888, 1: 20, 2: 1036, 3: 28}


def rows(matrix):
    """Truth and prediction, one row a window, of a confusion matrix."""
    true, pred = np.indices(matrix.shape)
    return np.repeat(true.ravel(), matrix.ravel()), np.repeat(pred.ravel(), matrix.ravel())


def trivial(counts, k, event_class):
    """Count the rule 'Normal if Normal, else one class', which reproduces the published totals."""
    matrix = np.zeros((k, k), int)
    for true, n in counts.items():
        matrix[true, 0 if true == 0 else event_class] = n
    return matrix


@pytest.mark.parametrize(("name", "value"), [
    ("accuracy", .75), ("mcc", .626181), ("kappa", .624413), ("quadratic_kappa", .714030),
    ("balanced_accuracy", .747253), ("macro_f1", .744998)])
def test_example_of_a5(name, value):
    """validity.md A5, example EX1."""
    assert metrics.scores(EX1)[name] == pytest.approx(value, abs=5e-7)


def test_adjusted_balanced_accuracy():
    assert metrics.balanced_accuracy(EX1, adjusted=True) == pytest.approx(.620879, abs=5e-7)


@pytest.mark.parametrize(("counts", "k", "event_class", "expected"), [
    (MAGNITUDE_COUNTS, 4, 2, dict(accuracy=1924 / 1972, mcc=.953276, kappa=.952127,
                                  balanced_accuracy=.5, macro_f1=.494340, weighted_f1=.963764)),
    (AZIMUTH_COUNTS, 9, 1, dict(accuracy=1368 / 1972, mcc=.597996, kappa=.538324,
                                balanced_accuracy=2 / 9, macro_f1=.179312, weighted_f1=.599711))])
def test_trivial_rule_on_1972_rows(counts, k, event_class, expected):
    """Golden numbers, T-A5b: the rule that only knows quiet from event scores this much."""
    matrix = trivial(counts, k, event_class)
    assert matrix.sum() == 1972
    found = metrics.scores(matrix)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=5e-7)


def test_within_event_of_the_trivial_rule_is_majority():
    """Without the 888 quiet rows, always-N hits 480 of 1084 and its R_K is 0."""
    matrix = metrics.within_event(*rows(trivial(AZIMUTH_COUNTS, 9, 1)), 9)
    assert matrix.sum() == 1084
    assert metrics.accuracy(matrix) == pytest.approx(480 / 1084)
    assert metrics.mcc(matrix) == 0
    assert metrics.balanced_accuracy(matrix) == pytest.approx(1 / 8)


def test_predicting_normal_is_an_error_within_events():
    matrix = metrics.within_event([0, 1, 1, 2], [0, 0, 1, 2], 3)
    assert metrics.accuracy(matrix) == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="only class 0"):
        metrics.within_event([0, 0], [0, 1], 3)


def test_estimated_mcc_reproduces_the_printed_values_and_is_not_mcc():
    """Golden numbers: .6943014 for nine classes, 1.1166 clipped to 1 for four, .765465 on EX1."""
    assert metrics.estimated_mcc(.6929721508, 9) == pytest.approx(.6943014, abs=5e-7)
    assert metrics.estimated_mcc(.9752604, 4) == pytest.approx(1.1166, abs=5e-5)
    assert metrics.estimated_mcc(.9752604, 4, clip=True) == 1.0
    assert metrics.estimated_mcc(.75, 3) == pytest.approx(.765465, abs=1e-6)
    assert abs(metrics.estimated_mcc(.75, 3) - metrics.mcc(EX1)) > .1


@pytest.mark.slow
@given(st.integers(2, 6).flatmap(lambda k: st.lists(
    st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=2, max_size=40)))
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_scores_equal_scikit_learn(pairs):
    """Every score equals scikit-learn's on any prediction."""
    y, z = np.array(pairs).T
    k = 6
    found = metrics.scores(metrics.confusion(y, z, k))
    labels = np.union1d(y, z)
    expected = {
        "accuracy": sk.accuracy_score(y, z), "mcc": sk.matthews_corrcoef(y, z),
        "balanced_accuracy": np.mean([np.mean(z[y == c] == c) for c in np.unique(y)]),
        "macro_f1": sk.f1_score(y, z, average="macro", labels=labels, zero_division=0),
        "weighted_f1": sk.f1_score(y, z, average="weighted", labels=labels, zero_division=0)}
    if labels.size > 1:   # kappa of two equal constants is 0/0; ours is 0
        expected["kappa"] = sk.cohen_kappa_score(y, z, labels=range(k))
        expected["quadratic_kappa"] = sk.cohen_kappa_score(y, z, labels=range(k), weights="quadratic")
    else:
        assert found["kappa"] == found["quadratic_kappa"] == 0
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_constant_prediction_has_no_skill():
    """R_K = 0, kappa = 0, balanced accuracy 1/K whatever the accuracy."""
    matrix = np.zeros((4, 4), int)
    matrix[:, 2] = [5, 1, 90, 4]
    assert metrics.accuracy(matrix) == .9
    assert metrics.mcc(matrix) == metrics.kappa(matrix) == 0
    assert metrics.balanced_accuracy(matrix) == .25


def test_stacks_of_matrices_score_like_one_at_a_time():
    stack = np.random.default_rng(1).integers(0, 9, (7, 4, 4))
    stack[3, 1] = 0   # a class without windows
    for name, score in metrics.SCORES.items():
        np.testing.assert_allclose(score(stack), [score(m) for m in stack], err_msg=name)
    assert metrics.recall(stack).shape == (7, 4)
    assert np.isnan(metrics.recall(stack)[3, 1])


@pytest.mark.parametrize(("y", "z", "word"), [
    ([], [], "at least one row"), ([0, 1], [0], "length of y_pred"), ([0, 3], [0, 1], "y_true, row 1"),
    ([0, 1], [0, -1], "y_pred, row 1"), ([0, .5], [0, 1], "y_true, row 1"),
    ([0, np.nan], [0, 1], "y_true, row 1"), (["a"], ["b"], "y_true, row 0")])
def test_bad_classes_are_named(y, z, word):
    with pytest.raises(InputError, match=word):
        metrics.confusion(y, z, 3)


def test_angular_errors():
    """T-A12a, and the axial error of the same pairs."""
    pred, true = [350, 10, 90, 180], [10, 350, 200, 0]
    np.testing.assert_allclose(np.abs(metrics.wrap_deg(np.subtract(pred, true))), [20, 20, 110, 180])
    assert metrics.maae_deg(pred, true) == 82.5
    assert metrics.axial_error_deg(pred, true) == pytest.approx((20 + 20 + 70 + 0) / 4)


def test_best_constant_of_the_published_bearings():
    """E2: R = .273 and always north has 67.1 degrees, at sector centres."""
    bearings = np.repeat([45.0 * (c - 1) for c in AZIMUTH_COUNTS if c],
                         [n for c, n in AZIMUTH_COUNTS.items() if c])
    assert metrics.best_constant_deg(bearings) == 0
    assert metrics.maae_deg(0, bearings) == pytest.approx(67.08, abs=.01)
    assert metrics.resultant(bearings) == pytest.approx(.273, abs=5e-4)


@pytest.mark.slow
@given(st.lists(st.integers(0, 359), min_size=1, max_size=12))
def test_best_constant_is_best(bearings):
    """No direction on a half-degree grid does better."""
    best = metrics.maae_deg(metrics.best_constant_deg(bearings), bearings)
    grid = [metrics.maae_deg(g, bearings) for g in np.arange(0, 360, .5)]
    assert best <= min(grid) + 1e-9


def test_best_constant_of_two_is_their_middle():
    assert metrics.best_constant_deg([350, 20]) == pytest.approx(5)
    with pytest.raises(InputError, match="finite bearings"):
        metrics.best_constant_deg([np.nan])


@pytest.mark.parametrize(("kappa", "maae"), [(.5, 72.289), (1, 57.293), (2, 38.327), (0, 90)])
def test_von_mises_constant(kappa, maae):
    assert metrics.maae_von_mises_deg(kappa) == pytest.approx(maae, abs=5e-4)


def test_von_mises_constant_matches_simulation():
    angles = np.rad2deg(np.random.default_rng(2).vonmises(0, 3, 200_000))
    assert metrics.maae_von_mises_deg(3) == pytest.approx(metrics.maae_deg(angles, 0), abs=.2)


def test_decoding():
    """17.139 degrees (A12); a sector alone gives its centre; no preference gives NaN."""
    assert metrics.decode_azimuth_deg([.5, .3, .1, 0, 0, 0, 0, .1]) == pytest.approx(17.139, abs=5e-4)
    np.testing.assert_allclose(metrics.decode_azimuth_deg(np.eye(8)), np.arange(0, 360, 45), atol=1e-9)
    assert np.isnan(metrics.decode_azimuth_deg(np.full(8, 1 / 8)))
    with pytest.raises(InputError, match="8"):
        metrics.decode_azimuth_deg(np.ones(9))


def test_directions_of_a12():
    """Mean, resultant, correlation and p-values of validity.md A12."""
    a, b = [10, 20, 30, 350, 15, 40, 80, 355], [15, 25, 20, 5, 10, 60, 70, 340]
    assert metrics.circular_mean_deg(a) == pytest.approx(21.582, abs=5e-4)
    assert metrics.resultant(a) == pytest.approx(.897572, abs=5e-7)
    assert metrics.circular_correlation(a, b) == pytest.approx(.912873, abs=5e-7)
    found = metrics.direction_tests(a, range(8), "event", mean_deg=20)
    assert found["rayleigh_p"] == pytest.approx(2.10e-4, rel=.005)
    assert found["v_p"] == pytest.approx(8.5e-6, rel=.01)
    assert (found["unit"], found["n_groups"]) == ("event", 8)


def test_copies_of_an_event_do_not_sharpen_a_direction_test():
    """Four copies of each row leave the p-value where it was."""
    a = np.array([10, 20, 30, 350, 15, 40, 80, 355])
    once = metrics.direction_tests(a, np.arange(8))
    four = metrics.direction_tests(np.tile(a, 4), np.tile(np.arange(8), 4))
    assert four == pytest.approx(once)
