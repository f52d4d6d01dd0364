"""An application under test. Nothing answers at its broker: what goes there by mistake fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from celery import Task
from celery.exceptions import Ignore
from flask import Flask

from flaskiq import (
    Batch,
    Discard,
    Flaskiq,
    Kill,
    Snooze,
    Worker,
    WorkerRegistry,
    current_batch,
    current_job,
    current_tenant,
)

app = Flask(__name__)
app.config.update(FLASKIQ_SYSTEM_TENANT={"organization_id": "system"})
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

told: list[Any] = []
"""What the jobs have told, in order: they run in this program."""


class Add(Worker):
    @classmethod
    def perform(cls, first: Any, second: Any = 0) -> Any:
        told.append(("add", first, second))
        return first + second


class Say(Worker):
    queue = "low"

    @classmethod
    def perform(cls, word: str, **more: Any) -> str:
        told.append((word, more))
        return word


class Whoami(Worker):
    @classmethod
    def perform(cls) -> dict[str, Any]:
        job = current_job
        return {
            "id": job.id,
            "worker": job.worker,
            "queue": job.queue,
            "attempt": job.attempt,
            "color": job.headers.get("color"),
            "tenant": current_tenant.headers(),
        }


class Async(Worker):
    @classmethod
    async def perform(cls, word: str) -> str:
        return word.upper()


class Flaky(Worker):
    """Fails ``failures`` times, and then succeeds."""

    max_retries = 3
    retry_backoff = False
    retry_delay = 60

    @classmethod
    def perform(cls, failures: int) -> int:
        told.append(("attempt", current_job.attempt))
        if current_job.attempt <= failures:
            raise LookupError(f"attempt {current_job.attempt}")
        return current_job.attempt

    @classmethod
    def on_success(cls, job: Any, result: Any) -> None:
        told.append(("on_success", job.attempt, result))

    @classmethod
    def on_failure(cls, job: Any, exc: Exception) -> None:
        told.append(("on_failure", job.attempt, str(exc)))

    @classmethod
    def retries_exhausted(cls, job: Any, exc: Exception) -> None:
        told.append(("retries_exhausted", job.attempt, str(exc)))


class Ends(Worker):
    """Ends as it is told to."""

    max_retries = 2
    discard_on = (ZeroDivisionError,)
    retry_on = (LookupError, ZeroDivisionError)

    ways: ClassVar[dict[str, Exception]] = {
        "discard": Discard("no more"),
        "discard_on": ZeroDivisionError("no more"),
        "kill": Kill("no more"),
        "other": OSError("not in retry_on"),
        "ignore": Ignore(),
    }

    @classmethod
    def perform(cls, way: str) -> None:
        told.append(way)
        raise cls.ways[way]


class Sleeper(Worker):
    @classmethod
    def perform(cls, times: int) -> str:
        told.append(("snooze", current_job.attempt))
        if len(told) <= times:
            raise Snooze(300)
        return "awake"


class Spawn(Worker):
    """Enqueues others, in an order in which they are not to run."""

    @classmethod
    def perform(cls) -> None:
        for queue in ("low", "default", "critical"):
            Say.set(queue=queue).perform_async(queue)
        told.append("spawned")


class Progress(Worker):
    @classmethod
    def perform(cls) -> str:
        current_job.progress(1, 4, "begun")
        meta = celery_app.backend.get_task_meta(current_job.id)
        return f"{meta['status']} {meta['result']['done']}/{meta['result']['total']}"


class Member(Worker):
    max_retries = 0

    @classmethod
    def perform(cls, fails: bool = False) -> str | None:
        told.append(("member", current_batch.properties.get("color")))
        if fails:
            raise OSError("a member failed")
        return current_batch.id


class Told(Worker):
    @classmethod
    def perform(cls, batch_id: str, event: str) -> None:
        told.append(event)


class Outer(Worker):
    @classmethod
    def perform(cls) -> None:
        with Batch("inner", on_success=(Told, {"event": "inner"})):
            Member.perform_async()


class Lasting(Worker):
    """Is retried for an hour after its first failure."""

    retry_for = 3600
    retry_backoff = False
    retry_delay = 1500

    @classmethod
    def perform(cls) -> None:
        told.append(current_job.attempt)
        raise LookupError("again")


class Fleeting(Worker):
    expires = 60

    @classmethod
    def perform(cls) -> None:
        told.append("ran")


class Owned(Worker):
    tenant_required = True

    @classmethod
    def perform(cls) -> dict[str, Any]:
        Whoami.perform_async()
        return current_tenant.headers()


class Silent(Worker):
    ignore_result = True

    @classmethod
    def perform(cls) -> None:
        told.append("silent")


class Hourly(Worker):
    cron_schedule = "0 * * * *"
    cron_args = ("hour",)

    @classmethod
    def perform(cls, what: str) -> None:
        told.append((what, current_tenant.headers()))


class Slow(Worker):
    cron_schedule = "30 * * * *"
    cron_overlap = "skip"

    @classmethod
    def perform(cls) -> None:
        told.append("slow")
        if told.count("slow") < 2:
            raise Snooze(10_000)


@celery_app.task
def double(number: int) -> int:
    told.append(("double", number))
    return number * 2


@celery_app.task(bind=True, max_retries=2, default_retry_delay=60)
def stubborn(self: Task, failures: int) -> int:
    told.append(("stubborn", self.request.retries))
    if self.request.retries < failures:
        raise self.retry(exc=OSError("stubborn"))
    return int(self.request.retries)


@celery_app.task
def fails() -> None:
    raise OSError("failed")


@celery_app.task
def total(numbers: Sequence[Any]) -> int:
    return sum(numbers)


@celery_app.task
def summary(results: Sequence[Any]) -> list[Any]:
    return [each.get("error", each) if isinstance(each, dict) else each for each in results]


@celery_app.task
def hears(request: Any, exc: Any, traceback: Any) -> None:
    told.append(("errback", str(exc)))


@flaskiq.on_error
def _on_error(job: Any, error: Exception) -> None:
    told.append(("on_error", job.attempt))


@flaskiq.on_death
def _on_death(job: Any, error: Exception) -> None:
    told.append(("on_death", job.attempt))


with app.app_context():
    WorkerRegistry.initialize()
