"""Where independent jobs run: in processes of this machine, or on the workers of a cluster (layer 1)."""

from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

from lib.files import InputError

CONNECT_S = 20.0     # how long to wait for a scheduler
RETRIES = 2          # of a job whose worker failed: a function of its arguments gives the same again


def start(workers: int = 1, scheduler: str = "", resources: dict[str, float] | None = None) -> Executor:
    """Start an executor for `train.cross_validate`, `jobs.run` and whatever else takes one.

    Parameters
    ----------
    workers : int
        Processes on this machine; each starts fresh and runs one job at a time.
    scheduler : str
        Address of a running dask scheduler, for example ``tcp://node1:8786``; then its workers run the jobs
        and `workers` is not read. They need this library, and the same folders at the same paths.
    resources : dict, optional
        What a job needs of a dask worker, for example ``{"GPU": 1}``; workers announce theirs when started.

    Returns
    -------
    concurrent.futures.Executor
        Shut it down when done.

    Raises
    ------
    InputError
        For fewer than one worker, a missing package `distributed`, or a scheduler that does not answer.
    """
    if scheduler:
        return _on_cluster(scheduler, resources)
    if workers < 1:
        raise InputError("executors.start", "workers", workers, "1 or more")
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _on_cluster(scheduler, resources):
    try:
        from distributed import Client  # not above: an optional package, and slow to import
    except ImportError as error:
        raise InputError("executors.start", "scheduler", scheduler,
                         "the extra `cluster` of pyproject.toml: the package distributed") from error
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError("executors.start", "scheduler", scheduler,
                         f"the address that a running `dask scheduler` prints: {error}") from error
    options = {"resources": resources} if resources else {}
    return client.get_executor(pure=False, retries=RETRIES, **options)
