"""Earthquake catalogues as agencies ship them, brought to one table (layer 1).

Layouts: USGS ComCat CSV, both BMKG CSV layouts, QuakeML; plain or packed. One schema, UTC only, and every row
that cannot be used is either named in an error or counted.
"""

import io
import re
import warnings
from pathlib import Path

import pandas as pd

from lib.earth.tables import read_table, read_text, to_numbers, to_utc
from lib.files import InputError

COLUMNS = ["event_id", "time", "latitude", "longitude", "depth_km", "magnitude", "magnitude_type", "source",
           "cluster_id"]
# Field of the schema -> column of the file. Times without a zone are UTC: ComCat says so, and of the M >= 4.8
# events that ComCat has off Sumatra, the two BMKG files hold 122 of 124 (tgl, ot) and 322 of 422 (datetime)
# within 60 s and 1.5 degrees; shifted by 7, 8 or 9 hours (Indonesian local times) at most one.
LAYOUTS = {
    "comcat": {"time": "time", "latitude": "latitude", "longitude": "longitude", "depth_km": "depth",
               "magnitude": "mag", "event_id": "id"},
    "bmkg": {"time": "datetime", "latitude": "latitude", "longitude": "longitude", "depth_km": "depth",
             "magnitude": "magnitude", "event_id": "event_id"},
    "bmkg daily": {"time": "tgl ot", "latitude": "lat", "longitude": "lon", "depth_km": "depth",
                   "magnitude": "mag"},
}
_ACCEPTED = {
    "time": "a time in UTC such as 2021-01-31T23:59:59.5Z (convert local times and offsets first)",
    "latitude": "degrees from -90 to 90",
    "longitude": "degrees from -180 to 360",
    "depth_km": "km from -10 to 1000, or empty",
    "magnitude": "a magnitude from -3 to 10",
    "event_id": "an id that no row above has",
}
_LOCAL = re.compile(r"\b(wib|wita|wit|local|lokal)\b")


def read_comcat(path: str | Path, on_error: str = "raise") -> pd.DataFrame:
    """Read a USGS ComCat CSV (columns time, latitude, longitude, depth, mag, id; others are ignored).

    Rows whose `type` is given and is not an earthquake (explosions, collapses) are left out and counted in
    ``attrs["not_earthquakes"]``. Parameters, result and errors as `read_catalog`.
    """
    return _read_layout(path, ("comcat",), on_error)


def read_bmkg(path: str | Path, on_error: str = "raise") -> pd.DataFrame:
    """Read a BMKG catalogue: with `datetime` and `event_id`, or with `tgl` (day/month/year) and `ot`, no ids.

    Both layouts are in UTC. Where the file has no ids, an id is made from the origin time, and rows repeated
    word by word are merged and counted in ``attrs["repeated"]``. Parameters, result and errors as
    `read_catalog`.
    """
    return _read_layout(path, ("bmkg", "bmkg daily"), on_error)


def read_quakeml(path: str | Path, on_error: str = "raise") -> pd.DataFrame:
    """Read QuakeML with obspy: preferred, else first, origin and magnitude of every event.

    The id is the last part of the public id. Parameters, result and errors as `read_catalog`.
    """
    text = read_text(path)
    import obspy  # seconds to import: only for QuakeML

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # obspy warns of what the checks below refuse
            events = obspy.read_events(io.BytesIO(text.encode()), format="QUAKEML")
    except Exception as error:      # lxml, obspy and ValueError alike: the file is at fault
        raise InputError(path, "XML", str(error), "well-formed QuakeML 1.2") from error
    if not len(events):
        raise InputError(path, "eventParameters", "no event", "at least one event")
    raw = pd.DataFrame([_quakeml_row(event) for event in events], dtype=str)
    raw.index = raw.index + 1
    return _standard(path, raw, "quakeml", "event", {name: name for name in raw.columns}, on_error)


def read_catalog(path: str | Path, on_error: str = "raise") -> pd.DataFrame:
    """Read an earthquake catalogue in any supported layout, recognised by content.

    Parameters
    ----------
    path : str or Path
        USGS ComCat CSV, BMKG CSV (both layouts) or QuakeML; plain or gzip.
    on_error : str
        "raise": the first row that cannot be used is an InputError. "drop": such rows are left out, counted.
        A file without one usable row is an InputError in either case.

    Returns
    -------
    DataFrame
        event_id, time (UTC, datetime64[ns]), latitude, longitude (deg, -180 to 180), depth_km (NaN where the
        file has none), magnitude, magnitude_type ("" where unknown), source, cluster_id (the event's own id
        until `gardner_knopoff` is run); sorted by time. ``attrs`` counts: dropped, repeated, not_earthquakes.

    Raises
    ------
    InputError
        With file, line (or event), field, value and remedy, for a row without magnitude, with a local, offset
        or unreadable time, out of range, or with an id seen before; for an unknown layout or a damaged file.
    """
    if read_text(path).lstrip().startswith("<"):
        return read_quakeml(path, on_error)
    return _read_layout(path, tuple(LAYOUTS), on_error)


def _read_layout(path, allowed: tuple[str, ...], on_error: str) -> pd.DataFrame:
    """Read a delimited catalogue in one of the allowed layouts."""
    table = read_table(path)
    local = [name for name in table.columns if _LOCAL.search(name) and not name.startswith("mag")]
    if local:
        raise InputError(path, "header", local[0], "times in UTC: convert the column and rename it")
    if "tgl" in table.columns and "ot" in table.columns:
        table["tgl ot"] = table["tgl"] + " " + table["ot"]
    columns = set(table.columns)
    layout = next((name for name in allowed if set(LAYOUTS[name].values()) <= columns), None)
    if layout is None:
        raise InputError(path, "header", ", ".join(map(str, table.columns)), " or ".join(
            f"the columns {' '.join(LAYOUTS[name].values())} ({name})" for name in allowed))
    names = LAYOUTS[layout]
    raw = pd.DataFrame({field: table[name] for field, name in names.items()})
    raw["magnitude_type"] = table["magtype"] if "magtype" in columns else ""
    kind = table["type"] if layout == "comcat" and "type" in columns else pd.Series("", table.index)
    quake = kind.str.lower().isin(["", "earthquake"])
    repeated = 0 if "event_id" in raw else int(table.duplicated().sum())
    if repeated:
        raw = raw[~table.duplicated()]
    catalog = _standard(path, raw[quake.loc[raw.index]], layout.split()[0], "line", names, on_error)
    catalog.attrs.update(repeated=repeated, not_earthquakes=int((~quake).sum()))
    return catalog


def _quakeml_row(event) -> dict[str, str]:
    """Return one event's fields as strings, empty where the event has none."""
    origin = event.preferred_origin() or (event.origins or [None])[0]
    size = event.preferred_magnitude() or (event.magnitudes or [None])[0]
    public_id = str(event.resource_id)
    query = re.search(r"eventid=([\w.-]+)", public_id)      # ComCat's ids are its own query address

    def text(holder, name, scale=1.0):
        value = getattr(holder, name, None)
        return "" if value is None else str(value if scale == 1.0 else value * scale)

    return {"time": text(origin, "time"), "latitude": text(origin, "latitude"),
            "longitude": text(origin, "longitude"), "depth_km": text(origin, "depth", 1e-3),
            "magnitude": text(size, "mag"), "magnitude_type": text(size, "magnitude_type"),
            "event_id": query[1] if query else public_id.rstrip("/").rsplit("/", 1)[-1]}


def _standard(path, raw: pd.DataFrame, source: str, unit: str, names: dict[str, str],
              on_error: str) -> pd.DataFrame:
    """Turn columns of strings, indexed by line or event number, into the schema; refuse or drop bad rows."""
    if on_error not in ("raise", "drop"):
        raise InputError("read_catalog", "on_error", on_error, '"raise" or "drop"')
    time = raw["time"]
    if names["time"] == "tgl ot":
        time = time.str.replace(r"^([0-9]{2})/([0-9]{2})/([0-9]{4}) ", r"\3-\2-\1 ", regex=True)
    time = to_utc(time)
    number = {field: to_numbers(raw[field]) for field in ("latitude", "longitude", "depth_km", "magnitude")}
    event_id = raw["event_id"] if "event_id" in raw else _id_from_time(source, time)
    bad = pd.DataFrame({
        "time": time.isna(),
        "latitude": ~number["latitude"].between(-90, 90),
        "longitude": ~number["longitude"].between(-180, 360),
        "depth_km": ~number["depth_km"].between(-10, 1000) & (raw["depth_km"] != ""),
        "magnitude": ~number["magnitude"].between(-3, 10),
        "event_id": event_id.duplicated() | (event_id == "")}, index=raw.index)
    unusable = bad.any(axis=1)
    if unusable.any() and (on_error == "raise" or unusable.all()):
        _refuse(path, raw.assign(event_id=event_id), bad, unit, names)
    longitude = number["longitude"].where(number["longitude"] <= 180, number["longitude"] - 360)
    catalog = pd.DataFrame({
        **number, "event_id": event_id, "time": time, "longitude": longitude, "source": source,
        "magnitude_type": raw["magnitude_type"], "cluster_id": event_id}, columns=COLUMNS)[~unusable]
    catalog = catalog.sort_values(["time", "event_id"], kind="stable", ignore_index=True)
    catalog.attrs = {"dropped": int(unusable.sum()), "repeated": 0, "not_earthquakes": 0}
    return catalog


def _id_from_time(source: str, time: pd.Series) -> pd.Series:
    """Return ids such as bmkg-20210101T232425.033: two earthquakes never share a millisecond."""
    stamp = time.dt.strftime("%Y%m%dT%H%M%S.%f").fillna("").str[:19]
    return (source + "-" + stamp).where(time.notna(), "no time, line " + time.index.astype(str))


def _refuse(path, raw: pd.DataFrame, bad: pd.DataFrame, unit: str, names: dict[str, str]) -> None:
    """Raise for the first row that cannot be used, saying how many there are."""
    number = bad.any(axis=1).idxmax()
    field = bad.loc[number].idxmax()
    count = int(bad.any(axis=1).sum())
    raise InputError(path, f"{unit} {number}, {names.get(field, field)}", raw.loc[number, field],
                     f'{_ACCEPTED[field]}; correct it, or leave out the {count} such row'
                     f'{"s" if count > 1 else ""} with on_error="drop"')
