"""Fixtures of tests that have an application, and a server, of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import redis
from addresses import import_app
from processes import Process, Project
from servers import Server, required


class Fixtures(NamedTuple):
    """What a ``conftest.py`` takes over, each under its own name."""

    own_server: Any
    """The server, which nobody else uses."""
    own_app: Any
    """The application, imported once."""
    store: Any
    """A client of the empty server."""
    jobs: Any
    """The application, its app context pushed, its server empty."""
    folder: Any
    """Where processes of the application run."""
    start: Any
    """Starts a worker of the application; two jobs at a time unless other options are given."""


def fixtures(module: str, lib: Path) -> Fixtures:
    """Return the fixtures for the application in ``lib/<module>.py``, whose app is ``app``."""
    sys.path.append(str(lib))

    @pytest.fixture(scope="session")
    def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
        server = Server(required(), tmp_path_factory.mktemp(module))
        yield server
        server.stop()

    @pytest.fixture(scope="session")
    def own_app(own_server: Server) -> ModuleType:
        return import_app(module, own_server.url)

    @pytest.fixture
    def store(own_server: Server) -> Iterator[redis.Redis]:
        with own_server.client() as client:
            client.flushall()
            yield client

    @pytest.fixture
    def jobs(own_app: ModuleType, store: redis.Redis) -> Iterator[ModuleType]:
        own_app.celery_app.set_current()  # canvas asks for it, and another test may have one, too
        with own_app.app.app_context():
            yield own_app

    @pytest.fixture
    def folder(own_server: Server, tmp_path: Path) -> Iterator[Project]:
        project = Project(
            tmp_path,
            {
                "CELERY_BROKER_URL": own_server.url,
                "CELERY_RESULT_BACKEND": own_server.url,
                "FLASKIQ_APP": f"{module}:celery_app",
                "PYTHONPATH": str(lib),
                "FLASKIQ_HEARTBEAT_TTL": "2",
            },
        )
        yield project
        project.end()

    @pytest.fixture
    def start(jobs: ModuleType, folder: Project) -> Callable[..., Process]:
        def start(*options: str, name: str = module, **env: str) -> Process:
            options = (f"--name={name}", *(options or ("-c", "2")))
            quick = ("--without-mingle", "--without-gossip")
            process = folder.start("flaskiq", "worker", "start", *quick, *options, **env)
            process.wait_for(" ready.")
            return process

        return start

    return Fixtures(own_server, own_app, store, jobs, folder, start)
