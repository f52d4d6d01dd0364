"""Status: what somebody who waits for a job may know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import states

from flaskiq import current
from flaskiq.api.find import find, meta_of
from flaskiq.api.job_record import JobRecord
from flaskiq.job import State
from flaskiq.runtime.context import PROGRESS

_WORDS = {
    State.RUNNING: states.STARTED,
    State.RETRYING: states.RETRY,
    State.DONE: states.SUCCESS,
    State.DEAD: states.FAILURE,
    State.DISCARDED: states.FAILURE,
    State.CANCELLED: states.REVOKED,
}
"""Celery's words for a job that keeps no result."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a job is doing; times in seconds since the epoch.

    ``status`` is Celery's word, ``state`` ours. ``at`` is as in :class:`JobRecord`; ``error`` is
    the last one, also while another attempt is to come; ``progress`` what the job has told.
    """

    id: str
    status: str
    state: State
    attempt: int | None
    at: float | None
    seconds: float | None
    result: Any
    error: BaseException | None
    error_text: str | None
    progress: Mapping[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        return {
            "task_id": self.id,
            "status": self.status,
            "result": self.result,
            "error": self.error_text,
            "state": str(self.state),
            "attempt": self.attempt,
            "at": self.at,
            "seconds": self.seconds,
            "progress": self.progress,
        }


def status(job_id: str) -> Status | None:
    """Return how a job is doing; None if nobody knows it, or it is of another tenant.

    Who asks is the current tenant; those without one are told of jobs without one.

    Raises:
        redis.RedisError: Redis could not be reached.
    """
    found = find(job_id)  # first: what is done has a result, then
    meta = meta_of(job_id)
    if found.state is State.UNKNOWN:
        return None
    is_theirs = current.state().tenancy.is_same(found.tenant, current.tenant())
    # Of an id that cannot be found among too many, everybody is told the same.
    return _status(found, meta) if is_theirs or found.state is State.QUEUED_OR_UNKNOWN else None


def _status(found: JobRecord, meta: Mapping[str, Any]) -> Status:
    word, outcome = meta["status"], meta["result"]
    error = outcome if isinstance(outcome, BaseException) else None
    text = str(error) if error is not None else None
    if text is None and found.failure is not None:
        text = found.failure.message
    at = found.at
    if at is None and word in states.READY_STATES and meta.get("date_done"):
        at = datetime.fromisoformat(meta["date_done"]).timestamp()
    return Status(
        id=found.id,
        status=_WORDS.get(found.state, word) if word == states.PENDING else word,
        state=found.state,
        attempt=found.attempt,
        at=at,
        seconds=found.seconds,
        result=outcome if word == states.SUCCESS else None,
        error=error,
        error_text=text,
        progress=outcome if word == PROGRESS else None,
    )
