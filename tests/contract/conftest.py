"""One worker for each pool, which all tests of the contract share, on a server of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import redis
from addresses import import_app
from processes import Project
from servers import Server, required
from waiting import until

from flaskiq.store.store import Store

LIB = Path(__file__).parent / "lib"
sys.path.append(str(LIB))

from contract_node import SLOTS, Ears, Node, Records, StartNode  # noqa: E402 - found by the above

POOLS = [pytest.param(each, marks=pytest.mark.slow) for each in ("flaskiq", "prefork")]
"""The pools that keep the contract; each is run through all of it."""


class Start(NamedTuple):
    """How ``celery worker`` is started with a pool."""

    options: tuple[str, ...]
    env: dict[str, str]


STARTS = {
    "prefork": Start(("--pool=prefork", f"--concurrency={SLOTS}"), {}),
    "flaskiq": Start(
        ("--pool=custom", f"--concurrency={SLOTS}"),
        {"CELERY_CUSTOM_WORKER_POOL": "flaskiq.runtime.pool:FetchPool"},
    ),
}


@pytest.fixture(scope="session", params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the workers."""
    return str(request.param)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that no other test empties while the shared worker runs."""
    server = Server(required(), tmp_path_factory.mktemp("contract-valkey"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _contract_app(server: Server) -> ModuleType:
    return import_app("contract_app", server.url)


@pytest.fixture
def contract(_contract_app: ModuleType) -> Iterator[ModuleType]:
    """The application ``lib/contract_app``, its app context pushed."""
    with _contract_app.app.app_context():
        yield _contract_app


@pytest.fixture(scope="session")
def store(server: Server) -> Iterator[redis.Redis]:
    """A client of the server, which is not emptied: the worker and all tests share it."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def jobs(server: Server) -> Store:
    """The structures of Flaskiq in the server."""
    return Store(redis.Redis.from_url(server.url))


@pytest.fixture(scope="session")
def records(store: redis.Redis, jobs: Store) -> Records:
    """What jobs and signals wrote down."""
    return Records(store, jobs)


def start_in(
    project: Project, pool: str, contract_app: ModuleType, store: redis.Redis
) -> StartNode:
    """Return what starts a worker with a pool, for a queue of its own unless it is said."""

    def start(name: str, *options: str, queue: str | None = None, **settings: Any) -> Node:
        how, own = STARTS[pool], f"own-{uuid4().hex}"
        process = project.worker(
            "contract_app:celery_app",
            *how.options,
            *options,
            *([] if queue else [f"--queues={own}"]),
            f"--hostname={name}",
            "--without-mingle",
            PYTHONPATH=str(LIB),
            **{contract_app.OVERRIDES: json.dumps(settings)},
            **how.env,
        )
        # What is asked in the moment before it listens reaches nobody.
        ask = contract_app.celery_app.control.inspect(destination=[name])
        until(ask.ping, f"{name} listens")
        return Node(name, queue or own, process, contract_app.celery_app, store)

    return start


def project_in(folder: Path, url: str) -> Project:
    """Return a folder for processes that use the server."""
    return Project(folder, {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url})


@pytest.fixture(scope="session")
def _shared(
    server: Server,
    pool: str,
    tmp_path_factory: pytest.TempPathFactory,
    _contract_app: ModuleType,
    store: redis.Redis,
) -> Iterator[Node]:
    project = project_in(tmp_path_factory.mktemp(f"contract-{pool}"), server.url)
    start = start_in(project, pool, _contract_app, store)
    yield start(f"{pool}@contract", "--task-events", queue="default")
    project.end()


@pytest.fixture
def node(_shared: Node) -> Iterator[Node]:
    """The worker that all tests of a pool share; each must leave it as it was."""
    assert _shared.process.is_running, f"an earlier test ended it:\n{_shared.last_words}"
    yield _shared
    assert _shared.process.is_running, f"it has ended:\n{_shared.last_words}"


@pytest.fixture
def project(server: Server, tmp_path: Path) -> Iterator[Project]:
    """A folder for processes of this test alone."""
    project = project_in(tmp_path, server.url)
    yield project
    project.end()


@pytest.fixture(scope="module")
def start_node(
    server: Server,
    pool: str,
    tmp_path_factory: pytest.TempPathFactory,
    _contract_app: ModuleType,
    store: redis.Redis,
) -> Iterator[StartNode]:
    """Start a worker for this module alone, with a queue of its own and further settings."""
    project = project_in(tmp_path_factory.mktemp(f"contract-{pool}-own"), server.url)
    yield start_in(project, pool, _contract_app, store)
    project.end()


@pytest.fixture(scope="module")
def ears(_contract_app: ModuleType, _shared: Node) -> Iterator[Ears]:
    """Somebody who hears the events of the shared worker."""
    with Ears(_contract_app.celery_app).listening() as ears:
        yield ears
