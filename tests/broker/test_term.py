"""SIGTERM while a hundred jobs run and are prefetched."""

from __future__ import annotations

import json
import signal
from types import ModuleType
from typing import Any

import pytest
from messages import queued
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

PREFETCH = '{"worker_disable_prefetch": false}'
JOBS = [f"job {number:03}" for number in range(100)]


def names(store: Redis, key: str) -> list[str]:
    return store.lrange(f"record:{key}", 0, -1)


def waiting(store: Redis) -> list[str]:
    """The jobs of the queue, the next one to run first."""
    return [message.args[0] for message in queued(store)]


def in_flight(jobs: Store) -> int:
    return sum(len(jobs.processes.inflight(process)) for process in jobs.processes.live())


@pytest.fixture
def hoarder(start_worker: Any) -> Any:
    """Start a worker that runs four jobs and prefetches the rest of a hundred."""

    def start(**env: str) -> Any:
        options = ("--concurrency=4", "--prefetch-multiplier=25")
        prefetch = json.dumps({"worker_disable_prefetch": False})
        return start_worker(*options, SAMPLE_CELERY=prefetch, **env)

    return start


def test_what_is_prefetched_returns_at_once_and_what_runs_ends(
    sample: ModuleType, store: Redis, jobs: Store, hoarder: Any, start_worker: Any
) -> None:
    sample.Sleeps.perform_bulk([(name, 8) for name in JOBS])
    worker = hoarder()
    until(lambda: len(names(store, "started")) == 4, "four run")
    until(lambda: in_flight(jobs) > 90, "the others are prefetched")
    worker.send(signal.SIGTERM)
    until(lambda: store.llen("default") == 96, "they are back")
    assert names(store, "ended") == [], "while the four run"
    assert worker.wait() == 0
    assert sorted(names(store, "ended")) == sorted(names(store, "started")) == JOBS[:4]
    assert waiting(store) == JOBS[4:]
    assert all("flaskiq_deaths" not in message.headers for message in queued(store))


def test_what_is_cut_at_the_timeout_is_in_front_of_the_rest(
    sample: ModuleType, store: Redis, jobs: Store, hoarder: Any
) -> None:
    sample.Sleeps.perform_bulk([(name, 30) for name in JOBS])
    worker = hoarder(FLASKIQ_SHUTDOWN_TIMEOUT="2")
    until(lambda: len(names(store, "started")) == 4, "four run")
    until(lambda: in_flight(jobs) > 90, "the others are prefetched")
    worker.send(signal.SIGTERM)
    worker.wait()
    assert waiting(store) == JOBS
    assert all("flaskiq_deaths" not in message.headers for message in queued(store))
    assert names(store, "ended") == []
    assert len(names(store, "started")) == 4


def test_none_is_lost_and_none_runs_twice(
    sample: ModuleType, store: Redis, jobs: Store, hoarder: Any
) -> None:
    sample.Sleeps.perform_bulk([(name, 0.05) for name in JOBS])
    for _ in range(3):
        ended = len(names(store, "ended"))
        worker = hoarder()
        until(lambda ended=ended: len(names(store, "ended")) >= ended + 10, "some have run")
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0
        assert sorted(names(store, "started")) == sorted(names(store, "ended"))
        assert store.llen("default") + len(names(store, "ended")) == 100
    hoarder()
    until(lambda: len(names(store, "ended")) == 100, "all have run")
    assert sorted(names(store, "started")) == JOBS


@pytest.mark.parametrize("pool", ["threads"])
def test_a_fetch_under_way_returns_what_it_brings_at_once(
    sample: ModuleType, store: Redis, jobs: Store, start_worker: Any
) -> None:
    """An idle slot waits for a job while the other one runs: what comes next goes elsewhere."""
    first = start_worker("--concurrency=2")
    running = sample.Sleeps.perform_async("running", 5)
    until(lambda: names(store, "started") == ["running"], "it runs")
    first.send(signal.SIGTERM)
    first.wait_for("had not started")
    result = sample.Sleeps.perform_async("next", 0)
    start_worker()
    assert result.get(timeout=10) == "next"
    assert names(store, "ended") == ["next"], "before the other has ended"
    assert running.get(timeout=20) == "running"
    assert first.wait() == 0
    assert names(store, "started") == ["running", "next"]
