
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib import metrics, nulls, splits
from lib.earth import seismicity, stations
from lib.files import InputError
from lib.studies import WindowSpec

START, END = "2018-01-01", "2020-01-01"


@pytest.fixture(scope="module")
def catalog():
    return seismicity.simulate_catalog(1, START, 2.0, "etas")


@pytest.fixture(scope="module")
def windows():
    """Three stations, every fifth night; all quiet until a catalogue labels them."""
    start = pd.Timestamp(START) + pd.to_timedelta(np.repeat(np.arange(0, 725, 5), 3) + .6, "D")
    station = np.tile(["GSI", "SKB", "TRD"], 145)
    return pd.DataFrame({
        "window_id": [f"w{i}" for i in range(len(start))], "station": station, "start": start,
        "end": start + pd.Timedelta("6h"), "event_id": "", "cluster_id": "",
        "block_id": [f"q{i // 3}" for i in range(len(start))], "lookback_s": 0., "horizon_s": 7 * 86400.})


def test_a_shift_is_circular_and_keeps_gaps_and_families(catalog):
    """A shift by the span changes nothing; by 100 d it moves every event and keeps all gaps but one."""
    whole = nulls.shift_catalog(catalog, 730, START, END)
    assert (whole["time"].to_numpy() == catalog["time"].to_numpy()).all()
    moved = nulls.shift_catalog(catalog, 100, START, END)
    assert moved["time"].is_monotonic_increasing and set(moved["event_id"]) == set(catalog["event_id"])
    apart = (moved.set_index("event_id")["time"] - catalog.set_index("event_id")["time"]) / pd.Timedelta("1D")
    assert set(apart.round(9)) == {100.0, -630.0}
    cyclic = np.roll(moved["event_id"].to_numpy(), -int((apart < 0).sum()))
    assert (cyclic == catalog["event_id"].to_numpy()).all()
    back = nulls.shift_catalog(moved, -100, START, END)
    pd.testing.assert_frame_equal(back, catalog)


def test_relabelling_equals_a_search_of_the_catalogue(windows, catalog):
    """The largest event within 250 km in the week after the window, found one window at a time."""
    found = nulls.relabel(windows, catalog, stations.indonesian_stations())
    place = stations.indonesian_stations().set_index("code")
    for row in found.iloc[::5].itertuples():
        km, bearing = stations.distance_azimuth(place.latitude[row.station], place.longitude[row.station],
                                                catalog.latitude.to_numpy(), catalog.longitude.to_numpy())
        days = (catalog["time"] - row.end) / pd.Timedelta("1D")
        near = catalog[(km <= 250) & (catalog.depth_km <= 100) & (days >= 0) & (days < 7)]
        if near.empty:
            assert (row.event_id, row.magnitude_class, row.azimuth_class) == ("", "Normal", "Normal")
            assert row.block_id == f"q{row.Index // 3}" and np.isnan(row.magnitude)
        else:
            best = near.loc[near.magnitude.idxmax()]
            assert (row.event_id, row.cluster_id, row.block_id) == (best.event_id, best.cluster_id, "")
            assert row.magnitude == best.magnitude and 0 <= row.lead_days < 7
            assert row.azimuth_deg == pytest.approx(bearing[best.name])
    assert 20 < (found["event_id"] != "").sum() < 400
    assert list(splits.groups(found, "event"))                         # every window in one group
    with pytest.raises(InputError, match="stations"):
        nulls.relabel(windows.assign(station="XXX"), catalog, stations.indonesian_stations())


def test_a_window_that_turns_quiet_keeps_its_company(windows, catalog):
    """Windows of one former event stay one group."""
    first = nulls.relabel(windows, catalog, stations.indonesian_stations())
    none = catalog.assign(magnitude=4.5)
    again = nulls.relabel(first, none, stations.indonesian_stations(), WindowSpec(min_magnitude=5.0))
    assert (again["event_id"] == "").all()
    group = splits.groups(first, "event")
    assert pd.crosstab(group, splits.groups(again, "event")).gt(0).sum(axis=1).max() == 1


def rate(catalog):
    """Share the days of the true catalogue: a stand-in for a fit on a record that leaps on those days."""
    true = seismicity.simulate_catalog(1, START, 2.0, "etas")["time"].to_numpy()
    days = [set(((t - np.datetime64(START)) // np.timedelta64(1, "D")).tolist())
            for t in (true, catalog["time"].to_numpy())]
    return len(days[0] & days[1]) / len(days[1])


@pytest.mark.slow
def test_catalogue_nulls_see_a_real_relation_and_none_where_there_is_none(catalog):
    """A score that knows the true times reaches p = 1/(1+B); a score of the count alone does not."""
    for test in (nulls.time_shift_null, nulls.catalog_null):
        found = test(rate, catalog, START, END, draws=9, seed=3)
        assert (found.p, found.observed, found.draws, found.unit) == (1 / 10, 1.0, 9, "catalogue")
        assert test(lambda c: 1.0, catalog, START, END, draws=3).p == 1.0
    count = nulls.catalog_null(lambda c: float((c.magnitude >= 5).sum()), catalog, START, END, 19, 2)
    assert .05 < count.p < .95                                          # the rate is that of the catalogue
    with ThreadPoolExecutor(2) as pool:
        a, b = (nulls.time_shift_null(rate, catalog, START, END, 9, 5, executor=e) for e in (None, pool))
    assert a == b


def refit(feature, group):
    """Nearest class mean, fitted on even groups and tested on odd ones."""
    train = group % 2 == 0

    def score(labels):
        means = np.array([feature[train & (labels == k)].mean() if (train & (labels == k)).any() else 1e9
                          for k in (0, 1)])
        predicted = np.abs(feature[~train, None] - means).argmin(1)
        return float(metrics.mcc(metrics.confusion(labels[~train], predicted, 2)))
    return score


def test_refitted_permutation_finds_a_signal_and_moves_whole_events():
    """Planted: p = 1/(1+B). Labels stay constant within groups in every draw."""
    r = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 4)
    labels = np.repeat(np.arange(60) // 2 % 2, 4)
    seen = []

    def score(y):
        seen.append(np.array_equal(y, np.repeat(y[::4], 4)) and y.sum() == labels.sum())
        return refit(labels + .5 * r.normal(size=240), group)(y)
    found = nulls.permutation_refit(score, labels, group, 49, 1)
    assert found.p == 1 / 50 and all(seen) and len(seen) == 50 and found.n_units == 60


def test_refitted_permutation_is_calibrated_where_events_share_noise():
    """On 60 null tables whose events each share their noise, p <= 0.1 in about a tenth; p is uniform."""
    p = []
    for seed in range(60):
        r = np.random.default_rng(seed)
        group = np.repeat(np.arange(40), 4)
        labels = np.repeat(r.permutation(np.arange(40) % 2), 4)
        feature = np.repeat(r.normal(size=40), 4) + .1 * r.normal(size=160)
        p.append(nulls.permutation_refit(refit(feature, group), labels, group, 39, seed).p)
    assert np.mean(np.array(p) <= .1) <= .2
    assert stats.kstest(p, "uniform").pvalue > .01


def matched_table(seed, shift=0.0, n=24):
    """Feature, labels and unit of matched events: two windows a half, noise shared by an event's halves."""
    r = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n), 4)
    labels = np.tile([1, 1, 0, 0], n)
    half = np.repeat(r.normal(size=2 * n), 2)                     # each half has noise of its own
    return np.repeat(r.normal(size=n), 4) + half + shift * labels, labels, unit


def gain(feature, unit):
    """Difference of the halves in odd units, signed and weighted by that in even ones: no ties."""
    def difference(y, rows):
        return feature[rows & (y == 1)].mean() - feature[rows & (y == 0)].mean()
    return lambda y: difference(y, unit % 2 == 0) * difference(y, unit % 2 == 1)


def test_refitted_exchange_finds_a_signal_and_keeps_every_set_balanced():
    """Planted: p = 1/(1+B). Every draw flips whole units, and about half of them."""
    feature, labels, unit = matched_table(0, 3.0)
    seen = []

    def score(y):
        halves = y.reshape(-1, 2, 2)
        assert (halves[:, :, 0] == halves[:, :, 1]).all() and (halves.sum((1, 2)) == 2).all()
        seen.append((halves[:, 0, 0] == 0).mean())
        return refit(feature, unit)(y)
    found = nulls.exchange_refit(score, labels, unit, 99, 1)
    assert found.p == 1 / 100 and found.n_units == 24 and len(seen) == 100 and seen[0] == 0
    assert .45 < np.mean(seen[1:]) < .55
    assert found == nulls.exchange_refit(score, labels, unit, 99, 1)


@pytest.mark.slow
def test_refitted_exchange_is_calibrated_where_a_permutation_of_all_groups_is_not():
    """Over 150 null tables of matched pairs p <= 0.1 in a tenth, and p is uniform; unmatched, far fewer."""
    p, free = [], []
    for seed in range(150):
        feature, labels, unit = matched_table(seed)
        fit = gain(feature + 3 * np.repeat(np.random.default_rng(seed).normal(size=24), 4), unit)
        p.append(nulls.exchange_refit(fit, labels, unit, 39, seed).p)
        if seed < 60:
            free.append(nulls.permutation_refit(fit, labels, 2 * unit + labels, 39, seed).p)
    assert .05 < np.mean(np.array(p) <= .1) < .16
    assert stats.kstest(p, "uniform").pvalue > .01
    assert stats.kstest(free, "uniform").pvalue < .01


def test_unusable_nulls_are_named(catalog):
    with pytest.raises(InputError, match="of event 3"):
        nulls.permutation_refit(float, np.array([0, 1, 0, 1]), np.array([2, 2, 3, 3])[::-1], 9)
    with pytest.raises(InputError, match="two different"):
        nulls.permutation_refit(float, np.zeros(4), np.arange(4), 9)
    with pytest.raises(InputError, match="one label and one unit"):
        nulls.exchange_refit(float, np.zeros(4, int), np.arange(3), 9)
    with pytest.raises(InputError, match="120 days"):
        nulls.time_shift_null(rate, catalog, "2018-01-01", "2018-04-01")
    with pytest.raises(InputError, match="defined"):
        nulls.time_shift_null(lambda c: np.nan, catalog, START, END, 9)
    with pytest.raises(InputError, match="M >= 5"):
        nulls.catalog_null(rate, catalog[catalog.magnitude < 5], START, END, 9)
    with pytest.raises(InputError, match="end after"):
        nulls.shift_catalog(catalog, 3, END, START)
    with pytest.raises(InputError, match="earthquakes in the span"):
        nulls.shift_catalog(catalog, 3, "1990-01-01", "1991-01-01")


def image(x):
    """Return a record's log power in 16 x 32 blocks of its spectrum and time."""
    blocks = x.reshape(len(x), 32, -1)
    return np.log10(np.abs(np.fft.rfft(blocks, axis=2)[:, :, 1:17])**2).swapaxes(1, 2)


def smooth(x, width=60):
    """Apply the 60-sample moving average of validity.md E1.3."""
    kernel = np.ones(width) / width
    return np.stack([np.convolve(row, kernel, "same") for row in x])


def test_one_pipeline_for_all_classes_passes_the_render_null():
    """At chance in at least 9 of 10 seeds."""
    same = {"quiet": image, "event": image}
    assert sum(nulls.render_null(same, (2, 2048), 100, seed).passed for seed in range(10)) >= 9


@pytest.mark.parametrize("other", [
    lambda x: image(smooth(x)), lambda x: 1.05 * image(x),
    lambda x: np.where(np.arange(32) == 7, 0, image(x)),
    lambda x: np.sqrt(np.abs(image(x)))], ids=["moving average", "gain", "mask", "colour map"])
def test_a_pipeline_of_its_own_for_one_class_fails_it(other):
    found = nulls.render_null({"quiet": image, "event": other}, (2, 2048), 100)
    assert not found.passed and found.hits > found.high
    assert (found.n, found.low, found.high) == (100, 37, 63)


def test_render_null_refuses_what_it_cannot_compare():
    with pytest.raises(InputError, match="one shape"):
        nulls.render_null({"a": image, "b": lambda x: image(x)[:, :8]}, (2, 2048), 8)
    with pytest.raises(InputError, match="two or more"):
        nulls.render_null({"a": image}, (2, 2048), 8)
