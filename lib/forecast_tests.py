"""Are alarms and forecasts better than chance, and what would they be worth? (layer 2).

Alarm functions, reference measures and targets are arrays of one shape (cells; `lib.alarms` makes them).
The unit is the target earthquake throughout: each is taken as an independent draw from the reference. Targets
of one cluster are not, so every claim is made on declustered targets and repeated on all of them. Sources:
validity.md A13 (alarms), A14 (base rate), A15 (sample size); Zechar and Jordan (2008) for the area skill.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from lib.files import InputError

DRAWN = 4_000_000        # random numbers held at once: 32 MB
DAYS_PER_YEAR = 365.25


def molchan(alarm: np.ndarray, weight: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Molchan trajectory: the share of targets missed against the share of the reference under alarm.

    Parameters
    ----------
    alarm : array, any shape
        Higher is more alarmed; -inf for never. Equal values enter together.
    weight : array, same shape
        Reference measure, rescaled to sum 1.
    targets : array of int, same shape
        Earthquakes in each cell.

    Returns
    -------
    tau, nu : array, shape (L + 1,)
        From (0, 1) to (1, 0), L distinct alarm values.

    Raises
    ------
    InputError
        For unequal shapes, NaN in the alarm, no target, or a target where the reference says never.
    """
    level, w, n = _levels(alarm, weight, targets)
    hits = np.bincount(level, n)
    return np.r_[0, _tau(level, w)], np.r_[1, 1 - np.cumsum(hits) / n.sum()]


def area_skill(tau: np.ndarray, nu: np.ndarray) -> float:
    """Area above a Molchan trajectory, 1 - integral of nu: 1 perfect, 1/2 expected of chance, 0 always wrong.

    When not to use: to find out whether a few strong alarms are good; the area weighs all thresholds alike
    (`alarm_set_test` at one threshold fixed in advance).
    """
    return float(1 - np.trapezoid(nu, tau))


def area_skill_test(alarm: np.ndarray, weight: np.ndarray, targets: np.ndarray, draws: int,
                    rng: np.random.Generator, unit: str = "earthquake") -> dict:
    """Compare the area skill with that of as many targets drawn independently from the reference.

    When not to use: on aftershocks as if independent; the p-value is valid for declustered targets. A small p
    against a uniform reference is no evidence of a precursor; it takes the clustered one too.

    Parameters
    ----------
    alarm, weight, targets
        As in `molchan`.
    draws : int
    rng : numpy Generator
    unit : str

    Returns
    -------
    dict
        `area_skill`, `p` (one-sided), `null_mean`, `null_sd`, `unit`, `n_units`, `draws`.
    """
    level, w, n = _levels(alarm, weight, targets)
    tau = np.r_[0, _tau(level, w)]
    middle = 1 - (tau[1:] + tau[:-1]) / 2      # a target in level j adds this: the skill is their mean
    total = int(n.sum())
    observed = float(n @ middle[level] / total)
    null, step = np.empty(draws), max(1, DRAWN // total)
    for start in range(0, draws, step):
        u = rng.random((min(step, draws - start), total))
        null[start:start + step] = middle[np.searchsorted(tau[1:-1], u, "right")].mean(1)
    p = (1 + int((null >= observed - 1e-12).sum())) / (1 + draws)
    return {"area_skill": observed, "p": p, "null_mean": float(null.mean()), "null_sd": float(null.std()),
            "unit": unit, "n_units": total, "draws": draws}


def scoreboard(alarms: Mapping[str, np.ndarray], references: Mapping[str, np.ndarray],
               targets: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Area skill of each alarm function against each reference, on each kind of target, one row each.

    The row `always` (one alarm, everywhere, at all times) is added: it misses nothing and has skill 1/2.

    Parameters
    ----------
    alarms, references, targets : mapping of name to array, all of one shape
        References such as uniform and clustered; targets such as declustered and full.
    draws, rng
        As in `area_skill_test`.

    Returns
    -------
    DataFrame
        `alarm`, `reference`, `targets`, then as `area_skill_test`.
    """
    shape = np.shape(next(iter(targets.values())))
    rows = []
    for name, alarm in {**alarms, "always": np.zeros(shape)}.items():
        rows += [{"alarm": name, "reference": r, "targets": t, **area_skill_test(alarm, w, n, draws, rng)}
                 for r, w in references.items() for t, n in targets.items()]
    return pd.DataFrame(rows)


def alarm_set_test(hits: int, n: int, tau: float, unit: str = "earthquake") -> dict:
    """Probability of at least so many hits by chance, for one set of alarms that takes a share tau; its gain.

    When not to use: with a threshold chosen on these targets, or with clustered targets.

    Returns
    -------
    dict
        `p` (binomial, one-sided), `gain` (1 - nu)/tau, `miss_rate` nu, `tau`, `unit`, `n_units`.

    >>> found = alarm_set_test(7, 10, 0.3)
    >>> round(found["p"], 7), round(found["gain"], 4)
    (0.0105921, 2.3333)
    """
    if not (0 <= hits <= n and n > 0 and 0 < tau <= 1):
        raise InputError("forecast_tests.alarm_set_test", "hits, n, tau", (hits, n, tau),
                         "0 <= hits <= n, n > 0, 0 < tau <= 1")
    return {"p": float(stats.binom.sf(hits - 1, n, tau)), "gain": hits / n / tau, "miss_rate": 1 - hits / n,
            "tau": tau, "unit": unit, "n_units": n}


def precision_at(sensitivity: float, specificity: float, base_rate: float) -> dict:
    """Tell what a detector is worth where a share `base_rate` of the station-days is followed by an event.

    PPV = Se pi / (Se pi + (1 - Sp)(1 - pi)). Unit: the station-day (or whatever the base rate counts).

    When not to use: with a specificity from hand-picked quiet days; it must hold for days as they come.

    Returns
    -------
    dict
        `ppv`, `fdr` (1 - PPV), `alarms_per_day`, `gain` (PPV / base rate); NaN where no alarm is ever given.

    >>> round(precision_at(1, 0.75, 0.01)["ppv"], 4)
    0.0388
    """
    if not all(0 <= v <= 1 for v in (sensitivity, specificity, base_rate)):
        raise InputError("forecast_tests.precision_at", "sensitivity, specificity, base_rate",
                         (sensitivity, specificity, base_rate), "shares from 0 to 1")
    true, false = sensitivity * base_rate, (1 - specificity) * (1 - base_rate)
    ppv = true / (true + false) if true + false > 0 else np.nan
    return {"ppv": ppv, "fdr": 1 - ppv, "alarms_per_day": true + false,
            "gain": ppv / base_rate if base_rate > 0 else np.nan}


def always_alarm(base_rate: float) -> dict:
    """Return the row that every table of alarms shows: `precision_at` of an alarm on every day, gain 1."""
    return precision_at(1.0, 0.0, base_rate)


def network_probability(events_per_year: float, days: float) -> float:
    """Probability of at least one event in so many days if they come independently (Poisson).

    The base rate of a network-wide alarm. When not to use: right after a large event.

    >>> round(network_probability(200, 7), 3), round(network_probability(13, 7), 3)
    (0.978, 0.221)
    """
    return float(-np.expm1(-events_per_year * days / DAYS_PER_YEAR))


def number_test(observed: int, expected: float) -> dict:
    """N-test: Poisson probabilities of at least and at most the observed number of events.

    Unit: the earthquake. When not to use: on a full catalogue, whose numbers vary more than Poisson.

    >>> found = number_test(8, 4.2)
    >>> round(found["p_at_least"], 5), round(found["p_at_most"], 4)
    (0.06394, 0.9721)
    """
    if observed < 0 or not expected > 0:
        raise InputError("forecast_tests.number_test", "observed, expected", (observed, expected),
                         "a count, and a number above 0")
    return {"p_at_least": float(stats.poisson.sf(observed - 1, expected)),
            "p_at_most": float(stats.poisson.cdf(observed, expected)), "n_units": observed}


def information_gain(rate_a: np.ndarray, rate_b: np.ndarray, total_a: float, total_b: float) -> dict:
    """Information gain per earthquake of forecast A over B, in nats, with its T-test.

    IG = mean(ln rate_a - ln rate_b) - (total_a - total_b)/N; T = IG / (s / sqrt(N)), N - 1 degrees of freedom
    (Rhoades et al. 2011). Unit: the earthquake. When not to use: with clustered targets, or so few that the
    log ratios are far from normal.

    Parameters
    ----------
    rate_a, rate_b : array, shape (N,)
        Forecast rates in the cells of the N targets.
    total_a, total_b : float
        Expected numbers over all cells.

    Returns
    -------
    dict
        `gain`, `t`, `p` (one-sided, A better), `n_units`.
    """
    a, b = np.asarray(rate_a, float), np.asarray(rate_b, float)
    if a.shape != b.shape or a.ndim != 1 or a.size < 2 or not ((a > 0) & (b > 0)).all():
        raise InputError("forecast_tests.information_gain", "rate_a, rate_b", (rate_a, rate_b),
                         "rates above 0 at two or more targets")
    ratio = np.log(a / b)
    gain = ratio.mean() - (total_a - total_b) / a.size
    error = ratio.std(ddof=1) / np.sqrt(a.size)
    t = gain / error if error > 0 else np.copysign(np.inf, gain) if gain else 0.0
    return {"gain": float(gain), "t": float(t), "p": float(stats.t.sf(t, a.size - 1)), "n_units": a.size}


def events_needed(p: float, p0: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> int:
    """Count the independent events that tell a hit rate p from p0 (one-sided, normal approximation).

    Unit: the independent event (cluster). When not to use: with windows in place of events.

    >>> events_needed(0.6), events_needed(0.55)
    (153, 617)
    """
    if not (0 < p0 < 1 and 0 < p < 1 and p != p0):
        raise InputError("forecast_tests.events_needed", "p, p0", (p, p0), "unequal shares between 0 and 1")
    spread = (stats.norm.isf(alpha) * np.sqrt(p0 * (1 - p0)) + stats.norm.ppf(power) * np.sqrt(p * (1 - p)))
    return int(np.ceil((spread / (p - p0)) ** 2))


def miss_rate_limit(n: int, misses: int = 0, level: float = 0.95) -> float:
    """Upper limit (one-sided, exact) of the miss rate after so many misses in n independent events.

    >>> round(miss_rate_limit(8), 3), round(miss_rate_limit(28), 3)
    (0.312, 0.101)
    """
    if not 0 <= misses <= n or n < 1:
        raise InputError("forecast_tests.miss_rate_limit", "misses of n", (misses, n), "0 <= misses <= n")
    return 1.0 if misses == n else float(stats.beta.ppf(level, misses + 1, n - misses))


def sample_size_table(shares=(0.55, 0.6, 0.65, 0.7, 0.8), p0: float = 0.5, **power) -> pd.DataFrame:
    """Return `events_needed` for several hit rates; printed before any result (validity.md A15)."""
    return pd.DataFrame({"hit_rate": shares, "chance": p0, "unit": "event",
                         "events_needed": [events_needed(p, p0, **power) for p in shares]})


def _levels(alarm, weight, targets):
    """Flat arrays: rank of each cell's alarm from the highest (0), weight with sum 1, targets."""
    g, w, n = (np.asarray(v, float) for v in (alarm, weight, targets))
    if not g.shape == w.shape == n.shape or g.size == 0:
        raise InputError("forecast_tests", "shapes of alarm, weight, targets", (g.shape, w.shape, n.shape),
                         "three equal ones")
    checks = {"alarm": (np.isnan(g), "a value, or -inf for never"),
              "weight": (~((w >= 0) & np.isfinite(w)), "a measure of 0 or more"),
              "targets": (~((n >= 0) & (n == np.round(n)) & np.isfinite(n)), "counts"),
              "weight under a target": ((n > 0) & (w == 0), "a reference above 0 wherever a target lies")}
    for where, (bad, accepted) in checks.items():
        if bad.any():
            value = {"alarm": g, "targets": n}.get(where, w)[bad][0]
            raise InputError("forecast_tests", f"{where}, {bad.sum()} cells", float(value), accepted)
    if n.sum() == 0 or w.sum() == 0:
        raise InputError("forecast_tests", "sums of targets and weight", (n.sum(), w.sum()), "above 0")
    level = np.unique(-g, return_inverse=True)[1].ravel()
    return level, w.ravel() / w.sum(), n.ravel()


def _tau(level, w):
    """Share of the reference under alarm when each level has joined, shape (L,); the last is 1 exactly."""
    tau = np.cumsum(np.bincount(level, w))
    return tau / tau[-1]
