import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib import polarisation
from lib.files import InputError


def record(x, start="2020-03-01", sampling_s=10.0, longitude=105.0):
    """Record of H, D, Z from an array (3, n)."""
    time = pd.date_range(start, periods=x.shape[1], freq=pd.Timedelta(seconds=sampling_s))
    return xr.Dataset({name: ("time", row) for name, row in zip("HDZ", x, strict=True)}, {"time": time},
                      {"station": "AAA", "sampling_s": sampling_s, "longitude": longitude, "latitude": 0.0})


def noise(days, levels=(3, 4, 2), seed=0, sampling_s=10.0):
    n = round(days * 86400 / sampling_s)
    return np.random.default_rng(seed).normal(size=(3, n)) * np.array(levels)[:, None]


def test_ratio():
    """B4: 4 over 9 + 7 is 0.5."""
    assert polarisation.polarisation_ratio(9, 7, 4) == .5


def test_nightly_ratio_of_white_noise():
    """Amplitudes 3, 4, 2: 2/5, 2/3 and 2/4 on every night, whatever the day does."""
    x = noise(6)
    hour = (np.arange(x.shape[1]) * 10 / 3600 + 7) % 24           # 105 E is UTC + 7 h
    x[2, (hour >= 4.1)] *= 50
    found = polarisation.nightly_ratio(record(x))
    assert found.index[0] == pd.Timestamp("2020-03-02") and len(found) == 6     # 1 March starts at 07 LT
    assert found.ratio.mean() == pytest.approx(.4, rel=.05)
    assert (found.z_h.mean(), found.z_d.mean()) == pytest.approx((2 / 3, .5), rel=.08)
    assert (found.n_segments == 27).all()


def test_a_line_in_z_shows_in_its_band_only():
    x = noise(3)
    x[2] += 20 * np.sin(2 * np.pi * .02 * np.arange(x.shape[1]) * 10)
    inside, outside = (polarisation.nightly_ratio(record(x), band) for band in ((.018, .022), (.03, .05)))
    assert inside.ratio.min() > 2 and outside.ratio.max() < .6


def test_gaps_cost_their_segments_and_then_the_night():
    x = noise(3)
    x[0, 24 * 360 - 7 * 360 + 60:24 * 360 - 7 * 360 + 62] = np.nan      # 20 s, ten minutes after midnight LT
    x[:, 2 * 24 * 360 - 7 * 360:2 * 24 * 360 - 4 * 360] = np.nan        # three of the four hours of 3 March
    found = polarisation.nightly_ratio(record(x))
    assert found.n_segments.tolist() == [25, 5, 27]
    assert np.isfinite(found.ratio).tolist() == [True, False, True]


def test_zscore_looks_back_only():
    """Against a loop; what follows a night never moves its score."""
    r = np.random.default_rng(1)
    values = pd.Series(r.normal(size=80), pd.date_range("2020-01-01", periods=80)).drop(
        pd.to_datetime(["2020-01-20", "2020-02-02"]))
    z = polarisation.night_zscore(values)
    for night in values.index:
        past = values[(values.index < night) & (values.index >= night - pd.Timedelta(days=30))]
        expected = (values[night] - past.mean()) / past.std() if len(past) >= 15 else np.nan
        assert z[night] == pytest.approx(expected, nan_ok=True)
    changed = values.copy()
    changed.iloc[50:] += 100
    pd.testing.assert_series_equal(polarisation.night_zscore(changed).iloc[:50], z.iloc[:50])
    assert polarisation.night_zscore(values * 0 + 3.3).isna().all()


def daily_wave(amplitudes, longitude, sampling_s=600.0):
    """Z with one sine a local day, of the amplitude given for that day."""
    n = round(86400 / sampling_s)
    wave = np.concatenate([a * np.sin(2 * np.pi * np.arange(n) / n) for a in amplitudes])
    start = pd.Timestamp("2020-01-01") - pd.Timedelta(hours=longitude / 15)
    return record(np.stack([wave * 0, wave * 0, wave + 30000]), start, sampling_s, longitude)


def test_diurnal_ratio():
    """Ranges of 20 and 40 over 10 nT: 2 and 4; an incomplete day is missing."""
    target, reference = daily_wave([10, 20, 10], 105.0), daily_wave([5, 5, 5], 105.0)
    assert polarisation.diurnal_ratio(target, reference).tolist() == pytest.approx([2, 4, 2])
    target.Z[150:180] = np.nan
    assert polarisation.diurnal_ratio(target, reference).isna().tolist() == [False, True, False]


def test_diurnal_anomaly_is_flagged_when_it_comes():
    """A drop of ten days after 400 quiet ones, and the ten days after, whose mean holds it; none before."""
    quiet = pd.Series(2 + .1 * np.random.default_rng(3).normal(size=500), pd.date_range("2020", periods=500))
    odd = quiet.copy()
    odd.iloc[400:410] = .5
    before, after = polarisation.diurnal_anomaly(quiet), polarisation.diurnal_anomaly(odd)
    pd.testing.assert_frame_equal(before[:400], after[:400])
    assert after.flag[401:419].all() and not after.flag[:244].any()
    day = quiet.index[450]
    smooth = quiet.rolling(15, min_periods=10).mean()
    past = smooth[day - pd.Timedelta(days=365):day - pd.Timedelta(days=1)]
    assert before.loc[day, ["smooth", "mean", "sd"]].tolist() == pytest.approx(
        [quiet[day - pd.Timedelta(days=14):day].mean(), past.mean(), past.std()])
    assert before.flag[260:].mean() < .3


def test_bad_input_is_named():
    twice = pd.Series([1.0, 2.0], pd.to_datetime(["2020-01-01", "2020-01-01"]))
    with pytest.raises(InputError, match="one station"):
        polarisation.night_zscore(twice)
    with pytest.raises(InputError, match="0.05 Hz"):
        polarisation.nightly_ratio(record(noise(1)), (.06, .4))
    with pytest.raises(InputError, match="hold 1024 s"):
        polarisation.nightly_ratio(record(noise(1)), hours=(0, .2))
