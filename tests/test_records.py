import gzip

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.earth import axes
from lib.earth.bmkg import write_bmkg_day
from lib.earth.cdf import parse_cdf
from lib.earth.filters import design_band, filter_band
from lib.earth.iaga2002 import write_iaga2002
from lib.earth.records import (
    cut,
    fill_gaps,
    join_records,
    open_folder,
    read_record,
    rotate_hdz_to_xyz,
    rotate_xyz_to_hdz,
)
from lib.files import InputError


def a_record(h, d=0.0, z=0.0, sampling_s=1.0, start="2020-03-01", **attrs):
    """Record with the given channels; scalars fill the length of h."""
    h = np.asarray(h, float)
    time = np.datetime64(start, "ns") + (np.arange(len(h)) * round(sampling_s * 1e9)).astype("m8[ns]")
    channels = {c: ("time", np.broadcast_to(np.asarray(v, float), h.shape).copy())
                for c, v in zip("HDZ", (h, d, z), strict=True)}
    return xr.Dataset(channels, {"time": time}, {
        "station": "SCN", "sampling_s": sampling_s, "source": "made", "latitude": -0.5459,
        "longitude": 100.298, "reported": "HEZ", "declination_deg": 0.0} | attrs)


# --- rotation -------------------------------------------------------------------------------------

@given(st.integers(0, 2**32 - 1), st.floats(-180, 180))
@settings(deadline=None, max_examples=25)
def test_rotation_there_and_back_keeps_the_field(seed, angle):
    """X Y Z -> H D Z -> X Y Z is the identity to 1e-9 nT; the horizontal length does not change."""
    x = np.random.default_rng(seed).normal(0, 3e4, (3, 20))
    xyz = a_record(x[0]).drop_vars(["H", "D"]).assign(
        X=("time", x[0]), Y=("time", x[1]), Z=("time", x[2]))
    hdz = rotate_xyz_to_hdz(xyz, angle)
    back = rotate_hdz_to_xyz(hdz, angle)
    for c in "XYZ":
        np.testing.assert_allclose(back[c], xyz[c], atol=1e-9)
    np.testing.assert_allclose(np.hypot(hdz["H"], hdz["D"]), np.hypot(x[0], x[1]))


def test_declination_east_turns_h_to_the_east():
    """Field of 1000 nT towards 30 degrees east: X 866.03, Y 500; as H D at 30 degrees: 1000, 0."""
    hdz = a_record([1000.0] * 2)
    xyz = rotate_hdz_to_xyz(hdz, 30.0)
    np.testing.assert_allclose([xyz["X"][0], xyz["Y"][0]], [866.0254, 500.0], atol=1e-4)


def test_unknown_direction_of_h_is_refused():
    """H E Z files do not tell where north is, nor do D values that count from DECBAS."""
    with pytest.raises(InputError, match="declination_deg"):
        rotate_hdz_to_xyz(a_record([1.0, 2.0]))
    counted = a_record([1.0, 2.0], reported="HDZF", declination_deg=-0.1,
                       comments="DECBAS               5527    (Baseline declination value in")
    with pytest.raises(InputError, match="declination_deg"):
        rotate_hdz_to_xyz(counted)
    absolute = counted.assign_attrs(comments="DECBAS               000000 (Baseline")
    assert "X" in rotate_hdz_to_xyz(absolute)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["XYZ", "HDZ", "HEZ", "UVW"]))
@settings(deadline=None, max_examples=25)
def test_reported_components_come_back(seed, names):
    """from_hdz undoes to_hdz to far below the 0.01 of the files, for every set of axes."""
    rng = np.random.default_rng(seed)
    values = {n: rng.uniform(-3e4, 3e4, 30) for n in names}
    if names == "HDZ":
        values |= {"H": rng.uniform(100, 4e4, 30), "D": rng.uniform(-900, 900, 30)}
    h, d, z, angle = axes.to_hdz(values, names)
    for n, x in axes.from_hdz(h, d, z, names, angle).items():
        np.testing.assert_allclose(x, values[n], atol=1e-6)


# --- gaps -----------------------------------------------------------------------------------------

def with_gap(n, first, length, sampling_s=60.0):
    h = np.arange(float(n))
    h[first:first + length] = np.nan
    return a_record(h, sampling_s=sampling_s)


def test_gap_rule_of_s4():
    """Two lost minutes take the mean of the component; three minutes stay lost (systems.md 4.3)."""
    short, long = with_gap(10, 4, 2), with_gap(10, 4, 3)
    filled = fill_gaps(short, "mean_3min")
    assert filled["H"].values[4:6].tolist() == [4.5, 4.5]   # mean of 0-3 and 6-9
    assert filled.attrs["filled"] == [2, 0, 0] and filled.attrs["gap_rule"] == "mean_3min"
    assert np.isnan(fill_gaps(long, "mean_3min")["H"].values).sum() == 3
    assert np.isnan(fill_gaps(with_gap(400, 9, 179, 1.0), "mean_3min")["H"]).sum() == 0
    assert np.isnan(fill_gaps(with_gap(400, 9, 180, 1.0), "mean_3min")["H"]).sum() == 180


def test_interpolation_is_linear_short_and_inside():
    """A ramp is restored exactly; gaps at the ends or longer than asked stay."""
    ramp = with_gap(10, 4, 2)
    assert fill_gaps(ramp, "interpolate", 120.0)["H"].values.tolist() == list(range(10))
    assert np.isnan(fill_gaps(ramp, "interpolate", 119.0)["H"]).sum() == 2
    assert np.isnan(fill_gaps(with_gap(10, 0, 1), "interpolate")["H"]).sum() == 1
    assert fill_gaps(ramp)["H"].equals(ramp["H"]) and np.isnan(ramp["H"]).sum() == 2
    with pytest.raises(InputError, match="mean_3min"):
        fill_gaps(ramp, "zero")


# --- filters --------------------------------------------------------------------------------------

def test_high_pass_has_the_gain_of_the_specification():
    """T-B2a: |H| at .0005, .001, .002, .01 Hz is .06238, .70711, .99805, 1.0."""
    sos = design_band(1.0, low_hz=0.001)
    _, gain = scipy.signal.freqz_sos(sos, [0.0005, 0.001, 0.002, 0.01], fs=1.0)
    np.testing.assert_allclose(np.abs(gain), [0.06238, 0.70711, 0.99805, 1.0], atol=5e-6)


def test_two_runs_halve_the_amplitude_at_the_corner_without_delay():
    """A sine at the corner keeps its phase and half its amplitude; one well inside is untouched."""
    t = np.arange(40_000)
    for f, gain in ((0.01, 0.5), (0.1, 1.0)):
        wave = np.sin(2 * np.pi * f * t)
        out = filter_band(a_record(wave + 37_000.0), low_hz=0.01)["H"].values
        np.testing.assert_allclose(out[5000:-5000], gain * wave[5000:-5000], atol=2e-4)


@pytest.mark.parametrize(("sampling_s", "low", "high", "name"), [
    (1.0, 0.001, 0.5, "high_hz"),     # METHODOLOGY of the convnext study
    (60.0, None, 0.02, "high_hz"),    # S4
    (60.0, 0.02, None, "low_hz"),
    (1.0, -0.1, None, "low_hz"), (1.0, 0.2, 0.1, "low_hz, high_hz"), (1.0, None, None, "at least"),
])
def test_corners_that_the_sampling_cannot_hold_are_refused(sampling_s, low, high, name):
    """At or above Nyquist, negative, swapped or absent corners: refused with the reason."""
    record = a_record(np.zeros(5000), sampling_s=sampling_s)
    with pytest.raises(InputError, match=name) as error:
        filter_band(record, low, high)
    if high in (0.5, 0.02):
        assert f"Nyquist frequency {0.5 / sampling_s:.6g} Hz" in str(error.value)


def test_filter_refuses_gaps_and_short_records():
    """NaN would spread over the whole record; too few samples have no band."""
    with pytest.raises(InputError, match="fill_gaps"):
        filter_band(with_gap(500, 3, 1, 1.0), low_hz=0.1)
    with pytest.raises(InputError, match="at least 16"):
        filter_band(a_record(np.zeros(15)), low_hz=0.1)


# --- windows and joining --------------------------------------------------------------------------

def test_cut_gives_the_asked_samples_or_names_the_span():
    """First sample, length, and a clear error on either side."""
    record = a_record(np.arange(100.0))
    window = cut(record, "2020-03-01T00:00:10", 20)
    assert window["H"].values.tolist() == list(range(10, 30))
    for start, n in (("2020-02-29T23:59:59", 5), ("2020-03-01T00:01:00", 41), ("2021-01-01", 1),
                     ("2020-03-01", 0)):
        with pytest.raises(InputError, match="window within 2020-03-01"):
            cut(record, start, n)
    assert cut(record, "2020-03-01T07:00:10+07:00", 1)["H"] == 10   # any zone, counted in UTC
    for start in ("yesterday noon", None, np.nan):
        with pytest.raises(InputError, match="start"):
            cut(record, start, 5)


def test_a_joined_record_keeps_its_last_sample_however_long_it_is():
    """Two hours a year apart at one sample a minute: the axis ends with the last stamp, no minute is lost."""
    parts = [a_record(np.arange(60.0), sampling_s=60.0, start=f"{year}-01-01") for year in (2015, 2016)]
    joined = join_records(parts)
    assert joined["time"].values[-1] == parts[1]["time"].values[-1]
    assert joined.sizes["time"] == 365 * 1440 + 60
    assert joined["H"].values[-1] == 59.0


def test_joined_days_share_one_axis_and_keep_gaps():
    """Two records turned by different declinations become one without a step; the hole is NaN."""
    north, east = 20_000.0, 1_000.0
    parts = []
    for angle, start in ((3.0, "2020-03-01T00:00:00"), (2.0, "2020-03-01T00:00:12")):
        h, d = axes.rotate(north, east, angle)
        parts.append(a_record([h] * 10, d, 1.0, start=start, declination_deg=angle))
    joined = join_records(parts[::-1])
    assert joined.sizes["time"] == 22 and np.isnan(joined["H"].values[10:12]).all()
    np.testing.assert_allclose(joined["D"].values[12:], joined["D"].values[0], atol=1e-9)
    with pytest.raises(InputError, match="starts after"):
        join_records([parts[0], parts[0]])
    with pytest.raises(InputError, match="station"):
        join_records([parts[0], parts[1].assign_attrs(station="GTO")])


# --- formats --------------------------------------------------------------------------------------

def write_imagcdf(path, values, units="nT", extra=None):
    """Hand-made ImagCDF 1.2 of one-second samples that cross no leap second."""
    import cdflib

    attrs = {"FormatDescription": "INTERMAGNET CDF Format", "IagaCode": "SCN",
             "Latitude": "-0.5459", "Longitude": "100.298"} | (extra or {})
    cdf = cdflib.cdfwrite.CDF(path, delete=True)
    cdf.write_globalattrs({k: {0: v} for k, v in attrs.items()})
    n = len(next(iter(values.values())))
    start = cdflib.cdfepoch.compute_tt2000([2020, 3, 1, 0, 0, 0, 0, 0, 0])

    def variable(name, kind, data, units):
        cdf.write_var({"Variable": name, "Data_Type": kind, "Num_Elements": 1, "Rec_Vary": True,
                       "Dim_Sizes": []}, {"UNITS": units}, data)

    for letter, x in values.items():
        variable(f"GeomagneticField{letter}", 45, np.asarray(x, float),
                 units if letter == "D" else "nT")
    variable("GeomagneticVectorTimes", 33, start + 10**9 * np.arange(n), "ns")
    cdf.close()
    return path


def test_imagcdf_is_read_with_leap_seconds_and_marks(tmp_path):
    """TT2000 stamps become UTC, 99999 becomes NaN, D in degrees becomes nT."""
    path = write_imagcdf(tmp_path / "scn.cdf", {"H": [4e4, 4e4, 99999.0], "D": [0.5, 0.6, 99999.0],
                                                "Z": [-1e4] * 3}, "Degrees of arc")
    record = read_record(path)
    assert str(record["time"].values[0]) == "2020-03-01T00:00:00.000000000"
    assert np.isnan(record["H"].values).tolist() == [False, False, True]
    np.testing.assert_allclose(record["D"][1] - record["D"][0], 4e4 * np.deg2rad(0.1), atol=1e-3)
    assert record.attrs["station"] == "SCN" and record.attrs["latitude"] == -0.5459
    assert record.attrs["declination_deg"] == pytest.approx(0.55)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_damaged_cdf_parses_or_explains(cdf_bytes, data):
    """A damaged CDF gives a record or InputError, whatever cdflib raises."""
    raw = bytearray(cdf_bytes)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[:data.draw(st.sampled_from([len(raw), len(raw) // 2]))]
    try:
        record = parse_cdf(bytes(raw))
    except InputError:
        return
    assert all(record[c].dtype == float for c in "HDZ")


@pytest.fixture(scope="module")
def cdf_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("cdf") / "scn.cdf"
    return write_imagcdf(path, {"X": [4e4] * 4, "Y": [1.0] * 4, "Z": [-1e4] * 4}).read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One file of each format, one of them packed, and three that are no records."""
    root = tmp_path_factory.mktemp("records")
    write_iaga2002(a_record(np.full(5, 4e4), 1.0, -1e4, 60.0), root / "scn.min")
    write_imagcdf(root / "deep.cdf", {"X": [4e4] * 4, "Y": [1.0] * 4, "Z": [-1e4] * 4})
    rng = np.random.default_rng(1)
    day = a_record(np.round(rng.normal(37_463, 5, 86_400), 2), 0.0, -23_330.0, start="2025-01-01",
                   station="ALR")
    write_bmkg_day(day, root / "alr" / "S250101.ALR")
    path = root / "alr" / "S250101.ALR"
    path.with_suffix(".ALR.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    (root / "notes.txt").write_text("station list")
    (root / "empty.min").touch()
    (root / "cut.min").write_bytes((root / "scn.min").read_bytes()[:-30])
    return root


def test_folder_index_lists_records_and_reasons(folder):
    """Three records by station and start; three other files, each with its reason."""
    index, unreadable = open_folder(folder)
    assert index["station"].tolist() == ["ALR", "SCN", "SCN"]
    assert index["samples"].tolist() == [86_400, 5, 4] or index["samples"].tolist() == [86_400, 4, 5]
    assert index["start"].iloc[0] == pd.Timestamp("2025-01-01")
    assert [p.name for p in unreadable["path"]] == ["cut.min", "empty.min", "notes.txt"]
    for reason, word in zip(unreadable["reason"], ("line", "empty", "first bytes"), strict=True):
        assert word in reason
    with pytest.raises(InputError, match="not there"):
        open_folder(folder / "nowhere")


def test_station_of_the_file_must_be_the_one_asked_for(folder):
    """Another station's file is refused; case does not matter."""
    assert read_record(folder / "scn.min", station="scn").attrs["station"] == "SCN"
    with pytest.raises(InputError, match="a file of station GTO"):
        read_record(folder / "scn.min", station="GTO")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b", b"PK\x03\x04", b"\xcd\xf3\x00\x01"]))
@settings(deadline=None, max_examples=40)
def test_any_bytes_in_a_file_explain(tmp_path_factory, content, start):
    """Whatever a file holds, reading it ends in InputError naming it."""
    path = tmp_path_factory.getbasetemp() / "any.min"
    path.write_bytes(start + content)
    with pytest.raises(InputError) as error:
        read_record(path)
    assert str(path) in str(error.value)


@pytest.mark.real
def test_real_folder_agrees_with_its_quality_table(data):
    """All IAGA-2002, BMKG and CDF files are indexed with the samples of QC.csv; the rest is told."""
    index, unreadable = open_folder(data / "geomag")
    table = pd.read_csv(data / "geomag" / "QC.csv").set_index("file")
    for row in index.itertuples():
        known = table.loc[row.path.relative_to(data).as_posix()]
        assert (row.station, row.samples) == (known.code, known.n)
        assert row.missing == (192 if row.station == "ALR" else 0)
    families = {path.parent.name for path in unreadable["path"]} - {"geomag"}
    assert families == {"hour1_H_8obs_2015-2019", "min1_Alaska_InteleCell-Kodiak",
                        "min1_Alaska_InteleCell-Old-Harbor", "min1_ZH_2022-01-15_12obs",
                        "sec1_PSWS_citizen", "sec1_LLO_2020-01-06"}   # .mseed of the last
    assert len(index) + len(unreadable) == len(table) + 1   # QC.csv itself


@pytest.mark.real
def test_two_instruments_at_one_place_agree(data):
    """LEMI and FGE at WIC saw the same 10-45 mHz on 2025-05-14 (r > 0.9), the FGE some 3 s later."""
    first, second = (filter_band(
        read_record(data / "geomag" / "sec1_WIC" / f"{name}_2025-05-14.cdf"), 0.01, 0.045)["H"].values
        for name in ("LEMI036_1_0002_0002", "FGE_S0252_0002_0002"))
    alike = [np.corrcoef(first[20:-20], np.roll(second, -lag)[20:-20])[0, 1] for lag in range(10)]
    assert max(alike) > 0.9 and int(np.argmax(alike)) in (2, 3, 4)
