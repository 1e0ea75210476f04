"""Can a network tell where an earthquake will be? One job is one planted world (layer 6).

Only windows before earthquakes are asked. A network answers with sector probabilities, a vector, or a vector
and how sure it is; beside it stand an estimator that needs no training, a linear one, and two directions that
never look at the record. Source: validity.md A12, B7, D6.
"""

import dataclasses
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib import (
    config,
    direction_losses,
    directions,
    floors,
    intervals,
    jobs,
    metrics,
    objectives,
    representation,
    splits,
    synthetic,
    targets,
    train,
)
from lib.certificate import LINKS, certificate
from lib.earth import precursor
from lib.files import InputError

HEADS = ("classes", *direction_losses.KINDS)
COMPARATORS, FLOORS = ("polarisation", "linear"), ("constant", "station")
RIDGE = 10.0          # penalty of the linear comparator on standardised features [D]
_CODE = ("direction_experiments.py", "train.py", "splits.py", "matching.py", "purge.py", "metrics.py",
         "intervals.py", "directions.py", "objectives.py", "direction_losses.py", "losses.py", "targets.py",
         "fitted.py", "device.py", "scale.py", "augment.py", "schedule.py", "backbones.py", "model.py",
         "representation.py", "stft.py", "floors.py", "synthetic.py", "certificate.py", "earth/*.py")


@dataclasses.dataclass(frozen=True)
class DirectionJob:
    """One world and the networks trained on it; every field is part of the stored result's name."""

    source: str = "vmd"
    snr: float = 5.0
    seed: int = 0
    phase: bool = True                       # False: power alone, for comparators too
    heads: tuple[str, ...] = ("sincos",)     # of HEADS; `classes` is the nine-class cross-entropy
    protocols: tuple[str, ...] = ("P2",)
    folds: int | None = 3                    # None: one event or station at a time
    n_windows: int = 280                     # before the quiet half is left out
    window_s: int = 3600
    size: tuple[int, int] = (32, 32)         # 0-0.125 Hz at the 3.9 mHz of the transform
    epochs: int = 12
    learning_rate: float = 5e-3
    bootstrap: int = 1000
    permutations: int = 999


def run_jobs(todo: Iterable[DirectionJob], executor: Executor | None = None, folder: Path | None = None
             ) -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows; see `run_job`.

    Parameters
    ----------
    todo : iterable of DirectionJob
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "directions"` by default.
    """
    todo = list(todo)
    light = config.load("convnext", "light", {"seed": 0})
    key = f"{jobs.code_hash(*_CODE)}-{config.config_hash(light, torch.__version__)}"
    return jobs.run(todo, run_job, key, executor, folder or config.CACHE / "directions", "worlds")


def run_job(job: DirectionJob) -> list[dict]:
    """Score every answer to where the earthquake will be, one row a protocol and model.

    Returns
    -------
    list of dict
        The job's fields, `protocol`, `model`, `kind` (network, comparator, floor); `maae_deg` with
        its interval over earthquakes, `axial_deg` likewise; `p` of exchanging the bearings of earthquakes (of
        axes, for the head `axial`), `v_p` of the V test; `best_floor`, and `gain`: how much smaller the error
        is than that of the best floor, with a paired interval; `kappa`, the mean concentration, if
        learned; `floors`, `certificate`, `linked_share`, counts. For `axial` all errors are of axes: chance
        is 45 and `maae_deg` is None.

    Raises
    ------
    InputError
        For an unknown head or protocol.
    """
    if unknown := set(job.heads) - set(HEADS):
        raise InputError("DirectionJob", "heads", sorted(unknown), ", ".join(HEADS))
    study = _study(job, "sincos")
    windows, read = synthetic.make_windows(study), synthetic.reader(study)
    windows = windows[windows.event_id != ""].reset_index(drop=True)
    form = representation.of(study)
    record = np.stack([read(s, t, form.n) for s, t in zip(windows.station, windows.start, strict=True)])
    x, truth = form.images(record), windows.azimuth_deg.to_numpy()
    free = {"polarisation": np.array([precursor.estimate_azimuth(r) for r in record])} if job.phase else {}
    features = floors.features(x, form.axes["frequency_hz"][0], job.seed)["band_power"]
    rows = []
    for protocol in job.protocols:
        folds = splits.folds(windows, protocol, job.folds, job.seed, on_absent="ignore")
        nets = {head: _network(_study(job, head), x, windows, folds, protocol) for head in job.heads}
        answers = {head: degrees for head, (degrees, _) in nets.items()} | free
        answers |= {"linear": _linear(features, truth, folds)} | direction_floors(windows, folds)
        links = certificate(windows, folds)
        named = dataclasses.asdict(job) | {
            "protocol": protocol, "certificate": {kind: links[kind] for kind in LINKS},
            "linked_share": links["fraction"], "n_windows": len(windows), "n_folds": len(folds)}
        kappa = {head: value for head, (_, value) in nets.items()}
        rows += [named | row | {"kappa": kappa.get(row["model"])}
                 for row in score(answers, truth, windows.event_id.to_numpy(), job)]
    return [{k: v for k, v in row.items() if k not in ("heads", "protocols")} for row in rows]


def direction_floors(windows: pd.DataFrame, folds: list) -> dict[str, np.ndarray]:
    """Directions that never look at the record, (N,) degrees each, from the training part of each fold.

    Returns
    -------
    dict
        `constant`: the one direction with the least error on the training bearings; `station`: the circular
        mean bearing of the station's training windows, the constant for a station without any; `axis`: the
        best constant axis, 0 to 180.

    References
    ----------
    validity.md A12, D6.
    """
    truth, station = windows.azimuth_deg.to_numpy(), windows.station.to_numpy()
    found = {name: np.full(len(windows), np.nan) for name in ("constant", "station", "axis")}
    for fit, test in folds:
        constant = metrics.best_constant_deg(truth[fit])
        usual = {s: metrics.circular_mean_deg(truth[fit][station[fit] == s]) for s in np.unique(station[fit])}
        found["constant"][test] = constant
        found["station"][test] = [usual.get(s, constant) for s in station[test]]
        found["axis"][test] = metrics.best_constant_deg(2 * truth[fit]) / 2
    return found


def score(answers: dict[str, np.ndarray], truth: np.ndarray, events: np.ndarray, job: DirectionJob
          ) -> list[dict]:
    """Score answers (N,) in degrees against true bearings, with the earthquake as the unit; see `run_job`."""
    error = {name: np.abs(metrics.wrap_deg(a - truth)) for name, a in answers.items()}
    axial = {name: np.minimum(e, 180 - e) for name, e in error.items()}
    floor = {name: float(error[name].mean()) for name in FLOORS}
    return [_row(name, error, axial, floor, answers[name], truth, events, job)
            for name in answers if name != "axis"]


def _row(name, error, axial, floor, answer, truth, events, job):
    """One answer's errors, intervals, tests, and gain over the best floor."""
    lines = name == "axial"                              # axes: doubled angles are directions
    own, best = (axial, "axis") if lines else (error, min(floor, key=floor.get))
    known = {"axis": float(axial["axis"].mean())} if lines else floor
    stacked = np.column_stack([error[name], axial[name], own[best] - own[name]])
    limits = _intervals(stacked, events, job)
    fold = 2 if lines else 1
    null = directions.permute_bearings(fold * answer % 360, fold * truth % 360, events, job.permutations,
                                       config.rng(job.seed, "bearings", name))
    kind = "floor" if name in FLOORS else "comparator" if name in COMPARATORS else "network"
    pair = limits[1] if lines else limits[0]
    return {"model": name, "kind": kind, "maae_deg": None if lines else float(error[name].mean()),
            "low": pair[0], "high": pair[1], "axial_deg": float(axial[name].mean()),
            "axial_low": limits[1][0], "axial_high": limits[1][1], "p": null["p"],
            "v_p": metrics.direction_tests(fold * (answer - truth), events)["v_p"], "best_floor": best,
            "floors": known, "gain": float(stacked[:, 2].mean()), "gain_low": limits[2][0],
            "gain_high": limits[2][1], "n_events": int(np.unique(events).size)}


def _intervals(values, events, job):
    """Return the 95 % limits (low, high) of the mean of each column of values (N, M), by earthquake."""
    code = np.unique(events, return_inverse=True)[1]
    sums = np.stack([np.bincount(code, column) for column in (*values.T, np.ones(len(values)))], 1)
    drawn = intervals.resample_confusions(sums, job.bootstrap, config.rng(job.seed, "bootstrap"))   # (B, M+1)
    low, high = np.quantile(drawn[:, :-1] / drawn[:, -1:], [0.025, 0.975], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _study(job, head):
    """Return the light study of one head; `classes` is the nine-class head of S1, decoded by sectors."""
    asked = {"targets": ("azimuth",)} if head == "classes" else {"targets": ("direction",),
                                                                "loss.direction": head}
    return config.load("convnext", "light", asked | {
        "seed": job.seed, "world.snr": job.snr, "world.source": job.source,
        "windows.n_windows": job.n_windows, "windows.window_s": job.window_s, "stft.phase": job.phase,
        "stft.size": job.size, "training.epochs": job.epochs, "training.patience": job.epochs,
        "training.learning_rate": job.learning_rate, "training.augmentation": None})


def _network(study, x, windows, folds, protocol):
    """Out-of-fold answers (N,) in degrees, and the mean concentration where one is learned."""
    labels, found, kappas = objectives.truth(study, windows), np.full(len(windows), np.nan), []
    target, = study.targets
    for number, (rows, test) in enumerate(folds):
        seed = int(config.rng(study.seed, "direction", protocol, number).integers(2**31))
        fit, select = splits.inner_split(windows, rows, study.training.inner_fraction, seed, protocol)
        trained = train.fit(study, x, labels, fit, select, seed)
        numbers = train.predict_probabilities(trained, x[test], study)[target]
        found[test] = (metrics.decode_azimuth_deg(numbers[:, 1:]) if target == "azimuth"
                       else targets.answer(numbers, target))
        if study.loss.direction in objectives.CONCENTRATED and target == targets.DIRECTION:
            with torch.inference_mode():
                raw = trained.network(train.as_input(trained, x[test], study))[target][:, 2]
            kappas.append(direction_losses.concentration(raw.float()).mean().item())
    return found, float(np.mean(kappas)) if kappas else None


def _linear(features, truth, folds):
    """Answers of a ridge regression of (east, north) on the mean of each channel in eight bands."""
    angle, found = np.deg2rad(truth), np.full(len(truth), np.nan)
    for fit, test in folds:
        model = make_pipeline(StandardScaler(), Ridge(RIDGE))
        model.fit(features[fit], np.column_stack([np.sin(angle[fit]), np.cos(angle[fit])]))
        found[test] = targets.answer(model.predict(features[test]), targets.DIRECTION)
    return found
