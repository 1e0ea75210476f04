"""Maps of an IONEX file: labels, grids, epochs and values (layer 1).

Labels stand from column 61, so a line with a letter there is a label and any other line holds values, sixteen
of five characters; values and coordinates may touch, so nothing is split at spaces. `parse_fixed` handles the
same line of all rows of all maps at once and gives up on anything unusual; then they are parsed one by one,
more tolerantly, and the line that cannot be read is named. Both give the same numbers.
"""

import re
from typing import NamedTuple

import numpy as np

from lib.files import InputError

LABEL_AT, PER_LINE, WIDTH = 60, 16, 5
ROW = b"LAT/LON1/LON2/DLON/H"
INTEGER = re.compile(r" *[-+]?\d+ *$", re.ASCII)
NUMBER = re.compile(r" *[-+]?\d+(?:\.\d*)? *$", re.ASCII)
BORDER = re.compile(r"(START|END) OF (TEC|RMS|HEIGHT) MAP$")
SECOND = np.timedelta64(1_000_000_000, "ns")
MAX_EXPONENT = 9
MISSING = 9999   # before the exponent is applied, whatever it is


class Map(NamedTuple):
    """One map: kind, epoch (UTC), line of its START, and its place in the table of rows."""

    kind: str
    epoch: np.datetime64
    line: int
    first_row: int
    n_rows: int


class Lines:
    """The lines of a file below its header, numbered as in the file.

    Parameters
    ----------
    data : bytes
        With line feeds only, none at the end.
    first : int
        Number of the first of these lines in the file.
    source : str or Path
    """

    def __init__(self, data: bytes, first: int, source):
        self.data, self.first, self.source = data, first, source
        self.array = np.frombuffer(data, np.uint8)
        newline = np.flatnonzero(self.array == 10)
        self.start, self.end = np.append(0, newline + 1), np.append(newline, len(data))
        at = self.start + LABEL_AT
        letter = (self.array[np.minimum(at, len(data) - 1)] | 32) - np.uint8(97) < 26
        self.labels = np.flatnonzero(letter & (at < self.end))

    def raw(self, i: int) -> bytes:
        """Line `i`, counted from 0."""
        return self.data[self.start[i]:self.end[i]]

    def fail(self, i: int, accepted: str):
        """Raise for line `i`, or for the end of the file."""
        i = min(i, len(self.start) - 1)
        raise InputError(self.source, f"line {self.first + i}", self.raw(i).decode("latin-1"), accepted)


def fixed_numbers(text: str, widths, skip: int = 0) -> list[float] | None:
    """Numbers in columns of given widths after `skip` characters; None if one is no number.

    >>> fixed_numbers("    87.5-180.0 180.0   5.0 450.0", [6] * 5, 2)
    [87.5, -180.0, 180.0, 5.0, 450.0]
    """
    edges = np.cumsum([skip, *widths]).tolist()
    fields = [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    return [float(field) for field in fields] if all(map(NUMBER.match, fields)) else None


def parse_epoch(text: str) -> np.datetime64 | None:
    """UTC time from year ... second in columns of six; None if there is no such time.

    Hour 24, minute 60 and second 60 are carried over, and a second may be counted back from the minute.

    >>> parse_epoch("  2000     1     1    22    59    60")
    np.datetime64('2000-01-01T23:00:00.000000000')
    >>> parse_epoch("  2019    12    31    24     0     0")
    np.datetime64('2020-01-01T00:00:00.000000000')
    """
    fields = text[:LABEL_AT].split()
    if len(fields) != 6 or not all(map(INTEGER.match, fields[:5])) or not NUMBER.match(fields[5]):
        return None
    year, month, day, hour, minute = map(int, fields[:5])
    second = float(fields[5])
    of_day = 3600 * hour + 60 * minute + second
    if not (1957 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= 31 and 0 <= hour <= 24
            and 0 <= minute <= 60 and abs(second) <= 60 and -60 <= of_day <= 86_400):
        return None
    try:
        midnight = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "ns")
    except ValueError:   # 31 April
        return None
    return midnight + round(1000 * of_day) * (SECOND // 1000)


def axis(first: float, last: float, step: float) -> np.ndarray | None:
    """Values from `first` to `last` by `step`, rounded to 1e-6; None if they are no such axis.

    >>> axis(87.5, -87.5, -2.5)[[0, 1, -1]].tolist()
    [87.5, 85.0, -87.5]
    """
    n = (last - first) / step if step else -float(first != last)
    if not (abs(first) <= 360 and abs(last) <= 360 and 0 <= n <= 7200 and abs(n - round(n)) < 1e-6):
        return None
    return np.round(first + step * np.arange(round(n) + 1), 6)


def parse_exponent(text: str) -> int | None:
    """Exponent in the first six columns; None if it is none from -9 to 9."""
    return int(text[:6]) if INTEGER.match(text[:6]) and abs(int(text[:6])) <= MAX_EXPONENT else None


class Scan:
    """What the labels say: which maps there are and where their rows of values stand.

    Parameters
    ----------
    lines : Lines
    exponent : int
        Of the header; an EXPONENT line counts from where it stands until the next.
    latitudes : list of float, optional
        Of the header, in degrees; without them every map has to repeat the first one's.

    Attributes
    ----------
    maps : list of Map
    rows : list of (int, int)
        Line and exponent of every row of constant latitude, all maps after one another.
    latitudes : list of float
        Of every map, in the order of the file.
    across : tuple
        First, last and step of the longitudes, height in km.
    closed : bool
        Whether END OF FILE was there.

    Raises
    ------
    InputError
        At the first line out of place.
    """

    def __init__(self, lines: Lines, exponent: int, latitudes=None):
        self.lines, self.exponent, self.latitudes = lines, exponent, latitudes
        self.maps, self.rows, self.across, self.closed = [], [], None, False
        self.kind = self.epoch = self.line = None   # of the map that is open
        self.found, self.known, self.n_lines = [], {}, 0
        self._blank(0, int(lines.labels[0]) if len(lines.labels) else len(lines.start))
        following = [*lines.labels.tolist(), len(lines.start)][1:]
        spans = (a[lines.labels].tolist() for a in (lines.start, lines.end))
        for i, after, start, end in zip(lines.labels.tolist(), following, *spans, strict=True):
            if self.closed:
                lines.fail(i, "nothing below END OF FILE: read files that were joined one by one")
            if lines.data.startswith(ROW, start + LABEL_AT, end):
                self._row(i, after, lines.data[start:start + LABEL_AT])
            else:
                self._label(i, after, lines.data[start + LABEL_AT:end])
        if self.kind:
            self._close(len(lines.start) - 1)

    def _row(self, i, after, place):
        """Note a row of values; its line gives latitude, longitudes and height."""
        latitude = self.known.get(place)   # the same lines in every map: parsed once
        if latitude is None:
            latitude = self.known[place] = self._grid(i, place.decode("latin-1"))
        if self.epoch is None:
            self.lines.fail(i, "START OF ... MAP and EPOCH OF CURRENT MAP above the first latitude")
        if after - i - 1 != self.n_lines:
            if after - i - 1 < self.n_lines:
                self.lines.fail(after, f"values on {self.n_lines} line(s) below line {self.lines.first + i}; "
                                "the file is cut or damaged, fetch it again")
            self._blank(i + 1 + self.n_lines, after)
        self.found.append(latitude)
        self.rows.append((i, self.exponent))

    def _grid(self, i, text):
        """Latitude of a row; longitudes and height have to be those of the first row."""
        numbers = fixed_numbers(text, [6] * 5, 2)
        if numbers is None or abs(numbers[0]) > 90 or axis(*numbers[1:4]) is None:
            self.lines.fail(i, "latitude, first and last longitude, step and height in columns of six")
        if self.across is None:
            self.across = tuple(numbers[1:])
            self.n_lines = -(-len(axis(*self.across[:3])) // PER_LINE)
        if tuple(numbers[1:]) != self.across:
            self.lines.fail(i, f"longitudes and height {self.across} as in the first row: maps of one grid "
                            "and one height")
        return numbers[0]

    def _blank(self, i, after):
        """Only blank lines may stand between the values and the next label."""
        for k in range(i, after):
            if self.lines.raw(k).strip():
                self.lines.fail(k, "a label of IONEX in column 61, no further values")

    def _label(self, i, after, label):
        """Open or close a map, or note its epoch or exponent."""
        self._blank(i + 1, after)
        text, label = self.lines.raw(i).decode("latin-1"), label.decode("latin-1").strip().upper()
        found = BORDER.match(label)
        if label == "END OF FILE" or (found and found[1] == "START"):
            if self.kind:   # END OF ... MAP is missing: harmless below a whole map
                self._close(i)
            self.closed = not found
            self.kind, self.line = found and found[2], self.lines.first + i
        elif found:
            if self.kind != found[2]:
                self.lines.fail(i, f"START OF {found[2]} MAP before its end")
            self._close(i)
        elif label == "EPOCH OF CURRENT MAP" and self.kind and not self.found:
            self.epoch = parse_epoch(text)
            if self.epoch is None:
                self.lines.fail(i, "year, month, day, hour, minute and second of a time that exists, hour "
                                "24 and second 60 included")
        elif label == "EXPONENT":
            self.exponent = parse_exponent(text)
            if self.exponent is None:
                self.lines.fail(i, "a whole number from -9 to 9 in the first six columns")
        elif label != "COMMENT":
            self.lines.fail(i, "a label that may stand here, such as START OF TEC MAP, EPOCH OF CURRENT MAP "
                            "or END OF TEC MAP")

    def _close(self, i):
        """Keep the map that ends above line `i`, if it is whole."""
        self.latitudes = self.latitudes or self.found
        if not self.found or self.found != self.latitudes:
            self.lines.fail(i, f"{len(self.latitudes) or 'some'} latitudes as announced above the end of the "
                            f"map of line {self.line}, not {len(self.found)} or others; the file is cut or "
                            "damaged, fetch it again")
        self.maps.append(Map(self.kind, self.epoch, self.line, len(self.rows) - len(self.found),
                             len(self.found)))
        self.kind = self.epoch = None
        self.found = []


def parse_values(lines: Lines, at: np.ndarray, n: int) -> np.ndarray:
    """Whole numbers below the label lines `at`, `n` a row: int array of shape (len(at), n).

    Raises
    ------
    InputError
        Naming the first line that does not hold its numbers.
    """
    out = np.empty((len(at), n), np.int32)
    for k, first in enumerate(range(0, n, PER_LINE)):
        count = min(PER_LINE, n - first)
        block = parse_fixed(lines, at + 1 + k, count)
        if block is None:
            block = np.array([_parse_line(lines, i, count) for i in (at + 1 + k).tolist()])
        out[:, first:first + count] = block
    return out


def parse_fixed(lines: Lines, at: np.ndarray, count: int) -> np.ndarray | None:
    """Numbers of lines that are written as Fortran writes them, `count` of five characters; else None."""
    start, width = lines.start[at], WIDTH * count
    if (lines.end[at] - start < width).any():
        return None
    for i in at[lines.end[at] - start > width].tolist():
        if lines.raw(i)[width:].strip():
            return None
    block = np.lib.stride_tricks.sliding_window_view(lines.array, width)[start]
    m = np.ascontiguousarray(block.T).reshape(count, WIDTH, -1)
    digit, blank, minus = m - np.uint8(48), m == 32, m == 45
    is_digit = digit < 10
    if not ((is_digit | blank | minus).all() and (blank[:, :-1] | is_digit[:, 1:]).all()
            and is_digit[:, -1].all()):
        return None
    digit *= is_digit
    number = np.zeros((count, len(at)), np.int32)
    for k in range(WIDTH):
        number *= 10
        number += digit[:, k]
    return np.where(minus.any(1), -number, number).T


def _parse_line(lines: Lines, i: int, count: int) -> list[int]:
    """Numbers of one line, on whichever side of their five characters, with or without a sign."""
    text = lines.raw(i).decode("latin-1").rstrip()
    fields = [text[a:a + WIDTH] for a in range(0, len(text), WIDTH)]
    if len(fields) != count or not all(map(INTEGER.match, fields)):
        lines.fail(i, f"{count} whole numbers in columns of {WIDTH}")
    return [int(field) for field in fields]
