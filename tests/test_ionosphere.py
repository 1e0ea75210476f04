import gzip

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.earth.ionex import read_ionex
from lib.earth.ionex_writer import write_ionex
from lib.earth.ionosphere import interpolate, local_time_hours, read_ionosonde, read_vtec_csv, station_series
from lib.files import InputError

FAST = settings(max_examples=40, deadline=None)
DAY = np.datetime64("2020-01-08", "ns")
HOUR = np.timedelta64(3600, "s")
LAT, LON = np.arange(-87.5, 90, 2.5), np.arange(-180.0, 181, 5)


def make(values, hours=(0,), lat=LAT, lon=LON, **attrs):
    """Build maps from an array (time, latitude, longitude) or a function of (hour, latitude, longitude)."""
    if callable(values):
        axes = np.meshgrid(hours, lat, lon, indexing="ij")
        values = values(*axes)
    return xr.Dataset({"tec": (("time", "latitude", "longitude"), np.asarray(values, float))},
                      {"time": DAY + np.asarray(hours) * HOUR, "latitude": lat, "longitude": lon},
                      {"source": "by hand", **attrs})


def wave(h, a, b):
    """TEC that stands still under the sun: a function of latitude and local time only."""
    return 20 + 0.1 * a + 10 * np.cos(np.deg2rad(15 * h + b))


BOX = make([[[20, 22], [18, 19]]], lat=[35.0, 37.5], lon=[140.0, 145.0])


def test_worked_example_in_space():
    """36.5 N 142 E between 20, 22 (35 N) and 18, 19 (37.5 N) is 19.36 TECU (validity.md B11)."""
    assert interpolate(BOX, DAY, 36.5, 142.0) == pytest.approx(19.36, abs=1e-12)
    flipped = BOX.isel(latitude=slice(None, None, -1), longitude=slice(None, None, -1))
    assert interpolate(flipped, DAY, 36.5, 142.0 - 360) == pytest.approx(19.36, abs=1e-12)


def test_worked_example_in_time():
    """Half an hour between hourly maps: 142 E is 149.5 E of the first and 134.5 E of the second (B11)."""
    maps = make(lambda h, a, b: b + 1000 * h, hours=(0, 1), lon=np.arange(0.0, 181, 5), lat=[35.0, 37.5])
    half = DAY + HOUR // 2
    assert interpolate(maps, half, 36.5, 142.0) == pytest.approx((149.5 + 134.5 + 1000) / 2)
    assert interpolate(maps.assign(tec=maps["tec"].where(maps["time"] == DAY, 0.0)), half, 36.5,
                       142.0) == pytest.approx(149.5 / 2)
    assert interpolate(maps, half, 36.5, 142.0, rotate=False) == pytest.approx(142 + 500)


def test_local_time_of_the_study():
    """LT = UT + 9.467 h at 142 E (validity.md B11), modulo 24."""
    assert local_time_hours(DAY, 142.0) == pytest.approx(9.4667, abs=1e-4)
    assert local_time_hours(DAY + 23 * HOUR, [142.0, -15.0]) == pytest.approx([8.4667, 22.0], abs=1e-4)


@pytest.mark.parametrize("hours", [(0, 2, 4), (1, 3, 5)])
def test_rotation_keeps_what_stands_under_the_sun(hours):
    """Maps two hours apart give local noon's TEC in between; unrotated maps are off by far more."""
    maps = make(wave, hours)
    t = DAY + hours[0] * HOUR + np.arange(0, 241, 20) * np.timedelta64(60, "s")
    h = (t - DAY) / HOUR
    for lon in (-180.0, -92.5, 0.0, 142.0, 177.5):
        exact = wave(h, 36.25, lon)
        turned = interpolate(maps, t, 36.25, lon)
        fixed = interpolate(maps, t, 36.25, lon, rotate=False)
        assert np.abs(turned - exact).max() < 0.011 < 0.1 < np.abs(fixed - exact).max() < 0.4


def test_node_values_are_kept_and_longitudes_wrap():
    """At a node the value is that node's; 180, -180 and 540 are one place; 177.5 lies between the ends."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 50, (2, 71, 73))
    values[..., -1] = values[..., 0]
    maps = make(values, (0, 2))
    got = interpolate(maps, maps["time"].values[:, None, None], LAT[:, None], LON)
    assert np.array_equal(got, values)
    for lon in (-180.0, 180.0, 540.0):
        assert interpolate(maps, DAY, 10.0, lon) == values[0, 39, 0]
    open_ended = maps.isel(longitude=slice(0, -1))       # -180 ... 175, as some centres write
    lon = np.linspace(-180, 180, 41)
    np.testing.assert_allclose(interpolate(open_ended, DAY + HOUR, 36.5, lon),
                               interpolate(maps, DAY + HOUR, 36.5, lon), rtol=1e-12)
    from_zero = open_ended.assign_coords(longitude=open_ended["longitude"] % 360).sortby("longitude")
    np.testing.assert_allclose(interpolate(from_zero, DAY + HOUR, 36.5, lon),
                               interpolate(maps, DAY + HOUR, 36.5, lon), rtol=1e-12)


def test_pole_is_the_mean_of_the_last_latitude():
    """Any longitude gives one value at the pole; halfway to 87.5 it is half of each."""
    maps = make(wave)
    ring = np.mean([wave(0, 87.5, b) for b in LON[:-1]])
    assert np.allclose(interpolate(maps, DAY, 90.0, [-180, 0, 77]), ring)
    assert interpolate(maps, DAY, -88.75, 0.0) == pytest.approx(
        (wave(0, -87.5, 0) + np.mean([wave(0, -87.5, b) for b in LON[:-1]])) / 2)
    assert interpolate(maps.sel(latitude=[85.0, 87.5]), DAY, 89.0, 5.0) == interpolate(maps, DAY, 89.0, 5.0)


@FAST
@given(st.floats(-90, 90), st.floats(-180, 179.99), st.floats(0, 4))
def test_agrees_with_a_plain_loop(lat, lon, hour):
    """Against bilinear weights and the formula of B11 written out once more, with numbers of a real grid."""
    maps = TEST_MAPS
    table, hours = maps["tec"].values, (0, 2, 4)

    def at(k, a, b):
        b = (b + 180) % 360 - 180
        j = min(int((b + 180) // 5), 71)
        x = (b + 180) / 5 - j
        rows = [table[k, :, j] * (1 - x) + table[k, :, j + 1] * x][0]
        if abs(a) > 87.5:
            i = 0 if a < 0 else 70
            y = (abs(a) - 87.5) / 2.5
            return rows[i] * (1 - y) + table[k, i, :-1].mean() * y
        i = min(int((a + 87.5) // 2.5), 69)
        y = (a + 87.5) / 2.5 - i
        return rows[i] * (1 - y) + rows[i + 1] * y

    t = np.timedelta64(round(hour * 3600), "s")
    hour = t / HOUR
    k = min(int(hour // 2), 1)
    expected = ((hours[k + 1] - hour) * at(k, lat, lon + 15 * (hour - hours[k]))
                + (hour - hours[k]) * at(k + 1, lat, lon + 15 * (hour - hours[k + 1]))) / 2
    assert interpolate(maps, DAY + t, lat, lon) == pytest.approx(expected, rel=1e-9, abs=1e-9)


TEST_MAPS = make(lambda h, a, b: wave(h, a, b) + 3 * np.sin(np.deg2rad(3 * b)) * np.cos(np.deg2rad(a)),
                 (0, 2, 4))


def test_missing_nodes_matter_where_they_carry_weight():
    """NaN spreads to the cells that touch it, and not to other nodes, maps or cells."""
    maps = make(wave, (0, 2))
    maps["tec"][0, 40, 30] = np.nan        # 12.5 N 30 W, first map
    lat, lon = LAT[40], LON[30]
    assert np.isnan(interpolate(maps, DAY, [lat, lat - 1, lat], [lon, lon + 1, lon - 4.9])).all()
    assert np.isfinite(interpolate(maps, DAY, [lat, lat + 2.5, lat - 2.5], [lon + 5, lon, lon - 1])).all()
    assert np.isfinite(interpolate(maps, DAY + 2 * HOUR, lat, lon))
    assert np.isnan(interpolate(maps, DAY + HOUR, lat, lon - 15))        # the first map has turned by then
    assert np.isfinite(interpolate(maps, DAY + HOUR, lat, lon))


@pytest.mark.parametrize("time, lat, lon, hint", [
    (DAY - np.timedelta64(1, "s"), 36.0, 142.0, "time"), (DAY + HOUR, 36.0, 142.0, "time"),
    (np.datetime64("NaT"), 36.0, 142.0, "time"), ("yesterday", 36.0, 142.0, "time"),
    (DAY, 38.0, 142.0, "latitude"), (DAY, np.nan, 142.0, "latitude"), (DAY, 36.0, 146.0, "longitude"),
    (DAY, 36.0, 139.0, "longitude"), (DAY, 36.0, np.inf, "longitude")])
def test_nothing_is_extrapolated(time, lat, lon, hint):
    with pytest.raises(InputError, match=f"^by hand, {hint}"):
        interpolate(BOX, time, lat, lon)


def test_a_turned_regional_map_is_not_extrapolated_either():
    """Between maps of a region, places near its edge turn out of it; without rotation they stay."""
    maps = make(lambda h, a, b: b, (0, 1), lat=[35.0, 37.5], lon=[130.0, 135.0, 140.0, 145.0])
    assert interpolate(maps, DAY + HOUR // 2, 36.0, 137.5) == pytest.approx(137.5)
    with pytest.raises(InputError, match="longitude, turned"):
        interpolate(maps, DAY + HOUR // 2, 36.0, 142.0)
    assert interpolate(maps, DAY + HOUR // 2, 36.0, 142.0, rotate=False) == pytest.approx(142.0)


def test_gaps_are_not_bridged():
    """Between maps further apart than max_gap_h there is NaN, at their epochs there is TEC."""
    maps = make(wave, (0, 2, 10))
    got = interpolate(maps, DAY + np.arange(0, 11) * HOUR, 0.0, 0.0)
    assert np.array_equal(np.isnan(got), [k in range(3, 10) for k in range(11)])
    assert np.isfinite(interpolate(maps, DAY + 5 * HOUR, 0.0, 0.0, max_gap_h=8))


def test_maps_without_order_or_values_are_refused():
    for bad in (BOX.isel(time=[]), BOX.isel(time=[0, 0]), BOX.isel(latitude=[0, 0]), BOX.drop_vars("tec"),
                BOX.isel(longitude=0)):
        with pytest.raises(InputError, match="by hand, maps"):
            interpolate(bad, DAY, 36.0, 142.0)


def days(jump=0.0, step=2):
    """Two days of maps, both with the midnight between them; the second lies `jump` higher."""
    one, two = np.arange(0, 25, step), np.arange(24, 49, step)
    return [make(wave, one, source="one"), make(lambda h, a, b: wave(h, a, b) + jump, two, source="two")]


def test_series_of_two_days_is_hourly_and_whole():
    """Forty-nine hours, midnight once, in any order of files, close to the truth."""
    series = station_series(days()[::-1], 36.25, 142.0)
    assert series.dims == ("time",) and series.sizes["time"] == 49 and series.attrs["midnights"] == 1
    assert np.array_equal(series["time"].values, DAY + np.arange(49) * HOUR)
    np.testing.assert_allclose(series, [wave(h, 36.25, 142.0) for h in range(49)], atol=0.011)
    assert series.attrs["midnight_difference_tecu"] == 0 and series.attrs["units"] == "TECU"
    half = station_series(days(), 36.25, 142.0, step="30min")
    assert half.sizes["time"] == 97 and np.array_equal(half[::2], series)


def test_midnights_are_compared():
    """Two maps of one midnight: their mean up to a limit, which is reported; beyond it no series."""
    series = station_series(days(2.0), 36.25, 142.0)
    assert series.attrs["midnight_difference_tecu"] == pytest.approx(2.0)
    assert series.values[24] == pytest.approx(station_series(days(), 36.25, 142.0).values[24] + 1.0)
    with pytest.raises(InputError, match="2020-01-09T00:00:00.*2.0 TECU apart"):
        station_series(days(2.0), 36.25, 142.0, midnight_tecu=1.0)


def test_missing_day_stays_missing():
    """A day without a file is NaN between the others, not a line through it."""
    one, two = days()
    later = two.assign_coords(time=two["time"] + 24 * HOUR)
    series = station_series([one, later], 36.25, 142.0)
    assert series.sizes["time"] == 73 and np.isnan(series.values[25:48]).all()
    assert np.isfinite(series.values[:25]).all() and np.isfinite(series.values[48:]).all()


def test_series_from_files_equals_series_from_maps(tmp_path):
    paths = [write_ionex(maps, tmp_path / f"{k}.inx") for k, maps in enumerate(days())]
    maps = [read_ionex(path) for path in paths]
    assert station_series(paths, -89.0, 170.0).equals(station_series(maps, -89.0, 170.0))
    one = station_series(paths[0], 0.0, 0.0)
    assert one.sizes["time"] == 25 and one.attrs["sources"] == [str(paths[0])]


def test_series_equals_interpolation_of_the_whole_maps():
    """Only two latitudes are kept of every file: nothing changes by that."""
    one = TEST_MAPS
    times = DAY + np.arange(5) * HOUR
    for lat in (-90.0, -88.0, -87.5, 0.0, 36.5, 87.5, 89.9):
        assert np.array_equal(station_series(one, lat, 142.0), interpolate(one, times, lat, 142.0))


def test_series_without_sources_or_with_odd_ones_is_refused():
    with pytest.raises(InputError, match="at least one"):
        station_series([], 0.0, 0.0)
    with pytest.raises(InputError, match="step"):
        station_series(days(), 0.0, 0.0, step="soon")
    with pytest.raises(InputError, match="two, grid"):
        station_series([days()[0], days()[1].isel(longitude=slice(0, -1))], 0.0, 0.0)
    with pytest.raises(InputError, match="latitude"):
        station_series(days(), 91.0, 0.0)


VTEC = ("Date-time,Day of year,Hour of day,F10.7 index (sfu),Solar wind speed (km/s),Bz index (nT),"
        "Dst index (nT),VTEC 10E 40N (TECU)\n2016-12-31 23:00:00,366,23,70.1,552,-2.5,-13,7.6\n"
        "2017-01-01 00:00:00,1,0,70.1,,-3.5,-14,7.2\n2017-01-01 02:00:00,1,2,70.1,552,-3.0,-16,6.8\n")


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_vtec_table_is_read(tmp_path):
    """Values, place and units of the header; an empty cell and a missing hour are NaN."""
    table = read_vtec_csv(write(tmp_path / "v.csv.gz", VTEC))
    np.testing.assert_array_equal(table["tec"], [7.6, 7.2, np.nan, 6.8])
    np.testing.assert_array_equal(table["wind_speed"], [552, np.nan, np.nan, 552])
    assert table["dst"].values[0] == -13 and table["f107"].attrs["units"] == "sfu"
    assert (table.attrs["latitude"], table.attrs["longitude"]) == (40.0, 10.0)
    assert str(table["time"].values[-1])[:13] == "2017-01-01T02"
    west = read_vtec_csv(write(tmp_path / "w.csv.gz", VTEC.replace("10E 40N", "72.5W 33S")))
    assert (west.attrs["latitude"], west.attrs["longitude"]) == (-33.0, -72.5)


@pytest.mark.parametrize("old, new, where", [
    ("7.2\n", "x\n", "line 3, vtec"), ("00:00:00,1,0", "00:30:00,1,0", "line 3"),
    ("02:00:00,1,2", "02:00:00,1,3", "line 4"), ("VTEC", "TEC", "header"), ("Date-time", "Date", "header"),
    ("00:00:00,1,0", "00:00:00,2,0", "line 3"), ("2017-01-01 02", "2017-01-01 00", "line 4"),
    ("2017-01-01 02", "2017-13-01 02", "line 4, date-time")])
def test_damaged_vtec_table_is_told_where(tmp_path, old, new, where):
    with pytest.raises(InputError, match=where):
        read_vtec_csv(write(tmp_path / "v.csv.gz", VTEC.replace(old, new)))


def soundings(first, tec, every="5min", score=90):
    times = pd.date_range(first, periods=len(tec), freq=every, tz="UTC")
    rows = [f"{t.isoformat(sep=' ')},{score},{5 if v else ''},{'' if v is None else v}"
            for t, v in zip(times, tec, strict=True)]
    return "Time,CS,foF2,TEC\n" + "\n".join(rows) + "\n"


def test_soundings_become_hourly_medians(tmp_path):
    """Median of the hour from its start; too few soundings are a gap; a sounding in two files counts once."""
    first = [1.0, 2.0, 30.0, 4.0, 5.0, 6.0] + [None] * 6 + [7.0] * 5 + [None] * 7 + [9.0]
    write(tmp_path / "2020_01.csv.gz", soundings("2020-01-31 22:00", first))
    write(tmp_path / "2020_02.csv.gz", soundings("2020-02-01 00:00", [9.0, 11.0] * 6))
    table = read_ionosonde(tmp_path)
    np.testing.assert_array_equal(table["tec"], [4.5, np.nan, 10.0])
    assert table["count"].values.tolist() == [6, 5, 12] and "hmf2" not in table
    assert table["fof2"].values[0] == 5 and str(table["time"].values[0])[:16] == "2020-01-31T22:00"
    np.testing.assert_array_equal(read_ionosonde(tmp_path, min_count=5)["tec"], [4.5, 7.0, 10.0])
    write(tmp_path / "2020_03.csv.gz", soundings("2020-02-01 01:00", [50.0] * 12, score=20))
    assert read_ionosonde(tmp_path)["tec"].values[-1] == 50.0
    assert read_ionosonde(tmp_path, min_score=50)["tec"].sizes["time"] == 3


def test_contradicting_or_damaged_soundings_are_told(tmp_path):
    with pytest.raises(InputError, match="no CSV file"):
        read_ionosonde(tmp_path)
    write(tmp_path / "a.csv.gz", soundings("2020-01-31 23:00", [9.0] * 13))
    write(tmp_path / "b.csv.gz", soundings("2020-02-01 00:00", [8.0] * 12))
    with pytest.raises(InputError, match="2020-02-01 00:00:00.*one sounding a time"):
        read_ionosonde(tmp_path)
    write(tmp_path / "b.csv.gz", soundings("2020-02-01 00:00", ["nil"] * 12))
    with pytest.raises(InputError, match="b.csv.gz, line 2, tec"):
        read_ionosonde(tmp_path)


@pytest.mark.real
def test_real_series_of_three_days(data):
    """ESA's maps of 8 to 10 January 2020 at the study's point: 73 hours; two midnights that differ."""
    paths = sorted((data / "ionosphere" / "ionex").glob("esag*"))
    series = station_series(paths, 36.5, 142.0)
    assert series.sizes["time"] == 73 and np.isfinite(series).all()
    assert series.attrs["midnights"] == 2 and series.attrs["midnight_difference_tecu"] == pytest.approx(1.176)
    maps = read_ionex(paths[0])
    box = maps["tec"].sel(latitude=[35, 37.5], longitude=[140, 145]).values[1]
    by_hand = box.ravel() @ [0.24, 0.16, 0.36, 0.24]      # weights of B11
    assert series.values[2] == pytest.approx(by_hand, abs=1e-12)
    code = station_series(data / "ionosphere" / "ionex" / "codg0080.20i.Z", 36.5, 142.0)
    assert np.corrcoef(code.values[:24], series.values[:24])[0, 1] > 0.8     # two centres, one day


@pytest.mark.real
def test_real_tables_are_those_of_the_data_list(data):
    """VTEC: 26280 hours without a gap at 40 N 10 E. Athens: 19 months, 16 soundings in two files."""
    vtec = read_vtec_csv(data / "ionosphere" / "tec_series" / "ML_VTEC_data.csv.gz")
    assert vtec.sizes["time"] == 26280 and not vtec.isnull().to_array().any()
    assert (vtec.attrs["latitude"], vtec.attrs["longitude"]) == (40.0, 10.0)
    folder = data / "ionosphere" / "athens_ionosonde"
    hourly = read_ionosonde(folder)
    frames = pd.concat([pd.read_csv(path) for path in sorted(folder.iterdir())]).drop_duplicates("Time")
    frames.index = pd.to_datetime(frames["Time"]).dt.tz_localize(None).dt.floor("h")
    for stamp in ("2020-01-04 12:00", "2020-06-21 03:00", "2021-08-31 23:00"):
        values = frames.loc[pd.Timestamp(stamp), "TEC"].dropna()
        expected = values.median() if len(values) >= 6 else np.nan
        assert hourly["tec"].sel(time=stamp).item() == pytest.approx(expected, nan_ok=True)
        assert hourly["count"].sel(time=stamp).item() == len(values)
    march = hourly["tec"].sel(time=slice("2020-03-01", "2020-03-31"))
    assert march.sizes["time"] == 744 and march.isnull().all()
