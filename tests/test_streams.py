"""Random streams and joined blocks (validity.md C0)."""

import numpy as np
import pandas as pd
import pytest
from scipy import fft

from lib.earth import streams
from lib.files import InputError


def test_streams_of_different_purpose_place_or_hour_are_different():
    keys = [("common", 7, 3), ("site", 7, 3), ("site", 7, 4), ("site", 8, 3), ("site", 7), ("site", 7, 3, 0)]
    first = {float(streams.stream(1, *key).random()) for key in keys}
    assert len(first) == len(keys)
    assert float(streams.stream(2, *keys[0]).random()) not in first


def test_existing_stream_ids_never_move():
    assert streams.STREAMS[:11] == ("catalogue", "indices", "common", "incoherence", "site", "level",
                                    "constants", "artefacts", "precursor", "pulsations", "sq")


def _white(hour):
    spectrum = streams.unit_spectrum(np.random.default_rng(hour), 1)
    return fft.irfft(spectrum, streams.BLOCK_S) * streams.taper()


def test_unit_spectrum_has_a_one_sided_density_of_one():
    """White noise of one-sided PSD 1 per Hz sampled at 1 Hz has variance 1/2."""
    x = np.concatenate([streams.joined_hour(_white, h)[0] for h in range(1, 60)])
    assert x.var() == pytest.approx(0.5, rel=0.02)


def test_joined_hours_have_the_same_variance_everywhere_and_no_edges():
    """Neither the variance nor the step between samples knows where an hour begins."""
    hours = np.array([streams.joined_hour(_white, h)[0] for h in range(1, 400)])
    variance = (hours**2).reshape(len(hours), 12, 300).mean(axis=(0, 2))
    np.testing.assert_allclose(variance, 0.5, rtol=0.03)
    x = np.concatenate([_slow(h) for h in range(1, 200)])
    steps = np.abs(np.diff(x))
    at_edges = steps[streams.HOUR_S - 1::streams.HOUR_S]
    assert at_edges.mean() == pytest.approx(steps.mean(), rel=0.25)


def _slow(hour):
    """Noise below 2 mHz: an edge would stand out by a factor of a hundred."""
    def block(h):
        spectrum = streams.unit_spectrum(np.random.default_rng(h), 1)
        spectrum[:, 15:] = 0
        return fft.irfft(spectrum, streams.BLOCK_S) * streams.taper()
    return streams.joined_hour(block, hour)[0]


def test_hour_slices_cover_a_window_once_and_in_order():
    for first_s, n in ((0, 3600), (3599, 2), (5000, 20000), (7200, 1)):
        pieces = [np.arange(h * 3600, (h + 1) * 3600)[here]
                  for h, here, _ in streams.hour_slices(first_s, n)]
        np.testing.assert_array_equal(np.concatenate(pieces), np.arange(first_s, first_s + n))


@pytest.mark.parametrize("time", ["yesterday night", "1969-12-31", "2020-01-01T00:00:00.5", None,
                                  pd.NaT])
def test_an_instant_off_the_grid_is_refused(time):
    with pytest.raises(InputError, match="start"):
        streams.whole_second(time)


def test_a_time_zone_is_converted_to_utc():
    assert streams.whole_second("2020-01-01T07:00+07:00") == streams.whole_second("2020-01-01")


@pytest.mark.parametrize("n", [0, -5, 1.5, True, float("nan"), float("inf"), "60"])
def test_a_length_that_is_no_count_is_refused(n):
    with pytest.raises(InputError, match="n"):
        streams.positive_count(n)
