"""Files that an audit reads: CSV tables of text and arrays of numbers (layer 5)."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import InputError


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV as text; identifiers keep their leading zeros, and NA may be a station.

    Raises
    ------
    InputError
        If the file is missing, empty or no CSV.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "file", "missing", "a CSV file with a header line")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=None,
                            engine="python", skipinitialspace=True)
    except (ValueError, pd.errors.ParserError, UnicodeError) as error:
        raise InputError(path, "contents", str(error), "a CSV file in UTF-8 with a header line") from error
    if table.empty:
        raise InputError(path, "rows", 0, "at least one row below the header")
    return table


def read_x(path: str, windows: pd.DataFrame) -> np.ndarray:
    """Read the array `x`, or the only one, of an npz or npy file; order it by its `window_id`, if given.

    Raises
    ------
    InputError
        For another file, several arrays without an x, or names that are not those of the table.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(path, "file", str(error),
                         "an npz or npy file of numbers (no pickled objects)") from error
    if isinstance(found, np.ndarray):
        return found
    data = [name for name in found.files if name != "window_id"]
    if "x" not in data and len(data) != 1:
        raise InputError(path, "arrays", found.files, "x, and window_id if the order differs")
    x = found["x" if "x" in data else data[0]]
    if "window_id" in found.files and "window_id" in windows:
        at = pd.Series(np.arange(len(x)), found["window_id"].astype(str))
        missing = windows["window_id"][~windows["window_id"].isin(at.index)]
        if len(missing) or not at.index.is_unique:
            raise InputError(path, "window_id", list(missing[:3]), "each window of the table exactly once")
        x = x[at[windows["window_id"]].to_numpy()]
    return x
