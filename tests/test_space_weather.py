import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth import space_weather as sw
from lib.files import InputError

GFZ = """Date,K_00,K_03,K_06,K_09,K_12,K_15,K_18,K_21,Kp_Sum
2006-01-02,1.667,2,1.667,2,1,-1,,2.667,13.334
2006-01-01,2.667,1.333,0.667,1,9,1.667,0,0.333,13.001
"""
CELESTRAK = """DATE,KP1,KP2,KP3,KP4,KP5,KP6,KP7,KP8,KP_SUM,F10.7_DATA_TYPE
2006-01-01,27,13,7,10,90,17,0,3,130,OBS
2006-01-02,17,20,17,20,10,13,13,27,133,INT
2026-08-07,22,22,22,22,22,22,22,22,176,PRD
2041-10-01,,,,,,,,,,PRM
"""
TIMES = """Date_Time_UTC,Kp_Index,Date_Only
2006-01-01 00:00:00+00:00,2.667,2006-01-01
2006-01-01 06:00:00+00:00,0.667,2006-01-01
"""
WDC = ("DST0103*30PPX120   0" + "".join(f"{v:4d}" for v in range(-24, 0)) + "  -1\n"
       "DST9912*31  X2  -1" + "  " + "".join(f"{v:4d}" for v in [9999, *range(1, 24)]) + "  12\n")
IAGA = """ Format                 IAGA-2002                                    |
 # a comment                                                         |
DATE       TIME         DOY     AE        DST                        |
2015-12-31 22:00:00.000 365   9999.00    -96.00
2015-12-31 23:00:00.000 365     10.00  99999.00
DATE       TIME         DOY     AE        DST                        |
2016-01-01 00:00:00.000 001     10.00   -105.00
"""
BODY = "2018-01-01 00:00:00.000 001        10.00\n2018-01-01 01:00:00.000 001        -6.00\n"


def write(folder, text):
    path = folder / "index.dat"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def day(*values):
    return [np.nan if v is None else v for v in values]


def test_kp_layouts(tmp_path):
    """GFZ, CelesTrak (without forecasts) and the list of times give the same thirds; blank and -1 are NaN."""
    first = [2.667, 1.333, 0.667, 1, 9, 1.667, 0, 0.333]
    gfz = sw.read_kp(write(tmp_path, gzip.compress(GFZ.encode())))
    np.testing.assert_array_equal(gfz, first + day(1.667, 2, 1.667, 2, 1, None, None, 2.667))
    assert gfz.index[0] == pd.Timestamp("2006-01-01") and gfz.index.freqstr == "3h" and gfz.index.tz is None
    celestrak = sw.read_kp(write(tmp_path, CELESTRAK))
    np.testing.assert_array_equal(celestrak, [*first, 1.667, 2, 1.667, 2, 1, 1.333, 1.333, 2.667])
    times = sw.read_kp(write(tmp_path, TIMES))
    np.testing.assert_array_equal(times, day(2.667, None, 0.667))
    assert times.dtype == float and times.index.dtype == "datetime64[ns]"


def test_dst_wdc(tmp_path):
    """Fixed width: century from columns 15-16 (19 if blank), base in hundreds of nT, 9999 missing."""
    dst = sw.read_dst(write(tmp_path, WDC.splitlines()[0]))
    assert dst.index[0] == pd.Timestamp("2001-03-30") and dst.tolist() == list(range(-24, 0))
    old = WDC.splitlines()[1].replace("X2  -1  ", "X2    -1")
    dst = sw.read_dst(write(tmp_path, old))
    assert dst.index[0] == pd.Timestamp("1999-12-31") and np.isnan(dst.iloc[0])
    assert dst.tolist()[1:] == [v - 100 for v in range(1, 24)]


def test_dst_iaga(tmp_path):
    """The DST column is found by name, headers may recur, sentinels are NaN; a bare body reads too."""
    dst = sw.read_dst(write(tmp_path, IAGA))
    np.testing.assert_array_equal(dst, [-96, np.nan, -105])
    assert dst.index[-1] == pd.Timestamp("2016-01-01") and dst.index.freqstr == "h"
    assert sw.read_dst(write(tmp_path, gzip.compress(BODY.encode()))).tolist() == [10, -6]


@pytest.mark.parametrize(("read", "text", "message"), [
    (sw.read_kp, GFZ.replace("2.667,13.334", "9.667,13"), "line 2, k_21: found '9.667'"),
    (sw.read_kp, GFZ.replace("1.333", "1.5"), "line 3, k_03: found '1.5'; accepted: Kp in thirds"),
    (sw.read_kp, GFZ.replace("1.333", "x"), "line 3, k_03: found 'x'"),
    (sw.read_kp, GFZ.replace("01-02", "01-01"), "'2006-01-01 00:00:00'; accepted: each time once"),
    (sw.read_kp, GFZ.replace("2006-01-02", "02/01/2006"), "line 2, time: found 'NaT'"),
    (sw.read_kp, GFZ[:-20], "line 3: found"),
    (sw.read_kp, CELESTRAK.replace("27,13,7", "27,13,22"), "line 2, kp3: found '22'; accepted: ten times Kp"),
    (sw.read_kp, CELESTRAK.replace("OBS", "PRD").replace("INT", "PRD"), "at least one observed value"),
    (sw.read_kp, TIMES.replace("06:00:00+00:00", "06:00:00+07:00"), "line 3, time"),
    (sw.read_kp, TIMES.replace("06:00:00", "07:00:00"), "a time on the 3h grid"),
    (sw.read_kp, "a,b\n1,2\n", "Date, K_00 to K_21"),
    (sw.read_kp, "", "empty"),
    (sw.read_kp, gzip.compress(GFZ.encode(), mtime=0)[:50], "a whole file; fetch it again"),
    (sw.read_dst, WDC.splitlines()[0][:100], "line 1: found"),
    (sw.read_dst, WDC.splitlines()[0] + "\n" + WDC.splitlines()[0][:118], "the file looks cut"),
    (sw.read_dst, WDC.replace(" -24", " -2x", 1), "24 values of 4 columns"),
    (sw.read_dst, WDC.replace("0103*30", "0102*30"), "line 1, time: found 'NaT'"),
    (sw.read_dst, IAGA.replace("  -96.00", "-9600.00"), "line 4: found -9600.0; accepted: Dst from -2500"),
    (sw.read_dst, IAGA.replace("-96.00", "x"), "line 4, column 5: found 'x'"),
    (sw.read_dst, IAGA.replace("DST ", "SYM "), "one column named DST"),
    (sw.read_dst, IAGA.replace("|\n2016", "|\n 2016").replace("AE        DST                        |\n 2016",
                                                            "DST       AE                         |\n 2016"),
     "the same columns throughout"),
    (sw.read_dst, IAGA.replace("22:00:00.000", "22:01:00.000"), "a time on the h grid"),
    (sw.read_dst, BODY[:-5], "the file looks cut"),
    (sw.read_dst, BODY.replace("001        -6.00", "001"), "line 2: found"),
    (sw.read_dst, BODY.replace("01:00:00", "00:00:00"), "each time once"),
    (sw.read_dst, b"\x00\x01\x02\x03", "text, not a binary file"),
])
def test_bad_indices(tmp_path, read, text, message):
    """Each damaged or foreign file ends in one error that names the place."""
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, text))
    assert message in str(caught.value)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([GFZ, CELESTRAK, TIMES, WDC, IAGA, BODY]),
       st.one_of(st.text(max_size=30), st.binary(max_size=30)), st.integers(0, 400), st.integers(0, 40))
def test_parse_or_input_error(tmp_path, text, junk, place, cut):
    """Whatever replaces any stretch of a file, both readers give values within limits or an InputError."""
    junk = junk.encode("utf-8", "surrogatepass") if isinstance(junk, str) else junk
    raw = text.encode()
    path = write(tmp_path, raw[:place] + junk + raw[place + cut:])
    for read, low, high in ((sw.read_kp, 0, 9), (sw.read_dst, -2500, 500)):
        try:
            series = read(path)
        except InputError:
            continue
        assert series.dropna().between(low, high).all()
        assert series.index.is_unique and series.index.freq is not None


def series(values, freq="3h"):
    return pd.Series(values, pd.date_range("2018-01-01", periods=len(values), freq=freq), dtype=float)


def test_window_edges():
    """An interval counts if it overlaps start <= t < end: touching at its end or start does not."""
    kp = series([1, 4, 2, 3])
    base = np.datetime64("2018-01-01", "m")

    def largest(start, end):
        return sw.window_extreme(kp, base + start, base + end, "max")[0]

    assert largest(0, 180) == 1 and largest(0, 181) == 4 and largest(179, 180) == 1 and largest(180, 181) == 4
    assert largest(360, 720) == 3 and np.isnan(largest(360, 721)) and np.isnan(largest(-1, 10))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.just(np.nan), st.integers(-20, 20).map(float)), min_size=2, max_size=30),
       st.lists(st.tuples(st.integers(-300, 2000), st.integers(1, 900)), max_size=12))
def test_window_extreme_equals_loop(values, windows):
    """Many windows at once, unsorted and overlapping, give what a loop over intervals gives."""
    hourly = series(values, "h")
    start = np.datetime64("2018-01-01", "ns") + np.array([w[0] for w in windows], "timedelta64[m]")
    end = start + np.array([w[1] for w in windows], "timedelta64[m]")
    for how, reduce in (("max", np.max), ("min", np.min)):
        expected = []
        for a, b in windows:
            hours = [k for k in range(-10, 60) if 60 * k < a + b and 60 * (k + 1) > a]
            covered = min(hours) >= 0 and max(hours) < len(values)
            expected.append(reduce(np.array(values)[hours]) if covered else np.nan)
        np.testing.assert_array_equal(sw.window_extreme(hourly, start, end, how), expected)


def test_window_indices():
    """A pandas column of windows gives the largest Kp and the smallest Dst of each."""
    table = pd.DataFrame({"start": pd.to_datetime(["2018-01-01 01:00", "2018-01-01 04:00"]),
                          "end": pd.to_datetime(["2018-01-01 02:00", "2018-01-01 06:00"])}, index=[7, 3])
    kp_max, dst_min = sw.window_indices(series([1, 4]), series(range(0, -8, -1), "h"), table.start, table.end)
    assert kp_max.tolist() == [1, 4] and dst_min.tolist() == [-1, -5]


@pytest.mark.parametrize(("index", "end", "how", "message"), [
    ([0, 1, 3], "2018-01-01T01", "max", "equally spaced"), ([0], "2018-01-01T01", "max", "equally spaced"),
    ([0, 1], "2018-01-01T00", "min", "one end after each start"),
    ([0, 1], "2018-01-01T01", "mean", '"max" or "min"'),
    ([0, 1], "soon", "max", "UTC times"),
])
def test_window_refuses(index, end, how, message):
    values = pd.Series(1.0, pd.Timestamp("2018-01-01") + pd.to_timedelta(index, "h"))
    with pytest.raises(InputError, match=message):
        sw.window_extreme(values, ["2018-01-01T00"], [end], how)


@pytest.mark.real
def test_real_kp_files_agree(data):
    """GFZ, CelesTrak and the Indonesian repositories' Kp are equal wherever they overlap."""
    folder = data / "space_weather"
    gfz, list_, celestrak = (sw.read_kp(folder / name) for name in (
        "GFZ_Potsdam_Kp.csv.gz", "kp_index_2018_2026.csv.gz", "celestrak_SW-All.csv.gz"))
    assert len(gfz) == 49672 and not gfz.isna().any() and not list_.isna().any()
    shared = gfz["2018":"2022"]
    assert len(shared) == 14608 and (shared == list_["2018":"2022"]).all()
    assert (gfz == celestrak[gfz.index]).all()
    assert celestrak.index[-1] == pd.Timestamp("2026-08-06 21:00")      # forecasts left out
    assert list_["2024-05-11"].max() == 9.0


@pytest.mark.real
def test_real_dst_files_agree(data):
    """The Indonesian repositories' Dst is the WDC file's over 2018-2022; the May 2024 storm is -406 nT."""
    folder = data / "space_weather"
    wdc = sw.read_dst(folder / "WDC_Kyoto_Dst_2006-2022.dat.gz")
    list_ = sw.read_dst(folder / "dst_2018-2024.txt.gz")
    assert len(wdc) == 149016 and len(list_) == 61368 and not wdc.isna().any() and not list_.isna().any()
    shared = list_["2018":"2022"]
    assert len(shared) == 43824 and (shared == wdc["2018":"2022"]).all()
    assert list_.min() == -406 and list_.idxmin().date().isoformat() == "2024-05-11"
    old = sw.read_dst(folder / "WDC_Kyoto_Dst_2001-2004.dat.gz")
    assert len(old) == 29184 and old.idxmin() == pd.Timestamp("2003-11-20 20:00") and old.min() == -422


@pytest.mark.real
@pytest.mark.parametrize(("year", "largest"), [(2015, 0), (2016, 0), (2017, 48), (2018, 48), (2019, 48)])
def test_real_dst_versions(data, year, largest):
    """The later version of Dst equals the WDC file in 2015-2016 and differs by up to 48 nT after."""
    wdc = sw.read_dst(data / "space_weather" / "WDC_Kyoto_Dst_2006-2022.dat.gz")
    later = sw.read_dst(data / "space_weather" / "Dst_final_2015-2019" / f"DST_{year}.txt.gz")
    assert len(later) == 8760 + 24 * (year == 2016)
    difference = (later - wdc[str(year)]).abs().max()
    assert difference <= largest and (difference > 0) == (largest > 0)
