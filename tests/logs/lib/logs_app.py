"""An application whose jobs end in every way."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from typing import Any

import redis
from celery.exceptions import Ignore, Reject
from flask import Flask

from flaskiq import Discard, Flaskiq, Snooze, Worker, current_job

OVERRIDES = "LOGS_APP_CELERY"
"""Environment variable with Celery settings in JSON."""

app = Flask("logs_app")
app.config["FLASKIQ_WORKERS"] = ["logs_app"]
app.config["CELERY"] = json.loads(os.environ.get(OVERRIDES, "{}"))
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

logger = logging.getLogger("shop.jobs")


class Add(Worker):
    """Returns a sum."""

    @classmethod
    def perform(cls, left: int, right: int) -> int:
        return left + right


class Secret(Worker):
    """Returns and logs what nobody may read, and is given it."""

    queue = "low"

    @classmethod
    def perform(cls, card: str) -> str:
        logger.warning(
            "connecting to %s",
            celery_app.conf.broker_url,
            extra={
                "order": 7,
                "url": "redis://app:s3cret@redis.internal/1",
                "odd": {1: float("nan")},
            },
        )
        print("printed\nin two lines")
        return "https://ops:s3cret@shop.example/x"


class For(Worker):
    """Runs on somebody's behalf."""

    @classmethod
    def perform(cls) -> None:
        logger.info("on behalf of somebody")


class Bad(Worker):
    """Logs what cannot be formatted, and what is very long."""

    @classmethod
    def perform(cls) -> None:
        logger.info("%d apples", "no")
        logger.info("\ud800 %s", "x" * 100_000, extra={"long": "y" * 100_000, "broken": Broken()})


class Broken:
    """Has no repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Fails(Worker):
    """Fails twice, and is retried once."""

    max_retries = 1
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls) -> None:
        raise LookupError(f"attempt {current_job.attempt} of redis://:s3cret@redis.internal/0")


class Snoozes(Worker):
    """Waits once for the same attempt."""

    @classmethod
    def perform(cls) -> str:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            if client.incr(f"snoozed:{current_job.id}") == 1:
                raise Snooze(0)
        return "awake"


class Discards(Worker):
    """Ends quietly."""

    @classmethod
    def perform(cls) -> None:
        raise Discard("not needed any more")


class Hangs(Worker):
    """Runs until it is ended."""

    time_limit = 1
    soft_time_limit = 0.9

    @classmethod
    def perform(cls) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                time.sleep(20)
            except Exception:
                continue


class Holds(Worker):
    """Runs until it is told to end."""

    @classmethod
    def perform(cls, key: str) -> None:
        """Say that it runs, and wait."""
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            client.set(f"holds:{key}", os.getpid())
            client.blpop([f"gate:{key}"], timeout=60)


class Kills(Worker):
    """Kills its process."""

    @classmethod
    def perform(cls) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(acks_late=False)
def kills_early() -> None:
    """Kill its process, acknowledged already."""
    os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task
def ignored() -> None:
    """Be ignored."""
    raise Ignore


@celery_app.task
def rejected() -> None:
    """Be rejected."""
    raise Reject("not wanted", requeue=False)


class Hooked(celery_app.Task):  # type: ignore[name-defined, misc]
    """Rejects in a hook, outside of what the tracer tells of."""

    def on_success(self, *_: Any) -> None:
        raise Reject("the hook does not want it", requeue=False)


@celery_app.task(base=Hooked)
def rejected_by_a_hook() -> None:
    """Be rejected."""
