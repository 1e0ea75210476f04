"""The experiments of the CRNN chapter: one chronological split, several worlds, losses and inputs (layer 6).

A job is one network. It is fitted on the windows before the blind period, its threshold is chosen on an inner
split, and it forecasts the blind period once. What is stored of it holds no truth: outcomes are joined to
forecasts later, from a ledger. Jobs are independent, run in any executor and continue where a killed run
stopped. Sources: seed 002; validity.md A3 (P6), D4.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lib import (
    config,
    dataset,
    direction_losses,
    model,
    objectives,
    purge,
    runs,
    splits,
    storm_scores,
    synthetic,
    targets,
    train,
)
from lib.earth import daily
from lib.files import InputError, content_hash, write_json
from lib.studies import Study

CHANNELS = {"HDZ": (0, 1, 2), "H": (0,), "D": (1,), "Z": (2,), "signed": (0, 1, 2, 3, 4, 5)}
CONTROLS = ("matched", "calm")
PAIRS = ((0, 2), (1, 2), (0, 1))                # H Z, D Z, H D: the coherencies of `signed`


@dataclasses.dataclass(frozen=True)
class Job:
    """One network to fit; every field but the name is part of the stored result's name.

    `channels` is a key of `CHANNELS`: components, or `signed`, which adds the coherency of each pair.
    `controls` says which quiet windows it is trained on. `keep` stores the weights.
    """

    name: str
    study: Study
    channels: str = "HDZ"
    controls: str = "matched"
    keep: bool = False


def make_windows(study: Study) -> pd.DataFrame:
    """Choose the windows of all jobs on a study, and say in `part` what each is for.

    Parameters
    ----------
    study : Study
        Of the design `daily`.

    Returns
    -------
    DataFrame
        The windows table with `role` (case, control, storm, calm) and `part`: `train` or `blind` by protocol
        P6 with the study's folds and embargo, storms of the blind period in `blind`; `calm` for quiet days of
        low Kp before it, which can replace the matched controls of the training part, one for one. What the
        split drops is left out; ``attrs["dropped"]`` counts it.

    Raises
    ------
    InputError
        As `daily.daily_windows` and `splits.folds`: no storm, a missing index, an embargo that is too long.
    """
    world = dataclasses.replace(study.world, snr=0.0, source="vmd")       # what is planted moves no window
    return _windows(dataclasses.replace(_bare(study), world=world)).copy()


@functools.lru_cache(maxsize=4)
def _windows(study):
    world, spec, form = synthetic.make_world(study), study.windows, study.evaluation
    choose = functools.partial(daily.daily_windows, world.catalog, world.stations, world.kp, world.dst,
                               dataclasses.replace(spec, design="fair_ulf"), study.seed)
    cut = functools.partial(splits.folds, protocol="P6", n_folds=form.folds, seed=study.seed,
                            on_absent="ignore", embargo_days=form.embargo_days)
    plain = choose()
    begin = plain.start.iloc[cut(plain)[0][1]].min()
    table = choose(n_storm=spec.n_storm, n_storm_cases=spec.n_storm_cases, storm_from=begin)
    [(fit, blind)] = cut(table)
    table["part"] = ""
    table.loc[fit, "part"], table.loc[blind, "part"] = "train", "blind"
    calm = _calm(choose(controls="quiet_only"), table, study)
    dropped = int((table.part == "").sum())
    table = pd.concat([table[table.part != ""], calm]).sort_values(["start", "station"], kind="stable",
                                                                   ignore_index=True)
    table.attrs["dropped"] = dropped
    return table


def _calm(table, chosen, study):
    """Quiet days of low Kp before the embargo, as many as the training part has controls."""
    calm = table[table.role == "control"].assign(role="calm", part="calm")
    calm["window_id"] = "calm-" + calm.window_id                 # a matched control may be the same day
    both = pd.concat([chosen, calm], ignore_index=True)
    blind, rows = (np.flatnonzero(both.part == name) for name in ("blind", "calm"))
    rows = purge.unrelated(both, purge.before(both, rows, blind, study.evaluation.embargo_days), blind)
    n = int(((both.part == "train") & (both.role == "control")).sum())
    if rows.size < n:
        raise InputError("crnn_experiments.make_windows", "calm days before the blind period", rows.size,
                         f"{n}, as many as controls: a longer span or fewer windows")
    return both.iloc[np.sort(config.rng(study.seed, "crnn", "calm").permutation(rows)[:n])]


def parts(windows: pd.DataFrame, controls: str = "matched") -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on with one kind of controls, and the blind rows: the same for both kinds."""
    if controls not in CONTROLS:
        raise InputError("crnn_experiments.parts", "controls", controls, ", ".join(CONTROLS))
    keep = windows.part == "train"
    if controls == "calm":
        keep = (keep & (windows.role == "case")) | (windows.part == "calm")
    return np.flatnonzero(keep), np.flatnonzero(windows.part == "blind")


def make_dataset(study: Study, windows: pd.DataFrame, folder: Path, signed: bool = False) -> Path:
    """Build the dataset of a study's windows, or the powers of sums that `signed` needs beside it.

    The latter holds H + Z, D + Z, H + D in place of H, D, Z, for training and blind windows without storms:
    the power of a sum less that of its parts is twice the real cross-power. So a representation made of power
    alone gives what it lacks, the sense of a polarisation.
    """
    read = synthetic.reader(study)
    if signed:
        windows = windows[windows.role.isin(["case", "control"])].reset_index(drop=True)
        read = functools.partial(_sums, read)
    world = content_hash(*(path.read_bytes() for path in synthetic.code_files()))
    shaping = {key: value for key, value in dataclasses.asdict(study).items()
               if key in ("name", "seed", "world", "windows", "cwt", "evaluation")}
    path = folder / f"crnn-{content_hash(shaping, signed, world)}.h5"
    return dataset.build(path, windows, read, study, source=f"world {world}{' sums' if signed else ''}")


def _sums(read, station, start, n):
    x = read(station, start, n)
    return np.stack([x[a] + x[b] for a, b in PAIRS])


def coherency(power: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Real coherency of H Z, D Z and H D from log powers of components and of their sums, in [-1, 1].

    Re(A B*) = (|A + B|^2 - |A|^2 - |B|^2) / 2, over sqrt(|A|^2 |B|^2), all averaged over a column.

    >>> power = np.zeros((1, 3, 1, 1))                    # |H|^2 = |D|^2 = |Z|^2 = 1
    >>> sums = np.log10(np.array([4.0, 2.0, 1e-9])).reshape(1, 3, 1, 1)    # H = Z, D and Z apart, H = -D
    >>> coherency(power, sums).ravel().round(6)
    array([ 1.,  0., -1.], dtype=float32)
    """
    p, s = 10.0 ** np.asarray(power, float), 10.0 ** np.asarray(sums, float)
    found = [(s[:, k] - p[:, a] - p[:, b]) / 2 / np.sqrt(p[:, a] * p[:, b]) for k, (a, b) in enumerate(PAIRS)]
    return np.clip(np.stack(found, 1), -1, 1).astype(np.float32)


def run_jobs(jobs: Iterable[Job], executor: Executor | None = None, folder: Path | None = None
             ) -> pd.DataFrame:
    """Build what is missing, fit every job that is not on disk yet, and return all forecasts.

    Parameters
    ----------
    jobs : iterable of Job
        Names are unique.
    executor : concurrent.futures.Executor, optional
    folder : Path, optional
        `config.CACHE / "crnn"` by default.

    Returns
    -------
    DataFrame
        One row a job and blind window, without any truth: `job`, `window_id`, `p_0`, `p_1` (quiet, event),
        `east`, `north` (unit vector), `threshold` (of p_1, for a recall of 0.8 on the inner selection),
        `n_fit`, `best_epoch`, `weights` (path, "" if not kept).

    Raises
    ------
    InputError
        For a name given twice, unknown channels, and as `make_windows` and `train.fit`.
    """
    jobs, folder = list(jobs), folder or config.CACHE / "crnn"
    _check(jobs)
    signed = {job.name: job.channels == "signed" for job in jobs}
    bare = {job.name: _bare(job.study) for job in jobs}
    wanted = sorted({(bare[job.name], use) for job in jobs for use in {False, signed[job.name]}}, key=str)
    built = _each(make_dataset, [(study, make_windows(study), folder, use) for study, use in wanted],
                  executor, "datasets")
    files = dict(zip(wanted, built, strict=True))
    todo = [(job, files[bare[job.name], False], files.get((bare[job.name], signed[job.name] or None)), folder)
            for job in jobs]
    found = _each(_run, todo, executor, "networks")
    return pd.concat([pd.DataFrame(rows).assign(job=job.name)
                      for job, rows in zip(jobs, found, strict=True)], ignore_index=True)


def _bare(study):
    """Return what of a study shapes its data."""
    return dataclasses.replace(study, training=None, loss=None, network=None, profile="")


def _check(jobs):
    names = [job.name for job in jobs]
    for job in jobs:
        if job.channels not in CHANNELS or job.controls not in CONTROLS or names.count(job.name) > 1:
            raise InputError("crnn_experiments.run_jobs", f"name, channels and controls of {job.name}",
                             (job.name, job.channels, job.controls),
                             f"a name of its own, {', '.join(CHANNELS)}, {', '.join(CONTROLS)}")


def _each(function, items, executor, what):
    """Call a function on all items, in the executor if there is one."""
    running = [executor.submit(function, *item) for item in items] if executor else items
    return [one.result() if executor else function(*one)
            for one in tqdm(running, desc=what, disable=None, leave=False)]


def _run(job, path, sums, folder):
    """Return a job's forecasts from disk, or fit it and store them."""
    with dataset.open_dataset(path, verify=False) as opened:
        code = Path(__file__).read_bytes()
        other = sums and dataset.open_dataset(sums, verify=False)
        content = content_hash(opened.content_hash, other.content_hash if other else "", job.channels,
                               job.controls, code)
        file = folder / runs.run_key(job.study, content, "P6") / "forecasts.json"
        weights = file.with_name("weights.safetensors")
        if not file.exists() or (job.keep and not weights.exists()):
            write_json(file, _fit(job, opened, other, weights))
        if other:
            other.close()
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [row | {"weights": str(weights) if job.keep else ""} for row in rows]


def _fit(job, opened, sums, weights):
    """Fit one network, choose its threshold, forecast the blind windows; rows without truth."""
    study, windows = job.study, opened.windows
    if sums:
        windows, rows = sums.windows, pd.Index(opened.windows.window_id).get_indexer(sums.windows.window_id)
        power = opened.read(rows).astype(np.float32)
        x = np.concatenate([power, coherency(power, sums.read(slice(None)))], 1)
    else:
        x = opened.read(slice(None)).astype(np.float32)
    x, truth = x[:, CHANNELS[job.channels]], objectives.truth(study, windows)
    if targets.DIRECTION in truth:
        direction_losses.bearing_mask((windows.event_id != "").to_numpy(), truth[targets.DIRECTION])
    known, blind = parts(windows, job.controls)
    seed = int(config.rng(study.seed, "crnn", "fit").integers(2**31))    # of all arms: only the loss differs
    fit_idx, select_idx = splits.inner_split(windows, known, study.training.inner_fraction, seed, "P6")
    trained = train.fit(study, x, truth, fit_idx, select_idx, seed)
    chosen = train.predict_probabilities(trained, x[select_idx], study)["event"][:, 1]
    threshold = storm_scores.at_recall(truth["event"][select_idx], chosen)
    found = train.predict_probabilities(trained, x[blind], study)
    if job.keep:
        model.save_weights(trained.network, weights, {
            "study": study, "mean": trained.mean, "std": trained.std, "best_epoch": trained.best_epoch,
            "history": trained.history.to_dict("list"), "channels_of": job.channels})
    return [{"window_id": name, "p_0": float(p[0]), "p_1": float(p[1]), "east": float(v[0]),
             "north": float(v[1]), "threshold": threshold, "n_fit": len(fit_idx),
             "best_epoch": trained.best_epoch} for name, p, v in
            zip(windows.window_id.iloc[blind], found["event"], found["direction"], strict=True)]
