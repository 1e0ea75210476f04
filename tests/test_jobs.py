"""Jobs are run once, survive being killed, and forget when their code changes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import jobs
from lib.files import InputError

CALLS = []


def work(job):
    CALLS.append(job["n"])
    if job["n"] < 0:
        raise ValueError("killed")
    return [{"n": job["n"], "row": i} for i in range(2)]


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_come_in_the_order_of_the_jobs_and_each_is_run_once(tmp_path, workers):
    CALLS.clear()
    executor = ThreadPoolExecutor(workers) if workers else None
    todo = [{"n": n} for n in (3, 1, 3, 2)]
    found = jobs.run(todo, work, "a", executor, tmp_path)
    assert found.n.tolist() == [3, 3, 1, 1, 3, 3, 2, 2] and sorted(CALLS) == [1, 2, 3]
    assert jobs.run(todo, work, "a", executor, tmp_path).equals(found) and len(CALLS) == 3
    jobs.run(todo[:1], work, "b", executor, tmp_path)
    assert sorted(CALLS) == [1, 2, 3, 3]


def test_a_killed_run_continues_where_it_stopped(tmp_path):
    CALLS.clear()
    with pytest.raises(ValueError, match="killed"):
        jobs.run([{"n": 1}, {"n": -1}, {"n": 2}], work, "", None, tmp_path)
    assert jobs.run([{"n": 1}, {"n": 2}], work, "", None, tmp_path).n.tolist() == [1, 1, 2, 2]
    assert CALLS == [1, -1, 2]


def test_code_is_hashed_by_content_and_a_file_that_is_not_there_is_named():
    assert jobs.code_hash("jobs.py") == jobs.code_hash("jobs.py") != jobs.code_hash("jobs.py", "earth/*.py")
    with pytest.raises(InputError, match=r"job\.py"):
        jobs.code_hash("job.py")
