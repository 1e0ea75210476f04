"""What to fetch: addresses, file names, days, and the check of each kind of file (layer 1)."""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from lib.earth.catalog import read_quakeml
from lib.earth.ionex import read_ionex
from lib.earth.records import read_record
from lib.earth.space_weather import read_dst, read_kp
from lib.files import InputError

DAY = datetime.timedelta(days=1)
# All of these are open, without an account; each has conditions of use: read them, and cite.
SERVERS = {
    # intermagnet.org/data_portal, hapi-server.org; CC BY-NC for most observatories
    "geomag": "https://imag-data.bgs.ac.uk/GIN_V1/hapi",
    # earthquake.usgs.gov/fdsnws/event/1, fdsn.org/webservices; at most 20 000 events an answer
    "events": "https://earthquake.usgs.gov",
    # celestrak.org/SpaceData: one file since 1957, Kp of GFZ Potsdam
    "kp": "https://celestrak.org",
    # wdc.kugi.kyoto-u.ac.jp/dstdir: one file a month; not for commercial use
    "dst": "https://wdc.kugi.kyoto-u.ac.jp",
    # CODE, University of Bern: aiub.unibe.ch/download; NASA's CDDIS wants a login and is not handled
    "ionex": "http://ftp.aiub.unibe.ch",
}
KINDS = tuple(SERVERS)
DATASET = "{station}/best-avail/PT1M/xyzf"
# Addresses below the server; {date:%j} is the day of year. A template with days is asked daily, and so on.
TEMPLATES = {"kp": "SpaceData/SW-All.csv",
             "dst": "dst_final/{date:%Y%m}/dst{date:%y%m}.for.request",
             "ionex": "CODE/{date:%Y}/CODG{date:%j}0.{date:%y}I.Z"}
LONG_NAMES = datetime.date(2022, 11, 27)      # IGS products have long names from GPS week 2238 on
LONG_IONEX = "CODE/{date:%Y}/COD0OPSFIN_{date:%Y%j}0000_01D_01H_GIM.INX.gz"
PLACES = {"kp": "space_weather", "dst": "space_weather", "ionex": "ionosphere"}
SUFFIX = {1.0: "sec", 60.0: "min"}
HINTS = {
    "geomag": "a HAPI server that answers in JSON and CSV (perhaps a login or error page came instead), and "
              "a station and dataset of it: --server, --station, --dataset",
    "events": "an FDSN event service that answers in XML (perhaps a login or error page came instead: "
              "--server), and no more events than it gives at once: raise --min-magnitude",
    "kp": "an address that exists: --server, --template",
    "dst": "a month that is final; for later ones --template with dst_provisional or dst_realtime",
    "ionex": "a day that the archive has; for other archives and names --server, --template"}


def arguments(kind, start, end, server, timeout_s) -> tuple[datetime.date, datetime.date, str]:
    """Return first and last day and the server's address, or say which argument is wrong."""
    if kind not in KINDS:
        raise InputError("fetch", "kind", kind, ", ".join(KINDS))
    span = []
    for name, value in (("from", start), ("to", end)):
        try:
            span.append(datetime.date.fromisoformat(str(value)))
        except ValueError:
            raise InputError("fetch", name, value, "a day such as 2011-03-01") from None
    if span[0] > span[1]:
        raise InputError("fetch", "from, to", f"{start}, {end}", "a first day that is not after the last")
    server = (server or SERVERS[kind]).rstrip("/")
    if not re.match(r"https?://\S+$", server):
        raise InputError("fetch", "server", server, "an address that starts with http:// or https://")
    if not 0 < timeout_s < float("inf"):
        raise InputError("fetch", "timeout", timeout_s, "seconds above 0")
    return *span, server


def days(first: datetime.date, last: datetime.date, pattern: str = "%d") -> Iterator[datetime.date]:
    """Yield the start of every day, month or year of a span, or `first` alone, as a pattern tells them apart.

    >>> [str(day) for day in days(datetime.date(2011, 1, 30), datetime.date(2011, 3, 2), "%Y/%m")]
    ['2011-01-30', '2011-02-01', '2011-03-01']
    """
    day = first
    while day <= last:
        yield day
        if "%d" in pattern or "%j" in pattern:
            day += DAY
        elif "%m" in pattern:
            day = (day.replace(day=28) + 4 * DAY).replace(day=1)
        elif "%y" in pattern.lower():
            day = day.replace(year=day.year + 1, month=1, day=1)
        else:
            return


def address(kind: str, template: str | None, day: datetime.date) -> tuple[str, bool]:
    """Return the address of a day's file below the server, and whether one file holds all days.

    >>> address("ionex", None, datetime.date(2011, 3, 11))
    ('CODE/2011/CODG0700.11I.Z', False)
    >>> address("ionex", None, datetime.date(2024, 1, 1))[0]
    'CODE/2024/COD0OPSFIN_20240010000_01D_01H_GIM.INX.gz'
    """
    given = template or TEMPLATES[kind]
    chosen = LONG_IONEX if kind == "ionex" and template is None and day >= LONG_NAMES else given
    try:
        below = chosen.format(date=day).lstrip("/")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise InputError("fetch", "template", given, "a path with {date:%Y}, {date:%j} ...") from error
    return below, below == given.lstrip("/")


def dataset_id(dataset: str, station: str | None) -> str:
    """Return the HAPI dataset of a station.

    >>> dataset_id(DATASET, "KAK")
    'kak/best-avail/PT1M/xyzf'
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{2,8}", station or ""):
        raise InputError("fetch", "station", station, "the code of an observatory, such as KAK (--station)")
    try:
        return dataset.format(station=station.lower(), STATION=station.upper())
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise InputError("fetch", "dataset", dataset, "a HAPI id with {station} or {STATION}") from error


def record_name(station: str, dataset: str, day: datetime.date, step_s: float | None) -> str:
    """Return the path of a daily record below the data folder.

    >>> record_name("KAK", "kak/best-avail/PT1M/xyzf", datetime.date(2011, 3, 11), 60.0)
    'geomag/kak/kak-best-avail-PT1M-xyzf_20110311.min'
    """
    words = re.sub(r"[^A-Za-z0-9_]+", "-", dataset)
    return f"geomag/{station.lower()}/{words}_{day:%Y%m%d}.{SUFFIX.get(step_s, 'txt')}"


def event_limits(min_magnitude: float, box) -> dict[str, float]:
    """Return the FDSN parameters of a smallest magnitude and a box of west, east, south, north."""
    limits = {"minmagnitude": float(min_magnitude)}
    if box is None:
        return limits
    if len(box) != 4 or not (box[0] < box[1] and -90 <= box[2] < box[3] <= 90):
        raise InputError("fetch", "box", box, "west, east, south, north in degrees, with west below east "
                         "(across the date line: 170 190) and south below north")
    names = "minlongitude", "maxlongitude", "minlatitude", "maxlatitude"
    return limits | dict(zip(names, map(float, box), strict=True))


def events_name(start: datetime.date, end: datetime.date, limits: dict[str, float]) -> str:
    """Return the path of a file of events below the data folder.

    >>> day = datetime.date(2011, 3, 1)
    >>> events_name(day, day, event_limits(4.5, (95, 141, -11, 6)))
    'earthquakes/events_2011-03-01_2011-03-01_4.5_95_141_-11_6.xml'
    """
    return f"earthquakes/events_{start}_{end}_" + "_".join(f"{value:g}" for value in limits.values()) + ".xml"


def check_record(path: Path, station: str) -> str:
    """Read a daily record back; return how many samples it has."""
    record = read_record(path, station)
    return f", {record.sizes['time']} samples of {record.attrs['sampling_s']:g} s"


def check_events(path: Path) -> str:
    """Read a file of events; return how many it has, and how many of them cannot be used."""
    catalog = read_quakeml(path, on_error="drop")
    dropped = catalog.attrs["dropped"]
    return f", {len(catalog)} events" + (f", {dropped} more without place or magnitude" if dropped else "")


def check_values(kind: str, path: Path, first: datetime.date, last: datetime.date) -> str:
    """Read Kp, Dst or maps; return how many lie in a span of days, refuse a file without any."""
    if kind == "ionex":
        times = read_ionex(path)["time"].to_index()
    else:
        times = (read_kp if kind == "kp" else read_dst)(path).dropna().index
    within = int(((times.date >= first) & (times.date <= last)).sum())
    if not within:
        raise InputError(path.name, "interval", f"{kind} from {times.min()} to {times.max()}", f"values from "
                         f"{first} to {last}; --update takes the newest file of an index that grows")
    return f", {within} {'maps' if kind == 'ionex' else 'values'} of the interval"
