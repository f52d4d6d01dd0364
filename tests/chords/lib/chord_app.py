"""An application with chords."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import redis
from celery import shared_task
from flask import Flask

from flaskiq import Flaskiq, Worker, WorkerRegistry, current_job
from flaskiq.store.chords import Chords

app = Flask("chords")
app.config["FLASKIQ_WORKERS"] = ["chord_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


def client() -> redis.Redis:
    """A client of the application's server."""
    return redis.Redis.from_url(celery_app.conf.broker_url, decode_responses=True)


def is_let(name: str) -> bool:
    """Whether the test has let something go on."""
    with client() as connection:
        return bool(connection.exists(f"go:{name}"))


class Quick(Worker):
    """Retried at once."""

    retry_backoff = False
    retry_delay = 0.02
    max_retries = 1


class Double(Quick):
    """A part."""

    @classmethod
    def perform(cls, number: int) -> int:
        return 2 * number


class Hold(Quick):
    """A part that waits until the test lets it go, and may be killed at its first attempt."""

    @classmethod
    def perform(cls, name: str, number: int = 0) -> int:
        with client() as connection:
            connection.incr(f"held:{name}")
        while not is_let(name):
            time.sleep(0.02)
        return number


class Fail(Quick):
    """A part that dies."""

    max_retries = 0

    @classmethod
    def perform(cls) -> None:
        raise ValueError("broken")


class Slow(Quick):
    """A part that can be killed, and how many run at once."""

    @classmethod
    def perform(cls, number: int) -> int:
        with client() as connection:
            running = connection.incr("running")
            connection.zadd("most", {"running": running}, gt=True)
            time.sleep(random.random() / 20)
            connection.decr("running")
        return number


class Collect(Quick):
    """A body: tells what it was given, and by which process it was run."""

    @classmethod
    def perform(cls, results: list[Any], name: str = "body") -> Any:
        with client() as connection:
            connection.rpush(f"told:{name}", f"{current_job.id} {os.getpid()} {results}")
            connection.rpush(f"ran:{name}", str(results))
        return results


class Suicidal(Quick):
    """A part that kills its process each time."""

    @classmethod
    def perform(cls) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(name="chord_app.early", acks_late=False)
def early(name: str) -> str:
    """A part that leaves flight when it begins."""
    while not is_let(name):
        time.sleep(0.02)
    return name


@shared_task(name="chord_app.plain")
def plain(number: int) -> int:
    """A plain task of Celery's."""
    return number + 100


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()


def kill_once(moment: str) -> None:
    """Kill this process if the test wants it at this moment, once."""
    if os.environ.get("KILLED_WHEN") == moment:
        with client() as connection:
            if connection.set("killed", moment, nx=True):
                os.kill(os.getpid(), signal.SIGKILL)


def _die_while_calling() -> None:
    call = Chords.put

    def put(self: Chords, carrier: Any, part: Any, called_by: Any) -> bool:
        if called_by:
            kill_once("claimed")
        was_put = call(self, carrier, part, called_by)
        if called_by:
            kill_once("called")
        return was_put

    Chords.put = put  # type: ignore[method-assign]


if "KILLED_WHEN" in os.environ:
    _die_while_calling()
