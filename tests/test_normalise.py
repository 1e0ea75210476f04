"""What each way of normalising does, and what it leaves of a signal of 1 nT (systems.md K6)."""

import numpy as np
import pytest

from lib.files import InputError
from lib.normalise import NORMALISE, amplitude, max_bz, normalise, signal_left


def a_field(n=1440, level=(20_000.0, 100.0, 45_000.0), sd=2.0, seed=0, windows=2):
    noise = np.random.default_rng(seed).normal(0, sd, (windows, 3, n))
    return np.array(level)[:, None] + noise


def test_max_bz_is_a_division_by_one_number_a_window():
    """By hand: Z -4 is the largest; H 2 becomes 0.5, the sign stays."""
    x = np.array([[[1.0, 2.0], [0.0, 8.0], [-4.0, 3.0]]])
    np.testing.assert_array_equal(max_bz(x), np.float32([[[.25, .5], [0, 2], [-1, .75]]]))
    np.testing.assert_array_equal(max_bz(x, 8.0), max_bz(x) / 2)


def test_amplitude_keeps_nanotesla_and_forgets_the_level():
    """5 nT above the median are 0.5 wherever the level is."""
    x = np.zeros((2, 3, 5)) + np.array([0.0, 45_000.0])[:, None, None]
    x[:, 1, 2] += 5.0
    y = amplitude(x)
    assert y.dtype == np.float32 and y[0, 1].tolist() == y[1, 1].tolist() == [0, 0, 0.5, 0, 0]
    assert not y[:, [0, 2]].any()
    np.testing.assert_allclose(amplitude(x, 1.0), 10 * y)


def test_one_nanotesla_is_two_parts_in_a_hundred_thousand_after_max_bz():
    """K6: 1 nT / 45 000 nT = 2.2e-5 of the input's range; with the amplitude kept it is 0.1 of 10 nT."""
    x = a_field()
    by_z, kept = signal_left(x, "max_bz"), signal_left(x, "amplitude")
    assert by_z["amplitude"] == pytest.approx(1 / 45_006, rel=1e-3)
    assert by_z["of_range"] == pytest.approx(2.2e-5, rel=0.02)
    assert kept["amplitude"] == pytest.approx(0.1, rel=0.01)
    assert kept["of_range"] > 5000 * by_z["of_range"]
    assert by_z["of_scatter"] == pytest.approx(kept["of_scatter"], rel=0.01)   # noise shrinks too
    assert kept["float32_steps"] > 100 * by_z["float32_steps"]


def test_what_is_left_is_proportional_to_the_signal():
    x = a_field()
    one, ten = (signal_left(x, "amplitude", nt)["amplitude"] for nt in (1.0, 10.0))
    assert ten == pytest.approx(10 * one, rel=0.02)


@pytest.mark.parametrize("kind", NORMALISE)
def test_bad_windows_are_named(kind):
    x = a_field(20)
    with pytest.raises(InputError, match="not finite"):
        normalise(np.where(x > x.max() - 1e-9, np.nan, x), kind)
    with pytest.raises(InputError, match="shape"):
        normalise(x[:, :2], kind)


def test_unknown_kind_and_a_dead_sensor_are_named():
    with pytest.raises(InputError, match="max_bz, amplitude"):
        normalise(a_field(20), "minmax")
    with pytest.raises(InputError, match="largest"):
        max_bz(np.zeros((1, 3, 4)))
    with pytest.raises(InputError, match="scale_nt"):
        amplitude(a_field(20), 0.0)
