"""An application whose jobs end in every way."""

from __future__ import annotations

import os
import signal

import redis
from flask import Flask

from flaskiq import Discard, Flaskiq, Snooze, Worker, WorkerRegistry, current_job

app = Flask("metrics_app")
app.config["FLASKIQ_WORKERS"] = ["metrics_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


class Add(Worker):
    """Is done soon."""

    @classmethod
    def perform(cls, left: int, right: int) -> int:
        return left + right


class Ends(Worker):
    """Ends as it is told to; the second attempt is done."""

    queue = "low"
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls, how: str) -> None:
        if current_job.attempt == 1 and how == "retried":
            raise LookupError(how)
        if how == "discarded":
            raise Discard(how)


class Dies(Worker):
    """Gives up at once."""

    max_retries = 0

    @classmethod
    def perform(cls) -> None:
        raise LookupError("no luck")


class Snoozes(Worker):
    """Puts itself off until it is told to go on."""

    @classmethod
    def perform(cls) -> None:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            if not client.incr("snoozed") > 1:
                raise Snooze(0)


class Holds(Worker):
    """Says which process runs it, and goes on when it is told to."""

    @classmethod
    def perform(cls) -> None:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            client.rpush("held by", os.getpid())
            client.blpop(["go"], timeout=30)


class Kills(Worker):
    """Kills the process that runs it."""

    @classmethod
    def perform(cls) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


with app.app_context():
    WorkerRegistry.initialize()
