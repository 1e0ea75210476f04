"""The gate that real records pass before anything else is done with them (layer 1)."""

import numpy as np
import pandas as pd
import scipy.signal
import xarray as xr

from lib.earth.filters import design_band
from lib.earth.records import fill_gaps

# validity.md B9
H_NT, Z_NT, HOURLY_SD_NT, BAND_RMS_NT, DIFFERENCE_NT, SLOPE = 1500.0, 3000.0, 150.0, 10.0, 1.0, -1.0
BAND_HZ = (0.01, 0.1)
SLOPE_HZ = (0.002, 0.05)
STORM_KP = 5.0


def check(record: xr.Dataset, kp_max: float | None = None) -> pd.DataFrame:
    """Test level, sign, variability, noise and spectrum of a record against what the Earth allows.

    Parameters
    ----------
    record : xarray.Dataset
        H, D, Z in nT, with latitude and longitude as attributes; NaN are left out.
    kp_max : float, optional
        Largest Kp of the record. From 5 on, the hourly scatter is not judged; unknown counts as
        quiet.

    Returns
    -------
    DataFrame
        criterion, value, limit, passed (True, False, or NA where the criterion does not apply),
        reason (why it fails or does not apply).

    Notes
    -----
    validity.md B9. A record of variations without baseline fails the three criteria of level: that
    is what they are for. Hours, not the day, are judged for scatter: the worst one counts.

    References
    ----------
    IGRF-14 through ppigrf.
    """
    rows = [*_level_rows(record), *_scatter_rows(record, kp_max), *_band_rows(record),
            *_difference_rows(record), *_slope_rows(record)]
    table = pd.DataFrame(rows, columns=["criterion", "value", "limit", "passed", "reason"])
    return table.astype({"value": float, "passed": "boolean"})


def _row(criterion, value, limit, passed, reason=""):
    return criterion, value, limit, bool(passed), "" if passed else reason


def _skip(criterion, limit, reason):
    return criterion, np.nan, limit, pd.NA, f"does not apply: {reason}"


def igrf_hz(latitude: float, longitude: float, when) -> tuple[float, float]:
    """Horizontal and downward main field (nT) at sea level."""
    import ppigrf

    east, north, up = ppigrf.igrf(longitude, latitude, 0.0, pd.Timestamp(when).to_pydatetime())
    return float(np.hypot(east, north).squeeze()), -float(np.squeeze(up))


def _level_rows(record):
    names = ("mean H - IGRF", "sign of mean Z", "mean Z - IGRF")
    limits = (f"within {H_NT:g} nT", "that of IGRF", f"within {Z_NT:g} nT")
    place = record.attrs.get("latitude", np.nan), record.attrs.get("longitude", np.nan)
    means = [_mean(record[c].values) for c in "HDZ"]
    if not np.isfinite(place).all():
        return [_skip(n, m, "no coordinates") for n, m in zip(names, limits, strict=True)]
    if not np.isfinite(means).all():
        return [_skip(n, m, "a component is empty") for n, m in zip(names, limits, strict=True)]
    time = record["time"].values
    h0, z0 = igrf_hz(*place, time[len(time) // 2])
    h, z = float(np.hypot(means[0], means[1])), means[2]
    why = "wrong decoding, units, coordinates, or variations without baseline"
    return [
        _row(names[0], h - h0, limits[0], abs(h - h0) < H_NT,
             f"mean {h:.0f} nT, IGRF {h0:.0f} nT: {why}"),
        _row(names[1], np.sign(z), limits[1], z * z0 > 0,
             f"mean {z:.0f} nT, IGRF {z0:.0f} nT: axis or latitude of the wrong sign, or no baseline"),
        _row(names[2], z - z0, limits[2], abs(z - z0) < Z_NT,
             f"mean {z:.0f} nT, IGRF {z0:.0f} nT: {why}")]


def _mean(x):
    return float(x[np.isfinite(x)].mean()) if np.isfinite(x).any() else np.nan


def _scatter_rows(record, kp_max):
    per_hour = round(3600.0 / record.attrs["sampling_s"])
    hours = record.sizes["time"] // per_hour if per_hour > 1 else 0   # an hourly value has no sd
    limit = f"below {HOURLY_SD_NT:g} nT"
    for c in "HDZ":
        name = f"largest hourly sd of {c}"
        if kp_max is not None and kp_max >= STORM_KP:
            yield _skip(name, limit, f"storm, Kp {kp_max:g}")
            continue
        x = record[c].values[:hours * per_hour].reshape(hours, max(per_hour, 1))   # (n,) -> (hours, samples)
        x = x[np.isfinite(x).mean(1) >= 0.5] if hours else x
        if not len(x):
            yield _skip(name, limit, "no hour with half of its samples")
            continue
        worst = float(np.nanstd(x, axis=1).max())
        yield _row(name, worst, limit, worst < HOURLY_SD_NT,
                   "spikes, steps or decoding noise" + ("; Kp not given" if kp_max is None else ""))


def _longest(x):
    """Longest stretch without NaN."""
    good = np.concatenate([[0], np.isfinite(x).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(good) == 1), np.flatnonzero(np.diff(good) == -1)
    if not starts.size:
        return x[:0]
    k = int(np.argmax(ends - starts))
    return x[starts[k]:ends[k]]


def _band_rows(record):
    limit = f"below {BAND_RMS_NT:g} nT"
    step = record.attrs["sampling_s"]
    short = fill_gaps(record, "interpolate", max_gap_s=10.0)
    for c in "HDZ":
        name = f"rms of {c}, {BAND_HZ[0]:g}-{BAND_HZ[1]:g} Hz"
        x = _longest(short[c].values)
        if BAND_HZ[1] >= 0.5 / step:
            yield _skip(name, limit, f"{step:g} s sampling ends at {0.5 / step:.3g} Hz")
        elif len(x) * step < 600.0:
            yield _skip(name, limit, "no stretch of ten minutes without gaps")
        else:
            rms = float(np.std(scipy.signal.sosfiltfilt(design_band(step, *BAND_HZ), x)))
            yield _row(name, rms, limit, rms < BAND_RMS_NT, "decoding noise or a disturbed sensor")


def _difference_rows(record):
    limit = f"below {DIFFERENCE_NT:g} nT"
    for c in "HDZ":
        name = f"median 1 s difference of {c}"
        difference = np.abs(np.diff(record[c].values))
        if record.attrs["sampling_s"] != 1.0:
            yield _skip(name, limit, f"{record.attrs['sampling_s']:g} s sampling")
        elif not np.isfinite(difference).any():
            yield _skip(name, limit, "no two successive samples")
        else:
            value = float(np.nanmedian(difference))
            yield _row(name, value, limit, value < DIFFERENCE_NT, "decoding or instrument noise")


def _slope_rows(record):
    limit = f"below {SLOPE:g} (steeper than 1/f)"
    step = record.attrs["sampling_s"]
    short = fill_gaps(record, "interpolate", max_gap_s=10.0)
    for c in "HDZ":
        name = f"spectral slope of {c}, {SLOPE_HZ[0]:g}-{SLOPE_HZ[1]:g} Hz"
        x = _longest(short[c].values)
        if SLOPE_HZ[1] >= 0.5 / step:
            yield _skip(name, limit, f"{step:g} s sampling ends at {0.5 / step:.3g} Hz")
            continue
        nperseg = round(1024.0 / step)
        if len(x) < 2 * nperseg:
            yield _skip(name, limit, "no stretch of 2048 s without gaps")
            continue
        f, p = scipy.signal.welch(x, 1.0 / step, "hann", nperseg, detrend="linear")
        band = (f >= SLOPE_HZ[0]) & (f <= SLOPE_HZ[1]) & (p > 0)
        if band.sum() < 3:
            yield _skip(name, limit, "a constant component")
            continue
        slope = float(np.polyfit(np.log10(f[band]), np.log10(p[band]), 1)[0])
        yield _row(name, slope, limit, slope < SLOPE, "white: decoding or instrument noise")
