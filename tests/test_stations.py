import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth import stations
from lib.files import InputError

COLUMNS = ["code", "latitude", "longitude", "h_nt", "z_nt", "dip_latitude_deg"]
GOOD = "code,latitude,longitude\nAAA,-1.5,100\nBBB,2.5,359.5\n"


def write(folder, text, name="stations.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_indonesian_stations():
    """The table holds the 24 stations of validity.md B12."""
    table = stations.indonesian_stations()
    assert list(table.columns) == COLUMNS and len(table) == 24 and table.code.is_unique
    alr = table.set_index("code").loc["ALR"]
    assert alr.tolist() == [-8.1442, 124.59, 37463, -23330, -17.3]


def test_main_field_is_igrf():
    """The main field of the table is IGRF-14 at 2021.5 within 1 nT and 0.05 degrees of dip latitude."""
    table = stations.indonesian_stations()
    field = stations._main_field(table.latitude.to_numpy(), table.longitude.to_numpy())
    assert np.abs(field[:, :2] - table[["h_nt", "z_nt"]]).max(axis=None) < 1.0
    assert np.abs(field[:, 2] - table.dip_latitude_deg).max() < 0.051


def test_bmkg_layout(tmp_path):
    """BMKG's list (BOM, question mark, semicolons, no-break space, empty last row) reads like a plain one."""
    text = ("\ufeff?Kode Stasiun;Latitude;Longitude\r\nscn;-0.545875\xa0;100.298\r\n"
            "ALR;-8.14423;\xa0124.59\r\n;;")
    for raw in (text.encode(), gzip.compress(text.encode())):
        table = stations.read_stations(write(tmp_path, raw))
        assert table.code.tolist() == ["SCN", "ALR"]
        assert table.longitude.tolist() == [100.298, 124.59]
        assert table.h_nt.round(-1).tolist() == [40610, 37460]      # computed: the file has none


def test_east_longitude_is_folded(tmp_path):
    """An observatory's 359.5 degrees east is -0.5."""
    assert stations.read_stations(write(tmp_path, GOOD)).longitude.tolist() == [100, -0.5]


@pytest.mark.parametrize(("text", "message"), [
    (GOOD.replace("2.5,", "95,"), "line 3, latitude: found '95'"),
    (GOOD.replace("100", "400"), "line 2, longitude: found '400'"),
    (GOOD.replace("-1.5", '"-1,5"'), "line 2, latitude: found '-1,5'"),
    (GOOD.replace("BBB", "aaa"), "line 3, code: found 'AAA'; accepted: each station code once"),
    (GOOD.replace("BBB", ""), "line 3, code: found ''"),
    (GOOD.replace("latitude", "y"), "a header with latitude"),
    (GOOD.replace(",359.5", ""), "line 3: found 'BBB,2.5'"),
    (GOOD.replace("AAA", '"AAA'), "a well-formed CSV row"),
    ("code,latitude,longitude\n", "at least one row"),
    (" \n", "a file with content"),
    ("", "the file is empty"),
    (b"\x00\x01\x02", "not a binary file"),
    (b"\x89PNG\xff", "UTF-8"),
    (gzip.compress(GOOD.encode(), mtime=0)[:-12], "a whole file; fetch it again"),
])
def test_bad_lists(tmp_path, text, message):
    """Each bad list ends in one error that names the place, the value and what is accepted."""
    with pytest.raises(InputError) as caught:
        stations.read_stations(write(tmp_path, text))
    assert message in str(caught.value) and "stations.csv" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="a file that can be read"):
        stations.read_stations(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)), st.integers(0, len(GOOD)))
def test_parse_or_input_error(tmp_path, junk, place):
    """Any bytes inserted anywhere give a table within limits or an InputError."""
    junk = junk.encode("utf-8", "surrogatepass") if isinstance(junk, str) else junk
    path = write(tmp_path, GOOD[:place].encode() + junk + GOOD[place:].encode())
    try:
        table = stations.read_stations(path)
    except InputError:
        return
    assert list(table.columns[:3]) == COLUMNS[:3] and table.code.is_unique
    assert table.latitude.abs().max() <= 90 and table.longitude.abs().max() <= 180


def test_distance_golden():
    """SCN to (1 S, 99 E): 250.71 degrees and 152.90 km; validity.md B12's 152.80 km needs R = 6367 km."""
    distance, azimuth = stations.distance_azimuth(-0.5459, 100.298, -1.0, 99.0, sphere=True)
    assert (round(float(distance), 2), round(float(azimuth), 2)) == (152.90, 250.71)
    assert round(float(distance) * 6367 / 6371, 2) == 152.80


def test_distance_against_spherical_trigonometry():
    """Distances on the sphere equal the haversine formula, and bearings the four-part formula."""
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(-80, 80, (2, 50)), rng.uniform(-180, 180, (2, 50))
    distance, azimuth = stations.distance_azimuth(lat[0], lon[0], lat[1], lon[1], sphere=True)
    (a, b), d = np.radians(lat), np.radians(lon[1] - lon[0])
    h = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(d / 2) ** 2
    np.testing.assert_allclose(distance, 2 * 6371 * np.arcsin(np.sqrt(h)), rtol=1e-9)
    bearing = np.arctan2(np.sin(d) * np.cos(b), np.cos(a) * np.sin(b) - np.sin(a) * np.cos(b) * np.cos(d))
    np.testing.assert_allclose(azimuth, np.degrees(bearing) % 360, atol=1e-7)


def test_distance_broadcasts_and_refuses():
    """One station against many epicentres; a coincident point has no bearing; bad latitudes are refused."""
    distance, azimuth = stations.distance_azimuth(0, 100, [0, 1, 0], [100, 100, 101])
    assert distance[0] == 0 and np.isnan(azimuth[0]) and azimuth[1:].tolist() == [0, 90]
    assert abs(distance[2] - 111.3195) < 1e-3      # one degree of the WGS84 equator
    with pytest.raises(InputError, match="latitude_2"):
        stations.distance_azimuth(0, 100, [0, np.nan], 100)


def test_detectability_golden():
    """Radii of validity.md B8."""
    radii = {name: law([4, 5, 6, 6.4, 7]) for name, law in stations.DETECTABILITY.items()}
    assert radii["dobrovolsky"].round().tolist() == [52, 141, 380, 565, 1023]
    np.testing.assert_allclose(radii["hattori"], [0, 20, 60, 76, 100])
    np.testing.assert_allclose(radii["molchanov_hayakawa"], [100, 150, 200, np.nan, np.nan])
    assert radii["fixed"].tolist() == [500] * 5
    assert stations.dobrovolsky_km(5.9).round() == 344


def test_skin_depth_and_moment_golden():
    """Skin depth at 100 ohm m and the required moments of validity.md B8."""
    assert stations.skin_depth_km(100, [0.01, 0.03, 0.05]).round(1).tolist() == [50.3, 29.1, 22.5]
    np.testing.assert_allclose(stations.required_moment_am([1, 0.1], [50, 100]), [2.5e7, 1.0e7])


@pytest.mark.real
def test_real_station_list(data):
    """BMKG's file holds the table's stations, at the same places to 1e-4 degrees."""
    real = stations.read_stations(data / "stations" / "bmkg_lokasi_stasiun.csv").set_index("code")
    table = stations.indonesian_stations().set_index("code")
    assert set(real.index) == set(table.index)
    difference = (real - table)[["latitude", "longitude"]].abs()
    assert difference.max(axis=None) < 6e-4
