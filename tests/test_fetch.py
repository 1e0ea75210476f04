"""Fetching, against servers of ours on the loopback; no test leaves it."""

import datetime
import functools
import hashlib
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lib.earth import catalog, fetch, ionex, records, space_weather
from lib.earth.fetch import answers, hapi, lockfile, plan
from lib.earth.fetch.cli import main
from lib.earth.ionex_writer import write_ionex
from lib.files import InputError

ROOT = Path(__file__).resolve().parent.parent
FIRST = datetime.datetime(2011, 3, 1)
MINUTES = 1440
STATIONS = ("kak", "kny", "ghost")          # the catalogue lists the last, and then does not know it
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
LOGIN = b"<!DOCTYPE html><html><body>Please log in</body></html>"
# three events: origin time, magnitude; none in May
EVENTS = (("2011-03-09T02:45:20", 7.3), ("2011-03-11T05:46:24", 9.1), ("2011-04-07T14:32:43", 7.1))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Refuse every connection that leaves this machine, proxies included."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test wanted to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


class Archive(http.server.BaseHTTPRequestHandler):
    """HAPI 3.0, FDSN event and plain files; the server's `faults` say what goes wrong, and when."""

    def log_message(self, *words):
        """Stay quiet."""

    def do_GET(self):
        """Answer, with the fault planted for this address if there is one left."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.server.asked.append(self.path)
        faults = next((f for part, f in self.server.faults.items() if part in self.path), [])
        fault = faults.pop(0) if faults else None
        if fault == "slow":
            self.server.released.wait(20)
            return
        if fault == "login":
            self.send(302, b"", Location="/login")
            return
        if isinstance(fault, int):
            said = self.server.hapi_status(1500, "internal server error") if "hapi" in self.path else b""
            self.send(fault, said)
            return
        status, body = self.answer(url.path, query)
        self.send(status, LOGIN if fault == "html" else body, fault)

    def send(self, status, body, fault=None, **headers):
        """Write an answer: whole, half of what its length promises, or cut without any length."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204 and fault != "cut":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body[:len(body) // 2 - 3] if fault in ("half", "cut") else body)

    def answer(self, path, query):
        """Return status and body."""
        if path == "/login":
            return 200, LOGIN
        if path.startswith("/hapi/"):
            return self.hapi(path.removeprefix("/hapi/"), query)
        if path.startswith("/fdsnws/event/1/"):
            return self.fdsn(path.rsplit("/", 1)[1], query)
        return (200, self.server.files[path]) if path in self.server.files else (404, b"not here")

    def hapi(self, endpoint, query):
        """Answer as the HAPI 3.0 specification says."""
        ok = {"HAPI": "3.0", "status": {"code": 1200, "message": "OK"}}
        if endpoint == "capabilities":
            return 200, json.dumps({**ok, "outputFormats": ["csv"]}).encode()
        if endpoint == "catalog":
            ids = [f"{station}/best-avail/PT1M/{axes}" for station in STATIONS for axes in ("xyzf", "hdzf")]
            return 200, json.dumps({**ok, "catalog": [{"id": name} for name in ids]}).encode()
        if query["dataset"].startswith("ghost"):
            return 404, self.server.hapi_status(1406, "unknown dataset id")
        if endpoint == "info":
            return 200, json.dumps({**ok, **self.server.info}).encode()
        start = datetime.datetime.fromisoformat(query["start"].removesuffix("Z"))
        stop = datetime.datetime.fromisoformat(query["stop"].removesuffix("Z"))
        if start >= stop:
            return 400, self.server.hapi_status(1404, "start equal to or after stop")
        return 200, self.server.csv(start, stop)

    def fdsn(self, endpoint, query):
        """Answer as the FDSN event specification says: 204 where nothing fits."""
        if endpoint == "version":
            return 200, b"1.2.0"
        if endpoint in ("catalogs", "contributors"):
            return 200, f"{XML}<{endpoint.title()}></{endpoint.title()}>".encode()
        if endpoint == "application.wadl":
            names = ("starttime", "endtime", "minlatitude", "maxlatitude", "minlongitude", "maxlongitude",
                     "mindepth", "maxdepth", "minmagnitude", "maxmagnitude", "orderby")
            params = "".join(f'<param name="{name}" style="query" type="xs:string"/>' for name in names)
            return 200, (f'{XML}<application xmlns="http://wadl.dev.java.net/2009/02">'
                         '<resources base="http://127.0.0.1/fdsnws/event/1/"><resource path="query">'
                         f'<method id="query" name="GET"><request>{params}</request></method></resource>'
                         "</resources></application>").encode()
        inside = [(t, m) for t, m in EVENTS if query["starttime"] <= t <= query["endtime"]
                  and m >= float(query["minmagnitude"])]
        return (200, quakeml(inside)) if inside else (204, b"")


def quakeml(events):
    """QuakeML 1.2 of (time, magnitude)."""
    one = ('<event publicID="quakeml:test/{0}"><origin publicID="quakeml:o/{0}">'
           "<time><value>{1}Z</value></time><latitude><value>38.3</value></latitude><longitude><value>142.4</value></longitude>"
           "<depth><value>29000</value></depth></origin>"
           '<magnitude publicID="quakeml:m/{0}"><mag><value>{2}</value></mag><type>Mw</type></magnitude>'
           "</event>")
    return (f'{XML}<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" '
            'xmlns="http://quakeml.org/xmlns/bed/1.2"><eventParameters publicID="quakeml:test/all">'
            + "".join(one.format(t.replace(":", ""), t, m) for t, m in events)
            + "</eventParameters></q:quakeml>").encode()


def field(minute):
    """Values that the server has for a minute since FIRST: X, Y, Z, F; a gap in the second hour."""
    if 60 <= minute % MINUTES < 70:
        return (99999.0,) * 4
    x, y, z = 29000 + 0.01 * (minute % 977), -3900 + 0.1 * (minute % 13), 35800 - 0.25 * (minute % 31)
    return x, y, z, float(np.sqrt(x * x + y * y + z * z))


@functools.cache
def csv(start, stop):
    """HAPI rows of X, Y, Z, F; none outside the first four days."""
    rows = []
    for minute in range(max(0, round((start - FIRST).total_seconds() / 60)),
                        min(4 * MINUTES, round((stop - FIRST).total_seconds() / 60))):
        stamp = FIRST + datetime.timedelta(minutes=minute)
        rows.append(f"{stamp:%Y-%m-%dT%H:%M:%SZ}," + ",".join(f"{value:.2f}" for value in field(minute)))
    return ("\n".join(rows) + "\n" if rows else "").encode()


@pytest.fixture
def server(tmp_path):
    """Run an archive: `url`, `asked`, `faults` (part of an address -> faults in order), `files`, `info`."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    running.daemon_threads, running.block_on_close = True, False
    running.url = f"http://127.0.0.1:{running.server_port}"
    running.asked, running.faults, running.csv = [], {}, csv
    running.released = threading.Event()
    values = {"type": "double", "units": "nT", "fill": "99999.0"}
    running.info = {"startDate": "2011-03-01T00:00:00Z", "stopDate": "2011-03-10T00:00:00Z",
                    "cadence": "PT1M", "geoLocation": [140.19, 36.23], "parameters": [
                        {"name": "Time", "type": "isotime", "units": "UTC", "fill": None, "length": 20},
                        {"name": "Field_Vector", "size": [3], **values},
                        {"name": "Field_Magnitude", **values}]}
    running.hapi_status = lambda code, text: json.dumps({"HAPI": "3.0", "status": {
        "code": code, "message": f"HAPI error {code}: {text}"}}).encode()
    running.files = files(tmp_path)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


def files(folder):
    """Addresses and contents of the plain files: Kp, Dst of a month, maps of two days."""
    head = "DATE,KP1,KP2,KP3,KP4,KP5,KP6,KP7,KP8,F10.7_DATA_TYPE\n"
    rows = "".join(f"2011-03-{day:02d},10,13,17,20,23,27,30,33,OBS\n" for day in range(1, 12))
    dst = "".join(f"DST1103*{day:02d}RRX220   0" + f"{-day:4d}" * 24 + f"{-day:4d}\n" for day in range(1, 32))
    found = {"/SpaceData/SW-All.csv": (head + rows).encode(),
             "/dst_final/201103/dst1103.for.request": dst.encode()}
    for day in (10, 11):
        time_ = np.datetime64(f"2011-03-{day}") + np.arange(0, 24, 12).astype("timedelta64[h]")
        maps = xr.Dataset({"tec": (("time", "latitude", "longitude"), np.full((2, 3, 3), float(day)))},
                          {"time": time_.astype("datetime64[ns]"), "latitude": [-5.0, 0.0, 5.0],
                           "longitude": [-5.0, 0.0, 5.0]})
        path = write_ionex(maps, folder / "map")
        found[f"/CODE/2011/CODG{day + 59:03d}0.11I.Z"] = path.read_bytes()
        path.unlink()
    return found


def days(archive, folder, first=1, last=2, **more):
    """Fetch days of March 2011 of KAK."""
    common = {"station": "KAK", "server": f"{archive.url}/hapi", "timeout_s": 10.0, "sleep": lambda s: None}
    return fetch.fetch("geomag", f"2011-03-{first:02d}", f"2011-03-{last:02d}", folder, **(common | more))


def get(kind, archive, folder, start="2011-03-01", end="2011-03-11", **more):
    """Fetch another kind."""
    more = {"server": archive.url, "timeout_s": 10.0, "sleep": lambda s: None} | more
    return fetch.fetch(kind, start, end, folder, **more)


def contents(folder):
    """Every file below a folder, hidden ones too, with its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


NAME = "geomag/kak/kak-best-avail-PT1M-xyzf_201103{:02d}.min"


def test_the_guard_of_these_tests_works():
    with pytest.raises(AssertionError, match="192.0.2.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)


def test_days_hold_the_servers_numbers(server, tmp_path):
    """Two days through hapiclient are daily IAGA-2002 files with every value, gap and coordinate."""
    lines = []
    found = days(server, tmp_path / "d", tell=lines.append)
    assert found == {NAME.format(1): "fetched", NAME.format(2): "fetched"}
    assert lines == [f"{NAME.format(day)}  fetched, 1440 samples of 60 s" for day in (1, 2)]
    for day in (1, 2):
        text = (tmp_path / "d" / NAME.format(day)).read_text()
        rows = [line.split() for line in text.splitlines() if line.startswith("2011-")]
        expected = [field(minute) for minute in range((day - 1) * MINUTES, day * MINUTES)]
        assert [row[3:] for row in rows] == [[f"{v:.2f}" for v in values] for values in expected]
        assert rows[61][:3] == [f"2011-03-0{day}", "01:01:00.000", f"{59 + day:03d}"]
    record = records.read_record(tmp_path / "d" / NAME.format(1), "KAK")
    assert (record.attrs["latitude"], record.attrs["longitude"]) == (36.23, 140.19)
    assert np.flatnonzero(np.isnan(record["H"].values)).tolist() == list(range(60, 70))
    x, y, z, _ = field(5)
    np.testing.assert_allclose(np.hypot(record["H"], record["D"])[5], np.hypot(x, y), atol=0.01)
    assert float(record["Z"][5]) == round(z, 2)


def test_what_is_there_is_not_asked_for_again(server, tmp_path):
    """A second run keeps verified files, asks for no data, changes no byte; a longer one adds the rest."""
    days(server, tmp_path / "d")
    before = contents(tmp_path / "d")
    server.asked.clear()
    assert set(days(server, tmp_path / "d").values()) == {"kept"}
    assert not [path for path in server.asked if "/data" in path]
    assert contents(tmp_path / "d") == before
    assert list(days(server, tmp_path / "d", 1, 3).values()) == ["kept", "kept", "fetched"]
    assert len([path for path in server.asked if "/data" in path]) == 1
    assert fetch.verify(tmp_path / "d") == [NAME.format(day) for day in (1, 2, 3)]


def test_the_lock_describes_each_file(server, tmp_path):
    days(server, tmp_path / "d", 1, 1)
    lock = json.loads((tmp_path / "d" / "checksums.json").read_text())
    path = tmp_path / "d" / NAME.format(1)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert lock == {NAME.format(1): {
        "sha256": digest, "size": path.stat().st_size, "source": f"{server.url}/hapi", "parameters": {
            "dataset": "kak/best-avail/PT1M/xyzf", "parameters": "Field_Vector,Field_Magnitude",
            "day": "2011-03-01"}}}


@pytest.mark.parametrize("fault", [500, 503, 429, "half", "slow", "cut"])
def test_trouble_that_passes_is_waited_out(server, tmp_path, fault):
    """Two failures in a row cost two pauses, the second twice as long, and the file is whole."""
    days(server, tmp_path / "good", 1, 1)
    pauses = []
    times = 6 if fault == "slow" else 2         # hapiclient itself asks three times before it gives up
    server.faults["/hapi/data"] = [fault] * times
    days(server, tmp_path / "d", 1, 1, sleep=pauses.append, timeout_s=0.06 if fault == "slow" else 10.0)
    assert pauses == [1.0, 2.0]
    assert contents(tmp_path / "d") == contents(tmp_path / "good")


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "message"), [
    (500, "HTTP 500, attempt 4: HAPI error 1500"), (503, "HTTP 503, attempt 4"), ("half", "a file cut short"),
    ("slow", "time-out, attempt 4"), ("cut", "a file cut short")])
def test_trouble_that_stays_is_one_sentence(server, tmp_path, fault, message):
    """After four attempts the message says what happened; files of earlier days stay, nothing half does."""
    days(server, tmp_path / "d", 1, 1)
    before, pauses = contents(tmp_path / "d"), []
    server.faults["start=2011-03-02"] = [fault] * 99
    with pytest.raises(InputError, match=message):
        days(server, tmp_path / "d", sleep=pauses.append, timeout_s=0.06 if fault == "slow" else 10.0)
    assert pauses == [1.0, 2.0, 4.0]
    assert contents(tmp_path / "d") == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kp", "events"])
@pytest.mark.parametrize(("fault", "message", "attempts"), [
    (500, "HTTP 500, attempt 4", 4), (404, "HTTP 404, attempt 1", 1), (401, "credentials are not handled", 1),
    ("half", "cut short", 4), ("slow", "time-out, attempt 4", 4), ("html", "a web page, perhaps a login", 1),
    ("login", "a web page, perhaps a login", 1)])
def test_each_client_reports_trouble_alike(server, tmp_path, kind, fault, message, attempts):
    """With pooch and obspy too, 5xx, time-outs and half files are tried again, 4xx and logins are not."""
    part = {"kp": "SW-All", "events": "/query"}[kind]
    server.faults[part] = [fault] * 99
    with pytest.raises(InputError, match=message):
        get(kind, server, tmp_path / "d", timeout_s=0.2 if fault == "slow" else 10.0)
    assert len([path for path in server.asked if part in path]) == attempts
    assert contents(tmp_path / "d") == {}


@pytest.mark.parametrize("fault", ["html", "login"])
@pytest.mark.parametrize("endpoint", ["catalog", "data"])
def test_a_login_page_is_no_data(server, tmp_path, endpoint, fault):
    server.faults[f"/hapi/{endpoint}"] = [fault] * 9
    with pytest.raises(InputError, match="login"):
        days(server, tmp_path / "d")
    assert contents(tmp_path / "d") == {}


def test_no_server_at_all(server, tmp_path):
    """A port where nobody listens is said to be out of reach, by all three clients."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match="no connection, attempt 4"):
            days(server, tmp_path, server=f"{url}/hapi")
        for kind in ("kp", "events"):
            with pytest.raises(InputError, match="no connection|time-out"):
                get(kind, server, tmp_path, server=url)


def test_wrong_station(server, tmp_path):
    """Not in the catalogue: similar codes are named. In it, yet unknown: the server's 1406 is told."""
    with pytest.raises(InputError, match="found 'KAX'; accepted: one of its 3 stations, such as KAK"):
        days(server, tmp_path, station="KAX")
    with pytest.raises(InputError, match="HTTP 404, attempt 1: HAPI error 1406: unknown dataset id"):
        days(server, tmp_path, station="ghost")
    with pytest.raises(InputError, match="kny/best-avail/PT1M/xyzf, kny/best-avail/PT1M/hdzf"):
        days(server, tmp_path, station="KNY", dataset="{station}/definitive/PT1S/xyzf")
    with pytest.raises(InputError, match="Field_Vector along X Y Z"):
        days(server, tmp_path, dataset="{station}/best-avail/PT1M/hdzf")
    server.info["parameters"][1]["units"] = ["nT", "nT", "arcmin"]
    with pytest.raises(InputError, match="nT throughout"):
        days(server, tmp_path)


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "tides"}, "geomag, events, kp, dst, ionex"), ({"start": "2011-03-09"}, "not after the last"),
    ({"start": "March"}, "a day such as"), ({"station": "../x"}, "the code of an observatory"),
    ({"station": None}, "the code of an observatory"), ({"server": "ftp://x"}, "http://"),
    ({"timeout_s": 0}, "seconds above 0"), ({"dataset": "{day}"}, "{station}"),
    ({"kind": "events", "box": (10, 5, 0, 1)}, "west below east"),
    ({"kind": "kp", "template": "{when}"}, "{date:%Y}"),
    ({"kind": "kp", "template": "../x"}, "below the data")])
def test_bad_arguments_are_refused_before_any_request(server, tmp_path, change, message):
    given = {"kind": "geomag", "start": "2011-03-01", "end": "2011-03-02", "station": "KAK",
             "server": server.url} | change
    with pytest.raises(InputError, match=message):
        fetch.fetch(folder=tmp_path / "d", **given)
    assert server.asked == []


def test_empty_interval(server, tmp_path):
    """Days without samples are skipped and said; a span without any is an error, and leaves nothing."""
    assert list(days(server, tmp_path / "d", 4, 5).values()) == ["fetched", "no data"]
    for first, last in ((5, 6), (15, 16)):          # inside and outside the server's own limits
        with pytest.raises(InputError, match=f"no data from 2011-03-{first:02d} to 2011-03-{last:02d}"):
            days(server, tmp_path / "e", first, last)
    with pytest.raises(InputError, match="no data from 2011-05-01 to 2011-05-31"):
        get("events", server, tmp_path / "e", "2011-05-01", "2011-05-31")
    with pytest.raises(InputError, match="--update takes the newest"):
        get("kp", server, tmp_path / "e", "2020-01-01", "2020-01-02")
    assert contents(tmp_path / "e") == {}


def test_events_are_monthly_quakeml(server, tmp_path):
    """Months and parts of them: the service's own bytes, which the reader reads; empty ones are said."""
    found = get("events", server, tmp_path, "2011-03-05", "2011-05-31", min_magnitude=7.2)
    assert found == {"earthquakes/events_2011-03-05_2011-03-31_7.2.xml": "fetched",
                     "earthquakes/events_2011-04-01_2011-04-30_7.2.xml": "no data",
                     "earthquakes/events_2011-05-01_2011-05-31_7.2.xml": "no data"}
    path = tmp_path / "earthquakes/events_2011-03-05_2011-03-31_7.2.xml"
    assert path.read_bytes() == quakeml(EVENTS[:2])
    table = catalog.read_quakeml(path)
    assert table.magnitude.tolist() == [7.3, 9.1]
    assert table.time.astype(str).tolist() == ["2011-03-09 02:45:20", "2011-03-11 05:46:24"]


def test_indices_and_maps_are_the_archives_own_files(server, tmp_path):
    """Kp, Dst and IONEX arrive byte for byte, below their places, and the readers read them."""
    get("kp", server, tmp_path)
    get("dst", server, tmp_path)
    get("ionex", server, tmp_path, "2011-03-10", "2011-03-11")
    places = {"SpaceData": "space_weather", "dst_final": "space_weather", "CODE": "ionosphere"}
    for address, body in server.files.items():
        place = places[address.split("/")[1]]
        assert (tmp_path / place / address.lstrip("/")).read_bytes() == body
    kp = space_weather.read_kp(tmp_path / "space_weather/SpaceData/SW-All.csv")
    assert kp.iloc[:3].tolist() == [1.0, 1.333, 1.667]
    dst = space_weather.read_dst(tmp_path / "space_weather/dst_final/201103/dst1103.for.request")
    assert (len(dst), dst["2011-03-11 05:00"]) == (31 * 24, -11.0)
    maps = ionex.read_ionex(tmp_path / "ionosphere/CODE/2011/CODG0700.11I.Z")
    assert float(maps["tec"].max()) == 11.0
    assert len(fetch.verify(tmp_path)) == 4


def test_a_file_of_the_wrong_day_is_refused(server, tmp_path):
    server.files["/CODE/2011/CODG0700.11I.Z"] = server.files["/CODE/2011/CODG0690.11I.Z"]
    with pytest.raises(InputError, match="values from 2011-03-11"):
        get("ionex", server, tmp_path, "2011-03-11", "2011-03-11")
    assert contents(tmp_path) == {}


def test_an_index_that_ends_too_early_is_not_kept_in_silence(server, tmp_path):
    """A kept file without the days now asked for says so; --update takes the archive's newer one."""
    get("kp", server, tmp_path)
    server.files["/SpaceData/SW-All.csv"] += b"2011-05-01,10,13,17,20,23,27,30,33,OBS\n"
    with pytest.raises(InputError, match="--update"):
        get("kp", server, tmp_path, "2011-05-01", "2011-05-01")
    assert set(get("kp", server, tmp_path, "2011-05-01", "2011-05-01", update=True).values()) == {"fetched"}
    assert fetch.verify(tmp_path)


def test_changed_bytes_are_named(server, tmp_path):
    """On disk or at the archive: file, both checksums and the remedy; --update accepts the archive's."""
    get("kp", server, tmp_path)
    name = "space_weather/SpaceData/SW-All.csv"
    path, good = tmp_path / name, (tmp_path / name).read_bytes()
    expected = json.loads((tmp_path / "checksums.json").read_text())[name]["sha256"][:16]
    path.write_bytes(good.replace(b"33", b"37"))
    for check in (lambda: get("kp", server, tmp_path), lambda: fetch.verify(tmp_path)):
        with pytest.raises(InputError, match=f"(?s){name}, checksum: .*{expected}.*--update") as caught:
            check()
        assert lockfile.describe(path, "", {})["sha256"][:16] in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        fetch.verify(tmp_path)
    server.files[f"/{name.removeprefix('space_weather/')}"] = good.replace(b"33", b"30")
    with pytest.raises(InputError, match=f"{name}, checksum"):
        get("kp", server, tmp_path)
    assert not path.exists()
    get("kp", server, tmp_path, update=True)
    assert fetch.verify(tmp_path) == [name] and b"33" not in path.read_bytes()


def test_another_source_does_not_pass_for_the_first(server, tmp_path):
    """The same name from another server is refused: a folder says of each file where it came from."""
    get("kp", server, tmp_path)
    with pytest.raises(InputError, match="source: .*other"):
        get("kp", server, tmp_path, server="http://127.0.0.1:9/other")


@pytest.mark.parametrize("lock", ["{", "[]", '{"a": {}}', '{"a": 1}',
                                  '{"../a": {"sha256": "", "size": 0, "source": "", "parameters": {}}}'])
def test_a_damaged_lock_is_refused(tmp_path, lock):
    (tmp_path / "checksums.json").write_text(lock)
    with pytest.raises(InputError, match="checksums.json"):
        fetch.verify(tmp_path)


def test_stopped_in_the_middle_and_continued(server, tmp_path):
    """Ctrl-C during the third day leaves two whole files; the same command ends with the same bytes."""
    def stop(seconds):
        raise KeyboardInterrupt

    days(server, tmp_path / "once", 1, 4)
    server.faults["start=2011-03-03"] = ["half"]
    with pytest.raises(KeyboardInterrupt):
        days(server, tmp_path / "d", 1, 4, sleep=stop)
    assert set(contents(tmp_path / "d")) == {NAME.format(1), NAME.format(2), "checksums.json"}
    assert len(fetch.verify(tmp_path / "d")) == 2
    assert list(days(server, tmp_path / "d", 1, 4).values()) == ["kept"] * 2 + ["fetched"] * 2
    assert contents(tmp_path / "d") == contents(tmp_path / "once")


def test_a_file_placed_but_not_locked_is_fetched_again(server, tmp_path):
    """Killed between the two steps: nothing is trusted that the lock does not name."""
    days(server, tmp_path, 1, 2)
    whole = contents(tmp_path)
    lock = json.loads((tmp_path / "checksums.json").read_text())
    del lock[NAME.format(2)]
    (tmp_path / "checksums.json").write_text(json.dumps(lock))
    assert list(days(server, tmp_path, 1, 2).values()) == ["kept", "fetched"]
    assert contents(tmp_path) == whole


def test_hapiclient_leaves_no_trace(server, tmp_path):
    """Its hook for exceptions and the process's time-out are as before, also after an error."""
    before = sys.excepthook, socket.getdefaulttimeout()
    days(server, tmp_path, 1, 1)
    with pytest.raises(InputError):
        days(server, tmp_path, station="ghost")
    assert (sys.excepthook, socket.getdefaulttimeout()) == before


def test_hapi_parameters_of_other_servers():
    """VirES names its vector B_NEC; single components serve too; others are named and refused."""
    def info(*names, units="nT"):
        return {"parameters": [{"name": "Time"}, *({"name": name, "units": units} for name in names)]}

    assert hapi.elements(info("B_NEC", "F", units=["nT"]), "SW:KAK", "s") == {"B_NEC": "XYZ", "F": "F"}
    assert hapi.elements(info("F", "H", "E", "Z"), "BOU", "s") == {"F": "F", "H": "H", "E": "E", "Z": "Z"}
    with pytest.raises(InputError, match="found 'Time, Dst'"):
        hapi.elements(info("Dst"), "x", "s")
    with pytest.raises(InputError, match="HAPI 1406: no"):
        hapi.elements({"status": {"code": 1406, "message": "no"}}, "x", "s")


def test_days_months_years():
    """A template decides how often it is asked; leap days and year ends included."""
    first, last = datetime.date(2019, 12, 31), datetime.date(2021, 1, 1)
    counts = [len(list(plan.days(first, last, pattern))) for pattern in ("%j", "%m", "%Y", "x")]
    assert counts == [368, 14, 3, 1]
    assert datetime.date(2020, 2, 29) in list(plan.days(first, last))
    assert plan.address("ionex", None, plan.LONG_NAMES)[0][10:] == "COD0OPSFIN_20223310000_01D_01H_GIM.INX.gz"
    assert plan.address("ionex", None, plan.LONG_NAMES - plan.DAY)[0] == "CODE/2022/CODG3300.22I.Z"


def test_a_full_disk_is_not_taken_for_the_network():
    """Only trouble that passes is tried again."""
    problem, again = answers.explain(OSError(28, "No space left on device"), "a", "b")
    assert not again and "No space left" in str(problem)
    assert answers.explain(ValueError("odd"), "a", "b")[1] is False


def test_from_a_shell(server, tmp_path, capsys):
    """One line a file; 1 and a sentence for an error; without days the folder is checked."""
    common = ["--server", f"{server.url}/hapi", "--out", str(tmp_path / "d")]
    asked = ["--station", "KAK", "--from", "2011-03-01", "--to", "2011-03-02", *common]
    assert main(asked) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME.format(day)}  fetched, 1440 samples of 60 s" for day in (1, 2)]
    assert main(["--out", str(tmp_path / "d")]) == 0
    assert capsys.readouterr().out.startswith("2 files are as")
    (tmp_path / "d" / NAME.format(2)).write_text("x")
    for wrong in (asked, common[2:], ["--kind", "tides", *asked], ["--from", "2011-03-01", *common]):
        assert main(wrong) == 1
        out, err = capsys.readouterr()
        assert err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.slow
def test_killed_and_continued(server, tmp_path):
    """SIGKILL while a day is on its way: whole files only, and a second run ends with the same bytes."""
    days(server, tmp_path / "once", 1, 4)
    server.faults["start=2011-03-03"] = ["slow"]
    command = [sys.executable, "-m", "lib.earth.fetch", "--station", "KAK", "--from", "2011-03-01", "--to",
               "2011-03-04", "--server", f"{server.url}/hapi", "--out", str(tmp_path / "d")]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    for _ in range(2):
        running.stdout.readline()
    while server.faults["start=2011-03-03"]:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    running.stdout.close()
    assert set(contents(tmp_path / "d")) == {NAME.format(1), NAME.format(2), "checksums.json"}
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    assert contents(tmp_path / "d") == contents(tmp_path / "once")


@pytest.mark.slow
def test_importing_touches_no_network():
    """A fresh interpreter imports the module without a socket, hapiclient, pooch or obspy."""
    code = ("import socket, sys\n"
            "def refuse(*a, **k): raise AssertionError('network')\n"
            "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
            "import lib.earth.fetch\n"
            "assert not {'hapiclient', 'pooch', 'obspy'} & set(sys.modules)\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
