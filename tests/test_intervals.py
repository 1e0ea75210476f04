import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import matthews_corrcoef
from sklearn.model_selection import permutation_test_score

from lib import intervals, metrics
from lib.files import InputError


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("method", "hits", "n", "low", "high"), [
    (intervals.wilson, 317, 472, .6280, .7124), (intervals.clopper_pearson, 8, 8, .6306, 1),
    (intervals.clopper_pearson, 16, 16, .7941, 1), (intervals.clopper_pearson, 28, 28, .8766, 1),
    (intervals.clopper_pearson, 8, 13, .3158, .8614), (intervals.clopper_pearson, 16, 26, .4057, .7977),
    (intervals.clopper_pearson, 0, 7, 0, .4096), (intervals.wilson, 1924, 1972, .9679, .9816),
    (intervals.wilson, 481, 493, .9579, .9860)])
def test_proportions(method, hits, n, low, high):
    """T-A6a and the design effect's example of A6."""
    found = method(hits, n, "window")
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert (found.unit, found.n_units) == ("window", n)


def test_impossible_counts_are_refused():
    with pytest.raises(InputError, match="successes of 3"):
        intervals.wilson(4, 3, "event")


def sample(seed, groups=60, k=4, rows=(1, 6)):
    """Events of unequal size, one class each, predictions right in about half."""
    r = rng(seed)
    size = r.integers(*rows, groups)
    code = np.repeat(np.arange(groups), size)
    y = r.integers(0, k, groups)[code]
    z = np.where(r.random(y.size) < .5, y, r.integers(0, k, y.size))
    mix = r.permutation(y.size)
    return y[mix], z[mix], np.array([f"ev{c:03d}" for c in code])[mix]


def test_group_confusions_sum_to_the_confusion_matrix():
    """Each group's counts equal those of its rows alone."""
    y, z, g = sample(1)
    counts = intervals.group_confusions(y, z, g, 4)
    np.testing.assert_array_equal(counts.sum(0), metrics.confusion(y, z, 4))
    for i, label in enumerate(np.unique(g)):
        np.testing.assert_array_equal(counts[i], metrics.confusion(y[g == label], z[g == label], 4))


@pytest.mark.slow
def test_fast_bootstrap_equals_the_general_one():
    """Confusion counts and row indices give the same distribution of R_K; sklearn scores the rows."""
    y, z, g = sample(2)
    fast = intervals.bootstrap_confusion(y, z, g, 4, metrics.mcc, 4000, rng(1), "event")
    slow = intervals.cluster_bootstrap(lambda i: matthews_corrcoef(y[i], z[i]), g, 400, rng(2), "event")
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=.04)
    assert (fast.unit, fast.n_units, slow.n_units) == ("event", 60, 60)
    assert fast.low < matthews_corrcoef(y, z) < fast.high


def test_resampled_matrices_keep_groups_whole():
    """Groups of 4 identical rows: every resampled cell is a multiple of 4, the total is unchanged."""
    y = np.repeat([0, 1, 1, 0, 1], 4)
    z = np.repeat([0, 1, 0, 1, 1], 4)
    drawn = intervals.resample_confusions(
        intervals.group_confusions(y, z, np.repeat(np.arange(5), 4), 2), 50, rng())
    assert (drawn % 4 == 0).all()
    assert (drawn.sum((1, 2)) == 20).all()


@pytest.mark.slow
def test_four_copies_double_the_standard_error():
    """T-A6b: SE(cluster)/SE(row) = 2.0 +- 0.1 for 200 clusters of 4 identical copies, p = 0.7."""
    right = (np.arange(200) < 140).repeat(4).astype(int)
    truth = np.ones(800, int)
    se = [intervals.resample_confusions(intervals.group_confusions(truth, right, g, 2), 20000, rng(3))
          [:, 1, 1].std() for g in (np.repeat(np.arange(200), 4), np.arange(800))]
    assert se[0] / se[1] == pytest.approx(2, abs=.1)


def test_bootstrap_covers_the_truth():
    """About 95 % of the intervals cover the true accuracy of clustered predictions."""
    covered = 0
    for seed in range(100):
        r = rng(100 + seed)
        right = (r.random(80) < .6).repeat(3).astype(int)
        found = intervals.bootstrap_confusion(np.ones(240, int), right, np.repeat(np.arange(80), 3), 2,
                                              metrics.accuracy, 400, r)
        covered += found.low <= .6 <= found.high
    assert 88 <= covered <= 100


def test_paired_difference_is_zero_between_equal_predictions_and_above_it_for_a_better_one():
    y, z, g = sample(4)
    same = intervals.bootstrap_confusion(y, z, g, 4, metrics.mcc, 300, rng(), y_other=z)
    assert (same.low, same.high) == (0, 0)
    floor = np.zeros_like(y)
    assert intervals.bootstrap_confusion(y, z, g, 4, metrics.mcc, 300, rng(), y_other=floor).low > 0


def test_bootstrap_refuses_one_group_and_undefined_scores():
    with pytest.raises(InputError, match="at least 2"):
        intervals.bootstrap_confusion([0, 1], [0, 1], ["a", "a"], 2, metrics.mcc, 10, rng())
    with pytest.raises(InputError, match="one label for each of 3 rows"):
        intervals.bootstrap_confusion([0, 1, 1], [0, 1, 1], ["a", "a"], 2, metrics.mcc, 10, rng())
    with pytest.raises(InputError, match="defined on every resample"):
        intervals.cluster_bootstrap(lambda i: np.nan, ["a", "b"], 10, rng())


def test_permuting_inside_groups_permutes_nothing_but_permuting_groups_does():
    """T-A7: 20 groups of 5 rows, score .86: scikit-learn's permutation says p = 1, ours small."""
    y = np.repeat([0, 1], 50)
    g = np.repeat(np.arange(20), 5)
    z = y.copy()
    z[np.arange(14) * 7] ^= 1                    # 86 of 100 right
    assert metrics.accuracy(metrics.confusion(y, z, 2)) == .86
    _, permuted, p = permutation_test_score(
        DummyClassifier(), z[:, None], y, groups=g, n_permutations=50, cv=[(np.arange(100), np.arange(100))],
        scoring=lambda model, x, t: np.mean(x[:, 0] == t))
    assert set(permuted) == {.86}
    assert p == 1.0
    found = intervals.permutation_test(y, z, g, 2, metrics.accuracy, 999, rng())
    assert found.p < .005
    assert (found.observed, found.unit, found.n_units) == (.86, "event", 20)


def brute_p(y, z, g, draws, r):
    """Permute group labels one draw at a time, the long way."""
    labels, first = np.unique(g, return_index=True)
    observed, hits = matthews_corrcoef(y, z), 0
    for _ in range(draws):
        moved = dict(zip(labels, r.permutation(y[first]), strict=True))
        hits += matthews_corrcoef([moved[label] for label in g], z) >= observed - 1e-12
    return (1 + hits) / (1 + draws)


@pytest.mark.slow
def test_permutation_p_equals_brute_force():
    """On weakly informed predictions both p-values agree within Monte Carlo error."""
    y, _, g = sample(7, groups=30)
    r = rng(7)
    z = np.where(r.random(y.size) < .08, y, r.integers(0, 4, y.size))
    fast = intervals.permutation_test(y, z, g, 4, metrics.mcc, 4000, rng(1)).p
    assert .02 < fast < .98
    assert fast == pytest.approx(brute_p(y, z, g, 300, rng(2)), abs=.1)


@pytest.mark.parametrize("blocks", [False, True])
def test_p_is_uniform_without_skill(blocks):
    """Group-wise constant noise predictions: p <= .1 in about a tenth of the worlds."""
    small = 0
    for seed in range(200):
        r = rng(seed)
        y = np.repeat(r.integers(0, 3, 30), 3)
        z = np.repeat(r.integers(0, 3, 30), 3)     # as clustered as the labels
        small += intervals.permutation_test(y, z, np.repeat(np.arange(30), 3), 3, metrics.accuracy, 99, r,
                                            blocks=blocks).p <= .1
    assert 8 <= small <= 36


def test_labels_that_vary_inside_a_group():
    """Named and refused, unless whole blocks are exchanged; then skill is still found."""
    y = rng(5).integers(0, 4, (40, 3)).ravel()
    g = np.repeat([f"ev{i}" for i in range(40)], 3)
    with pytest.raises(InputError, match="ev"):
        intervals.permutation_test(y, y, g, 4, metrics.mcc, 99, rng())
    found = intervals.permutation_test(y, y, g, 4, metrics.mcc, 199, rng(), blocks=True)
    assert found.p == 1 / 200
    assert found.method.startswith("permutation of blocks")


def test_blocks_of_unique_size_cannot_move():
    y, g = [0, 1, 1], ["a", "b", "b"]
    with pytest.raises(InputError, match="equal size"):
        intervals.permutation_test(y, y, g, 2, metrics.mcc, 99, rng(), blocks=True)


def test_chunks_of_draws_change_nothing(monkeypatch):
    """The p-value is the same when draws are held few at a time."""
    y, _, g = sample(8, groups=30)
    z = rng(8).integers(0, 4, y.size)
    whole = intervals.permutation_test(y, z, g, 4, metrics.mcc, 300, rng(1))
    monkeypatch.setattr(intervals, "CELLS", y.size * 7)
    assert intervals.permutation_test(y, z, g, 4, metrics.mcc, 300, rng(1)) == whole


def test_effective_number_of_copies():
    """A6: 1972 rows in groups of 4 identical copies are worth 493; single rows are worth themselves."""
    right = (rng(1).random(493) < .9).repeat(4)
    groups = np.arange(493).repeat(4)
    assert intervals.n_effective(right, groups) == pytest.approx(493)
    assert intervals.n_effective(right, np.arange(1972)) == 1972
    assert intervals.n_effective(np.ones(1972), groups) == 493       # nothing to estimate: cautious
    shuffled = rng(2).permutation(right)
    assert intervals.design_effect(shuffled, groups) == pytest.approx(1, abs=.2)


def test_intracluster_correlation_recovers_a_planted_one():
    """Rows copy their group's outcome with probability .6, so pairs agree with rho = .36."""
    r = rng(3)
    groups = np.arange(4000).repeat(r.integers(2, 6, 4000))
    shared = (r.random(4000) < .5)[groups]
    right = np.where(r.random(groups.size) < .6, shared, r.random(groups.size) < .5)
    assert intervals.intracluster_correlation(right, groups) == pytest.approx(.36, abs=.03)


def test_fold_spread_of_the_published_folds():
    """Golden numbers: the printed .9642 and 5.7410 are population standard deviations."""
    n = np.array([184, 184, 200, 204, 216, 200, 200, 204, 200, 180])
    magnitude = 100 * (n - np.array([8, 4, 4, 4, 4, 4, 4, 4, 4, 8])) / n
    azimuth = 100 * np.array([124, 124, 144, 144, 144, 144, 140, 137, 164, 104]) / n
    effnet = 100 * np.array([124, 126, 144, 146, 144, 144, 140, 136, 164, 105]) / n
    for values, mean, sd0, sd1 in [(magnitude, 97.526040, .964183, 1.016338),
                                   (azimuth, 69.297215, 5.741035, 6.051582)]:
        found = intervals.fold_spread(values)
        expected = {"mean": mean, "sd_ddof0": sd0, "sd_ddof1": sd1, "n_folds": 10}
        assert found == pytest.approx(expected, abs=5e-7)
    assert intervals.fold_spread(effnet)["mean"] == pytest.approx(69.510486, abs=5e-7)
    assert intervals.fold_spread(effnet)["sd_ddof0"] == pytest.approx(5.652598, abs=5e-7)
