"""The job that a Celery task runs, as an application sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flaskiq.job import Job
from flaskiq.message import ATTEMPTS_HEADER, ENQUEUED_AT_HEADER
from flaskiq.store.flight import FLIGHT_HEADER

if TYPE_CHECKING:
    from celery import Task

_HIDDEN = frozenset({FLIGHT_HEADER, ENQUEUED_AT_HEADER, ATTEMPTS_HEADER})


def job_of(task: Task[..., Any], request: Any) -> Job:
    """Return the job that a task runs."""
    return Job(
        request.id,
        str(task.name),
        request.args or (),
        request.kwargs or {},
        queue=(request.delivery_info or {}).get("routing_key"),
        headers=shown(request.headers or {}),
        attempt=(request.retries or 0) + 1,
    )


def shown(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers of a message that concern an application."""
    return {name: value for name, value in headers.items() if name not in _HIDDEN}
