"""An application with a dashboard."""

from __future__ import annotations

import time
from typing import Any

import redis
from flask import Flask

from flaskiq import Flaskiq, Worker, WorkerRegistry, current_job

hook: dict[str, Any] = {}
"""What the tests of redaction put in."""


def redact(what: str, value: Any, job: Any) -> Any:
    """Show what the test lets be shown."""
    return hook["call"](what, value, job) if hook else value


app = Flask("shop")
app.config["FLASKIQ_DASHBOARD_REDACT"] = redact
app.config.update(SECRET_KEY="not very", FLASKIQ_ENV="development", FLASKIQ_WORKERS=[__name__])
flaskiq = Flaskiq(app, dashboard="/jobs")
celery_app = flaskiq.celery


class Add(Worker):
    """Adds."""

    @classmethod
    def perform(cls, left: int = 1, right: int = 2) -> int:
        return left + right


class Nightly(Worker):
    """Has a schedule."""

    cron_schedule = "0 3 * * *"

    @classmethod
    def perform(cls) -> str:
        return "night"


class Fail(Worker):
    """Fails, and waits an hour for its second attempt."""

    retry_backoff = False
    retry_delay = 3600
    max_retries = 1

    @classmethod
    def perform(cls, text: str, **more: Any) -> None:
        raise ValueError(text)


class Die(Worker):
    """Gives up at once, until the test lets it succeed."""

    max_retries = 0

    @classmethod
    def perform(cls, text: str = "broken") -> str:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            if client.exists("go"):
                return text
        raise ValueError(text)


class Hold(Worker):
    """Runs until the test lets it go."""

    @classmethod
    def perform(cls) -> None:
        with redis.Redis.from_url(celery_app.conf.broker_url) as client:
            while not client.exists("go"):
                time.sleep(0.02)


class Stumble(Hold):
    """Runs until the test lets it go, fails, and succeeds an hour later."""

    retry_backoff = False
    retry_delay = 3600

    @classmethod
    def perform(cls) -> None:
        super().perform()
        if current_job.attempt == 1:
            raise ValueError("not yet")


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> javascript:alert(3) \u202e{{7*7}}"
"""Does harm in a page that does not take it as text."""


@celery_app.task(name=EVIL)
def evil(*args: Any, **kwargs: Any) -> Any:
    """A task whose name, result and error are of no good."""
    if kwargs:
        raise ValueError(*args)
    return args


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()
