"""Time limits in processes of several threads."""

from __future__ import annotations

from types import ModuleType

import pytest
from celery.exceptions import TimeLimitExceeded
from messages import queued
from pool_node import Records, StartNode
from redis import Redis
from waiting import until

from flaskiq.message import DEATHS_HEADER
from flaskiq.store.store import Store


def test_a_hard_limit_ends_one_job_and_its_neighbours_run_again_uncounted(
    pool_jobs: ModuleType, records: Records, jobs: Store, start_node: StartNode
) -> None:
    node = start_node("--processes=1", "--threads=4", children=1)
    names = ["one", "two", "three"]
    neighbours = pool_jobs.Hold.perform_bulk([(name,) for name in names])
    over = pool_jobs.Overruns.perform_async("over")
    records.wait_for("started", *names, "over")
    with pytest.raises(TimeLimitExceeded):
        over.get(timeout=20)
    assert over.state == "FAILURE"

    until(lambda: [records("started").count(name) for name in names] == [2, 2, 2], "run again")
    again = node.messages_in_flight()
    assert sorted(each.args[0] for each in again) == sorted(names)
    assert all(DEATHS_HEADER not in each.headers for each in again)
    records.let_go(*names)
    assert [each.get(timeout=20) for each in neighbours] == names
    (dead,) = jobs.dead
    assert dead.id == over.id
    assert records("started").count("over") == 1
    assert "1 timed out, 3 back to the front" in node.log


def test_neighbours_wait_in_front_of_the_queue(
    pool_jobs: ModuleType, records: Records, store: Redis, start_node: StartNode
) -> None:
    start_node("--processes=1", "--threads=2", children=1)
    pool_jobs.Hold.perform_async("neighbour")
    over = pool_jobs.Overruns.perform_async("over")
    records.wait_for("started", "neighbour", "over")
    store.sadd("flaskiq:paused", "default")  # for the next child, which asks at its start
    pool_jobs.Hold.perform_async("behind")
    until(lambda: over.state == "FAILURE", "it was ended")
    until(lambda: store.llen("default") == 2, "the neighbour is back")
    assert [each.args[0] for each in queued(store)] == ["neighbour", "behind"]


@pytest.mark.parametrize("worker", ["SoftSleeps", "SoftLoops"])
def test_a_soft_limit_interrupts(pool_jobs: ModuleType, start_node: StartNode, worker: str) -> None:
    start_node("-c", "1", children=1)
    got = getattr(pool_jobs, worker).perform_async().get(timeout=20)
    assert got.startswith("after "), got
    assert 0.9 < float(got.split()[1]) < 5, got


def test_a_soft_limit_comes_to_other_threads_after_the_call_that_blocks(
    pool_jobs: ModuleType, records: Records, store: Redis, start_node: StartNode
) -> None:
    start_node("--processes=1", "--threads=2", children=1)
    both = pool_jobs.SoftBlocks.perform_bulk([(), ()])
    records.wait_for("started", "main", "other")
    records.wait_for("interrupted", "main")
    assert records("interrupted") == ["main"], "the other blocks"
    store.rpush("gate", "open")
    records.wait_for("interrupted", "other")
    assert {each.get(timeout=20) for each in both} == {"main", "other"}
