"""The synthetic Earth as a whole (validity.md C0 and C11)."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, coherence, sosfiltfilt

from lib.earth import background, precursor
from lib.earth.field import World
from lib.files import InputError
from lib.studies import WorldSpec

SPEC = WorldSpec(start="2019-01-01", years=0.5, snr=2.0)
BAND = butter(4, [0.01, 0.05], "bandpass", fs=1, output="sos")


@pytest.fixture(scope="module")
def world():
    return World(7, SPEC)


@pytest.fixture(scope="module")
def active(world):
    """Find a station and a start at which a precursor is planted, three days before an event."""
    for code in world.stations.code:
        table = world.effects(code)
        inside = table.time_s[table.time_s > table.time_s.min() + 20 * 86400]
        if len(inside):
            return code, pd.Timestamp(int(inside[0]) - 3 * 86400, unit="s")
    raise AssertionError("no event near any station")


def _band_rms(x):
    x = np.asarray(x, float)
    return np.sqrt((sosfiltfilt(BAND, x - x.mean(axis=1, keepdims=True))[:, 300:-300] ** 2).mean(axis=1))


def test_any_start_length_and_order_gives_the_same_bits(world):
    """C0: overlapping windows agree on the overlap, whatever was asked before, in a fresh world too."""
    start = pd.Timestamp("2019-03-02T22:17:05")
    whole = world.window("SCN", start, 30000)
    assert whole.dtype == np.float32 and whole.shape == (3, 30000)
    for w in (world, World(7, SPEC)):
        for first, n in ((20000, 10000), (0, 1), (7000, 3600), (2574, 3601)):
            part = w.window("SCN", start + pd.Timedelta(seconds=first), n)
            np.testing.assert_array_equal(part, whole[:, first:first + n])


def test_other_stations_do_not_change_a_record(world):
    """A station's bits depend on its code, not on its neighbours or its row."""
    table = world.stations.iloc[[20, 3]].reset_index(drop=True)
    code = table.code[1]
    np.testing.assert_array_equal(World(7, SPEC, table).window(code, "2019-02-01", 5000),
                                  world.window(code, "2019-02-01", 5000))


def test_null_world_does_not_know_the_earthquakes(world, active):
    """T-C0a: snr 0 equals a world without catalogue, bit for bit."""
    code, start = active
    empty = World(7, SPEC, catalog=world.catalog.iloc[:0])
    null = world.window(code, start, 20000, snr=0.0)
    np.testing.assert_array_equal(null, empty.window(code, start, 20000))
    assert not np.array_equal(null, world.window(code, start, 20000))


def test_the_precursor_stream_is_not_drawn_at_snr_zero(world, active, monkeypatch):
    code, start = active

    def refuse(*_):
        raise AssertionError("drawn")

    monkeypatch.setattr(precursor, "effect_hour", refuse)
    world.window(code, start, 100, snr=0.0)
    with pytest.raises(AssertionError, match="drawn"):
        world.window(code, start, 100, snr=0.1)


def test_background_is_the_same_for_every_snr(world, active):
    """T-C0b: what snr adds is exactly proportional to snr; nothing else moves."""
    code, start = active
    null, one, four = (world.window(code, start, 20000, snr=s).astype(float) for s in (0.0, 1.0, 4.0))
    np.testing.assert_allclose(four - null, 4 * (one - null), atol=0.02)       # float32 of 40000 nT: .004
    row = world.stations.set_index("code", drop=False).loc[code]
    planted = precursor.precursor(world.catalog, row, start, 20000, 4.0, world.seed)
    np.testing.assert_allclose(four - null, planted, atol=0.005)
    assert np.abs(planted).max() > 0.1


def test_background_is_bit_equal_where_no_event_is_due(world):
    """T-C0b: outside lead windows snr changes no bit."""
    code = "TRD"
    table = world.effects(code)
    start = np.datetime64("2019-01-03")
    while any(abs(t - start.astype("datetime64[s]").astype(int)) < 12 * 86400 for t in table.time_s):
        start += np.timedelta64(1, "D")
    np.testing.assert_array_equal(world.window(code, start, 9000, 0.0), world.window(code, start, 9000, 30.0))


def test_band_rms_is_monotone_in_snr(world, active):
    """C11."""
    code, start = active
    rms = [_band_rms(world.window(code, start, 21600, s)).max() for s in (0.0, 3.0, 10.0, 30.0)]
    assert (np.diff(rms) > 0).all()


def test_worlds_of_different_seeds_are_uncorrelated(world):
    """C11: |r| < .05 in the ULF band."""
    other = World(8, SPEC)
    a, b = (sosfiltfilt(BAND, w.window("SCN", "2019-04-01T12:00", 12 * 3600, 0.0).astype(float)
                        - w.window("SCN", "2019-04-01T12:00", 1, 0.0)) for w in (world, other))
    for component in range(3):
        assert abs(np.corrcoef(a[component], b[component])[0, 1]) < 0.05


def test_stations_share_the_external_source():
    """C11: coherence of H between two stations in Pc3 exceeds .8 without site noise."""
    quiet = World(7, SPEC, physics=background.Physics(site_noise=0.0))
    a, b = (quiet.window(c, "2019-04-01", 12 * 3600, 0.0)[0] for c in ("SBG", "JYP"))
    f, c = coherence(a, b, 1.0, nperseg=1024)
    assert c[(f > 0.022) & (f < 0.1)].mean() > 0.8


def test_no_nan_in_any_class_or_source(world, active):
    """C11: no class-dependent NaN."""
    code, start = active
    for source in precursor.SOURCES:
        w = World(7, dataclasses.replace(SPEC, source=source, clustering="etas"))
        assert np.isfinite(w.window(code, start, 7200)).all()
        assert np.isfinite(w.window(code, start, 7200, 0.0)).all()


def test_main_field_is_the_stations(world):
    """C3: means are those of the station table, D about zero."""
    x = world.window("KPY", "2019-05-01T15:00", 3600, 0.0).mean(axis=1)
    np.testing.assert_allclose(x, [39653, 0, -18375], atol=120)


def test_hours_join_without_edges(world):
    """Steps between samples at the turn of an hour are as small as anywhere."""
    x = world.window("YOG", "2019-04-02", 48 * 3600, 0.0).astype(float)
    step = np.abs(np.diff(x, axis=1))
    edges = step[:, 3599::3600]
    assert (edges.mean(axis=1) < 2 * step.mean(axis=1)).all()


def test_a_world_can_be_pickled(world):
    """A worker process makes the same world from the same seed."""
    again = pickle.loads(pickle.dumps(world))
    where = "SCN", "2019-02-01", 100
    np.testing.assert_array_equal(again.window(*where), world.window(*where))


def test_the_whole_span_can_be_read(world):
    """First and last sample exist; one more does not."""
    end = pd.Timestamp("2019-01-01") + pd.Timedelta(days=183)
    assert np.isfinite(world.window("SCN", "2019-01-01", 10)).all()
    assert np.isfinite(world.window("SCN", end - pd.Timedelta(seconds=10), 10)).all()
    with pytest.raises(InputError, match="times from 2019-01-01"):
        world.window("SCN", end - pd.Timedelta(seconds=10), 11)
    with pytest.raises(InputError, match="times from 2019-01-01"):
        world.window("SCN", "2018-12-31T23:59:59", 11)


@pytest.mark.parametrize(("arguments", "match"), [
    (("XXX", "2019-02-01", 60), "SCN"), (("SCN", "never", 60), "start"), (("SCN", "2019-02-01", 0), "n"),
    (("SCN", "2019-02-01", 60, -1.0), "snr"), (("SCN", "2019-02-01", 60, float("nan")), "snr")])
def test_bad_windows_are_refused(world, arguments, match):
    with pytest.raises(InputError, match=match):
        world.window(*arguments)


@pytest.mark.parametrize(("change", "match"), [
    ({"years": 0.0}, "years"), ({"snr": -1.0}, "snr"), ({"source": "dyke"}, "vmd"),
    ({"amplitude_law": "inverse"}, "hattori"), ({"clustering": "hawkes"}, "etas"),
    ({"start": "soon"}, "start")])
def test_bad_specs_are_refused_at_once(change, match):
    with pytest.raises(InputError, match=match):
        World(1, dataclasses.replace(SPEC, **change))


def test_a_bad_seed_is_refused():
    with pytest.raises(InputError, match="seed"):
        World(-1, SPEC)
