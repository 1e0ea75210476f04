"""lib.fractal: golden dimensions, the definition term by term, gaps."""

import numpy as np
import pytest

from lib import fractal
from lib.files import InputError


def test_golden_values_of_three_rows_at_once():
    """B5: white noise of seed 0, its sum, a line."""
    e = np.random.default_rng(0).normal(size=10_000)
    found = fractal.higuchi(np.stack([e, np.cumsum(e), np.arange(10_000.0)]))
    assert found == pytest.approx([2.0015, 1.4937, 1.0], abs=5e-5)


def definition(x, kmax):
    """Sum over i as in B5, term by term, indices from 1."""
    n, lengths = x.size, []
    for k in range(1, kmax + 1):
        each = []
        for m in range(1, k + 1):
            steps = (n - m) // k
            total = sum(abs(x[m + i * k - 1] - x[m + (i - 1) * k - 1]) for i in range(1, steps + 1))
            each.append(total * (n - 1) / (steps * k * k))
        lengths.append(np.mean(each))
    return np.polyfit(np.log(1 / np.arange(1, kmax + 1)), np.log(lengths), 1)[0]


def test_rows_agree_with_the_definition():
    """A stack (2, 3, n), odd lengths too."""
    x = np.cumsum(np.random.default_rng(1).normal(size=(2, 3, 103)), -1)
    found = fractal.higuchi(x, kmax=7)
    expected = [[definition(row, 7) for row in block] for block in x]
    assert found == pytest.approx(np.array(expected), rel=1e-12)


def test_scale_and_level_do_not_matter():
    x = np.random.default_rng(2).normal(size=(4, 300))
    assert fractal.higuchi(1e4 + 7 * x) == pytest.approx(fractal.higuchi(x), rel=1e-9)


def test_a_row_with_a_gap_or_without_change_has_no_dimension_and_harms_no_other():
    x = np.random.default_rng(3).normal(size=(3, 240))
    alone = fractal.higuchi(x[1])
    x[0, 100], x[2] = np.nan, 5.0
    found = fractal.higuchi(x)
    assert np.isnan(found[[0, 2]]).all() and found[1] == alone


@pytest.mark.parametrize(("n", "kmax"), [(99, 10), (300, 1), (300, 2.5), (300, True)])
def test_short_rows_and_bad_steps_are_refused(n, kmax):
    with pytest.raises(InputError, match="10 kmax"):
        fractal.higuchi(np.arange(float(n)), kmax)
