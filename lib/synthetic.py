"""From a study to its synthetic world, windows and dataset, in one call each (layer 4)."""

import dataclasses
from pathlib import Path

import pandas as pd

from lib import config, dataset
from lib.earth import field, windows
from lib.files import content_hash
from lib.studies import Study


def make_world(study: Study) -> field.World:
    """Return the world of a study; nothing of its record is computed yet."""
    return field.World(study.seed, study.world)


def make_windows(study: Study) -> pd.DataFrame:
    """Sample the study's windows from its world; the table does not depend on `world.snr`."""
    world = make_world(study)
    return windows.sample_windows(world.catalog, world.stations, world.kp, world.dst, study.windows,
                                  study.seed)


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
    """
    shaping = dataclasses.asdict(study)
    name = content_hash({key: shaping[key] for key in ("name", "seed", "world", "windows", "stft")})
    path = (folder or config.CACHE / "datasets") / f"{study.name}-{name}.h5"
    return dataset.build(path, make_windows(study), make_world(study).window, study)
