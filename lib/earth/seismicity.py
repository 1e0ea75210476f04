"""Synthetic earthquakes along the arcs of Indonesia, Poisson or ETAS (layer 1; validity.md C7)."""

import math

import numpy as np
import pandas as pd

from lib.earth.streams import stream
from lib.files import InputError

M0 = 4.5                   # smallest magnitude (C7)
M_MAX = 8.0                # truncation (C7)
B_VALUE = 1.0              # Gutenberg-Richter slope (C7)
ALPHA = 0.8                # ETAS productivity (C7)
OMORI_C_DAYS = 0.01        # (C7)
OMORI_P = 1.2              # (C7)
BURN_IN_YEARS = 1.0        # ETAS starts earlier, so that the first year has its aftershocks too [D]
SCATTER_DEG = 0.6          # about the arcs (C7)
DAYS_PER_YEAR = 365.25
KM_PER_DEGREE = 111.19

# (longitude, latitude) in degrees; coarse, from memory (C7)
ARCS = {
    "Sunda": ((92.5, 8), (94, 3), (96.5, 0.5), (98.5, -2.5), (100.5, -4.5), (102.5, -6.5),
              (105, -8.3), (108, -9.4), (111, -10.2), (114, -10.7), (117, -11.1), (119.5, -11.2)),
    "Banda": ((121, -10.8), (124, -9.9), (127, -8.7), (130, -7.6), (131.5, -6), (130.8, -4.6)),
    "Molucca": ((126.3, 3.5), (126.2, 1), (126.4, -0.8)),
    "North Sulawesi": ((120, 1.7), (122.5, 1.6), (124.5, 1.9)),
    "Palu": ((119.8, -0.6), (120.4, -2)),
    "Papua": ((131, -0.9), (134, -1), (137, -1.8), (140, -2.6)),
    "Sumatra fault": ((95.3, 5.5), (97.5, 3.2), (99.2, 1.2), (100.4, -0.9), (102.3, -3.4),
                      (104.2, -5.3)),
}


def truncated_magnitudes(u: np.ndarray) -> np.ndarray:
    """Map uniform numbers to magnitudes of the truncated Gutenberg-Richter law.

    m = M0 - log10(1 - u (1 - 10^(-b (M_MAX - M0)))) / b. Source: validity.md C7.

    >>> truncated_magnitudes(np.array([0.0, 1.0])).round(6).tolist()
    [4.5, 8.0]
    """
    return M0 - np.log10(1 - u * (1 - 10 ** (-B_VALUE * (M_MAX - M0)))) / B_VALUE


def productivity(branching: float) -> float:
    """Return the ETAS constant kappa for which an event has `branching` offspring on average.

    n = kappa b / (b - alpha) (1 - 10^(-(b - alpha) dM)) / (1 - 10^(-b dM)). Source: validity.md C7.

    >>> round(productivity(0.5), 6)
    0.124887
    """
    span, excess = M_MAX - M0, B_VALUE - ALPHA
    per_kappa = (B_VALUE / excess * (1 - 10 ** (-excess * span))
                 / (1 - 10 ** (-B_VALUE * span)))
    return branching / per_kappa


def omori_fraction(days: float, c_days: float = OMORI_C_DAYS, p: float = OMORI_P) -> float:
    """Return the fraction of offspring that follow their parent within `days` (Omori's law).

    1 - (1 + T/c)^(1 - p). Source: validity.md C7.

    >>> round(omori_fraction(1.0), 3), round(omori_fraction(365.0), 3)
    (0.603, 0.878)
    """
    return 1 - (1 + days / c_days) ** (1 - p)


def simulate_catalog(seed: int, start, years: float, clustering: str = "poisson", *,
                     rate_m5_per_year: float = 200.0, branching: float = 0.5) -> pd.DataFrame:
    """Simulate earthquakes of M >= 4.5 along the arcs of Indonesia.

    Parameters
    ----------
    seed : int
        Seed of the world.
    start : str or datetime-like
        First instant, UTC.
    years : float
        Length, > 0.
    clustering : {"poisson", "etas"}
        Independent events, or families of aftershocks (Ogata 1998).
    rate_m5_per_year : float
        Mean number of M >= 5 a year, aftershocks included.
    branching : float
        Mean number of direct offspring of an ETAS event, in [0, 1).

    Returns
    -------
    pandas.DataFrame
        A catalogue sorted by time: event_id, time, latitude, longitude, depth_km, magnitude,
        magnitude_type, source, cluster_id. `cluster_id` is the true family.

    Raises
    ------
    InputError
        For an unknown clustering, a length that is not positive or a branching outside [0, 1).

    Notes
    -----
    Source: validity.md C7. Rates and arcs are orders of magnitude.

    When not to use: as a hazard model, or where the depth of a subducting slab matters.
    """
    _check(years, clustering, branching)
    rng = stream(seed, "catalogue")
    burn_in = BURN_IN_YEARS if clustering == "etas" else 0.0
    share = 1 - branching if clustering == "etas" else 1.0        # of events that have no parent
    total = rate_m5_per_year / _exceedance(5.0)
    n = rng.poisson(total * share * (years + burn_in))
    events = _background(rng, n, -burn_in * DAYS_PER_YEAR, years * DAYS_PER_YEAR)
    if clustering == "etas":
        events = _with_offspring(rng, events, productivity(branching), years * DAYS_PER_YEAR)
    return _as_catalog(events[events["days"] >= 0], start)


def _check(years, clustering, branching):
    if clustering not in ("poisson", "etas"):
        raise InputError("simulate_catalog", "clustering", clustering, "poisson or etas")
    if not years > 0:
        raise InputError("simulate_catalog", "years", years, "a positive number")
    if not 0 <= branching < 1:
        raise InputError("simulate_catalog", "branching", branching, "a number in [0, 1)")


def _exceedance(magnitude):
    """Probability that an event reaches a magnitude."""
    end = 10 ** (-B_VALUE * (M_MAX - M0))
    return (10 ** (-B_VALUE * (magnitude - M0)) - end) / (1 - end)


def _background(rng, n, first_day, last_day):
    """Draw n events without parents; every one begins a family."""
    longitude, latitude = _on_arcs(rng.random(n))
    return pd.DataFrame({
        "days": rng.uniform(first_day, last_day, n),
        "longitude": longitude + rng.normal(0, SCATTER_DEG, n),
        "latitude": latitude + rng.normal(0, SCATTER_DEG, n),
        "depth_km": rng.lognormal(math.log(25), 0.6, n),
        "magnitude": truncated_magnitudes(rng.random(n)),
        "family": np.arange(n),
    })


def _on_arcs(u):
    """Points at fractions u of the joint length of all arcs, (n,) degrees each."""
    pieces = np.array([(*a, *b) for arc in ARCS.values() for a, b in zip(arc, arc[1:], strict=False)])
    first, last = pieces[:, :2], pieces[:, 2:]
    end = np.cumsum(np.hypot(*(last - first).T))
    at = u * end[-1]
    i = np.searchsorted(end, at)
    fraction = 1 - (end[i] - at) / np.hypot(*(last - first)[i].T)
    return (first[i] + fraction[:, None] * (last - first)[i]).T


def _with_offspring(rng, events, kappa, last_day):
    """Append generation after generation until one is empty (branching < 1)."""
    generations = [events]
    while len(generations[-1]):
        generations.append(_offspring(rng, generations[-1], kappa, last_day))
    return pd.concat(generations, ignore_index=True)


def _offspring(rng, parents, kappa, last_day):
    """Draw the direct offspring of all parents, in one go."""
    counts = rng.poisson(kappa * 10 ** (ALPHA * (parents["magnitude"] - M0)))
    children = parents.loc[parents.index.repeat(counts)].reset_index(drop=True)
    n = len(children)
    wait = OMORI_C_DAYS * ((1 - rng.random(n)) ** (-1 / (OMORI_P - 1)) - 1)
    scale_km = 3 * 10 ** (0.5 * (children["magnitude"] - M0))
    # density ~ (r^2 + d^2)^-2, the usual spatial power law with exponent q = 2 [D]
    distance = scale_km * np.sqrt(1 / (1 - rng.random(n)) - 1) / KM_PER_DEGREE
    angle = rng.uniform(0, 2 * np.pi, n)
    children = children.assign(
        days=children["days"] + wait,
        longitude=children["longitude"] + distance * np.sin(angle),
        latitude=children["latitude"] + distance * np.cos(angle),
        magnitude=truncated_magnitudes(rng.random(n)))
    return children[children["days"] < last_day].reset_index(drop=True)


def _as_catalog(events, start):
    """Sort by time and give the columns of the catalogue schema."""
    events = events.sort_values("days", kind="stable").reset_index(drop=True)
    since = pd.to_timedelta((events["days"] * 86400).round(), unit="s")
    return pd.DataFrame({
        "event_id": [f"E{i:06d}" for i in range(len(events))],
        "time": (pd.Timestamp(start) + since).astype("datetime64[ns]"),
        "latitude": events["latitude"],
        "longitude": events["longitude"],
        "depth_km": events["depth_km"],
        "magnitude": events["magnitude"],
        "magnitude_type": "Mw",
        "source": "synthetic",
        "cluster_id": [f"C{i:06d}" for i in events["family"]],
    })
