"""Fixtures: the application of these tests, its worker, and a PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from addresses import import_app
from postgres import Postgres
from processes import Process, Project
from servers import Server, required
from sqlalchemy import Engine, create_engine, text

LIB = Path(__file__).parent / "lib"
sys.path.append(str(LIB))

from told import Told  # noqa: E402 - found by the above

POOLS = {
    "flaskiq": ("flaskiq", "worker", "start", "--name=tenants", "-c", "2"),
    "prefork": ("flaskiq", "worker", "start", "--name=tenants", "--pool=prefork", "-c", "2"),
    "threads": ("flaskiq", "worker", "start", "--name=tenants", "--pool=threads", "-c", "2"),
}
QUICK = ("--without-mingle", "--without-gossip")
TTL = {"FLASKIQ_HEARTBEAT_TTL": "2"}


@pytest.fixture(scope="session")
def tenants_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests, which nobody else empties while a worker uses it."""
    server = Server(required(), tmp_path_factory.mktemp("tenants-valkey"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _tenants(tenants_server: Server) -> ModuleType:
    return import_app("tenant_app", tenants_server.url)


@pytest.fixture
def tenants(_tenants: ModuleType) -> Iterator[ModuleType]:
    """The application ``lib/tenant_app.py``, its app context pushed."""
    with _tenants.app.app_context():
        yield _tenants


@pytest.fixture
def told(tenants_server: Server) -> Iterator[Told]:
    """What jobs write down, from now on."""
    with tenants_server.client() as client:
        for key in client.keys("told:*"):
            client.delete(key)
        yield Told(client)


@pytest.fixture(scope="module")
def tenants_project(
    tenants_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A folder for processes of the application."""
    project = Project(
        tmp_path_factory.mktemp("tenants"),
        {
            "CELERY_BROKER_URL": tenants_server.url,
            "CELERY_RESULT_BACKEND": tenants_server.url,
            "FLASKIQ_APP": "tenant_app:celery_app",
            "PYTHONPATH": str(LIB),
            **TTL,
        },
    )
    yield project
    project.end()


@pytest.fixture(
    scope="module",
    params=["flaskiq", "prefork", pytest.param("threads", marks=pytest.mark.slow)],
)
def worker(request: pytest.FixtureRequest, tenants_project: Project) -> Iterator[Process]:
    """A worker with each pool, which all tests of a module share."""
    process = tenants_project.start(*POOLS[request.param], *QUICK)
    process.pool = request.param  # type: ignore[attr-defined]
    process.wait_for(" ready.")
    yield process
    process.end()


@pytest.fixture(scope="session")
def _orders(postgres: Postgres, tenants_server: Server) -> Iterator[ModuleType]:
    orders_app = import_app("orders_app", tenants_server.url, DATABASE_URL=postgres.url())
    with orders_app.app.app_context():
        orders_app.db.create_all()
    yield orders_app
    with orders_app.app.app_context():
        orders_app.db.engine.dispose()


@pytest.fixture
def orders(_orders: ModuleType, tenants_server: Server) -> Iterator[ModuleType]:
    """The application ``lib/orders_app.py``, without orders and jobs."""
    with tenants_server.client() as client:
        client.flushall()
    with _orders.app.app_context():
        _orders.db.session.execute(text('TRUNCATE "order"'))
        _orders.db.session.commit()
        yield _orders


@pytest.fixture
def sqlite() -> Iterator[Engine]:
    """A database in memory."""
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()
