"""Fixtures: workers of the sample application with a short heartbeat, and the store they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from kept import KeptWorker
from processes import Process, Project
from redis import Redis
from servers import Server

from flaskiq.store.store import Store

LIB = str(Path(__file__).parent)
TTL = 2
"""Seconds of the heartbeats."""

StartWorker = Callable[..., Process]

SOLO, THREADS = (pytest.param(each, marks=pytest.mark.newest) for each in ("solo", "threads"))
"""Pools of Celery beside prefork, where that is run too: those are the same on each Python."""

__all__ = [
    "debian_redis",
    "LIB",
    "SOLO",
    "THREADS",
    "TTL",
    "StartWorker",
    "gevent_or_skip",
    "jobs",
    "pool",
    "keep_worker",
    "start_worker",
]


@pytest.fixture
def jobs(server: Server, store: Redis) -> Store:
    """The structures of the empty database."""
    return Store(Redis.from_url(server.url))


@pytest.fixture(params=["prefork", pytest.param("threads", marks=pytest.mark.slow)])
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the workers; a test that is about other ones parametrizes it.

    The second runs in CI, once: most of what these tests are about has no part in it.
    """
    return str(request.param)


@pytest.fixture
def start_worker(sample: ModuleType, project: Project, pool: str) -> StartWorker:
    """Start a worker of the sample application, with one job at a time unless said otherwise."""
    count = 0

    def start(*options: str, **env: str) -> Process:
        nonlocal count
        count += 1
        return project.worker(
            "sample:celery_app",
            f"--pool={pool}",
            "--concurrency=1",
            *options,
            f"--hostname=worker{count}@test",
            "--without-mingle",
            PYTHONPATH=LIB,
            **{"FLASKIQ_HEARTBEAT_TTL": str(TTL), **env},
        )

    return start


@pytest.fixture
def keep_worker(kept_worker: KeptWorker, store: Redis, pool: str) -> StartWorker:
    """Let the worker that tests share run, with one job at a time unless said otherwise."""

    def keep(*options: str, **env: str) -> Process:
        usual = (f"--pool={pool}", "--concurrency=1", "--hostname=worker1@test", "--without-mingle")
        return kept_worker.started(store, *usual, *options, **env)

    return keep


def cut_workers(store: Redis) -> None:
    """Cut every connection of the server that is not of this process."""
    own = {each.laddr.port for each in psutil.Process().net_connections()}
    for client in store.client_list():
        if int(client["addr"].rpartition(":")[2]) not in own:
            store.client_kill_filter(_id=client["id"])


def gevent_or_skip() -> None:
    """Skip without gevent; fail in CI, where everything is installed."""
    try:
        import gevent  # noqa: F401
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("gevent is not installed: make setup")


def debian_redis() -> str:
    """Return Debian's ``redis-server``, which speaks TLS; skip without it, fail in CI."""
    program = shutil.which("redis-server")
    if program is None:
        message = "redis-server is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program
