"""What a detector on electron content scores where nothing precedes earthquakes, and where it does (layer 6).

One job is one synthetic world scored by simple models, or one training of one network on one fold. Jobs are
independent and stored under their hash (`lib.jobs`); chapters only plot what is stored. Sources: validity.md
A4, B11, C9, C10, D1, E3; systems.md 4.2.
"""

import dataclasses
import functools
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats

from lib import (
    comparison,
    config,
    jobs,
    mixing,
    objectives,
    small_images,
    splits,
    tec_images,
    tec_scores,
    train,
)
from lib.certificate import LINKS, certificate
from lib.earth import tec, tec_designs
from lib.files import InputError
from lib.studies import STUDIES

EMBARGO_DAYS = 45.0             # 30 of the window and 15 of its reference (validity.md A3.1)
HELD_FOR_CHOICE = 0.125         # of the training part: a tenth of all windows, as published
PUBLISHED = {"best_of_ten": 0.6716, "mean": 0.63475, "sd": 0.0175, "n_test": 472}   # validity.md E3
_CODE = ("tec_experiments.py", "tec_scores.py", "train.py", "splits.py", "matching.py", "purge.py",
         "metrics.py", "intervals.py", "objectives.py", "targets.py", "fitted.py", "device.py", "scale.py",
         "mixing.py", "schedule.py", "small_images.py", "backbones.py", "model.py", "quartiles.py",
         "tec_images.py", "floors.py", "certificate.py", "simple_fits.py", "table_checks.py", "earth/*.py")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One world and its windows; of the published study none but the first four lines is printed."""

    n_windows: int = 2356
    years: float = 23.0                # windows a year decide how much they overlap: shorten both together
    min_magnitude: float = 5.0
    design: str = "published_tec"
    seed: int = 0
    snr: float = 0.0
    clustering: str = "etas"           # poisson | etas
    branching: float = 0.5
    rate_m5_per_year: float = 130.0
    radius_km: float = 1000.0
    depth_km: float = 100.0


@dataclasses.dataclass(frozen=True)
class FeatureJob:
    """Simple models and floors on one world, under some protocols."""

    setting: Setting = Setting()
    protocols: tuple[str, ...] = ("P0", "P5")
    models: tuple[str, ...] = ("trees", "logistic")
    folds: int = 5
    bootstrap: int = 1000


@dataclasses.dataclass(frozen=True)
class FitJob:
    """One network on one fold of one world."""

    setting: Setting = Setting()
    profile: str = "full"              # of `lib.config`: light networks or those of the study
    network: str = "efficientnetv2"    # of `small_images.NETWORKS`
    mixing: str | None = None          # of `mixing.KINDS`
    protocol: str = "P0"
    fold: int = 0
    folds: int = 5                     # P0 with 5 folds: a fifth tests, as published
    repeat: int = 0                    # another start and order on the same rows
    epochs: int = 80
    learning_rate: float = 1e-4


def run_jobs(todo: Iterable[FeatureJob | FitJob], executor: Executor | None = None,
             folder: Path | None = None) -> pd.DataFrame:
    """Run every job that is not on disk yet and return all their rows.

    Parameters
    ----------
    todo : iterable of FeatureJob or FitJob
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "tec"` by default.

    Returns
    -------
    DataFrame
        The fields of the setting beside those of `tec_scores.rows`, or of `fit_rows`.

    """
    todo = list(todo)
    networks = any(isinstance(job, FitJob) for job in todo)
    profiles = [config.load("tec", name, {"seed": 0}) for name in config.PROFILES] if networks else []
    key = f"{jobs.code_hash(*_CODE)}-{config.config_hash(STUDIES['tec'], profiles, torch.__version__)}"
    return jobs.run(todo, run_job, key, executor, folder or config.CACHE / "tec", "jobs")


def run_job(job: FeatureJob | FitJob) -> list[dict]:
    """Do one job; see `run_jobs`."""
    rows = fit_rows(job) if isinstance(job, FitJob) else feature_rows(job)
    return [dataclasses.asdict(job.setting) | row for row in rows]


@functools.lru_cache(maxsize=1)
def make_windows(setting: Setting) -> tuple[pd.DataFrame, np.ndarray]:
    """Windows table (N rows) and images (N, 6, 30, 24) of a setting.

    Raises
    ------
    InputError
        For an unknown design, and as the world and the design do.
    """
    if setting.design not in tec_designs.TEC_DESIGNS:
        raise InputError("Setting", "design", setting.design, ", ".join(tec_designs.TEC_DESIGNS))
    study = STUDIES["tec"]
    world = tec.TECWorld(setting.seed, study.world.start, setting.years, setting.snr,
                         clustering=setting.clustering, branching=setting.branching,
                         rate_m5_per_year=setting.rate_m5_per_year)
    spec = dataclasses.replace(study.windows, **{name: getattr(setting, name) for name in (
        "design", "n_windows", "min_magnitude", "radius_km", "depth_km")})
    windows = tec_designs.TEC_DESIGNS[setting.design](
        world.catalog, world.stations, world.kp, world.dst, world.f107, spec, setting.seed)
    return windows, tec_images.six_channels(world.series, windows["start"].to_numpy(), study.tec.days,
                                            reference_days=study.tec.reference_days, k=study.tec.k).images


def feature_rows(job: FeatureJob) -> list[dict]:
    """Score simple models and floors on one world; rows of `tec_scores.rows` for every protocol."""
    windows, images = make_windows(job.setting)
    near = {"n_windows": len(windows)}
    return [near | row for protocol in job.protocols
            for row in tec_scores.rows(windows, images, protocol, job.models, job.folds, job.setting.seed,
                                       EMBARGO_DAYS, job.bootstrap)]


def fit_rows(job: FitJob) -> list[dict]:
    """Train one network on one fold and say what it answers.

    A tenth of all windows, never from the test part, chooses the epoch.

    Returns
    -------
    list of one dict
        The job's fields; `accuracy` and `n_test` of the fold, `constant` (share of the commoner answer),
        `window_id` and `answer` (lists, one item a tested window), `train_loss` and `select_loss` (by epoch),
        `best_epoch`, `n_fit`, `certificate` and `linked_share` of this fold.

    Raises
    ------
    InputError
        For an unknown network or kind of mixing, or a fold that the protocol does not have.
    """
    if job.network not in small_images.NETWORKS or job.mixing not in (None, *mixing.KINDS):
        raise InputError("FitJob", "network, mixing", (job.network, job.mixing),
                         f"{', '.join(small_images.NETWORKS)}; None, {', '.join(mixing.KINDS)}")
    windows, images = make_windows(job.setting)
    parts = splits.folds(windows, job.protocol, job.folds, job.setting.seed, "ignore", EMBARGO_DAYS)
    if not 0 <= job.fold < len(parts):
        raise InputError("FitJob", "fold", job.fold, f"0 to {len(parts) - 1} of {job.protocol}")
    rows, test = parts[job.fold]
    study = _study(job)
    labels = objectives.truth(study, windows)
    # one inner split and, for a repeat, one start for all networks and kinds of mixing of a fold
    inner = int(config.rng(job.setting.seed, "tec", "inner", job.protocol, job.fold).integers(2**31))
    start = int(config.rng(job.setting.seed, "tec", "fit", job.protocol, job.fold,
                           job.repeat).integers(2**31))
    fit, select = splits.inner_split(windows, rows, HELD_FOR_CHOICE, inner, job.protocol)
    trained = train.fit(study, images, labels, fit, select, start)
    answer = (train.predict_probabilities(trained, images[test], study)["event"][:, 1] > 0.5).astype(int)
    share, links = float(answer.mean()), certificate(windows, [(rows, test)])
    named = {k: v for k, v in dataclasses.asdict(job).items() if k != "setting"}
    return [named | {
        "accuracy": float((answer == labels["event"][test]).mean()), "n_test": len(test),
        "constant": max(share, 1 - share), "window_id": windows["window_id"].to_numpy()[test].tolist(),
        "answer": answer.tolist(), "train_loss": trained.history.train_loss.tolist(),
        "select_loss": trained.history.select_loss.tolist(), "best_epoch": int(trained.best_epoch),
        "n_fit": len(fit), "n_select": len(select),
        "certificate": {kind: links[kind] for kind in LINKS}, "linked_share": links["fraction"]}]


def _study(job):
    """Return the study of one training: its profile's networks, this job's optimisation."""
    return config.load("tec", job.profile, {
        "seed": job.setting.seed, "network.backbone": job.network, "training.augmentation": job.mixing,
        "training.epochs": job.epochs, "training.patience": job.epochs,
        "training.learning_rate": job.learning_rate})


def pool_folds(fits: pd.DataFrame, setting: Setting, bootstrap: int = 1000) -> pd.DataFrame:
    """Join the folds of each network and score them beside the floors on the same windows.

    `fits` are rows of `FitJob`s of one setting, every fold of a protocol once for each network.

    Returns
    -------
    DataFrame
        Rows of `tec_scores.score` with `protocol` and the summed `certificate`.

    Raises
    ------
    InputError
        For a network that lacks a fold or has one twice.
    """
    windows, _ = make_windows(setting)
    position = pd.Series(np.arange(len(windows)), windows["window_id"])
    found = []
    for protocol, some in fits.groupby("protocol", sort=False):
        n_folds, = some["folds"].unique()
        parts = splits.folds(windows, protocol, int(n_folds), setting.seed, "ignore", EMBARGO_DAYS)
        answers = {}
        for name, of in some.groupby("network", sort=False):
            if sorted(of["fold"]) != list(range(len(parts))):
                raise InputError("pool_folds", f"folds of {name} under {protocol}", sorted(of["fold"]),
                                 f"each of {len(parts)} once")
            answers[name] = np.full(len(windows), -1)
            for row in of.itertuples():
                answers[name][position[row.window_id]] = row.answer
        known = tec_scores.known_floors(windows, parts, setting.seed)
        links = certificate(windows, parts)
        found += [{"protocol": protocol, "certificate": {kind: links[kind] for kind in LINKS}} | row
                  for row in tec_scores.score(windows, answers, known, setting.seed, bootstrap)]
    return pd.DataFrame(found)


def compare_mixing(fits: pd.DataFrame) -> pd.DataFrame:
    """Test every kind of mixing against none on the same folds and starts.

    Parameters
    ----------
    fits : DataFrame
        Rows of `FitJob`s of one network and protocol, every kind on the same folds and repeats; `mixing` is
        None for the arm that is compared with.

    Returns
    -------
    DataFrame
        By kind: mean `accuracy`, `difference` to none, `t`, `p` and `p_holm` of the corrected resampled t
        over folds (repeats averaged first), `naive_p` of the t-test that takes folds as independent.

    References
    ----------
    Nadeau and Bengio (2003); validity.md A11.
    """
    kind = fits["mixing"].fillna("none").rename("mixing")
    wide = fits.groupby([kind, "fold"])["accuracy"].mean().unstack("mixing")
    if "none" not in wide or wide.isna().any(axis=None) or wide.shape[1] < 2:
        raise InputError("compare_mixing", "arms", list(wide), "none and others, all on the same folds")
    n_train, n_test = (fits["n_fit"] + fits["n_select"]).mean(), fits["n_test"].mean()
    found = []
    for name in (name for name in mixing.KINDS if name in wide):
        difference = (wide[name] - wide["none"]).to_numpy()
        same = not np.ptp(difference) > 0            # nothing to estimate a spread from
        test = {"t": 0.0, "p": 1.0, "naive_p": 1.0} if same else comparison.corrected_resampled_t(
            difference, n_train, n_test)
        found.append({"mixing": name, "accuracy": float(wide[name].mean()),
                      "difference": float(difference.mean()), **{k: test[k] for k in ("t", "p", "naive_p")}})
    return pd.DataFrame(found).assign(none=float(wide["none"].mean()),
                                      p_holm=lambda table: comparison.holm(table["p"]))


def covers(rows: pd.DataFrame, chance: float = 0.5) -> dict:
    """Say how worlds spread around chance: mean with its t interval over seeds, and shares.

    Returns
    -------
    dict
        `mean`, `sd`, `low`, `high` (95 % of the mean), `least`, `greatest`, `n_worlds`, `covered` (worlds
        whose own interval holds chance).
    """
    values = rows["accuracy"].to_numpy()
    if len(values) < 2:
        raise InputError("tec_experiments.covers", "worlds", len(values), "two or more")
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * sd / len(values)**0.5
    inside = (rows["low"] <= chance) & (rows["high"] >= chance)
    return {"mean": mean, "sd": sd, "low": mean - half, "high": mean + half, "least": float(values.min()),
            "greatest": float(values.max()), "n_worlds": len(values), "covered": int(inside.sum())}
