"""Precision, recall, specificity and what is left of precision at the true base rate."""

import numpy as np
import pytest

from lib import intervals
from lib.files import InputError
from lib.operating import detection_table


def counts(tp, fp, tn, fn):
    return np.repeat([1, 0, 0, 1], [tp, fp, tn, fn]), np.repeat([1, 1, 0, 0], [tp, fp, tn, fn])


def test_the_published_blind_test():
    """Golden: TP 8 FP 5 TN 15 FN 0. Recall CI [.631, 1], precision .6154 [.3158, .8614], PPV at 5 % 17 %."""
    table = detection_table(*counts(8, 5, 15, 0), .05, np.arange(28)).set_index("score")
    row = table.loc["recall"]
    assert (row.value, row.high, row.n, row.n_units) == (1, 1, 8, 8)
    assert row.low == pytest.approx(.6306, abs=5e-5)
    row = table.loc["precision"]
    assert (row.value, row.low, row.high) == pytest.approx((.6154, .3158, .8614), abs=5e-5)
    row = table.loc["specificity"]
    assert row.value == .75 and row.n == 20
    exact = intervals.clopper_pearson(15, 20, "window")
    assert (row.low, row.high) == pytest.approx((exact.low, exact.high))
    row = table.loc["precision at base rate"]
    assert row.value == pytest.approx(1 / (1 + .25 * 19)) and round(row.value, 2) == .17
    se, sp = (intervals.clopper_pearson(k, n, "window", .975) for k, n in ((8, 8), (15, 20)))
    assert row.low == pytest.approx(se.low * .05 / (se.low * .05 + (1 - sp.low) * .95))
    assert row.high == pytest.approx(.05 / (.05 + (1 - sp.high) * .95)) and row.low < .17 < row.high


def test_the_other_reading_of_the_abstract():
    """E2: 16/26 and specificity 2/12 are worth 6 % at the same base rate."""
    table = detection_table(*counts(16, 10, 2, 0), .05, np.arange(28)).set_index("score")
    assert table.value["precision at base rate"] == pytest.approx(.06, abs=.005)
    assert (table.low["precision"], table.high["precision"]) == pytest.approx((.4057, .7977), abs=5e-5)
    assert table.low["recall"] == pytest.approx(.7941, abs=5e-5)


def test_copies_of_an_earthquake_do_not_narrow_the_limits():
    """Four copies of every window give the limits of one, to the last digit of recall at 8/8."""
    truth, predicted = counts(8, 5, 15, 0)
    once = detection_table(truth, predicted, .05, np.arange(28))
    four = detection_table(*(np.repeat(v, 4) for v in (truth, predicted)), .05, np.repeat(np.arange(28), 4))
    np.testing.assert_allclose(four[["value", "low", "high", "n_effective"]],
                               once[["value", "low", "high", "n_effective"]])
    assert (four.n == 4 * once.n).all() and (four.n_units == once.n_units).all()


def test_what_nobody_alarmed_has_no_precision():
    table = detection_table([1, 0, 0], [0, 0, 0], .1, [1, 2, 3]).set_index("score")
    assert np.isnan(table.value["precision"]) and table.n["precision"] == 0
    assert table.value["recall"] == 0 and table.value["specificity"] == 1
    quiet = detection_table([0, 0, 0], [0, 1, 0], .1, [1, 2, 3]).set_index("score")
    assert np.isnan(quiet.value["recall"]) and np.isnan(quiet.value["precision at base rate"])


@pytest.mark.parametrize("change", [{"truth": [2, 0]}, {"predicted": [0]}, {"groups": [1, 2, 3]},
                                    {"base_rate": 1.5}, {"predicted": [.5, 1]}, {"truth": []}])
def test_what_cannot_be_is_refused(change):
    given = {"truth": [1, 0], "predicted": [1, 0], "base_rate": .1, "groups": [1, 2]} | change
    with pytest.raises(InputError):
        detection_table(**given)
