"""Connections, servers and scripts fail; jobs do not get lost and do not get stuck."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from addresses import ADDRESSES
from celery.exceptions import WorkerLostError
from fleet import SOLO, THREADS, cut_workers
from processes import Project
from proxy import Proxy
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.store.script import sha
from flaskiq.store.store import Store

LIB = str(Path(__file__).parents[1] / "lib")


def nothing_pends(jobs: Store) -> bool:
    """Whether no job is ready, waiting or in flight."""
    queues = sum(jobs.client.llen(queue) for queue in ("critical", "default", "low"))
    inflight = any(jobs.processes.inflight(process) for process in jobs.processes.live())
    return not (queues or inflight or len(jobs.scheduled) or len(jobs.retry))


def in_flight(jobs: Store) -> int:
    """How many jobs are in flight."""
    return sum(len(jobs.processes.inflight(process)) for process in jobs.processes.live())


@pytest.mark.parametrize("pool", [SOLO, THREADS, "prefork"])
def test_a_lost_reply_strands_nothing(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store, pool: str
) -> None:
    proxy = Proxy(server.port, mark=sha("fetch").encode(), every=7)
    start_worker("--concurrency=2", CELERY_BROKER_URL=proxy.url)
    names = [f"job {n}" for n in range(120)]
    sample.Sleeps.perform_bulk([(name, 0) for name in names])
    until(lambda: set(store.lrange("record:ended", 0, -1)) == set(names), "all have run", 60)
    until(lambda: nothing_pends(jobs), "nothing is stuck")
    assert proxy.cuts >= 10
    started = store.lrange("record:started", 0, -1)
    assert sorted(started) == sorted(names), "no job ran twice"
    proxy.close()


def test_the_server_may_forget_the_scripts(
    sample: ModuleType, store: Redis, start_worker: Any
) -> None:
    start_worker()
    for number in range(5):
        store.script_flush()
        assert sample.Add.perform_async(number, 1).get(timeout=20) == number + 1
        assert sample.Add.perform_in(0.1, number, 2).get(timeout=20) == number + 2


@pytest.mark.parametrize("pool", [SOLO, THREADS, "prefork"])
def test_a_job_that_ends_while_redis_is_away_waits_for_it(
    sample: ModuleType, start_worker: Any, server: Server, jobs: Store, pool: str
) -> None:
    """Celery would give up soon, on the result as well as on the retry."""
    proxy = Proxy(server.port)
    start_worker(
        f"--pool={pool}",
        "--concurrency=2",
        CELERY_BROKER_URL=proxy.url,
        CELERY_RESULT_BACKEND=proxy.url,
    )
    ends_well = sample.Naps.perform_async(1, 1)
    fails_first = sample.Naps.perform_async(1, 2)
    awaited = 1 if pool == "solo" else 2
    until(lambda: in_flight(jobs) == awaited, "they run")
    proxy.go_away()
    time.sleep(3)  # the outage
    assert in_flight(jobs) == awaited
    proxy.come_back()
    assert fails_first.get(timeout=20) == 2
    assert ends_well.get(timeout=20) == 1
    until(lambda: nothing_pends(jobs), "all acknowledged")
    assert jobs.client.hget(jobs.keys.counters, "fenced") is None
    proxy.close()


@pytest.mark.parametrize("pool", ["solo"])
def test_a_cut_before_the_retry_loses_no_job(
    sample: ModuleType, start_worker: Any, server: Server
) -> None:
    """Of the first publish of a worker, kombu declares the queue."""
    proxy = Proxy(server.port)
    start_worker(CELERY_BROKER_URL=proxy.url)
    proxy.mark = b"_kombu.binding"
    assert sample.Naps.perform_async(0, 2).get(timeout=20) == 2
    proxy.close()


@pytest.mark.parametrize("pool", ["prefork"])
def test_a_death_that_redis_cannot_be_told_of_is_counted_later(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store
) -> None:
    proxy = Proxy(server.port)
    worker = start_worker(CELERY_BROKER_URL=proxy.url)
    sample.Sleeps.perform_async("name", 2)
    until(lambda: store.llen("record:started") == 1, "it runs")
    proxy.mark = b"$4\r\nHGET\r\n"  # what the job is, which only a death asks for
    (child,) = psutil.Process(worker.pid).children()
    child.kill()
    worker.wait_for("What waits for Redis: to count")
    assert jobs.client.hget(jobs.keys.counters, "reaped") is None
    proxy.mark = None
    until(lambda: jobs.client.hget(jobs.keys.counters, "reaped") == b"1", "it is counted")
    until(lambda: store.llen("record:ended") == 1, "it runs again")
    until(lambda: nothing_pends(jobs), "it is acknowledged")
    assert store.llen("record:started") == 2
    proxy.close()


@pytest.mark.parametrize("pool", ["prefork"])
def test_the_death_of_a_job_that_redis_cannot_be_told_of_is_told_later(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store
) -> None:
    """It is buried when Redis goes away: nobody would look at it again."""
    proxy = Proxy(server.port, mark=b'"status": "FAILURE"')
    worker = start_worker(**dict.fromkeys(ADDRESSES, proxy.url))
    killer = sample.Kills.perform_async()
    worker.wait_for("What waits for Redis: to tell of the death", timeout=60)
    assert [job.id for job in jobs.dead] == [killer.id]
    assert not store.exists("record:exhausted")
    proxy.mark = None
    until(lambda: store.llen("record:exhausted") == 1, "its Worker has heard of it")
    with pytest.raises(WorkerLostError, match="3 processes died while it was in flight"):
        killer.get(timeout=20)
    ended = "worker|sample.Kills|dead"
    until(lambda: jobs.client.hget(jobs.keys.counters, ended), "it is counted")
    assert jobs.client.hget(jobs.keys.counters, ended) == b"1"
    proxy.close()


def test_connections_and_threads_do_not_leak(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    worker = start_worker("--concurrency=2")
    assert sample.Add.perform_async(1, 1).get(timeout=20) == 2
    process = psutil.Process(worker.pid)

    cut_workers(store)
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    before = (len(process.net_connections()), process.num_threads())
    for number in range(4):
        cut_workers(store)
        assert sample.Add.perform_async(number, 2).get(timeout=20) == number + 2
    after = (len(process.net_connections()), process.num_threads())
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 1


LOST_REPLIES = [
    pytest.param(20, id="20"),
    pytest.param(200, id="200", marks=[pytest.mark.slow, pytest.mark.timeout(400)]),
]


@pytest.mark.parametrize("cuts", LOST_REPLIES)
def test_no_job_is_lost_or_stuck_by_lost_replies_to_a_worker(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store, cuts: int
) -> None:
    """Every fourth fetch, whatever it brings and acknowledges, has its reply cut off."""
    proxy = Proxy(server.port, mark=sha("fetch").encode(), every=4)
    worker = start_worker("--concurrency=2", CELERY_BROKER_URL=proxy.url)
    names: list[str] = []

    def keep_it_busy() -> bool:
        if store.llen("default") == 0 and proxy.cuts < cuts:
            more = [f"job {number}" for number in range(len(names), len(names) + 20)]
            names.extend(more)
            sample.Sleeps.perform_bulk([(name, 0) for name in more])
        return proxy.cuts >= cuts

    until(keep_it_busy, "so many replies are lost", 10 + 2 * cuts)
    until(lambda: store.llen("record:ended") == len(names), "all have run", 60)
    until(lambda: nothing_pends(jobs), "nothing is stuck")
    assert sorted(store.lrange("record:started", 0, -1)) == sorted(names), "no job ran twice"
    assert worker.is_running
    proxy.close()


@pytest.mark.parametrize("cuts", LOST_REPLIES)
@pytest.mark.parametrize("pool", ["threads"])
def test_no_job_is_lost_by_lost_replies_to_a_client(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store,
    project: Project, cuts: int,
) -> None:  # fmt: skip
    """A job whose ``perform_async`` returned is there; one whose call raised may be."""
    proxy = Proxy(server.port, mark=b"LPUSH", every=2)
    printed = project.python(
        f"""
import json
from sample import Sleeps, app
from kombu.exceptions import OperationalError
enqueued, raised = [], []
with app.app_context():
    for number in range({2 * cuts}):
        name = f"job {{number}}"
        try:
            Sleeps.perform_async(name, 0)
            enqueued.append(name)
        except OperationalError:
            raised.append(name)
print(json.dumps([enqueued, raised]))
""",
        PYTHONPATH=LIB,
        CELERY_BROKER_URL=proxy.url,
    )
    proxy.close()
    enqueued, raised = json.loads(printed)
    assert proxy.cuts >= cuts
    start_worker("--concurrency=2")
    until(lambda: nothing_pends(jobs), "all have run", 60)
    ran = set(store.lrange("record:ended", 0, -1))
    assert set(enqueued) <= ran <= {*enqueued, *raised}
    assert len(enqueued) + len(raised) == 2 * cuts
