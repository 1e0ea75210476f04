"""The monolithic HDF5 file of seed 002: its published fields beside our windows table, and back (layer 4).

The public loader of S2 reads groups such as `train` and `val`, each with `tensors` (N, 3, F, T) float16 in
the order Z, H, D, `label_event` and `is_storm` (0 or 1), `label_mag` (0 to 2) and `label_azm` (radians).
`lib.dataset.build` writes the same tensors once, in the order H, D, Z, with the table of their windows. Here
the groups are added as views of them (HDF5 virtual datasets): no image is stored twice.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib import targets
from lib.earth.daily import is_storm
from lib.files import InputError
from lib.hdf5 import read_table
from lib.studies import COMPONENTS, MAGNITUDE_CLASSES
from lib.table_checks import check_rows, number

ORDER = "ZHD"            # of the published tensors
FIELDS = ("tensors", "label_event", "is_storm", "label_mag", "label_azm")
IGNORE = -100            # label_mag of quiet windows: what torch's cross-entropy leaves out


def add_published_fields(path: str | Path, parts: Mapping[str, np.ndarray]) -> Path:
    """Add the groups that S2's loader reads to a dataset file, and return the file.

    Parameters
    ----------
    path : str or Path
        Written by `lib.dataset.build` from H, D, Z; its own fields and hashes stay as they are.
    parts : mapping of str to array of int
        Group name to rows of the windows table, for example ``{"train": train, "val": blind}``. Groups of an
        earlier call are replaced.

    Raises
    ------
    InputError
        For a file of other channels, a group named as a field of the file, no or unknown rows, an event
        window without azimuth or magnitude class, a window whose Kp or Dst is unknown.

    Notes
    -----
    Quiet windows have `label_mag` -100, which torch's cross-entropy ignores, and `label_azm` NaN. The public
    training script reads 0 there and so trains on a bearing of north for every quiet window (systems.md M3);
    a loss that does not mask will now say so. The attribute `order` of each group states Z, H, D.

    References
    ----------
    Seed 002; systems.md §4.1; the public repository's `data/dataloader.py`.
    """
    path = Path(path)
    try:
        file = h5py.File(path, "r+")
    except OSError as error:
        raise InputError(path, "HDF5 structure", str(error), "a file written by lib.dataset.build") from error
    with file:
        if "x" not in file or "windows" not in file or json.loads(file.attrs["channels"]) != list(COMPONENTS):
            raise InputError(path, "fields", sorted(file), "x of channels H, D, Z and windows: a file of "
                             "lib.dataset.build for a study with wavelets or spectra")
        labels = _labels(path, read_table(file["windows"]))
        old = [name for name in file if _published(file[name])]
        for name, rows in parts.items():
            if not len(rows) or (name in file and name not in old):
                raise InputError(path, f"group {name}", len(rows), "at least one row, and a name that is not "
                                 f"among {', '.join(n for n in file if n not in old)}")
            check_rows(f"rows of {name}", rows, len(file["x"]))
        for name in old:
            del file[name]
        for name, rows in parts.items():
            _write_group(file, name, np.asarray(rows), labels)
    return path


def read_published(path: str | Path, order: str | None = None) -> tuple[np.ndarray, pd.DataFrame]:
    """Read a file with S2's fields, ours or anybody's, into images and a table.

    Parameters
    ----------
    path : str or Path
        Fields at the top or in groups.
    order : str, optional
        Components of the tensors, such as "ZHD", for files that do not state it. The public code says Z, H, D
        in a comment, its text H, D, Z.

    Returns
    -------
    x : float16 array, shape (N, 3, F, T)
        In the order H, D, Z.
    windows : DataFrame
        `window_id` (part and number), `part`, `event_id` ("" if quiet), `is_storm`, `magnitude_class`,
        `azimuth_deg`.

    Raises
    ------
    InputError
        For missing fields, lengths that differ, an order that is not stated, labels that are none, an event
        without azimuth, or tensors that are not finite.

    When not to use: for a split by time, station or earthquake. The published fields name none of them, so
    links between the parts cannot be counted (no certificate).
    """
    images, tables = [], []
    try:
        with h5py.File(path, "r") as file:
            groups = {name: file[name] for name in file if _published(file[name])}
            if not groups:
                groups = {"all": file} if "tensors" in file else {}
            if not groups:
                raise InputError(path, "fields", sorted(file),
                                 f"{', '.join(FIELDS)}, at the top or in groups")
            for name, group in groups.items():
                tables.append(_table(path, name, group))
                images.append(_images(path, name, group, order))
    except OSError as error:
        raise InputError(path, "HDF5 structure", str(error), "an HDF5 file with S2's fields") from error
    return np.concatenate(images), pd.concat(tables, ignore_index=True)


def float16_error(x: np.ndarray) -> dict[str, float]:
    """Measure what storing log power (decades) as float16 costs.

    Returns
    -------
    dict
        `max_decades` and `rms_decades` of the rounding, `max_percent` of the power, `bound_decades`: half the
        spacing of float16 at the largest value, which the maximum cannot exceed.

    Examples
    --------
    >>> float16_error(np.array([1.0, 3.0003]))["max_percent"] < 0.1
    True
    """
    x = np.asarray(x, np.float64)
    if not x.size or not np.isfinite(x).all() or np.abs(x).max() > np.finfo(np.float16).max:
        raise InputError("monolithic.float16_error", "x", f"{x.size} values", "finite values within float16")
    error = np.abs(x.astype(np.float16).astype(np.float64) - x)
    return {"max_decades": float(error.max()), "rms_decades": float(np.sqrt((error**2).mean())),
            "max_percent": float(100 * (10**error.max() - 1)),
            "bound_decades": float(2.0 ** (max(np.frexp(np.abs(x).max())[1] - 1, -14) - 11))}


def _published(item):
    return isinstance(item, h5py.Group) and "tensors" in item


def _labels(path, windows):
    """Return the published labels of each window of ours."""
    event = targets.truth(windows, "event", path)
    magnitude, azimuth = targets.truth(windows, "event_magnitude", path), number(windows, "azimuth_deg")
    kp, dst = number(windows, "kp_max"), number(windows, "dst_min")
    for name, bad in (("azimuth_deg", (event == 1) & ~np.isfinite(azimuth)),
                      ("magnitude_class", (event == 1) & (magnitude < 0)),
                      ("kp_max, dst_min", ~np.isfinite(kp + dst))):
        if bad.any():
            raise InputError(path, f"{name} of {windows.window_id[np.argmax(bad)]}", "none",
                             "a value: event windows have azimuth and magnitude, all have Kp and Dst")
    quiet = event == 0
    return {"label_event": event, "is_storm": is_storm(kp, dst).astype(np.int64),
            "label_mag": np.where(quiet, IGNORE, magnitude),
            "label_azm": np.where(quiet, np.nan, np.radians(azimuth % 360)).astype(np.float32)}


def _write_group(file, name, rows, labels):
    """Write labels of some rows, and their tensors as a view that reorders rows and components."""
    x = file["x"]
    layout = h5py.VirtualLayout((len(rows), *x.shape[1:]), x.dtype)
    source = h5py.VirtualSource(".", "x", x.shape, x.dtype)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1                     # runs of neighbours: one view each
    for at in np.split(np.arange(len(rows)), breaks):
        first, last = int(rows[at[0]]), int(rows[at[-1]]) + 1
        for place, component in enumerate(ORDER):
            layout[at[0]:at[-1] + 1, place] = source[first:last, COMPONENTS.index(component)]
    group = file.create_group(name)
    group.create_virtual_dataset("tensors", layout)
    for field, values in labels.items():
        group.create_dataset(field, data=values[rows])
    group.attrs.update({"order": ORDER, "azimuth": "radians clockwise from north, NaN if quiet",
                        "magnitude": f"{', '.join(MAGNITUDE_CLASSES[1:])}; {IGNORE} if quiet"})


def _table(path, name, group):
    """Our words for the labels of one group."""
    missing = [field for field in FIELDS if field not in group]
    lengths = {field: len(group[field]) for field in FIELDS if field in group}
    if missing or len(set(lengths.values())) > 1:
        raise InputError(path, f"fields of {name}", missing or lengths, f"{', '.join(FIELDS)}, of one length")
    event, storm, magnitude, azimuth = (group[field][:] for field in FIELDS[1:])
    is_event, turn = event == 1, np.asarray(azimuth, float)
    for field, bad, accepted in (
            ("label_event", ~np.isin(event, (0, 1)), "0 or 1"),
            ("is_storm", ~np.isin(storm, (0, 1)), "0 or 1"),
            ("label_mag", is_event & ~np.isin(magnitude, (0, 1, 2)), "0, 1 or 2 for an event"),
            ("label_azm", is_event & ~((turn >= -np.pi) & (turn <= 2 * np.pi + 1e-3)),
             "radians for an event; without azimuth, train without the target direction")):
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(path, f"{name}/{field}, row {row}", group[field][row], accepted)
    ids = [f"{name}-{i:05d}" for i in range(len(event))]
    classes = np.array(MAGNITUDE_CLASSES, object)[np.where(is_event, np.where(is_event, magnitude, 0) + 1, 0)]
    return pd.DataFrame({"window_id": ids, "part": name, "event_id": np.where(is_event, ids, ""),
                         "is_storm": storm == 1, "magnitude_class": classes,
                         "azimuth_deg": np.where(is_event, np.degrees(turn) % 360, np.nan)})


def _images(path, name, group, order):
    """Tensors of one group as H, D, Z."""
    stated = group.attrs.get("order")
    order = stated if order is None else order
    if sorted(str(order)) != sorted(COMPONENTS) or (stated is not None and stated != order):
        raise InputError(path, f"order of the components in {name}", order,
                         f"{stated or 'H, D, Z in some order, such as ZHD: the file does not state it'}")
    x = group["tensors"][:]
    if x.ndim != 4 or x.shape[1] != len(COMPONENTS) or not np.isfinite(x).all():
        raise InputError(path, f"{name}/tensors", f"{x.dtype} {x.shape}", "finite numbers (N, 3, F, T)")
    return x[:, [order.index(component) for component in COMPONENTS]]
