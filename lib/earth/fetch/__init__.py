"""Records, catalogues, indices and maps from their archives into one verified folder (layer 1).

The only module with the network; the book and the tests never need it. A file arrives whole, in a format
that the readers of `lib.earth` read, and is entered into the folder's lock (`lib.earth.fetch.lockfile`). One
that is there with its checksum is not asked for again, so that the same command continues an interrupted
run. From a shell:
``python -m lib.earth.fetch --station KAK --from 2011-03-01 --to 2011-03-31 --out folder``.
"""

import contextlib
import importlib.util
import re
import shutil
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lib.earth.fetch import answers, hapi, lockfile, plan
from lib.earth.fetch.lockfile import verify
from lib.earth.iaga2002 import write_iaga2002
from lib.files import InputError, atomic_path

__all__ = ["Item", "fetch", "verify"]


class Item(NamedTuple):
    """One file to be: where it lands, what is asked for, how it is got and how it is read."""

    name: str                              # path below the data folder
    source: str                            # address for lock and messages
    parameters: dict
    get: Callable[[Path], Path | None]     # into a temporary folder; None if there is nothing
    check: Callable[[Path], str]           # reads the file: InputError, or a note for the user
    recheck: bool = False                  # also when the file is there already


def fetch(kind: str, start, end, folder: str | Path, *, station: str | None = None, server: str | None = None,
          dataset: str = plan.DATASET, template: str | None = None, min_magnitude: float = 4.0, box=None,
          timeout_s: float = 60.0, update: bool = False, sleep: Callable[[float], None] = time.sleep,
          tell: Callable[[str], None] = lambda line: None) -> dict[str, str]:
    """Fetch records, events, indices or maps of a span of days into a folder, whole files only.

    Parameters
    ----------
    kind : str
        "geomag" (daily IAGA-2002 through HAPI), "events" (monthly QuakeML through FDSN), "kp", "dst", "ionex"
        (the archive's own files).
    start, end : str or date
        First and last day, UTC, both included.
    folder : path
        Filled as geomag/, earthquakes/, space_weather/, ionosphere/ and the lock checksums.json.
    station : str
        Code of an observatory, for "geomag".
    server, dataset, template : str, optional
        Other addresses than `plan.SERVERS`, `plan.DATASET` (HAPI id with {station}) and `plan.TEMPLATES`.
    min_magnitude, box : float and four floats, optional
        For "events"; box is west, east, south, north in degrees.
    timeout_s : float
        For one answer. Time-outs, cut files and HTTP 408, 429 and 5xx are tried four times.
    update : bool
        Fetch again what is there, and accept other contents.
    sleep, tell : callable
        Waits some seconds between attempts; takes one line a file.

    Returns
    -------
    dict
        File name below the folder to "fetched", "kept" or "no data".

    Raises
    ------
    InputError
        For a bad argument, a server that does not answer as it should, contents that cannot be read or differ
        from the lock, or a span without any data. What arrived before stays; the same command goes on there.

    Notes
    -----
    When not to use: from several threads of one process (hapiclient takes its time-out from a global).
    """
    first, last, server = plan.arguments(kind, start, end, server, timeout_s)
    folder, found = Path(folder), {}
    with tempfile.TemporaryDirectory(prefix="fetch-") as work:
        work = Path(work)
        if kind == "geomag":
            items = _geomag(first, last, station, server, dataset, timeout_s, sleep, work)
        elif kind == "events":
            items = _events(first, last, server, plan.event_limits(min_magnitude, box), timeout_s)
        else:
            items = _files(kind, first, last, server, template, timeout_s)
        for item in items:
            found[item.name], note = _bring(item, folder, work, plan.HINTS[kind], update, sleep)
            tell(f"{item.name}  {found[item.name]}{note}")
    if not set(found.values()) & {"fetched", "kept"}:
        raise InputError(server, "interval", f"no data from {first} to {last}", "days that the server has "
                         "data for; for events also a lower --min-magnitude or a larger --box")
    return found


def _bring(item: Item, folder: Path, work: Path, hint: str, update: bool, sleep) -> tuple[str, str]:
    """Keep, or fetch, check, compare and place one file; return what was done and a note."""
    path, entry = lockfile.inside(folder, item.name), lockfile.read_lock(folder).get(item.name)
    if entry and not update:
        lockfile.same_request(item.name, entry, item.source, item.parameters)
        if path.exists():
            lockfile.compare(item.name, entry, lockfile.describe(path, item.source, item.parameters))
            return "kept", item.check(path) if item.recheck else ""
    got = answers.patiently(lambda: item.get(work), item.source, hint, sleep)
    if got is None:
        return "no data", ""
    answers.refuse_html(got, item.source)
    note = item.check(got)
    new = lockfile.describe(got, item.source, item.parameters)
    if entry and not update:
        lockfile.compare(item.name, entry, new)
    with atomic_path(path) as temporary:
        shutil.copyfile(got, temporary)
    got.unlink()
    lockfile.add(folder, item.name, new)
    return "fetched", note


def _geomag(first, last, station, server, dataset, timeout_s, sleep, work) -> Iterator[Item]:
    """Daily IAGA-2002 files of a station, from a HAPI server."""
    def ask(*what):
        return answers.patiently(lambda: _hapi(server, *what, timeout_s=timeout_s, work=work), server,
                                 plan.HINTS["geomag"], sleep)

    wanted_id = plan.dataset_id(dataset, station)
    dataset = hapi.find_dataset(ask(), wanted_id, station, server)
    info = ask(dataset)
    wanted = hapi.elements(info, dataset, server)
    begin, stop = hapi.period(info)
    for day in plan.days(max(first, begin.date()), min(last, stop.date())):
        parameters = {"dataset": dataset, "parameters": ",".join(wanted), "day": str(day)}

        def get(work: Path, day=day) -> Path | None:
            record = _day(server, dataset, info, wanted, station, day, timeout_s, work)
            return None if record is None else write_iaga2002(record, work / "day.txt")

        yield Item(plan.record_name(station, dataset, day, hapi.step_s(info)), server, parameters, get,
                   lambda path: plan.check_record(path, station))


def _day(server, dataset, info, wanted, station, day, timeout_s, work):
    """Ask a HAPI server for one day; return the record, None if there is no value."""
    from hapiclient import hapitime2datetime

    data, answer = _hapi(server, dataset, ",".join(wanted), f"{day}T00:00:00Z", f"{day + plan.DAY}T00:00:00Z",
                         timeout_s=timeout_s, work=work)
    text = Path(answer["x_dataFile"])
    contents = text.read_bytes()
    shutil.rmtree(text.parent)                       # the answers; metadata stay for the next day
    if not contents:
        return None
    if not contents.endswith(b"\n"):                 # of a server that announces no length
        raise ConnectionError(f"IncompleteRead: the last line of {day} is cut")
    stamps = [stamp.replace(tzinfo=None) for stamp in hapitime2datetime(data[data.dtype.names[0]])]
    inside = [stamp.date() == day for stamp in stamps]
    times = [stamp for stamp, kept in zip(stamps, inside, strict=True) if kept]
    return hapi.to_record(data[inside], times, info, wanted, station, f"{dataset} {server}")


def _hapi(server: str, *what: str, timeout_s: float, work: Path):
    """Call hapiclient, with metadata asked for once a run, a time-out, and no trace in global state."""
    _need("hapiclient")
    from hapiclient import hapi as client

    before, hook = socket.getdefaulttimeout(), sys.excepthook
    cache = work / "hapi"
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("always")
        try:
            socket.setdefaulttimeout(timeout_s)      # hapiclient offers no time-out of its own
            # dt_chunk=None: one request a call; by default it asks for the next day too, and cuts it off
            return client(server, *what, format="csv", cache=True, usecache=True, cachedir=str(cache),
                          dt_chunk=None, logging=False)
        except Exception as error:
            for path in cache.rglob("data/*.csv"):
                answers.refuse_html(path, server)
            texts = [str(warning.message) for warning in said]      # a failed download is only warned of
            raise error from (ConnectionError("; ".join(texts)) if texts else None)
        finally:
            socket.setdefaulttimeout(before)
            sys.excepthook = hook                    # hapiclient's errors install one


def _events(first, last, server, limits: dict, timeout_s) -> Iterator[Item]:
    """Monthly QuakeML files of an FDSN event service."""
    starts = list(plan.days(first, last, "%m"))
    for start, following in zip(starts, [*starts[1:], last + plan.DAY], strict=True):
        end = following - plan.DAY
        query = {"starttime": f"{start}T00:00:00", "endtime": f"{end}T23:59:59.999999", "orderby": "time-asc",
                 **limits}
        yield Item(plan.events_name(start, end, limits), server, query,
                   lambda work, query=query: _fdsn(server, query, timeout_s, work), plan.check_events)


def _fdsn(server: str, query: dict, timeout_s: float, work: Path) -> Path | None:
    """Write the events of a query as the service sends them; None if it has none."""
    from obspy import UTCDateTime  # seconds to import
    from obspy.clients.fdsn import Client
    from obspy.clients.fdsn.header import FDSNNoDataException

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")              # of optional parameters that a service does not know
        client = Client(server, timeout=timeout_s, service_mappings={"station": None, "dataselect": None})
    times = {name: UTCDateTime(query[name]) for name in ("starttime", "endtime")}
    path = work / "events.xml"
    try:
        client.get_events(**(query | times), filename=str(path))
    except FDSNNoDataException:
        return None
    return path


def _files(kind, first, last, server, template, timeout_s) -> Iterator[Item]:
    """Files that an archive has as such: one a day, month, year or altogether, as the template says."""
    for day in plan.days(first, last, template or plan.TEMPLATES[kind]):
        below, whole = plan.address(kind, template, day)
        span = (first, last) if whole else (day, day)
        name = f"{plan.PLACES[kind]}/{re.sub(r'[^A-Za-z0-9_./-]+', '_', below)}"
        yield Item(name, f"{server}/{below}", {},
                   lambda work, below=below: _pooch(f"{server}/{below}", timeout_s, work),
                   lambda path, span=span: plan.check_values(kind, path, *span), recheck=whole)


def _pooch(address: str, timeout_s: float, work: Path) -> Path:
    """Download one file with pooch."""
    _need("pooch")
    import pooch

    pooch.get_logger().setLevel("WARNING")
    loader = pooch.HTTPDownloader(progressbar=False, timeout=timeout_s)
    return Path(pooch.retrieve(address, None, "file", work / "pooch", downloader=loader))


def _need(package: str) -> None:
    """Say how to install an optional package that is missing."""
    if importlib.util.find_spec(package) is None:
        raise InputError("fetch", "package", package,
                         "an environment with the extra `fetch` of pyproject.toml; `make` installs it")
