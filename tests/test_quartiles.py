"""Trailing quartile bounds (validity.md B11): known answers, brute force in pandas, causality, noise."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from lib import quartiles
from lib.files import InputError

PAST = [10, 12, 11, 13, 15, 14, 12, 11, 10, 13, 16, 12, 11, 14, 13]


def noise(phi, seed, days=3000, columns=24):
    """Independent columns of unit AR(1) noise from day to day."""
    draws = np.random.default_rng(seed).standard_normal((days, columns))
    draws[1:] *= np.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], draws, axis=0)


def with_gaps(seed):
    """Unrounded values with single gaps, a lost fortnight and an hour that never was."""
    values = np.random.default_rng(seed).lognormal(3, 0.4, (150, 24))
    values[np.random.default_rng(seed + 1).random(values.shape) < 0.2] = np.nan
    values[60:75] = np.nan
    values[:, 5] = np.nan
    return values


def test_worked_example():
    """B11: LQ 11, M 12, UQ 13.5, UB 14.25, LB 10.5."""
    bounds = quartiles.trailing_bounds(np.array([*PAST, 99.0])[:, None])
    assert [part[15, 0] for part in bounds] == [12, 11, 13.5, 10.5, 14.25]


def test_polarities_of_the_worked_example():
    """Outside is strictly outside; the amplitude variant says by how much."""
    today = np.array([[14.25, 14.5, 10.5, 10.0, np.nan]])
    values = np.concatenate([np.repeat(np.array(PAST, float)[:, None], 5, axis=1), today])
    bounds = quartiles.trailing_bounds(values)
    positive, negative = (part[15] for part in quartiles.polarities(values, bounds))
    np.testing.assert_array_equal(positive, [0, 1, 0, 0, np.nan])
    np.testing.assert_array_equal(negative, [0, 0, 0, 1, np.nan])
    positive, negative = (part[15] for part in quartiles.polarities(values, bounds, "amplitude"))
    np.testing.assert_array_equal(positive, [0, 0.25, 0, 0, np.nan])
    np.testing.assert_array_equal(negative, [0, 0, 0, 0.5, np.nan])


@pytest.mark.parametrize("days, min_days", [(15, 10), (15, 15), (15, 1), (7, 3), (1, 1)])
def test_equals_a_pandas_loop_to_the_last_bit(days, min_days):
    """The same bits as quantiles of the frame of the days before, day by day, with and without gaps."""
    for values in (with_gaps(3), np.random.default_rng(4).normal(size=(150, 24))):
        bounds = quartiles.trailing_bounds(values, days, 1.5, min_days)
        frame = pd.DataFrame(values)
        for d in range(1, len(frame)):
            past = frame.iloc[max(d - days, 0):d]
            enough = past.notna().sum().to_numpy() >= min_days
            lq, m, uq = np.where(enough, past.quantile([0.25, 0.5, 0.75]).to_numpy(), np.nan)
            for part, want in zip(bounds, (m, lq, uq, m - 1.5 * (m - lq), m + 1.5 * (uq - m)), strict=True):
                np.testing.assert_array_equal(part[d], want)


def test_equals_pandas_rolling_quantiles_on_tec():
    """On values rounded to .1 TECU, rolling quantiles shifted by a day give the same bits too."""
    values = np.round(np.random.default_rng(5).lognormal(3, 0.4, (400, 24)), 1)
    bounds = quartiles.trailing_bounds(values)
    rolling = pd.DataFrame(values).rolling(15, min_periods=10)
    for part, q in ((bounds.lower_quartile, 0.25), (bounds.median, 0.5), (bounds.upper_quartile, 0.75)):
        np.testing.assert_array_equal(part, rolling.quantile(q).shift(1).to_numpy())


def test_the_future_and_the_day_itself_change_nothing():
    """Strictly causal, bit by bit: other values from day 80 on leave the bounds up to day 80 as they were."""
    values = with_gaps(6)
    other = values.copy()
    other[80:] = np.random.default_rng(7).normal(1e6, 1, other[80:].shape)
    for a, b in zip(quartiles.trailing_bounds(values), quartiles.trailing_bounds(other), strict=True):
        np.testing.assert_array_equal(a[:81], b[:81])
        assert not np.array_equal(a[81:], b[81:], equal_nan=True)


def test_too_few_days_give_no_bounds():
    """The first ten days and a day after six gaps among fifteen have none; nine of fifteen are too few."""
    values = np.arange(40.0)[:, None]
    values[20:26] = np.nan
    missing = np.flatnonzero(np.isnan(quartiles.trailing_bounds(values).median[:, 0]))
    assert missing.tolist() == [*range(10), *range(26, 36)]


@pytest.mark.parametrize("phi, total", [(0.0, 0.393), (0.6, 0.427), (0.9, 0.494)])
def test_noise_leaves_the_bounds_as_often_as_said(phi, total):
    """B11: iid 39.3 %, AR(1) .6 42.7 %, .9 49.4 %, the same on either side."""
    result = quartiles.exceedance(noise(phi, 8), min_days=15)
    assert result.total == pytest.approx(total, abs=0.007)
    assert result.above == pytest.approx(total / 2, abs=0.010)
    assert result.n == 2985 * 24


@pytest.mark.slow
def test_an_endless_reference_would_give_the_asymptotic_share():
    """31.2 % for normal values and k = 1.5, approached from above with 500 reference days."""
    assert quartiles.exceedance(noise(0.0, 9, 1500), days=500).total == pytest.approx(0.312, abs=0.006)


def test_nothing_to_count():
    result = quartiles.exceedance(np.ones((3, 2)))
    assert result.n == 0 and np.isnan(result.total)


@pytest.mark.parametrize("kwargs, where", [
    ({"values": np.ones(30)}, "values"), ({"values": np.full((30, 1), np.inf)}, "values"),
    ({"values": np.ones((0, 24))}, "values"), ({"days": 0}, "days"), ({"days": 1.5}, "days"),
    ({"k": -1}, "k"), ({"k": np.nan}, "k"), ({"min_days": 16}, "min_days"), ({"min_days": 0}, "min_days")])
def test_bad_arguments_are_named(kwargs, where):
    with pytest.raises(InputError, match=f"trailing_bounds, {where}: "):
        quartiles.trailing_bounds(**{"values": np.ones((30, 2))} | kwargs)


def test_unknown_polarity_is_refused():
    values = np.ones((20, 1))
    with pytest.raises(InputError, match="binary, amplitude"):
        quartiles.polarities(values, quartiles.trailing_bounds(values), "sign")
