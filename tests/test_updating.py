"""The self-updating promise, simulated: what a gate lets pass on noise and on a real improvement."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lib.files import InputError
from lib.updating import COLUMNS, simulate, summary, toy_stream

ROWS = {"every": 60, "first": 60}


def a_model(k):
    return LogisticRegression()


class Fixed:
    """Answers as its training number says: right from `since` on, by chance before."""

    def __init__(self, k, since):
        self.good = k >= since

    def fit(self, x, y):
        """Learn nothing."""
        return self

    def predict_proba(self, x):
        """Look at the telling feature, or at the other."""
        first = x[:, 0] if self.good else x[:, 1]
        return np.column_stack([first < 0, first >= 0]).astype(float)


def fixed_stream(n_events=200, per_event=2, seed=0):
    """Sign of feature 0 is the truth, feature 1 is chance."""
    x, _, time, groups = toy_stream(n_events, seed, per_event)
    return x, (x[:, 0] >= 0).astype(int), time, groups


@pytest.mark.parametrize("test", ["sign_flip", "mcnemar"])
def test_on_a_null_stream_the_gate_keeps_its_level(test):
    """Nothing to learn: at most alpha of the challengers pass (tolerance 3 binomial SE); ungated, all do."""
    histories = [simulate(*toy_stream(260, seed), a_model, **ROWS, test=test, seed=seed) for seed in range(8)]
    gated = summary(pd.concat(histories))
    assert gated["challengers"] >= 70
    assert gated["rate"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / gated["challengers"])


def test_without_a_gate_noise_replaces_the_model_every_time():
    """Every update of a null stream is taken, and about half of them make it worse on the next windows."""
    history = pd.concat([simulate(*toy_stream(260, seed), a_model, **ROWS, gate=False) for seed in range(8)])
    found = summary(history)
    assert found["rate"] == 1.0 and abs(found["gain"]) < 0.03
    assert 0.25 < found["worse"] / found["challengers"] < 0.65
    assert (history["champion_from"] == history["step"] - 1).all()


def test_a_real_improvement_is_promoted_once_and_kept():
    """Training 3 finds the truth: it passes its trial, and later equals do not replace it."""
    history = simulate(*fixed_stream(), lambda k: Fixed(k, 3), **ROWS)
    assert history["promoted"].tolist() == [k == 2 for k in range(len(history))]
    row = history.iloc[2]
    assert row["p"] < 0.05 and row["challenger_score"] == 1.0 and row["difference"] > 0.3
    assert (history["champion_from"].iloc[3:] == 3).all()


def test_a_learner_with_signal_improves():
    """A real effect and few first windows: some later model passes, and it is better than the first."""
    history = simulate(*toy_stream(400, 1, n_features=20, effect=1.5), a_model, every=90, first=30)
    assert history["promoted"].any() and summary(history)["gain"] > 0.05


def test_the_future_does_not_change_a_decision():
    """Labels and features after time t are replaced: every row decided until t stays, bit for bit."""
    x, y, time, groups = toy_stream(200, 3, effect=1.0)
    whole = simulate(x, y, time, groups, a_model, **ROWS)
    for cut in whole["time"].iloc[[1, 4]]:
        later = time > cut
        changed = np.where(later[:, None], 7.0, x), np.where(later, 1 - y, y)
        other = simulate(*changed, time, groups, a_model, **ROWS)
        known = whole["time"] <= cut
        pd.testing.assert_frame_equal(other[known], whole[known], check_exact=True)
        assert not other.equals(whole)


def test_no_window_serves_two_decisions_or_both_training_and_test():
    """Trials do not overlap, and begin where the challenger's training ends; a shared group is left out."""
    x, y, time, groups = toy_stream(200, 4, per_event=3)
    history = simulate(x, y, time, groups, a_model, every=50, first=50, trial=80)
    trial_end = history["time"].to_numpy() + 1        # time counts windows here
    assert (trial_end - history["n_train"] == 80).all()
    assert (history["n_train"].to_numpy()[1:] >= trial_end[:-1]).all()
    expected = [int((~np.isin(groups[n:n + 80], groups[:n])).sum()) for n in history["n_train"]]
    assert history["n_test"].tolist() == expected and min(expected) < 80


def test_arrival_order_is_by_time_not_by_row():
    x, y, time, groups = toy_stream(120, 5, effect=1.0)
    shuffled = np.random.default_rng(0).permutation(len(y))
    pd.testing.assert_frame_equal(
        simulate(x[shuffled], y[shuffled], time[shuffled], groups[shuffled], a_model, **ROWS),
        simulate(x, y, time, groups, a_model, **ROWS), check_exact=True)


def test_the_history_is_reproducible_and_complete():
    first, second = (simulate(*toy_stream(150, 6), a_model, **ROWS) for _ in range(2))
    assert list(first.columns) == list(COLUMNS)
    assert first.to_csv() == second.to_csv()


def test_one_class_and_one_event_are_no_promotion():
    """A training set of one class answers it; a trial with one event cannot be tested and says so."""
    x, y, time, groups = toy_stream(100, 7, per_event=3)
    history = simulate(x, np.zeros_like(y), time, groups, a_model, **ROWS)
    assert (history["challenger_score"] == 1.0).all() and not history["promoted"].any()
    one = simulate(x, y, time, np.zeros_like(groups), a_model, **ROWS)
    assert (one["reason"] == "no new event in the trial").all() and not one["promoted"].any()


@pytest.mark.parametrize("change", [{"every": 0}, {"first": 10_000}, {"test": "t"}, {"alpha": 0.0},
                                    {"trial": 0}])
def test_bad_input_is_named(change):
    with pytest.raises(InputError):
        simulate(*toy_stream(100, 0), a_model, **(ROWS | change))
