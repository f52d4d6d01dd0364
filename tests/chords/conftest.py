"""Fixtures: the application of these tests, and its workers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
from addresses import import_app
from command import Command
from processes import Process, Project
from servers import Server, required

LIB = Path(__file__).parent / "lib"
sys.path.append(str(LIB))


@pytest.fixture(scope="session")
def chord_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests alone."""
    server = Server(required(), tmp_path_factory.mktemp("chords-valkey"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _chord_app(chord_server: Server) -> ModuleType:
    return import_app("chord_app", chord_server.url)


@pytest.fixture
def redis_client(chord_server: Server) -> Iterator[redis.Redis]:
    """A client of the empty server."""
    with chord_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def jobs(_chord_app: ModuleType, redis_client: redis.Redis) -> Iterator[ModuleType]:
    """The application ``lib/chord_app.py``, its app context pushed, its server empty."""
    with _chord_app.app.app_context():
        yield _chord_app


@pytest.fixture
def folder(chord_server: Server, tmp_path: Path) -> Iterator[Project]:
    """Where its processes run."""
    project = Project(
        tmp_path,
        {
            "CELERY_BROKER_URL": chord_server.url,
            "CELERY_RESULT_BACKEND": chord_server.url,
            "FLASKIQ_APP": "chord_app:celery_app",
            "PYTHONPATH": str(LIB),
            "FLASKIQ_HEARTBEAT_TTL": "2",
        },
    )
    yield project
    project.end()


@pytest.fixture
def start(jobs: ModuleType, folder: Project) -> Callable[..., Process]:
    """Start workers of the application."""

    def start(*options: str, name: str = "chords", **env: str) -> Process:
        quick = (f"--name={name}", "--without-mingle", "--without-gossip")
        process = folder.start(
            "flaskiq", "worker", "start", *quick, *(options or ("-c", "2")), **env
        )
        process.wait_for(" ready.")
        return process

    return start


@pytest.fixture
def start_stock(jobs: ModuleType, folder: Project, chord_server: Server) -> Callable[..., Process]:
    """Start a worker of Celery's own that knows nothing of Flaskiq, acknowledging early."""
    folder.write("stock_chords.py", STOCK)

    def start(*options: str, **env: str) -> Process:
        process = folder.start(
            "celery", "-A", "stock_chords", "worker", "-P", "threads", "-c", "1", "-Q", "default",
            "--loglevel=info",
            "--without-mingle", "--without-gossip", *options, **env,
        )  # fmt: skip
        process.wait_for(" ready.")
        return process

    return start


STOCK = """
import os, time
import redis
from celery import Celery
app = Celery("stock", broker=os.environ["CELERY_BROKER_URL"],
             backend=os.environ["CELERY_RESULT_BACKEND"], set_as_current=False)
app.conf.task_default_queue = "default"
app.conf.task_acks_late = os.environ.get("LATE") == "1"
app.conf.broker_transport_options = {"visibility_timeout": 3600}

@app.task(name="chord_app.Hold")
def hold(name, number=0):
    client = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])
    client.incr(f"held:{name}")
    while not client.exists(f"go:{name}"):
        time.sleep(0.02)
    return number

@app.task(name="chord_app.Double")
def double(number):
    return 2 * number
"""


@pytest.fixture
def run(jobs: ModuleType, folder: Project) -> Command:
    """The program about the application."""
    return Command(folder.folder, folder.environ())
