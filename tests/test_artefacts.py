"""Instrument and culture on the synthetic record (validity.md C6, C11)."""

import dataclasses
import pickle
import time

import numpy as np
import pandas as pd
import pytest

from lib.earth import artefacts
from lib.earth.artefacts import Artefacts
from lib.earth.field import World
from lib.files import InputError
from lib.studies import WorldSpec

SPEC = WorldSpec(start="2019-01-01", years=0.5, snr=0.0)
NONE = Artefacts(quantum_nt=0, spikes_per_day=0, steps_per_day=0, gaps_per_day=0, trains_per_hour=(0, 0),
                 mains_nt=0, drift_per_year=0, replacement_sd=0)
START = "2019-02-01"
DAY_S = 86400
NO_STATION = dataclasses.make_dataclass("Station", [("key", int), ("longitude", float), ("culture", float)])


def only(**change):
    """One item of C6 alone."""
    return dataclasses.replace(NONE, **change)


def added(item, n, start_s=0, longitude=0.0, culture=0.8, days=400, seed=3):
    """Return what an item adds to a record of zeros, (3, n), from the world's start."""
    history = artefacts.draw_history(NO_STATION(5, longitude, culture), seed, 0, days, item)
    hours = range(1 + start_s // 3600, 1 + (start_s + n) // 3600)
    zero = np.zeros((3, 3600), np.float32)
    return np.concatenate([artefacts.apply_hour(zero, history, h, seed, item) for h in hours], axis=1)


@pytest.fixture(scope="module")
def plain():
    return World(7, SPEC)


def test_without_artefacts_the_bits_are_the_same(plain):
    """Default off, and everything at zero, change no byte of a record."""
    record = plain.window("SCN", START, 20000)
    for world in (World(7, SPEC, artefacts=None), World(7, SPEC, artefacts=NONE)):
        assert world.window("SCN", START, 20000).tobytes() == record.tobytes()


def test_any_start_length_and_order_gives_the_same_bits():
    """C0 holds with artefacts on, gaps and pickling included."""
    world = World(7, SPEC, artefacts=Artefacts(gaps_per_day=4.0, gap_s=(100.0, 900.0), steps_per_day=3.0))
    start = pd.Timestamp("2019-03-02T22:17:05")
    whole = world.window("SKB", start, 30000)
    assert 0 < np.isnan(whole).sum() < whole.size / 2
    for w in (world, pickle.loads(pickle.dumps(world))):
        for first, n in ((20000, 10000), (0, 1), (7000, 3600), (2574, 3601)):
            part = w.window("SKB", start + pd.Timedelta(seconds=first), n)
            np.testing.assert_array_equal(part, whole[:, first:first + n])


@pytest.mark.slow
def test_gaps_do_not_know_the_earthquakes():
    """T-C11: missing samples are the same without a catalogue and at any snr, so no class can own them."""
    often = Artefacts(gaps_per_day=2.0)
    world = World(7, SPEC, artefacts=often)
    empty = World(7, SPEC, catalog=world.catalog.iloc[:0], artefacts=often)
    for code in ("SCN", "LWK"):
        one, strong, other = (w.window(code, START, 2 * DAY_S, snr=snr) for w, snr in (
            (world, 0.0), (world, 30.0), (empty, 0.0)))
        assert 0 < np.isnan(one).sum() < one.size
        np.testing.assert_array_equal(np.isnan(strong), np.isnan(one))
        np.testing.assert_array_equal(other, one)


def test_values_are_multiples_of_the_quantum(plain):
    """0.01 nT, to what float32 resolves at 40 000 nT; the error is that of rounding."""
    x = World(7, SPEC, artefacts=only(quantum_nt=0.01)).window("SCN", START, 7200).astype(float)
    assert np.abs(x - np.round(x, 2)).max() < 0.002
    error = x - plain.window("SCN", START, 7200)
    assert np.abs(error).max() < 0.005 + 0.004 and abs(error.std() / (0.01 / np.sqrt(12)) - 1) < 0.25


@pytest.mark.slow
def test_spikes_have_their_rate_size_and_length():
    """Two a day, median 2 nT, 1 to 3 s, both signs, one component each."""
    x = added(only(spikes_per_day=2.0), 400 * DAY_S - 7200)
    on = np.flatnonzero(np.abs(x).max(axis=0) > 0)
    runs = np.split(on, np.flatnonzero(np.diff(on) > 1) + 1)
    assert abs(len(runs) - 800) < 3 * np.sqrt(800)
    assert {len(r) for r in runs} <= {1, 2, 3, 4, 5, 6} and np.mean([len(r) <= 3 for r in runs]) > 0.99
    size = np.abs(x[:, [r[0] for r in runs]]).max(axis=0)
    assert abs(np.log(np.median(size) / 2)) < 0.15 and abs(np.log(size).std() - 1) < 0.1
    assert abs(np.mean(x[:, on].sum(axis=0) > 0) - 0.5) < 0.08


@pytest.mark.slow
def test_steps_stay_and_have_their_size():
    """Their number follows 1/60 d; between steps the baseline is constant, each jump 2 to 10 nT."""
    item = only(steps_per_day=1 / 6)
    x = added(item, 100 * DAY_S)
    jumps = np.diff(x.astype(float), axis=1)
    jumps = jumps[jumps != 0]
    assert 6 <= len(jumps) <= 30
    assert (np.abs(jumps) > 1.99).all() and (np.abs(jumps) < 10.01).all()
    drawn = [len(artefacts.draw_history(NO_STATION(k, 0.0, 0.8), 1, 0, 6000, Artefacts()).step_s)
             for k in range(20)]
    assert abs(np.mean(drawn) - 100) < 3 * np.sqrt(100 / 20)


def test_gaps_have_their_rate_and_length():
    """One in 30 days, 10 min to a day, in all components at once."""
    gaps = np.concatenate([artefacts.draw_history(NO_STATION(k, 0.0, 0.8), 1, 0, 3000, Artefacts()).gap_s
                           for k in range(10)])
    assert abs(len(gaps) - 1000) < 3 * np.sqrt(1000)
    length = gaps[:, 1] - gaps[:, 0]
    assert length.min() >= 599 and length.max() <= DAY_S
    assert abs(np.median(length) / np.sqrt(600 * DAY_S) - 1) < 0.2
    x = added(only(gaps_per_day=1.0), 20 * DAY_S)
    missing = np.isnan(x)
    assert missing.any() and (missing == missing[0]).all()


def test_trains_run_by_day_where_there_is_culture():
    """None from 00 to 05 local time beyond the tail of 180 s, none at a rural station; mostly on Z."""
    item = only(trains_per_hour=(1, 3))
    x = added(item, 30 * DAY_S - 3600)
    hour = (3600 + np.arange(x.shape[1])) % DAY_S
    night = (hour >= 180) & (hour < 5 * 3600)
    assert not x[:, night].any() and x[:, ~night].any()
    rms = np.sqrt((x.astype(float) ** 2).mean(axis=1))
    assert rms[2] > 3 * rms[0] > 0
    assert 0.2 < np.abs(x[2]).max() < 3 * 0.5         # at most some at once
    assert not added(item, 5 * DAY_S, culture=0.0).any()


def test_one_train_lasts_one_to_three_minutes():
    x = added(only(trains_per_hour=(1, 1)), 200 * 3600)
    on = np.flatnonzero(np.abs(x[2]) > 0)
    runs = np.split(on, np.flatnonzero(np.diff(on) > 1) + 1)
    whole = [r for r in runs[1:-1] if len(r) <= 180]
    assert len(whole) > 0.8 * len(runs) and min(map(len, whole)) >= 60
    peaks = np.array([np.abs(x[2, r]).max() for r in whole])
    assert peaks.min() > 0.049 and peaks.max() < 0.501


def test_mains_is_one_line_below_its_limit_and_without_edges():
    """50 Hz + delta at 1 Hz sampling is a line at |delta|, its phase continuous over hours."""
    x = added(only(mains_nt=0.02), 50 * 3600)[0].astype(float)
    assert abs(x.std() - 0.02 / np.sqrt(2)) < 5e-4 and np.abs(x).max() <= 0.02 + 1e-7
    assert np.abs(np.diff(x)).max() <= 2 * np.pi * 0.15 * 0.02
    power = np.abs(np.fft.rfft(x)) ** 2
    frequency = np.fft.rfftfreq(len(x))
    assert power[frequency <= 0.155].sum() / power.sum() > 0.999
    history = artefacts.draw_history(NO_STATION(5, 0.0, 0.8), 3, 0, 400, Artefacts())
    assert np.abs(history.mains_hz).max() <= 0.15 and history.mains_hz.std() == pytest.approx(0.05, rel=0.1)


def test_gain_grows_by_half_a_percent_a_year_and_one_sensor_is_replaced():
    """The replacement falls anywhere in the span; it starts the drift afresh with a gain of its own."""
    item = only(drift_per_year=0.005, replacement_sd=0.05)
    dates, factors = [], []
    for key in range(200):
        history = artefacts.draw_history(NO_STATION(key, 0.0, 0.8), 1, 0, 1000, item)
        before = artefacts.gain(history, history.replaced_hour - 1, item) if history.replaced_hour else None
        if before is not None:
            years = (history.replaced_hour - 1) / 8766
            np.testing.assert_allclose(before, 1 + 0.005 * years, rtol=1e-12)
        after = artefacts.gain(history, history.replaced_hour + 8766, item)
        np.testing.assert_allclose(after, 1.005 * history.factor, rtol=1e-12)
        dates.append(history.replaced_hour / 24)
        factors.append(history.factor)
    assert abs(np.mean(dates) - 500) < 3 * 1000 / np.sqrt(12 * 200)
    assert abs(np.std(factors) - 0.05) < 0.006


def test_gain_acts_on_the_variation_and_not_on_the_main_field(plain):
    world = World(7, SPEC, artefacts=only(replacement_sd=0.05))
    place = world.stations.set_index("code").loc["SCN"]
    main = np.array([[place.h_nt], [0.0], [place.z_nt]])
    late = pd.Timestamp("2019-06-29")
    one, other = (w.window("SCN", late, 3600).astype(float) - main for w in (plain, world))
    factor = world._place("SCN").history.factor
    np.testing.assert_allclose(other, factor[:, None] * one, atol=0.005)
    assert np.abs(factor - 1).max() > 0.005


def test_an_hour_costs_less_than_three_milliseconds():
    """Median of the artefacts alone; the budget of C0 is 3 ms a window of one hour."""
    item = Artefacts()
    history = artefacts.draw_history(NO_STATION(5, 0.0, 0.8), 3, 0, 2000, item)
    zero, spent = np.zeros((3, 3600), np.float32), []
    for hour in range(1, 60):
        begin = time.perf_counter()
        artefacts.apply_hour(zero, history, hour, 3, item)
        spent.append(time.perf_counter() - begin)
    assert np.median(spent) < 3e-3


@pytest.mark.parametrize("change", [{"quantum_nt": -1.0}, {"gap_s": (900.0, 60.0)}, {"mains_nt": np.nan}])
def test_impossible_constants_are_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        Artefacts(**change)
