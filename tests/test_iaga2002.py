import gzip
import zipfile
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth import iaga2002, iaga2002_body
from lib.earth.iaga2002 import parse_iaga2002, read_iaga2002, write_iaga2002
from lib.files import InputError

FAST = settings(max_examples=25, deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])


def make(rows, elements="XYZF", code="ESK", head=None, bar="|", end="\n"):
    """IAGA-2002 text from (stamp, values) rows; day of year computed here, not by the module."""
    fields = {"Format": "IAGA-2002", "IAGA CODE": code, "Geodetic Latitude": "55.317",
              "Geodetic Longitude": "356.800", "Reported": elements} | (head or {})
    lines = [f" {k:<23}{v:<45}{bar}" for k, v in fields.items()]
    lines.append(" # a comment" + " " * 57 + bar)
    lines.append(f"{'DATE       TIME         DOY     ' + ''.join(f'{code + e:<10}' for e in elements):<69}"
                 + bar)
    for stamp, values in rows:
        doy = date.fromisoformat(stamp[:10]).timetuple().tm_yday
        lines.append(f"{stamp} {doy:03d}   " + "".join(f"{v:10.2f}" for v in values))
    return end.join(lines) + end


def minutes(n, first="2015-06-22 23:58:00"):
    stamps = pd.date_range(first, periods=n, freq="60s")
    return [s.strftime("%Y-%m-%d %H:%M:%S.000") for s in stamps]


XYZ = [(17000.0, -800.0, 46000.0, 49050.0), (17003.0, -801.5, 46001.25, 49051.0),
       (17001.0, -799.0, 45999.0, 49049.75)]
PLAIN = list(zip(minutes(3), XYZ, strict=True))


def test_hand_written_file_is_parsed_exactly():
    """Three rows of X Y Z F: time, level, rotation and attributes are those worked out by hand."""
    record = parse_iaga2002(make(PLAIN))
    assert [str(t) for t in record["time"].values[:2]] == ["2015-06-22T23:58:00.000000000",
                                                           "2015-06-22T23:59:00.000000000"]
    assert record["Z"].values.tolist() == [46000.0, 46001.25, 45999.0]
    assert record["F"].values.tolist() == [49050.0, 49051.0, 49049.75]
    x, y, *_ = np.array(XYZ).T
    np.testing.assert_allclose(np.hypot(record["H"], record["D"]), np.hypot(x, y), rtol=1e-14)
    turned = np.degrees(np.arctan2(record["D"], record["H"]) - np.arctan2(y, x))
    np.testing.assert_allclose(turned, -record.attrs["declination_deg"], atol=1e-10)
    assert abs(record["D"].mean()) < 0.05   # the mean declination is the axis
    attrs = record.attrs
    assert (attrs["station"], attrs["sampling_s"], attrs["latitude"]) == ("ESK", 60.0, 55.317)
    assert attrs["reported"] == "XYZF" and attrs["comments"] == "a comment"
    assert attrs["missing"] == [0, 0, 0, 0] and attrs["notes"] == ""


@pytest.mark.parametrize("kwargs", [
    {"bar": ""}, {"end": "\r\n"}, {"head": {"Station Name": "Eskdalemuir", "Elevation": "245"}}])
def test_header_variants_give_the_same_record(kwargs):
    """With or without the final bar, with CRLF, with more fields: the same numbers."""
    a, b = parse_iaga2002(make(PLAIN)), parse_iaga2002(make(PLAIN, **kwargs))
    assert a.equals(b)


def test_short_header_and_byte_order_mark():
    """Format, code and elements are enough; the place is then unknown."""
    text = "\n".join(line for line in make(PLAIN).splitlines() if "Geodetic" not in line)
    record = parse_iaga2002("\ufeff" + text + "\n")
    assert np.isnan(record.attrs["latitude"]) and record.sizes["time"] == 3


def test_declination_in_minutes_of_arc_becomes_nanotesla():
    """One minute of arc at H = 38000 nT is 11.05 nT (validity.md B1)."""
    rows = zip(minutes(2), [(38000.0, 59.0, -1.0, 99999.0), (38000.0, 61.0, -1.0, 99999.0)],
               strict=True)
    record = parse_iaga2002(make(rows, "HDZF"))
    assert record.attrs["declination_deg"] == 1.0
    np.testing.assert_allclose(record["D"], [-11.0538, 11.0538], atol=1e-4)
    np.testing.assert_allclose(record["H"], 38000.0 * np.cos(np.deg2rad(1 / 60)), rtol=1e-15)
    assert "F" not in record


def test_order_of_the_columns_is_theirs():
    """E H Z and D H Z files put the horizontals where the column names say."""
    rows = list(zip(minutes(2), [(445.0, 21000.0, 44000.0, 88888.0)] * 2, strict=True))
    record = parse_iaga2002(make(rows, "EHZF"))
    assert record["H"][0] == 21000.0 and record["D"][0] == 445.0 and record["Z"][0] == 44000.0
    assert record.attrs["declination_deg"] == 0.0
    swapped = parse_iaga2002(make(list(zip(minutes(2), [(-522.0, 26000.0, 42000.0, 49000.0)] * 2,
                                           strict=True)), "DHZF"))
    np.testing.assert_allclose(swapped["H"], 26000.0, rtol=1e-12)


def test_sensor_axes_are_turned_to_the_mean_horizontal():
    """U V W of a sensor at an unknown azimuth: H is the mean horizontal, and a note says so."""
    rows = list(zip(minutes(2), [(8330.0, -18968.0, 39293.0, 99999.0)] * 2, strict=True))
    record = parse_iaga2002(make(rows, "UVWF"))
    np.testing.assert_allclose(record["H"], np.hypot(8330, 18968), rtol=1e-9)
    assert "sensor axes" in record.attrs["notes"]


def test_record_without_baseline_keeps_its_axes():
    """A mean horizontal of 40 nT has no direction worth turning to."""
    rows = list(zip(minutes(2), [(9.18, -39.39, 89.73, 99999.99)] * 2, strict=True))
    record = parse_iaga2002(make(rows))
    assert record["H"][0] == 9.18 and record["D"][0] == -39.39
    assert "baseline" in record.attrs["notes"] and "F" not in record


def test_both_marks_become_nan_and_stay_apart():
    """99999 (missing) and 88888 (never recorded) are NaN, counted apart and written back as such."""
    rows = list(zip(minutes(3), [(*XYZ[0][:3], 88888.0), (99999.0, 99999.0, 99999.0, 99999.0),
                                 (*XYZ[2][:3], 49000.0)], strict=True))
    text = make(rows)
    record = parse_iaga2002(text)
    assert record.attrs["missing"] == [1, 1, 1, 1]
    assert record.attrs["not_recorded_count"] == [0, 0, 0, 1]
    assert np.isnan(record["H"][1]) and np.isnan(record["F"]).sum() == 2
    assert record["not_recorded"].values.tolist() == [8, 0, 0]


def test_coordinates_are_kept_noted_and_overridden():
    """A latitude that contradicts Z is kept and noted; one that is no angle becomes NaN."""
    wrong = make(PLAIN, head={"Geodetic Latitude": "-55.317"})
    record = parse_iaga2002(wrong)
    assert record.attrs["latitude"] == -55.317 and "wrong sign" in record.attrs["notes"]
    fixed = parse_iaga2002(wrong, latitude=55.317)
    assert fixed.attrs["latitude"] == 55.317 and fixed.attrs["notes"] == ""
    grid = parse_iaga2002(make(PLAIN, head={"Geodetic Latitude": "310086.6051"}))
    assert np.isnan(grid.attrs["latitude"]) and "310086.6051" in grid.attrs["notes"]


def test_stamps_win_over_the_declared_interval():
    """A header that says 1 minute over rows of seconds: the record is at 1 s, sub-seconds kept."""
    stamps = [f"2020-01-06 00:00:{s:02d}.500" for s in range(4)]
    record = parse_iaga2002(make(zip(stamps, [XYZ[0]] * 4, strict=True),
                                 head={"Data Interval Type": "1-minute"}))
    assert record.attrs["sampling_s"] == 1.0
    assert str(record["time"].values[0]) == "2020-01-06T00:00:00.500000000"


def test_missing_stamps_and_jitter_are_placed_and_told():
    """A left-out minute becomes NaN; stamps 200 ms off are moved to the axis; both are noted."""
    stamps = minutes(5)
    record = parse_iaga2002(make([(stamps[k], XYZ[0]) for k in (0, 1, 2, 4)]))
    assert record.sizes["time"] == 5 and np.isnan(record["H"].values).tolist() == [0, 0, 0, 1, 0]
    assert record.attrs["inserted_stamps"] == 1 and "inserted" in record.attrs["notes"]
    stamps[2] = stamps[2].replace(".000", ".200")
    record = parse_iaga2002(make(zip(stamps, [XYZ[0]] * 5, strict=True)))
    assert record.sizes["time"] == 5 and "moved by up to 0.2 s" in record.attrs["notes"]


def test_midnight_may_be_hour_24():
    """24:00 is the next midnight."""
    rows = [("2015-06-22 23:58:00.000", XYZ[0]), ("2015-06-22 23:59:00.000", XYZ[1]),
            ("2015-06-23 00:00:00.000", XYZ[2])]
    text = make(rows).replace("2015-06-23 00:00", "2015-06-22 24:00")
    assert parse_iaga2002(text).equals(parse_iaga2002(make(rows)))


GOOD = make(PLAIN)
ROW2, ROW3 = GOOD.splitlines()[-2], GOOD.splitlines()[-1]


@pytest.mark.parametrize(("text", "where"), [
    ("", "header"),
    ("\x00\x01\xff" * 99, "header"),
    (GOOD[:GOOD.index("DATE")], "header"),
    (GOOD[:GOOD.index("2015")], "line 8"),
    (GOOD[:-4], "line 10"),
    (GOOD[:-15], "line 10, column F"),
    (GOOD.replace(ROW3, ROW2), "line 10"),
    (GOOD.replace(ROW3, ROW3.replace("2015-06-23", "2015-06-21").replace("174", "172")), "line 10"),
    (GOOD.replace("17003.00", "17x03.00"), "line 9, column X"),
    (GOOD.replace("17003.00", "     nan"), "line 9, column X"),
    (GOOD.replace(ROW3, ROW3.replace("174", "175")), "line 10"),
    (GOOD.replace("23:59:00", "23:59:60"), "line 9"),
    (GOOD.replace("2015-06-23", "2015-06-31"), "line 10"),
    (GOOD.replace("ESKZ", "ESKQ"), "line 7, column names"),
    (GOOD + GOOD, "line 11"),
    (make(zip(minutes(3), [(99999.0,) * 4] * 3, strict=True)), "columns X, Y, Z"),
    (make([(t, XYZ[0]) for t in ("2015-06-22 00:00:00.000", "2015-06-22 00:01:00.000",
                                 "2015-06-22 00:01:30.000", "2015-06-22 00:02:30.000")]), "line "),
    (make([(t, XYZ[0]) for t in ("1990-06-22 00:00:00.000", "1990-06-22 00:00:01.000",
                                 "2015-06-22 00:01:30.000")]), "line"),
])
def test_bad_input_names_the_place(text, where):
    """Cut, binary, empty, repeated, backward, damaged and all-missing files end in one clear error."""
    with pytest.raises(InputError) as error:
        parse_iaga2002(text, "esk.min")
    assert str(error.value).startswith(f"esk.min, {where}")
    assert error.value.accepted


def test_packed_files_are_the_same_and_damage_is_told(tmp_path):
    """Plain, gzip and zip give one record, whatever the suffix; a cut archive is one clear error."""
    plain, packed, archive = tmp_path / "a.min", tmp_path / "a.min.gz", tmp_path / "a.zip"
    plain.write_text(GOOD)
    packed.write_bytes(gzip.compress(GOOD.encode()))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as handle:
        handle.writestr("a.min", GOOD)
    a, b, c = (read_iaga2002(path) for path in (plain, packed, archive))
    assert a.equals(b) and a.equals(c)
    packed.write_bytes(packed.read_bytes()[:-20])
    archive.write_bytes(archive.read_bytes()[:-20])
    empty = tmp_path / "empty"
    empty.touch()
    for path in (packed, archive, empty, tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            read_iaga2002(path)


@st.composite
def texts(draw):
    """Canonical files of every element set, some samples missing or never recorded."""
    elements = draw(st.sampled_from(["XYZF", "HDZF", "DHZF", "HEZF", "EHZG", "UVWF"]))
    step = draw(st.sampled_from([1, 60]))
    n = draw(st.integers(2, 12))
    cents = st.integers(-60_000_00, 60_000_00)
    half = {"H": st.integers(500_00, 45_000_00), "D": st.integers(-1_000_00, 1_000_00)}
    columns = {e: draw(st.lists(half.get(e, cents), min_size=n, max_size=n)) for e in elements}
    gone = draw(st.lists(st.sampled_from([None, None, None, 99999.0, 88888.0]), min_size=n, max_size=n))
    scalar = draw(st.lists(st.sampled_from([None, 99999.0, 88888.0]), min_size=n, max_size=n))
    gone[draw(st.integers(0, n - 1))] = None   # at least one sample
    stamps = pd.date_range("2019-12-31 23:59:55.250", periods=n, freq=f"{step}s")
    rows = []
    for k, stamp in enumerate(stamps):
        mark = {e: scalar[k] if e in "FG" else gone[k] for e in elements}
        rows.append((stamp.strftime("%Y-%m-%d %H:%M:%S.250"),
                     [columns[e][k] / 100 if mark[e] is None else mark[e] for e in elements]))
    return make(rows, elements)


def body(text):
    return text[text.index("DATE"):].splitlines()[1:]


@pytest.mark.slow
@FAST
@given(texts())
def test_writing_what_was_read_gives_the_same_rows(tmp_path, text):
    """write(read(text)) has the rows of text, whatever the components and marks."""
    written = write_iaga2002(parse_iaga2002(text), tmp_path / "w.min").read_text()
    assert [row.replace("-0.00", " 0.00") for row in body(text)] == body(written)


@FAST
@given(texts())
def test_reading_what_was_written_gives_the_same_record(tmp_path, text):
    """read(write(record)) is the record: values, times and attributes, bit for bit."""
    record = parse_iaga2002(text)
    again = read_iaga2002(write_iaga2002(record, tmp_path / "w.min"))
    assert again.drop_attrs().identical(record.drop_attrs())
    assert {k: v for k, v in again.attrs.items() if k != "source"} == {
        k: v for k, v in record.attrs.items() if k != "source"}


@FAST
@given(texts())
def test_fast_and_tolerant_parsers_agree(text):
    """Column-wise and line-by-line parsing give the same numbers bit for bit."""
    content = text[text.index("DATE"):].split("\n", 1)[1].rstrip("\n").encode()
    elements = list("ABCD")
    fixed = iaga2002_body.parse_fixed(content, 4)
    *lines, _ = iaga2002_body.parse_lines(content, elements, "t", 1)
    assert fixed is not None
    for a, b in zip(fixed, lines, strict=True):
        assert np.array_equal(a, b)


def test_a_body_longer_than_a_block_is_read_as_line_by_line():
    """Three blocks of rows, over midnights, marks and negative numbers: as `parse_lines`."""
    n = 2 * iaga2002_body.BLOCK + 100
    values = np.random.default_rng(5).normal(0, 3e4, (n, 4)).round(2)
    values[7] = 99999.0
    values[-1] = -0.0
    text = make(list(zip(minutes(n), map(tuple, values), strict=True)))
    body = text[text.index("|\n", text.index("DATE ")) + 2:].rstrip("\n").encode()
    fixed, (*lines, _) = iaga2002_body.parse_fixed(body, 4), iaga2002_body.parse_lines(body, "XYZF", "t", 1)
    for one, other in zip(fixed, lines, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(fixed[2], values.T)


def test_a_record_that_never_was_a_file_is_written_as_hez(tmp_path):
    """H, D, Z of 0.01 nT come back exactly; finer values to half of that."""
    record = parse_iaga2002(make(PLAIN))[["H", "D", "Z"]]
    record.attrs = {"station": "SCN", "sampling_s": 60.0, "latitude": -0.5459, "longitude": 100.298}
    again = read_iaga2002(write_iaga2002(record, tmp_path / "scn.min"))
    assert again.attrs["reported"] == "HEZNUL" and again.attrs["latitude"] == -0.5459
    for c in "HDZ":
        np.testing.assert_allclose(again[c], record[c], atol=0.005001)
    record["Z"][1] = 1e6
    with pytest.raises(InputError, match="column Z"):
        write_iaga2002(record, tmp_path / "scn.min")
    record["Z"][1] = 0.0
    record = record.assign_coords(time=record["time"] + np.timedelta64(1, "us"))
    with pytest.raises(InputError, match="1 ms"):
        write_iaga2002(record, tmp_path / "other.min")


def parses_or_explains(data):
    try:
        record = parse_iaga2002(data)
    except InputError:
        return
    step = np.diff(record["time"].values)
    assert (step == step[0]).all() if step.size else True
    assert all(record[c].dtype == float for c in "HDZ")
    assert all(not (np.abs(record[c].values) > 150_000).any() for c in "HDZ")


@FAST
@given(st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_explain(data):
    """No other exception than InputError, with and without a plausible beginning."""
    parses_or_explains(data)
    parses_or_explains(GOOD[:GOOD.index("2015-")].encode() + data)


@settings(FAST, max_examples=120)
@given(st.data())
def test_damaged_files_parse_or_explain(data):
    """Bytes changed, dropped or inserted in a valid file: a record on a uniform axis, or InputError."""
    raw = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        kind = data.draw(st.sampled_from(["set", "drop", "insert"]))
        byte = data.draw(st.sampled_from(b"0123456789-. \n\r|:XD\x00\xff"))
        if kind == "set":
            raw[at] = byte
        elif kind == "drop":
            del raw[at:at + data.draw(st.integers(1, 40))]
        else:
            raw.insert(at, byte)
    parses_or_explains(bytes(raw))


def day_of_seconds():
    rng = np.random.default_rng(0)
    times = np.datetime64("2020-01-01", "ms") + 1000 * np.arange(86_400)
    x = np.round(20_000 + rng.normal(size=(4, 86_400)).cumsum(1) * 0.01, 2)
    stamps = np.char.replace(np.datetime_as_string(times), "T", " ")
    return make(zip(stamps.tolist(), x.T.tolist(), strict=True))


def read_line_by_line(text):
    """Read rows as one would by hand: split, datetime, float."""
    times, values = [], []
    for line in text[text.index("\n2020") + 1:].splitlines():
        day, clock, _, *fields = line.split()
        times.append(np.datetime64(datetime.fromisoformat(f"{day} {clock}"), "ns"))
        values.append([float(field) for field in fields])
    return np.array(times), np.array(values)


@pytest.mark.slow
def test_a_day_of_seconds_is_read_as_a_plain_reader_reads_it():
    """The column-wise parser gives the times and values of a line-by-line reader, bit for bit."""
    text = day_of_seconds()
    times, values = read_line_by_line(text)
    record = parse_iaga2002(text.encode())
    assert (record["time"].values == times).all()
    kept = [(column, name) for column, name in enumerate(record.attrs["reported"]) if name in record]
    assert "Z" in dict(kept).values()
    for column, name in kept:
        assert np.array_equal(record[name].values, values[:, column]), name


FAMILIES = ("min1_ESK_2003", "min1_ESK_2015", "min1_BOU_2014-11", "min1_BOU_2016-01",
            "min1_HON_2000-08-07", "min1_JP_2011-03", "sec1_AIA_2020-03-03", "sec1_LLO_2020-01-06",
            "sec1_OTT_2018-12-01", "sec1_WIC")


@pytest.mark.real
@pytest.mark.parametrize("family", FAMILIES)
def test_real_files_agree_with_their_quality_table(data, family, tmp_path):
    """First and last stamp, samples, step and missing values are those of QC.csv; rows come back."""
    table = pd.read_csv(data / "geomag" / "QC.csv")
    table = table[table["file"].str.contains(f"/{family}/") & ~table["file"].str.contains("cdf|mseed")]
    assert len(table)
    for row in table.itertuples():
        path = data / row.file
        record = read_iaga2002(path)
        time_ = record["time"].values
        assert record.attrs["station"] == row.code
        assert time_[0] == np.datetime64(row.first) and time_[-1] == np.datetime64(row.last)
        assert record.sizes["time"] == row.n and record.attrs["inserted_stamps"] == 0
        assert str([record.attrs["sampling_s"]]) == row.steps_s
        lost = np.add(record.attrs["missing"], record.attrs["not_recorded_count"]).tolist()
        assert str(lost) == row.missing
    written = write_iaga2002(record, tmp_path / "w").read_text()   # the last file of each family
    raw = iaga2002.read_bytes(path).decode("latin-1").replace("99999.99", "99999.00")
    assert body(written) == [line.rstrip() for line in body(raw)]
