"""Learning-rate schedules: linear warm-up and cosine decay, and what the published loop did (layer 4)."""

import math

from lib.files import InputError
from lib.studies import TrainingSpec

SCHEDULES = ("cosine", "onecycle", "constant")


def rate(spec: TrainingSpec, step: int, steps_per_epoch: int) -> float:
    """Learning rate of one optimiser step under the schedule of a study.

    Raises
    ------
    InputError
        For an unknown schedule or lengths that it cannot have.
    """
    if spec.schedule == "constant":
        return spec.learning_rate
    if spec.schedule == "onecycle":
        return one_cycle(step, steps_per_epoch * spec.epochs, spec.learning_rate)
    if spec.schedule != "cosine":
        raise InputError("schedule.rate", "training.schedule", spec.schedule, ", ".join(SCHEDULES))
    return warmup_cosine(step, steps_per_epoch, spec.epochs, spec.warmup_epochs, spec.learning_rate,
                         spec.min_learning_rate)


def one_cycle(step: int, steps: int, peak: float, rising: float = 0.3, start: float = 1 / 25,
              end: float = 1 / 25e4) -> float:
    """Learning rate of the one-cycle policy: half a cosine up to `peak`, then another down.

    Parameters
    ----------
    step, steps : int
        Number of the step from 0, and of all steps.
    peak : float
    rising : float
        Share of the steps until the peak.
    start, end : float
        First and last rate as shares of the peak; the defaults are those of torch's `OneCycleLR`.

    Raises
    ------
    InputError
        For a step outside the run.

    References
    ----------
    Smith and Topin (2019); S2's code (maximum 1e-3).
    """
    if not 0 <= step < steps:
        raise InputError("schedule.one_cycle", "step", step, f"0 to {steps - 1}")
    top = rising * steps - 1
    if step <= top:
        low, high, progress = start, 1.0, step / top if top > 0 else 1.0
    else:
        low, high, progress = 1.0, end, (step - top) / max(steps - 1 - top, 1e-9)
    return peak * (high + (low - high) * 0.5 * (1 + math.cos(math.pi * progress)))


def warmup_cosine(step: int, steps_per_epoch: int, epochs: int, warmup_epochs: int,
                  peak: float, final: float) -> float:
    """Learning rate of one optimiser step: linear rise to `peak`, half a cosine down to `final`.

    The last warm-up step has exactly `peak`, the last step of all exactly `final`.

    Parameters
    ----------
    step : int
        Number of the optimiser step, from 0; beyond the last one the rate stays `final`.
    steps_per_epoch, epochs, warmup_epochs : int
        Lengths; `warmup_epochs` may be 0.
    peak, final : float
        Learning rates.

    Returns
    -------
    float

    Raises
    ------
    InputError
        For a negative step or warm-up, an empty run, or a warm-up longer than the run.

    References
    ----------
    Seed 001 (5 of 50 epochs, peak 1e-4); R1 `configs/convnext_tiny.yaml` (final 1e-6).

    Examples
    --------
    >>> [warmup_cosine(s, 10, 3, 1, 1.0, 0.0) for s in (0, 4, 9, 19, 29)]
    [0.1, 0.5, 1.0, 0.5, 0.0]
    """
    for name, value, low in (("step", step, 0), ("steps_per_epoch", steps_per_epoch, 1),
                             ("epochs", epochs, 1), ("warmup_epochs", warmup_epochs, 0)):
        if value < low:
            raise InputError("schedule.warmup_cosine", name, value, f"an integer >= {low}")
    if warmup_epochs > epochs:
        raise InputError("schedule.warmup_cosine", "warmup_epochs", warmup_epochs,
                         f"at most the {epochs} epochs of the run")
    warmup, last = warmup_epochs * steps_per_epoch, epochs * steps_per_epoch - 1
    if step < warmup:
        return peak * (step + 1) / warmup
    top = max(warmup - 1, 0)                                # the step that has the peak rate
    progress = min((step - top) / max(last - top, 1), 1.0)
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * progress))


def published_rate(epoch: int, steps_per_epoch: int = 44, epochs: int = 50,
                   warmup_epochs: int = 5, peak: float = 1e-4) -> float:
    """Learning rate that R1's loop really used in one epoch, from 1.

    The factor is written for optimiser steps (warm-up over 5 x 44 = 220 of them) and the scheduler is
    stepped once an epoch. So the first epoch trains with rate 0, the last of 50 is still in the warm-up
    at 49/220 of the peak, and the cosine never starts.

    When not to use
    ---------------
    For training; it is here because the page on methods prints it beside `warmup_cosine`.

    References
    ----------
    `ctrd3r/convnext2` `scripts/train.py` (LambdaLR over steps, `scheduler.step()` at the end of an
    epoch); golden_numbers.md, schedule bug.

    Examples
    --------
    >>> published_rate(1), round(published_rate(50), 9)
    (0.0, 2.2273e-05)
    """
    calls = epoch - 1                                       # how often the scheduler has been stepped
    warmup, total = warmup_epochs * steps_per_epoch, epochs * steps_per_epoch
    if calls < warmup:
        return peak * calls / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (calls - warmup) / (total - warmup)))
