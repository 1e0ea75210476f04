import pandas as pd
import pytest

from lib.earth import significant
from lib.earth.catalog import COLUMNS, select
from lib.files import InputError

HEAD = "Date,Time,Latitude,Longitude,Type,Depth,Magnitude,Magnitude Type,ID"
ROWS = ["01/24/2016,10:30:30,59.6,-153.4,Earthquake,129,7.1,MWW,us1",
        "01/02/1965,13:44:18,19.2,145.6,Earthquake,131.6,6,MW,a",
        "2011-03-13T02:23:34.520Z,2011-03-13T02:23:34.520Z,36.3,142.3,Earthquake,10.1,5.8,MWC,b",
        "05/06/1966,15:00:00,37.3,-116.3,Nuclear Explosion,0,5.6,ML,c",
        "05/07/1966,25:00:00,37.3,-116.3,Earthquake,0,5.6,ML,d"]


def test_the_schema_and_the_counts(tmp_path):
    """Sorted by time, month first; explosions and unreadable rows counted."""
    path = tmp_path / "x.csv"
    path.write_text("\n".join([HEAD, *ROWS]))
    found = significant.read_significant(path)
    assert list(found.columns) == COLUMNS and found.event_id.tolist() == ["a", "b", "us1"]
    assert found.time[2] == pd.Timestamp("2016-01-24T10:30:30")
    assert found.magnitude.tolist() == [6.0, 5.8, 7.1]
    assert found.time[1] == pd.Timestamp("2011-03-13T02:23:34.520")
    assert (found.attrs["not_earthquakes"], found.attrs["dropped"]) == (1, 1)


@pytest.mark.parametrize("text", ["time,mag\n1,2", f"{HEAD}\n{ROWS[3]}"])
def test_other_tables_are_refused(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        significant.read_significant(path)


@pytest.mark.real
def test_the_real_list(data):
    """23 412 rows; the Iniskin earthquake of January 2016 is in it."""
    found = significant.read_significant(data / "earthquakes" / "earthquake_database_1965-2016_M5.5.csv.gz")
    assert len(found) + found.attrs["dropped"] + found.attrs["not_earthquakes"] == 23412
    near = select(found, start="2016-01-24", end="2016-01-25", min_magnitude=7, box=(-155, -150, 58, 61))
    assert len(near) == 1 and near.magnitude[0] == 7.1
