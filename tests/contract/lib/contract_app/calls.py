"""Tasks that are called by others in the same process, and by themselves."""

from __future__ import annotations

from typing import Any

from celery import Task, current_task

from contract_app import celery_app

_Task: Any = Task


@celery_app.task(bind=True)
def nested(self: Any, depth: int) -> list[Any]:
    """Return what each call has of a request, the innermost first, and that it is still there."""
    request = self.request
    deeper = self(depth - 1) if depth else []
    return [*deeper, [request.id, request.args, request is self.request]]


@celery_app.task
def inner() -> Any:
    """Return which task runs."""
    return current_task.name


@celery_app.task
def outer() -> list[Any]:
    """Return which task runs, before, in and after the call of another."""
    return [current_task.name, inner(), current_task.name]


class Wrapped(_Task):
    """A base class with a call of its own."""

    def __call__(self, *args: Any) -> list[Any]:
        """Call the task as Celery does."""
        return ["before", super().__call__(*args), "after"]


@celery_app.task(base=Wrapped, bind=True)
def wrapped(self: Any, number: int) -> list[Any]:
    """Return the number, and how many requests there are."""
    return [number, len(self.request_stack)]
