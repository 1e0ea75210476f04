"""Calibration tables and pairs of models, against counts made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib import network_scores
from lib.files import InputError

N = 40                                       # units: two event windows and two quiet ones each


def forecasts(**p):
    """Make a table of models; p gives each model's probabilities by window."""
    y, unit = np.tile([1, 1, 0, 0], N), np.repeat([f"u{i:02d}" for i in range(N)], 4)
    return pd.concat([pd.DataFrame({
        "model": name, "window_id": [f"w{i:03d}" for i in range(4 * N)],
        "fold": np.repeat(np.arange(N) % 5, 4), "unit": unit, "y": y, "p": values, "p_scaled": values,
        "temperature": 1.0})
        for name, values in p.items()], ignore_index=True)


Y = np.tile([1, 1, 0, 0], N)


def test_calibration_of_a_perfect_and_an_ignorant_forecast():
    """Skill 1 and 0, ECE 0 for both: calibration alone is no skill; a bold liar has ECE 1."""
    names = ["perfect", "flat", "liar"]
    table = forecasts(perfect=1.0 * Y, flat=np.full(4 * N, .5), liar=1.0 - Y)
    found = network_scores.calibration_table(table)
    assert found.brier_skill[names].tolist() == pytest.approx([1, 0, -3])
    assert found.ece[names].tolist() == pytest.approx([0, 0, 1])
    assert found.index.tolist()[:2] == ["perfect", "perfect, scaled"]
    assert found.log_loss["flat"] == pytest.approx(np.log(2))


def test_reliabilities_are_per_model_with_bands():
    rng = np.random.default_rng(0)
    found = network_scores.reliabilities(forecasts(a=rng.random(4 * N), b=np.full(4 * N, .5)), bins=4)
    assert list(found) == ["a", "b"] and len(found["a"]) == 4 and len(found["b"]) == 1
    assert (found["a"].low <= found["a"].frequency).all() and (found["a"].n_units > 1).all()


def test_pairs_count_units_not_windows():
    """A model that inverts 10 units of 40 against a perfect one: McNemar on 10 discordant units, 2 / 2^10."""
    wrong = np.where(np.arange(4 * N) < 40, 1 - Y, Y) * .98 + .01
    found = network_scores.compare(forecasts(right=.01 + .98 * Y, wrong=wrong), draws=999)
    one = found.loc["right - wrong"]
    assert one.difference == pytest.approx(.25) and (one.only_a, one.only_b, one.n_units) == (10, 0, N)
    assert one.mcnemar_p == pytest.approx(2 / 2**10)
    assert one.mcnemar_mid_p == pytest.approx(2 / 2**10 - stats.binom.pmf(0, 10, .5))
    assert one.sign_flip_p <= .01 and one.n_folds == 5
    assert one.holm_p == one.sign_flip_p


def test_all_pairs_are_adjusted_and_what_else_was_tried_counts():
    rng = np.random.default_rng(1)
    table = forecasts(a=.01 + .98 * Y, b=rng.random(4 * N), c=rng.random(4 * N))
    found = network_scores.compare(table, draws=999)
    assert len(found) == 3 and (found.holm_p >= found.sign_flip_p - 1e-12).all()
    assert found.holm_p["a - b"] == pytest.approx(3 * found.sign_flip_p["a - b"])
    assert network_scores.compare(table, tried=10, draws=999).holm_p["a - b"] == pytest.approx(
        10 * found.sign_flip_p["a - b"])


def test_models_that_never_differ_have_no_p_below_one():
    one = network_scores.compare(forecasts(a=.01 + .98 * Y, b=.02 + .96 * Y), draws=99).iloc[0]
    assert one.sign_flip_p == one.mcnemar_p == 1 and np.isnan(one.resampled_t_p)


@pytest.mark.parametrize("spoil", [
    lambda t: t.drop(columns="unit"), lambda t: t.iloc[:-1], lambda t: t[t.model == "a"],
    lambda t: t.iloc[:0], lambda t: t.assign(unit=t.window_id)])
def test_tables_that_cannot_be_compared_are_refused(spoil):
    with pytest.raises(InputError, match="forecasts"):
        network_scores.compare(spoil(forecasts(a=1.0 * Y, b=.5 + .1 * Y)))
