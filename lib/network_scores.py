"""Are the probabilities honest, and does one model really beat another? From forecasts by window (layer 3).

A forecasts table has one row a model and window: `model`, `window_id`, `fold`, `unit` (what is independent:
an earthquake with its matched quiet windows), `y` (1 before an earthquake), `p`, `p_scaled`, `temperature`,
as `lib.network_experiments.forecast_rows` makes it. Source: validity.md A10, A11.
"""

import itertools

import numpy as np
import pandas as pd

from lib import calibration, comparison
from lib.config import rng
from lib.files import InputError

COLUMNS = ("model", "window_id", "fold", "unit", "y", "p", "p_scaled", "temperature")


def calibration_table(forecasts: pd.DataFrame, base_rate: float = 0.5, bins: int = 10) -> pd.DataFrame:
    """Score the probabilities of every model, as they come and after temperature scaling.

    Parameters
    ----------
    forecasts : DataFrame
    base_rate : float
        Share of event windows in the training part; 1/2 in a matched design.
    bins : int

    Returns
    -------
    DataFrame
        Index `model`, scaled models named "..., scaled"; `ece` (equal bins), `ece_equal_mass`, `brier`,
        `brier_skill` (above always forecasting the base rate), `log_loss`, `temperature` (mean over windows;
        1 where none was applied).

    Raises
    ------
    InputError
        For a missing column, or as `lib.calibration`.
    """
    _check(forecasts)
    found = {}
    for model, rows in forecasts.groupby("model", sort=False):
        for suffix, column in (("", "p"), (", scaled", "p_scaled")):
            p, y = rows[column].to_numpy(), rows.y.to_numpy()
            temperature = rows.temperature.mean() if suffix else 1.0
            found[model + suffix] = {
                "ece": calibration.ece(p, y, bins), "ece_equal_mass": calibration.ece(p, y, bins, True),
                "brier": calibration.brier(p, y), "brier_skill": calibration.brier_skill(p, y, base_rate),
                "log_loss": calibration.log_loss(np.clip(p, calibration.TINY, 1 - calibration.TINY), y),
                "temperature": float(temperature)}
    return pd.DataFrame(found).T.rename_axis("model")


def reliabilities(forecasts: pd.DataFrame, bins: int = 5, draws: int = 1000, seed: int = 0,
                  column: str = "p") -> dict[str, pd.DataFrame]:
    """Reliability of every model in bins of equal mass, with bands from resampling units.

    Returns
    -------
    dict of str to DataFrame
        As `calibration.reliability`.
    """
    _check(forecasts)
    return {model: calibration.reliability(
        rows[column].to_numpy(), rows.y.to_numpy(), rows.unit.to_numpy(), rng(seed, "reliability", model),
        bins=bins, equal_mass=True, draws=draws, unit="event with its quiet windows")
        for model, rows in forecasts.groupby("model", sort=False)}


def compare(forecasts: pd.DataFrame, tried: int | None = None, draws: int = 4999, seed: int = 0
            ) -> pd.DataFrame:
    """Test every pair of models on the same windows and folds, three ways.

    Parameters
    ----------
    forecasts : DataFrame
        Every model on the same windows, in the same folds.
    tried : int, optional
        Comparisons tried in all, if more than the pairs shown; Holm's adjustment counts them.
    draws, seed : int
        Of the sign flips.

    Returns
    -------
    DataFrame
        Index `pair` ("a - b"). `difference` of accuracy over windows; `sign_flip_p`, exchanging models on
        whole units; `only_a`, `only_b`: units that only one of the two got right, where a unit is right if
        its event windows have a higher mean probability than its quiet ones; `mcnemar_p`, `mcnemar_mid_p`
        on these; `resampled_t_p`, the corrected resampled t over folds (missing where folds do not differ),
        `naive_t_p` without the correction; `holm_p`: `sign_flip_p` adjusted over all comparisons;
        `n_units`, `n_folds`.

    Raises
    ------
    InputError
        For fewer than two models, or models that were not tested on the same windows and folds.
    """
    _check(forecasts)
    tables = {model: rows.set_index("window_id").sort_index()
              for model, rows in forecasts.groupby("model", sort=False)}
    first = next(iter(tables.values()))
    for model, rows in tables.items():
        if not rows.index.equals(first.index) or (rows[["fold", "unit", "y"]] != first[["fold", "unit", "y"]]
                                                  ).to_numpy().any() or rows.index.has_duplicates:
            raise InputError("forecasts", f"windows of {model}", f"{len(rows)} rows",
                             "the same windows, folds and labels for every model, each once")
    if len(tables) < 2:
        raise InputError("forecasts", "models", list(tables), "two models or more")
    pairs = {f"{a} - {b}": _pair(tables[a], tables[b], draws, rng(seed, "compare", a, b))
             for a, b in itertools.combinations(tables, 2)}
    found = pd.DataFrame(pairs).T.astype(float).rename_axis("pair")
    found["holm_p"] = comparison.holm(found.sign_flip_p.to_numpy(), tried)
    return found.astype({"only_a": int, "only_b": int, "n_units": int, "n_folds": int})


def _pair(a, b, draws, generator):
    """All tests of one pair; tables are aligned."""
    right_a, right_b = (((t.p > 0.5) == (t.y == 1)).to_numpy(int) for t in (a, b))
    flip = comparison.sign_flip(right_a - right_b, a.unit.to_numpy(), draws, generator)
    told_a, told_b = _told_apart(a), _told_apart(b)
    only_a, only_b = int((told_a & ~told_b).sum()), int((~told_a & told_b).sum())
    exact = comparison.mcnemar_exact(only_a, only_b, "event") if only_a + only_b else {"p": 1.0, "mid_p": 1.0}
    fold = pd.Series(right_a - right_b).groupby(a.fold.to_numpy()).mean()
    n_test = a.groupby("fold").unit.nunique().mean()
    t = (comparison.corrected_resampled_t(fold, a.unit.nunique() - n_test, n_test) if np.ptp(fold) > 0
         else {"p": np.nan, "naive_p": np.nan})
    return {"difference": flip["difference"], "sign_flip_p": flip["p"], "only_a": only_a, "only_b": only_b,
            "mcnemar_p": exact["p"], "mcnemar_mid_p": exact["mid_p"], "resampled_t_p": t["p"],
            "naive_t_p": t["naive_p"], "n_units": flip["n_units"], "n_folds": len(fold)}


def _told_apart(rows):
    """Whether event windows of a unit have a higher mean probability than its quiet ones; Series."""
    mean = rows.groupby(["unit", "y"]).p.mean().unstack()
    both = mean.dropna()
    if both.empty or list(both.columns) != [0, 1]:
        raise InputError("forecasts", "unit", "no unit with event and quiet windows",
                         "matched quiet windows in the unit of their earthquake")
    return both[1] > both[0]


def _check(forecasts):
    if missing := [name for name in COLUMNS if name not in forecasts]:
        raise InputError("forecasts", "columns", missing, ", ".join(COLUMNS))
    if forecasts.empty:
        raise InputError("forecasts", "rows", 0, "at least one")
