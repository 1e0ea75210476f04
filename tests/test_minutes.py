"""Minute values from seconds, and bands that minutes cannot hold."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib.earth import field, minutes
from lib.earth.filters import design_band
from lib.earth.precursor import Shape
from lib.files import InputError
from lib.studies import WorldSpec

SPEC = WorldSpec(start="2019-01-01", years=0.1, snr=0.0)


def a_record(x, start="2020-03-01", sampling_s=60.0, **attrs):
    """Record of three like components."""
    x = np.asarray(x, float)
    time = np.datetime64(start, "ns") + (np.arange(x.shape[-1]) * round(sampling_s * 1e9)).astype("m8[ns]")
    channels = {c: ("time", x if x.ndim == 1 else x[k]) for k, c in enumerate("HDZ")}
    return xr.Dataset(channels, {"time": time}, {"station": "SCN", "sampling_s": sampling_s, "source": "made",
                                                 **attrs})


# --- seconds to minutes -------------------------------------------------------------------------------

def test_a_mean_is_the_mean_of_its_sixty_seconds():
    x = np.random.default_rng(0).normal(45_000, 5, (3, 600)).astype(np.float32)
    np.testing.assert_allclose(minutes.to_minutes(x), x.astype(float).reshape(3, 10, 60).mean(-1), rtol=1e-14)


def test_gaussian_minutes_are_those_of_a_plain_loop():
    """91 weights exp(-t^2 / 2 15.8734^2) around the minute, normalised; straight lines pass unchanged."""
    x = np.random.default_rng(1).normal(0, 1, 60 * 4 + 91)
    t = np.arange(-45, 46)
    weights = np.exp(-0.5 * (t / 15.8734) ** 2)
    expected = [np.sum(weights * x[60 * k:60 * k + 91]) / weights.sum() for k in range(5)]
    np.testing.assert_allclose(minutes.to_minutes(x, "gauss"), expected)
    line = minutes.to_minutes(np.arange(60 * 4 + 91.0), "gauss")
    np.testing.assert_allclose(line, 45 + 60 * np.arange(5))


def test_a_tenth_of_the_seconds_may_be_missing():
    """54 seconds of 60 make a minute, 53 do not; the mean is that of what is there."""
    x = np.arange(120.0)
    x[:6] = np.nan
    np.testing.assert_allclose(minutes.to_minutes(x), [32.5, 89.5])
    x[6] = np.nan
    assert np.isnan(minutes.to_minutes(x)[0])


@pytest.mark.parametrize("how", ["mean", "gauss"])
def test_gain_is_what_a_sine_keeps(how):
    """Amplitude of minute values of a sine in the planted band, against `gain`."""
    f = 0.004
    x = np.sin(2 * np.pi * f * np.arange(60 * 249 + minutes.kernel(how).size))
    kept = np.sqrt(2) * minutes.to_minutes(x, how).std()
    assert kept == pytest.approx(float(minutes.gain(f, how)), rel=0.01)
    assert minutes.gain(0.02, "gauss") < 0.2 < 0.8 < minutes.gain(0.004, "gauss")


def test_a_record_of_seconds_starts_at_its_first_whole_minute():
    record = a_record(np.arange(400.0), "2020-03-01T00:00:50", 1.0, latitude=1.0)
    made = minutes.minute_record(record)
    assert str(made["time"].values[0]) == "2020-03-01T00:01:00.000000000"
    assert made["H"].values.tolist() == [np.arange(10, 70).mean() + 60 * k for k in range(6)]
    assert made.attrs["sampling_s"] == 60.0 and made.attrs["latitude"] == 1.0
    centred = minutes.minute_record(record, "gauss")
    assert str(centred["time"].values[0]) == "2020-03-01T00:02:00.000000000"
    np.testing.assert_allclose(centred["Z"].values[0], 70.0)
    with pytest.raises(InputError, match="sampling_s"):
        minutes.minute_record(made)


# --- worlds -------------------------------------------------------------------------------------------

def test_minutes_of_a_world_are_the_means_of_its_seconds_in_any_cut():
    """Over midnight and in two parts: the same bits as the means of `World.window`."""
    world = field.World(7, SPEC)
    start = pd.Timestamp("2019-01-04T23:00")
    whole = minutes.minute_means(world, "SCN", start, 1500)
    seconds = world.window("SCN", start, 90_000).astype(float)
    np.testing.assert_allclose(whole, seconds.reshape(3, 1500, 60).mean(-1), rtol=1e-12)
    part = minutes.minute_means(world, "SCN", start + pd.Timedelta(minutes=700), 100)
    np.testing.assert_array_equal(part, whole[:, 700:800])
    centred = minutes.minute_means(world, "SCN", start, 1500, how="gauss")
    np.testing.assert_array_equal(centred[:, 1440:], minutes.minute_means(
        world, "SCN", start + pd.Timedelta(minutes=1440), 60, how="gauss"))
    assert 0 < np.abs(centred - whole).max() < 20


@pytest.fixture(scope="module")
def planted():
    """Find a world with its precursor in 0.001-0.008 Hz, a station, a start three days before an event."""
    world = minutes.minute_world(7, WorldSpec(start="2019-01-01", years=0.3, snr=30.0))
    for code in world.stations.code:
        times = world.effects(code).time_s
        times = times[times > times.min() + 20 * 86400] if len(times) else times
        if len(times):
            return world, code, pd.Timestamp(int(times[0]) // 60 * 60 - 3 * 86400, unit="s")
    raise AssertionError("no event near any station")


def _kept(world, code, start, how):
    """Rms of the planted signal in minute values over that in seconds, 12 h."""
    values = [minutes.minute_means(world, code, start, 720, snr=snr, how=how, allow_vanishing=True)
              for snr in (30.0, 0.0)]
    seconds = np.subtract(*(world.window(code, start, 43_200, snr).astype(float) for snr in (30.0, 0.0)))
    return (values[0] - values[1]).std() / seconds.std()


@pytest.mark.parametrize("how", ["mean", "gauss"])
def test_a_precursor_between_1_and_8_mhz_stays_in_minute_values_and_one_above_does_not(planted, how):
    """What is left is the rms gain over the band: 0.8 below the Nyquist frequency, 0.2 (aliased) above it."""
    world, code, start = planted
    fast = field.World(7, world.spec)
    for one in (world, fast):
        band = np.linspace(*one.shape.band_hz, 400)
        expected = np.sqrt((minutes.gain(band, how) ** 2).mean())
        assert _kept(one, code, start, how) == pytest.approx(expected, rel=0.15)
    assert _kept(fast, code, start, how) < 0.27 < 0.75 < _kept(world, code, start, how)


def test_a_band_above_the_nyquist_frequency_is_refused_with_its_number(planted):
    """0.01-0.05 Hz at one sample a minute: refused, naming 0.008333 Hz, unless asked to show it vanish."""
    world, code, start = planted
    fast = field.World(7, world.spec)
    with pytest.raises(InputError, match="0.008333 Hz, the Nyquist frequency"):
        minutes.minute_means(fast, code, start, 10)
    minutes.minute_means(fast, code, start, 10, snr=0.0)
    with pytest.raises(InputError, match="Nyquist"):
        minutes.minute_world(1, SPEC, band_hz=(0.001, 0.02))


def test_only_the_band_of_a_given_shape_is_replaced():
    world = minutes.minute_world(1, SPEC, shape=Shape(lead_days=3.0))
    assert (world.shape.lead_days, world.shape.band_hz) == (3.0, minutes.PLANTED_BAND_HZ)
    assert Shape() == field.World(1, SPEC).shape


def test_the_published_corner_is_refused_at_one_sample_a_minute():
    """K1: 0.02 Hz is above 0.00833 Hz; 1e-5 Hz, which removes the daily wave, is possible."""
    for side in ("low_hz", "high_hz"):
        with pytest.raises(InputError, match=r"Nyquist frequency 0\.00833333 Hz of 60 s sampling"):
            design_band(60.0, **{side: 0.02})
    assert design_band(60.0, low_hz=1e-5).shape == (2, 6)


@pytest.mark.parametrize("call", [
    lambda: minutes.to_minutes(np.zeros(90)), lambda: minutes.to_minutes(np.zeros(60), "median"),
    lambda: minutes.minute_means(field.World(7, SPEC), "SCN", "2019-01-02", 0)])
def test_bad_input_is_named(call):
    with pytest.raises(InputError):
        call()
