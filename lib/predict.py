"""From a record and a trained network to predictions (layer 6)."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib import stft, train
from lib.earth import records
from lib.files import InputError
from lib.studies import AZIMUTH_CLASSES, COMPONENTS, MAGNITUDE_CLASSES

NAMES = {"magnitude": MAGNITUDE_CLASSES, "azimuth": AZIMUTH_CLASSES}


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
        One row a window: start, end, magnitude_class, p_<class> ..., azimuth_class, valid. Windows with
        gaps are listed with `valid` False and no prediction.

    Raises
    ------
    InputError
        If the sampling differs from the study's or the record is shorter than one window.
    """
    trained, study = train.load_fit(weights)
    spec = study.windows
    if not np.isclose(record.attrs["sampling_s"], spec.sampling_s):
        raise InputError(record.attrs.get("source", "record"), "sampling interval",
                         record.attrs["sampling_s"], f"{spec.sampling_s:g} s, as the network was trained")
    n = int(spec.window_s / spec.sampling_s)
    starts = np.arange(0, record.sizes["time"] - n + 1, int((step_s or spec.window_s) / spec.sampling_s))
    if not len(starts):
        raise InputError(record.attrs.get("source", "record"), "length", record.sizes["time"],
                         f"at least {n} samples, one window")
    values = np.stack([record[c].values for c in COMPONENTS]).astype(np.float64)      # (3, n_record)
    windows = np.stack([values[:, s:s + n] for s in starts])                          # (N, 3, n)
    valid = np.isfinite(windows).all((1, 2))
    table = pd.DataFrame({"start": record.time.values[starts], "valid": valid})
    table["end"] = table.start + pd.Timedelta(seconds=spec.window_s)
    if valid.any():
        images = stft.spectrogram(windows[valid], study.stft, spec.sampling_s)
        for target, p in train.predict_probabilities(trained, images, study).items():
            table.loc[valid, f"{target}_class"] = np.array(NAMES[target])[p.argmax(1)]
            for k, name in enumerate(NAMES[target]):
                table.loc[valid, f"p_{target}_{name}"] = p[:, k]
    return table


def predict_file(path: str | Path, weights: str | Path, **options) -> pd.DataFrame:
    """Read a record file in any known format and predict; see `predict`."""
    return predict(records.read_record(path), weights, **options)
