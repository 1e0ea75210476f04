"""Storm scores at matched recall: what a shift of storm scores changes, and what only skill can."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from lib import storm_scores as ss
from lib.files import InputError

TRUTH = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
KP = np.array([1., 2, 1, 6, 7, 6, 5, 8, 5, 1, 2, 4.667])
SCORE = np.array([.9, .8, .7, .6, .2, .95, .65, .5, .1, .75, .3, .2])


def world(seed, n=900, storm_shift=1.0, skill=1.0):
    """Truth, score, Kp and groups of three windows; storms raise the score of everything."""
    r = np.random.default_rng(seed)
    groups = np.arange(n) // 3
    truth, storm = (groups % 2 == 0).astype(int), (groups % 5 < 2)
    score = skill * truth + storm_shift * storm + r.normal(size=n) + .5 * r.normal(size=n // 3 + 1)[groups]
    return truth, score, np.where(storm, 6., 2.), groups


def compare(truth, scores, kp, groups, draws=400, seed=0, **more):
    return ss.compare_on_storms(truth, scores, kp, groups, draws, np.random.default_rng(seed), **more)


def difference(table, model, score):
    return table[(table.model == model) & (table.minus != "") & (table.score == score)].iloc[0]


def test_scores_counted_by_hand():
    """Threshold .6 finds 4 of 5 events. Storms: 2 of 4 quiet above it, 1 of 2 events found."""
    found = {k: v[0] for k, v in ss.storm_scores(TRUTH, SCORE, KP).items()}
    assert ss.at_recall(TRUTH, SCORE) == .6
    assert found["storm_fpr"] == 2 / 4 and found["storm_recall"] == 1 / 2 and found["calm_fpr"] == 1 / 3
    assert found["storm_auc"] == (2 + 1) / 8          # .6 beats .5 and .1; .2 beats .1
    assert found["storm_fpr_own"] == 3 / 4            # both storm events need a threshold of .2
    assert tuple(found) == ss.SCORES


@pytest.mark.parametrize(("recall", "threshold"), [
    (.2, .9), (.21, .8), (.4, .8), (.6, .7), (.8, .6), (1, .2)])
def test_threshold_is_the_highest_that_reaches_the_recall(recall, threshold):
    assert ss.at_recall(TRUTH, SCORE, recall) == threshold
    assert (SCORE[TRUTH == 1] >= threshold).mean() >= recall


@pytest.mark.slow
@given(arrays(int, 40, elements=st.integers(0, 6)), st.integers(0, 10**6))
def test_areas_and_rates_agree_with_brute_force(score, seed):
    """Many equal scores; areas from every pair, from scikit-learn, rates from the definition."""
    r = np.random.default_rng(seed)
    truth, kp = r.permutation(np.arange(40) % 2), r.permutation(np.arange(40) % 4 + 3.)
    found = {k: v[0] for k, v in ss.storm_scores(truth, score, kp, .7).items()}
    storm = kp >= 5
    event, quiet = score[storm & (truth == 1)], score[storm & (truth == 0)]
    if event.size and quiet.size:
        pairs = (event[:, None] > quiet).mean() + (event[:, None] == quiet).mean() / 2
        assert found["storm_auc"] == pytest.approx(pairs)
        assert found["storm_auc"] == pytest.approx(roc_auc_score(truth[storm], score[storm]))
        fpr, recall, _ = roc_curve(truth[storm], score[storm], drop_intermediate=False)
        np.testing.assert_allclose(ss.storm_roc(truth, score, kp)[["fpr", "recall"]], np.c_[fpr, recall])
        assert found["storm_fpr_own"] == pytest.approx(fpr[np.argmax(recall >= .7 - 1e-9)])
    threshold = max(t for t in score if (score[truth == 1] >= t).mean() >= .7 - 1e-9)
    for name, of in (("storm_fpr", storm & (truth == 0)), ("storm_recall", storm & (truth == 1)),
                     ("calm_fpr", ~storm & (truth == 0))):
        if of.any():
            assert found[name] == pytest.approx((score[of] >= threshold).mean())


def test_weights_count_windows_as_often_as_a_resample_holds_them():
    truth, score, kp, _ = world(1, 60)
    score = np.round(score)
    r = np.random.default_rng(2)
    weights = r.integers(0, 4, (20, 60))
    found = ss.storm_scores(truth, score, kp, weights=weights)
    for b, row in enumerate(weights):
        rows = np.repeat(np.arange(60), row)
        for name, value in ss.storm_scores(truth[rows], score[rows], kp[rows]).items():
            assert found[name][b] == pytest.approx(value[0], nan_ok=True)


@pytest.mark.parametrize("change", [
    np.exp, lambda s: 3 * s - 7, lambda s: s**3, lambda s: 1 / (1 + np.exp(-s))])
def test_a_monotone_change_of_all_scores_changes_nothing(change):
    """Exactly: area, rates, and every limit of the difference is 0."""
    truth, score, kp, groups = world(3)
    table = compare(truth, {"plain": score, "changed": change(score)}, kp, groups, 100)
    rows = table[table.minus == "plain"]
    assert len(rows) == len(ss.SCORES) and (rows[["value", "low", "high"]] == 0).all(axis=None)
    found = ss.verdict(table, "changed")
    assert found["roc"] == "same" and found["storm_fpr"] == found["storm_recall"] == "undecided"
    assert "moves along the same storm ROC" in found["sentence"]


def test_lower_storm_scores_move_along_the_same_storm_roc():
    """A penalty as prior shift: fewer storm alarms at equal recall, storm events lost, no better ROC."""
    truth, score, kp, groups = world(4, storm_shift=2.0)
    lowered = np.where(kp >= 5, score - 2.0, score)
    table = compare(truth, {"bce": score, "gpl": lowered}, kp, groups)
    for name in ("storm_auc", "storm_fpr_own"):
        row = difference(table, "gpl", name)
        assert (row.value, row.low, row.high) == (0, 0, 0)
    assert difference(table, "gpl", "storm_fpr").high < 0 < difference(table, "gpl", "calm_fpr").low
    assert difference(table, "gpl", "auc").low > 0       # over all windows it even looks like skill
    assert {k: v for k, v in ss.verdict(table, "gpl").items() if k != "sentence"} == {
        "roc": "same", "storm_fpr": "lower", "storm_recall": "lower"}


def test_skill_in_storms_improves_the_storm_roc_and_its_loss_worsens_it():
    truth, score, kp, groups = world(5)
    better = score + np.where(kp >= 5, 1.5 * truth, 0)
    table = compare(truth, {"bce": score, "good": better, "same": score}, kp, groups)
    assert ss.verdict(table, "good")["roc"] == "improved"
    assert difference(table, "good", "storm_fpr_own").high < 0
    assert ss.verdict(compare(truth, {"good": better, "bce": score}, kp, groups), "bce")["roc"] == "worse"


def test_no_difference_is_not_taken_for_sameness():
    """Few storms, as much noise in both: the interval holds 0 and passes the margin; the answer is open."""
    truth, score, kp, groups = world(6, 300)
    r = np.random.default_rng(1)
    table = compare(truth, {name: score + r.normal(size=300) for name in ("bce", "other")}, kp, groups)
    row = difference(table, "other", "storm_auc")
    assert row.low < 0 < row.high and row.high - row.low > 2 * ss.MARGIN
    assert ss.verdict(table, "other")["roc"] == "undecided"
    assert "allows both" in ss.verdict(table, "other")["sentence"]
    assert ss.verdict(table, "other", margin=1.0)["roc"] == "same"


def test_paired_intervals_are_narrower_than_unpaired():
    """Two nearly equal models on the same resamples: their difference varies less than either."""
    truth, score, kp, groups = world(7)
    near = score + .1 * np.random.default_rng(0).normal(size=900)
    table = compare(truth, {"a": score, "b": near}, kp, groups)
    width = (table.high - table.low).groupby([table.score, table.minus]).max().unstack()
    assert (width["a"] < .5 * width[""])[["auc", "storm_auc"]].all()


def test_copies_of_a_group_do_not_narrow_the_interval():
    """Three copies in one group: same limits as one window a group; as groups of their own, narrower."""
    truth, score, kp, _ = world(8, 300)
    one = compare(truth, {"a": score}, kp, np.arange(300))
    three = [np.repeat(v, 3) for v in (truth, score, kp)]
    same = compare(three[0], {"a": three[1]}, three[2], np.repeat(np.arange(300), 3))
    pd.testing.assert_frame_equal(one, same)
    free = compare(three[0], {"a": three[1]}, three[2], np.arange(900))
    assert ((free.high - free.low) < .8 * (one.high - one.low))[one.score.isin(["auc", "storm_auc"])].all()


@pytest.mark.slow
def test_coverage_of_the_storm_area_and_of_a_true_null():
    """95 % intervals of the difference of two equally good models cover 0 in 88 to 99 % of 150 worlds."""
    hits = 0
    for seed in range(150):
        truth, score, kp, groups = world(seed, 450)
        r = np.random.default_rng(1000 + seed)
        models = {name: score + r.normal(size=450) for name in "ab"}
        row = difference(compare(truth, models, kp, groups, 300), "b", "storm_auc")
        hits += row.low <= 0 <= row.high
    assert .88 <= hits / 150 <= .99


def test_too_few_earthquakes_in_storms_give_no_interval():
    """One in a storm: it is missing from a third of the resamples."""
    truth, score, kp, groups = world(9, 90)
    kp = np.where((truth == 1) & (groups != 0), 2., kp)
    table = compare(truth, {"a": score, "b": -score}, kp, groups).set_index(["model", "minus", "score"])
    row = table.loc[("a", "", "storm_auc")]
    assert .5 < row.defined < .8 and np.isnan(row.low) and np.isfinite(row.value)
    assert np.isfinite(table.loc[("a", "", "storm_fpr")].low) and row.n_units == 30
    assert ss.verdict(table.reset_index(), "b")["roc"] == "undecided"


def test_large_tables_are_scored_in_pieces(monkeypatch):
    truth, score, kp, groups = world(10, 90)
    whole = compare(truth, {"a": score}, kp, groups, 50)
    monkeypatch.setattr(ss, "CELLS", 900)
    pieces = compare(truth, {"a": score}, kp, groups, 50)
    pd.testing.assert_frame_equal(whole, pieces)


@pytest.mark.parametrize(("change", "message"), [
    ({"truth": TRUTH * 2}, "class index"), ({"truth": TRUTH * 0}, "at least one"),
    ({"scores": {}}, "one model"), ({"scores": {"a": np.where(SCORE > .9, np.nan, SCORE)}}, "finite"),
    ({"scores": {"a": SCORE[:-1]}}, "12 finite"), ({"kp": KP[:-1]}, "kp"), ({"kp": KP * np.nan}, "finite"),
    ({"groups": np.arange(11)}, "12 windows"), ({"groups": np.zeros(12)}, "two groups"),
    ({"draws": 1}, "draws"), ({"recall": 0}, "recall"), ({"recall": 1.2}, "recall")])
def test_what_cannot_be_scored_is_refused(change, message):
    given = {"truth": TRUTH, "scores": {"a": SCORE}, "kp": KP, "groups": np.arange(12)} | change
    with pytest.raises(InputError, match=message):
        compare(**given)


def test_questions_without_an_answer_are_refused():
    table = compare(TRUTH, {"a": SCORE, "b": SCORE}, KP, np.arange(12))
    for model in ("a", "c"):
        with pytest.raises(InputError, match="compared with the first one: b"):
            ss.verdict(table, model)
    with pytest.raises(InputError, match="some events"):
        ss.storm_roc(TRUTH, SCORE, KP * 0)
    with pytest.raises(InputError, match="shape of weights"):
        ss.storm_scores(TRUTH, SCORE, KP, weights=np.ones(3))
