"""The observatory study on many worlds: window lengths, quiet, settings, learning curves, updates (layer 6).

One job is one synthetic world under one kind of quiet, or one simulated stream. Jobs are independent, kept on
disk and resumed. Sources: systems.md section 4.3; validity.md A3, B8, E4.
"""

import dataclasses
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from lib import (
    config,
    floors,
    intervals,
    jobs,
    metrics,
    objectives,
    representation,
    simple_fits,
    splits,
    synthetic,
    train,
    updating,
)
from lib.certificate import LINKS, certificate
from lib.earth import minutes, observatory
from lib.files import InputError
from lib.observatory_fits import BAND_POWER, Setting, apply, band_power, storm_free_share

_CODE = ("observatory_experiments.py", "observatory_fits.py", "observatory_cnn.py", "train.py", "splits.py",
         "matching.py", "purge.py", "metrics.py", "intervals.py", "objectives.py", "losses.py", "targets.py",
         "fitted.py", "device.py", "scale.py", "schedule.py", "model.py", "representation.py", "normalise.py",
         "floors.py", "synthetic.py", "certificate.py", "simple_fits.py", "updating.py", "earth/*.py")


@dataclasses.dataclass(frozen=True)
class ObservatoryJob:
    """One world; every field is part of the stored result's name."""

    task: str = "score"                  # score | curve | quiet
    profile: str = "light"               # size of the network, epochs, batch
    length: str = "day"                  # a key of `minutes.LENGTHS`
    controls: str = "matched"            # matched in Kp, or calm
    seed: int = 0
    snr: float = 0.0
    years: float = 4.0
    n_windows: int = 160
    settings: tuple[Setting, ...] = (BAND_POWER,)      # curve: one
    protocols: tuple[str, ...] = ("P5",)               # curve: one
    folds: int = 3
    sizes: tuple[int, ...] = ()          # curve: matched pairs trained on
    memory_gb: float = 4.0               # decides the largest batch
    bootstrap: int = 1000
    permutations: int = 499


@dataclasses.dataclass(frozen=True)
class UpdateJob:
    """One simulated stream of `updating.toy_stream`, replayed with and without a gate."""

    task: str = "updating"
    seed: int = 0
    effect: float = 0.0
    n_events: int = 400
    n_features: int = 20
    every: int = 90
    first: int = 30
    alpha: float = 0.05


def run_jobs(todo: Iterable[ObservatoryJob | UpdateJob], executor: Executor | None = None,
             folder: Path | None = None) -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows.

    Parameters
    ----------
    todo : iterable of ObservatoryJob or UpdateJob
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "observatory"` by default.

    Returns
    -------
    DataFrame
        The fields of the job beside what `score_rows`, `curve_rows`, `quiet_rows` or `update_rows` says.

    Raises
    ------
    InputError
        For an unknown task, length, setting or protocol.
    """
    todo = list(todo)
    studies = [config.load("observatory", profile) for profile in config.PROFILES]
    key = f"{jobs.code_hash(*_CODE)}-{config.config_hash(studies[0], *studies[1:], torch.__version__)}"
    return jobs.run(todo, run_job, key, executor, folder or config.CACHE / "observatory", "worlds")


def run_job(job: ObservatoryJob | UpdateJob) -> list[dict]:
    """Do one job's task; see `run_jobs`."""
    if job.task not in TASKS:
        raise InputError("ObservatoryJob", "task", job.task, ", ".join(TASKS))
    if job.task != "updating" and job.length not in minutes.LENGTHS:
        raise InputError("ObservatoryJob", "length", job.length, ", ".join(minutes.LENGTHS))
    named = {k: v for k, v in dataclasses.asdict(job).items() if k not in ("settings", "protocols", "sizes")}
    return [named | row for row in TASKS[job.task](job)]


def score_rows(job: ObservatoryJob) -> list[dict]:
    """Score every setting under every protocol, with floors and certificate, as `report.scoreboard` asks.

    Returns
    -------
    list of dict
        `model`, fields of the setting, `protocol`, `score` (MCC), `interval` over matched pairs, `p`,
        `accuracy`, `majority`, `share_event` (of the answers), `constant_folds` (in which all answers are one
        class), `floors`, `best_floor`, `certificate`, counts, `batch_size`.
    """
    windows, x, features = read_world(job)
    truth, rows = (windows.event_id.to_numpy() != "").astype(np.int64), []
    for protocol in job.protocols:
        folds = splits.folds(windows, protocol, job.folds, job.seed, on_absent="ignore")
        links = certificate(windows, folds)
        known = {name: _mcc(truth, y) for name, y in floors.floors(windows, folds, "event", job.seed).items()}
        shared = {"protocol": protocol, "certificate": {kind: links[kind] for kind in LINKS}, "floors": known,
                  "best_floor": max(known, key=known.get), "n_windows": len(windows), "folds": len(folds),
                  "n_events": int(windows.event_id[truth == 1].nunique())}
        for setting in job.settings:
            answers = [_answers(job, setting, windows, x, features, fit, test, protocol, number)
                       for number, (fit, test) in enumerate(folds)]
            y = np.empty_like(truth)
            for (_, test), one in zip(folds, answers, strict=True):
                y[test] = one
            rows.append(shared | _told(job, setting) | _scored(job, windows, truth, y)
                        | {"constant_folds": sum(np.unique(one).size == 1 for one in answers)})
    return rows


def _told(job, setting):
    """Fields of a setting as they were used; a corner of 0 Hz is no filter."""
    spec = _study(job, setting).training
    return {k: v for k, v in dataclasses.asdict(setting).items() if k not in ("name", "model")} | {
        "model": setting.name, "batch_size": spec.batch_size, "learning_rate": spec.learning_rate,
        "highpass_hz": setting.highpass_hz or 0.0}


def _scored(job, windows, truth, y):
    """Score, interval and p with the matched pair as the unit."""
    unit = splits.matched(windows)
    interval = intervals.bootstrap_confusion(truth, y, unit, 2, metrics.mcc, job.bootstrap,
                                             config.rng(job.seed, "bootstrap"))
    null = intervals.permutation_test(truth, y, splits.groups(windows, "event"), 2, metrics.mcc,
                                      job.permutations, config.rng(job.seed, "permutation"))
    return {"target": "event", "metric": "MCC", "score": _mcc(truth, y),
            "interval": [interval.low, interval.high], "p": null.p, "accuracy": float((y == truth).mean()),
            "majority": float(max(truth.mean(), 1 - truth.mean())), "share_event": float(y.mean()),
            "n_effective": float(intervals.n_effective(y == truth, unit))}


def curve_rows(job: ObservatoryJob) -> list[dict]:
    """Accuracy on each test part against the number of matched pairs trained on.

    The pairs of a training part are put in random order once; a size takes the first of them, so that a
    larger set holds the smaller ones. Test parts share no window.

    Returns
    -------
    list of dict
        `repeat` (world and fold), `pairs`, `accuracy`, `mcc`, `n_tested`, `model`.

    Raises
    ------
    InputError
        If a training part has fewer whole pairs than the largest size.
    """
    windows, x, features = read_world(job)
    truth, sets, rows = (windows.event_id.to_numpy() != "").astype(np.int64), windows.set_id.to_numpy(), []
    protocol, setting = job.protocols[0], job.settings[0]
    folds = splits.folds(windows, protocol, job.folds, job.seed, on_absent="ignore")
    for number, (fit, test) in enumerate(folds):
        names, count = np.unique(sets[fit], return_counts=True)
        whole = config.rng(job.seed, "curve", number).permutation(names[count == 2])
        if max(job.sizes) > len(whole):
            raise InputError("ObservatoryJob", f"sizes, fold {number} of {protocol}", max(job.sizes),
                             f"at most {len(whole)}, the whole pairs of the training part")
        for size in job.sizes:
            some = np.flatnonzero(np.isin(sets, whole[:size]))
            y = _answers(job, setting, windows, x, features, some, test, protocol, number)
            rows.append({"repeat": f"{job.seed}-{number}", "pairs": size, "model": setting.name,
                         "accuracy": float((y == truth[test]).mean()), "mcc": _mcc(truth[test], y),
                         "n_tested": len(test)})
    return rows


def quiet_rows(job: ObservatoryJob) -> list[dict]:
    """Say what a kind of quiet leaves of the earthquakes, and what Kp alone then tells; reads no record.

    Returns
    -------
    list of dict
        One row: `storm_free_share` of all starts at which a window could lie; `events` with a quiet window
        and `unmatched` without; share of event and of quiet windows with a storm (Kp 5 or more); `floors`
        (MCC under the first protocol), None where the protocol cannot split so few windows.
    """
    study = _study(job)
    world, n = synthetic.make_world(study), minutes.LENGTHS[job.length]
    table = observatory.observatory_windows(
        world.catalog, world.stations, world.kp, world.dst, n,
        quiet=synthetic.CONTROLS["observatory"][job.controls], seed=job.seed)
    event = (table.event_id != "").to_numpy()
    storm = (table.kp_max >= observatory.STORM_KP).to_numpy()
    try:
        folds = splits.folds(table, job.protocols[0], job.folds, job.seed, on_absent="ignore")
        known = {name: _mcc((event[test := np.concatenate([t for _, t in folds])]).astype(int), y[test])
                 for name, y in floors.floors(table, folds, "event", job.seed).items()}
    except InputError:                       # too few windows for blocks of time: said as None
        known = None
    return [{"storm_free_share": storm_free_share(world.kp, world.dst, n), "events": int(event.sum()),
             "unmatched": table.attrs["unmatched"], "event_storms": float(storm[event].mean()),
             "quiet_storms": float(storm[~event].mean()), "floors": known}]


def update_rows(job: UpdateJob) -> list[dict]:
    """Replay one stream gated and ungated.

    Returns
    -------
    list of dict
        One a rule: `rule`, `challengers`, `promotions`, `worse` (of the promotions, those that did worse than
        the model they replaced would have), `first_score` and `last_score` of the model in use.
    """
    stream = updating.toy_stream(job.n_events, job.seed, n_features=job.n_features, effect=job.effect)
    rows = []
    for rule, gate in (("gated", True), ("ungated", False)):
        history = updating.simulate(*stream, _logistic, every=job.every, first=job.first, gate=gate,
                                    alpha=job.alpha, seed=job.seed)
        told = updating.summary(history)
        used = np.where(history.promoted, history.challenger_score, history.champion_score)
        rows.append({"rule": rule, **{k: told[k] for k in ("challengers", "promotions", "worse")},
                     "first_score": float(history.champion_score.iloc[0]), "last_score": float(used[-1])})
    return rows


def _logistic(k):
    return LogisticRegression()


TASKS = {"score": score_rows, "curve": curve_rows, "quiet": quiet_rows, "updating": update_rows}


def read_world(job: ObservatoryJob) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the windows of a job's world, their minutes (N, 3, n) in nT, and `band_power` of them."""
    return _read(dataclasses.replace(ObservatoryJob(), **{name: getattr(job, name) for name in (
        "profile", "length", "controls", "seed", "snr", "years", "n_windows")}))


@lru_cache(maxsize=1)
def _read(job):
    study = _study(job)
    windows, read = synthetic.make_windows(study), synthetic.reader(study)
    x = np.stack([read(station, start, minutes.LENGTHS[job.length])
                  for station, start in zip(windows.station, windows.start, strict=True)])
    return windows, x, band_power(x)


def _study(job, setting=None):
    """Return the study of a job; the batch is no larger than its memory allows."""
    n = minutes.LENGTHS[job.length]
    study = config.load("observatory", job.profile, {
        "seed": job.seed, "world.snr": job.snr, "world.years": job.years, "windows.n_windows": job.n_windows,
        "windows.window_s": n * minutes.MINUTE_S, "windows.controls": job.controls})
    return study if setting is None else apply(study, setting, job.memory_gb)


def _answers(job, setting, windows, x, features, rows, test, protocol, number):
    """Classes that one setting gives the test part of a fold."""
    seed = int(config.rng(job.seed, "observatory", protocol, number).integers(2**31))
    truth = (windows.event_id.to_numpy() != "").astype(np.int64)
    if setting.model == "band_power":
        return simple_fits.probabilities("logistic", features, truth, rows, 2, seed)[test].argmax(1)
    if setting.model != "network":
        raise InputError("Setting", "model", setting.model, "network, band_power")
    study = _study(job, setting)
    images = representation.of(study).images(x)                          # (N, 1, 3, n)
    fit, select = splits.inner_split(windows, rows, study.training.inner_fraction, seed, protocol)
    labels = objectives.truth(study, windows)
    trained = train.fit(study, images, labels, fit, select, seed)
    return train.predict_probabilities(trained, images[test], study)["event"].argmax(1)


def _mcc(truth, y):
    return float(metrics.mcc(metrics.confusion(truth, y, 2)))
