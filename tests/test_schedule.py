"""lib.schedule: peak, final rate and the published mis-stepping."""

import dataclasses
import math

import pytest
import torch

from lib.files import InputError
from lib.schedule import one_cycle, published_rate, rate, warmup_cosine
from lib.studies import TrainingSpec

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


def test_one_cycle_is_torchs():
    """Every rate of a run of 57 steps equals that of `torch.optim.lr_scheduler.OneCycleLR`."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=57, cycle_momentum=False)
    for step in range(57):
        assert one_cycle(step, 57, 1e-3) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if step < 56:
            torchs.step()


def test_the_schedule_of_a_study():
    """`rate` is constant, one-cycle or warm-up and cosine, as the study says; anything else is refused."""
    spec = TrainingSpec(epochs=4, warmup_epochs=1, learning_rate=0.5, min_learning_rate=0.0)
    assert rate(dataclasses.replace(spec, schedule="constant"), 7, 10) == 0.5
    assert rate(dataclasses.replace(spec, schedule="onecycle"), 7, 10) == one_cycle(7, 40, 0.5)
    assert rate(spec, 7, 10) == warmup_cosine(7, 10, 4, 1, 0.5, 0.0)
    with pytest.raises(InputError, match="steps"):
        rate(dataclasses.replace(spec, schedule="steps"), 7, 10)
    with pytest.raises(InputError, match="0 to 39"):
        one_cycle(40, 40, 1.0)
