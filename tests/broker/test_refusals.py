"""The server answers, but refuses: its memory is full, or it has become a replica."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

TTL = 2


@pytest.fixture
def restored(store: Redis) -> Iterator[Redis]:
    """The server, made usable again whatever happens."""
    yield store
    store.config_set("maxmemory", 0)
    store.replicaof("NO", "ONE")


def started(store: Redis) -> list[str]:
    return store.lrange("record:started", 0, -1)


def test_a_full_server_is_no_death(
    sample: ModuleType, restored: Redis, start_worker: Any, jobs: Store
) -> None:
    for _ in range(2):
        start_worker()
    before = jobs.processes.live()
    result = sample.Sleeps.perform_async("one", 4 * TTL)
    until(lambda: started(restored) == ["one"], "it runs")
    restored.config_set("maxmemory", 1)
    full_until = time.monotonic() + 3 * TTL
    until(lambda: time.monotonic() > full_until, "the memory was full for three TTLs")
    restored.config_set("maxmemory", 0)
    assert result.get(timeout=20) == "one"
    assert started(restored) == ["one"]
    assert jobs.processes.live() == before


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_workers_outlive_a_server_that_becomes_a_replica_and_a_master_again(
    sample: ModuleType, restored: Redis, start_worker: Any, jobs: Store, pool: str
) -> None:
    workers = [start_worker(f"--pool={pool}", "--concurrency=2") for _ in range(2)]
    result = sample.Sleeps.perform_async("one", 3 * TTL)
    until(lambda: started(restored) == ["one"], "it runs")
    restored.replicaof("127.0.0.1", "1")
    replica_until = time.monotonic() + TTL / 2
    until(lambda: time.monotonic() > replica_until, "it was a replica for a while")
    restored.replicaof("NO", "ONE")
    assert result.get(timeout=30) == "one"
    assert sample.Add.perform_async(1, 2).get(timeout=40) == 3
    assert all(worker.is_running for worker in workers)
    assert started(restored) == ["one"]
