"""Many worlds: what each protocol reports when there is nothing to find, and when there is (layer 6).

One job is one world under one sampling design, scored by simple models under several protocols. Jobs are
independent: `run_jobs` takes an executor, writes each finished job under its configuration hash and
continues where a killed run stopped. Chapters only plot what is stored. Source: validity.md D1, D2, D3.
"""

import dataclasses
import functools
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from lib import config, confounders, copies, floors, intervals, metrics, nulls, splits, stft, synthetic
from lib.jobs import code_hash, run
from lib.studies import MAGNITUDE_CLASSES, N_CLASSES
from lib.targets import truth as truth_of

MODELS = ("logistic", "forest", "nearest")     # `oracle` knows the planted band
BAND_HZ = (0.01, 0.05)                         # validity.md C8
TREES = 40
CANDIDATES = 10                                # epochs among which `test_stopping` picks [D]
TARGETS = {"detection": 2} | N_CLASSES
_CODE = ("experiments.py", "floors.py", "splits.py", "stft.py", "synthetic.py", "metrics.py", "intervals.py",
         "confounders.py", "copies.py", "matching.py", "nulls.py", "purge.py", "table_checks.py",
         "targets.py", "earth/*.py")


@dataclasses.dataclass(frozen=True)
class Job:
    """One world, one design, some protocols and models; every field is part of the stored result's name."""

    design: str = "fair_ulf"
    switch: str = ""                # a key of `confounders.SWITCHES`, planted alone
    seed: int = 0
    snr: float = 0.0
    amplitude_law: str = "flat"
    n_windows: int = 240
    window_s: int = 3600
    protocols: tuple[str, ...] = ("P2",)
    models: tuple[str, ...] = ("logistic",)
    targets: tuple[str, ...] = ("detection",)
    folds: int = 5
    permutations: int = 199         # of event labels against fixed predictions
    refits: int = 0                 # of labels with the model fitted again, instead of the former
    bootstrap: int = 500
    with_floors: bool = False


def run_jobs(jobs: Iterable[Job], executor: Executor | None = None, folder: Path | None = None
             ) -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows.

    Parameters
    ----------
    jobs : iterable of Job
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "experiments"` by default.

    Returns
    -------
    DataFrame
        One row a job, protocol, model and target: the job's fields, accuracy, balanced accuracy, MCC with
        its interval over events (with their matched quiet windows), p, n_windows, n_groups. With `refits`, p
        is that of `nulls.exchange_refit` where windows are matched, else of `nulls.permutation_refit`.
    """
    return run(jobs, _rows, code_hash(*_CODE), executor, folder or config.CACHE / "experiments", "worlds")


def run_job(job: Job) -> list[dict]:
    """Score one world; see `run_jobs` for the rows."""
    study = config.load("convnext", "light", {
        "seed": job.seed, "world.snr": job.snr, "world.amplitude_law": job.amplitude_law,
        "windows.design": job.design, "windows.n_windows": job.n_windows, "windows.window_s": job.window_s})
    windows, features = _windows_and_features(study, job.switch)
    rows = []
    for protocol in job.protocols:
        folds = splits.folds(windows, protocol, job.folds, job.seed, on_absent="ignore")
        for target in job.targets:
            truth = _truth(windows, target)
            cut = functools.partial(_folds, windows, folds, protocol, target, job)
            fits = {name: functools.partial(_predict, name, features, cut=cut, job=job)
                    for name in job.models}
            predicted = {name: fit(truth) for name, fit in fits.items()}
            if job.with_floors and target != "detection":
                predicted |= floors.floors(windows, folds, target, job.seed)
            named = dataclasses.asdict(job) | {"protocol": protocol, "target": target}
            rows += [named | {"model": name} | _score(job, windows, truth, y, target, fits.get(name))
                     for name, y in predicted.items()]
    return rows


def _rows(job):
    lists = "protocols", "models", "targets"
    return [{k: v for k, v in row.items() if k not in lists} for row in run_job(job)]


def _windows_and_features(study, switch):
    """Make the windows table and the numbers that models see, with one confounder planted or none."""
    world, read = synthetic.make_world(study), None
    windows, stage = synthetic.make_windows(study), confounders.STAGES.get(switch)
    if stage == "table":
        windows, _ = confounders.apply(switch, windows, kp=world.kp, dst=world.dst, seed=study.seed)
    if stage == "record":
        windows, read = confounders.apply(switch, windows, world.window, seed=study.seed)
    images = _images(study, windows, read or world.window)
    if stage == "images":
        windows, images = confounders.apply(switch, windows, images, seed=study.seed)
    frequency_hz = stft.frequencies_hz(study.stft)
    inside = (frequency_hz >= BAND_HZ[0]) & (frequency_hz <= BAND_HZ[1])
    found = floors.features(images, frequency_hz, study.seed)
    return windows, found | {"oracle": images[:, :, inside].mean((2, 3))}


def _images(study, windows, read, batch=64):
    """Images of all windows (N, C, F, T); the record of copies is made once, then each is rendered."""
    n, parts = int(study.windows.window_s), []
    for start in range(0, len(windows), batch):
        some = windows.iloc[start:start + batch]
        base = some.drop_duplicates("parent_id")
        x = stft.spectrogram(np.stack([read(s, t, n) for s, t in zip(base.station, base.start, strict=True)]),
                             study.stft)
        where = pd.Index(base.parent_id).get_indexer(some.parent_id)
        parts.append(copies.render(x[where], some, study.seed))
    return np.concatenate(parts)


def _truth(windows, target):
    """Class index of each window; `detection` is 1 for event windows."""
    if target == "detection":
        return (windows.event_id.to_numpy() != "").astype(np.int64)
    return truth_of(windows, target)


def _folds(windows, folds, protocol, target, job, truth):
    """Folds of a protocol under other labels: those that look at magnitude classes are made again."""
    if target != "magnitude" or protocol in splits.TIMED or (truth == _truth(windows, target)).all():
        return folds
    other = windows.assign(magnitude_class=np.array(MAGNITUDE_CLASSES)[truth])
    return splits.folds(other, protocol, job.folds, job.seed, on_absent="ignore")


def _predict(name, features, truth, cut, job):
    """Out-of-fold predictions of one simple model, shape (N,); -1 where a window is never tested."""
    folds = cut(truth)
    if job.switch == "test_stopping":
        plain = [dataclasses.replace(job, switch="", seed=job.seed + i) for i in range(CANDIDATES)]
        tried = [_predict(name, features, truth, cut, one) for one in plain]
        return confounders.select_on_test(np.stack(tried), truth, folds)
    known = {"logistic": ["band_power"], "oracle": ["oracle"]}.get(name, ["band_power", "thumbnail"])
    x, found = np.hstack([features[key] for key in known]), np.full(len(truth), -1)
    for train, test in folds:
        classes = np.unique(truth[train])
        mean, sd = x[train].mean(0), x[train].std(0)
        z = (x - mean) / np.where(sd > 0, sd, 1)
        if len(classes) == 2 and name in ("logistic", "oracle"):
            weight = _newton(z[train], truth[train] == classes[1])
            found[test] = classes[(z[test] @ weight[1:] + weight[0] > 0).astype(int)]
        else:
            found[test] = classes[0] if len(classes) == 1 else _model(name, job.seed).fit(
                z[train], truth[train]).predict(z[test])
    return found


def _newton(z, event):
    """Intercept and weights of `_model("logistic")` for two classes, in a tenth of scikit-learn's time."""
    a, penalty = np.column_stack([np.ones(len(z)), z]), np.r_[0.0, np.ones(z.shape[1])]
    share = np.where(event, 0.5 / event.mean(), 0.5 / (1 - event.mean()))        # classes weigh the same
    weight = np.zeros(a.shape[1])
    for _ in range(100):
        p = expit(a @ weight)
        slope, curvature = a.T @ (share * (p - event)) + penalty * weight, (a.T * (share * p * (1 - p))) @ a
        step = np.linalg.solve(curvature + np.diag(penalty), slope)
        weight -= step
        if np.abs(step).max() < 1e-6:
            break
    return weight


def _model(name, seed):
    """Return a classifier; those that count classes weigh them the same."""
    if name == "forest":
        return RandomForestClassifier(TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed)
    if name == "nearest":
        return KNeighborsClassifier(1)
    return LogisticRegression(solver="newton-cholesky", class_weight="balanced")   # few features: fast


def _score(job, windows, truth, y, target, fit):
    """Scores of tested windows, their interval and p with the event as the unit."""
    tested, k, whole = y >= 0, TARGETS[target], truth
    unit = splits.matched(windows)
    groups, truth, y = splits.groups(windows, "event")[tested], truth[tested], y[tested]
    matrix = metrics.confusion(truth, y, k)
    interval = intervals.bootstrap_confusion(truth, y, unit[tested], k, metrics.mcc, job.bootstrap,
                                             config.rng(job.seed, "bootstrap", target))
    if job.refits and fit and target != "azimuth":
        null = nulls.exchange_refit if (windows.set_id != "").all() else nulls.permutation_refit
        p = null(lambda labels: _mcc(labels[tested], fit(labels)[tested], k), whole, unit, job.refits,
                 job.seed).p
    else:
        p = intervals.permutation_test(truth, y, groups, k, metrics.mcc, job.permutations, config.rng(
            job.seed, "permutation", target), blocks=target == "azimuth").p
    within = {} if target == "detection" else {
        "within_event_mcc": float(metrics.mcc(metrics.within_event(truth, y, k)))}
    return {"accuracy": float(metrics.accuracy(matrix)),
            "majority": float(matrix.sum(1).max() / matrix.sum()),
            "balanced_accuracy": float(metrics.balanced_accuracy(matrix)), "mcc": float(metrics.mcc(matrix)),
            "low": interval.low, "high": interval.high, "p": p, "n_tested": int(tested.sum()),
            "n_groups": interval.n_units, **within}


def _mcc(truth, y, k):
    return float(metrics.mcc(metrics.confusion(truth, y, k)))
