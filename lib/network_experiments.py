"""Many small networks on worlds with nothing to find, and with something: choice, grid, forecasts (layer 6).

Three tasks share one kind of job, which is one world under one design: `grid` scores networks and simple
models under several protocols, `selection` measures what choosing on the test part adds, `forecast` keeps the
out-of-fold probability of every window for `lib.network_scores`. Simple models are trained on the same rows
as the networks. Source: validity.md A4, D1, D5; feature models alone: `lib.experiments`.
"""

import dataclasses
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import (
    calibration,
    comparison,
    config,
    copies,
    floors,
    intervals,
    jobs,
    metrics,
    objectives,
    representation,
    simple_fits,
    splits,
    synthetic,
    targets,
    train,
)
from lib.certificate import LINKS, certificate
from lib.files import InputError
from lib.simple_fits import SIMPLE

NETWORKS = ("convnext", "efficientnet", "vgg16")       # light variants
SHOWN_FLOORS = ("majority", "lookup_station", "time_adjacency")
_CODE = ("network_experiments.py", "train.py", "splits.py", "matching.py", "purge.py", "metrics.py",
         "intervals.py", "calibration.py", "comparison.py", "objectives.py", "storm_loss.py", "losses.py",
         "targets.py", "fitted.py", "device.py", "scale.py", "augment.py", "schedule.py", "backbones.py",
         "model.py", "representation.py", "stft.py", "floors.py", "synthetic.py", "copies.py",
         "certificate.py", "simple_fits.py", "earth/*.py")


@dataclasses.dataclass(frozen=True)
class NetworkJob:
    """One world, some models and protocols; every field is part of the stored result's name."""

    task: str = "grid"                        # grid | selection | forecast
    models: tuple[str, ...] = ("convnext",)   # of NETWORKS and SIMPLE
    design: str = "fair_ulf"
    target: str = "event"                     # any class target of `lib.targets`; selection, forecast: event
    seed: int = 0
    snr: float = 0.0
    n_windows: int = 160
    window_s: int = 3600
    protocols: tuple[str, ...] = ("P2",)      # selection and forecast use the first
    folds: int = 3
    looks: int = 10                           # seeds among which `selection` picks
    size: tuple[int, int] = (64, 64)
    epochs: int = 10
    learning_rate: float = 2e-3
    bootstrap: int = 500


def run_jobs(todo: Iterable[NetworkJob], executor: Executor | None = None, folder: Path | None = None
             ) -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows.

    Parameters
    ----------
    todo : iterable of NetworkJob
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "networks"` by default.

    Returns
    -------
    DataFrame
        The fields of the job beside what `grid_rows`, `selection_rows` or `forecast_rows` says.

    Raises
    ------
    InputError
        For an unknown task, model, design or protocol.
    """
    todo = list(todo)
    light = config.load("convnext", "light", {"seed": 0})
    key = f"{jobs.code_hash(*_CODE)}-{config.config_hash(light, torch.__version__)}"
    return jobs.run(todo, run_job, key, executor, folder or config.CACHE / "networks", "worlds")


def run_job(job: NetworkJob) -> list[dict]:
    """Do one job's task; see `run_jobs`."""
    if job.task not in TASKS:
        raise InputError("NetworkJob", "task", job.task, ", ".join(TASKS))
    if unknown := set(job.models) - {*NETWORKS, *SIMPLE}:
        raise InputError("NetworkJob", "models", sorted(unknown), ", ".join((*NETWORKS, *SIMPLE)))
    named = {k: v for k, v in dataclasses.asdict(job).items() if k not in ("models", "protocols")}
    return [named | row for row in TASKS[job.task](job)]


def grid_rows(job: NetworkJob) -> list[dict]:
    """Score every model and floor under every protocol.

    Returns
    -------
    list of dict
        `protocol`, `model`, `kind` (network, simple, floor), `accuracy`, `majority`, `balanced_accuracy`,
        `mcc` with `low` and `high` over earthquakes, `n_tested`, `n_groups`, `certificate`, `linked_share`.
    """
    windows, x, features = _world(job)
    truth, k = targets.truth(windows, job.target), targets.N_NUMBERS[job.target]
    unit, rows = splits.matched(windows), []
    for protocol in job.protocols:
        folds = _folds(windows, job, protocol)
        links = certificate(windows, folds)
        predicted = {name: np.full(len(truth), -1) for name in job.models}
        for name, number, fold in ((m, n, f) for m in job.models for n, f in enumerate(folds)):
            seed = _seed(job, protocol, number)
            p, _, _ = _fit(job, name, windows, x, features, fold, protocol, seed)
            predicted[name][fold[1]] = p.argmax(1)
        known = floors.floors(windows, folds, job.target, job.seed)
        predicted |= {name: known[name] for name in SHOWN_FLOORS}
        named = {"protocol": protocol, "certificate": {kind: links[kind] for kind in LINKS},
                 "linked_share": links["fraction"]}
        rows += [named | {"model": name, "kind": _kind(name)} | _scores(job, truth, y, unit, k)
                 for name, y in predicted.items()]
    return rows


def selection_rows(job: NetworkJob) -> list[dict]:
    """Measure what choosing epoch and seed on the test part adds to the accuracy of detection.

    Every seed is fitted twice on the same rows. *Nested*: the epoch is that of the lowest loss on an inner
    split of the training part. *Test epoch*: it is chosen on the test part of each fold, for a network by its
    loss there, as early stopping on the test fold does, for a simple model by its accuracy there.
    *Best seed*: the nested fit of the best of `looks` seeds. *Both*: the best seed of the best test epochs.

    Returns
    -------
    list of dict
        `protocol`, `model`, `rule`, `looks`, `accuracy`, `optimism` (above the mean nested accuracy of the
        same model and world), `bound` (c_E sqrt(p (1 - p) / n_eff), validity.md A4, at p = 1/2),
        `n_effective`, `n_tested`, `spread` of the nested accuracy over seeds.
    """
    windows, x, features = _world(job)
    truth, unit, protocol = targets.truth(windows, "event"), splits.matched(windows), job.protocols[0]
    folds, rows = _folds(windows, job, protocol), []
    for name in job.models:
        right = np.zeros((2, job.looks, len(truth)), bool)          # nested, test epoch
        for look, (number, fold) in ((i, f) for i in range(job.looks) for f in enumerate(folds)):
            seed = _seed(job, protocol, number, look)
            both = _nested_and_peeked(job, name, windows, x, features, truth, fold, protocol, seed)
            right[:, look, fold[1]] = both == truth[fold[1]]
        tested = np.concatenate([test for _, test in folds])
        rows += _rules(job, name, right[:, :, tested], unit[tested], protocol, len(folds))
    return rows


def _rules(job, name, right, unit, protocol, n_folds):
    """Rows of the four rules from what was right, (2, looks, N)."""
    nested, peeked = right.mean(2)                                                     # (looks,) each
    n = float(np.mean([intervals.n_effective(one, unit) for one in right[0]]))
    by_epoch = comparison.selection_optimism(0.5, n / n_folds, job.epochs)             # chosen fold by fold
    by_seed = comparison.selection_optimism(0.5, n, job.looks)
    rules = {"nested": (nested.mean(), 1, 0.0), "test epoch": (peeked.mean(), job.epochs, by_epoch),
             "best seed": (nested.max(), job.looks, by_seed),
             "both": (peeked.max(), job.looks * job.epochs, by_epoch + by_seed)}
    return [{"protocol": protocol, "model": name, "rule": rule, "looks": int(looks), "accuracy": float(value),
             "optimism": float(value - nested.mean()), "bound": bound, "n_effective": n,
             "n_tested": right.shape[2], "n_folds": n_folds, "spread": float(nested.std(ddof=1))}
            for rule, (value, looks, bound) in rules.items()]


def forecast_rows(job: NetworkJob) -> list[dict]:
    """Out-of-fold probability of an earthquake for every window, as it comes and after temperature scaling.

    The temperature of a fold is fitted on the inner split of its training part, which the model was not
    fitted on (networks chose their epoch there).

    Returns
    -------
    list of dict
        One a model and window: `model`, `window_id`, `fold`, `unit` (earthquake with its matched quiet
        windows), `y`, `p`, `p_scaled`, `temperature`.
    """
    windows, x, features = _world(job)
    truth, unit, protocol = targets.truth(windows, "event"), splits.matched(windows), job.protocols[0]
    rows = []
    for name, (number, fold) in ((m, f) for m in job.models
                                 for f in enumerate(_folds(windows, job, protocol))):
        p, inner, select = _fit(job, name, windows, x, features, fold, protocol, _seed(job, protocol, number))
        temperature = calibration.fit_temperature(inner, truth[select])
        scaled = calibration.apply_temperature(p, temperature)
        rows += [{"model": name, "protocol": protocol, "fold": number, "y": int(truth[row]),
                  "window_id": f"{job.seed}-{windows.window_id.iloc[row]}", "unit": f"{job.seed}-{unit[row]}",
                  "p": float(a), "p_scaled": float(b), "temperature": temperature}
                 for row, a, b in zip(fold[1], p[:, 1], scaled[:, 1], strict=True)]
    return rows


TASKS = {"grid": grid_rows, "selection": selection_rows, "forecast": forecast_rows}


def _kind(name):
    return "network" if name in NETWORKS else "simple" if name in SIMPLE else "floor"


def _scores(job, truth, y, unit, k):
    """Scores of the tested windows and the interval of the correlation."""
    tested = y >= 0
    truth, y, unit = truth[tested], y[tested], unit[tested]
    matrix = metrics.confusion(truth, y, k)
    limits = intervals.bootstrap_confusion(truth, y, unit, k, metrics.mcc, job.bootstrap,
                                           config.rng(job.seed, "bootstrap", job.target))
    return {"accuracy": float(metrics.accuracy(matrix)),
            "majority": float(matrix.sum(1).max() / matrix.sum()),
            "balanced_accuracy": float(metrics.balanced_accuracy(matrix)), "mcc": float(metrics.mcc(matrix)),
            "low": limits.low, "high": limits.high, "n_tested": int(tested.sum()), "n_groups": limits.n_units}


def _study(job, name="convnext"):
    return config.load("convnext", "light", {
        "seed": job.seed, "targets": (job.target,), "world.snr": job.snr, "windows.design": job.design,
        "windows.n_windows": job.n_windows, "windows.window_s": job.window_s, "stft.size": job.size,
        "network.backbone": name, "training.epochs": job.epochs, "training.patience": job.epochs,
        "training.learning_rate": job.learning_rate, "training.augmentation": None})


@lru_cache(maxsize=1)
def _world(job):
    """Windows, images (N, C, F, T) and features (N, D) of a job's world; copies share one record."""
    study = _study(job)
    windows, read, form = synthetic.make_windows(study), synthetic.reader(study), representation.of(study)
    base = windows.drop_duplicates("parent_id")
    x = form.images(np.stack([read(s, t, form.n) for s, t in zip(base.station, base.start, strict=True)]))
    x = x[pd.Index(base.parent_id).get_indexer(windows.parent_id)]
    if job.design == "published_ulf":
        x = copies.render(x, windows, job.seed)
    found = floors.features(x, form.axes["frequency_hz"][0], job.seed)
    return windows, x, np.hstack([found["band_power"], found["thumbnail"]])


def _folds(windows, job, protocol):
    return splits.folds(windows, protocol, job.folds, job.seed, on_absent="ignore")


def _seed(job, *purpose):
    return int(config.rng(job.seed, "network", *purpose).integers(2**31))


def _fit(job, name, windows, x, features, fold, protocol, seed, peek=False):
    """Probabilities of the test part (n, K) and of the inner selection part, and the rows of the latter.

    The inner split is one for all models and seeds of a fold; `peek` hands a network the test part instead.
    """
    study = _study(job, name)
    fit, select = _inner(job, windows, fold[0], protocol)
    truth = objectives.truth(study, windows)
    if name in NETWORKS:
        trained = train.fit(study, x, truth, fit, fold[1] if peek else select, seed)
        inner = train.predict_probabilities(trained, x[select], study)[job.target]
        return train.predict_probabilities(trained, x[fold[1]], study)[job.target], inner, select
    found = simple_fits.probabilities(name, features, truth[job.target], fit, targets.N_NUMBERS[job.target],
                                      seed)
    return found[fold[1]], found[select], select


def _inner(job, windows, rows, protocol):
    return splits.inner_split(windows, rows, 0.2, _seed(job, "inner", protocol), protocol)


def _nested_and_peeked(job, name, windows, x, features, truth, fold, protocol, seed):
    """Answers on the test part, (2, n): at the epoch that is best on the inner split, and on the test."""
    if name in NETWORKS:
        return np.stack([_fit(job, name, windows, x, features, fold, protocol, seed, peek)[0].argmax(1)
                         for peek in (False, True)])
    fit, select = _inner(job, windows, fold[0], protocol)
    answers = simple_fits.answers_by_epoch(name, features, truth, fit, job.epochs, seed)      # (epochs, N)
    best = [(answers[:, rows] == truth[rows]).mean(1).argmax() for rows in (select, fold[1])]
    return answers[best][:, fold[1]]
