"""The readers that the benchmark compares read the same numbers."""

import numpy as np

from benchmarks import bench_year
from lib.earth.records import rotate_hdz_to_xyz
from lib.earth.series_checks import continuous


def test_all_readers_of_the_year_agree(tmp_path):
    paths = bench_year.write_year(tmp_path, 4)
    times, table = bench_year.read_lines(paths)
    frame, record = bench_year.read_pandas(paths, times=True), continuous(paths)
    np.testing.assert_array_equal(frame.index.to_numpy("datetime64[ns]"), times)
    np.testing.assert_array_equal(frame.to_numpy(), table)
    np.testing.assert_array_equal(record["time"].values, times)
    xyz = rotate_hdz_to_xyz(record)
    for k, c in enumerate("XYZ"):
        np.testing.assert_allclose(xyz[c].values, table[:, k], atol=1e-9)
    assert bench_year.read_pandas(paths).shape == (4 * 1440, 7)
