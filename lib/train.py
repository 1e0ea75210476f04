"""Training: one visible loop, and cross-validation that survives being killed (layer 5)."""

import contextlib
import copy
import dataclasses
import io
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lib import augment, config, losses, model, schedule, splits
from lib.dataset import open_dataset
from lib.files import InputError, atomic_path, content_hash, write_json
from lib.scale import fit_scale
from lib.studies import AZIMUTH_CLASSES, MAGNITUDE_CLASSES, Study

CLASSES = {"magnitude": len(MAGNITUDE_CLASSES), "azimuth": len(AZIMUTH_CLASSES)}
_CODE = ("train.py", "model.py", "losses.py", "augment.py", "schedule.py", "splits.py", "scale.py")


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

    References
    ----------
    Optimiser and schedule: seed 001; selection inside the training events: validity.md A4.
    """
    spec, device = study.training, _device()
    _check_finite(x)
    mean, std = fit_scale(x[fit_idx])
    x_fit, x_select = (_scaled(x[rows], mean, std, spec.channels_last, device)
                       for rows in (fit_idx, select_idx))
    y_fit, y_select = ({t: torch.tensor(labels[t][rows], device=device) for t in study.targets}
                       for rows in (fit_idx, select_idx))
    weights = {t: losses.class_weights(v, CLASSES[t]) for t, v in y_fit.items()}
    decades = torch.as_tensor(std, device=device)       # of power in one unit of a scaled channel

    with _reproducible(seed, spec.threads):
        network, optimizer = _start(study, x.shape[1], device)
        generator = torch.Generator(device=device).manual_seed(seed)
        steps = -(-len(fit_idx) // spec.batch_size)
        rows, best = [], (np.inf, 0, None)
        for epoch in range(spec.epochs):
            network.train()
            total = torch.zeros((), device=device)
            order = torch.randperm(len(fit_idx), generator=generator, device=device)
            for step, batch in enumerate(order.split(spec.batch_size)):
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
                torch.nn.utils.clip_grad_norm_(network.parameters(), spec.clip)
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
    device = next(trained.network.parameters()).device
    return _scaled(x, trained.mean, trained.std, study.training.channels_last, device)


def predict_probabilities(trained: Fit, x: np.ndarray, study: Study) -> dict[str, np.ndarray]:
    """Class probabilities of images (N, C, F, T): target -> float32 (N, K)."""
    spec, images = study.training, as_input(trained, x, study)
    parts: dict[str, list] = {}
    with torch.inference_mode(), _reproducible(0, spec.threads):
        for batch in images.split(128):
            with _autocast(spec, images.device):
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
        For an unknown protocol or windows that it cannot split.
    """
    path = dataset if isinstance(dataset, (str, Path)) else dataset.path
    with open_dataset(path, verify=False) as opened:
        windows, content = opened.windows, opened.content_hash
    parts = splits.folds(windows, protocol, study.evaluation.folds, study.seed, on_absent="ignore")
    folder = (folder or config.CACHE / "folds") / run_key(study, content, protocol)
    jobs = []
    for number, (train, test) in enumerate(parts):
        job = (study, Path(path), protocol, number, train, test, folder, keep_weights)
        done = _fold_path(folder, number).exists() and (
            not keep_weights or weights_path(folder, number).exists())
        jobs.append(None if done else (executor.submit(_run_fold, *job) if executor else job))
    for job in tqdm(jobs, desc=f"{study.network.backbone} {protocol}", disable=None, leave=False):
        if job is not None:
            job.result() if executor else _run_fold(*job)
    tables = [pd.read_csv(_fold_path(folder, n), float_precision="round_trip") for n in range(len(parts))]
    return pd.concat(tables, ignore_index=True)


def pool(workers: int) -> Executor:
    """Return a process pool for `cross_validate`; each worker starts fresh and trains one fold at a time."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def run_key(study: Study, content: str, protocol: str) -> str:
    """Name one cross-validation: data, code and every field of the study that training depends on."""
    code = [(Path(__file__).parent / name).read_bytes() for name in _CODE]
    scored_later = dataclasses.replace(study.evaluation, bootstrap=0, permutations=0)
    relevant = dataclasses.replace(study, profile="", evaluation=scored_later)
    return f"{protocol}-{content_hash(relevant, content, *code)}"


def weights_path(folder: Path, fold: int) -> Path:
    """Where `cross_validate(keep_weights=True)` stores the network of a fold."""
    return folder / f"fold_{fold:03d}.safetensors"


def load_fit(path: str | Path) -> tuple[Fit, Study]:
    """Load a stored network with its scaling and the study it was trained for.

    Raises
    ------
    InputError
        If the file or its card is damaged.
    """
    network, card = model.load_weights(path)
    study = config.from_dict(card["study"])
    trained = Fit(network.eval(), np.array(card["mean"], np.float32), np.array(card["std"], np.float32),
                  pd.DataFrame(card["history"]), card["best_epoch"])
    return trained, study


def _run_fold(study, path, protocol, number, train, test, folder, keep_weights):
    """Fit on one training fold, open its test fold once, write the predictions."""
    with open_dataset(path, verify=False) as dataset:
        x, windows = dataset.read(slice(None)), dataset.windows
        labels = {t: dataset.labels(t) for t in study.targets}
    seed = int(config.rng(study.seed, "fold", protocol, number).integers(2**31))
    fit_idx, select_idx = splits.inner_split(windows, train, study.training.inner_fraction, seed, protocol)
    trained = fit(study, x, labels, fit_idx, select_idx, seed)
    probabilities = predict_probabilities(trained, x[test], study)
    if keep_weights:
        card = {"study": study, "mean": trained.mean, "std": trained.std, "protocol": protocol,
                "fold": number, "history": trained.history.to_dict("list"), "best_epoch": trained.best_epoch,
                "test_window_ids": list(windows.window_id.iloc[test])}
        model.save_weights(trained.network, weights_path(folder, number), card)
    tables = []
    for target, p in probabilities.items():
        table = pd.DataFrame({
            "study": study.name, "protocol": protocol, "fold": number, "seed": study.seed,
            "window_id": windows.window_id.to_numpy()[test], "target": target,
            "y_true": labels[target][test], "y_pred": p.argmax(1)})
        columns = [f"p_{k}" for k in range(max(CLASSES.values()))]
        full = np.full((len(test), len(columns)), np.nan)
        full[:, : p.shape[1]] = p
        tables.append(pd.concat([table, pd.DataFrame(full, columns=columns)], axis=1))
    text = io.StringIO()
    pd.concat(tables).to_csv(text, index=False, lineterminator="\n")
    write_json(folder / "study.json", study)
    with atomic_path(_fold_path(folder, number)) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _fold_path(folder, number):
    return folder / f"fold_{number:03d}.csv"


def _device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _start(study, channels, device):
    """Network and optimiser before the first step."""
    spec = study.training
    network = model.build(study.network, channels, {t: CLASSES[t] for t in study.targets}).to(device)
    if spec.channels_last:
        network = network.to(memory_format=torch.channels_last)
    return network, torch.optim.AdamW(network.parameters(), lr=spec.learning_rate,
                                      weight_decay=spec.weight_decay, fused=True)


def _scaled(x, mean, std, channels_last, device):
    """Images on the device, zero mean and unit variance per channel of the training windows."""
    images = torch.as_tensor(np.asarray(x, np.float32), device=device)
    images = (images - torch.as_tensor(mean, device=device).view(1, -1, 1, 1)) / torch.as_tensor(
        std, device=device).view(1, -1, 1, 1)
    return images.contiguous(memory_format=torch.channels_last) if channels_last else images


def _check_finite(x):
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(1))[0])
        raise InputError("lib.train", f"image {row}", "NaN or infinity",
                         "finite log power; drop windows with gaps")


def _autocast(spec, device):
    return torch.autocast(device.type, torch.bfloat16, enabled=spec.autocast == "bfloat16")


def _loss(network, image, truth, weights, spec):
    with _autocast(spec, image.device):
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


@contextlib.contextmanager
def _reproducible(seed, threads):
    """Seed torch and fix its threads inside the block; leave both as they were afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
