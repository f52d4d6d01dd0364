"""Tasks of plain Celery that look at their request, end in all ways, and try again."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject

from contract_app import celery_app, note, redis_client
from contract_app.tasks import add

FIELDS = (
    "id", "task", "args", "kwargs", "retries", "hostname", "root_id", "parent_id", "group",
    "correlation_id", "delivery_info", "expires", "timelimit", "is_eager", "called_directly",
    "group_index", "lang",
)  # fmt: skip


@celery_app.task(bind=True)
def describe(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return what it finds in its request."""
    return {name: getattr(self.request, name) for name in FIELDS}


@celery_app.task(bind=True)
def ignored(self: Any) -> None:
    """Leave its state to itself, and be ignored."""
    note(self.request.id, "ran")
    self.update_state(state="LEFT", meta={"by": "itself"})
    raise Ignore


@celery_app.task(bind=True)
def rejected(self: Any) -> None:
    """Do not run again."""
    note(self.request.id, "ran")
    raise Reject("not wanted", requeue=False)


@celery_app.task(bind=True)
def rejected_once(self: Any) -> str:
    """Go back to the queue the first time."""
    note(self.request.id, "ran")
    with redis_client() as client:
        if client.llen(f"notes:{self.request.id}") == 1:
            raise Reject("later", requeue=True)
    return "the second time"


@celery_app.task(bind=True, max_retries=2)
def retried(self: Any, until_attempt: int, countdown: float) -> int:
    """Retry by itself, until the given attempt."""
    attempt = self.request.retries + 1
    note(self.request.id, attempt)
    if attempt < until_attempt:
        raise self.retry(countdown=countdown)
    return int(attempt)


@celery_app.task(bind=True, max_retries=1)
def retried_with_its_error(self: Any) -> None:
    """Retry because of an error, which is the one that ends it."""
    raise self.retry(exc=LookupError(f"attempt {self.request.retries + 1}"), countdown=0)


@celery_app.task(bind=True, max_retries=1)
def retried_with_other_arguments(self: Any, word: str) -> list[str]:
    """Retry with other arguments."""
    if self.request.retries == 0:
        raise self.retry(args=(word + "!",), countdown=0)
    return [word]


@celery_app.task(bind=True, autoretry_for=(LookupError,), max_retries=2, default_retry_delay=0)
def retried_automatically(self: Any, error: str, until_attempt: int) -> int:
    """Fail until the given attempt, with an error that is retried or not."""
    attempt = self.request.retries + 1
    note(self.request.id, attempt)
    if attempt < until_attempt:
        raise {"LookupError": LookupError, "ValueError": ValueError}[error](f"attempt {attempt}")
    return int(attempt)


class Hooked(Task):  # type: ignore[type-arg] # generic in the stubs, not at run time
    """Notes each of its hooks."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        note(task_id, ["before_start", list(args), kwargs])

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        note(task_id, ["on_success", retval, list(args), kwargs])

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note(task_id, ["on_failure", repr(exc), list(args), "LookupError" in str(einfo)])

    def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note(task_id, ["on_retry", str(exc), list(args), bool(einfo)])

    def after_return(
        self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        note(task_id, ["after_return", status, list(args)])


@celery_app.task(bind=True, base=Hooked, max_retries=1)
def hooked(self: Any, ending: str) -> str:
    """End as it is told to."""
    note(self.request.id, ["run", ending])
    if ending == "fails":
        raise LookupError("as told")
    if ending == "retries" and self.request.retries == 0:
        raise self.retry(exc=LookupError("as told"), countdown=0)
    return ending


@celery_app.task(throws=(KeyError,))
def throws_expected() -> None:
    """Raise what is expected of it."""
    raise KeyError("expected")


@celery_app.task(bind=True)
def tells_its_state(self: Any, gate: str) -> str:
    """Have a state of its own until the gate is opened."""
    self.update_state(state="HALFWAY", meta={"done": 1, "of": 2})
    with redis_client() as client:
        client.blpop([f"gate:{gate}"], timeout=60)
    return "arrived"


@celery_app.task(bind=True, ignore_result=True)
def ignores_its_result(self: Any) -> str:
    """Return what nobody keeps."""
    note(self.request.id, "ran")
    return "lost"


@celery_app.task(bind=True)
def unkeepable(self: Any) -> object:
    """Return what JSON cannot hold."""
    note(self.request.id, "ran")
    return object()


@celery_app.task
def has_children() -> list[str]:
    """Enqueue two jobs, and return their ids."""
    return [add.delay(number, number).id for number in (1, 2)]
