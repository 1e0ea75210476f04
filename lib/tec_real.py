"""Real hourly electron content beside the synthetic one: same images, windows, models, floors (layer 6).

A few years above one place hold a few dozen independent stretches of time; what a score may mean is said by
the interval and by the power that goes with it. Sources: validity.md A6, A11, B11, C9.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from lib import quartiles, tec_images, tec_scores
from lib.earth import stations, tec_designs
from lib.earth.catalog import gardner_knopoff
from lib.earth.tables import read_table, require, to_numbers, to_utc
from lib.files import InputError
from lib.studies import STUDIES

EMBARGO_DAYS = 45.0
MAX_GAP = 0.25             # share of hours without value or bounds; an ionosonde has more gaps than maps [D]


def read_f107(path: str | Path) -> pd.Series:
    """Read observed daily F10.7 (sfu) from CelesTrak's SW-All; predicted rows are left out.

    Raises
    ------
    InputError
        For another header, or no observed value.
    """
    table = read_table(path)
    require(path, table, ["date", "f10.7_obs", "f10.7_data_type"])
    table = table[table["f10.7_data_type"] == "OBS"]
    values = pd.Series(to_numbers(table["f10.7_obs"]).to_numpy(),
                       pd.DatetimeIndex(to_utc(table["date"] + " 00:00")), name="f107").dropna()
    if values.empty:
        raise InputError(path, "f10.7_obs", 0, "at least one observed value")
    return values[~values.index.duplicated()].sort_index().asfreq("D")


def daily(series: pd.Series) -> np.ndarray:
    """Lay an hourly series out as (days, 24) from its first UT day on, NaN where there is nothing."""
    first, last = series.index[0].floor("D"), series.index[-1].ceil("D")
    hours = pd.date_range(first, last, freq="h", inclusive="left")
    return series.reindex(hours).to_numpy(float).reshape(-1, tec_images.HOURS)


def outside(series: pd.Series) -> dict:
    """Share of hours above and below the bounds of the 15 days before, in percent, and how many hours.

    Nothing is selected by earthquakes: this is how often an "anomaly" happens on any day.
    """
    found = quartiles.exceedance(daily(series))
    return {"hours": found.n, "above": 100 * found.above, "below": 100 * found.below,
            "total": 100 * found.total}


def autoregressive(phi: float, days: int, seed_rng: np.random.Generator) -> np.ndarray:
    """Return normal values (days, 24), correlated from day to day by `phi` and not from hour to hour."""
    x = seed_rng.standard_normal((days, tec_images.HOURS))
    for day in range(1, days):
        x[day] = phi * x[day - 1] + np.sqrt(1 - phi**2) * x[day]
    return x


def counts(catalog: pd.DataFrame, latitude: float, longitude: float, radius_km: float, start, end,
           magnitudes=(4.5, 5.0, 5.5)) -> pd.DataFrame:
    """Count what a catalogue offers near a place: earthquakes, days with one, mainshocks, and those in reach.

    Returns
    -------
    DataFrame
        One row a least magnitude: `magnitude`, `earthquakes`, `days`, `mainshocks` (Gardner and Knopoff),
        `in_reach` (closer than 10^(.43 M) km, the radius of Dobrovolsky's zone).
    """
    distance_km, _ = stations.distance_azimuth(latitude, longitude, catalog["latitude"].to_numpy(),
                                               catalog["longitude"].to_numpy())
    inside = (distance_km <= radius_km) & (catalog["time"] >= pd.Timestamp(start)) & (
        catalog["time"] < pd.Timestamp(end))
    near = catalog[inside].assign(distance_km=distance_km[inside]).reset_index(drop=True)
    rows = []
    for least in magnitudes:
        some = near[near.magnitude >= least].reset_index(drop=True)
        mains = (gardner_knopoff(some).pipe(lambda t: t.cluster_id == t.event_id).sum()) if len(some) else 0
        reach = some.distance_km < stations.dobrovolsky_km(some.magnitude.to_numpy())
        rows.append({"magnitude": least, "earthquakes": len(some), "days": some.time.dt.floor("D").nunique(),
                     "mainshocks": int(mains), "in_reach": int(reach.sum())})
    return pd.DataFrame(rows)


def windows_and_images(series: pd.Series, latitude: float, longitude: float, catalog: pd.DataFrame,
                       f107: pd.Series, kp: pd.Series, dst: pd.Series, seed: int, *, min_magnitude: float,
                       radius_km: float, n_windows: int = 2356, max_gap: float = MAX_GAP
                       ) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw windows before earthquakes and quiet ones from a real series, as `published_tec` does.

    Parameters
    ----------
    series : Series
        Hourly TEC (TECU) by UTC.
    latitude, longitude : float
    catalog, f107, kp, dst
        As the design asks; cut to the days of the series here.
    seed, min_magnitude, radius_km, n_windows, max_gap

    Returns
    -------
    (DataFrame, array)
        Windows with at most `max_gap` of their hours missing, and their images; ``attrs["refused"]`` counts
        the others. Where more windows of one class survive, the rest of that class is kept.

    Raises
    ------
    InputError
        As the design does, and if no window of one class is left.
    """
    first, last = series.index[0].ceil("D"), series.index[-1].floor("D")
    f107, kp, dst = (part[(part.index >= first) & (part.index < last)] for part in (f107, kp, dst))
    place = pd.DataFrame({"code": ["TEC"], "latitude": [float(latitude)], "longitude": [float(longitude)]})
    spec = dataclasses.replace(STUDIES["tec"].windows, min_magnitude=min_magnitude, radius_km=radius_km,
                               n_windows=n_windows)
    windows = tec_designs.published_tec(catalog, place, kp, dst, f107, spec, seed)
    cut = tec_images.six_channels(series, windows["start"].to_numpy(), max_gap=max_gap, on_gap="drop")
    kept = windows.iloc[cut.kept].reset_index(drop=True)
    if len(np.unique(tec_scores.truth(kept))) < 2:
        raise InputError("tec_real", "windows without too many gaps", len(kept),
                         "some before earthquakes and some quiet: a larger max_gap or another catalogue")
    kept.attrs["refused"] = len(cut.refused)
    return kept, cut.images


def detectable(n_units: int, power: float = 0.8, level: float = 0.05) -> float:
    """Return the true accuracy that so many independent units tell from one half, one-sided, at this power.

    Normal approximation: 1/2 + (z_level + z_power) sqrt(1/4 / n).

    >>> round(detectable(25), 2)
    0.75
    """
    if not n_units >= 1:
        raise InputError("tec_real.detectable", "n_units", n_units, "at least 1")
    return float(min(1.0, 0.5 + (norm.ppf(1 - level) + norm.ppf(power)) * 0.5 / np.sqrt(n_units)))


def detector(windows: pd.DataFrame, images: np.ndarray, seed: int, protocols=("P0", "P5"), folds: int = 5,
             bootstrap: int = 2000) -> list[dict]:
    """Score the simple models and floors on a real series; rows of `tec_scores.rows`.

    Each row has `detectable`: the accuracy that its number of units could tell from chance.
    """
    found = []
    for protocol in protocols:
        for row in tec_scores.rows(windows, images, protocol, folds=folds, seed=seed,
                                   embargo_days=EMBARGO_DAYS, bootstrap=bootstrap):
            found.append(row | {"n_windows": len(windows), "refused": int(windows.attrs.get("refused", 0)),
                                "detectable": detectable(row["n_units"])})
    return found
