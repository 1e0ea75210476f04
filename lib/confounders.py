"""Confounders to plant, one at a time: what each adds to a score where there is nothing to find (layer 4).

Each switch is one defect of a published study, planted in a sound one. It acts at one stage: on the windows
table before anything is read, on the record, on the images, or on the choice of the model. Sources:
validity.md A1, C9, D3, E1.3.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.ndimage import correlate1d

from lib import copies
from lib.config import rng
from lib.earth import designs, space_weather
from lib.files import InputError
from lib.published import jet_table

SWITCHES = {
    "quiet_station": "Quiet windows all come from one aseismic station; the station lookup (floor) sees it.",
    "kp_label": "Quiet windows come from hours with Kp below 2 only, so Kp is written into the label; the Kp "
                "lookup and the metadata floor see it.",
    "overlap": "Every window gets a neighbour that shares half of its record; the certificate sees it as "
               "overlap and station_day, under a random split as more event links.",
    "smoothing": "Quiet records pass a 60-sample moving average; no floor sees it, the render-null "
                 "test does.",
    "co_seismic": "The hour of the earthquake lies in the event window and shakes the sensor; no floor sees "
                  "it, a negative lead_days in the table does.",
    "colour_map": "Quiet images are drawn in viridis, event images in jet; no floor sees it, the render-null "
                  "test and the comparators do.",
    "masks": "Event images bear a masked band of frequencies and of frames; no floor sees it, the render-"
             "null test does.",
    "augmentation": "Event images are copied three times before the split; the certificate sees it as dup.",
    "test_stopping": "The epoch kept is the one that scores best on the test fold; nothing in the table "
                     "shows it, nested selection removes it.",
}
NAMES = {       # as figures and tables say them
    "quiet_station": "Quiet windows of one station",
    "kp_label": "Quiet windows of calm hours only",
    "overlap": "Windows that overlap",
    "smoothing": "Quiet records smoothed",
    "co_seismic": "The shaking is in the window",
    "colour_map": "A colour map for each class",
    "masks": "Masks on event images",
    "augmentation": "Copies made before the split",
    "test_stopping": "Epoch chosen on the test fold",
}
STAGES = {"quiet_station": "table", "kp_label": "table", "overlap": "table",
          "smoothing": "record", "co_seismic": "record",
          "colour_map": "images", "masks": "images", "augmentation": "images", "test_stopping": "selection"}
MEAN_SAMPLES = 60        # E1.3
SURFACE_KM_S = 3.5       # speed of surface waves; period, decay and size below are plain choices [D]
SHAKING_S = (15.0, 120.0)            # period, decay
SHAKING_NT, SHAKING_M, SHAKING_KM = 1.0, 5.5, 100.0     # 1 nT for M 5.5 at 100 km, ten times that for M 6.5
# every 15th colour of matplotlib's viridis, joined linearly
VIRIDIS = ("440154", "481769", "472a7a", "433d84", "3d4e8a", "355e8d", "2e6d8e", "297b8e", "23898e",
           "1f978b", "21a585", "2eb37c", "46c06f", "65cb5e", "89d548", "b0dd2f", "d8e219", "fde725")


def apply(name: str, windows: pd.DataFrame, data=None, *, kp: pd.Series | None = None,
          dst: pd.Series | None = None, seed: int = 42) -> tuple[pd.DataFrame, object]:
    """Plant one confounder and nothing else.

    Parameters
    ----------
    name : str
        A key of `SWITCHES`; `STAGES` says when to call: before reading (``table``), with the reader
        (``record``), or with the images (``images``). ``test_stopping`` is `select_on_test`.
    windows : DataFrame
        The windows table, N rows; not modified.
    data : None, callable or array
        Nothing; ``read(station, start, n) -> (3, n)`` in nT; log10 power (N, C, F, T).
    kp, dst : Series
        Needed at the stage ``table``: windows that move get their own Kp and Dst.
    seed : int
        Of masks and copies.

    Returns
    -------
    (DataFrame, None or callable or array)
        What takes the place of `windows` and `data`.

    Raises
    ------
    InputError
        For an unknown name, data of another stage, or no room to move a window to.

    When not to use: anywhere but in a world whose truth is known.
    """
    if name not in SWITCHES:
        raise InputError("confounders", "name", name, ", ".join(SWITCHES))
    given = "table" if data is None else "record" if callable(data) else "images"
    if STAGES[name] != given:
        raise InputError("confounders", f"data for {name}, stage {STAGES[name]}", type(data).__name__,
                         "table: None; record: a reader; images: an array; selection: call select_on_test")
    if given == "images" and len(data) != len(windows):
        raise InputError("confounders", "images", len(data), f"one for each of {len(windows)} windows")
    if given == "table":
        if kp is None or dst is None:
            raise InputError("confounders", "kp and dst", None, f"both series: {name} moves windows")
        return _TABLE[name](windows, kp, dst), None
    return _RECORD[name](windows, data) if given == "record" else _IMAGES[name](windows, data, seed)


def quiet_station(windows: pd.DataFrame, kp: pd.Series, dst: pd.Series,
                  station: str = designs.QUIET_STATIONS[0]) -> pd.DataFrame:
    """Move quiet windows to one station, hour of the day kept, the day too where it is free there."""
    return _move_quiet(windows, kp, dst, station, np.inf)


def kp_label(windows: pd.DataFrame, kp: pd.Series, dst: pd.Series) -> pd.DataFrame:
    """Move quiet windows of Kp 2 or more to the nearest free day below, station and hour kept."""
    return _move_quiet(windows, kp, dst, None, designs.QUIET_KP)


def overlap(windows: pd.DataFrame, kp: pd.Series, dst: pd.Series) -> pd.DataFrame:
    """Put below each original window one that starts half a window earlier, with the same label.

    Copies get none, nor does a window whose neighbour would lie before the indices begin.
    """
    half = (windows.end - windows.start) / 2
    early = windows.assign(start=windows.start - half, end=windows.end - half,
                           lead_days=windows.lead_days + half.dt.total_seconds() / 86_400)
    early = _renamed(early, kp, dst)[(windows.window_id == windows.parent_id).to_numpy()]
    early = early[np.isfinite(early.kp_max)]
    return pd.concat([windows, early]).sort_index(kind="stable").reset_index(drop=True)


def _move_quiet(windows, kp, dst, station, below):
    """Move each quiet window to the nearest free day that fits; windows that fit already stay."""
    quiet = (windows.event_id == "").to_numpy()
    fits = windows.station.eq(station).to_numpy() if station else (windows.kp_max < below).to_numpy()
    used = set(windows.loc[~quiet | fits, ["station", "start"]].itertuples(index=False, name=None))
    days = np.arange(kp.index[0].floor("D"), kp.index[-1] + pd.Timedelta(days=1), designs.DAY)
    starts = {}                                                  # allowed starts by time of day and length
    table = windows.copy()
    for row in windows[quiet & ~fits].itertuples():
        kind = (row.start - row.start.floor("D"), row.end - row.start)
        if kind not in starts:
            first = pd.DatetimeIndex(days) + kind[0]
            largest, _ = space_weather.window_indices(kp, dst, first, first + kind[1])
            starts[kind] = first[largest < below]                # NaN, outside the indices, is not below
        target = station or row.station
        nearest = starts[kind][np.argsort(np.abs(starts[kind] - row.start), kind="stable")]
        free = next((t for t in nearest if (target, t) not in used), None)
        if free is None:
            raise InputError("confounders", f"free day for window {row.window_id} at {target}", None,
                             "fewer quiet windows or a longer span")
        used.add((target, free))
        table.loc[row.Index, ["station", "start", "end"]] = target, free, free + kind[1]
    moved = quiet & ~fits
    table.loc[moved] = _renamed(table[moved], kp, dst)
    return table


def _renamed(rows, kp, dst):
    """Rows with the names and indices that their station and start ask for."""
    kp_max, dst_min = space_weather.window_indices(kp, dst, rows.start, rows.end)
    name = rows.station + "-" + rows.start.dt.strftime("%Y%m%dT%H%M")
    return rows.assign(window_id=name, parent_id=name, kp_max=kp_max, dst_min=dst_min)


def smoothing(windows: pd.DataFrame, read: Callable) -> tuple[pd.DataFrame, Callable]:
    """Return a reader whose quiet windows have passed `moving_average`."""
    quiet = windows[windows.event_id == ""]
    keys = frozenset(zip(quiet.station, quiet.start, strict=True))
    return windows, functools.partial(_read_smooth, read, keys)


def _read_smooth(read, quiet, station, start, n):
    record = read(station, start, n)
    return moving_average(record) if (station, pd.Timestamp(start)) in quiet else record


def moving_average(record: np.ndarray, n: int = MEAN_SAMPLES) -> np.ndarray:
    """Average over `n` neighbouring samples along the last axis, the end values repeated; float64.

    Its gain is |sin(pi n f) / (n sin(pi f))|: nulls at 1/60, 2/60 ... Hz at 1 Hz sampling (validity.md D3).

    >>> moving_average([0.0, 0.0, 2.0, 2.0], 2).tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    return correlate1d(np.asarray(record, float), np.full(n, 1 / n), axis=-1, mode="nearest")


def co_seismic(windows: pd.DataFrame, read: Callable) -> tuple[pd.DataFrame, Callable]:
    """Put the earthquake into the middle of its windows: shaking in the record, lead_days in the table.

    Times stay, so that hour, season and Kp remain matched and shaking is all that differs [D]: surface waves
    arrive at 3.5 km/s, 15 s period, decay 120 s, 10^(M - 5.5) (100 km / R) nT on each component.
    """
    event = windows[windows.event_id != ""]
    half = (event.end - event.start).dt.total_seconds() / 2
    shaking = dict(zip(zip(event.station, event.start, strict=True),
                       zip(half, event.magnitude, event.distance_km, strict=True), strict=True))
    table = windows.copy()
    table.loc[event.index, "lead_days"] = -half / 86_400
    return table, functools.partial(_read_shaken, read, shaking)


def _read_shaken(read, shaking, station, start, n):
    record = np.asarray(read(station, start, n))
    if (station, pd.Timestamp(start)) not in shaking:
        return record
    origin_s, magnitude, km = shaking[station, pd.Timestamp(start)]
    size = SHAKING_NT * 10 ** (magnitude - SHAKING_M) * SHAKING_KM / max(km, 10.0)
    t = np.maximum(np.arange(n) - origin_s - km / SURFACE_KM_S, 0.0)
    return record + size * np.sin(2 * math.pi * t / SHAKING_S[0]) * np.exp(-t / SHAKING_S[1])


def colour_map(windows: pd.DataFrame, x: np.ndarray, seed: int = 42) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw quiet images in viridis and event images in jet; compare with `coloured` in jet alone."""
    quiet = (windows.event_id == "").to_numpy()[:, None, None, None]
    return windows, np.where(quiet, coloured(x, viridis_table()), coloured(x, jet_table()))


def coloured(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Draw H, D, Z as red, green and blue: float32 (N, 9, F, T), 0 to 1, channels H-red, H-green ... Z-blue.

    Each panel is stretched between its own extremes, as in `lib.published`; `table` is (256, 3) uint8.
    """
    x = np.asarray(x, np.float32)[:, :3]
    low, high = x.min((2, 3), keepdims=True), x.max((2, 3), keepdims=True)
    level = np.rint(255 * (x - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    drawn = np.moveaxis(table[level], -1, 2).astype(np.float32) / 255           # (N, 3, RGB, F, T)
    return drawn.reshape(len(x), -1, *x.shape[2:])


def viridis_table() -> np.ndarray:
    """Colour table (256, 3) of `viridis`, uint8, within 6 of matplotlib's.

    >>> viridis_table()[[0, 255]].tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    nodes = np.array([list(bytes.fromhex(colour)) for colour in VIRIDIS])
    level = np.linspace(0, len(nodes) - 1, 256)
    return np.round([np.interp(level, np.arange(len(nodes)), c) for c in nodes.T]).T.astype(np.uint8)


def masks(windows: pd.DataFrame, x: np.ndarray, seed: int = 42) -> tuple[pd.DataFrame, np.ndarray]:
    """Set one stripe of frequencies and one of frames of every event image to the mean (`copies.mask`)."""
    out = np.array(x)
    for i in np.flatnonzero(windows.event_id != ""):
        out[i] = copies.mask(out[i], rng(seed, "masks", windows.window_id.iloc[i]))
    return windows, out


def augmentation(windows: pd.DataFrame, x: np.ndarray, seed: int = 42) -> tuple[pd.DataFrame, np.ndarray]:
    """Copy event windows three times before any split, with gain, noise and masks (`copies.render`)."""
    table = designs.with_copies(windows)
    repeats = np.where(windows.event_id == "", 1, 1 + designs.COPIES)
    return table, copies.render(np.repeat(x, repeats, axis=0), table, seed)


def select_on_test(candidates: np.ndarray, y: np.ndarray, folds: list) -> np.ndarray:
    """Keep in each fold the candidate that is most accurate on its test part: stopping on the test fold.

    Parameters
    ----------
    candidates : array of int (E, N)
        Predictions after E epochs, or of E runs or settings.
    y : array of int (N,)
    folds : list of (train, test)

    Returns
    -------
    array of int (N,)
        -1 where a window is in no test part; of two as good, the earlier.

    References
    ----------
    validity.md A4: the best of E looks gains about c_E sqrt(p (1 - p) / n); E1.5.

    Examples
    --------
    >>> select_on_test([[0, 0, 0], [1, 1, 1]], [0, 1, 1], [([1, 2], [0]), ([0], [1, 2])]).tolist()
    [0, 1, 1]
    """
    candidates, y = np.asarray(candidates), np.asarray(y)
    if candidates.ndim != 2 or candidates.shape[1:] != y.shape:
        raise InputError("select_on_test", "shapes of candidates and y", (candidates.shape, y.shape),
                         "(E, N) and (N,)")
    result = np.full(len(y), -1)
    for _, test in folds:
        best = (candidates[:, test] == y[test]).mean(axis=1).argmax()
        result[test] = candidates[best, test]
    return result


_TABLE = {"quiet_station": quiet_station, "kp_label": kp_label, "overlap": overlap}
_RECORD = {"smoothing": smoothing, "co_seismic": co_seismic}
_IMAGES = {"colour_map": colour_map, "masks": masks, "augmentation": augmentation}
