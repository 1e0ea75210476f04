"""Scores of the CRNN's blind forecasts: detection, bearing, storms, each beside its floors (layer 6).

The unit of every interval is the earthquake, quiet block or storm. Sources: validity.md A6, A8, A12, A14, D4.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from lib import config, directions, floors, intervals, metrics, operating, splits, storm_scores, targets
from lib.certificate import LINKS, certificate
from lib.crnn_experiments import parts
from lib.files import InputError
from lib.studies import Study
from lib.table_checks import groups

UNIFORM_DEG = 90.0       # MAAE of any answer if bearings are spread evenly (A12)


def opened(forecasts: pd.DataFrame, windows: pd.DataFrame, job: str) -> pd.DataFrame:
    """Join the forecasts of one job to its windows and their outcomes, in the order of the table.

    Raises
    ------
    InputError
        For a job that made no forecast, or forecasts of windows that are not blind.
    """
    rows = forecasts[forecasts.job == job]
    blind = windows[windows.part == "blind"]
    if rows.empty or not rows.window_id.isin(blind.window_id).all():
        raise InputError("crnn_scores.opened", "job", job, f"forecasts of blind windows by one of "
                         f"{', '.join(forecasts.job.unique())}")
    return blind.merge(rows, on="window_id", how="inner", validate="one_to_one")


def detection(found: pd.DataFrame, base_rates: Mapping[str, float]) -> pd.DataFrame:
    """Tabulate precision, recall and specificity at the chosen threshold, and precision at base rates.

    Storm windows are left out: they were picked. `found` is from `opened`. Limits as in
    `operating.detection_table`: Clopper-Pearson at the effective number of windows.
    """
    plain = found[found.role != "storm"]
    truth, alarm = _detected(plain)
    tables = [operating.detection_table(truth, alarm, rate, groups(plain, "event")).assign(base_rate=name)
              for name, rate in base_rates.items()]
    last = [table[table.score == "precision at base rate"] for table in tables]
    return pd.concat([tables[0][tables[0].score != "precision at base rate"], *last], ignore_index=True)


def detection_row(study: Study, windows: pd.DataFrame, found: pd.DataFrame, **labels) -> dict:
    """Score detection as a row of `report.scoreboard`: MCC without storm windows, floors, certificate.

    p permutes the labels of earthquakes and quiet blocks against the fixed alarms. Floors see the windows
    table alone and are fitted on the training part.
    """
    train, blind = parts(windows)
    blind = blind[np.isin(windows.window_id.to_numpy()[blind], found.window_id)
                  & (windows.role.to_numpy()[blind] != "storm")]
    plain = found[found.role != "storm"].reset_index(drop=True)
    truth, alarm = _detected(plain)
    unit, spec = groups(plain, "event"), study.evaluation
    interval = intervals.bootstrap_confusion(truth, alarm, unit, 2, metrics.mcc, spec.bootstrap,
                                             config.rng(study.seed, "crnn", "mcc"))
    null = intervals.permutation_test(truth, alarm, unit, 2, metrics.mcc, spec.permutations,
                                      config.rng(study.seed, "crnn", "p"))
    known = floors.floors(windows, [(train, blind)], "event", study.seed)
    links = certificate(windows, [(train, blind)])
    return {**labels, "target": "event", "score": _mcc(truth, alarm),
            "interval": [interval.low, interval.high], "p": null.p,
            "floors": {name: _mcc(truth, y[blind]) for name, y in known.items()},
            "n_windows": len(plain), "n_events": int(plain.event_id[plain.event_id != ""].nunique()),
            "n_effective": intervals.n_effective(truth == alarm, unit),
            "certificate": {kind: links[kind] for kind in LINKS}, "gap_days": links["gap_days"],
            "auc": float(storm_scores.storm_scores(truth, plain.p_1, plain.kp_max)["auc"][0])}


def _detected(plain):
    """Truth and alarm, 0 or 1."""
    return ((plain.event_id != "").to_numpy().astype(np.int64),
            (plain.p_1 >= plain.threshold).to_numpy().astype(np.int64))


def _mcc(truth, y):
    return float(metrics.mcc(metrics.confusion(truth, y, 2)))


def bearings(study: Study, windows: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Compare the bearings of event windows with what is known without the record.

    Parameters
    ----------
    study, windows
        As for the job.
    found : DataFrame
        From `opened`; storm windows are left out.

    Returns
    -------
    DataFrame
        Index: network, best constant (of the training bearings), constant of each station (of its training
        bearings; the former where it has none), uniform (any answer if bearings were spread evenly). `maae`,
        `low`, `high` over earthquakes; `axial` error, chance 45; `gain` of the network: how much smaller its
        error is on the same windows, with paired limits; `p` of the network: bearings exchanged between
        earthquakes.
    """
    rows = found[(found.event_id != "") & (found.role != "storm")]
    true, unit = rows.azimuth_deg.to_numpy(), groups(rows, "event")
    known = windows[(windows.part == "train") & (windows.event_id != "")]
    constant = metrics.best_constant_deg(known.azimuth_deg.to_numpy())
    at = {station: metrics.best_constant_deg(part.azimuth_deg.to_numpy())
          for station, part in known.groupby("station")}
    answer = {"network": targets.answer(rows[["east", "north"]].to_numpy(), targets.DIRECTION),
              "best constant": np.full(len(rows), constant),
              "constant of each station": rows.station.map(at).fillna(constant).to_numpy()}
    error = {name: np.abs(metrics.wrap_deg(given - true)) for name, given in answer.items()}
    error["uniform"] = np.full(len(rows), UNIFORM_DEG)
    draw, limits = _resamples(unit, study), []
    for name, value in error.items():
        gain = draw(value - error["network"])
        limits.append({"by": name, "maae": value.mean(), **_span(draw(value), ""), "gain": gain[0],
                       **_span(gain, "gain_"), "axial": 45.0 if name == "uniform" else
                       metrics.axial_error_deg(answer[name], true)})
    table = pd.DataFrame(limits).set_index("by")
    table.loc["network", ["gain", "gain_low", "gain_high"]] = np.nan
    null = directions.permute_bearings(answer["network"], true, unit, max(study.evaluation.permutations, 199),
                                       config.rng(study.seed, "crnn", "bearings"))
    return table.assign(p=pd.Series({"network": null["p"]}), n_windows=len(rows),
                        n_events=np.unique(unit).size)


def _resamples(unit, study):
    """Return a function: values of windows -> their mean, then its resamples, the same for all."""
    code = np.unique(unit, return_inverse=True)[1]
    n, size = code.max() + 1, np.bincount(code)
    weights = config.rng(study.seed, "crnn", "bootstrap").multinomial(
        n, np.full(n, 1 / n), study.evaluation.bootstrap)
    return lambda values: np.r_[values.mean(), weights @ np.bincount(code, values) / (weights @ size)]


def _span(draws, prefix):
    low, high = np.quantile(draws[1:], [0.025, 0.975])
    return {f"{prefix}low": low, f"{prefix}high": high}


def storms(study: Study, forecasts: pd.DataFrame, windows: pd.DataFrame, jobs: Iterable[str]
           ) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare jobs in storms with the first of them, on all blind windows (D4).

    Returns
    -------
    (DataFrame, DataFrame)
        The table of `storm_scores.compare_on_storms`, and the verdict on each job but the first: `roc`,
        `storm_fpr`, `storm_recall`, `sentence`.

    Raises
    ------
    InputError
        For jobs that were not asked about the same windows, storms among them.
    """
    jobs = list(jobs)
    tables = [opened(forecasts, windows, job) for job in jobs]
    for job, other in zip(jobs, tables, strict=True):
        if other.window_id.tolist() != tables[0].window_id.tolist() or "storm" not in set(other.role):
            raise InputError("crnn_scores.storms", "blind windows of", job,
                             f"those of {jobs[0]}, with storms")
    first = tables[0]
    table = storm_scores.compare_on_storms(
        (first.event_id != "").to_numpy().astype(int),
        {job: one.p_1.to_numpy() for job, one in zip(jobs, tables, strict=True)}, first.kp_max.to_numpy(),
        splits.groups(first, "event"), study.evaluation.bootstrap, config.rng(study.seed, "crnn", "storms"))
    said = pd.DataFrame([{"job": job, **storm_scores.verdict(table, job)} for job in jobs[1:]])
    return table, said
