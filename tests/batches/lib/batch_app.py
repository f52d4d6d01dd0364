"""An application whose jobs belong to batches."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import redis
from flask import Flask

from flaskiq import (
    Batch,
    Discard,
    Flaskiq,
    Worker,
    WorkerRegistry,
    current_batch,
    current_job,
)

app = Flask("batches")
app.config["FLASKIQ_WORKERS"] = ["batch_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


def tell(*facts: Any) -> None:
    """Write down something, in order."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush("told", " ".join(map(str, facts)))


def is_let(name: str) -> bool:
    """Whether the test has let something go on."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        return bool(client.exists(f"go:{name}"))


class Quick(Worker):
    """Retried at once."""

    retry_backoff = False
    retry_delay = 0.02
    max_retries = 1


class Do(Quick):
    """Does nothing."""

    @classmethod
    def perform(cls, number: int = 0) -> int:
        return number


class Hold(Quick):
    """Waits until the test lets it go."""

    @classmethod
    def perform(cls, name: str) -> None:
        while not is_let(name):
            time.sleep(0.02)


class FailOnce(Quick):
    """Succeeds at the second attempt, when the test lets it."""

    @classmethod
    def perform(cls, name: str) -> None:
        if current_job.attempt == 1:
            raise ValueError("once")
        while not is_let(name):
            time.sleep(0.02)


class FailUnless(Quick):
    """Dies, until the test lets it succeed."""

    max_retries = 0

    @classmethod
    def perform(cls, name: str) -> None:
        if not is_let(name):
            raise ValueError("not yet")


class Drop(Quick):
    """Ends itself quietly."""

    @classmethod
    def perform(cls) -> None:
        raise Discard("no need")


class Die(Quick):
    """Kills its process each time."""

    @classmethod
    def perform(cls) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Grow(Quick):
    """Adds jobs to its own batch, and tells what it shares."""

    @classmethod
    def perform(cls, depth: int) -> None:
        assert current_batch
        if depth:
            with current_batch as batch:
                Grow.perform_bulk([(depth - 1,)] * 2)
            batch.set(**{f"depth {depth}": True})


class Nest(Quick):
    """Begins a batch within its own."""

    @classmethod
    def perform(cls, name: str) -> None:
        with Batch("child", on_complete=(Note, {"name": "child complete"}),
                   on_success=(Note, {"name": "child success"}),
                   on_death=(Note, {"name": "child death"})):  # fmt: skip
            FailUnless.perform_async(name)
            Do.perform_async()


class Flaky(Quick):
    """Fails, dies, takes its process along or nests, as its seed says."""

    max_retries = 2

    @classmethod
    def perform(cls, seed: int) -> None:
        time.sleep(0.01)  # so that it can be killed
        chance = random.Random(f"{seed} {current_job.attempt}").random()
        if chance < 0.2:
            raise ValueError("flaky")
        if chance < 0.25 and current_job.attempt == 1:
            with Batch(f"of {seed}", on_success=(Note, {"name": "inner success"})):
                Do.perform_bulk([(n,) for n in range(3)])


class Note(Quick):
    """A callback."""

    @classmethod
    def perform(cls, batch_id: str, name: str = "callback", holds: bool = False) -> None:
        while holds and not is_let(name):
            time.sleep(0.02)
        tell(name, batch_id, current_job.id)


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()
