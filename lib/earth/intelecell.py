"""School magnetometers of the NASA World Wind earthquake project, Kodiak and Old Harbor (layer 1).

CSV of X, Y, Z in nT against Alaska local time, by minute and with gaps. The orientation of the sensors is not
known and they were not run as observatories: see `read_intelecell` for what that means.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lib.earth.axes import make_record
from lib.earth.records import join_records
from lib.earth.tables import read_table, to_numbers
from lib.files import InputError

ZONE = "America/Anchorage"
PLACES = {"kodiak": ("KOD", 57.79348, -152.3932), "old_harbor": ("OLH", 57.20403, -153.3052)}
JUMP_NT = 5_000.0         # no field moves so far from its median; the sensor's states lie 10 to 180 uT off


def read_station(folder: str | Path) -> xr.Dataset:
    """Join the monthly files of a folder; minutes after a jump of the sensor are NaN, counted (`jumped`).

    Where two files overlap the earlier one is kept.

    Raises
    ------
    InputError
        If the folder holds no file, or one that `read_intelecell` refuses.
    """
    files = sorted(p for p in Path(folder).glob("*.csv*") if p.is_file())
    if not files:
        raise InputError(folder, "folder", "no CSV file", "the monthly files of one station")
    found = sorted((read_intelecell(path, "nan") for path in files), key=lambda r: r["time"].values[0])
    whole = [found[0]]
    for record in found[1:]:
        later = record["time"].values > whole[-1]["time"].values[-1]
        if later.any():
            whole.append(record.isel(time=later))
    return join_records(whole).assign_attrs(jumped=sum(r.attrs["jumped"] for r in whole))


def read_intelecell(path: str | Path, on_jump: str = "raise") -> xr.Dataset:
    """Read one monthly file: X, Y, Z as they stand (not north, east, down), on a UTC minute axis.

    Parameters
    ----------
    path : str or Path
        Plain or gzip; its name says which of the two stations it is.
    on_jump : str
        For minutes in which the sensor has jumped to another state (Z farther than 5000 nT from the median of
        the file): "raise", or "nan" to leave them out, counted in the attribute `jumped`.

    Returns
    -------
    xarray.Dataset
        H, D, Z hold X, Y, Z. Stamps are floored to the minute; minutes that come twice keep the first row.

    Raises
    ------
    InputError
        For another station or header, a time that is not month-day-year, or a sensor that jumps.

    Notes
    -----
    Files start at 16:00 in summer and 15:00 in winter, which is 00:00 UTC in Alaska time. The hour that
    comes twice in November cannot be told apart: its minutes are left out (`ambiguous`).

    `lib.earth.states` finds a sensor with two clean states; Kodiak's rests between them too, hence the
    distance from the median here.

    When not to use: as observatory data. The scatter from minute to minute is 70 to 170 nT.
    """
    if on_jump not in ("raise", "nan"):
        raise InputError("read_intelecell", "on_jump", on_jump, '"raise" or "nan"')
    name = Path(path).name.lower()
    place = next((value for key, value in PLACES.items() if name.startswith(key)), None)
    if place is None:
        raise InputError(path, "name", Path(path).name, "a file whose name starts with Kodiak or old_harbor")
    raw = read_table(path)
    columns = [next((c for c in raw.columns if f"magnetic field - {axis} " in c), None) for axis in "xyz"]
    if "date" not in raw.columns or None in columns:
        raise InputError(path, "header", ", ".join(raw.columns), "Date and the magnetic fields X, Y and Z")
    local = pd.to_datetime(raw["date"], format="%m-%d-%Y %H:%M:%S", errors="coerce")
    if local.isna().any():
        line = local.isna().idxmax()
        raise InputError(path, f"line {line}, date", raw["date"][line], "month-day-year hour:minute:second")
    utc = pd.DatetimeIndex(local).tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT").tz_convert(None)
    x = np.stack([to_numbers(raw[column]).to_numpy() for column in columns])       # (3, n)
    jumped = np.abs(x[2] - np.nanmedian(x[2])) > JUMP_NT
    if jumped.any() and on_jump == "raise":
        line = raw.index[jumped.argmax()]
        raise InputError(path, f"line {line}, Z", x[2][jumped.argmax()],
                         f"one state of the sensor; {jumped.sum()} minutes lie in another: leave them out "
                         'with on_jump="nan"')
    x[:, jumped] = np.nan
    minute = utc.floor("min").as_unit("ns")
    keep = minute.notna() & ~minute.duplicated()
    order = np.argsort(minute[keep].asi8, kind="stable")
    lines = raw.index.to_numpy()[keep][order]
    values = {axis: row[keep][order] for axis, row in zip("XYZ", x, strict=True)}
    code, latitude, longitude = place
    return make_record(
        values, minute[keep].asi8[order], source=path, station=code, where=lambda row: f"line {lines[row]}",
        latitude=latitude, longitude=longitude, declination_deg=0.0,
        attrs={"jumped": int(jumped.sum()), "ambiguous": int(minute.isna().sum()),
               "notes": ["orientation unknown: H, D and Z hold the sensor's X, Y and Z"]})
