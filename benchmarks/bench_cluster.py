"""Two dask workers of one thread over one, on the folds of a cross-validation; scheduler on the loopback."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, seconds
from lib import config, executors, synthetic, train
from lib.files import InputError

FOLDS, REPETITIONS = 8, 3
WAIT_S = 60


def run() -> list[Row]:
    """Train the same folds with one and with two workers, and compare the predictions byte by byte."""
    study = config.load("convnext", "light", {"windows.n_windows": 240, "evaluation.folds": FOLDS,
                                              "training.epochs": 8, "training.patience": 8})
    with tempfile.TemporaryDirectory() as folder:
        path, times, found = synthetic.make_dataset(study, Path(folder)), {1: [], 2: []}, []
        with cluster(1, folder) as one, cluster(2, folder) as two:
            for turn in range(REPETITIONS + 1):               # the first one starts the workers' torch
                for n, executor in ((1, one), (2, two)):
                    where = Path(folder) / f"folds-{n}-{turn}"
                    times[n].append(seconds(lambda e=executor, w=where: found.append(
                        train.cross_validate(study, path, "P2", e, folder=w))))
    if not all(table.equals(found[0]) for table in found):
        raise InputError("bench_cluster", "predictions", "differ", "the same bytes from every worker")
    gain = np.array(times[1][1:]) / np.array(times[2][1:])
    return [Row("folds: one dask worker, over two", gain, 1.7, "higher")]


@contextlib.contextmanager
def cluster(workers: int, folder: str) -> Iterator:
    """Start a scheduler and workers of one thread; give an executor, and stop everything afterwards."""
    log = Path(folder) / f"scheduler-{workers}.log"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False"}
    start = [sys.executable, "-m"]
    with log.open("w") as out:
        running = [subprocess.Popen(
            [*start, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
             "--no-dashboard"], stdout=out, stderr=out, env=environment, cwd=config.ROOT)]
        try:
            address = _address(log)
            running += [subprocess.Popen(
                [*start, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard",
                 "--no-nanny", "--local-directory", str(Path(folder) / f"worker-{workers}-{k}")],
                stdout=out, stderr=out, env=environment, cwd=config.ROOT) for k in range(workers)]
            executor = executors.start(scheduler=address)
            executor._client.wait_for_workers(workers, timeout=WAIT_S)
            yield executor
            executor.shutdown()
        finally:
            for process in running:
                process.kill()
                process.wait()


def _address(log):
    """Read the scheduler's address from what it prints."""
    for _ in range(10 * WAIT_S):
        if found := re.search(r"Scheduler at:\s*(tcp://\S+)", log.read_text()):
            return found.group(1)
        time.sleep(0.1)
    raise InputError("bench_cluster", "scheduler", log.read_text()[-200:], f"an address within {WAIT_S} s")
