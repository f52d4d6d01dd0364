"""A job that kills its process is buried, and takes nobody with it."""

from __future__ import annotations

from types import ModuleType

import pytest
from addresses import ADDRESSES
from celery.exceptions import WorkerLostError
from pool_node import AHEAD, Records, StartNode
from proxy import Proxy
from servers import Server
from waiting import until

from flaskiq.store.store import Store


def test_a_job_that_kills_its_process_runs_three_times_and_its_neighbours_succeed(
    pool_jobs: ModuleType, records: Records, jobs: Store, start_node: StartNode
) -> None:
    names = [f"good {number}" for number in range(40)]
    good = pool_jobs.Sleeps.perform_bulk([(name, 0.03) for name in names[:20]])
    killer = pool_jobs.Kills.perform_async()
    good = [*good, *pool_jobs.Sleeps.perform_bulk([(name, 0.03) for name in names[20:]])]
    node = start_node(
        *("--processes=2", "--threads=3"),
        children=2,
        CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD,
    )
    with pytest.raises(WorkerLostError, match="3 processes died while it was in flight"):
        killer.get(timeout=40)
    assert killer.state == "FAILURE"
    assert [each.get(timeout=30) for each in good] == names
    assert records.count("kills") == 3
    (dead,) = jobs.dead
    assert dead.id == killer.id
    assert b"3 processes died while it was in flight" in dead.placed.message
    until(lambda: not node.in_flight(), "all acknowledged")
    assert pool_jobs.Sleeps.perform_async("after", 0).get(timeout=20) == "after"
    assert node.process.is_running


def test_its_death_is_told_when_redis_is_back(
    pool_jobs: ModuleType, records: Records, jobs: Store, start_node: StartNode, server: Server
) -> None:
    """It is buried when Redis goes away: nobody would look at it again."""
    proxy = Proxy(server.port, mark=b'"status": "FAILURE"')
    node = start_node("--concurrency=1", children=1, **dict.fromkeys(ADDRESSES, proxy.url))
    killer = pool_jobs.Kills.perform_async()
    node.process.wait_for("What waits for Redis: to tell of the death", timeout=60)
    assert [job.id for job in jobs.dead] == [killer.id]
    assert records.count("exhausted") == 0
    proxy.mark = None
    until(lambda: records.count("exhausted") == 1, "its Worker has heard of it")
    with pytest.raises(WorkerLostError, match="3 processes died while it was in flight"):
        killer.get(timeout=20)
    assert pool_jobs.Sleeps.perform_async("after", 0).get(timeout=20) == "after"
    proxy.close()
