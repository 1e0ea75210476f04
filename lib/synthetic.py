"""From a study to its synthetic world, windows and dataset, in one call each (layer 4)."""

import dataclasses
import functools
import inspect
import sys
from pathlib import Path

import pandas as pd

from lib import config, copies, dataset, representation
from lib.earth import daily, designs, field, minutes, observatory, precursor, tec, tec_designs
from lib.files import InputError, content_hash
from lib.studies import Study

CONTROLS = {   # design -> our word for the controls -> the design's
    "daily": {"matched": "matched", "calm": "quiet_only"},
    "observatory": {"matched": "kp_matched", "calm": "storm_free"}}


def make_world(study: Study) -> field.World | tec.TECWorld:
    """Return the world of a study; of a magnetic one nothing is computed yet."""
    spec = study.world
    if study.tec:
        return tec.TECWorld(study.seed, spec.start, spec.years, spec.snr, spec.variant, study.tec.latitude,
                            study.tec.longitude, spec.clustering)
    return field.World(study.seed, spec, shape=precursor.Shape(band_hz=spec.band_hz))


def make_windows(study: Study) -> pd.DataFrame:
    """Sample the study's windows from its world; the table does not depend on `world.snr`.

    Raises
    ------
    InputError
        For an unknown design or kind of controls, and as the design does.
    """
    world, spec = make_world(study), study.windows
    given = world.catalog, world.stations, world.kp, world.dst
    if spec.design in tec_designs.TEC_DESIGNS:
        return tec_designs.TEC_DESIGNS[spec.design](*given, world.f107, spec, study.seed)
    if spec.design not in CONTROLS:
        return designs.sample(*given, spec, study.seed)
    if spec.controls not in CONTROLS[spec.design]:
        raise InputError("study", "windows.controls", spec.controls, ", ".join(CONTROLS[spec.design]))
    controls = CONTROLS[spec.design][spec.controls]
    if spec.design == "daily":
        return daily.daily_windows(*given, dataclasses.replace(spec, design="fair_ulf"), study.seed,
                                   controls=controls, n_storm=spec.n_storm, n_storm_cases=spec.n_storm_cases)
    table = observatory.observatory_windows(*given, _n(study), quiet=controls, seed=study.seed)
    return observatory.thin(table, spec.n_windows, study.seed)


def reader(study: Study):
    """Return ``read(station, start, n)`` of the study's world, for `dataset.build`."""
    world = make_world(study)
    if study.tec:
        return functools.partial(_hourly, world.series)
    if study.series:
        return functools.partial(minutes.minute_means, world)
    return world.window


def _hourly(series, station, start, n):
    """Values (1, n) of an hourly series from `start` on."""
    first = series.index.get_indexer([start])[0]
    if first < 0 or first + n > len(series):
        raise InputError(station, "window", f"{n} hours from {start}",
                         f"within {series.index[0]} to {series.index[-1]}")
    return series.to_numpy()[None, first:first + n]


def _n(study):
    return round(study.windows.window_s / study.windows.sampling_s)


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
    wanted = 3600.0 if study.tec else 60.0 if study.series else 1.0
    if study.windows.sampling_s != wanted:
        raise InputError("synthetic.make_dataset", "windows.sampling_s", study.windows.sampling_s,
                         f"{wanted}, as the synthetic world of this study is sampled")
    shaping, form = dataclasses.asdict(study), representation.part(study)
    name = content_hash({key: shaping[key] for key in ("name", "seed", "world", "windows", form)})
    path = (folder or config.CACHE / "datasets") / f"{study.name}-{name}.h5"
    table = make_windows(study)
    render = copies.render if study.windows.design == "published_ulf" else None
    return dataset.build(path, table, reader(study), study, render=render,
                         source=f"world {content_hash(*(p.read_bytes() for p in code_files()))}")


def code_files() -> list[Path]:
    """Files that decide what a world's record is, so that no dataset on disk outlives a change to them."""
    modules = [field, tec, minutes]
    for module in modules:                  # grows while it is read
        for value in vars(module).values():
            other = value if inspect.ismodule(value) else sys.modules.get(getattr(value, "__module__", None))
            if other and other.__name__.startswith(f"{field.__package__}.") and other not in modules:
                modules.append(other)
    return sorted([*(Path(m.__file__) for m in modules), *Path(field.__file__).parent.glob("*.csv")])
