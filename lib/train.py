"""Training: one visible loop, and cross-validation that survives being killed (layer 5)."""

import copy
import dataclasses
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lib import augment, config, device, losses, model, runs, schedule, splits
from lib.dataset import open_dataset
from lib.files import InputError, write_json
from lib.runs import run_key, weights_path
from lib.scale import fit_scale
from lib.studies import N_CLASSES, Study


@dataclasses.dataclass
class Fit:
    """A trained network with what it needs to be used again."""

    network: torch.nn.Module
    mean: np.ndarray            # (C,), of the training windows
    std: np.ndarray             # (C,)
    history: pd.DataFrame       # one row an epoch: learning_rate, train_loss, select_loss
    best_epoch: int


def fit(study: Study, x: np.ndarray, labels: dict[str, np.ndarray], fit_idx: np.ndarray,
        select_idx: np.ndarray, seed: int) -> Fit:
    """Train one network on `fit_idx` and keep the epoch that does best on `select_idx`.

    Parameters
    ----------
    study : Study
    x : array, shape (N, C, F, T)
        Spectrogram images, unscaled.
    labels : dict of arrays, each (N,)
        Class indices per target.
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
    _check_finite(x)
    mean, std = fit_scale(x[fit_idx])
    x_fit, x_select = (device.scaled(x[rows], mean, std, spec.channels_last, place)
                       for rows in (fit_idx, select_idx))
    y_fit, y_select = ({t: torch.tensor(labels[t][rows], device=place) for t in study.targets}
                       for rows in (fit_idx, select_idx))
    weights = {t: losses.class_weights(v, N_CLASSES[t]) for t, v in y_fit.items()}
    decades = torch.as_tensor(std, device=place)       # of power in one unit of a scaled channel

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
                rate = schedule.warmup_cosine(epoch * steps + step, steps, spec.epochs, spec.warmup_epochs,
                                              spec.learning_rate, spec.min_learning_rate)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                image, truth = x_fit[batch], {t: v[batch] for t, v in y_fit.items()}
                if spec.augmentation:
                    image, truth = augment.augment(image, truth, spec.augmentation, generator, decades)
                loss = _loss(network, image, truth, weights, spec)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, spec.clip)
                optimizer.step()
                total += loss.detach()
            select_loss = _evaluate(network, x_select, y_select, weights, spec)
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


def as_input(trained: Fit, x: np.ndarray, study: Study) -> torch.Tensor:
    """Scale images (N, C, F, T) as in training and put them where the network is."""
    _check_finite(x)
    place = next(trained.network.parameters()).device
    return device.scaled(x, trained.mean, trained.std, study.training.channels_last, place)


def predict_probabilities(trained: Fit, x: np.ndarray, study: Study) -> dict[str, np.ndarray]:
    """Class probabilities of images (N, C, F, T): target -> float32 (N, K)."""
    spec, images = study.training, as_input(trained, x, study)
    parts: dict[str, list] = {}
    with torch.inference_mode(), device.reproducible(0, spec.threads):
        for batch in images.split(128):
            with device.autocast(spec.autocast, images.device):
                logits = trained.network.eval()(batch)
            for target, value in logits.items():
                parts.setdefault(target, []).append(value.float().softmax(1).cpu().numpy())
    return {target: np.concatenate(value) for target, value in parts.items()}


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
    parts = splits.folds(windows, protocol, study.evaluation.folds, study.seed, on_absent="ignore")
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


def pool(workers: int) -> Executor:
    """Return a process pool for `cross_validate`; each worker starts fresh and trains one fold at a time."""
    if workers < 1:
        raise InputError("train.pool", "workers", workers, "1 or more")
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def load_fit(path: str | Path) -> tuple[Fit, Study]:
    """Load a stored network with its scaling and the study it was trained for.

    Raises
    ------
    InputError
        If the file or its card is damaged.
    """
    network, card = model.load_weights(path)
    source, channels = Path(path).with_suffix(".json"), network.channels
    try:
        study = config.from_dict(card["study"])
        mean, std = (np.array(card[name], np.float32) for name in ("mean", "std"))
        history, best_epoch = pd.DataFrame(card["history"]), int(card["best_epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(source, "study, mean, std, history, best_epoch", str(error),
                         "a card that train.cross_validate(keep_weights=True) wrote") from error
    for name, value in (("mean", mean), ("std", std)):
        least = 0 if name == "std" else -np.inf
        if value.shape != (channels,) or not (np.isfinite(value) & (value > least)).all():
            raise InputError(source, name, card[name], f"{channels} finite numbers, std above 0")
    return Fit(network.to(device.pick()).eval(), mean, std, history, best_epoch), study


def _run_fold(study, path, content, protocol, number, train, test, folder, keep_weights):
    """Fit on one training fold, open its test fold once, write the predictions."""
    with open_dataset(path, verify=False) as dataset:
        if dataset.content_hash != content:
            raise InputError(path, "content hash", dataset.content_hash, f"{content}, as when the run began")
        x, windows = dataset.read(slice(None)), dataset.windows
        labels = {t: dataset.labels(t) for t in study.targets}
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
    network = model.build(study.network, shape[0], {t: N_CLASSES[t] for t in study.targets}).to(place)
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *shape, device=place))
    except (RuntimeError, AssertionError) as error:
        raise InputError("lib.train.fit", "image size (C, F, T)", shape,
                         f"what {study.network.backbone} can take; change stft.size: {error}") from error
    if spec.channels_last:
        network = network.to(memory_format=torch.channels_last)
    return network, torch.optim.AdamW(network.parameters(), lr=spec.learning_rate,
                                      weight_decay=spec.weight_decay, fused=True)


def _check_finite(x):
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(1))[0])
        raise InputError("lib.train", f"image {row}", "NaN or infinity",
                         "finite log power; drop windows with gaps")


def _loss(network, image, truth, weights, spec):
    with device.autocast(spec.autocast, image.device):
        logits = network(image)
    logits = {t: v.float() for t, v in logits.items()}
    return losses.multitask_loss(logits, truth, weights, spec.azimuth_weight)


def _evaluate(network, x, y, weights, spec):
    """Mean loss over the selection windows."""
    network.eval()
    with torch.inference_mode():
        parts = [_loss(network, image, {t: v[rows] for t, v in y.items()}, weights, spec) * len(rows)
                 for image, rows in zip(x.split(128), torch.arange(len(x), device=x.device).split(128),
                                        strict=True)]
    return float(sum(parts)) / len(x)
