"""Tasks of plain Celery: values, canvas, and jobs that wait for the test."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from celery import group

from contract_app import celery_app, note, redis_client


@celery_app.task
def add(left: int, right: int) -> int:
    """Return the sum."""
    return left + right


@celery_app.task
def total(numbers: list[int]) -> int:
    """Return the sum of what a group returned."""
    return sum(numbers)


@celery_app.task
def double(number: int) -> int:
    """Return it twice."""
    return 2 * number


@celery_app.task(bind=True)
def ran(self: Any, *args: Any) -> None:
    """Note that it ran, and with what."""
    note(self.request.id, list(args))


@celery_app.task(bind=True)
def note_for(self: Any, value: Any, job_id: str) -> None:
    """Note a value for another job: what a link does."""
    note(job_id, [value, self.request.parent_id])


@celery_app.task
def fail(message: str) -> None:
    """Fail."""
    raise LookupError(message)


@celery_app.task
def errback_by_id(job_id: str) -> None:
    """Note the failure of a job: an errback of the old signature, a job of its own."""
    note(job_id, ["by id"])


@celery_app.task
def errback(request: Any, error: Exception, traceback: Any) -> None:
    """Note it too: an errback of the new signature, called where the job failed."""
    note(request.id, ["by request", type(error).__name__, str(error), bool(traceback)])


@celery_app.task(bind=True)
def stamps(self: Any, *_: Any) -> dict[str, Any]:
    """Return the stamps of this call."""
    request = self.request
    return {
        "headers": sorted(request.stamped_headers or ()),
        "stamps": {name: request.stamps[name] for name in request.stamped_headers or ()},
    }


@celery_app.task(bind=True)
def replaced(self: Any, left: int, right: int) -> None:
    """Let another task take its place."""
    raise self.replace(add.s(left, right))


@celery_app.task(bind=True)
def replaced_by_group(self: Any, numbers: list[int]) -> None:
    """Let a group and its sum take its place."""
    raise self.replace(group(double.s(number) for number in numbers) | total.s())


@celery_app.task(bind=True)
def hold(self: Any, gate: str, seconds: int = 60) -> str:
    """Run until the gate is opened for one."""
    note(self.request.id, "started")
    with redis_client() as client:
        opened = client.blpop([f"gate:{gate}"], timeout=seconds)
    note(self.request.id, "ended")
    return "opened" if opened else "never opened"


@celery_app.task(soft_time_limit=20, time_limit=30)
def limited_by_command() -> str:
    """Have limits that the test sets by remote control."""
    return "ended"


@celery_app.task(rate_limit="4/s")
def rate_limited(key: str) -> None:
    """Run four times in a second at most."""
    note(key, time.time())


@celery_app.task
def rate_limited_by_command(key: str) -> None:
    """Run as often as the test says by remote control."""
    note(key, time.time())


@celery_app.task(bind=True, acks_late=False)
def kills_itself_early(self: Any) -> None:
    """Kill its process, when its message is acknowledged already."""
    note(self.request.id, os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(bind=True)
def kills_itself(self: Any) -> None:
    """Kill its process."""
    note(self.request.id, os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)
