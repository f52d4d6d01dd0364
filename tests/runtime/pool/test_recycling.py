"""Children that have run enough jobs, or have grown too large, are replaced."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

from pool_node import AHEAD, Records, StartNode, is_running
from waiting import until

from flaskiq.store.store import Store


def test_a_child_is_replaced_after_some_jobs(
    pool_jobs: ModuleType, records: Records, start_node: StartNode, jobs: Store
) -> None:
    node = start_node("-c", "2", "--max-tasks-per-child", "5", children=2)
    first = node.pids()
    results = pool_jobs.Where.perform_bulk([(number, 0.05) for number in range(60)])
    pids = [each.get(timeout=40) for each in results]
    where = records.where()
    assert [pid for _, pid in sorted((number, pid) for pid, number in where)] == pids
    assert len(where) == 60, "each ran once"
    assert max(Counter(pids).values()) == 5
    node.wait_until_gone(first)
    node.wait_for_children(2)
    until(lambda: not node.in_flight(), "all acknowledged")
    node.stop()
    assert not jobs.processes.live() | jobs.processes.lost(), "they have left in order"


def test_a_child_takes_over_before_the_former_is_gone(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", "--max-tasks-per-child", "1", children=1, POOL_SLOW_END="5")
    former = pool_jobs.Where.perform_async().get(timeout=20)
    assert pool_jobs.Where.perform_async().get(timeout=20) != former
    assert is_running(former)
    node.wait_until_gone({former})


def test_no_job_is_lost_in_children_that_leave_all_the_time(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node(
        *("--processes=2", "--threads=2", "--max-tasks-per-child", "3"),
        children=2,
        CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD,
    )
    results = pool_jobs.Where.perform_bulk([(number,) for number in range(100)])
    assert len([each.get(timeout=40) for each in results]) == 100
    assert sorted(number for _, number in records.where()) == list(range(100)), "each ran once"
    node.stop()


def test_a_job_ends_in_the_child_that_is_to_be_replaced(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", "--max-tasks-per-child", "1", children=1)
    earlier = node.pids()
    long = pool_jobs.Hold.perform_async("long")
    records.wait_for("started", "long")
    node.wait_for_children(2)
    where = pool_jobs.Where.perform_async()
    assert all(map(is_running, earlier))
    records.let_go("long")
    assert long.get(timeout=20) == "long"
    assert where.get(timeout=20) not in earlier
    node.wait_until_gone(earlier)
    assert records("started") == ["long"]


def test_no_more_jobs_than_wanted_run_while_children_are_replaced(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    start_node("-c", "1", "--max-tasks-per-child", "1", children=1)
    pool_jobs.Counts.perform_bulk([(0.1,)] * 10)
    records.wait_for_count("running", 10)
    assert records("running") == ["1"] * 10


def test_a_long_job_does_not_keep_the_other_threads_of_its_child_idle(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node(*("--processes=1", "--threads=2", "--max-tasks-per-child", "1"), children=1)
    earlier = node.pids()
    long = pool_jobs.Hold.perform_async("long")
    records.wait_for("started", "long")
    assert pool_jobs.Where.perform_async().get(timeout=20) not in earlier
    assert all(map(is_running, earlier))
    records.let_go("long")
    assert long.get(timeout=20) == "long"


def test_a_child_is_replaced_that_has_grown_too_large(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", "--max-memory-per-child", "200000", children=1)
    (earlier,) = node.pids()
    assert pool_jobs.Where.perform_async().get(timeout=20) == earlier
    assert pool_jobs.Grows.perform_async(200).get(timeout=20) == earlier
    node.wait_for_others(than={earlier}, count=1)
    node.wait_until_gone({earlier})
    later = [pool_jobs.Where.perform_async().get(timeout=20) for _ in range(3)]
    assert set(later) == node.pids(), "it is small, and stays"
    assert len(records.where()) == 5
    node.stop()


def test_a_job_that_kills_a_child_which_is_to_be_replaced_is_buried(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    """As one that is killed for its memory, in a child that was told to leave for just that."""
    start_node("-c", "1", "--max-tasks-per-child", "1", children=1)
    killer = pool_jobs.Kills.perform_async(0.5)
    records.wait_for_count("kills", 3)
    until(lambda: killer.state == "FAILURE" or records.count("kills") > 3, "it has an end")
    assert killer.state == "FAILURE"
    assert records.count("kills") == 3


def test_a_long_job_in_a_child_that_is_to_be_replaced_stops_nobody_else(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "2", "--max-tasks-per-child", "1", children=2)
    long = pool_jobs.Hold.perform_async("long")
    records.wait_for("started", "long")
    pool_jobs.Note.perform_bulk([(number,) for number in range(10)])
    records.wait_for_count("noted", 10, timeout=6)
    records.let_go("long")
    assert long.get(timeout=20) == "long"
    node.wait_for_children(2)
