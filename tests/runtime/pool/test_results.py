"""Results travel with the next fetch, and none is lost on the way."""

from __future__ import annotations

import random
from contextlib import suppress
from types import ModuleType

import psutil
import pytest
from pool_node import AHEAD, Records, StartNode
from waiting import until

SHAPES = [("--processes=2", "--threads=1"), ("--processes=2", "--threads=3")]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_job_has_its_own_result(
    pool_jobs: ModuleType, start_node: StartNode, shape: tuple[str, str]
) -> None:
    node = start_node(*shape, children=2, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    results = pool_jobs.Echo.perform_bulk([(f"number {number}",) for number in range(200)])
    assert [each.get(timeout=30) for each in results] == [f"number {n}" for n in range(200)]
    until(lambda: not node.in_flight(), "all acknowledged")


@pytest.mark.parametrize("shape", SHAPES)
def test_no_result_is_lost_with_the_child_that_held_it(
    pool_jobs: ModuleType, records: Records, start_node: StartNode, shape: tuple[str, str]
) -> None:
    node = start_node(*shape, children=2, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    names = [f"number {number}" for number in range(200)]
    results = pool_jobs.Where.perform_bulk([(name, 0.01) for name in names])
    chance, killed = random.Random(7), 0
    for ran in range(25, 200, 25):
        records.wait_for_count("where", ran)
        pids = sorted(node.pids())
        with suppress(ProcessLookupError):  # the one before, whose death is not settled yet
            if pids:
                node.kill(chance.choice(pids))
                killed += 1
    assert killed >= 3
    until(lambda: all(each.state == "SUCCESS" for each in results), f"all succeed\n{node.log}")
    ran_in = {}
    for pid, name in records.where():
        ran_in.setdefault(name, set()).add(pid)
    assert set(ran_in) == set(names)
    assert all(each.get() in ran_in[name] for each, name in zip(results, names, strict=True))
    until(lambda: not node.in_flight(), "all acknowledged")
    node.wait_for_children(2)


def test_a_job_whose_result_was_not_written_runs_again(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    """It has finished, but only the memory of its process knew what it returned."""
    node = start_node("-c", "1", children=1, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    node.learn_to_fetch_ahead(pool_jobs)
    pool_jobs.Hold.set(queue="critical").perform_async("first")
    records.wait_for("started", "first")
    before = pool_jobs.Echo.perform_bulk([("one",), ("two",)])
    frozen = pool_jobs.FreezesOnce.perform_async("frozen")
    records.let_go("first")
    _, pid = node.child()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it froze")
    node.kill(pid)
    assert [each.get(timeout=20) for each in before] == ["one", "two"]
    assert frozen.get(timeout=20) == "frozen"
    until(lambda: not node.in_flight(), "all acknowledged")
