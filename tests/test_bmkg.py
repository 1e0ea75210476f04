import gzip

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.earth.bmkg import BLOCK, parse_bmkg_day, read_bmkg_day, write_bmkg_day
from lib.files import InputError

FAST = settings(max_examples=12, deadline=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])


def a_day(seed=0, station="ALR", date="2025-01-01"):
    """One day near the field at Alor, in steps of 0.01 nT, with a gap."""
    rng = np.random.default_rng(seed)
    raw = np.array([[3746359], [-3632], [-2325402]]) + rng.integers(-9000, 9000, (3, 86_400))
    x = raw / 100.0
    x[:, 25_083:25_147] = np.nan
    time = np.datetime64(date, "ns") + np.arange(86_400).astype("timedelta64[s]")
    return xr.Dataset({c: ("time", x[k]) for k, c in enumerate("HDZ")}, {"time": time},
                      {"station": station, "sampling_s": 1.0})


@pytest.fixture(scope="module")
def day_bytes(tmp_path_factory):
    return write_bmkg_day(a_day(), tmp_path_factory.mktemp("bmkg") / "S250101.ALR").read_bytes()


def test_bytes_written_by_hand_are_decoded():
    """The 24-bit numbers, signs, header date and invalid mark of the published layout."""
    header = b"\x000ALR\x19\x01\x02%c%c" + bytes(17) + b"\x86" + bytes(2)
    record = (3765416).to_bytes(3, "little", signed=True) \
        + (-1567).to_bytes(3, "little", signed=True) \
        + (-2316174).to_bytes(3, "little", signed=True) + bytes(8)
    lost = b"\xff\xff\x7f" * 3 + bytes(8)
    data = b"".join(header % divmod(10 * k, 60) + lost + record * 599 for k in range(144)) + b"\1\2\3"
    day = parse_bmkg_day(data)
    assert (day["H"][1], day["D"][1], day["Z"][1]) == (37654.16, -15.67, -23161.74)
    assert np.isnan(day["H"][[0, 600]]).all() and day.attrs["missing"] == [144, 144, 144]
    assert str(day["time"].values[-1]) == "2025-01-02T23:59:59.000000000"
    assert day.attrs["station"] == "ALR" and day.attrs["supply_v"] == [13.4, 13.4]
    assert (day.attrs["latitude"], day.attrs["longitude"]) == (-8.1442, 124.59)


@FAST
@given(st.integers(0, 10**6), st.sampled_from(["ALR", "GTO", "XYZ"]),
       st.dates(np.datetime64("2000-01-01").item(), np.datetime64("2255-12-31").item()))
def test_reading_what_was_written_gives_the_same_day(tmp_path, seed, station, date):
    """read(write(record)) has the same H, D, Z, times and station, bit for bit."""
    day = a_day(seed, station, str(date))
    again = read_bmkg_day(write_bmkg_day(day, tmp_path / "S.ALR"))
    assert again[["H", "D", "Z"]].drop_attrs().identical(day.drop_attrs())
    assert again.attrs["station"] == station
    assert np.isnan(again.attrs["latitude"]) == (station == "XYZ")


def test_gzip_is_read_and_other_packing_told(day_bytes, tmp_path):
    """A .gz day is the same day; a cut one is one clear error."""
    path = tmp_path / "S250101.ALR.gz"
    path.write_bytes(gzip.compress(day_bytes, 1))
    assert read_bmkg_day(path).equals(parse_bmkg_day(day_bytes))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="gzip stream"):
        read_bmkg_day(path)


def change(data, at, byte):
    return data[:at] + bytes([byte]) + data[at + 1:]


@pytest.mark.parametrize(("damage", "where"), [
    (lambda b: b"", "header"),
    (lambda b: b"text" * 99, "header"),
    (lambda b: b[:-1], "file length"),
    (lambda b: b + bytes(4), "file length"),
    (lambda b: b[:BLOCK] * 144, "header of block 1"),
    (lambda b: change(b, 7 * BLOCK + 2, ord("G")), "header of block 7"),
    (lambda b: b[BLOCK:] + b[:BLOCK], "header of block 0"),
    (lambda b: b"".join(change(b[k * BLOCK:(k + 1) * BLOCK], 7, 31)
                        for k in range(144)).replace(b"\x19\x01\x1f", b"\x19\x02\x1f"),
     "header, date"),
    (lambda b: b"".join(b[k * BLOCK:k * BLOCK + 30] + (b"\xff\xff\x7f" * 3 + bytes(8)) * 600
                        for k in range(144)), "columns H, E, Z"),
])
def test_bad_input_names_the_place(day_bytes, damage, where):
    """Empty, foreign, cut, repeated, mixed, shifted, misdated and all-missing: one clear error."""
    with pytest.raises(InputError) as error:
        parse_bmkg_day(damage(day_bytes), "S250101.ALR")
    assert str(error.value).startswith(f"S250101.ALR, {where}")


@FAST
@given(st.data())
def test_damaged_days_parse_or_explain(day_bytes, data):
    """Bytes changed, dropped or added: 86400 samples within the instrument's range, or InputError."""
    at = data.draw(st.one_of(st.integers(0, 40), st.integers(0, len(day_bytes) - 1)))
    byte = data.draw(st.integers(0, 255))
    damaged = data.draw(st.sampled_from([change(day_bytes, at, byte), day_bytes[:at],
                                         day_bytes[:at] + day_bytes[at + 1:],
                                         day_bytes[:at] + b"\0" + day_bytes[at:]]))
    try:
        day = parse_bmkg_day(damaged)
    except InputError:
        return
    assert day.sizes["time"] == 86_400
    assert all(not (np.abs(day[c].values) > 80_000).any() for c in "HDZ")


@FAST
@given(st.binary(max_size=200))
def test_arbitrary_bytes_explain(data):
    """Bytes that are no day file end in InputError and nothing else."""
    for start in (b"", b"\x000ALR\x19\x01\x01\x00\x00"):
        with pytest.raises(InputError):
            parse_bmkg_day(start + data)


@pytest.mark.parametrize("wrong", [
    lambda day: day.isel(time=slice(1, None)),
    lambda day: day.assign_attrs(station="ALOR"),
    lambda day: day.assign_coords(time=day["time"] + np.timedelta64(1, "s")),
    lambda day: day.assign(H=day["H"] + 60_000),
])
def test_a_record_that_does_not_fit_is_not_written(wrong, tmp_path):
    """Only a whole UTC day of a three-letter station within range."""
    with pytest.raises(InputError):
        write_bmkg_day(wrong(a_day()), tmp_path / "S.ALR")
    assert not list(tmp_path.iterdir())


@pytest.mark.real
def test_real_day_has_the_level_of_the_field_at_alor(data):
    """H 37463, Z -23330 nT by IGRF (B12) within 400 nT; 64 invalid seconds as in QC.csv."""
    day = read_bmkg_day(data / "geomag" / "sec1_BMKG_ALR_2025-01-01" / "S250101.ALR.gz")
    assert day.attrs["station"] == "ALR" and day.attrs["missing"] == [64, 64, 64]
    assert str(day["time"].values[0]) == "2025-01-01T00:00:00.000000000"
    assert day.sizes["time"] == 86_400
    assert abs(day["H"].mean() - 37463) < 400 and abs(day["Z"].mean() + 23330) < 400
    assert float(np.abs(day["H"].diff("time")).median()) < 0.1   # not noise
