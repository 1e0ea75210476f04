"""One record from many files: the same numbers as file by file, and every fault of a series by its name."""

import numpy as np
import pandas as pd
import pytest

from lib.earth.axes import make_record
from lib.earth.iaga2002 import write_iaga2002
from lib.earth.records import join_records, read_record
from lib.earth.series_checks import BATCH, check_place, continuous, read_files
from lib.files import InputError

LIST = pd.DataFrame({"code": ["ESK", "BOU"], "latitude": [55.314, 40.137], "longitude": [356.794, 254.763]})


def a_file(path, day, names="XYZF", n=1440, step_s=60, latitude=55.314, longitude=356.794):
    """Write a day (or less) of minutes; the field is that of Eskdalemuir."""
    start = np.datetime64(day, "ns")
    noise = np.random.default_rng(int(start.astype("int64") // 10**12)).normal(0, 3, (4, n))
    level = {"X": 17_400.0, "Y": -830.0, "Z": 46_200.0, "F": 49_400.0, "H": 17_420.0, "D": -160.0, "E": 5.0}
    values = {c: level[c] + noise[k] for k, c in enumerate(names)}
    times = (start + np.arange(n) * np.timedelta64(step_s, "s")).astype(np.int64)
    return write_iaga2002(make_record(values, times, source="made", station="ESK", where=str,
                                      latitude=latitude, longitude=longitude), path)


def days(folder, first, n, **options):
    return [a_file(folder / f"esk{str(d).replace('-', '')}.min", d, **options)
            for d in np.datetime64(first) + np.arange(n)]


@pytest.mark.slow
def test_files_parsed_together_give_the_numbers_of_files_read_alone(tmp_path):
    """More files than a batch, one of them packed in another length: equal to the last bit, none lost."""
    paths = days(tmp_path, "2015-01-01", BATCH + 8)
    text = paths[20].read_text().splitlines(keepends=True)
    paths[20].write_text("".join(text[:500] + text[502:]))      # two minutes are missing
    record = continuous(paths)
    angle = read_record(paths[0]).attrs["declination_deg"]
    alone = join_records(read_record(path, declination_deg=angle) for path in paths)
    assert record.sizes["time"] == 1440 * (BATCH + 8)
    assert record["time"].equals(alone["time"]) and record.attrs["missing"] == [2, 2, 2]
    for c in "HDZ":
        np.testing.assert_array_equal(record[c].values, alone[c].values)
    assert len(read_files(paths)) < len(paths) / 2
    assert record.attrs["declination_deg"] == angle and record.attrs["station"] == "ESK"


def test_a_folder_a_list_in_any_order_and_records_are_the_same(tmp_path):
    paths = days(tmp_path, "2015-02-26", 4)
    folder, backwards = continuous(tmp_path), continuous(paths[::-1])
    records = continuous([read_record(path) for path in paths])
    for c in "HDZ":
        np.testing.assert_array_equal(folder[c].values, continuous(paths)[c].values)
        np.testing.assert_allclose(backwards["Z"].values, folder["Z"].values, atol=1e-9)
        np.testing.assert_allclose(records[c].values, folder[c].values, atol=1e-6)


def test_a_missing_month_is_named_and_kept_on_request(tmp_path):
    """31 January and 1 March: February 2015 is missing; kept, it is NaN and told."""
    paths = [*days(tmp_path, "2015-01-31", 1), *days(tmp_path, "2015-03-01", 1)]
    with pytest.raises(InputError, match="month missing: found '2015-02'"):
        continuous(paths)
    record = continuous(paths, gaps="keep")
    assert record.sizes["time"] == 30 * 1440 and record.attrs["missing"] == [28 * 1440] * 3
    assert record.attrs["absent"] == "2015-02-01T00:00 to 2015-03-01T00:00"


def test_missing_days_and_the_ends_of_the_span_are_named(tmp_path):
    paths = [*days(tmp_path, "2015-01-03", 1), *days(tmp_path, "2015-01-05", 1)]
    with pytest.raises(InputError, match="days missing: found '2015-01-04T00:00 to 2015-01-05T00:00'"):
        continuous(paths)
    with pytest.raises(InputError, match="month missing: found '2015-02'"):
        continuous(days(tmp_path, "2015-01-31", 1), span=("2015-01-31", "2015-03-01"))


def test_changed_sampling_within_a_folder_is_named(tmp_path):
    """Two-minute values among minutes, though they would fit the grid as gaps."""
    paths = days(tmp_path, "2015-01-01", 3)
    a_file(paths[1], "2015-01-02", n=720, step_s=120)
    with pytest.raises(InputError, match="changed sampling: found '120 s after 60 s'") as caught:
        continuous(tmp_path)
    assert "esk20150102.min" in str(caught.value)


def test_a_file_of_two_days_at_half_the_rate_is_not_taken_for_one(tmp_path):
    """As many lines as its neighbours and the same header: only the stamps tell."""
    days(tmp_path, "2015-01-01", 3)
    a_file(tmp_path / "esk20150104.min", "2015-01-04", n=1440, step_s=120)
    days(tmp_path, "2015-01-06", 1)
    with pytest.raises(InputError, match="changed sampling"):
        continuous(tmp_path)


@pytest.mark.parametrize("other", ["HDZF", "HEZF"])
def test_mixed_components_are_named(tmp_path, other):
    days(tmp_path, "2015-01-01", 2)
    a_file(tmp_path / "esk20150103.min", "2015-01-03", names=other)
    with pytest.raises(InputError, match=f"XYZ and {other[:3]} mixed: found '{other}'") as caught:
        continuous(tmp_path)
    assert "esk20150103.min" in str(caught.value)


def test_f_beside_g_is_no_mixture(tmp_path):
    paths = days(tmp_path, "2015-01-01", 2)
    paths[1].write_text(paths[1].read_text().replace("XYZF", "XYZG").replace("ESKF", "ESKG"))
    assert continuous(paths).sizes["time"] == 2880


def test_the_wrong_sign_of_a_latitude_is_named_with_and_without_a_list(tmp_path):
    """A header of -55.314: the list says +55.314; without a list the record's own Z gives it away."""
    paths = days(tmp_path, "2015-01-01", 2, latitude=-55.314)
    for stations in (LIST, None):
        with pytest.raises(InputError, match="wrong sign of latitude: found -55.314") as caught:
            continuous(paths, stations=stations)
        assert "latitude=55.314" in str(caught.value)
    assert continuous(paths, stations=LIST, latitude=55.314).attrs["latitude"] == 55.314


def test_places_far_from_the_list_are_named_and_other_stations_pass(tmp_path):
    """Longitudes are compared round the circle: 356.794 is -3.206."""
    record = read_record(days(tmp_path, "2015-01-01", 1, longitude=-3.206)[0])
    check_place(record, LIST)
    check_place(record.assign_attrs(station="XYZ"), LIST)
    with pytest.raises(InputError, match="latitude: found 50.0"):
        check_place(record.assign_attrs(latitude=50.0), LIST)
    with pytest.raises(InputError, match="longitude: found 3.206"):
        check_place(record.assign_attrs(longitude=3.206), LIST)


def test_a_state_jumping_sensor_is_named_or_masked(tmp_path):
    paths = days(tmp_path, "2015-01-01", 3)
    record = read_record(paths[1])
    z = record["Z"].values.copy()
    z[300:400] -= 180_000 / 2
    write_iaga2002(record.assign(Z=("time", z)), paths[1])
    with pytest.raises(InputError, match="state-jumping sensor, Z"):
        continuous(paths)
    masked = continuous(paths, states="mask")
    assert masked.attrs["masked"] == 100 and masked.attrs["missing"] == [100] * 3
    assert np.isnan(masked["H"].values[1740:1840]).all()


def test_a_damaged_file_is_named_though_it_was_parsed_with_others(tmp_path):
    paths = days(tmp_path, "2015-01-01", 5)
    row = "2015-01-04 10:00:00.000 004     1"
    paths[3].write_text(paths[3].read_text().replace(row + "7", row + "x"))
    with pytest.raises(InputError, match=r"line \d+") as caught:
        continuous(paths)
    assert "esk20150104.min" in str(caught.value)


@pytest.mark.parametrize("options", [{"gaps": "fill"}, {"states": "drop"}])
def test_unknown_options_are_named(tmp_path, options):
    with pytest.raises(InputError, match=next(iter(options))):
        continuous(days(tmp_path, "2015-01-01", 1), **options)
    with pytest.raises(InputError, match="nothing"):
        continuous([])
    with pytest.raises(InputError, match="folder"):
        continuous(tmp_path / "none")


@pytest.mark.real
def test_real_series_join_or_say_why_not(data):
    """ESK 2003 lacks three months; ESK 2015 has the latitude of the wrong sign; BOU 2016 mixes components."""
    geomag = data / "geomag"
    with pytest.raises(InputError, match="month missing: found '2003-02; 2003-08; 2003-11'"):
        continuous(geomag / "min1_ESK_2003")
    with pytest.raises(InputError, match="wrong sign of latitude: found -55.317"):
        continuous(geomag / "min1_ESK_2015", gaps="keep")
    with pytest.raises(InputError, match="XYZ and HEZ mixed"):
        continuous(geomag / "min1_BOU_2016-01")
    record = continuous(geomag / "min1_ESK_2015", gaps="keep", latitude=55.317)
    assert record.sizes["time"] == 365 * 1440 and record.attrs["missing"] == [92 * 1440] * 3
