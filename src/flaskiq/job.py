"""A Job: one call of a Worker. Immutable and pure; the wire form is Celery's protocol 2."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

MAX_RETRIES_HEADER = "flaskiq_max_retries"
"""Message header of ``set(max_retries=...)``; Celery hands custom headers on to retries."""

RESERVED_HEADERS = frozenset(
    {
        "argsrepr", "eta", "expires", "group", "group_index", "id", "ignore_result", "kwargsrepr",
        "lang", "origin", "parent_id", "replaced_task_nesting", "retries", "root_id", "shadow",
        "stamped_headers", "stamps", "task", "timelimit",
    }
)  # fmt: skip
"""The headers of protocol 2 itself (celery/app/amqp.py, ``as_task_v2``)."""


def new_id() -> str:
    """Return a fresh job id: a UUID4, as Celery makes them, at a third of the price."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class State(str, Enum):
    """Where a job is in its life."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    DISCARDED = "discarded"
    DEAD = "dead"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    QUEUED_OR_UNKNOWN = "queued or unknown"
    """It is nowhere else, and its queues are too long to look at every job."""

    def __str__(self) -> str:
        return self.value


class Job(NamedTuple):
    """One call of a Worker.

    ``worker`` is the task name; ``at`` and ``expires`` are in UTC, and None means now and never;
    ``queue`` None leaves the choice to the routes; the first attempt is 1.
    """

    id: str
    worker: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    queue: str | None = None
    at: datetime | None = None
    expires: datetime | None = None
    headers: Mapping[str, Any] = MappingProxyType({})
    attempt: int = 1

    @classmethod
    def of(cls, headers: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Job:
        """Return the job of a message with these headers."""
        attempt = int(headers.get("retries") or 0) + 1
        worker = str(headers.get("task"))
        return cls(str(headers["id"]), worker, args, kwargs, headers=headers, attempt=attempt)

    def publish_options(self) -> dict[str, Any]:
        """Return the options of Celery's ``apply_async`` that say this job's id, time and place."""
        options: dict[str, Any] = {"task_id": self.id}
        if self.queue is not None:
            options["queue"] = self.queue
        if self.at is not None:
            options["eta"] = self.at
        if self.expires is not None:
            options["expires"] = self.expires
        if self.headers:
            options["headers"] = dict(self.headers)
        return options
