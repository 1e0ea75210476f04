import gzip
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth import ionex_body
from lib.earth.ionex import parse_ionex, read_ionex
from lib.earth.ionex_writer import write_ionex
from lib.earth.lzw import unpack_lzw
from lib.earth.rawfile import read_bytes
from lib.files import InputError

FAST = settings(max_examples=25, deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])
NAN = np.nan
LON = (-180.0, 180.0, 60.0)      # seven values, one line
WIDE = (-180.0, 180.0, 5.0)      # 73 values, five lines


def line(text="", label="", width=80):
    return f"{text:<60}{label:<{width - 60}}"


def header(n=1, lat=(5.0, -5.0, -5.0), lon=LON, exponent=-1, drop=(), **more):
    """Header lines by hand; `drop` leaves labels out, `more` replaces the text of one (spaces as _)."""
    fields = {"INTERVAL": "  7200", "# OF MAPS IN FILE": f"{n:6d}", "MAPPING FUNCTION": "  COSZ",
              "BASE RADIUS": "  6371.0", "MAP DIMENSION": "     2",
              "HGT1 / HGT2 / DHGT": "   450.0 450.0   0.0",
              "LAT1 / LAT2 / DLAT": "  " + "".join(f"{x:6.1f}" for x in lat),
              "LON1 / LON2 / DLON": "  " + "".join(f"{x:6.1f}" for x in lon),
              "EXPONENT": f"{exponent:6d}", "END OF HEADER": ""}
    fields |= {key.replace("_", " "): text for key, text in more.items()}
    return [line("     1.0            IONOSPHERE MAPS     GPS", "IONEX VERSION / TYPE"),
            line("a program           somebody            01-JAN-20 00:00", "PGM / RUN BY / DATE"),
            line("made by hand", "COMMENT"), line("DIFFERENTIAL CODE BIASES", "START OF AUX DATA"),
            line("   G01    -0.701     0.012", "PRN / BIAS / RMS"),
            line("DIFFERENTIAL CODE BIASES", "END OF AUX DATA"),
            *(line(text, label) for label, text in fields.items() if label not in drop)]


def values_of(row):
    return ["".join(f"{v:5d}" for v in row[k:k + 16]) for k in range(0, len(row), 16)]


def one_map(rows, epoch=(2020, 1, 1, 0, 0, 0), lats=(5.0, 0.0, -5.0), lon=LON, kind="TEC", number=1,
            height=450.0, end=True, extra=()):
    """Lines of a map by hand."""
    out = [line(f"{number:6d}", f"START OF {kind} MAP"),
           line("".join(f"{x:6d}" for x in epoch), "EPOCH OF CURRENT MAP"), *extra]
    for lat, row in zip(lats, rows, strict=True):
        out.append(line(f"  {lat:6.1f}" + "".join(f"{x:6.1f}" for x in lon) + f"{height:6.1f}",
                        "LAT/LON1/LON2/DLON/H"))
        out += values_of(row)
    return out + [line(f"{number:6d}", f"END OF {kind} MAP")] * end


EOF = [line("", "END OF FILE")]
ROWS = [[1, 2, 3, 4, 5, 6, 1], [11, 12, 13, 14, 15, 16, 11], [21, 22, 23, 24, 25, 26, 21]]   # north to south


def text(*parts):
    return "\n".join(entry for part in parts for entry in part) + "\n"


PLAIN = text(header(), one_map(ROWS), EOF)


def naive(content):
    """Second reading, line by line: {kind: {hours since 1970: {latitude: values}}}, 9999 kept apart."""
    from datetime import datetime, timedelta
    exponent, maps, inside = -1, {"TEC": {}, "RMS": {}}, False
    for entry in content.split("\n"):
        label = entry[60:80].strip()
        if label == "EXPONENT":
            exponent = int(entry[:6])
        elif label.startswith("START OF") and label.endswith("MAP"):
            kind, inside = label.split()[2], True
        elif label.startswith("END OF") and label.endswith("MAP"):
            inside = False
        elif label == "EPOCH OF CURRENT MAP":
            year, month, day, hour, minute, second = (float(entry[k:k + 6]) for k in range(0, 36, 6))
            epoch = datetime(int(year), int(month), int(day)) + timedelta(
                hours=hour, minutes=minute, seconds=second)
            rows = maps[kind].setdefault(np.datetime64(epoch, "ns"), {})
        elif label == "LAT/LON1/LON2/DLON/H":
            row = rows.setdefault(float(entry[2:8]), [])
        elif inside:
            for k in range(0, len(entry.rstrip()), 5):
                number = int(entry[k:k + 5])
                row.append(NAN if number == 9999 else float(f"{number}e{exponent}"))
    return maps


def cube(maps):
    return np.array([[rows[lat] for lat in sorted(rows)] for _, rows in sorted(maps.items())])


def test_hand_written_file_is_parsed_exactly():
    """One map of three latitudes: values, axes and attributes are those written above."""
    maps = parse_ionex(PLAIN)
    assert maps["tec"].dims == ("time", "latitude", "longitude") and "rms" not in maps
    assert maps["tec"].sel(latitude=5.0).values.tolist() == [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.1]]
    assert maps["latitude"].values.tolist() == [-5.0, 0.0, 5.0]
    assert maps["longitude"].values.tolist() == [-180.0, -120.0, -60.0, 0.0, 60.0, 120.0, 180.0]
    assert str(maps["time"].values[0]) == "2020-01-01T00:00:00.000000000"
    attrs = maps.attrs
    assert (attrs["program"], attrs["run_by"], attrs["system"]) == ("a program", "somebody", "GPS")
    assert (attrs["height_km"], attrs["interval_s"], attrs["exponent"]) == (450.0, 7200.0, -1)
    assert attrs["base_radius_km"] == 6371.0 and attrs["mapping_function"] == "COSZ" and attrs["notes"] == ""
    assert attrs["description"] == "made by hand"


def test_values_of_five_characters_may_touch():
    """RMextract #29: the columns are fixed, nothing is split at spaces or minus signs."""
    row = [-1234, 12345, -9998, 99999, 10000, -1, 9998]
    assert "-123412345-99989999910000   -1 9998" in values_of(row)
    maps = parse_ionex(text(header(), one_map([row, *ROWS[1:]]), EOF))
    assert maps["tec"].sel(latitude=5.0).values[0].tolist() == [v / 10 for v in row]


@pytest.mark.parametrize("n, step", [(12, 2), (13, 2), (25, 1), (1, 2), (96, 0.25)])
def test_any_number_of_maps(n, step):
    """Thirteen maps are no law (ionFR #4): 12, 25, one and ROB's 96 are read, each at its own epoch."""
    hours = step * np.arange(n)
    epochs = [(2020, 1, 1 + int(h // 24), int(h % 24), round(60 * (h % 1)), 0) for h in hours]
    parts = [one_map(np.add(ROWS, k).tolist(), epoch) for k, epoch in enumerate(epochs)]
    maps = parse_ionex(text(header(n), *parts, EOF))
    assert maps.sizes["time"] == n
    elapsed = (maps["time"].values - maps["time"].values[0]) / np.timedelta64(1, "h")
    assert np.array_equal(elapsed, hours)
    assert np.allclose(maps["tec"].values[:, 2, 0], (1 + np.arange(n)) / 10)


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("tail", [EOF, [], ["", "  "]])
def test_missing_end_lines_below_whole_maps_are_harmless(end, tail):
    """RMextract #21: END OF TEC MAP and END OF FILE may be missing where the maps are whole."""
    parts, whole = ([one_map(np.add(ROWS, k).tolist(), (2020, 1, 1, 2 * k, 0, 0), end=e) for k in range(3)]
                    for e in (end, True))
    expected = parse_ionex(text(header(3), *whole, EOF))
    assert parse_ionex(text(header(3), *parts, tail)).equals(expected)


def test_map_cut_short_is_told_where():
    """RMextract #21, the other half: a map that ends before its last latitude is a cut file."""
    lines = text(header(2), one_map(ROWS), one_map(ROWS, (2020, 1, 1, 2, 0, 0))).splitlines()
    n_header = len(header())
    for keep, where in ((-3, len(lines) - 3), (-2, len(lines) - 2), (n_header + 9, n_header + 9)):
        with pytest.raises(InputError, match=rf"^cut, line {where}:"):
            parse_ionex("\n".join(lines[:keep]), "cut")
    del lines[n_header + 6:n_header + 8]     # the last latitude of the first map
    with pytest.raises(InputError, match=rf"line {n_header + 7}: .*END OF TEC MAP.*3 latitudes.*not 2"):
        parse_ionex("\n".join(lines), "cut")


def test_fewer_maps_than_announced():
    """Without END OF FILE that is a cut file, with it a note."""
    body = [header(3), one_map(ROWS), one_map(ROWS, (2020, 1, 1, 2, 0, 0))]
    with pytest.raises(InputError, match="3 maps as the header says"):
        parse_ionex(text(*body))
    assert "3 maps, the file has 2" in parse_ionex(text(*body, EOF)).attrs["notes"]


def test_sixteen_values_a_line_are_kept():
    """A row of 73 values is five lines of 80 characters, not of 60 (gnssplusplus #78)."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 1000, (3, 73)).tolist()
    content = text(header(lon=WIDE), one_map(rows, lon=WIDE), EOF)
    assert max(map(len, content.splitlines())) == 80
    assert np.array_equal(parse_ionex(content)["tec"].values[0], np.array(rows)[::-1] / 10)


def test_lines_that_were_clipped_are_refused():
    """The same damage in the file itself: the first clipped line is named."""
    rows = np.full((3, 73), 123).tolist()
    lines = text(header(lon=WIDE), one_map(rows, lon=WIDE), EOF).splitlines()
    first = len(header()) + 3
    clipped = [entry[:60] if k >= first and not entry[60:61].isalpha() else entry
               for k, entry in enumerate(lines)]
    with pytest.raises(InputError, match=rf"^a, line {first + 1}: .*16 whole numbers"):
        parse_ionex("\n".join(clipped), "a")


def test_maps_of_several_heights_are_refused():
    """nav-solutions/rinex #53: a height axis is never mixed into one map."""
    rows = one_map(ROWS)[:-1] + one_map(ROWS, height=500.0)[2:]
    with pytest.raises(InputError, match="one grid and one height"):
        parse_ionex(text(header(), rows, EOF))
    assert parse_ionex(text(header(), one_map(ROWS, height=350.0), EOF)).attrs["height_km"] == 350.0


@pytest.mark.parametrize("content, hint", [
    ("<!DOCTYPE html>\n<html><body>Earthdata login</body></html>", "web page"),
    (line("     2.11           N: GPS NAV DATA", "RINEX VERSION / TYPE"), "RINEX"),
    (line("     1.0            IONOSPHERE MAPS", "IONEX VERSION / TYPE"), "END OF HEADER"),
    (line("     2.0            IONOSPHERE MAPS", "IONEX VERSION / TYPE"), "IONEX file")])
def test_what_is_no_ionex_file_is_named(content, hint):
    """VLBI_pipeline #7 (a login page saved as a map), gnss-tec #7 (the other kind of GNSS file)."""
    with pytest.raises(InputError, match=hint):
        parse_ionex(content)


@pytest.mark.parametrize("fields, expected", [
    ((2019, 12, 31, 24, 0, 0), "2020-01-01T00:00:00"), ((2000, 1, 1, 22, 59, 60), "2000-01-01T23:00:00"),
    ((2020, 2, 29, 23, 60, 0), "2020-03-01T00:00:00"), ((2020, 1, 1, 1, 0, -60), "2020-01-01T00:59:00"),
    ((2020, 1, 1, 0, 0, -60), "2019-12-31T23:59:00")])
def test_hour_24_and_second_60_are_carried(fields, expected):
    """RMextract #29 (hour 24) and stamps such as 22:59:60 name the next hour or day."""
    maps = parse_ionex(text(header(), one_map(ROWS, fields), EOF))
    assert str(maps["time"].values[0])[:19] == expected


@pytest.mark.parametrize("fields", [(2021, 2, 29, 0, 0, 0), (2020, 13, 1, 0, 0, 0), (2020, 1, 1, 25, 0, 0),
                                    (2020, 1, 1, 24, 0, 1), (20, 1, 1, 0, 0, 0), (2020, 1, 1, 0, 61, 0)])
def test_times_that_do_not_exist_are_refused(fields):
    with pytest.raises(InputError, match=f"line {len(header()) + 2}: .*time that exists"):
        parse_ionex(text(header(), one_map(ROWS, fields), EOF))


@pytest.mark.parametrize("exponent, factor", [(-3, 1e-3), (-1, 0.1), (0, 1.0), (2, 100.0)])
def test_exponent_scales_and_9999_is_missing_whatever_it_is(exponent, factor):
    rows = [[9999, 7, 9998, 0, 1, 2, 9999], *ROWS[1:]]
    maps = parse_ionex(text(header(exponent=exponent), one_map(rows), EOF))
    got = maps["tec"].sel(latitude=5.0).values[0]
    np.testing.assert_allclose(got, [NAN, 7 * factor, 9998 * factor, 0, factor, 2 * factor, NAN], rtol=1e-15)
    missing = parse_ionex(text(header(drop=("EXPONENT",)), one_map(rows), EOF))   # -1 unless told
    assert missing["tec"].sel(latitude=5.0).values[0, 1] == 0.7


def test_exponent_changed_between_maps_holds_until_the_next():
    """An EXPONENT line inside a map counts from there on."""
    change = [line("    -2", "EXPONENT")]
    parts = [one_map(ROWS, (2020, 1, 1, h, 0, 0), extra=change if h == 2 else ()) for h in (0, 2, 4)]
    maps = parse_ionex(text(header(3), *parts, EOF))
    assert maps["tec"].values[:, 2, 0].tolist() == [0.1, 0.01, 0.01] and maps.attrs["exponent"] == -1


def test_grids_of_any_direction_and_step():
    """Latitudes upward, longitudes from 0, a regional grid and one without grid lines in its header."""
    up = parse_ionex(text(header(lat=(-5.0, 5.0, 5.0)), one_map(ROWS[::-1], lats=(-5.0, 0.0, 5.0)), EOF))
    assert up["tec"].equals(parse_ionex(PLAIN)["tec"])
    east = (300.0, 0.0, -60.0)
    turned = parse_ionex(text(header(lon=east), one_map([r[:6] for r in ROWS], lon=east), EOF))
    assert turned["longitude"].values.tolist() == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]
    assert turned["tec"].sel(latitude=5.0).values[0].tolist() == [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    region = (-15.0, 25.0, 0.5)
    rows = [list(range(81)), list(range(100, 181))]
    rob = parse_ionex(text(header(lat=(62.0, 61.5, -0.5), lon=region),
                           one_map(rows, lats=(62.0, 61.5), lon=region), EOF))
    assert rob["tec"].sel(latitude=62.0, longitude=25.0).item() == 8.0
    bare = header(drop=("INTERVAL", "EXPONENT", "LAT1 / LAT2 / DLAT", "LON1 / LON2 / DLON",
                        "HGT1 / HGT2 / DHGT", "# OF MAPS IN FILE", "MAP DIMENSION"))
    odd = parse_ionex(text(bare, one_map(ROWS), EOF))
    assert odd["tec"].equals(parse_ionex(PLAIN)["tec"]) and np.isnan(odd.attrs["interval_s"])


def test_odd_headers_and_line_ends():
    """No INTERVAL value, seconds as 0.00, CRLF, padded or stripped lines: the same maps."""
    two = text(header(2), one_map(ROWS), one_map(ROWS, (2020, 1, 1, 1, 0, 0)), EOF)
    maps = parse_ionex(two)
    assert maps.attrs["interval_s"] == 3600.0 and "7200 s" in maps.attrs["notes"]
    for variant in (two.replace("  7200", "      "), two.replace("\n", "\r\n"),
                    two.replace("     0" + 24 * " " + "EPOCH", "  0.00" + 24 * " " + "EPOCH"),
                    "\n".join(entry.rstrip() for entry in two.splitlines()),
                    "\n".join(f"{entry:<80}" for entry in two.splitlines()) + "\n\x1a"):
        assert variant != two and parse_ionex(variant).equals(maps)


def test_rms_maps_stand_on_the_epochs_of_tec():
    """RMS in any order; an epoch without one is NaN; an epoch of its own is refused."""
    tec = [one_map(np.add(ROWS, h).tolist(), (2020, 1, 1, h, 0, 0)) for h in (0, 2)]
    rms = one_map(ROWS, (2020, 1, 1, 2, 0, 0), kind="RMS")
    maps = parse_ionex(text(header(2), *tec, rms, EOF))
    assert np.isnan(maps["rms"].values[0]).all() and maps["rms"].values[1, 2, 0] == 0.1
    with pytest.raises(InputError, match="RMS map: .*epoch of a TEC map"):
        parse_ionex(text(header(2), *tec, one_map(ROWS, (2020, 1, 1, 3, 0, 0), kind="RMS"), EOF))
    with pytest.raises(InputError, match="one for each of 2 TEC maps"):
        parse_ionex(text(header(2), *tec, rms))
    high = one_map(ROWS, kind="HEIGHT")
    assert "height left out" in parse_ionex(text(header(2), *tec, high, EOF)).attrs["notes"]


def test_one_epoch_has_one_map():
    """Unsorted maps are sorted; a repeated epoch is dropped if equal and refused if not."""
    a, b = one_map(ROWS), one_map(np.add(ROWS, 5).tolist(), (2020, 1, 1, 2, 0, 0))
    assert parse_ionex(text(header(2), b, a, EOF)).equals(parse_ionex(text(header(2), a, b, EOF)))
    assert parse_ionex(text(header(2), a, b, a, EOF)).sizes["time"] == 2
    with pytest.raises(InputError, match="one map an epoch"):
        parse_ionex(text(header(2), a, b, one_map(ROWS, (2020, 1, 1, 2, 0, 0)), EOF))


N = len(header())


@pytest.mark.parametrize("content, where, hint", [
    (PLAIN.replace("   12   13", "   12  1x3"), f"line {N + 6}", "7 whole numbers"),
    (PLAIN.replace("   12   13", "   12     "), f"line {N + 6}", "7 whole numbers"),
    (PLAIN.replace("   12   13", "   12 1-13"), f"line {N + 6}", "7 whole numbers"),
    (PLAIN.replace("   11\n", "   11    1\n"), f"line {N + 6}", "7 whole numbers"),
    (PLAIN.replace("  EPOCH OF CURRENT", "  EPOCH OF CURRXNT"), f"line {N + 2}", "label"),
    (PLAIN.replace("     0.0-180.0", "     0.0-175.0"), f"line {N + 5}", "latitude, first"),
    (PLAIN.replace("     0.0-180.0 180.0  60.0", "     0.0-180.0 120.0  60.0"), f"line {N + 5}", "one grid"),
    (PLAIN.replace("     0.0-180.0", "     1.0-180.0"), f"line {N + 9}", "3 latitudes"),
    (PLAIN + "     1\n", f"line {N + 11}", "label of IONEX"),
    (PLAIN + PLAIN, f"line {N + 11}", "joined"),
    (text(header(), EOF), f"line {N + 1}", "at least one"),
    (text(header()), f"line {N + 1}", "at least one"),
    (text(header(), one_map(ROWS)[1:], EOF), f"line {N + 1}", "label"),
    (text(header(), one_map(ROWS, kind="RMS"), EOF), f"line {N + 10}", "at least one"),
    (text(header(EXPONENT="   1.5"), one_map(ROWS)), f"line {N - 1}, EXPONENT", "whole number"),
    (text(header(lon=(-180.0, 180.0, 30.0)), one_map(ROWS)), f"line {N + 3}", "header announces"),
    (text(header(lat=(5.0, -5.0, 0.0)), one_map(ROWS)), f"line {N - 3}, LAT1", "columns of six")])
def test_damage_is_told_with_file_and_line(content, where, hint):
    with pytest.raises(InputError, match=hint) as error:
        parse_ionex(content, "maps.20i")
    assert str(error.value).startswith(f"maps.20i, {where}"), str(error.value)


def test_unusual_numbers_take_the_slow_way_to_the_same_values():
    """Left-adjusted or with a plus sign: every line is read one by one, and nothing changes."""
    odd = PLAIN.replace("   12   13", "12     +13")
    assert parse_ionex(odd).equals(parse_ionex(PLAIN))


@st.composite
def datasets(draw):
    n_lat, n_lon, n = draw(st.integers(1, 4)), draw(st.integers(1, 40)), draw(st.integers(1, 3))
    exponent = draw(st.sampled_from([-2, -1, 0, 1]))
    whole = draw(st.lists(st.integers(-9999, 9998) | st.integers(10000, 99999) | st.none(),
                          min_size=n * n_lat * n_lon, max_size=n * n_lat * n_lon))
    scaled = [NAN if v is None else float(f"{v}e{exponent}") for v in whole]
    tec = np.array(scaled).reshape(n, n_lat, n_lon)
    coords = {"time": np.datetime64("2019-12-31T22:59:30", "ns") + np.arange(n) * np.timedelta64(3600, "s"),
              "latitude": -10.0 + 2.5 * np.arange(n_lat), "longitude": -180 + 5.0 * np.arange(n_lon)}
    names = ["tec", "rms"] if draw(st.booleans()) else ["tec"]
    return xr.Dataset({name: (("time", "latitude", "longitude"), tec) for name in names}, coords,
                      {"exponent": exponent})


@FAST
@given(datasets())
def test_reading_what_was_written_gives_the_same_maps(tmp_path, dataset):
    """read(write(maps)) is maps, bit for bit, and what the naive reader sees."""
    path = write_ionex(dataset, tmp_path / "w.inx")
    again = read_ionex(path)
    assert again.equals(dataset)
    assert np.array_equal(again["tec"].values, cube(naive(path.read_text())["TEC"]), equal_nan=True)


@FAST
@given(datasets())
def test_fast_and_tolerant_parsers_agree(tmp_path, dataset):
    """All lines at once and one by one give the same numbers."""
    content = write_ionex(dataset, tmp_path / "w.inx").read_bytes()
    fast = parse_ionex(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ionex_body, "parse_fixed", lambda *_: None)
        assert parse_ionex(content).identical(fast)


def test_what_cannot_be_written_is_refused(tmp_path):
    maps = parse_ionex(PLAIN)
    for value, hint in ((999.9, "9999"), (1e5, "exponent"), (-1000.0, "exponent")):
        with pytest.raises(InputError, match=hint):
            write_ionex(maps.assign(tec=maps["tec"] + value - maps["tec"].values[0, 0, 0]), tmp_path / "w")
    with pytest.raises(InputError, match="whole seconds"):
        write_ionex(maps.assign_coords(time=maps["time"] + np.timedelta64(1, "ms")), tmp_path / "w")
    with pytest.raises(InputError, match="even steps"):
        write_ionex(maps.isel(longitude=[0, 1, 3]), tmp_path / "w")
    assert not list(tmp_path.iterdir())


def parses_or_explains(content):
    try:
        maps = parse_ionex(content, "maps.20i")
    except InputError as error:
        assert str(error).startswith("maps.20i, ")
        assert "line" in error.where or "all maps" in error.where
        return
    assert maps["tec"].dtype == float and maps["tec"].size
    assert (np.diff(maps["time"].values) > np.timedelta64(0)).all()


FUZZ = text(header(2), one_map(ROWS), one_map(ROWS, (2020, 1, 1, 2, 0, 0)), EOF).encode()


@FAST
@given(st.binary(max_size=200))
def test_arbitrary_bytes_parse_or_explain(data):
    parses_or_explains(data)
    parses_or_explains(text(header()).encode() + data)
    parses_or_explains(FUZZ[:-81] + data)


@settings(FAST, max_examples=250)
@given(st.data())
def test_damaged_files_parse_or_explain(data):
    """Cut, overwritten, lines lost, repeated or swapped: values or an error with file and line."""
    content = bytearray(FUZZ)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 90))
        how = data.draw(st.sampled_from(["cut", "write", "drop", "repeat", "line"]))
        if how == "cut":
            del content[at:]
        elif how == "write":
            content[at:at + 1] = data.draw(st.sampled_from([b"\n", b"-", b"9", b"A", b"\xff", b" ", b"\0"]))
        elif how == "drop":
            del content[at:at + length]
        elif how == "repeat":
            content[at:at] = content[at:at + length]
        else:
            lines = content.split(b"\n")
            k = at % len(lines)
            lines[k:k + 1] = data.draw(st.sampled_from([[], [lines[k]] * 2, lines[k - 1:k]]))
            content = bytearray(b"\n".join(lines))
    parses_or_explains(bytes(content))


def lzw_runs(content, widest, block):
    """Codes of one table as (width, codes) runs; the width grows when the next code may not fit."""
    table, codes, runs, bits, prefix = {}, [], [], 9, content[:1]
    for byte in [*(content[k:k + 1] for k in range(1, len(content))), None]:
        if byte is not None and prefix + byte in table:
            prefix += byte
            continue
        codes.append(table.get(prefix, prefix[0]))
        free = 256 + block + sum(len(run) for _, run in runs) + len(codes) - 1
        if byte is not None and free < 1 << widest:
            table[prefix + byte] = free
        if free + 1 > 1 << bits and bits < widest:
            runs.append((bits, codes))
            codes, bits = [], bits + 1
        prefix = byte
    return [*runs, (bits, codes)]


def pack_lzw(content, widest=16, block=True, clear_every=None):
    """Pack as Unix compress does, written anew for the tests; the table is cleared every so many bytes."""
    size, runs = clear_every or len(content), []
    for k in range(0, len(content), size):
        part = lzw_runs(content[k:k + size], widest, block)
        if k + size < len(content):
            part[-1][1].append(256)
        runs += part
    out = bytearray((0x1F, 0x9D, widest | 128 * block))
    for n, (bits, codes) in enumerate(runs, 1):
        whole = sum(code << (bits * k) for k, code in enumerate(codes))
        n_codes = len(codes) if n == len(runs) else 8 * -(-len(codes) // 8)   # padded but for the last
        out += whole.to_bytes(-(-bits * n_codes // 8), "little")
    return bytes(out)


@pytest.mark.parametrize("widest, block, clear_every", [(16, True, None), (16, False, None), (12, True, None),
                                                        (10, True, 900), (16, True, 777), (13, False, None)])
def test_compress_is_unpacked(widest, block, clear_every):
    """Every width, with and without cleared tables, runs of one byte included."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, 9_000, np.uint8).tobytes()
    content = PLAIN.encode() + b"a" * 3000 + noise + PLAIN.encode()
    assert unpack_lzw(pack_lzw(content, widest, block, clear_every)) == content
    assert unpack_lzw(pack_lzw(b"x", widest, block)) == b"x"


@pytest.mark.parametrize("data", [b"\x1f\x9d", b"\x1f\x9d\x88ab", b"\x1f\x9d\x91ab", b"\x1f\x9d\xf0ab",
                                  b"abc", b"\x1f\x9d\x90\xff\xff\xff"])
def test_damaged_compress_is_refused(data):
    with pytest.raises(InputError, match="bytes"):
        unpack_lzw(data, "a.Z")


@FAST
@given(st.binary(max_size=80))
def test_arbitrary_codes_unpack_or_explain(data):
    for head in (b"\x1f\x9d\x90", b"\x1f\x9d\x0c"):
        try:
            assert isinstance(unpack_lzw(head + data), bytes)
        except InputError as error:
            assert "bytes" in error.where


def test_packed_files_are_the_same(tmp_path):
    """Plain, gzip and .Z give one set of maps; a cut one is one clear error."""
    packed = {"a.20i": PLAIN.encode(), "a.gz": gzip.compress(PLAIN.encode()), "a.Z": pack_lzw(PLAIN.encode())}
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
        assert read_ionex(tmp_path / name).equals(parse_ionex(PLAIN))
        (tmp_path / name).write_bytes(content[:len(content) // 2])
        with pytest.raises(InputError, match=re.escape(str(tmp_path / name))):
            read_ionex(tmp_path / name)
    with pytest.raises(InputError):
        read_ionex(tmp_path / "none")


@pytest.mark.real
def test_every_real_file_agrees_with_a_reading_line_by_line(data):
    """Fourteen files of eight centres: epochs, latitudes, TEC and RMS are those of the naive reader."""
    paths = sorted((data / "ionosphere" / "ionex").iterdir())
    assert len(paths) == 14
    for path in paths:
        maps = read_ionex(path)
        raw = read_bytes(path)
        content = raw.decode("latin-1")
        second = naive(content)
        assert np.array_equal(maps["time"].values, sorted(second["TEC"])), path.name
        assert np.array_equal(maps["latitude"].values, -87.5 + 2.5 * np.arange(71)), path.name
        assert np.array_equal(maps["longitude"].values, -180 + 5.0 * np.arange(73)), path.name
        assert np.array_equal(maps["tec"].values, cube(second["TEC"]), equal_nan=True), path.name
        assert ("rms" in maps) == bool(second["RMS"]), path.name
        if second["RMS"]:
            assert np.array_equal(maps["rms"].values, cube(second["RMS"]), equal_nan=True), path.name


@pytest.mark.real
def test_real_oddities_are_read_as_they_are_described(data):
    """The data list names them: 3072 missing values, 22:59:60, 12 maps from 01:00, 25 maps, 350 km."""
    folder = data / "ionosphere" / "ionex"
    upc = read_ionex(folder / "ionex_file.00i.gz")
    assert int(np.isnan(upc["tec"]).sum() + np.isnan(upc["rms"]).sum()) == 3072
    assert str(upc["time"].values[-1])[:19] == "2000-01-01T23:00:00" and upc.sizes["time"] == 12
    code = read_ionex(folder / "codg0080.20i.Z")
    assert (code.sizes["time"], code.attrs["interval_s"], code.attrs["run_by"]) == (25, 3600.0, "AIUB")
    assert read_ionex(folder / "CKMG0080.09I.gz").attrs["height_km"] == 350.0
    assert read_ionex(folder / "casg0010.99i.Z").attrs["interval_s"] == 7200.0


@pytest.mark.real
def test_writing_real_maps_gives_them_back(data, tmp_path):
    maps = read_ionex(data / "ionosphere" / "ionex" / "esag0080.20i.Z")
    again = read_ionex(write_ionex(maps, tmp_path / "esa.inx"))
    assert again.drop_attrs().identical(maps.drop_attrs())
    assert {k: v for k, v in again.attrs.items() if k != "source"} == {
        k: v for k, v in maps.attrs.items() if k != "source"}
