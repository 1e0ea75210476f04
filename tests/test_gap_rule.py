"""The gap rule of S4: what is filled, what is dropped, and that it is counted."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib.earth import field, minutes
from lib.earth.gap_rule import fill_window, load_windows, record_reader
from lib.earth.records import cut, fill_gaps
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


def test_gaps_below_three_minutes_are_filled_and_longer_ones_are_not():
    """Two missing minutes take the window's own mean, three drop it; as `fill_gaps` on the cut window."""
    x = np.random.default_rng(2).normal(100, 5, (3, 60))
    x[0, 10:12] = x[2, 59] = np.nan
    filled, reason, longest, count = fill_window(x)
    assert (reason, longest, count) == ("", 2, 3)
    expected = fill_gaps(cut(a_record(x), "2020-03-01", 60), "mean_3min")
    np.testing.assert_allclose(filled, [expected[c] for c in "HDZ"])
    x[0, 12] = np.nan
    assert fill_window(x)[1:] == ("gap", 3, 0)
    x[1] = np.nan
    assert fill_window(x)[1] == "no sample"


def test_dropped_windows_are_counted_and_named():
    """Four windows of an hour: whole, a short gap, a long gap, outside the record."""
    x = np.random.default_rng(3).normal(0, 1, 240)
    x[70:72], x[130:140] = np.nan, np.nan
    read = record_reader({"SCN": a_record(x)})
    start = pd.date_range("2020-03-01", periods=3, freq="h").append(pd.DatetimeIndex(["2020-02-01"]))
    windows = pd.DataFrame({"window_id": list("abcd"), "station": "SCN", "start": start})
    values, kept, dropped = load_windows(windows, read, minutes.LENGTHS["hour"])
    assert values.shape == (2, 3, 60) and np.isfinite(values).all()
    assert kept[["window_id", "filled"]].values.tolist() == [["a", 0], ["b", 6]]
    assert dropped.values.tolist() == [["c", "gap", 10], ["d", "no sample", 60]]
    np.testing.assert_array_equal(values[0, 1], x[:60])


def test_windows_of_a_world_are_read_the_same_way():
    world = field.World(7, SPEC)
    start = pd.to_datetime(["2019-01-09T05:00"])
    windows = pd.DataFrame({"window_id": ["a"], "station": "SCN", "start": start})
    values, kept, dropped = load_windows(windows, partial(minutes.minute_means, world), 60)
    np.testing.assert_array_equal(values[0], minutes.minute_means(world, "SCN", "2019-01-09T05:00", 60))
    assert len(kept) == 1 and dropped.empty


def test_a_reader_can_be_pickled_and_names_what_it_cannot_read():
    read = record_reader({"SCN": a_record(np.arange(100.0))})
    again = pickle.loads(pickle.dumps(read))
    np.testing.assert_array_equal(again("SCN", "2020-03-01T00:10", 5), np.tile(np.arange(10.0, 15.0), (3, 1)))
    assert np.isnan(read("SCN", "2020-02-29T23:58", 4)[:, :2]).all()
    with pytest.raises(InputError, match="station"):
        read("TRD", "2020-03-01", 5)
    with pytest.raises(InputError, match="minutes"):
        read("SCN", "2020-03-01T00:00:30", 5)
    with pytest.raises(InputError, match="minute_record"):
        record_reader({"SCN": a_record(np.arange(9.0), sampling_s=1.0)})
