"""What is revoked runs in no child, however much that is and whenever the child was born."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from celery.exceptions import TaskRevokedError
from pool_node import Records, StartNode
from redis import Redis

from flaskiq.store.store import Store

MANY = 20_000
"""Ids that fit into no packet, and not into the buffer of a socket."""


def test_children_are_born_while_thousands_of_jobs_are_revoked(
    pool_jobs: ModuleType, records: Records, jobs: Store, store: Redis, start_node: StartNode
) -> None:
    kept = time.time() + 600
    store.zadd("flaskiq:cancelled", {f"revoked-{number:032}": kept for number in range(MANY)})
    node = start_node("-c", "1", children=1)
    echo = pool_jobs.celery_app.tasks["pool_jobs.Echo"]
    for number in (0, MANY - 1):  # in the first child, then in one that hears all at its birth
        revoked = echo.apply_async((number,), task_id=f"revoked-{number:032}")
        with pytest.raises(TaskRevokedError):
            revoked.get(timeout=20)
        assert pool_jobs.Echo.perform_async(number).get(timeout=20) == number
        earlier = node.pids()
        node.kill(*earlier)
        node.wait_for_others(than=earlier, count=1)


def test_one_of_several_threads_is_ended(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("--processes=1", "--threads=2", children=1)
    node.wait_until_it_listens()
    ended = pool_jobs.Loops.perform_async("ended")
    neighbour = pool_jobs.Hold.perform_async("neighbour")
    records.wait_for("started", "ended", "neighbour")
    pids = node.pids()
    ended.revoke(terminate=True)
    with pytest.raises(TaskRevokedError):
        ended.get(timeout=20)
    # Its thread is free, and the process is the same.
    assert pool_jobs.Echo.perform_async("free").get(timeout=20) == "free"
    records.let_go("neighbour")
    assert neighbour.get(timeout=20) == "neighbour"
    assert node.pids() == pids
    assert sorted(records("started")) == ["ended", "neighbour"]
