"""The USGS list of significant earthquakes in its Kaggle layout, 1965 to 2016 (layer 1)."""

from pathlib import Path

import pandas as pd

from lib.earth.catalog_formats import COLUMNS
from lib.earth.tables import read_table, require, to_numbers, to_utc
from lib.files import InputError

FIELDS = ("date", "time", "latitude", "longitude", "type", "depth", "magnitude", "magnitude type", "id")
USED = {"latitude": "latitude", "longitude": "longitude", "depth_km": "depth", "magnitude": "magnitude"}


def read_significant(path: str | Path) -> pd.DataFrame:
    """Read the list in the schema of `lib.earth.catalog`: earthquakes of magnitude 5.5 and more, worldwide.

    Explosions and rock bursts are left out and counted in ``attrs["not_earthquakes"]``, rows without a time,
    place or magnitude in ``attrs["dropped"]``.

    Raises
    ------
    InputError
        For another header, or a file without one usable row.
    """
    table = read_table(path)
    require(path, table, FIELDS)
    day = table["date"].str.replace(r"^(\d{2})/(\d{2})/(\d{4})$", r"\3-\1-\2", regex=True)
    time = to_utc(day + " " + table["time"])
    time = time.fillna(to_utc(table["date"]))        # a few rows hold the whole time in both columns
    quake = table["type"].str.lower() == "earthquake"
    raw = pd.DataFrame({new: to_numbers(table[old]) for new, old in USED.items()})
    good = quake & time.notna() & raw[["latitude", "longitude", "magnitude"]].notna().all(axis=1)
    if not good.any():
        raise InputError(path, "rows", 0, "at least one earthquake with time, place and magnitude")
    found = raw.assign(event_id=table["id"], time=time, magnitude_type=table["magnitude type"],
                       source="usgs significant", cluster_id=table["id"])[good]
    found = found.sort_values("time", kind="stable", ignore_index=True)[COLUMNS]
    found.attrs = {"dropped": int((quake & ~good).sum()), "repeated": 0,
                   "not_earthquakes": int((~quake).sum())}
    return found
