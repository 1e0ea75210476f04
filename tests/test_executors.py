"""lib.executors: a real scheduler and workers on the loopback; a killed worker costs nothing."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from lib import config, executors, jobs, synthetic, train
from lib.files import InputError

pytest.importorskip("distributed")


def test_bad_settings_are_refused(monkeypatch):
    with pytest.raises(InputError, match="1 or more"):
        executors.start(0)
    monkeypatch.setattr(executors, "CONNECT_S", 0.5)
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9.*dask scheduler"):
        executors.start(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="dask scheduler"):
        executors.start(scheduler="nonsense://x")


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and two worker processes of one thread, all on the loopback."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False"}
    run = [sys.executable, "-m"]
    log = (tmp_path / "scheduler.log").open("w+")
    processes = [subprocess.Popen(
        [*run, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stderr=log, stdout=log, env=environment, cwd=config.ROOT)]
    address = ""
    for _ in range(300):
        found = re.search(r"Scheduler at:\s*(tcp://\S+)", (tmp_path / "scheduler.log").read_text())
        if found:
            address = found.group(1)
            break
        time.sleep(0.1)
    assert address, (tmp_path / "scheduler.log").read_text()
    for k in range(2):
        processes.append(subprocess.Popen(
            [*run, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
             "--local-directory", str(tmp_path / f"worker{k}"), "--resources", "GPU=1"],
            stderr=log, stdout=log, env=environment, cwd=config.ROOT))
    yield address, processes[1:]
    for process in processes:
        process.kill()
        process.wait()
    log.close()


def slow_square(job):
    """Return the square of a number after a moment, and which process found it."""
    time.sleep(0.4)
    return [{"number": job, "square": job**2}]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    """Twelve jobs on two workers, one killed in the middle: the rows are those of this process."""
    address, workers = cluster
    executor = executors.start(scheduler=address, resources={"GPU": 1})
    try:
        first = executor.submit(slow_square, 2)           # both workers are there, or soon
        assert first.result(timeout=60) == [{"number": 2, "square": 4}]
        running = [executor.submit(slow_square, k) for k in range(12)]
        time.sleep(0.6)
        workers[0].send_signal(signal.SIGKILL)
        found = [one.result(timeout=120) for one in running]
        again = jobs.run(range(12), slow_square, "key", executor, tmp_path / "cluster")
    finally:
        executor.shutdown()
    assert found == [[{"number": k, "square": k**2}] for k in range(12)]
    assert again.equals(jobs.run(range(12), slow_square, "key", None, tmp_path / "here"))


@pytest.mark.slow
def test_folds_on_a_cluster_are_those_of_this_process(cluster, tmp_path):
    """Same predictions, byte by byte, from dask workers and from the calling process."""
    address, _ = cluster
    study = config.load("convnext", "smoke", {"windows.n_windows": 36, "training.epochs": 1,
                                              "evaluation.folds": 2, "windows.window_s": 3600})
    path = synthetic.make_dataset(study, tmp_path)
    executor = executors.start(scheduler=address)
    try:
        far = train.cross_validate(study, path, "P2", executor, folder=tmp_path / "cluster")
    finally:
        executor.shutdown()
    near = train.cross_validate(study, path, "P2", folder=tmp_path / "here")
    assert far.equals(near)
    one, two = (sorted((tmp_path / name).rglob("fold_*.csv")) for name in ("cluster", "here"))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two] and len(one) == 2
