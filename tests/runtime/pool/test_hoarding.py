"""No job waits long in a process whose threads are busy, while another could run it."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from pool_node import Records, StartNode

FAR_AHEAD = "128"


def test_nothing_waits_behind_a_long_job(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    start_node("-c", "2", children=2, CELERY_WORKER_PREFETCH_MULTIPLIER=FAR_AHEAD)
    pool_jobs.Note.perform_bulk([(number,) for number in range(500)])
    long = pool_jobs.Hold.perform_async("long")
    pool_jobs.Note.perform_bulk([(number,) for number in range(500, 1000)])
    records.wait_for("started", "long")
    records.wait_for_count("noted", 1000, timeout=10)  # it ends only when it is told
    assert sorted(map(int, records("noted"))) == list(range(1000)), "each ran once"
    records.let_go("long")
    assert long.get(timeout=10) == "long"
    assert records("started") == ["long"]


def test_nothing_waits_behind_long_jobs_of_all_threads(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    start_node(
        *("--processes=2", "--threads=2"),
        children=2,
        CELERY_WORKER_PREFETCH_MULTIPLIER=FAR_AHEAD,
    )
    pool_jobs.Note.perform_bulk([(number,) for number in range(500)])
    # One process is full with two of them, or each has a thread left.
    long = pool_jobs.Hold.perform_bulk([("long 0",), ("long 1",)])
    pool_jobs.Note.perform_bulk([(number,) for number in range(500, 1000)])
    records.wait_for("started", "long 0", "long 1")
    records.wait_for_count("noted", 1000, timeout=10)
    assert sorted(map(int, records("noted"))) == list(range(1000)), "each ran once"
    records.let_go("long 0", "long 1")
    assert [each.get(timeout=10) for each in long] == ["long 0", "long 1"]


@pytest.mark.slow
def test_what_lay_behind_a_long_job_starts_a_second_later_at_most(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    start_node("-c", "2", children=2, CELERY_WORKER_PREFETCH_MULTIPLIER=FAR_AHEAD)
    late = []
    for number in range(5):
        began = time.time()
        name = f"round {number}"
        pool_jobs.Stamp.perform_bulk([(name, began)] * 500)
        long = pool_jobs.Sleeps.perform_async("long", 5)
        pool_jobs.Stamp.perform_bulk([(name, began)] * 500)
        records.wait_for_count(name, 1000)
        stamps = sorted(float(each) / 1000 for each in records(name))
        assert not long.ready()
        # The second half could have begun when the first had.
        late.append(round(stamps[-1] - stamps[500], 3))
        assert long.get(timeout=10) == "long"
        if late[-1] < 1.1:
            return
    pytest.fail(f"the last one started so many seconds late: {late}")
