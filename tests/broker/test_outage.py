"""Redis goes away while jobs run, and comes back with what it had written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import Process, Project
from servers import Server
from waiting import until

pytestmark = pytest.mark.slow

LIB = str(Path(__file__).parents[1] / "lib")


@pytest.fixture
def shop(durable: Server, tmp_path: Path) -> Iterator[Project]:
    """A folder whose programs run the sample application on that server."""
    env = {"CELERY_BROKER_URL": durable.url, "CELERY_RESULT_BACKEND": durable.url}
    project = Project(tmp_path, {**env, "PYTHONPATH": LIB})
    yield project
    project.end()


def start_workers(shop: Project, ttl: int, *options: str) -> list[Process]:
    """Start two workers."""
    return [
        shop.worker(
            "sample:celery_app",
            f"--hostname=worker{number}@test",
            "--without-mingle",
            *options,
            FLASKIQ_HEARTBEAT_TTL=str(ttl),
        )
        for number in range(2)
    ]


def enqueue(shop: Project, call: str) -> str:
    return shop.python(f"from sample import *\nwith app.app_context(): {call}")


def records(durable: Server, key: str) -> list[str]:
    with durable.client() as client:
        return list(client.lrange(f"record:{key}", 0, -1))


def nothing_in_flight(durable: Server) -> bool:
    with durable.client() as client:
        return not client.keys("flaskiq:inflight:*")


def run_through_an_outage(
    durable: Server, shop: Project, *, seconds: float, outage: float, ttl: int, pool: str
) -> None:
    """Ten jobs run on two workers; the server is killed, and is back before they end."""
    workers = start_workers(shop, ttl, f"--pool={pool}", "--concurrency=5")
    names = [f"job {number}" for number in range(10)]
    enqueue(shop, f"Sleeps.perform_bulk([(f'job {{n}}', {seconds}) for n in range(10)])")
    until(lambda: len(records(durable, "started")) == 10, "all run")
    durable.kill()
    back_at = time.monotonic() + outage
    until(lambda: time.monotonic() > back_at, "the outage is over", outage + 5)
    durable.start()
    until(lambda: len(records(durable, "ended")) == 10, "all have run", seconds + 30)
    until(lambda: nothing_in_flight(durable), "all are acknowledged", 40)
    assert sorted(records(durable, "started")) == sorted(names), "no job ran twice"
    assert all(worker.is_running for worker in workers)
    enqueue(shop, "Sleeps.perform_async('after', 0)")
    until(lambda: "after" in records(durable, "ended"), "they work on")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ten_jobs_of_three_minutes_survive_an_outage_of_a_minute(
    durable: Server, shop: Project
) -> None:
    run_through_an_outage(durable, shop, seconds=180, outage=60, ttl=15, pool="prefork")


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_jobs_that_run_while_the_server_is_down_run_once(
    durable: Server, shop: Project, pool: str
) -> None:
    run_through_an_outage(durable, shop, seconds=10, outage=6, ttl=2, pool=pool)


def test_a_child_that_is_killed_while_the_server_is_down_loses_no_job(
    durable: Server, shop: Project
) -> None:
    (worker, _) = start_workers(shop, 2, "--pool=prefork", "--concurrency=1")
    enqueue(shop, "Sleeps.perform_bulk([('one', 3), ('two', 3)])")
    until(lambda: len(records(durable, "started")) == 2, "both run")
    durable.kill()
    for child in psutil.Process(worker.pid).children():
        os.kill(child.pid, 9)
    durable.start()
    until(lambda: set(records(durable, "ended")) == {"one", "two"}, "both have run", 40)
    until(lambda: nothing_in_flight(durable), "all are acknowledged", 40)
    assert len(records(durable, "started")) == 3, "only the job of the killed child ran again"


@pytest.mark.parametrize("pool", ["custom", "prefork"])
def test_the_first_retry_of_a_process_waits_for_the_server(
    durable: Server, shop: Project, pool: str
) -> None:
    """It opens a connection for that, and nobody else has before."""
    ours = {"CELERY_CUSTOM_WORKER_POOL": "flaskiq.runtime.pool:FetchPool"}
    shop.worker(
        "sample:celery_app", f"--pool={pool}", "--concurrency=1", "--without-mingle", **ours
    )
    job_id = enqueue(shop, "print(Naps.perform_async(2, 2).id)").strip()
    until(lambda: runs(durable), "it runs")
    durable.kill()
    back_at = time.monotonic() + 9
    until(lambda: time.monotonic() > back_at, "the outage is over", 12)
    durable.start()
    until(lambda: '"SUCCESS", "result": 2' in result(durable, job_id), "it has run again", 40)


@pytest.mark.parametrize("pool", ["custom", "prefork"])
def test_what_follows_a_job_waits_for_the_server(durable: Server, shop: Project, pool: str) -> None:
    ours = {"CELERY_CUSTOM_WORKER_POOL": "flaskiq.runtime.pool:FetchPool"}
    shop.worker(
        "sample:celery_app", f"--pool={pool}", "--concurrency=1", "--without-mingle", **ours
    )
    chain = "from celery import chain; print(chain(Naps.s(2, 1), Add.s(1))().id)"
    job_id = enqueue(shop, chain).strip()
    until(lambda: runs(durable), "it runs")
    durable.kill()
    back_at = time.monotonic() + 9
    until(lambda: time.monotonic() > back_at, "the outage is over", 12)
    durable.start()
    until(lambda: '"SUCCESS", "result": 2' in result(durable, job_id), "the next has run", 40)


def runs(durable: Server) -> bool:
    with durable.client() as client:
        return any(client.hlen(key) for key in client.keys("flaskiq:inflight:*"))


def result(durable: Server, job_id: str) -> str:
    with durable.client() as client:
        return str(client.get(f"celery-task-meta-{job_id}") or "")
