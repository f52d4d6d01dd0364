"""A job belongs to its process as long as that lives, and to others soon after."""

from __future__ import annotations

import json
import signal
from types import ModuleType
from typing import Any

import psutil
import pytest
from fleet import SOLO, THREADS, cut_workers
from proxy import Proxy
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.message import DEATHS_HEADER
from flaskiq.store.store import Store

PREFETCH = '{"worker_disable_prefetch": false}'


TTL = 2
"""Seconds of the heartbeats, as in ``start_worker``."""


def started(store: Redis) -> list[str]:
    return store.lrange("record:started", 0, -1)


def ended(store: Redis) -> list[str]:
    return store.lrange("record:ended", 0, -1)


@pytest.mark.parametrize("pool", [SOLO, THREADS, "prefork"])
def test_a_job_of_a_killed_worker_runs_elsewhere(
    sample: ModuleType, store: Redis, start_worker: Any, pool: str
) -> None:
    first = start_worker()
    result = sample.Sleeps.perform_async("job", 2)
    until(lambda: started(store) == ["job"], "it started")
    first.end()
    start_worker()
    assert result.get(timeout=30) == "job"
    assert started(store) == ["job", "job"]
    assert ended(store) == ["job"]


def test_a_long_job_is_not_started_again_while_its_process_lives(
    sample: ModuleType, store: Redis, start_worker: Any
) -> None:
    start_worker(FLASKIQ_HEARTBEAT_TTL="1")
    start_worker(FLASKIQ_HEARTBEAT_TTL="1")
    result = sample.Sleeps.perform_async("long", 6)
    assert result.get(timeout=30) == "long"
    assert started(store) == ["long"]


@pytest.mark.parametrize("pool", [SOLO, THREADS, "prefork"])
def test_a_cut_connection_starts_no_second_copy(
    sample: ModuleType, store: Redis, start_worker: Any, pool: str, jobs: Store
) -> None:
    workers = [start_worker() for _ in range(2)]
    result = sample.Sleeps.perform_async("cut", 5)
    until(lambda: started(store) == ["cut"], "it started")
    cut_workers(store)
    assert result.get(timeout=30) == "cut"
    after = [sample.Sleeps.perform_async(f"after {n}", 0) for n in range(4)]
    assert [each.get(timeout=30) for each in after] == [f"after {n}" for n in range(4)]
    assert started(store).count("cut") == 1
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "all acknowledged")
    assert all(worker.is_running for worker in workers)


@pytest.mark.parametrize("pool", ["threads"])
def test_a_cut_starts_no_second_copy_of_what_waits_in_the_pool(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    prefetch = json.dumps({"worker_disable_prefetch": False, "worker_prefetch_multiplier": 4})
    worker = start_worker("--concurrency=1", SAMPLE_CELERY=prefetch)
    sample.Sleeps.perform_bulk([("first", 4), ("second", 0), ("third", 0)])
    until(lambda: started(store) == ["first"], "it started")
    until(lambda: len(jobs.processes.inflight(*jobs.processes.live())) == 3, "two wait")
    cut_workers(store)
    until(lambda: ended(store)[-1:] == ["third"], "all have run")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert started(store) == ["first", "second", "third"]


@pytest.mark.parametrize("pool", ["prefork"])
def test_a_cut_starts_no_second_copy_of_what_a_child_was_handed(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    """The job lies in the pipe of the child, which has not said yet that it starts."""
    worker = start_worker("--concurrency=1")
    (child,) = psutil.Process(worker.pid).children()
    child.suspend()
    sample.Sleeps.perform_async("handed over", 0)
    until(lambda: jobs.processes.inflight(*jobs.processes.live()), "it was fetched")
    cut_workers(store)
    until(lambda: "connection to broker lost" in worker.output.lower(), "it noticed")
    until(lambda: worker.output.count("Connected to redis") == 2, "it is back")
    child.resume()
    until(lambda: ended(store) == ["handed over"], "it ran")
    assert sample.Sleeps.perform_async("next", 0).get(timeout=20) == "next"
    assert started(store) == ["handed over", "next"]
    until(lambda: not jobs.processes.inflight(*jobs.processes.live()), "all acknowledged")


@pytest.mark.parametrize("pool", ["solo", "threads"])  # a stopped parent stops no child
def test_a_frozen_worker_that_wakes_up_is_fenced(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    frozen = start_worker()
    result = sample.Sleeps.perform_async("frozen", 3)
    until(lambda: started(store) == ["frozen"], "it started")
    (identity,) = jobs.processes.live()
    frozen.send(signal.SIGSTOP)
    start_worker()
    until(lambda: ended(store) == ["frozen"], "it ran elsewhere", timeout=30)
    assert result.get(timeout=10) == "frozen"
    frozen.send(signal.SIGCONT)
    frozen.wait_for("was taken for dead")
    until(lambda: store.hget("flaskiq:counters", "fenced") == "1", "its end here is counted")
    until(lambda: len(jobs.processes.live()) == 2, "it goes on under a new name")
    assert identity not in jobs.processes.live()
    again = [sample.Add.perform_async(n, n) for n in range(6)]
    assert [each.get(timeout=20) for each in again] == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("pool", "killer"),
    [
        pytest.param("solo", "Kills", marks=pytest.mark.newest),
        pytest.param("threads", "Kills", marks=pytest.mark.newest),
        ("prefork", "KillsParent"),
    ],
)
def test_a_job_that_kills_its_worker_runs_three_times_and_is_dead(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store, pool: str, killer: str
) -> None:
    def start() -> Any:
        return start_worker(f"--pool={pool}", "--concurrency=2", FLASKIQ_HEARTBEAT_TTL="1")

    neighbours = [sample.Sleeps.perform_async(f"n{n}", 0) for n in range(4)]
    killing = getattr(sample, killer).perform_async()
    neighbours += [sample.Sleeps.perform_async(f"n{n}", 0) for n in range(4, 8)]
    workers = [start()]

    def keep_one_running() -> bool:
        if not workers[-1].is_running:
            workers.append(start())
        return jobs.dead.find(killing.id) is not None

    until(keep_one_running, "the killer is buried", timeout=60)
    assert [each.get(timeout=30) for each in neighbours] == [f"n{n}" for n in range(8)]
    assert store.llen("record:kills") == 3
    with pytest.raises(Exception, match="3 processes died while it was in flight"):
        killing.get(timeout=10)
    (dead,) = jobs.dead
    assert dead.id == killing.id
    assert b"3 processes died while it was in flight" in dead.placed.message


@pytest.mark.parametrize("pool", ["threads"])
def test_a_job_whose_process_died_runs_alone(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    result = sample.Sleeps.perform_async("counted", 2)
    message = json.loads(store.rpop("default"))
    message["headers"][DEATHS_HEADER] = 1
    store.lpush("default", json.dumps(message))
    worker = start_worker("--concurrency=4")
    until(lambda: started(store) == ["counted"], "it started")
    others = [sample.Sleeps.perform_async(f"other {n}", 0) for n in range(3)]
    assert result.get(timeout=20) == "counted"
    assert [each.get(timeout=20) for each in others] == [f"other {n}" for n in range(3)]
    assert ended(store)[0] == "counted", "no other ran beside it"
    assert worker.is_running


@pytest.mark.slow
def test_a_job_of_forty_seconds_runs_once_under_a_ttl_of_five(
    sample: ModuleType, store: Redis, start_worker: Any
) -> None:
    for _ in range(2):
        start_worker(FLASKIQ_HEARTBEAT_TTL="5")
    result = sample.Sleeps.perform_async("long", 40)
    assert result.get(timeout=60) == "long"
    assert started(store) == ["long"]


@pytest.mark.parametrize("pool", ["prefork"])
def test_the_death_of_a_pool_child_counts_for_its_job_alone(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    worker = start_worker("--concurrency=2")
    killer = sample.Kills.perform_async()
    neighbours = [sample.Sleeps.perform_async(f"n{n}", 0.3) for n in range(20)]
    with pytest.raises(Exception, match="3 processes died while it was in flight"):
        killer.get(timeout=60)
    assert [each.get(timeout=30) for each in neighbours] == [f"n{n}" for n in range(20)]
    assert store.llen("record:kills") == 3
    assert sorted(started(store)) == sorted(f"n{n}" for n in range(20)), "no neighbour ran twice"
    entry = jobs.dead.find(killer.id)
    assert entry is not None
    assert b"3 processes died" in entry.placed.message
    assert worker.is_running
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "all acknowledged")


def test_after_an_outage_nobody_is_declared_dead(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    """The keys of all heartbeats are gone at once, as after a restart of the server."""
    start_worker(FLASKIQ_HEARTBEAT_TTL="3")
    start_worker(FLASKIQ_HEARTBEAT_TTL="3")
    result = sample.Sleeps.perform_async("survives", 6)
    until(lambda: started(store) == ["survives"], "it started")
    assert result.get(timeout=30) == "survives"
    assert started(store) == ["survives"]
    assert len(jobs.processes.live()) == 2


def test_a_cut_connection_starts_no_second_copy_of_what_is_prefetched(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    names = [f"job {number:02}" for number in range(30)]
    results = sample.Sleeps.perform_bulk([(name, 0.3) for name in names])
    options = ("--concurrency=4", "--prefetch-multiplier=5")
    prefetch = json.dumps({"worker_disable_prefetch": False})
    worker = start_worker(*options, SAMPLE_CELERY=prefetch)
    for already in (1, 8, 16):
        until(lambda already=already: len(ended(store)) >= already, "some have run")
        for client in store.client_list():
            if client["cmd"] in ("brpop", "evalsha"):
                store.client_kill_filter(_id=client["id"])
    assert [each.get(timeout=40) for each in results] == names
    assert sorted(started(store)) == names
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "all acknowledged")
    assert worker.is_running


def test_a_silent_connection_is_no_death(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store
) -> None:
    """Nothing comes through the connections that were open, and nothing says so."""
    proxy = Proxy(server.port)
    first = start_worker(CELERY_BROKER_URL=proxy.url)
    (identity,) = jobs.processes.live()
    start_worker()
    results = sample.Sleeps.perform_bulk([("one", 4 * TTL), ("two", 4 * TTL)])
    until(lambda: len(started(store)) == 2, "both run")
    proxy.silence()
    assert [each.get(timeout=30) for each in results] == ["one", "two"]
    assert sorted(started(store)) == ["one", "two"]
    assert identity in jobs.processes.live()
    assert first.is_running
    proxy.close()
