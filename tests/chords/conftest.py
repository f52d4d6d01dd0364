"""Fixtures: the application of these tests, its workers, and stock ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from command import CalledCommand, Command
from own_app import fixtures
from processes import Process, Project

LIB = Path(__file__).parent / "lib"

own_server, own_app, store, jobs, folder, start = fixtures("chord_app", LIB)


@pytest.fixture
def start_stock(jobs: ModuleType, folder: Project) -> Callable[..., Process]:
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
    return CalledCommand(folder.folder, folder.environ())
