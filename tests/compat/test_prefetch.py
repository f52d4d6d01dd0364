"""``worker_disable_prefetch`` on, as Flaskiq sets it, and off."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from fleet import cut_workers
from overrides import OVERRIDES
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

pytestmark = pytest.mark.slow

PREFETCH = {
    OVERRIDES: json.dumps({"worker_disable_prefetch": False, "worker_prefetch_multiplier": 3})
}


def in_flight(jobs: Store) -> int:
    return sum(len(jobs.processes.inflight(process)) for process in jobs.processes.live())


def test_without_prefetch_a_worker_takes_what_it_can_start(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    sample.Sleeps.perform_bulk([(f"job {n}", 0.4) for n in range(5)])
    start_worker()
    seen = set()

    def watch() -> bool:
        seen.add(in_flight(jobs))
        return store.llen("record:ended") == 5

    until(watch, "all have run")
    assert max(seen) == 1


def test_with_prefetch_it_takes_more_and_gives_it_back_at_the_end(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    sample.Sleeps.perform_bulk([(f"job {n}", 1) for n in range(6)])
    worker = start_worker(**PREFETCH)
    until(lambda: in_flight(jobs) == 3, "it has three in hand")
    until(lambda: store.llen("record:started"), "one runs")
    worker.send(15)
    assert worker.wait() == 0
    ran = store.lrange("record:ended", 0, -1)
    assert ran == store.lrange("record:started", 0, -1)
    assert 1 <= len(ran) < 6
    assert len(ran) + store.llen("default") == 6
    start_worker()
    until(lambda: store.llen("record:ended") == 6, "the rest runs")
    assert store.lrange("record:started", 0, -1) == [f"job {n}" for n in range(6)]


def test_a_reconnect_starts_nothing_twice_that_was_prefetched(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    names = [f"job {n}" for n in range(6)]
    sample.Sleeps.perform_bulk([(name, 1.3) for name in names])
    start_worker(**PREFETCH)
    until(lambda: in_flight(jobs) == 3, "it has three in hand")
    until(lambda: store.llen("record:started"), "one runs")
    cut_workers(store)
    until(lambda: len(set(store.lrange("record:ended", 0, -1))) == 6, "all have run")
    assert sorted(store.lrange("record:started", 0, -1)) == names
    until(lambda: in_flight(jobs) == 0, "all acknowledged")
