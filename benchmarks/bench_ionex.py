"""Speed of the IONEX reader, as a ratio to reading the same file line by line."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.measure import Row, interleaved
from lib.earth.ionex import read_ionex
from lib.earth.ionex_writer import write_ionex

REPETITIONS = 31


def run() -> list[Row]:
    """Measure a day of 25 maps of TEC and RMS on the usual grid, and one of 13; both readings are equal."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (25, 13):
            path = write_ionex(day(n), Path(folder) / f"{n}.inx")
            maps, plain = read_ionex(path), line_by_line(path)
            for kind in ("tec", "rms"):
                assert np.array_equal(maps[kind].values, plain[kind].values, equal_nan=True)
            ratio = interleaved(lambda p=path: line_by_line(p), lambda p=path: read_ionex(p), REPETITIONS)
            rows.append(Row(f"ionex: {n} maps, line by line / read_ionex", ratio, 3, "higher"))
    return rows


def day(n: int) -> xr.Dataset:
    """Return n maps of a smooth day with some missing values: no record is needed to measure."""
    rng = np.random.default_rng(0)
    latitude, longitude = np.arange(-87.5, 90, 2.5), np.arange(-180.0, 181, 5)
    hours = np.linspace(0, 24, n)[:, None, None]
    tec = 30 + 25 * np.cos(np.deg2rad(15 * hours + longitude)) * np.cos(np.deg2rad(latitude))[:, None]
    tec[rng.random(tec.shape) < 0.01] = np.nan
    time = np.datetime64("2020-01-01", "ns") + (hours.ravel() * 3600).astype("timedelta64[s]")
    dims = ("time", "latitude", "longitude")
    return xr.Dataset({"tec": (dims, tec.round(1)), "rms": (dims, (tec / 10).round(1))},
                      {"time": time, "latitude": latitude, "longitude": longitude})


def line_by_line(path: Path) -> xr.Dataset:
    """Read the same file as most readers do: a loop over lines, five characters at a time; no checks."""
    exponent, maps, rows, inside = -1, {"TEC": {}, "RMS": {}}, {}, False
    with open(path, encoding="latin-1") as lines:
        for line in lines:
            label = line[60:80].rstrip()
            if label == "EXPONENT":
                exponent = int(line[:6])
            elif label in ("START OF TEC MAP", "START OF RMS MAP"):
                kind, inside = label.split()[2], True
            elif label in ("END OF TEC MAP", "END OF RMS MAP"):
                inside = False
            elif label == "EPOCH OF CURRENT MAP":
                *date, hour, minute, second = map(int, line[:36].split())
                rows = maps[kind][datetime(*date) + timedelta(0, second, 0, 0, minute, hour)] = {}
            elif label == "LAT/LON1/LON2/DLON/H":
                row = rows[float(line[2:8])] = []
                west, east, step = float(line[8:14]), float(line[14:20]), float(line[20:26])
            elif inside:
                line = line.rstrip()
                row += [int(line[k:k + 5]) for k in range(0, len(line), 5)]
    latitude = sorted(maps["TEC"][min(maps["TEC"])])
    cubes = {kind.lower(): np.array([[at[a] for a in latitude] for _, at in sorted(found.items())], float)
             for kind, found in maps.items() if found}
    for values in cubes.values():
        values[values == 9999] = np.nan
        values /= 10.0 ** -exponent
    return xr.Dataset({name: (("time", "latitude", "longitude"), v) for name, v in cubes.items()},
                      {"time": np.array(sorted(maps["TEC"]), "datetime64[ns]"), "latitude": latitude,
                       "longitude": np.arange(west, east + step / 2, step)})
