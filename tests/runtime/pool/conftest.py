"""Nodes of our own pool that run ``lib/pool_jobs.py``, each for one test alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
from processes import Project
from servers import Server

from flaskiq.store.store import Store

sys.path.append(str(Path(__file__).parent / "lib"))

from pool_node import LIB, Node, Records, StartNode, start_in


@pytest.fixture(scope="session")
def _pool_jobs(server: Server) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELERY_BROKER_URL", server.url)
        patch.setenv("CELERY_RESULT_BACKEND", server.url)
        import pool_jobs
    return pool_jobs


@pytest.fixture
def pool_jobs(_pool_jobs: ModuleType, store: redis.Redis) -> Iterator[ModuleType]:
    """The application, its app context pushed, its server empty."""
    with _pool_jobs.app.app_context():
        yield _pool_jobs


@pytest.fixture
def jobs(server: Server, store: redis.Redis) -> Store:
    """The structures of Flaskiq in the empty server."""
    return Store(redis.Redis.from_url(server.url))


@pytest.fixture
def records(store: redis.Redis) -> Records:
    """What jobs wrote down."""
    return Records(store)


@pytest.fixture
def start_node(project: Project, pool_jobs: ModuleType, jobs: Store) -> Iterator[StartNode]:
    """Start a node and wait until all its children may fetch."""
    nodes = []

    def start(*options: str, children: int, app: str = "pool_jobs:celery_app", **env: str) -> Node:
        process = start_in(project, app, *options, **{"PYTHONPATH": LIB, **env})
        nodes.append(Node(process, pool_jobs.celery_app, jobs))
        return nodes[-1].wait_for_children(children)

    yield start
    for node in nodes:
        node.end()
