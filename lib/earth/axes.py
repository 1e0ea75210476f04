"""From reported components and time stamps to H, D, Z on a uniform UTC axis (layer 1).

Every reader ends in `make_record`. The channels of a record are orthogonal and in nT: H along the
horizontal axis called magnetic north, D east of it (not an angle), Z down. A file that reports
X Y Z, or H with D as an angle, is turned by its own mean declination D0, so that H and D are the
same small-angle quantities dH and H0 dD of validity.md B1, but exact at every angle:
``H = h cos(d - D0), D = h sin(d - D0)``. D0 stands in the attribute `declination_deg`, which is
all that is needed to go back.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from lib.files import InputError

# How the three axes are called by sets of reported elements: (north, east, down).
AXES = {frozenset("XYZ"): "XYZ", frozenset("HDZ"): "HDZ", frozenset("HEZ"): "HEZ",
        frozenset("UVW"): "UVW"}
MIN_HORIZONTAL_NT = 2000.0   # a weaker mean is a record without baseline, or a magnetic pole
MIN_Z_NT, MIN_LATITUDE_DEG = 10_000.0, 20.0   # beyond 20 deg the sign of Z is that of the latitude


def axis_names(elements) -> str | None:
    """Names of the north, east and down axes among reported elements, None if they do not fit.

    >>> axis_names(["D", "H", "Z", "F"])
    'HDZ'
    """
    return next((names for key, names in AXES.items() if key <= set(elements)), None)


def rotate(north, east, angle_deg: float):
    """Components of a horizontal vector along axes turned clockwise (eastward) by an angle.

    >>> n, e = rotate(1.0, 0.0, 90.0)
    >>> round(float(n), 12), round(float(e), 12)
    (0.0, -1.0)
    """
    if angle_deg == 0.0:
        return north, east   # keeps every bit
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return c * north + s * east, c * east - s * north


def mean_declination_deg(north, east) -> float:
    """Direction of the mean horizontal vector, rounded to 0.0001 deg so that it can be repeated."""
    good = np.isfinite(north) & np.isfinite(east)
    if not good.any():
        return 0.0
    angle = np.degrees(np.arctan2(east[good].mean(), north[good].mean()))
    return round(float(angle), 4) + 0.0


def to_hdz(values: dict, names: str, declination_deg: float | None = None):
    """Turn reported components into H, D, Z.

    Parameters
    ----------
    values : dict of str to array, shape (n,)
        nT, except element ``D``: minutes of arc (IAGA-2002).
    names : str
        "XYZ", "HDZ", "HEZ" or "UVW": see `axis_names`.
    declination_deg : float, optional
        Direction of the H axis; by default the mean declination of the values. H E Z and records
        whose mean horizontal field is below 2000 nT (no baseline) keep their axes: 0.

    Returns
    -------
    h, d, z : arrays, shape (n,), nT
    declination_deg : float

    Notes
    -----
    validity.md B1; 1' at H = 38000 nT is 11.05 nT:

    >>> v = {"H": np.full(2, 38000.0), "D": np.array([-1.0, 1.0]), "Z": np.zeros(2)}
    >>> to_hdz(v, "HDZ")[1].round(2)
    array([-11.05,  11.05])
    """
    north, east, down = (np.asarray(values[name], dtype=float) for name in names)
    branch_deg = 0.0
    if names == "HDZ":
        angle_deg = east / 60.0
        branch_deg = _mean(angle_deg)
        horizontal, angle = north, np.deg2rad(angle_deg)
        north, east = horizontal * np.cos(angle), horizontal * np.sin(angle)
    if declination_deg is None:
        level = np.hypot(_mean(north), _mean(east))
        turned = names == "HDZ" or (names != "HEZ" and level >= MIN_HORIZONTAL_NT)
        declination_deg = mean_declination_deg(north, east) if turned else 0.0
        if names == "HDZ":   # 350 deg stays 350 deg, so that writing gives the file's own numbers
            turns = round((branch_deg - declination_deg) / 360.0)
            declination_deg = round(declination_deg + 360.0 * turns, 4)
    h, d = rotate(north, east, declination_deg)
    return h, d, down, declination_deg


def from_hdz(h, d, z, names: str, declination_deg: float = 0.0) -> dict:
    """Undo `to_hdz`: reported components (nT; D in minutes of arc) from H, D, Z."""
    if names == "HDZ":
        angle = np.degrees(np.arctan2(d, h)) + declination_deg
        return {"H": np.hypot(h, d), "D": 60.0 * angle, "Z": z}
    north, east = rotate(h, d, -declination_deg)
    return dict(zip(names, (north, east, z), strict=True))


def _mean(x) -> float:
    good = np.isfinite(x)
    return float(x[good].mean()) if good.any() else 0.0


def uniform_axis(times_ns: np.ndarray, source, where: Callable[[int], str],
                 nominal_s: float | None = None):
    """Place time stamps on a uniform axis; stamps that are missing leave free slots.

    Parameters
    ----------
    times_ns : int array, shape (n,)
        Nanoseconds since 1970.
    where : callable
        Row number to the words that lead there, for messages.
    nominal_s : float, optional
        Step of a record with a single sample.

    Returns
    -------
    time : datetime64[ns] array, shape (m,), m >= n
    slot : int array, shape (n,): index into `time`
    step_s : float
    jitter_s : float: largest distance of a stamp from its slot

    Raises
    ------
    InputError
        For repeated or backward stamps, jitter above a fifth of a step, or gaps so long that the
        record would be almost empty. Stamps are trusted over any declared interval.
    """
    step_ns = np.diff(times_ns)
    if (step_ns <= 0).any():
        row = int(np.argmax(step_ns <= 0)) + 1
        kind = "time stamp repeated" if step_ns[row - 1] == 0 else "time stamp out of order"
        raise InputError(source, where(row), f"{kind}: {np.datetime64(int(times_ns[row]), 'ns')}",
                         "increasing time; sort the rows and drop the repeated ones")
    step = _median_step_ns(step_ns, source, where, nominal_s)
    since = times_ns - times_ns[0]
    slot = (since + step // 2) // step
    residual = since - slot * step
    offset = int(np.round(np.median(residual) / 1e6)) * 1_000_000
    residual = np.abs(residual - offset)
    clash = np.append(False, np.diff(slot) <= 0) | (residual > step // 5)
    if clash.any():
        row = int(np.argmax(clash))
        raise InputError(source, where(row), str(np.datetime64(int(times_ns[row]), "ns")),
                         f"a uniform step (most are {step / 1e9:g} s); resample the record first")
    n = int(slot[-1]) + 1
    if n > 10 * len(slot) + 100_000:
        row = int(np.argmax(np.diff(slot))) + 1
        raise InputError(source, where(row), f"a gap of {(slot[row] - slot[row - 1]) * step / 1e9:g} s",
                         "a record without such a gap; split the file there or correct the date")
    time = (times_ns[0] + offset + step * np.arange(n)).astype("datetime64[ns]")
    return time, slot, step / 1e9, float(residual.max()) / 1e9


def _median_step_ns(step_ns, source, where, nominal_s) -> int:
    if step_ns.size:
        step = int(np.round(np.median(step_ns) / 1e6)) * 1_000_000   # stamps hold milliseconds
    else:
        step = int(round((nominal_s or 0.0) * 1e3)) * 1_000_000
    if step <= 0:
        raise InputError(source, where(0), f"a step of {step / 1e9:g} s",
                         "at least two samples, or a declared interval, of 1 ms or more")
    return step


def make_record(values: dict, times_ns, *, source, station, where,
                latitude=np.nan, longitude=np.nan, declination_deg=None, nominal_s=None,
                not_recorded=None, attrs=None) -> xr.Dataset:
    """Assemble a record: H, D, Z (nT) on a uniform UTC axis, with what was done in the attributes.

    Parameters
    ----------
    values : dict of str to array, shape (n,)
        Reported components, NaN where missing; F, S or G are kept as they are.
    times_ns : int array, shape (n,)
    not_recorded : uint8 array, shape (n,), optional
        Bit k is set where element k was marked "not recorded" rather than "missing".

    Raises
    ------
    InputError
        If the components are no known triple, none has a value, or the stamps do not fit.
    """
    names = axis_names(values)
    if names is None:
        raise InputError(source, "reported elements", "".join(values),
                         "X Y Z, H D Z (D in minutes of arc), H E Z or U V W")
    time, slot, step_s, jitter_s = uniform_axis(times_ns, source, where, nominal_s)
    if not any(np.isfinite(values[name]).any() for name in names):
        raise InputError(source, f"columns {', '.join(names)}", "no value but missing marks",
                         "a record with data; ask for another day or data type")

    def placed(x, fill=np.nan):
        out = np.full(len(time), fill, dtype=np.asarray(x).dtype)
        out[slot] = x
        return "time", out

    h, d, z, angle = to_hdz(values, names, declination_deg)
    data = {"H": placed(h), "D": placed(d), "Z": placed(z)}
    data |= {k: placed(values[k]) for k in ("F", "S", "G")
             if k in values and np.isfinite(values[k]).any()}
    if not_recorded is not None and not_recorded.any():
        data["not_recorded"] = placed(not_recorded, 0)
    notes = _notes(names, h, d, z, angle, latitude, declination_deg)
    if len(time) > len(slot):
        notes.append(f"{len(time) - len(slot)} missing time stamps inserted as NaN")
    if jitter_s:
        notes.append(f"time stamps moved by up to {jitter_s:g} s")
    return xr.Dataset(data, {"time": time}, {
        "station": station, "sampling_s": step_s, "source": Path(source).name,
        "latitude": float(latitude), "longitude": float(longitude),
        "reported": "".join(values), "declination_deg": angle,
        "inserted_stamps": len(time) - len(slot), **(attrs or {}),
        "notes": "; ".join([*(attrs or {}).get("notes", ()), *notes])})


def _notes(names, h, d, z, angle, latitude, given) -> list[str]:
    """List what a reader of the record should know about its axes."""
    notes = []
    if names in ("XYZ", "UVW") and given is None and np.hypot(_mean(h), _mean(d)) < MIN_HORIZONTAL_NT:
        notes.append(f"{names[0]} and {names[1]} have no baseline (or a magnetic pole is near): "
                     "axes kept, H and D are not along magnetic north and east")
    elif names == "UVW":
        notes.append("U V W are sensor axes: H is the mean horizontal direction")
    half = int(np.isnan(h).sum() - np.isnan(z).sum())
    if half > 0 and angle:
        notes.append(f"{half} samples lack H and D but not Z; a rotation needs both horizontals")
    mean_z = _mean(z)
    if abs(mean_z) > MIN_Z_NT and abs(latitude) > MIN_LATITUDE_DEG and mean_z * latitude < 0:
        notes.append(f"latitude {latitude:g} contradicts mean Z {mean_z:.0f} nT: wrong sign?")
    return notes
