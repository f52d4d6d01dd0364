"""How workers of Celery's own pools tell that they are well; about 12 seconds for each."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from asking import Asked
from servers import Server
from waiting import until

pytestmark = pytest.mark.slow

POOLS = ("prefork", "threads", "solo", "gevent")
PATIENCE = 4.0
"""Seconds of silence that are borne: two heartbeat TTLs."""


@pytest.fixture(scope="module", params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def worker(pool: str, start_worker: Callable[..., Asked]) -> Iterator[Asked]:
    """A worker that the tests of a pool share; the last one ends it."""
    worker = start_worker(f"--pool={pool}", "-c", "2")
    yield worker
    worker.process.end()


def test_it_is_well(worker: Asked, pool: str) -> None:
    worker.until("/health", 200)
    details = worker.ask("/health").json()["details"]
    expected = "2 processes live" if pool == "prefork" else "jobs run in this process"
    assert details["pool"] == expected
    assert worker.ask("/debug/detailed").json()["pool"] == pool


def test_a_frozen_child_of_prefork_is_seen(worker: Asked, pool: str) -> None:
    if pool != "prefork":
        pytest.skip("it has no children")
    child = psutil.Process(worker.process.pid).children()[0]
    child.suspend()
    worker.until("/health/live", 503)
    assert worker.reason() == f"pool: process {child.pid} does not react"
    child.resume()
    worker.until("/health/live", 200)


def test_a_new_child_of_prefork_leaves_the_port_to_its_parent(worker: Asked, pool: str) -> None:
    """Or it would stay taken for as long as a child outlives its parent."""
    if pool != "prefork":
        pytest.skip("it has no children")
    parent = psutil.Process(worker.process.pid)
    former = parent.children()
    former[0].kill()
    until(lambda: set(parent.children()) - set(former), "it is replaced")
    new = set(parent.children()) - set(former)
    until(lambda: not any(map(listens, new)), "it lets go")
    assert listens(parent)


def listens(process: psutil.Process) -> bool:
    return any(each.status == psutil.CONN_LISTEN for each in process.net_connections("inet"))


def test_without_redis_it_lives_and_comes_back(worker: Asked, guarded: Server) -> None:
    guarded.kill()
    try:
        worker.until("/health", 503)
        assert worker.status("/health/ready") == 503
        end = time.monotonic() + PATIENCE + 1
        while time.monotonic() < end:  # no pause between two connects keeps it from answering
            assert worker.ask("/health/live", timeout=4).status_code == 200
    finally:
        guarded.start()
    worker.until("/health", 200)
    assert worker.status("/health/ready") == 200


def test_a_long_job_is_no_fault_and_a_stop_is_told(
    worker: Asked, hold: Callable[[str], None], store: Any, pool: str
) -> None:
    hold(pool)
    end = time.monotonic() + PATIENCE + 1
    while time.monotonic() < end:
        assert worker.status("/health") == 200, worker.reason()
    os.kill(worker.process.pid, signal.SIGTERM)
    until(lambda: worker.status("/health/ready") == 503, "it stops")
    assert worker.reason("/health/ready") == "consuming: stopping: no more jobs are fetched"
    assert worker.status("/health/live") == 200
    store.set(f"go:{pool}", 1)
    assert worker.process.wait() == 0
