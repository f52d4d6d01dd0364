"""An application whose jobs write down on whose behalf they run."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from typing import Any

import redis
from flask import Flask, g, request
from werkzeug.local import LocalProxy

from flaskiq import (
    BaseTask,
    Flaskiq,
    Worker,
    WorkerRegistry,
    current_tenant,
    task_launcher,
    web,
)
from flaskiq.job import Job

app = Flask("tenants")
app.config["FLASKIQ_WORKERS"] = ["tenant_app"]
app.config["FLASKIQ_TENANT_FIELDS"] = ["organization_id", "user_id", "locale"]
app.config["FLASKIQ_SYSTEM_TENANT"] = {"organization_id": "system"}
app.config["FLASKIQ_CURRENT_USER"] = "tenant_app:current_user"
app.config["CELERY"] = {
    "beat_schedule": {
        "every-second": {"task": "tenant_app.tell", "schedule": 1.0, "args": ["beat"]}
    },
    **json.loads(os.environ.get("TENANT_CELERY", "{}")),
}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery
app.register_blueprint(web.tasks)


class User:
    """A user as routes have one."""

    def __init__(self, organization_id: str, user_id: str) -> None:
        self.organization_id, self.id = organization_id, user_id


def _user() -> User | None:
    named = request.headers.get("X-User")
    return User(*named.split("/")) if named else None


current_user = LocalProxy(_user)


def note(name: str, **facts: Any) -> None:
    """Write down on whose behalf this runs."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush(f"told:{name}", json.dumps({**current_tenant, **facts}))


class Hooked(Worker):
    """Tells of its hooks, too."""

    @classmethod
    def on_success(cls, job: Job, result: Any) -> None:
        note(f"{job.args[0]}:success", result=result)

    @classmethod
    def on_failure(cls, job: Job, exc: Exception) -> None:
        note(f"{job.args[0]}:failure", attempt=job.attempt, error=str(exc))

    @classmethod
    def retries_exhausted(cls, job: Job, exc: Exception) -> None:
        note(f"{job.args[0]}:exhausted", attempt=job.attempt)


class Tell(Hooked):
    """Tells on whose behalf it runs."""

    @classmethod
    def perform(cls, name: str) -> str:
        logging.getLogger("tenant_app").warning("the job %s speaks", name)
        note(name)
        return name


class Fails(Hooked):
    """Fails twice."""

    max_retries = 1
    retry_backoff = False
    retry_delay = 0.05

    @classmethod
    def perform(cls, name: str) -> None:
        note(name)
        raise ValueError("on purpose")


class Dies(Hooked):
    """Kills the process that runs it."""

    @classmethod
    def perform(cls, name: str) -> None:
        note(name)
        os.kill(os.getpid(), signal.SIGKILL)


class Overruns(Hooked):
    """Runs into its hard limit."""

    time_limit = 1
    soft_time_limit = None

    @classmethod
    def perform(cls, name: str) -> None:
        while True:
            time.sleep(60)


class Spawns(Worker):
    """Enqueues others."""

    @classmethod
    def perform(cls, name: str) -> None:
        Tell.perform_async(f"{name}:worker")
        Tell.perform_in(0.2, f"{name}:later")
        Tell.perform_bulk([(f"{name}:bulk",)])
        tell.delay(f"{name}:task")
        Tell.set(tenant=None).perform_async(f"{name}:nobody")
        Tell.set(tenant={"organization_id": "other"}).perform_async(f"{name}:other")
        Tell.set(tenant={"locale": "de"}).perform_async(f"{name}:german")
        Tell.perform_inline(f"{name}:inline")


class Needs(Hooked):
    """Refuses to run for nobody."""

    tenant_required = True

    @classmethod
    def perform(cls, name: str) -> None:
        note(name)


class Daily(Worker):
    """Runs for a tenant of its own."""

    cron_schedule = "0 0 1 1 *"
    cron_args = ("daily",)
    cron_tenant = {"organization_id": "janitor", "user_id": "cron"}  # noqa: RUF012 - as an app writes it

    @classmethod
    def perform(cls, name: str) -> None:
        note(name)


@celery_app.task
def tell(name: str, *_: Any) -> str:
    """A plain task."""
    note(name)
    return name


@celery_app.task
def tell_last(_: Any, name: str) -> str:
    """A plain task that follows another."""
    note(name)
    return name


@celery_app.task
def tell_error(_context: Any, _error: Any, _traceback: Any, name: str = "errback") -> None:
    """What is told of a failure."""
    note(name)


@celery_app.task
def fail(name: str) -> None:
    """A plain task that fails."""
    raise ValueError(name)


@celery_app.task(base=BaseTask, bind=True)
def tell_based(self: BaseTask, name: str) -> list[str | None]:
    """A task of the guide, with ``bind``."""
    note(name, request=[getattr(self.request, f, None) for f in ("organization_id", "user_id")])
    self.log_with_context("info", "based", name=name)
    return list(self.get_tenant_context())


@celery_app.task(base=BaseTask, bind=True, retry_backoff=False, default_retry_delay=0.05)
def tell_twice(self: BaseTask, name: str) -> None:
    """Is retried once."""
    note(name)
    if not self.request.retries:
        raise ValueError("again")


@app.post("/launch/<kind>")
def launch(kind: str) -> str:
    """Enqueue something, as a route does."""
    g.locale = "fr"
    if kind == "worker":
        return str(Tell.perform_async("route").id)
    if kind == "task":
        return str(tell.delay("route").id)
    user = User("launched", "5")
    targets = {"launcher": Tell, "launcher-task": tell, "launcher-based": tell_based}
    return str(task_launcher(targets[kind], "route", current_user=user).id)


with app.app_context():  # other tests have apps in this process, too
    WorkerRegistry.initialize()
