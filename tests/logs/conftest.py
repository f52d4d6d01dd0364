"""Workers whose jobs end in every way: one for each pool, which its tests share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from addresses import import_app
from processes import Process, Project
from servers import Server, required

LIB = Path(__file__).parent / "lib"
sys.path.append(str(LIB))

from logged import PASSWORD, POOLS, Logged  # noqa: E402 - found by the above

StartLogged = Callable[..., Process]


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password."""
    folder = tmp_path_factory.mktemp("logs")
    url = f"redis://:{PASSWORD}@127.0.0.1:{{port}}/0"
    server = Server(required(), folder, "--requirepass", PASSWORD, url=url)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def logs_app(own_server: Server) -> ModuleType:
    """The application, imported once."""
    return import_app("logs_app", own_server.url)


@pytest.fixture(scope="session")
def logs_project(
    own_server: Server, logs_app: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Where programs of the application run."""
    project = Project(
        tmp_path_factory.mktemp("logged"),
        {
            "CELERY_BROKER_URL": own_server.url,
            "CELERY_RESULT_BACKEND": own_server.url,
            "FLASKIQ_APP": "logs_app:celery_app",
            "FLASKIQ_HEARTBEAT_TTL": "2",
            "FLASKIQ_SHUTDOWN_TIMEOUT": "1",
            "PYTHONPATH": str(LIB),
            "PYTHONWARNINGS": "ignore",
        },
    )
    yield project
    project.end()


@pytest.fixture(scope="session")
def start_logged(own_server: Server, logs_project: Project) -> StartLogged:
    """Start a worker of the application; the server is emptied before."""

    def start(*options: str, **env: str) -> Process:
        with own_server.client() as client:
            client.flushall()
        # A worker that another test has killed is spoken of.
        shutil.rmtree(logs_project.folder / ".flaskiq", ignore_errors=True)
        quick = ("--without-mingle", "--without-gossip", "--concurrency=2")
        process = logs_project.start("flaskiq", "worker", "start", *quick, *options, **env)
        process.wait_for(" ready.")
        return process

    return start


OTHERS = [pytest.param(each, marks=pytest.mark.slow) for each in POOLS if each != "flaskiq"]
"""They take 20 seconds together, and the first 8."""


@pytest.fixture(scope="session", params=["flaskiq", *OTHERS])
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the worker."""
    return str(request.param)


@pytest.fixture(scope="session")
def logged(pool: str, start_logged: StartLogged, logs_app: ModuleType) -> Logged:
    """All that a worker has logged as JSON, from its start to its end."""
    process = start_logged(f"--pool={pool}", "--log-format=json")
    logged = Logged(logs_app, process)
    try:
        with logs_app.app.app_context():
            logged.run(POOLS[pool])
            if pool != "solo":
                logged.stop_with_a_job()
    finally:
        process.end()  # it would take the jobs of the next one
    return logged
