"""Duplicate families: windows that are copies, parts or near images of one another (layer 2).

Each search gives pairs of rows; what is joined by any of them is one family. Equal bytes, equal file-name
bases and overlapping intervals of one station are facts. A small distance of perceptual hashes and a large
cosine of thumbnails are suspicions: two stations under one storm look alike too. Source: validity.md A9.
"""

import hashlib
import re

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lib.files import InputError
from lib.table_checks import column, refuse, times

HAMMING = 6           # of 64 bits, at most (A9)
COSINE = 0.98         # more than (A9)
THUMBNAIL = 16        # pixels a side (A9)
CHUNK = 1024          # rows compared with all others at once
FACTS = ("bytes", "name", "interval", "parent")
_COPY = re.compile(r"(~\d+|[ _.-]*(aug(mented|mentation)?|copy|dup|flip(ped)?|rot(ated)?)[ _.-]*\d*)+$",
                   re.IGNORECASE)


def thumbnails(x: np.ndarray, rows: int = THUMBNAIL, columns: int | None = None) -> np.ndarray:
    """Reduce images to block means.

    Parameters
    ----------
    x : array or HDF5 dataset, shape (N, C, F, T) or (N, F, T)
        Read 64 at a time.
    rows, columns : int
        Blocks along F and T; as many as there are pixels where there are fewer.

    Returns
    -------
    array of float64, shape (N, C, rows, columns)

    Raises
    ------
    InputError
        For another shape, or a value that is not finite (the row is named).
    """
    shape = x.shape if len(x.shape) == 4 else (x.shape[0], 1, *x.shape[1:])
    if len(shape) != 4 or 0 in shape:
        raise InputError("duplicates", "shape of x", x.shape, "(N, C, F, T) or (N, F, T), none empty")
    weight_f, weight_t = _means(shape[2], rows), _means(shape[3], columns or rows)
    parts = []
    for begin in range(0, shape[0], 64):
        part = np.asarray(x[begin:begin + 64], float).reshape(-1, *shape[1:])
        bad = ~np.isfinite(part).all((1, 2, 3))
        if bad.any():
            raise InputError("duplicates", f"x, row {begin + int(np.argmax(bad))}", "nan or inf",
                             "finite values")
        parts.append(weight_f @ part @ weight_t.T)
    return np.concatenate(parts)


def _means(n, blocks):
    """Weights (blocks, n) of the mean over each of `blocks` stretches of n pixels."""
    blocks = min(blocks, n)
    member = np.arange(n) * blocks // n == np.arange(blocks)[:, None]
    return member / member.sum(1, keepdims=True)


def dhash(x: np.ndarray) -> np.ndarray:
    """Return the difference hash: 64 bits, set where one of 8 x 9 grey blocks is darker than its right one.

    Unchanged by gain and offset, h(x) = h(a x + b) for a > 0; two images of independent noise differ in 32 of
    64 bits, standard deviation 4 (A9).

    Parameters
    ----------
    x : array, shape (N, C, F, T) or (N, F, T)
        Channels are averaged to grey; at least 8 x 9 pixels.

    Returns
    -------
    array of uint64, shape (N,)

    >>> ramp = np.tile(np.arange(18.0), (1, 16, 1))
    >>> hex(int(dhash(ramp)[0]))
    '0xffffffffffffffff'
    """
    if x.shape[-2] < 8 or x.shape[-1] < 9:
        raise InputError("duplicates.dhash", "shape of x", x.shape, "images of 8 x 9 pixels or more")
    grey = thumbnails(x, 8, 9).mean(1)
    rounding = 1e-12 * np.abs(grey).max((1, 2), keepdims=True)      # of block means; equal blocks stay equal
    bits = grey[:, :, 1:] - grey[:, :, :-1] > rounding
    return np.packbits(bits.reshape(len(bits), 64), axis=1).view(">u8").ravel().astype(np.uint64)


def hash_pairs(codes: np.ndarray, limit: int = HAMMING) -> np.ndarray:
    """Pairs of rows whose hashes differ in at most `limit` bits, shape (P, 2), first < second.

    A hash with fewer than 4 bits of one kind belongs to a flat or evenly rising image and pairs with nothing:
    it says too little.
    """
    ones = np.bitwise_count(codes)
    telling = np.flatnonzero((ones >= 4) & (ones <= 60))
    codes = codes[telling]
    return telling[_near(len(codes), lambda s: np.bitwise_count(codes[s, None] ^ codes) <= limit)]


def cosine_pairs(x: np.ndarray, limit: float = COSINE) -> np.ndarray:
    """Pairs of rows whose mean-removed 16 x 16 thumbnails have a cosine above `limit`, shape (P, 2).

    Two means are removed: that of each thumbnail, and the mean thumbnail of the table. Without the second,
    all spectrograms of one network are alike, because all fall with frequency.
    """
    flat = thumbnails(x).reshape(x.shape[0], -1)
    flat = flat - flat.mean(1, keepdims=True)
    flat = flat - flat.mean(0)
    size = np.linalg.norm(flat, axis=1)
    telling = np.flatnonzero(size > 1e-9 * max(1.0, float(size.max(initial=0))))
    unit = flat[telling] / size[telling, None]
    return telling[_near(len(unit), lambda s: unit[s] @ unit.T > limit)]


def _near(n, close):
    """Pairs (i < j) of n rows for which `close`, asked for a slice of rows against all, is true."""
    found = [np.empty((0, 2), np.int64)]
    for begin in range(0, n, CHUNK):
        i, j = np.nonzero(close(slice(begin, begin + CHUNK)))
        found.append(np.column_stack([i + begin, j])[i + begin < j])
    return np.concatenate(found)


def byte_hashes(x: np.ndarray) -> np.ndarray:
    """Return sha256 of the bytes of each row's array, shape (N,); one row in memory at a time."""
    return np.array([hashlib.sha256(np.ascontiguousarray(x[i]).tobytes()).hexdigest()
                     for i in range(x.shape[0])])


def name_base(name: str) -> str:
    """Strip folder, suffix and marks of a copy from a file name or window_id.

    >>> name_base("set/SCN_20200110_14_aug3.png"), name_base("SCN_20200110_14.npy")
    ('SCN_20200110_14', 'SCN_20200110_14')
    """
    stem = re.split(r"[/\\]", name)[-1]
    stem = re.sub(r"\.(png|jpe?g|npy|npz|csv|h5|tiff?|bmp|txt)$", "", stem, flags=re.IGNORECASE)
    return _COPY.sub("", stem) or stem


def equal_pairs(labels: np.ndarray) -> np.ndarray:
    """Chain the rows with equal labels, shape (P, 2): n equal ones give n - 1 pairs; "" equals nothing."""
    labels = np.asarray(labels).astype(str)
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] != ""]
    same = labels[order[1:]] == labels[order[:-1]]
    return np.column_stack([order[:-1][same], order[1:][same]])


def interval_pairs(windows: pd.DataFrame) -> np.ndarray:
    """Chain the rows of one station whose intervals overlap, shape (P, 2); touching is not overlapping."""
    station = np.unique(column(windows, "station"), return_inverse=True)[1]
    start, end = times(windows, "start"), times(windows, "end")
    refuse(end < start, "end", end, "a time after its start")
    order = np.lexsort((end, start, station))
    pairs, reach = [], None                      # reach: the row of this station that ends last so far
    for row in order:
        if reach is None or station[row] != station[reach]:
            reach = row
            continue
        if start[row] < end[reach] or start[row] == start[reach]:
            pairs.append((reach, row))
        reach = row if end[row] > end[reach] else reach
    return np.array(pairs, np.int64).reshape(-1, 2)


def find(windows: pd.DataFrame, x: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Search for duplicates in every way that the input allows.

    Parameters
    ----------
    windows : DataFrame
        N rows: window_id, station, start, end; parent_id where there is one, `file` where there is one.
    x : array, shape (N, C, F, T), (N, F, T) or (N, D), optional
        Images or features; hashes and thumbnails need images of 9 x 9 pixels or more.

    Returns
    -------
    dict of str to array of int, shape (P, 2)
        Pairs by `parent`, `name`, `interval`, and with x by `bytes`, `hash`, `cosine`. Pairs of the exact
        searches are chained: n equal rows give n - 1 pairs.

    Raises
    ------
    InputError
        For missing columns or times, an x with another number of rows, or values that are not finite.
    """
    names = column(windows, "file" if "file" in windows else "window_id")
    found = {"name": equal_pairs([name_base(n) for n in names]), "interval": interval_pairs(windows)}
    if "parent_id" in windows:
        found["parent"] = equal_pairs(column(windows, "parent_id"))
    if x is not None:
        if x.shape[0] != len(windows):
            raise InputError("duplicates", "rows of x", x.shape[0], f"{len(windows)}, as the windows table")
        found["bytes"] = equal_pairs(byte_hashes(x))
        if len(x.shape) > 2 and min(x.shape[-2:]) >= 9:
            found |= {"hash": hash_pairs(dhash(x)), "cosine": cosine_pairs(x)}
    return found


def families(n: int, pairs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the family of each of n rows, numbered by first appearance, shape (n,); any pair joins.

    >>> families(4, {"name": np.array([[0, 2]]), "bytes": np.array([[2, 3]])}).tolist()
    [0, 1, 0, 0]
    """
    joined = np.concatenate([np.empty((0, 2), np.int64), *pairs.values()])
    graph = coo_array((np.ones(len(joined), bool), (joined[:, 0], joined[:, 1])), shape=(n, n))
    code = connected_components(graph, directed=False)[1]
    _, first, code = np.unique(code, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code]


def keep_one(family: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Return the first row of each family, sorted; of `among` only, where given.

    Scores of these rows count a copied window once: ``metrics.confusion(y[rows], predicted[rows], k)``.
    """
    rows = np.arange(family.size) if among is None else np.sort(np.asarray(among))
    return np.sort(rows[np.unique(family[rows], return_index=True)[1]])
