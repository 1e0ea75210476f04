"""Datasets from folders of published pictures (layer 4).

The repositories behind the seeds keep PNG pictures, not records. Here they become a dataset file like any
other, so that training, audit and Grad-CAM work on them; `lib.published_export` goes the other way.

When not to use: to learn from, if the records are to be had. A picture holds brightness, not power: each
was stretched between its own extremes (`lib.published`).
"""

import collections
import dataclasses
import hashlib
import io
import itertools
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from lib import config, dataset, published
from lib.files import InputError, content_hash
from lib.published_table import WINDOW_S, read_layout
from lib.representation import Form
from lib.studies import Study

__all__ = ["form", "is_layout", "layout_study", "read_layout", "read_png", "to_dataset"]

LAYOUTS = {"panels": ("red", "green", "blue"), "rgb": ("H", "D", "Z")}    # -> channels
BAND_HZ = (0.010, 0.045)          # of the published pictures (systems.md 1.2)
UNITS = "share of full brightness"
MAX_SIDE = 4096                   # pixels; a larger picture is a mistake or an attack
_DESIGN = "png_"                  # prefix of `windows.design`: such a study has no transform of its own
_BATCH, _AHEAD = 64, 2            # pictures written at a time; batches decoded ahead
_SHARE = (np.arange(256) / 255).astype(np.float16)


def layout_study(layout: str = "panels", profile: str = "light", window_s: int = WINDOW_S,
                 overrides: dict | None = None) -> Study:
    """Return the study of seed 001 for pictures instead of records.

    Parameters
    ----------
    layout : str
        ``"panels"``: colours of three panels H, D, Z above each other, as R2 draws; ``"rgb"``: red, green
        and blue are H, D and Z, as R1 says.
    profile, overrides
        As in `config.load`. `stft.size` is the size that pictures are brought to.
    window_s : int
        Seconds that a picture covers.

    Examples
    --------
    >>> layout_study("rgb").windows.design
    'png_rgb'
    """
    if layout not in LAYOUTS:
        raise InputError("layout_study", "layout", layout, ", ".join(LAYOUTS))
    return config.load("convnext", profile, {
        "windows.design": _DESIGN + layout, "windows.window_s": window_s, "stft.freq_hz": BAND_HZ,
        "stft.highpass_hz": None, "training.augmentation": None, **(overrides or {})})


def is_layout(study: Study) -> bool:
    """Whether a study's images are pictures, so that no record can be shown to its network."""
    return study.windows.design.startswith(_DESIGN)


def form(study: Study) -> Form:
    """Return what is stored of a picture: channels, axes, units; `images` takes nothing from records.

    Rows go from the bottom of the picture to its top. In the layout ``panels`` the rows of each panel carry
    its own frequencies, so `frequency_hz` runs through the band three times.
    """
    layout = study.windows.design.removeprefix(_DESIGN)
    if not is_layout(study) or layout not in LAYOUTS:
        raise InputError("published_layout", "windows.design", study.windows.design,
                         "a study from published_layout.layout_study")
    rows, columns = study.stft.size
    place = (np.arange(rows) + 0.5) / rows
    if layout == "panels":
        edges = np.cumsum((0, *published.PANEL_HEIGHTS[::-1])) / published.PIXELS
        panel = np.searchsorted(edges, place) - 1
        place = (place - edges[panel]) / np.diff(edges)[panel]
    low, high = study.stft.freq_hz
    time_s = (np.arange(columns) + 0.5) / columns * study.windows.window_s
    return Form(_no_record, LAYOUTS[layout], {"frequency_hz": (low + place * (high - low), "Hz"),
                                              "time_s": (time_s, "s after the window's start")}, UNITS, 1, 1)


def _no_record(x):
    raise InputError("published_layout", "windows", x.shape, "pictures: this study has no transform")


def to_dataset(folder: str | Path, path: str | Path, study: Study, threads: int | None = None) -> Path:
    """Write a folder of pictures as a dataset file, or return the file if it is already that.

    Parameters
    ----------
    folder : path
        As `read_layout` takes it.
    path : path
        Of the HDF5 file, for `dataset.open_dataset`.
    study : Study
        From `layout_study`; pictures of another size than `stft.size` are resized (bilinear, anti-aliased).
    threads : int, optional
        That decode; all cores, at most 8, by default. Memory does not grow with the number of pictures.

    Raises
    ------
    InputError
        As `read_layout`, and for a file that is no PNG of 8-bit colours.
    """
    folder, kept = Path(folder), form(study)
    table = read_layout(folder, study.windows.window_s)
    files = [folder / name for name in table["file"]]
    with ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 8)) as pool:
        contents = hashlib.sha256(b"".join(pool.map(_digest, files))).hexdigest()
        pictures = _decoded(files, study.stft.size, pool)
        # one sample a window stands for its place in the table: pictures come in the table's order
        given = dataclasses.replace(kept, images=lambda rows: next(pictures))
        try:
            return dataset.build(path, table, lambda *_: np.zeros((1, 1)), study, batch=_BATCH, form=given,
                                 source=f"pictures {content_hash(contents, Path(__file__).read_bytes())}")
        finally:
            pictures.close()


def _digest(path):
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise InputError(path, "reading", error.strerror, "a PNG file that can be read") from error


def _decoded(files, size, pool):
    """Yield batches (n, 3, F, T) in order while the next ones are being decoded."""
    ahead, starts = collections.deque(), iter(range(0, len(files), _BATCH))
    try:
        while True:
            for start in itertools.islice(starts, _AHEAD - len(ahead)):
                part = files[start:start + _BATCH]
                out = np.empty((len(part), 3, *size), np.float16)
                ahead.append((out, [pool.submit(_decode_into, out[i], f) for i, f in enumerate(part)]))
            if not ahead:
                return
            out, jobs = ahead.popleft()
            for job in jobs:
                job.result()
            yield out
    finally:
        for _, jobs in ahead:
            for job in jobs:
                job.cancel()


def read_png(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a picture as an image, float16 (3, F, T) in [0, 1], its bottom row first.

    Parameters
    ----------
    path : path
    size : (int, int), optional
        (F, T) to bring it to; its own by default.

    Raises
    ------
    InputError
        If the file is missing, damaged, no PNG of 8-bit colours, or more than 4096 pixels a side.
    """
    pixels = _pixels(Path(path), size)
    out = np.empty((3, *pixels.shape[:2]), np.float16)
    return _lay(pixels, out)


def _decode_into(out, path):
    _lay(_pixels(path, out.shape[1:]), out)


def _lay(pixels, out):
    """Write bytes (h, w, 3), top row first, as shares (3, h, w), bottom row first."""
    upright = pixels[::-1].transpose(2, 0, 1)
    return np.take(_SHARE, upright, out=out, mode="clip")      # a byte is never out of range; this is faster


def _pixels(path, size):
    """Bytes (h, w, 3) of a picture."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, "reading", error.strerror, "a PNG file that can be read") from error
    _check_png(data, path)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image = image if image.mode == "RGB" else image.convert("RGB")
            if size is not None and image.size != (size[1], size[0]):
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, EOFError) as error:      # all four are PIL's for damage
        raise InputError(path, "PNG data", str(error), "a whole PNG file") from error


def _check_png(data, path):
    """Refuse what is no PNG, too large or changed: PIL itself does not look at the checksums of pixels."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[24:25] not in (b"\1", b"\2", b"\4", b"\x08"):
        raise InputError(path, "first bytes", data[:8], "a PNG file of 8-bit colours")
    if not 0 < min(width, height) <= max(width, height) <= MAX_SIDE:
        raise InputError(path, "size", (width, height), f"1 to {MAX_SIDE} pixels a side")
    view, at, kind = memoryview(data), 8, b""
    while kind != b"IEND":
        end = at + 8 + int.from_bytes(data[at:at + 4], "big")
        kind = data[at + 4:at + 8]
        if len(data) < end + 4 or zlib.crc32(view[at + 4:end]) != int.from_bytes(data[end:end + 4], "big"):
            raise InputError(path, f"chunk {kind.decode('latin-1')} at byte {at}", "cut or changed",
                             "a whole PNG file; copy it again")
        at = end + 4
