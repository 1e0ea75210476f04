"""Zero-phase band filters that refuse corners the sampling cannot hold (layer 1)."""

import numpy as np
import scipy.signal
import xarray as xr

from lib.files import InputError


def design_band(sampling_s: float, low_hz: float | None = None, high_hz: float | None = None,
                order: int = 4, source="filter_band") -> np.ndarray:
    """Second-order sections of a Butterworth high-, low- or band-pass.

    Parameters
    ----------
    sampling_s : float
        Sampling interval, s.
    low_hz, high_hz : float, optional
        Lower and upper corner, Hz; None leaves that side open.

    Raises
    ------
    InputError
        If a corner is not below the Nyquist frequency, not positive, or the two are swapped.

    Notes
    -----
    Two published settings are refused here: 0.001-0.5 Hz at 1 Hz (the upper corner *is* the Nyquist
    frequency; use a high-pass, or 0.45 Hz) and 0.02 Hz at one sample a minute (Nyquist 0.00833 Hz).
    validity.md B2, systems.md K1.
    """
    nyquist = 0.5 / sampling_s
    for name, corner in (("low_hz", low_hz), ("high_hz", high_hz)):
        if corner is not None and not 0.0 < corner < nyquist:
            raise InputError(source, name, corner, f"a frequency above 0 and below the Nyquist "
                             f"frequency {nyquist:.6g} Hz of {sampling_s:g} s sampling: nothing "
                             "above it is in the record"
                             + ("; leave high_hz out, the record ends there anyway"
                                if name == "high_hz" else ""))
    if low_hz is None and high_hz is None:
        raise InputError(source, "low_hz, high_hz", None, "at least one corner in Hz")
    if low_hz is not None and high_hz is not None:
        if low_hz >= high_hz:
            raise InputError(source, "low_hz, high_hz", (low_hz, high_hz), "low_hz below high_hz")
        kind, corners = "bandpass", [low_hz, high_hz]
    else:
        kind, corners = ("highpass", low_hz) if high_hz is None else ("lowpass", high_hz)
    return scipy.signal.butter(order, corners, kind, fs=1.0 / sampling_s, output="sos")


def filter_band(record: xr.Dataset, low_hz: float | None = None, high_hz: float | None = None,
                order: int = 4) -> xr.Dataset:
    """Band-limited H, D, Z without phase shift: a Butterworth run forwards and backwards.

    Parameters
    ----------
    record : xarray.Dataset
        H, D, Z in nT without gaps (see `lib.earth.records.fill_gaps`).
    low_hz, high_hz : float, optional
        Corners, Hz, as in `design_band`; the gain there is 0.5 after both runs.
    order : int
        Order of one run.

    Raises
    ------
    InputError
        For a corner that the sampling cannot hold, a record with gaps, or one that is too short.

    When not to use
    ---------------
    The backward run looks into the future. Never filter across the border between training and
    test, nor for a forecast: cut the window first (validity.md B2).
    """
    source = record.attrs.get("source", "record")
    sos = design_band(record.attrs["sampling_s"], low_hz, high_hz, order, source)
    x = np.stack([record[c].values for c in "HDZ"])   # (3, n)
    if not np.isfinite(x).all():
        raise InputError(source, "H, D, Z", f"{int((~np.isfinite(x)).sum())} missing values",
                         "a record without gaps: fill_gaps or cut first")
    shortest = 3 * (2 * len(sos) + 1) + 1
    if x.shape[1] < shortest:
        raise InputError(source, "length", f"{x.shape[1]} samples", f"at least {shortest}")
    y = scipy.signal.sosfiltfilt(sos, x, axis=1)
    band = [low_hz or 0.0, high_hz or 0.5 / record.attrs["sampling_s"]]
    return record.assign({c: ("time", y[k]) for k, c in enumerate("HDZ")}).assign_attrs(
        filtered_hz=band, filter_order=order)
