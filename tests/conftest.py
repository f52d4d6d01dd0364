"""Fixtures: a real server, folders with applications in them, and a shared sample application."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
from addresses import import_app, no_address_in_the_environment  # noqa: F401 - a fixture
from kept import KEPT_WORKER, KeptWorker
from postgres import Postgres
from processes import Process, Project
from servers import Server, binary, required
from waiting import until


def pytest_report_header() -> str:
    """Say which server the tests use."""
    program = binary()
    if program is None:
        return "server: none"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"server: {' '.join(version.stdout.split()[:3])}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """End the worker that tests share before one that is not of these."""
    if "kept_worker" not in getattr(item, "fixturenames", ()):
        KEPT_WORKER.end()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Valkey (or Redis) for this pytest process."""
    server = Server(required(), tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def store(server: Server) -> Iterator[redis.Redis]:
    """A client of the empty server."""
    with server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(server: Server, store: redis.Redis) -> str:
    """The URL of the empty server."""
    return server.url


@pytest.fixture
def project(redis_url: str, tmp_path: Path) -> Iterator[Project]:
    """An empty folder for an application, with broker and result backend in its environment."""
    project = Project(
        tmp_path, {"CELERY_BROKER_URL": redis_url, "CELERY_RESULT_BACKEND": redis_url}
    )
    yield project
    project.end()


@pytest.fixture(scope="session")
def _sample(server: Server) -> ModuleType:
    return import_app("sample", server.url)


@pytest.fixture
def sample(_sample: ModuleType, store: redis.Redis) -> Iterator[ModuleType]:
    """The application ``tests/lib/sample.py``, its app context pushed, its server empty."""
    with _sample.app.app_context():
        yield _sample


@pytest.fixture(scope="session")
def _kept_worker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptWorker]:
    with KEPT_WORKER.of(server, tmp_path_factory.mktemp("kept")):
        yield KEPT_WORKER


@pytest.fixture
def kept_worker(
    sample: ModuleType, store: redis.Redis, _kept_worker: KeptWorker
) -> Iterator[KeptWorker]:
    """The worker of the sample application that tests share; each must leave it as it was."""
    yield _kept_worker
    until(lambda: not store.keys("flaskiq:inflight:*"), "all is acknowledged")


@pytest.fixture
def sample_worker(kept_worker: KeptWorker, store: redis.Redis) -> Process:
    """A ready worker that runs the sample application, shared with other tests."""
    return kept_worker.started(store, "--pool=solo")


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, with an append-only file."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(required(), folder, append_only=True)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for this pytest process."""
    server = Postgres()
    yield server
    server.stop()
