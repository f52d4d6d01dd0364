"""Fixtures: an application with a dashboard, a client of it, and its worker."""

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

from pages import Browser  # noqa: E402 - found by the above


@pytest.fixture(scope="session")
def dashboard_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests alone."""
    server = Server(required(), tmp_path_factory.mktemp("dashboard-valkey"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _dashboard_app(dashboard_server: Server) -> ModuleType:
    return import_app("dashboard_app", dashboard_server.url)


@pytest.fixture
def store(dashboard_server: Server) -> Iterator[redis.Redis]:
    """A client of the empty server."""
    with dashboard_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def jobs(_dashboard_app: ModuleType, store: redis.Redis) -> Iterator[ModuleType]:
    """The application ``lib/dashboard_app.py``, its app context pushed, its server empty."""
    with _dashboard_app.app.app_context():
        yield _dashboard_app


@pytest.fixture
def browser(jobs: ModuleType) -> Browser:
    """A browser at the dashboard."""
    return Browser(jobs.app.test_client())


@pytest.fixture
def folder(dashboard_server: Server, tmp_path: Path) -> Iterator[Project]:
    """Where processes of the application run."""
    env = {"CELERY_BROKER_URL": dashboard_server.url, "CELERY_RESULT_BACKEND": dashboard_server.url}
    more = {
        "FLASKIQ_APP": "dashboard_app:celery_app",
        "PYTHONPATH": str(LIB),
        "FLASKIQ_HEARTBEAT_TTL": "2",
    }
    project = Project(tmp_path, {**env, **more})
    yield project
    project.end()


@pytest.fixture
def start(jobs: ModuleType, folder: Project) -> Callable[..., Process]:
    """Start a worker of the application."""

    def start(*options: str) -> Process:
        quick = ("--without-mingle", "--without-gossip", "--name=dashboard", "-c", "1")
        process = folder.start("flaskiq", "worker", "start", *quick, *options)
        process.wait_for(" ready.")
        return process

    return start
