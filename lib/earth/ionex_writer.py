"""IONEX files written (layer 1)."""

from pathlib import Path

import numpy as np
import xarray as xr

from lib.earth.ionex_body import LABEL_AT, MAX_EXPONENT, MISSING, PER_LINE, WIDTH
from lib.files import InputError, atomic_path


def write_ionex(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write maps as IONEX 1.0, northernmost latitude first.

    Parameters
    ----------
    dataset : xarray.Dataset
        `tec` and perhaps `rms` (TECU) on time, latitude, longitude (degrees, even steps), as
        `lib.earth.ionex.read_ionex` gives them. Attributes exponent (default -1), height_km (450), program,
        run_by, date, system, mapping_function, observables, base_radius_km and description are written.
    path : str or Path

    Returns
    -------
    Path
        Reading it gives the maps rounded to 10^exponent TECU, NaN included.

    Raises
    ------
    InputError
        For a time finer than a second, an uneven grid, or a value that does not fit its five characters or
        that rounds to the mark for missing values: take another exponent.
    """
    path = Path(path)
    exponent = int(dataset.attrs.get("exponent", -1))
    if abs(exponent) > MAX_EXPONENT or not dataset["tec"].size:
        raise InputError(path, "exponent or maps", exponent, f"-{MAX_EXPONENT} to {MAX_EXPONENT}, and a map")
    dataset = dataset.transpose("time", "latitude", "longitude").sortby("latitude", ascending=False)
    grid = [_steps(path, name, dataset[name].values) for name in ("latitude", "longitude")]
    epochs = [_epoch(path, time) for time in dataset["time"].values.astype("datetime64[ns]")]
    lines = [*_header(dataset, exponent, grid, epochs)]
    for kind in ("tec", "rms"):
        if kind in dataset:
            lines += _maps(path, dataset[kind].values, kind.upper(), exponent, grid[1], epochs, dataset)
    lines.append(_line("", "END OF FILE"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(("\n".join(lines) + "\n").encode("latin-1", "replace"))
    return path


def _line(text: str, label: str) -> str:
    return f"{text[:LABEL_AT]:<{LABEL_AT}}{label:<20}"


def _steps(path, name, values):
    """First, last and step of an axis in three columns of six."""
    step = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 0.0
    if np.abs(values - values[0] - step * np.arange(len(values))).max() > 1e-6 or abs(step * 10 % 1) > 1e-6:
        raise InputError(path, name, values[:8].tolist(), "even steps of 0.1 degree or more")
    return "".join(f"{value:6.1f}" for value in (values[0], values[-1], step))


def _epoch(path, time):
    """Year ... second in six columns of six."""
    if time != time.astype("datetime64[s]"):
        raise InputError(path, "time", str(time), "whole seconds")
    date, clock = str(time.astype("datetime64[s]")).split("T")
    return "".join(f"{int(part):6d}" for part in (*date.split("-"), *clock.split(":")))


def _header(dataset, exponent, grid, epochs):
    attrs = dataset.attrs
    height = attrs.get("height_km", 450.0)
    step = np.diff(dataset["time"].values[:2]) / np.timedelta64(1, "s")
    yield _line(f"     1.0{'':12}{'IONOSPHERE MAPS':20}{attrs.get('system', ''):20}", "IONEX VERSION / TYPE")
    yield _line("".join(f"{attrs.get(name, '')[:20]:20}" for name in ("program", "run_by", "date")),
                "PGM / RUN BY / DATE")
    for text in attrs.get("description", "").splitlines():
        yield _line(text, "DESCRIPTION")
    yield _line(epochs[0], "EPOCH OF FIRST MAP")
    yield _line(epochs[-1], "EPOCH OF LAST MAP")
    yield _line(f"{int(step[0]) if len(step) else 0:6d}", "INTERVAL")
    yield _line(f"{len(epochs):6d}", "# OF MAPS IN FILE")
    yield _line(f"  {attrs.get('mapping_function', 'NONE')}", "MAPPING FUNCTION")
    yield _line(f"{attrs.get('observables', '')}", "OBSERVABLES USED")
    yield _line(f"{attrs.get('base_radius_km', 6371.0):8.1f}", "BASE RADIUS")
    yield _line(f"{2:6d}", "MAP DIMENSION")
    yield _line(f"  {height:6.1f}{height:6.1f}{0.0:6.1f}", "HGT1 / HGT2 / DHGT")
    yield _line(f"  {grid[0]}", "LAT1 / LAT2 / DLAT")
    yield _line(f"  {grid[1]}", "LON1 / LON2 / DLON")
    yield _line(f"{exponent:6d}", "EXPONENT")
    yield _line("", "END OF HEADER")


def _maps(path, values, kind, exponent, across, epochs, dataset):
    """Lines of all maps of a kind."""
    scaled = np.round(values * 10.0 ** -exponent if exponent < 0 else values / 10.0 ** exponent)
    if (scaled == MISSING).any() or (scaled > 99999).any() or (scaled < -9999).any():
        worst = float(np.nanmax(np.abs(values)))
        raise InputError(path, f"{kind} map", worst, f"values that fit five characters and are not {MISSING} "
                         f"once divided by 10^{exponent}: take another exponent")
    whole = np.where(np.isnan(scaled), MISSING, scaled).astype(np.int64)
    height = dataset.attrs.get("height_km", 450.0)
    for number, (epoch, layer) in enumerate(zip(epochs, whole, strict=True), 1):
        yield _line(f"{number:6d}", f"START OF {kind} MAP")
        yield _line(epoch, "EPOCH OF CURRENT MAP")
        for latitude, row in zip(dataset["latitude"].values, layer.tolist(), strict=True):
            yield _line(f"  {latitude:6.1f}{across}{height:6.1f}", "LAT/LON1/LON2/DLON/H")
            for k in range(0, len(row), PER_LINE):
                yield "".join(f"{value:{WIDTH}d}" for value in row[k:k + PER_LINE])
        yield _line(f"{number:6d}", f"END OF {kind} MAP")
