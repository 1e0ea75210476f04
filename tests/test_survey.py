import gzip

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lib.earth import plausibility, records, survey
from lib.earth.iaga2002 import write_iaga2002
from lib.files import InputError

HOURS_6 = 6 * 3600
KP = """Date,K_00,K_03,K_06,K_09,K_12,K_15,K_18,K_21,Kp_Sum
2020-01-01,2.667,1.333,0.667,1,{noon},1.667,0,0.333,13.001
2020-01-02,1,1,1,1,1,1,1,,7
"""
DST = """DATE       TIME         DOY     DST                |
2020-01-01 00:00:00.000 001    -12.00
2020-01-01 01:00:00.000 001  99999.00
2020-01-01 02:00:00.000 001    -30.00
"""


def make_record(n, station="ABC", start="2020-01-01T06:00", sampling_s=1, level=0.0):
    """Quiet field near the level of Java, with pink noise."""
    rng = np.random.default_rng(len(station) + n)
    noise = rng.normal(size=(3, n)).cumsum(1) * 0.02
    time = np.datetime64(start, "ns") + np.arange(n) * np.timedelta64(sampling_s, "s")
    values = noise + np.array([[38000.0], [0.0], [-23500.0]]) + level
    return xr.Dataset({c: ("time", np.round(values[i], 2)) for i, c in enumerate("HDZ")}, {"time": time}, {
        "station": station, "sampling_s": float(sampling_s), "source": "x", "reported": "HDZ",
        "latitude": -7.0, "longitude": 110.0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two long records of seconds with one name, one short, one of minutes, and a note."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    write_iaga2002(make_record(HOURS_6), folder / "a" / "abc20200101vsec.sec")
    write_iaga2002(make_record(HOURS_6 + 5, level=9000.0), folder / "b" / "abc20200101vsec.sec")
    write_iaga2002(make_record(HOURS_6 - 1, "XYZ"), folder / "xyz20200101vsec.sec")
    write_iaga2002(make_record(400, "MIN", sampling_s=60), folder / "min20200101vmin.min")
    (folder / "note.txt").write_text("no record")
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return survey.one_hertz(folder, records.open_folder(folder)[0])


def test_only_long_records_of_seconds_are_read_and_none_is_lost(found):
    """Six hours and more at 1 Hz; two files that would share a label keep both."""
    assert [name[:14] for name in found] == ["ABC 2020-01-01"] * 2
    assert sorted(r.sizes["time"] for r in found.values()) == [HOURS_6, HOURS_6 + 5]
    assert sum("abc20200101vsec.sec" in name for name in found) == 1


def test_a_relative_folder_works(folder, found, monkeypatch):
    monkeypatch.chdir(folder.parent)
    again = survey.one_hertz(folder.name, records.open_folder(folder.name)[0])
    assert list(again) == list(found)


def test_known_errors_of_a_header_are_overridden(folder):
    index = records.open_folder(folder)[0]
    found = survey.one_hertz(folder, index, {"ABC": {"latitude": 47.9, "longitude": 15.9}, "OTT": {}})
    assert {r.attrs["latitude"] for r in found.values()} == {47.9}


def test_a_folder_without_seconds_has_no_record(tmp_path):
    write_iaga2002(make_record(400, "MIN", sampling_s=60), tmp_path / "min20200101vmin.min")
    assert survey.one_hertz(tmp_path, records.open_folder(tmp_path)[0]) == {}
    with pytest.raises(InputError, match="1 Hz record of six hours"):
        survey.gate({})


def test_the_gate_is_that_of_each_record_with_its_kp(found):
    """One row a record and criterion; the record lifted by 9000 nT fails the level, the other passes it."""
    kp = pd.Series([1.0, 6.0, 2.0, 3.0, 1.0], pd.date_range("2020-01-01T03:00", periods=5, freq="3h"))
    table = survey.gate(found, kp)
    one = plausibility.check(next(iter(found.values())), 6.0)
    assert len(table) == 2 * len(one) and set(table.kp_max) == {6.0}      # both records start at 06 UTC
    level = table[table.criterion == "mean H - IGRF"].set_index("record").passed
    assert sorted(level.tolist()) == [False, True]


def test_kp_that_does_not_cover_a_record_is_unknown(found):
    """NaN beside every row, and the record is judged as on a quiet day."""
    kp = pd.Series([1.0, 6.0], pd.date_range("2019-01-01", periods=2, freq="3h"))
    for given in (kp, None):
        table = survey.gate(found, given)
        assert table.kp_max.isna().all()
        quiet = plausibility.check(next(iter(found.values())), None)
        assert table.passed[:len(quiet)].tolist() == quiet.passed.tolist()


def test_indices_are_joined_and_the_first_by_name_wins(tmp_path):
    """Kp of two files that overlap, Dst with its gap, other files left aside."""
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(KP.format(noon=9).encode()))
    (tmp_path / "1.csv").write_text("\n".join(KP.format(noon=4).split("\n")[:2]) + "\n")
    (tmp_path / "dst.txt").write_text(DST)
    (tmp_path / "README").write_text("about these files")
    found = survey.read_indices(tmp_path)
    assert set(found) == {"kp", "dst"}
    assert found["kp"]["2020-01-01T12:00"] == 4.0 and found["kp"].index.is_monotonic_increasing
    assert len(found["kp"]) == 15                                      # the last of the second day is blank
    np.testing.assert_array_equal(found["dst"], [-12, np.nan, -30])
    assert found["dst"].index.freqstr == "h" and found["kp"].index.freqstr == "3h"


def test_indices_of_years_apart_can_be_asked_for_both(tmp_path, found):
    """The gap between the files is NaN, not a broken axis."""
    day = "\n".join(KP.format(noon=4).split("\n")[:2]) + "\n"
    (tmp_path / "1.csv").write_text(day)
    (tmp_path / "2.csv").write_text(day.replace("2020", "2014"))
    table = survey.gate(found, survey.read_indices(tmp_path)["kp"])
    assert set(table.kp_max) == {1.0, 4.0}               # the longer record reaches into the hours from noon


def test_a_folder_without_indices_gives_none(tmp_path):
    (tmp_path / "README").write_text("about these files")
    assert survey.read_indices(tmp_path) == {}


def test_a_folder_may_have_parts_or_none(tmp_path):
    """Records in `geomag`, or all in one folder."""
    assert survey.part(tmp_path, "geomag") == tmp_path
    (tmp_path / "geomag").mkdir()
    assert survey.part(tmp_path, "geomag") == tmp_path / "geomag"


@pytest.mark.real
@pytest.mark.slow
def test_real_records_are_surveyed(data):
    """Alor's day is there and passes the level; Kp and Dst cover it."""
    index = records.open_folder(data / "geomag" / "sec1_BMKG_ALR_2025-01-01")[0]
    found = survey.one_hertz(data / "geomag", index)
    indices = survey.read_indices(data / "space_weather")
    table = survey.gate(found, indices["kp"])
    assert any(name.startswith("ALR 2025-01-01") for name in found)
    assert table[table.criterion.isin(["mean H - IGRF", "sign of mean Z"])].passed.all()
    assert (table.kp_max > 5).all()                                    # a storm
    assert indices["kp"].between(0, 9).all() and indices["dst"].min() < -200
