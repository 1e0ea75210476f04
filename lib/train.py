"""Training: one visible loop, and cross-validation that survives being killed (layer 5)."""

import copy
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lib import augment, config, device, mixing, model, objectives, runs, schedule, splits
from lib.dataset import open_dataset
from lib.executors import start as pool
from lib.files import InputError, write_json
from lib.fitted import Fit, as_input, check_finite, load_fit, predict_probabilities
from lib.runs import run_key, weights_path
from lib.scale import fit_scale
from lib.studies import Study

__all__ = ["Fit", "as_input", "cross_validate", "fit", "load_fit", "pool", "predict_probabilities"]

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad,
              "adamax": torch.optim.Adamax, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
_FUSED = ("adamw", "adam")      # one kernel for all parameters


def fit(study: Study, x: np.ndarray, labels: dict[str, np.ndarray], fit_idx: np.ndarray,
        select_idx: np.ndarray, seed: int) -> Fit:
    """Train one network on `fit_idx` and keep the epoch that does best on `select_idx`.

    Parameters
    ----------
    study : Study
    x : array, shape (N, C, F, T)
        Spectrogram images, unscaled.
    labels : dict of arrays, each (N,)
        From `objectives.truth`: the truth of each target, and what else the loss reads.
    fit_idx, select_idx : int arrays
        Rows used for the gradient, and rows of other events used for early stopping.
    seed : int
        Initialisation, order, dropout and augmentation all follow from it.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        For an image that is not finite, a setting that cannot be used, or a loss that diverges at once.

    References
    ----------
    Optimiser and schedule: seed 001; selection inside the training events: validity.md A4.
    """
    spec, place = study.training, device.pick()
    check_finite(x)
    mean, std = fit_scale(x[fit_idx])
    x_fit, x_select = (device.scaled(x[rows], mean, std, spec.channels_last, place)
                       for rows in (fit_idx, select_idx))
    y_fit, y_select = ({t: torch.tensor(v[rows], device=place) for t, v in labels.items()}
                       for rows in (fit_idx, select_idx))
    objective = objectives.make(study, y_fit)
    centre, decades = (torch.as_tensor(v, device=place) for v in (mean, std))   # log power: decades a unit

    with device.reproducible(seed, spec.threads):
        network, optimizer = _start(study, x.shape[1:], place)
        parameters = list(network.parameters())       # walking the modules at every step costs 2 %
        generator = torch.Generator(device=place).manual_seed(seed)
        steps = len(_batches(torch.arange(len(fit_idx)), spec.batch_size))
        rows, best = [], (np.inf, 0, None)
        for epoch in range(spec.epochs):
            network.train()
            total = torch.zeros((), device=place)
            order = torch.randperm(len(fit_idx), generator=generator, device=place)
            for step, batch in enumerate(_batches(order, spec.batch_size)):
                rate = schedule.rate(spec, epoch * steps + step, steps)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                image, truth = x_fit[batch], {t: v[batch] for t, v in y_fit.items()}
                if spec.augmentation:
                    image, truth = _changed(image, truth, spec.augmentation, generator, centre, decades)
                loss = _loss(network, image, truth, objective, spec)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, spec.clip)
                optimizer.step()
                total += loss.detach()
            select_loss = _evaluate(network, x_select, y_select, objective, spec)
            rows.append((epoch, rate, float(total) / steps, select_loss))
            if select_loss < best[0]:
                best = (select_loss, epoch, copy.deepcopy(network.state_dict()))
            elif epoch - best[1] >= spec.patience:
                break
    if best[2] is None:
        raise InputError("lib.train.fit", "selection loss", rows[-1][-1],
                         "a finite loss; lower training.learning_rate or look for extreme inputs")
    network.load_state_dict(best[2])
    history = pd.DataFrame(rows, columns=["epoch", "learning_rate", "train_loss", "select_loss"])
    return Fit(network.eval(), mean, std, history, best[1])


def cross_validate(study: Study, dataset, protocol: str, executor: Executor | None = None,
                   keep_weights: bool = False, folder: Path | None = None) -> pd.DataFrame:
    """Train and test on every fold of a protocol; return the predictions table.

    Every finished fold is written to disk, whole or not at all, under the hash of everything it depends
    on. A run that was killed continues where it stopped and ends with the same bytes.

    Parameters
    ----------
    study : Study
    dataset : lib.dataset.Dataset or path
        The spectrograms and the windows table.
    protocol : str
        A key of `lib.splits.PROTOCOLS`.
    executor : concurrent.futures.Executor, optional
        Runs the folds as independent jobs; in this process when None.
    keep_weights : bool
        Also store each fold's network as safetensors with a JSON card.
    folder : Path, optional
        Where folds are kept; `config.CACHE / "folds"` by default.

    Returns
    -------
    DataFrame
        Columns study, protocol, fold, seed, window_id, target, y_true, y_pred, p_0 ... p_8.

    Raises
    ------
    InputError
        For an unknown protocol, windows that it cannot split, a dataset made for another representation,
        or a damaged file of an earlier run.
    """
    given = isinstance(dataset, (str, Path))            # else it was verified when it was opened
    path = Path(dataset if given else dataset.path)
    with open_dataset(path, verify=given) as opened:
        runs.check_representation(study, opened)
        windows, content = opened.windows, opened.content_hash
        labels = {target: opened.labels(target) for target in study.targets}
    parts = splits.folds(windows, protocol, study.evaluation.folds, study.seed, "ignore",
                         study.evaluation.embargo_days)
    folder = (folder or config.CACHE / "folds") / run_key(study, content, protocol)
    jobs = []
    for number, (train, test) in enumerate(parts):
        job = (study, path, content, protocol, number, train, test, folder, keep_weights)
        done = runs.is_done(folder, number, keep_weights)
        jobs.append(None if done else (executor.submit(_run_fold, *job) if executor else job))
    try:
        for job in tqdm(jobs, desc=f"{study.network.backbone} {protocol}", disable=None, leave=False):
            if job is not None:
                job.result() if executor else _run_fold(*job)
    except BaseException:                               # what has not begun is not begun for nothing
        for job in jobs if executor else ():
            if job is not None:
                job.cancel()
        raise
    ids = windows.window_id.to_numpy(object)
    return pd.concat([runs.read_fold(runs.fold_path(folder, number), ids[test],
                                     {t: y[test] for t, y in labels.items()})
                      for number, (_, test) in enumerate(parts)], ignore_index=True)


def _run_fold(study, path, content, protocol, number, train, test, folder, keep_weights):
    """Fit on one training fold, open its test fold once, write the predictions."""
    with open_dataset(path, verify=False) as dataset:
        if dataset.content_hash != content:
            raise InputError(path, "content hash", dataset.content_hash, f"{content}, as when the run began")
        x, windows = dataset.read(slice(None)), dataset.windows
    labels = objectives.truth(study, windows)
    seed = int(config.rng(study.seed, "fold", protocol, number).integers(2**31))
    fit_idx, select_idx = splits.inner_split(windows, train, study.training.inner_fraction, seed, protocol)
    trained = fit(study, x, labels, fit_idx, select_idx, seed)
    probabilities = predict_probabilities(trained, x[test], study)
    ids = windows.window_id.to_numpy(object)[test]
    if keep_weights:
        card = {"study": study, "mean": trained.mean, "std": trained.std, "protocol": protocol,
                "fold": number, "history": trained.history.to_dict("list"), "best_epoch": trained.best_epoch,
                "test_window_ids": list(ids)}
        model.save_weights(trained.network, weights_path(folder, number), card)
    write_json(folder / "study.json", study)
    runs.write_fold(runs.fold_path(folder, number), study, protocol, number, ids,
                    {t: labels[t][test] for t in probabilities}, probabilities)


def _batches(order, size):
    """Parts of `size` rows; a single last row joins the part before it, batch norm cannot use it alone."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _start(study, shape, place):
    """Network and optimiser before the first step, for images (C, F, T) that it can take."""
    spec = study.training
    if spec.optimizer not in OPTIMIZERS:
        raise InputError("lib.train.fit", "training.optimizer", spec.optimizer, ", ".join(OPTIMIZERS))
    network = model.build(study.network, shape[0], objectives.outputs(study), shape[1:]).to(place)
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *shape, device=place))
    except (RuntimeError, AssertionError) as error:
        raise InputError("lib.train.fit", "image size (C, F, T)", shape,
                         f"what {study.network.backbone} can take; change stft.size: {error}") from error
    if spec.channels_last:
        network = network.to(memory_format=torch.channels_last)
    fused = {"fused": True} if spec.optimizer in _FUSED else {}
    return network, OPTIMIZERS[spec.optimizer](network.parameters(), lr=spec.learning_rate,
                                               weight_decay=spec.weight_decay, **fused)


def _changed(image, truth, kind, generator, mean, std):
    """Augment a batch: as records vary, as published, or mixed in pairs."""
    if kind in mixing.KINDS:
        return mixing.mix(image, truth, kind, generator, mean, std)
    return augment.augment(image, truth, kind, generator, std)


def _loss(network, image, truth, objective, spec):
    with device.autocast(spec.autocast, image.device):
        outputs = network(image)
    return objective({t: v.float() for t, v in outputs.items()}, truth)


def _evaluate(network, x, y, objective, spec):
    """Mean loss over the selection windows."""
    network.eval()
    with torch.inference_mode():
        parts = [_loss(network, image, {t: v[rows] for t, v in y.items()}, objective, spec) * len(rows)
                 for image, rows in zip(x.split(128), torch.arange(len(x), device=x.device).split(128),
                                        strict=True)]
    return float(sum(parts)) / len(x)
