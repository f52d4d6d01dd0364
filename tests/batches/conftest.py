"""Fixtures: the application of these tests, and its worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
from addresses import import_app
from processes import Process, Project
from servers import Server, required

LIB = Path(__file__).parent / "lib"
sys.path.append(str(LIB))


@pytest.fixture(scope="session")
def batch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests alone."""
    server = Server(required(), tmp_path_factory.mktemp("batches-valkey"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _app(batch_server: Server) -> ModuleType:
    return import_app("batch_app", batch_server.url)


@pytest.fixture
def store(batch_server: Server) -> Iterator[redis.Redis]:
    """A client of the empty server."""
    with batch_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def jobs(_app: ModuleType, store: redis.Redis) -> Iterator[ModuleType]:
    """The application ``lib/batch_app.py``, its app context pushed, its server empty."""
    with _app.app.app_context():
        yield _app


@pytest.fixture
def start(
    batch_server: Server, tmp_path: Path, store: redis.Redis
) -> Iterator[Callable[..., Process]]:
    """Start workers of the application."""
    project = Project(
        tmp_path,
        {
            "CELERY_BROKER_URL": batch_server.url,
            "CELERY_RESULT_BACKEND": batch_server.url,
            "FLASKIQ_APP": "batch_app:celery_app",
            "PYTHONPATH": str(LIB),
            "FLASKIQ_HEARTBEAT_TTL": "2",
        },
    )

    def start(*options: str, name: str = "batches") -> Process:
        quick = (f"--name={name}", "--without-mingle", "--without-gossip")
        process = project.start("flaskiq", "worker", "start", *quick, *(options or ("-c", "2")))
        process.wait_for(" ready.")
        return process

    yield start
    project.end()
