"""Text and delimited tables as people ship them: gzip, BOM, comma or semicolon (layer 1).

The three readers of stations, catalogues and indices share this: a file becomes strings with line numbers,
strings become numbers and UTC times, and what cannot is left for the caller to name.
"""

import csv
import io
from pathlib import Path

import pandas as pd

from lib.earth.rawfile import read_bytes
from lib.files import InputError

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_UTC = (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
        r"(?:Z|\+00:?00| ?UTC)?")


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file, plain or packed, without byte-order mark.

    Raises
    ------
    InputError
        If the file is missing, empty, binary, not UTF-8, or packed and damaged.
    """
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, f"byte {error.start}", raw[error.start:error.start + 4],
                         "UTF-8 text, plain or gzipped") from error
    if "\0" in text:
        raise InputError(path, f"byte {raw.index(0)}", "\0", "text, not a binary file")
    if not text.strip():
        raise InputError(path, "whole file", "", "a file with content")
    return text


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a delimited file as strings; columns in lower case, index = line number in the file.

    The separator is the one (comma, semicolon, tab) most frequent in the header. Empty rows are left out,
    cells are stripped (of no-break spaces too), and a row shorter or longer than the header is an error.

    Parameters
    ----------
    path : str or Path
        Plain or gzipped text whose first non-empty line is the header.

    Returns
    -------
    DataFrame of str
        One row a record; of columns that share a name the first is kept.

    Raises
    ------
    InputError
        If the text is no table: `read_text`'s reasons, a broken quote, a row cut short, no rows at all.
    """
    text = read_text(path)
    header = next(line for line in text.splitlines() if line.strip())
    separator = max(",;\t", key=header.count)
    rows, lines, names = [], [], None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if names is None:      # a BOM saved through a wrong code page leaves a question mark
                names = [cell.lstrip("\ufeff?").lower() for cell in cells]
                continue
            if len(cells) < len(names) or any(cells[len(names):]):
                raise InputError(path, f"line {reader.line_num}", separator.join(cells),
                                 f"{len(names)} cells separated by {separator!r}, as in the header")
            rows.append(cells[:len(names)])
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(path, f"line {reader.line_num}", str(error), "a well-formed CSV row") from error
    if not rows:
        raise InputError(path, "below the header", "", "at least one row")
    table = pd.DataFrame(rows, columns=names, index=pd.Index(lines, name="line"), dtype=str)
    return table.loc[:, ~table.columns.duplicated()]


def require(path: str | Path, table: pd.DataFrame, names) -> None:
    """Raise InputError, naming what is missing, unless the table has every column of `names`."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(path, "header", ", ".join(map(str, table.columns)),
                         "a header with " + ", ".join(missing))


def to_numbers(column: pd.Series) -> pd.Series:
    """Return float64 values; NaN where a cell is not a plain decimal number.

    >>> to_numbers(pd.Series(["1.5", "", "5,2", "nan"])).tolist()
    [1.5, nan, nan, nan]
    """
    return column.where(column.str.fullmatch(_NUMBER), "nan").astype(float)


def to_utc(column: pd.Series) -> pd.Series:
    """Return datetime64[ns] in UTC; NaT where a cell is not UTC or not a date from 1800 to 2200.

    Times without a zone are taken as UTC; any other zone than Z, UTC or +00:00 gives NaT.

    >>> to_utc(pd.Series(["2021-01-31T23:59:59.5Z", "2021-01-31 23:59:59+07:00"])).tolist()
    [Timestamp('2021-01-31 23:59:59.500000'), NaT]
    """
    plain = column.where(column.str.fullmatch(_UTC)).str.replace(r" ?(Z|UTC|\+00:?00)$", "", regex=True)
    time = pd.to_datetime(plain, format="ISO8601", errors="coerce")
    return time.where(time.dt.year.between(1800, 2200)).astype("datetime64[ns]")
