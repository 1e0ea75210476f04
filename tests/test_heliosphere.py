"""Synthetic Kp and Dst (validity.md C5)."""

import numpy as np
import pandas as pd
import pytest

from lib.earth import heliosphere
from lib.files import InputError

CYCLE_DAYS = 4018     # 11 years


@pytest.fixture(scope="module")
def cycles():
    """Three worlds over one solar cycle."""
    return [heliosphere.simulate_indices(s, "2009-01-01", CYCLE_DAYS) for s in range(3)]


def test_burton_golden_storm():
    """T-C5a: VBs 5 mV/m for 6 h: -81.909 nT after 6 h and -31.192 after 24 h."""
    dst = heliosphere.burton_dst([5.0] * 6 + [0.0] * 18)
    assert dst[5] == pytest.approx(-81.909, abs=5e-4)
    assert dst[23] == pytest.approx(-31.192, abs=5e-4)


def test_recovery_e_folding_time():
    """C11: the ring current of a storm decays with 12 to 25 h."""
    dst = heliosphere.burton_dst([8.0] * 8 + [0.0] * 40)
    hours = -20 / np.log(dst[27] / dst[7])
    assert 12 < hours < 25


def test_kp_is_as_disturbed_as_nature(cycles):
    """C5: P(Kp >= 5) .04 to .08, P(Kp >= 7) .004 to .010 over a solar cycle."""
    kp = np.concatenate([kp for kp, _ in cycles])
    assert 0.04 <= (kp >= 5).mean() <= 0.08
    assert 0.004 <= (kp >= 7).mean() <= 0.010


def test_intense_storms_per_year(cycles):
    """C5: 3 to 10 days a year have Dst < -100 nT."""
    days = [(dst.resample("D").min() < -100).sum() / 11 for _, dst in cycles]
    assert 3 <= np.mean(days) <= 10


def test_index_tables(cycles):
    """Kp in thirds from 0 to 9 every 3 h, Dst hourly, both from the first instant on."""
    kp, dst = cycles[0]
    np.testing.assert_allclose(3 * kp, np.round(3 * kp))
    assert kp.between(0, 9).all() and np.isfinite(dst).all()
    assert len(kp) == 8 * CYCLE_DAYS and len(dst) == 24 * CYCLE_DAYS
    assert (np.diff(kp.index) == pd.Timedelta(hours=3)).all()
    assert (np.diff(dst.index) == pd.Timedelta(hours=1)).all()
    assert kp.index.dtype == "datetime64[ns]" and kp.index[0] == dst.index[0] == pd.Timestamp("2009-01-01")


def test_kp_rises_when_dst_falls(cycles):
    kp, dst = cycles[0]
    assert np.corrcoef(kp, dst.resample("3h").mean())[0, 1] < -0.8


def test_a_longer_world_has_the_same_past():
    short, long = (heliosphere.simulate_indices(4, "2020-01-01", n) for n in (40, 400))
    pd.testing.assert_series_equal(short[0], long[0].iloc[:320], check_freq=False)
    pd.testing.assert_series_equal(short[1], long[1].iloc[:960], check_freq=False)


def test_storms_follow_the_solar_cycle():
    """About 10 storms a year at minimum and 40 at maximum, of 4 to 14 h (C5)."""
    at = {year: np.mean([len(heliosphere.simulate_storms(s, f"{year}-06-15", 365)) for s in range(12)])
          for year in (2019, 2025)}
    assert 6 < at[2019] < 15 and 33 < at[2025] < 47
    storms = heliosphere.simulate_storms(0, "2025-01-01", 365)
    assert storms.duration_h.between(4, 14).all() and storms.commencement_nt.between(10, 40).all()


def test_solar_flux_range():
    """F10.7 runs from 70 at minimum to 170 at maximum (C10)."""
    flux = heliosphere.f107_sfu(pd.date_range("2009-01-01", "2021-01-01", freq="D"))
    assert flux.min() == pytest.approx(70, abs=0.1) and flux.max() == pytest.approx(170, abs=0.1)


@pytest.mark.parametrize("days", [0, -3, 1.5])
def test_bad_length_is_refused(days):
    with pytest.raises(InputError, match="days"):
        heliosphere.simulate_indices(1, "2020-01-01", days)
