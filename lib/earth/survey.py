"""What a folder of real records holds, and whether it can be magnetic field (layer 1)."""

from pathlib import Path

import pandas as pd
import xarray as xr

from lib.earth import plausibility, records, space_weather
from lib.files import InputError

INDICES = {"kp": (space_weather.read_kp, "3h"), "dst": (space_weather.read_dst, "h")}


def part(folder: str | Path, name: str) -> Path:
    """Return the subfolder of that name, or the folder itself where everything lies in one."""
    inside = Path(folder) / name
    return inside if inside.is_dir() else Path(folder)


def read_indices(folder: str | Path) -> dict[str, pd.Series]:
    """Join every Kp and Dst file below a folder; where files overlap the first by name is kept.

    Returns
    -------
    dict
        ``kp`` and ``dst``, UTC series without missing times, NaN where no file has a value; an index that no
        file holds is absent.
    """
    found: dict[str, list] = {}
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        for name, (read, _) in INDICES.items():
            try:
                found.setdefault(name, []).append(read(path).dropna())
                break
            except InputError:        # not a file of this index
                continue
    joined = {name: pd.concat(parts) for name, parts in found.items() if parts}
    return {name: series[~series.index.duplicated()].sort_index().asfreq(INDICES[name][1])
            for name, series in joined.items()}


def one_hertz(folder: str | Path, index: pd.DataFrame, overrides: dict[str, dict] | None = None
              ) -> dict[str, xr.Dataset]:
    """Read the 1 Hz records of an index that are at least six hours long.

    Parameters
    ----------
    folder : path
    index : DataFrame
        From `records.open_folder`.
    overrides : dict, optional
        Station code to keyword arguments of `records.read_record`, for headers known to be wrong.

    Returns
    -------
    dict
        ``"<station> <date> (<file>)"`` to record, sorted; of files that share all three, the whole name.
    """
    rows = index[(index.sampling_s == 1.0) & (index.samples >= 6 * 3600)]
    found = {}
    for row in rows.itertuples():
        path = Path(row.path)               # below `folder`, as open_folder lists it
        record = records.read_record(path, **(overrides or {}).get(row.station, {}))
        label = f"{row.station} {row.start:%Y-%m-%d} ({path.name.split('_')[0].split('.')[0]})"
        found[f"{label[:-1]}, {path.relative_to(folder)})" if label in found else label] = record
    return dict(sorted(found.items()))


def gate(found: dict[str, xr.Dataset], kp: pd.Series | None = None) -> pd.DataFrame:
    """Run the plausibility gate on every record: one row a record and criterion.

    Returns
    -------
    DataFrame
        Columns record, kp_max and those of `plausibility.check`.

    Raises
    ------
    InputError
        If there is no record.
    """
    if not found:
        raise InputError("survey.gate", "records", 0, "a folder with a 1 Hz record of six hours or more")
    tables = []
    for name, record in found.items():
        start, end = record.time.values[[0, -1]]
        kp_max = None if kp is None else float(space_weather.window_extreme(kp, [start], [end], "max")[0])
        known = kp_max is not None and kp_max == kp_max
        table = plausibility.check(record, kp_max if known else None)
        tables.append(table.assign(record=name, kp_max=kp_max if known else float("nan")))
    return pd.concat(tables, ignore_index=True)
