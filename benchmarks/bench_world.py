"""Cost of the synthetic record: milliseconds for one hour of three components, with precursors."""

import time

from benchmarks.measure import Row
from lib import config, synthetic

WINDOWS = 400
SAMPLES = 3600


def run() -> list[Row]:
    """Measure hours at the starts of the light study's windows, in random order: none finds a neighbour.

    CPU time of the one thread that works, so that other programs on the machine do not count. What is
    drawn once a station is drawn before; a window over several hours costs less for each of them.
    """
    study = config.load("convnext", "light", {"world.snr": 2.0})
    world, windows = synthetic.make_world(study), synthetic.make_windows(study)
    for code, rows in windows.groupby("station"):
        world.window(code, rows.start.iloc[0], SAMPLES)
    times = []
    for row in windows.sample(min(WINDOWS, len(windows)), random_state=0).itertuples():
        start = time.thread_time()
        world.window(row.station, row.start, SAMPLES)
        times.append(1000 * (time.thread_time() - start))
    return [Row("world: ms per 1 h window", times, 3, "lower")]
