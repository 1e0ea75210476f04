"""Synthetic earthquakes (validity.md C7)."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.earth import seismicity
from lib.earth.stations import distance_azimuth, indonesian_stations
from lib.files import InputError

COLUMNS = ["event_id", "time", "latitude", "longitude", "depth_km", "magnitude", "magnitude_type",
           "source", "cluster_id"]


@pytest.fixture(scope="module", params=["poisson", "etas"])
def catalog(request):
    return seismicity.simulate_catalog(5, "2018-01-01", 12, request.param)


def test_catalogue_keeps_the_schema(catalog):
    assert list(catalog.columns) == COLUMNS
    assert catalog.event_id.is_unique and catalog.time.is_monotonic_increasing
    assert catalog.time.dtype == "datetime64[ns]"
    assert catalog.time.min() >= pd.Timestamp("2018-01-01")
    assert catalog.time.max() < pd.Timestamp("2030-01-02")
    assert catalog.magnitude.between(4.5, 8).all() and (catalog.depth_km > 0).all()


def test_b_value_is_one(catalog):
    """T-C7a: |b - 1| < .06 for n > 2000, by the Aki-Utsu formula for continuous magnitudes."""
    assert len(catalog) > 2000
    b = math.log10(math.e) / (catalog.magnitude.mean() - 4.5)
    assert abs(b - 1) < 0.06


def test_share_of_large_events_follows_the_truncated_law():
    """P(M >= 6 | M >= 5) = .0991 (C7), from the inverse distribution itself."""
    m = seismicity.truncated_magnitudes((np.arange(200_000) + 0.5) / 200_000)
    assert (m >= 6).sum() / (m >= 5).sum() == pytest.approx(0.0991, abs=1e-4)


def test_share_of_large_events_in_a_catalogue(catalog):
    n = (catalog.magnitude >= 5).sum()
    share = (catalog.magnitude >= 6).sum() / n
    assert abs(share - 0.0991) < 4 * math.sqrt(0.0991 * 0.9009 / n)


def test_rate_is_two_hundred_a_year():
    """Both clusterings have the same mean rate, aftershocks included."""
    for clustering, tolerance in (("poisson", 0.05), ("etas", 0.12)):
        n = np.mean([(seismicity.simulate_catalog(s, "2018-01-01", 12, clustering).magnitude >= 5).sum()
                     for s in range(3)])
        assert n / 12 == pytest.approx(200, rel=tolerance)


def test_productivity_gives_the_branching_ratio():
    """Kappa = .124887 for n = .5 (C7), and the mean number of offspring of simulated magnitudes is .5."""
    kappa = seismicity.productivity(0.5)
    assert kappa == pytest.approx(0.124887, abs=5e-7)
    m = seismicity.truncated_magnitudes((np.arange(200_000) + 0.5) / 200_000)
    assert (kappa * 10 ** (0.8 * (m - 4.5))).mean() == pytest.approx(0.5, rel=5e-3)


@pytest.mark.parametrize(("days", "p", "fraction"),
                         [(1, 1.2, 0.603), (365, 1.2, 0.878), (1, 1.1, 0.370), (365, 1.1, 0.650)])
def test_omori_fractions(days, p, fraction):
    """The fractions of C7."""
    assert seismicity.omori_fraction(days, p=p) == pytest.approx(fraction, abs=5e-4)


def test_waiting_times_follow_omori():
    """Direct offspring of one large parent: .603 of them within a day."""
    rng = np.random.default_rng(0)
    parent = pd.DataFrame({"days": [0.0], "longitude": [100.0], "latitude": [0.0], "depth_km": [20.0],
                           "magnitude": [8.0], "family": [7]})
    children = seismicity._offspring(rng, parent, 10.0, last_day=1e30)
    n = len(children)
    assert n > 4000 and (children.family == 7).all()
    assert abs((children.days < 1).mean() - 0.603) < 4 * math.sqrt(0.603 * 0.397 / n)


def test_families_are_clusters():
    """ETAS: half of the events have parents; Poisson: none has, and waiting times are exponential."""
    poisson = seismicity.simulate_catalog(2, "2018-01-01", 12, "poisson")
    etas = seismicity.simulate_catalog(2, "2018-01-01", 12, "etas")
    assert poisson.cluster_id.is_unique
    assert etas.cluster_id.nunique() / len(etas) == pytest.approx(0.5, abs=0.08)
    spread = [c.time.diff().dt.total_seconds().std() / c.time.diff().dt.total_seconds().mean()
              for c in (poisson, etas)]
    assert spread[0] == pytest.approx(1, abs=0.06) and spread[1] > 1.15


def test_geography_reproduces_the_published_confounding(catalog):
    """TRD has next to no M >= 5 within 200 km; stations of the arcs have a few every year (C7)."""
    large = catalog[catalog.magnitude >= 5]
    stations = indonesian_stations().set_index("code")

    def per_year(code):
        place = stations.loc[code]
        distance, _ = distance_azimuth(place.latitude, place.longitude, large.latitude, large.longitude)
        return (distance < 200).sum() / 12

    assert per_year("TRD") <= 0.5
    for code in ("GSI", "SCN", "LWA", "ALR", "TND"):
        assert 1 <= per_year(code) <= 20


def test_same_seed_same_catalogue_other_seed_another():
    a, b, c = (seismicity.simulate_catalog(s, "2018-01-01", 2, "etas") for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert len(a) != len(c) or not a.time.equals(c.time)


@pytest.mark.parametrize("change", [{"clustering": "hawkes"}, {"years": 0}, {"years": float("nan")},
                                    {"branching": 1.0}])
def test_bad_arguments_are_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        seismicity.simulate_catalog(**{"seed": 1, "start": "2018-01-01", "years": 1, **change})
