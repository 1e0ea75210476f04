"""Six-channel TEC images: equal to a loop over windows, causal, gaps masked and never zero."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import bench_tec
from lib import tec_images
from lib.files import InputError
from lib.scale import fit_scale
from lib.tec_images import CHANNELS, pad, six_channels

START = pd.Timestamp("2011-01-01")


@pytest.fixture(scope="module")
def series():
    return bench_tec.hourly_tec(160, seed=1)


@pytest.fixture(scope="module")
def starts():
    return START + pd.to_timedelta([15, 16, 16, 40.625, 130], unit="D")


def channel(images, name):
    return images[:, CHANNELS.index(name)]


def test_equal_to_a_loop_over_windows(series, starts):
    """Bit for bit what pandas gives window by window, at any starting hour and in any order."""
    fast = six_channels(series, starts[::-1])
    assert fast.images.dtype == np.float32 and fast.images.shape == (5, 6, 30, 24)
    np.testing.assert_array_equal(fast.images, bench_tec.pandas_loop(series, starts[::-1]))
    assert fast.mask.all() and fast.refused == () and fast.kept.tolist() == [0, 1, 2, 3, 4]


def test_rows_are_days_and_columns_hours(series, starts):
    image = six_channels(series, starts[:1]).images[0]
    assert image[0, 2, 5] == np.float32(series[START + pd.Timedelta(days=17, hours=5)])
    assert set(np.unique(image[4:])) == {0, 1} and not (image[4] * image[5]).any()


@pytest.mark.parametrize("polarity", ["binary", "amplitude"])
def test_the_future_changes_nothing(series, starts, polarity):
    """Other values after a window, and none at all, leave the bits of its image as they were."""
    one = six_channels(series, starts[:3], polarity=polarity)
    end = starts[2] + pd.Timedelta(days=30)
    changed = series.where(series.index < end, 1e4)
    for other in (changed, series[series.index < end]):
        np.testing.assert_array_equal(six_channels(other, starts[:3], polarity=polarity).images, one.images)


def test_channels_agree_with_each_other(series, starts):
    """LB <= M <= UB, and a polarity where and only where TEC is outside; the amplitude says by how much."""
    x = six_channels(series, starts).images
    tec, median, lower, upper, positive, negative = (channel(x, name) for name in CHANNELS)
    assert (lower <= median).all() and (median <= upper).all()
    tie = np.minimum(np.abs(tec - upper), np.abs(tec - lower)) < 1e-5       # equal in float32, not in float64
    assert tie.mean() < 0.01
    np.testing.assert_array_equal(positive[~tie], (tec > upper)[~tie])
    np.testing.assert_array_equal(negative[~tie], (tec < lower)[~tie])
    amplitude = six_channels(series, starts, polarity="amplitude").images
    np.testing.assert_allclose(channel(amplitude, "positive"), np.maximum(tec - upper, 0), atol=4e-6)
    np.testing.assert_allclose(channel(amplitude, "negative"), np.maximum(lower - tec, 0), atol=4e-6)


def test_gaps_are_masked_and_never_zero(series):
    """A gap, as NaN or as a missing row, takes the median, has no polarity, and is False in the mask."""
    gone = pd.date_range(START + pd.Timedelta(days=32, hours=4), periods=30, freq="h")
    for gappy in (series.mask(series.index.isin(gone)), series.drop(gone)):
        result = six_channels(gappy, [START + pd.Timedelta(days=30)])
        image, mask = result.images[0], result.mask[0]
        assert (~mask).sum() == 30 and not mask[2, 4:].any() and not mask[3, :10].any()
        np.testing.assert_array_equal(image[0][~mask], image[1][~mask])
        assert (image[:4] > 0).all() and not image[4:, ~mask].any()


def test_without_reference_the_last_bounds_hold(series):
    """After a lost fortnight the bounds of the day before it are carried on, and masked."""
    lost = (series.index >= START + pd.Timedelta(days=40)) & (series.index < START + pd.Timedelta(days=54))
    result = six_channels(series.mask(lost), [START + pd.Timedelta(days=30)], max_gap=0.99)
    whole = six_channels(series, [START + pd.Timedelta(days=30)])
    np.testing.assert_array_equal(result.images[0, :, :10], whole.images[0, :, :10])
    median, mask = result.images[0, 1], result.mask[0]
    assert np.isfinite(result.images).all() and not mask[10:].any() and mask[:10].all()
    reach = 15            # day 45 has ten days before it with values; day 46 has nine
    np.testing.assert_array_equal(median[reach + 1:], np.repeat(median[reach:reach + 1], 14, axis=0))


def test_windows_with_too_many_gaps_are_refused_or_dropped_by_name(series):
    starts = START + pd.to_timedelta([5, 30, 60, 140], unit="D")
    gappy = series.mask((series.index >= starts[2]) & (series.index < starts[2] + pd.Timedelta(days=4)))
    with pytest.raises(InputError, match="3 of 4 windows, the first: .*2011-01-06.*gaps"):
        six_channels(gappy, starts)
    result = six_channels(gappy, starts, on_gap="drop")
    assert result.kept.tolist() == [1] and len(result.images) == len(result.mask) == 1
    assert result.refused == ("2011-01-06 00:00:00: 16.7% gaps", "2011-03-02 00:00:00: 13.3% gaps",
                              "2011-05-21 00:00:00: outside the series")


def test_a_window_with_no_reference_at_all_is_never_kept(series):
    """However many gaps are allowed: there is nothing to fill it with but zero."""
    result = six_channels(series, [START], max_gap=1.0, on_gap="drop")
    assert result.images.shape == (0, 6, 30, 24) and "2011-01-01" in result.refused[0]


def test_pad_surrounds_scaled_images_with_zeros():
    """After scaling, the frame holds the training mean of every channel; the image is not touched."""
    x = bench_tec.hourly_tec(60, seed=2)
    x = six_channels(x, [START + pd.Timedelta(days=20)]).images
    mean, std = fit_scale(x)
    scaled = (x - mean[:, None, None]) / std[:, None, None]
    padded = pad(scaled)
    assert padded.shape == (1, 6, 32, 32) and padded.dtype == np.float32
    np.testing.assert_array_equal(padded[..., 1:31, 4:28], scaled)
    assert np.count_nonzero(padded) == np.count_nonzero(scaled)
    with pytest.raises(InputError, match="at least"):
        pad(x, (30, 20))


@pytest.mark.parametrize("change, message", [
    (lambda s: s.iloc[::-1], "increasing"),
    (lambda s: s.set_axis(s.index + pd.Timedelta("5min")), "full hours"),
    (lambda s: s.to_numpy(), "an hourly Series"), (lambda s: s.iloc[:0], "an hourly Series"),
    (lambda s: pd.concat([s, s.iloc[-1:]]), "none twice")])
def test_a_series_that_is_not_hourly_is_refused(series, starts, change, message):
    with pytest.raises(InputError, match=message):
        six_channels(change(series), starts)


def test_bad_starts_and_options_are_refused(series, starts):
    with pytest.raises(InputError, match="full hours"):
        six_channels(series, starts + pd.Timedelta(minutes=30))
    with pytest.raises(InputError, match="raise, drop"):
        six_channels(series, starts, on_gap="zero")


def test_the_loop_of_the_benchmark_is_a_loop(monkeypatch, series, starts):
    """The reference shares no code with what it judges."""
    monkeypatch.setattr(tec_images, "trailing_bounds", None)
    assert bench_tec.pandas_loop(series, starts).shape == (5, 6, 30, 24)
