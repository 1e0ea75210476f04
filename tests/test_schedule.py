"""lib.schedule: peak, final rate and the published mis-stepping."""

import math

import pytest

from lib.files import InputError
from lib.schedule import published_rate, warmup_cosine

SEED001 = {"steps_per_epoch": 44, "epochs": 50, "warmup_epochs": 5, "peak": 1e-4, "final": 1e-6}


def test_peak_and_final_rate_are_reached_exactly():
    """The last warm-up step has the peak rate, the last step of the run the final one."""
    rates = [warmup_cosine(s, **SEED001) for s in range(44 * 50)]
    assert rates[5 * 44 - 1] == max(rates) == 1e-4
    assert rates[-1] == pytest.approx(1e-6, rel=1e-12)
    assert rates[0] == pytest.approx(1e-4 / 220)
    assert all(a < b for a, b in zip(rates[:219], rates[1:220], strict=True))
    assert all(a > b for a, b in zip(rates[219:-1], rates[220:], strict=True))


def test_warmup_is_linear_and_cosine_is_half_way_in_the_middle():
    """Equal increments in the warm-up; mean of peak and final midway through the cosine."""
    rates = [warmup_cosine(s, 10, 3, 1, 2.0, 1.0) for s in range(30)]
    assert rates[:10] == pytest.approx([0.2 * (s + 1) for s in range(10)])
    assert rates[19] == pytest.approx(1.5)


def test_without_warmup_the_first_step_has_the_peak_rate():
    assert warmup_cosine(0, 10, 3, 0, 1.0, 0.0) == 1.0
    assert warmup_cosine(29, 10, 3, 0, 1.0, 0.0) == pytest.approx(0.0, abs=1e-15)


def test_rate_stays_final_after_the_end_and_a_run_may_be_all_warmup():
    assert warmup_cosine(99, 10, 3, 1, 1.0, 0.25) == 0.25
    assert [warmup_cosine(s, 2, 1, 1, 1.0, 0.0) for s in (0, 1)] == [0.5, 1.0]
    assert warmup_cosine(0, 1, 1, 0, 1.0, 0.0) == 1.0


@pytest.mark.parametrize("change", [{"step": -1}, {"steps_per_epoch": 0}, {"warmup_epochs": 51}])
def test_impossible_lengths_are_refused_by_name(change):
    with pytest.raises(InputError, match=next(iter(change))):
        warmup_cosine(**{"step": 0, **SEED001, **change})


def test_published_loop_never_leaves_its_warmup():
    """Golden numbers: 44 steps an epoch, rate 0 in epoch 1 and 2.2273e-5 in epoch 50."""
    assert published_rate(1) == 0
    assert f"{published_rate(50):.4e}" == "2.2273e-05"
    assert max(published_rate(e) for e in range(1, 51)) < 1e-4 / 4


def test_published_rate_equals_a_factor_over_steps_indexed_by_epoch():
    """The same numbers from the list of factors per step, read at one entry an epoch, past the warm-up."""
    warmup, total = 2 * 3, 20 * 3
    quarter = 0.5 * math.pi / (total - warmup)
    factor = [s / warmup for s in range(warmup)] + [
        math.cos(quarter * (s - warmup)) ** 2 for s in range(warmup, total)]    # (1 + cos 2a) / 2 = cos^2 a
    rates = [published_rate(epoch, 3, 20, 2) for epoch in range(1, 21)]
    assert rates == pytest.approx([1e-4 * f for f in factor[:20]], rel=1e-12)
