"""From a record and a trained network to predictions (layer 6)."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib import stft, train
from lib.earth import records
from lib.files import InputError
from lib.studies import CLASSES, COMPONENTS

BATCH = 64                # windows transformed at a time


def predict(record: xr.Dataset, weights: str | Path, step_s: int | None = None) -> pd.DataFrame:
    """Predict magnitude and azimuth class for every window of a record.

    The network answers whatever it is shown. A prediction on a record unlike its training data says
    nothing about the Earth: run `lib.earth.plausibility.check` first and read the page on limits.

    Parameters
    ----------
    record : Dataset
        H, D, Z in nT on a uniform UTC axis, at the sampling the study was trained for.
    weights : path
        A safetensors file written by `train.cross_validate(keep_weights=True)`, its card beside it.
    step_s : int, optional
        From the start of one window to the next; one window length by default.

    Returns
    -------
    DataFrame
        One row a window: start, end, valid, and for each target of the network `<target>_class` and
        `p_<target>_<class>` ... Windows with gaps are listed with `valid` False and no prediction.

    Raises
    ------
    InputError
        If weights or card are damaged, the record lacks a component or has another sampling than the study,
        its time axis is not uniform, or it is shorter than one window.
    """
    trained, study = train.load_fit(weights)
    spec = study.windows
    n = round(spec.window_s / spec.sampling_s)
    step = n if step_s is None else step_s / spec.sampling_s
    if step < 1 or step != int(step):
        raise InputError("predict", "step_s", step_s, f"a positive multiple of {spec.sampling_s:g} s")
    values = _samples(record, spec.sampling_s, n)                                     # (3, n_record)
    starts = np.arange(0, values.shape[1] - n + 1, int(step))
    valid = np.array([np.isfinite(values[:, s:s + n]).all() for s in starts])
    start = pd.Series(record.time.values[starts])
    table = pd.DataFrame({"start": start, "end": start + pd.Timedelta(seconds=spec.window_s), "valid": valid})
    parts = np.split(starts[valid], range(BATCH, int(valid.sum()), BATCH)) if valid.any() else []
    answers = [train.predict_probabilities(trained, _images(values, part, n, study), study) for part in parts]
    for target in study.targets:
        found = np.concatenate([np.empty((0, len(CLASSES[target]))), *(p[target] for p in answers)])
        table[f"{target}_class"] = pd.Series(np.array(CLASSES[target], object)[found.argmax(1)],
                                             index=table.index[valid], dtype=object)
        for k, name in enumerate(CLASSES[target]):
            table[f"p_{target}_{name}"] = pd.Series(found[:, k], index=table.index[valid], dtype=float)
    return table


def _samples(record, sampling_s, n):
    """H, D, Z of a record that the network can be asked about, (3, n_record)."""
    if not isinstance(record, xr.Dataset):
        raise InputError("predict", "record", type(record).__name__, "a record from lib.earth.records")
    source = record.attrs.get("source", "record")
    if missing := [name for name in (*COMPONENTS, "time") if name not in record]:
        raise InputError(source, "components", missing, "H, D, Z in nT on a UTC time axis")
    if not np.isclose(record.attrs.get("sampling_s", np.nan), sampling_s):
        raise InputError(source, "sampling interval", record.attrs.get("sampling_s"),
                         f"{sampling_s:g} s, as the network was trained")
    time = record.time.values
    if len(time) < n:
        raise InputError(source, "length", len(time), f"at least {n} samples, one window")
    odd = np.flatnonzero(np.abs(np.diff(time) / np.timedelta64(1, "s") - sampling_s) > 1e-3 * sampling_s)
    if odd.size:
        raise InputError(source, "time axis", f"a step after {time[odd[0]]}",
                         f"a sample every {sampling_s:g} s, NaN in gaps")
    return np.stack([record[c].values for c in COMPONENTS])


def _images(values, starts, n, study):
    """Images of some windows, rounded as `lib.dataset` stores those that the network was trained on."""
    windows = np.stack([values[:, s:s + n] for s in starts])
    with np.errstate(over="ignore"):        # what overflows is refused before the network
        return stft.spectrogram(windows, study.stft, study.windows.sampling_s).astype(np.float16)


def predict_file(path: str | Path, weights: str | Path, **options) -> pd.DataFrame:
    """Read a record file in any known format and predict; see `predict`."""
    return predict(records.read_record(path), weights, **options)
