"""Workers and schedulers of ``lib/health_app.py``, at a server with a password of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from processes import Project
from servers import Server, free_port, required
from waiting import until

sys.path.append(str(Path(__file__).parent / "lib"))

from asking import LIB, PASSWORD, STAGED, Asked

Start = Callable[..., Asked]

QUICK = ("--without-mingle", "--without-gossip")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a password."""
    url = f"redis://:{PASSWORD}@127.0.0.1:{{port}}/0"
    options = ("--requirepass", PASSWORD)
    server = Server(required(), tmp_path_factory.mktemp("guarded"), *options, url=url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def start(guarded: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a program of the application, secrets in its environment; it is not ready yet."""
    project = Project(
        tmp_path_factory.mktemp("project"),
        {
            "CELERY_BROKER_URL": guarded.url,
            "CELERY_RESULT_BACKEND": guarded.url,
            "FLASKIQ_APP": "health_app:celery_app",
            "FLASKIQ_HEARTBEAT_TTL": "2",
            "PYTHONPATH": LIB,
            **STAGED,
        },
    )

    def start(*argv: str, **env: str) -> Asked:
        port = free_port()
        return Asked(project.start("flaskiq", *argv, **{"HEALTH_PORT": str(port), **env}), port)

    yield start
    project.end()


@pytest.fixture(scope="module")
def start_worker(start: Start) -> Start:
    """Start a worker, and wait until it is ready for jobs."""

    def start_worker(*options: str, **env: str) -> Asked:
        options = options or ("-c", "2")
        worker = start("worker", "start", *QUICK, f"--name=w{free_port()}", *options, **env)
        worker.until("/health/ready", 200, timeout=60)
        return worker

    return start_worker


@pytest.fixture
def store(guarded: Server) -> Iterator[redis.Redis]:
    """A client of that server."""
    with guarded.client() as client:
        yield client


@pytest.fixture
def hold(guarded: Server, store: redis.Redis) -> Callable[[str], None]:
    """Enqueue a job that runs until ``go:<name>`` is set, and wait until it runs."""

    def hold(name: str) -> None:
        with Celery(broker=guarded.url, set_as_current=False) as client:
            client.send_task("health.Hold", (name,), queue="default", ignore_result=True)
        until(lambda: store.exists(f"started:{name}"), "the job runs")

    return hold
