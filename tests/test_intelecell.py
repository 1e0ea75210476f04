import numpy as np
import pandas as pd
import pytest

from lib.earth import intelecell
from lib.files import InputError

HEAD = "Date,0C Magnetic Field - X ([nT]),0B Magnetic Field - Y ([nT]),0A Magnetic Field - Z ([nT]),"


def write(folder, rows, name="Kodiak_intelecell_x.csv"):
    path = folder / name
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


def minutes(start, n, z=50_000.0):
    times = pd.date_range(start, periods=n, freq="min")
    return [f"{t:%m-%d-%Y %H:%M:%S},{20000 + i},{4800 - i},{z + i}," for i, t in enumerate(times)]


def test_alaska_time_becomes_utc_in_summer_and_winter(tmp_path):
    """16:00 in April and 15:00 in December are midnight UTC."""
    for start, first in (("2015-03-31 16:00", "2015-04-01"), ("2015-11-30 15:00", "2015-12-01")):
        found = intelecell.read_intelecell(write(tmp_path, minutes(start, 5)))
        assert pd.Timestamp(found.time.values[0]) == pd.Timestamp(first) and found.attrs["station"] == "KOD"
        assert found.H.values.tolist() == [20000, 20001, 20002, 20003, 20004] and found.Z.values[0] == 50_000


def test_seconds_are_floored_missing_minutes_are_nan_and_the_first_of_two_is_kept(tmp_path):
    rows = minutes("2015-04-03 11:01", 6)
    rows[0] = rows[0].replace("11:01:00", "11:01:45")
    rows[1:2] = [rows[0].replace("20000", "1").replace("11:01:45", "11:01:50")]
    rows[3] = rows[3].replace(",20003,", ",,")
    found = intelecell.read_intelecell(write(tmp_path, rows, "old_harbor_x.csv"))
    assert found.sizes["time"] == 6 and found.attrs["inserted_stamps"] == 1
    assert found.attrs["station"] == "OLH"
    assert found.H.values[[0, 2, 5]].tolist() == [20000, 20002, 20005]
    assert np.isnan(found.H.values[[1, 3]]).all() and np.isnan(found.Z.values).sum() == 1


def test_the_hour_that_comes_twice_is_left_out(tmp_path):
    """2015-11-01 01:00 to 02:00 in Alaska."""
    rows = minutes("2015-11-01 00:58", 3) + minutes("2015-11-01 02:00", 3)
    found = intelecell.read_intelecell(write(tmp_path, rows))
    assert found.attrs["ambiguous"] == 1
    assert pd.Timestamp(found.time.values[-1]) == pd.Timestamp("2015-11-01T11:02")     # 02:02 in winter time


def test_a_jumping_sensor_is_named_or_its_minutes_left_out(tmp_path):
    rows = minutes("2015-04-01 00:00", 10) + minutes("2015-04-01 00:10", 2, z=-136_000.0)
    path = write(tmp_path, rows)
    with pytest.raises(InputError, match=r"line 12, Z.*2 minutes lie in another"):
        intelecell.read_intelecell(path)
    found = intelecell.read_intelecell(path, "nan")
    assert found.attrs["jumped"] == 2 and np.isnan(found.H.values[-2:]).all()
    assert np.isfinite(found.D.values[:-2]).all()


def test_months_are_joined_and_an_overlap_counts_once(tmp_path):
    write(tmp_path, minutes("2015-04-01 00:00", 10), "Kodiak_a.csv")
    write(tmp_path, minutes("2015-04-01 00:05", 10, z=51_000.0), "Kodiak_b.csv")
    found = intelecell.read_station(tmp_path)
    assert found.sizes["time"] == 15 and found.Z.values[9] == 50_009 and found.Z.values[10] == 51_005


@pytest.mark.parametrize(("rows", "name", "message"), [
    (["2015-04-01 00:00:00,1,2,3,"], "Kodiak_x.csv", "line 2, date"),
    (minutes("2015-04-01", 2), "boulder.csv", "Kodiak or old_harbor")])
def test_bad_files_are_named(tmp_path, rows, name, message):
    with pytest.raises(InputError, match=message):
        intelecell.read_intelecell(write(tmp_path, rows, name))


def test_other_columns_and_an_empty_folder_are_named(tmp_path):
    path = tmp_path / "kodiak.csv"
    path.write_text("Date,X,Y,Z\n04-01-2015 00:00:00,1,2,3\n")
    with pytest.raises(InputError, match="magnetic fields X, Y and Z"):
        intelecell.read_intelecell(path)
    with pytest.raises(InputError, match="on_jump"):
        intelecell.read_intelecell(path, "drop")
    with pytest.raises(InputError, match="monthly files"):
        intelecell.read_station(tmp_path / "nothing")


@pytest.mark.real
def test_the_records_of_the_island(data):
    """Kodiak's files are refused for their jumps from October 2015 on; Old Harbor's are not."""
    folder = data / "geomag" / "min1_Alaska_InteleCell-Kodiak"
    with pytest.raises(InputError, match="state of the sensor"):
        intelecell.read_intelecell(folder / "Kodiak_intelecell_October2015.csv.gz")
    found = intelecell.read_intelecell(folder / "Kodiak_intelecell_August2015.csv.gz")
    assert pd.Timestamp(found.time.values[0]) == pd.Timestamp("2015-08-01") and found.attrs["jumped"] == 0
    harbor = data / "geomag" / "min1_Alaska_InteleCell-Old-Harbor" / "old_harbor_intelecell_April2015.csv.gz"
    assert intelecell.read_intelecell(harbor).attrs["station"] == "OLH"
