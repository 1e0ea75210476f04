"""Speed of reading a year of daily IAGA-2002 files, against a plain Python reader and pandas' C parser."""

import datetime
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import Row, interleaved
from lib.earth.axes import make_record
from lib.earth.iaga2002 import read_iaga2002, write_iaga2002
from lib.earth.series_checks import continuous

DAYS, MINUTES = 365, 1440
HEADER_LINES = 13          # of the files written here, the line of column names included


def run() -> list[Row]:
    """Read 365 daily files of minute values into one record: as lines, with pandas, with the library."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_year(Path(folder))
        lines = interleaved(lambda: read_lines(paths), lambda: continuous(paths), 5)
        files = interleaved(lambda: read_lines(paths), lambda: [read_iaga2002(path) for path in paths], 5)
        bare = interleaved(lambda: continuous(paths), lambda: read_pandas(paths), 9)
        times = interleaved(lambda: continuous(paths), lambda: read_pandas(paths, times=True), 5)
    return [
        Row("year: line-by-line Python reader, over continuous", lines, 5, "higher"),
        Row("year: line-by-line Python reader, over read_iaga2002 file by file", files, None, "higher"),
        Row("year: continuous, over pandas' C parser (columns of text and numbers)", bare, 2, "lower"),
        Row("year: continuous, over pandas with time stamps and missing marks", times, None, "lower"),
    ]


def write_year(folder: Path, days: int = DAYS) -> list[Path]:
    """Write X Y Z F of `days` days, one file a day, and return their paths."""
    noise = np.random.default_rng(0).normal(0, 0.5, (4, days, MINUTES)).cumsum(axis=2)
    level = np.array([17_400.0, -830.0, 46_200.0, 49_400.0])
    paths = []
    for day in range(days):
        start = np.datetime64("2015-01-01", "ns") + np.timedelta64(day, "D")
        times = (start + np.arange(MINUTES) * np.timedelta64(60, "s")).astype(np.int64)
        values = dict(zip("XYZF", level[:, None] + noise[:, day], strict=True))
        record = make_record(values, times, source="made", station="ESK", where=str, latitude=55.314,
                             longitude=356.794)
        paths.append(write_iaga2002(record, folder / f"esk{str(start)[:10].replace('-', '')}dmin.min"))
    return paths


def read_lines(paths):
    """Read as one would by hand: every line split, its time and its four numbers converted."""
    times, values = [], []
    for path in paths:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line[:4].isdigit():
                    date, time, _, *fields = line.split()
                    times.append(datetime.datetime.fromisoformat(f"{date}T{time}"))
                    values.append([float(field) for field in fields])
    table = np.array(values)
    table[table >= 88_888] = np.nan
    return np.array(times, "datetime64[ns]"), table


def read_pandas(paths, times: bool = False):
    """Read with pandas' C parser; `times` also makes time stamps and turns marks into NaN."""
    parts = [pd.read_csv(path, sep=r"\s+", engine="c", skiprows=HEADER_LINES, header=None) for path in paths]
    table = pd.concat(parts, ignore_index=True)
    if times:
        stamp = pd.to_datetime(table[0] + "T" + table[1], format="ISO8601")
        table = table.loc[:, 3:].mask(table.loc[:, 3:] >= 88_888).set_index(stamp)
    return table
