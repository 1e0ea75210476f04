import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth import catalog as cat
from lib.files import InputError

COMCAT = """time,latitude,longitude,depth,mag,magType,id,place,type
2020-01-02T03:04:05.678Z,-1.5,100.25,35,5.4,mww,us2,"Java, Indonesia",earthquake
2020-01-01 03:04:05,2.5,181,,4.0,mb,us1,Sea,earthquake
2020-01-03T00:00:00+00:00,0,0,0,4.5,mb,us3,Test site,nuclear explosion
"""
BMKG = """No,event_id,datetime,Latitude,Longitude,Magnitude,Depth
1,35402,2018-01-01 00:52:31.890000,-0.3667,123.6873,5.1,126.76
2,bmg2025rabx,2025-08-30 23:03:54.588613,-6.15,131.36,4.96,82.0
"""
DAILY = ("\ufefftgl;ot;lat;lon;depth;mag;remark\r\n31/01/2021;23:24:25.033;0.30;126.62;58;3.1;Molucca Sea\r\n"
         "02/01/2021;01:00:00.000;-9.25;119.44;29;2.5;Sumba\r\n02/01/2021;01:00:00.000;-9.25;119.44;29;2.5;Sumba\r\n"
         ";;;;;;\r\n")
EVENT = """<event publicID="smi:local/event/{id}"><origin publicID="smi:o/{id}">
<time><value>{time}</value></time><latitude><value>-5.5</value></latitude>
<longitude><value>105.5</value></longitude><depth><value>12500</value></depth></origin>
<magnitude publicID="smi:m/{id}"><mag><value>6.1</value></mag><type>Mw</type></magnitude></event>"""


def write(folder, text, name="catalogue.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def quakeml(*events):
    return ('<?xml version="1.0"?><q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" '
            'xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"><eventParameters publicID="smi:local/c">'
            + "".join(events) + "</eventParameters></q:quakeml>")


def test_comcat(tmp_path):
    """ComCat rows come sorted in UTC with east longitudes folded; explosions are left out and counted."""
    for text in (COMCAT, gzip.compress(COMCAT.encode())):
        table = cat.read_comcat(write(tmp_path, text))
        assert list(table.columns) == cat.COLUMNS and table.event_id.tolist() == ["us1", "us2"]
        assert table.time.dtype == "datetime64[ns]"
        assert table.time[1] == pd.Timestamp("2020-01-02 03:04:05.678")
        assert table.longitude.tolist() == [-179.0, 100.25] and np.isnan(table.depth_km[0])
        assert table.magnitude_type.tolist() == ["mb", "mww"] and (table.cluster_id == table.event_id).all()
        assert table.attrs == {"dropped": 0, "repeated": 0, "not_earthquakes": 1}


def test_bmkg_with_ids(tmp_path):
    table = cat.read_bmkg(write(tmp_path, BMKG))
    assert table.event_id.tolist() == ["35402", "bmg2025rabx"] and table.depth_km.tolist() == [126.76, 82.0]


def test_bmkg_daily(tmp_path):
    """Day/month/year is read as such, ids come from the time, and a row written twice counts once."""
    table = cat.read_bmkg(write(tmp_path, DAILY))
    assert table.event_id.tolist() == ["bmkg-20210102T010000.000", "bmkg-20210131T232425.033"]
    assert table.time[1] == pd.Timestamp("2021-01-31 23:24:25.033") and table.attrs["repeated"] == 1


def test_quakeml(tmp_path):
    """QuakeML gives km and UTC, whatever offset its times have."""
    table = cat.read_quakeml(write(tmp_path, quakeml(EVENT.format(id="b", time="2020-01-02T07:00:00+07:00"),
                                                     EVENT.format(id="a", time="2020-01-01T00:00:00Z"))))
    assert table.event_id.tolist() == ["a", "b"] and table.time[1] == pd.Timestamp("2020-01-02")
    assert table.iloc[0, 2:7].tolist() == [-5.5, 105.5, 12.5, 6.1, "Mw"]


@pytest.mark.parametrize(("text", "message"), [
    (quakeml(EVENT.format(id="a", time="2020-01-01T00:00:00Z").replace("<mag><value>6.1</value></mag>", "")),
     "event 1, magnitude: found ''"),
    (quakeml(EVENT.format(id="a", time="2020-01-01T00:00:00Z"))[:-40], "well-formed QuakeML"),
    (quakeml(), "at least one event"),
    ("<html><body>404</body></html>", "well-formed QuakeML"),
])
def test_bad_quakeml(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        cat.read_catalog(write(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [COMCAT, BMKG, DAILY, quakeml(EVENT.format(id="a", time="2020-01-01"))])
def test_layout_is_recognised(tmp_path, text):
    """`read_catalog` gives what the layout's own reader gives."""
    own = {"t": cat.read_comcat, "N": cat.read_bmkg, "\ufeff": cat.read_bmkg, "<": cat.read_quakeml}[text[0]]
    path = write(tmp_path, text)
    pd.testing.assert_frame_equal(cat.read_catalog(path), own(path))


BAD_ROWS = [
    (COMCAT.replace(",5.4,", ",,"), "line 2, mag: found ''"),
    (COMCAT.replace(",5.4,", ",55,"), "line 2, mag: found '55'"),
    (COMCAT.replace("05.678Z", "05.678+07:00"), "line 2, time: found '2020-01-02T03:04:05.678+07:00'"),
    (COMCAT.replace("2020-01-02T", "2020-13-02T"), "line 2, time: found '2020-13-02T03:04:05.678Z'"),
    (COMCAT.replace("2020-01-02T03:04:05.678Z", ""), "line 2, time: found ''"),
    (COMCAT.replace("-1.5", "-91.5"), "line 2, latitude: found '-91.5'"),
    (COMCAT.replace("100.25", "400"), "line 2, longitude: found '400'"),
    (COMCAT.replace("35,5.4", "1e9,5.4"), "line 2, depth: found '1e9'"),
    (COMCAT.replace("us1", "us2"), "line 3, id: found 'us2'"),
    (COMCAT.replace("us1", ""), "line 3, id: found ''"),
    (DAILY.replace("25.033;", "25.033 WIB;"), "line 2, tgl ot: found '31/01/2021 23:24:25.033 WIB'"),
    (DAILY.replace("31/01/2021", "01/31/2021"), "line 2, tgl ot: found '01/31/2021 23:24:25.033'"),
    (DAILY.replace("29;2.5;Sumba", "30;2.5;Sumba", 1), "line 4, event_id: found 'bmkg-20210102"),
    (BMKG.replace("-0.3667", '"-0,3667"'), "line 2, latitude: found '-0,3667'"),
]


@pytest.mark.parametrize(("text", "message"), BAD_ROWS)
def test_bad_rows(tmp_path, text, message):
    """A row that cannot be used is one error with line, field, value, remedy, or is dropped and counted."""
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        cat.read_catalog(path)
    assert message in str(caught.value) and 'on_error="drop"' in str(caught.value)
    table = cat.read_catalog(path, on_error="drop")
    assert table.attrs["dropped"] == 1 and len(table) == (2 if "event_id" in message else 1)


def test_no_usable_row(tmp_path):
    """A file of local times only is refused even where bad rows may be dropped."""
    text = BMKG.replace(".890000", "+07:00").replace(".588613", "+07:00")
    with pytest.raises(InputError, match="line 2, datetime.*convert local times"):
        cat.read_catalog(write(tmp_path, text), on_error="drop")


@pytest.mark.parametrize(("text", "message"), [
    (COMCAT.replace("time,", "time (WIB),"), "found 'time (wib)'; accepted: times in UTC"),
    (COMCAT.replace(",mag,", ",size,"), "the columns time latitude longitude depth mag id (comcat) or"),
    (COMCAT.replace("us1,Sea,earthquake", "us1"), "line 3: found"),
    (COMCAT[:COMCAT.index("\n") + 1], "at least one row"),
    (COMCAT.encode("utf-16"), "UTF-8"),
    (b"\x93NUMPY\x01\x00", "UTF-8"),
    (b"CDF\x00\x00", "text, not a binary file"),
    (gzip.compress(COMCAT.encode(), mtime=0)[:60], "a whole file; fetch it again"),
    (b"", "empty"),
])
def test_bad_files(tmp_path, text, message):
    """Local time in the header, missing columns, cut, binary and empty files are always refused."""
    for on_error in ("raise", "drop"):
        with pytest.raises(InputError) as caught:
            cat.read_catalog(write(tmp_path, text), on_error)
        assert message in str(caught.value)


def test_unknown_on_error(tmp_path):
    with pytest.raises(InputError, match="on_error"):
        cat.read_catalog(write(tmp_path, COMCAT), "ignore")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([COMCAT, BMKG, DAILY]), st.one_of(st.text(max_size=30), st.binary(max_size=30)),
       st.integers(0, 400), st.integers(0, 60), st.sampled_from(["raise", "drop"]))
def test_parse_or_input_error(tmp_path, text, junk, place, cut, on_error):
    """Whatever replaces any stretch of a catalogue, the result obeys the schema or is an InputError."""
    junk = junk.encode("utf-8", "surrogatepass") if isinstance(junk, str) else junk
    raw = text.encode()
    try:
        table = cat.read_catalog(write(tmp_path, raw[:place] + junk + raw[place + cut:]), on_error)
    except InputError:
        return
    assert list(table.columns) == cat.COLUMNS and table.event_id.is_unique and (table.event_id != "").all()
    assert table.time.is_monotonic_increasing and table.time.notna().all()
    assert table.latitude.between(-90, 90).all() and table.longitude.between(-180, 180).all()
    assert table.magnitude.between(-3, 10).all()


def events(*rows):
    """Build a catalogue from (day, latitude, longitude, magnitude) rows."""
    day, latitude, longitude, magnitude = np.array(rows, float).T
    ids = [f"e{i}" for i in range(len(rows))]
    return pd.DataFrame({"event_id": ids, "time": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, "D"),
                         "latitude": latitude, "longitude": longitude, "depth_km": 10.0,
                         "magnitude": magnitude, "magnitude_type": "", "source": "test",
                         "cluster_id": ids}, columns=cat.COLUMNS)


def test_select():
    """Limits are inclusive but for the end; a box may cross the date line; no depth passes no depth limit."""
    table = events((0, 0, 179, 5), (1, 1, -179, 6), (2, 2, 0, 4)).assign(depth_km=[10, np.nan, 60])

    def chosen(**limits):
        return cat.select(table, **limits).event_id.tolist()

    assert chosen(min_magnitude=5) == ["e0", "e1"] and chosen(max_depth_km=60) == ["e0", "e2"]
    assert chosen(start="2020-01-02", end="2020-01-03") == ["e1"]
    assert chosen(start="2020-01-02T07:00+07:00") == ["e1", "e2"]
    assert chosen(box=(170, -170, -5, 5)) == ["e0", "e1"] and chosen(box=(-10, 10, 2, 2)) == ["e2"]
    assert chosen() == ["e0", "e1", "e2"] and chosen(min_magnitude=9) == []


@pytest.mark.parametrize("limits", [
    {"start": "soon"}, {"start": "2020-02-01", "end": "2020-01-01"}, {"box": (1, 2)}, {"box": (0, 1, 5, -5)},
    {"min_magnitude": float("nan")}, {"max_depth_km": "x"}])
def test_select_refuses(limits):
    with pytest.raises(InputError):
        cat.select(events((0, 0, 0, 5)), **limits)


def test_gardner_knopoff_window_golden():
    """Windows of validity.md A13: M 6 and M 7."""
    km, days = cat.gardner_knopoff_window([6.0, 7.0])
    assert km.round(2).tolist() == [53.19, 70.73] and days.round(1).tolist() == [499.3, 918.1]


def test_gardner_knopoff_edges():
    """Around an M 6, events inside 53.19 km and 499.3 days join it; others, and an M 6 far away, do not."""
    degree = 180 / np.pi / 6371      # of one km
    table = events((1000, 0, 100, 6), (1499.2, 53 * degree, 100, 4), (1499.4, 0, 100, 4),
                   (1010, 53.4 * degree, 100, 4), (501, 0, 100, 4), (500.5, 0, 100, 4), (1000, 10, 100, 6))
    both = cat.gardner_knopoff(table.sample(frac=1, random_state=1)).sort_index()
    assert both.cluster_id.tolist() == ["e0", "e0", "e2", "e3", "e0", "e5", "e6"]
    after = cat.gardner_knopoff(table, foreshock_share=0.0)
    assert after.cluster_id.tolist() == ["e0", "e0", "e2", "e3", "e5", "e5", "e6"]


def test_gardner_knopoff_against_brute_force():
    """The vectorised clusters equal a double loop over 150 random events."""
    rng = np.random.default_rng(2)
    n = 150
    table = events(*zip(rng.uniform(0, 900, n), rng.uniform(-1, 1, n), rng.uniform(100, 102, n),
                        rng.uniform(4, 7, n).round(1), strict=True)).sort_values("time", ignore_index=True)
    xyz = np.radians(table[["latitude", "longitude"]].to_numpy())
    cluster = [None] * n
    for i in sorted(range(n), key=lambda k: (-table.magnitude[k], k)):
        if cluster[i] is None:
            km, days = cat.gardner_knopoff_window(table.magnitude[i])
            for j in range(n):
                a, b = xyz[i], xyz[j]
                h = np.sin((b[0] - a[0]) / 2)**2 + np.cos(a[0]) * np.cos(b[0]) * np.sin((b[1] - a[1]) / 2)**2
                close = 2 * 6371 * np.arcsin(np.sqrt(h)) <= km
                gap_days = abs(table.time[j] - table.time[i]) / pd.Timedelta(1, "D")
                if cluster[j] is None and close and gap_days <= days:
                    cluster[j] = table.event_id[i]
    assert cat.gardner_knopoff(table).cluster_id.tolist() == cluster
    assert 5 < len(set(cluster)) < n / 2


def test_gardner_knopoff_refuses():
    with pytest.raises(InputError, match="row 1"):
        cat.gardner_knopoff(events((0, 0, 0, 5), (1, 0, 0, np.nan)))
    with pytest.raises(InputError, match="foreshock_share"):
        cat.gardner_knopoff(events((0, 0, 0, 5)), 2.0)
    assert len(cat.gardner_knopoff(events((0, 0, 0, 5))[:0])) == 0


def test_magnitude_class():
    """Half-open classes of study S1, Normal for a quiet window."""
    names = cat.magnitude_class([np.nan, 3.9, 4, 4.96, 5, 5.99, 6, 9])
    assert names.tolist() == ["Normal"] * 2 + ["Moderate"] * 2 + ["Medium"] * 2 + ["Large"] * 2
    with pytest.raises(InputError):
        cat.magnitude_class(np.inf)


def test_azimuth_class():
    """Sectors of 45 degrees are centred on the eight winds and hold their lower edge."""
    winds = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]
    assert cat.azimuth_class(np.arange(8) * 45.0).tolist() == winds
    assert cat.azimuth_class(np.arange(8) * 45.0 - 22.5).tolist() == winds
    assert cat.azimuth_class(np.arange(8) * 45.0 + 22.499).tolist() == winds
    assert cat.azimuth_class([np.nan, 360, 359.9999999999999, -1e-14]).tolist() == ["Normal", "N", "N", "N"]
    with pytest.raises(InputError):
        cat.azimuth_class([-np.inf])


def test_b_value_golden():
    """T-C7a: b 0.96510, Aki 0.3052, Shi and Bolt 0.3319; events below completeness do not count."""
    sample = [4.6, 4.7, 5, 4.5, 4.9, 5.3, 4.6, 4.5, 6.1, 4.8]
    result = cat.b_value([*sample, 4.4, 2.0], 4.5, 0.1)
    assert [round(value, places) for value, places in zip(result, (5, 4, 4, 0), strict=True)] == [
        0.96510, 0.3052, 0.3319, 10]


def test_b_value_recovers_one():
    """Rounded exponential magnitudes of b = 1 give b = 1 within three Shi-Bolt errors."""
    m = 4.45 + np.random.default_rng(3).exponential(1 / np.log(10), 5000)
    result = cat.b_value(m.round(1), 4.5, 0.1)
    assert abs(result.b - 1) < 3 * result.shi_bolt_se < 0.06
    assert abs(result.aki_se - result.shi_bolt_se) < 0.002


@pytest.mark.parametrize("m", [[], [5.0], [4.0, 4.1], [4.5, 4.5, np.inf]])
def test_b_value_refuses(m):
    with pytest.raises(InputError, match="b_value"):
        cat.b_value(m, 4.5)


@pytest.mark.real
@pytest.mark.parametrize(("name", "count", "repeated"), [
    ("bmkg/earthquake_catalog_2018_2025_merged.csv.gz", 15781, 0),
    ("bmkg/katalog_gempa_2021-2022-10.csv.gz", 18505, 723),
    ("usgs_indonesia/EQ_2016-2020.csv.gz", 12402, 0),
    ("usgs_sumatra_2000-2024.csv.gz", 9660, 0),
    ("usgs_global_M4_2011.csv.gz", 15828, 0),
    ("usgs_japan_M4.5_before_2023-01-01.csv.gz", 11145, 0),
])
def test_real_catalogues(data, name, count, repeated):
    """Real files read whole, without a dropped row."""
    table = cat.read_catalog(data / "earthquakes" / name)
    assert len(table) == count and table.attrs == {"dropped": 0, "repeated": repeated, "not_earthquakes": 0}
    assert table.event_id.is_unique and table.time.is_monotonic_increasing


@pytest.mark.real
@pytest.mark.parametrize(("name", "start", "end", "share"), [
    ("earthquake_catalog_2018_2025_merged.csv.gz", "2018-01-01", "2021-07-01", 0.9),
    ("katalog_gempa_2021-2022-10.csv.gz", "2021-01-01", "2022-11-01", 0.95)])
def test_real_bmkg_times_are_utc(data, name, start, end, share):
    """USGS events of M >= 5 off Sumatra are in BMKG's files at the same minute, not 7 hours later (WIB)."""
    bmkg = cat.read_bmkg(data / "earthquakes" / "bmkg" / name)
    usgs = cat.read_comcat(data / "earthquakes" / "usgs_sumatra_2000-2024.csv.gz")
    usgs = cat.select(usgs, min_magnitude=5.0, start=start, end=end)

    def found(hours):
        pairs = pd.merge_asof(usgs.assign(time=usgs.time + pd.Timedelta(hours, "h")), bmkg, on="time",
                              direction="nearest", tolerance=pd.Timedelta(60, "s"))
        return ((pairs.latitude_x - pairs.latitude_y).abs() < 1.5).mean()

    assert len(usgs) > 50 and found(0) > share and found(7) < 0.1
