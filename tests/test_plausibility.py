import numpy as np
import pytest
import scipy.signal
import xarray as xr

from lib.earth.plausibility import check, igrf_hz
from lib.earth.records import read_record

# Station ALR, validity.md B12
LATITUDE, LONGITUDE, H_NT, Z_NT = -8.1442, 124.59, 37463.0, -23330.0


def a_record(channels, sampling_s=1.0):
    time = np.datetime64("2021-07-02", "ns") + (
        np.arange(channels.shape[1]) * round(sampling_s * 1e9)).astype("m8[ns]")
    return xr.Dataset({c: ("time", channels[k].copy()) for k, c in enumerate("HDZ")},
                      {"time": time}, {"station": "ALR", "sampling_s": sampling_s, "source": "made",
                                       "latitude": LATITUDE, "longitude": LONGITUDE})


@pytest.fixture(scope="module")
def natural():
    """Four hours at the level of ALR with a spectrum of f^-2.5, about that of a quiet day."""
    n = 14_400
    f = np.fft.rfftfreq(2 * n, 1.0)
    rng = np.random.default_rng(3)
    shape = np.where(f > 1e-3, np.maximum(f, 1e-3), np.inf) ** -1.25
    noise = np.fft.irfft(rng.normal(size=(3, len(f))) * shape, axis=1)[:, :n]
    return np.array([[H_NT], [0.0], [Z_NT]]) + 3.0 * noise / noise.std(axis=1, keepdims=True)


def failed(table):
    return table.loc[table["passed"].eq(False).fillna(False), "criterion"].tolist()


def test_reference_field_is_that_of_the_station_table():
    """IGRF-14 at ALR in 2021.5: H 37463, Z -23330 nT (B12)."""
    h, z = igrf_hz(LATITUDE, LONGITUDE, "2021-07-02")
    assert abs(h - H_NT) < 5 and abs(z - Z_NT) < 5


def test_natural_record_passes_every_criterion(natural):
    """Right level, small variations, red spectrum: fifteen criteria, none failed."""
    table = check(a_record(natural))
    assert len(table) == 15 and table["passed"].all() and failed(table) == []


def test_mis_decoded_record_fails_as_the_public_table_does():
    """int16 white noise x 0.1 nT has sd 1892 nT; on a wrong constant it fails level, sd, rms, slope."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-2**15, 2**15, (3, 7200)) * 0.1
    assert noise.std() == pytest.approx(1892, rel=0.01)
    bad = failed(check(a_record(np.array([[40_000.0], [0.0], [30_000.0]]) + noise)))
    assert "sign of mean Z" in bad and "mean Z - IGRF" in bad and "mean H - IGRF" in bad
    assert len(bad) == 15


def test_each_failure_names_its_criterion(natural):
    """Wrong Z sign, one wild hour, and white noise each fail what they should and nothing else."""
    flipped = natural * np.array([[1], [1], [-1]])
    assert failed(check(a_record(flipped))) == ["sign of mean Z", "mean Z - IGRF"]
    wild = natural.copy()
    wild[1, 3600:7200:2] += 400.0
    assert "largest hourly sd of D" in failed(check(a_record(wild)))
    assert not any(name.endswith("of H") for name in failed(check(a_record(wild))))
    white = natural.copy()
    white[0] = H_NT + np.random.default_rng(1).normal(0, 0.3, natural.shape[1])
    assert failed(check(a_record(white))) == ["spectral slope of H, 0.002-0.05 Hz"]


def test_storm_is_not_judged_by_its_scatter(natural):
    """From Kp 5 the hourly criterion does not apply, and says why."""
    natural = natural.copy()
    natural[0] += 600 * np.sin(np.arange(natural.shape[1]) / 2000)
    assert "largest hourly sd of H" in failed(check(a_record(natural), kp_max=3.0))
    storm = check(a_record(natural), kp_max=5.0).set_index("criterion")
    assert storm["passed"].isna().sum() == 3
    assert "storm" in storm.loc["largest hourly sd of H", "reason"]


def test_missing_values_do_not_decide(natural):
    """NaN change no verdict; an empty or tiny record only says what does not apply."""
    holes = natural.copy()
    holes[:, 5000:5003] = np.nan
    holes[2, 9000:9900] = np.nan
    assert failed(check(a_record(holes))) == []
    assert check(a_record(holes))["passed"].all()
    tiny = check(a_record(natural[:, :50]))
    assert tiny["passed"].isna().sum() == 9 and failed(tiny) == []
    empty = check(a_record(np.full((3, 4000), np.nan)))
    assert empty["passed"].isna().all() and empty["reason"].str.startswith("does not apply").all()


def test_minute_data_say_what_does_not_apply(natural):
    """At 1/min the band, the 1 s difference and the slope are out of reach; the rest is judged."""
    table = check(a_record(natural, 60.0))
    assert table["passed"].isna().sum() == 9 and table["passed"].dropna().all()
    assert table["reason"].str.contains("0.00833 Hz").sum() == 6


def test_unknown_place_is_told(natural):
    """Without coordinates there is no reference level."""
    record = a_record(natural)
    record.attrs["latitude"] = np.nan
    table = check(record)
    assert table["passed"].isna().sum() == 3
    assert (table["reason"] == "does not apply: no coordinates").sum() == 3


def test_band_rms_is_that_of_a_known_sine(natural):
    """A sine of 4 nT amplitude at 30 mHz adds 4/sqrt(2) nT of rms to that component."""
    x = np.tile([[H_NT], [0.0], [Z_NT]], 7200) + 4 * np.sin(2 * np.pi * 0.03 * np.arange(7200))
    table = check(a_record(x)).set_index("criterion")
    assert table.loc["rms of H, 0.01-0.1 Hz", "value"] == pytest.approx(4 / np.sqrt(2), rel=0.01)
    f, p = scipy.signal.welch(natural[0], nperseg=1024, detrend="linear")
    band = (f >= 0.002) & (f <= 0.05)
    slope = np.polyfit(np.log10(f[band]), np.log10(p[band]), 1)[0]
    assert slope == pytest.approx(-2.5, abs=0.5)   # the fixture is what it says


@pytest.mark.real
@pytest.mark.parametrize(("path", "bad"), [
    ("sec1_BMKG_ALR_2025-01-01/S250101.ALR.gz", []),
    ("sec1_OTT_2018-12-01/ott20181201vsec.sec.gz", []),
    ("sec1_WIC/example1.zip", []),
    ("min1_WIC_2022-11/ex_variomin.cdf", []),
    ("sec1_AIA_2020-03-03/SXY20200303vsec.zip",
     ["mean H - IGRF", "sign of mean Z", "mean Z - IGRF"]),             # offsets removed
    ("sec1_WIC/LEMI036_1_0002_0002_2025-05-14.cdf", ["mean H - IGRF", "mean Z - IGRF"]),
    ("min1_ESK_2015/esk201501dmin.min.gz",
     ["mean H - IGRF", "sign of mean Z", "mean Z - IGRF"]),             # latitude of the wrong sign
])
def test_real_records_pass_or_fail_for_known_reasons(data, path, bad):
    """ALR and the observatories pass; records without baseline or with a wrong latitude do not."""
    assert failed(check(read_record(data / "geomag" / path))) == bad
