"""From a study to its synthetic world, windows and dataset, in one call each (layer 4)."""

import dataclasses
import inspect
import sys
from pathlib import Path

import pandas as pd

from lib import config, copies, dataset
from lib.earth import designs, field
from lib.files import InputError, content_hash
from lib.studies import Study


def make_world(study: Study) -> field.World:
    """Return the world of a study; nothing of its record is computed yet."""
    return field.World(study.seed, study.world)


def make_windows(study: Study) -> pd.DataFrame:
    """Sample the study's windows from its world; the table does not depend on `world.snr`."""
    world = make_world(study)
    return designs.sample(world.catalog, world.stations, world.kp, world.dst, study.windows, study.seed)


def make_dataset(study: Study, folder: Path | None = None) -> Path:
    """Build the study's dataset, or return it if it is on disk already.

    Parameters
    ----------
    study : Study
    folder : Path, optional
        `config.CACHE / "datasets"` by default. The file is named by what shapes it.

    Returns
    -------
    Path
        For `dataset.open_dataset`.

    Raises
    ------
    InputError
        If the study asks for another sampling than the world's 1 Hz.
    """
    if study.windows.sampling_s != 1.0:
        raise InputError("synthetic.make_dataset", "windows.sampling_s", study.windows.sampling_s,
                         "1.0: the synthetic world is sampled at 1 Hz")
    shaping = dataclasses.asdict(study)
    name = content_hash({key: shaping[key] for key in ("name", "seed", "world", "windows", "stft")})
    path = (folder or config.CACHE / "datasets") / f"{study.name}-{name}.h5"
    table = make_windows(study)
    render = copies.render if (table.window_id != table.parent_id).any() else None
    return dataset.build(path, table, make_world(study).window, study, render=render,
                         source=f"world {content_hash(*(p.read_bytes() for p in _code()))}")


def _code():
    """Files that decide what a world's record is, so that no dataset on disk outlives a change to them."""
    modules = [field]
    for module in modules:                  # grows while it is read
        for value in vars(module).values():
            other = value if inspect.ismodule(value) else sys.modules.get(getattr(value, "__module__", None))
            if other and other.__name__.startswith(f"{field.__package__}.") and other not in modules:
                modules.append(other)
    return sorted([*(Path(m.__file__) for m in modules), *Path(field.__file__).parent.glob("*.csv")])
