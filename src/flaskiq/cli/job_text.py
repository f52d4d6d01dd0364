"""What is known of one job, for people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flaskiq.cli.job_list import arguments, shortened
from flaskiq.cli.output import facts, listed, moment, table
from flaskiq.number import ago, duration

if TYPE_CHECKING:
    from flaskiq.api import JobRecord
    from flaskiq.attempt import Attempt
    from flaskiq.failure import Failure

_AT = {
    "scheduled": "due",
    "retrying": "due",
    "queued": "ready",
    "running": "since",
    "done": "ended",
    "discarded": "ended",
    "cancelled": "ended",
    "dead": "died",
}
"""What the time of a job in a state is."""

_PLAIN = ("done", "cancelled")


def describe(job: JobRecord, *, traceback: bool = False) -> str:
    """Return what is known of a job, a line each; at the end its last traceback, if wanted.

    How its attempts went is told where there is more to tell than that the only one succeeded, or
    was cancelled.
    """
    text = facts(_facts(job))
    if len(job.attempts) > 1 or any(each.ending not in _PLAIN for each in job.attempts):
        text += f"\n\n{_attempts(job.attempts)}"
    if traceback and job.failure and job.failure.traceback:
        text += f"\n\n{job.failure.traceback.rstrip()}"
    return text


def document(job: JobRecord) -> dict[str, Any]:
    """Return it in plain data; with its bytes as text if nobody can read the message."""
    found = job.as_dict()
    if job.raw is not None and job.message is None:
        found["message"] = job.raw.decode(errors="backslashreplace")
    return found


def _facts(job: JobRecord) -> Iterator[tuple[str, Any]]:
    yield "id", job.id
    yield "state", str(job.state)
    yield "worker", job.worker
    yield "queue", job.queue
    yield "attempt", job.attempt
    yield "tenant", listed(job.tenant or {})
    if job.at is not None:
        yield _AT.get(str(job.state), "at"), _distance(job.at)
    yield "process", job.process
    if job.seconds is not None:
        yield "ran", duration(job.seconds)
    if job.message is not None:
        yield "arguments", arguments(job) or "none"
    elif job.raw is not None:
        yield "message", job.raw.decode(errors="backslashreplace")
    if job.failure is not None:
        yield from _failure(job.failure)


def _attempts(attempts: Sequence[Attempt]) -> str:
    header = ("ATTEMPT", "STARTED", "WAITED", "RAN", "ENDED", "ERROR")
    rows = [
        (
            each.number,
            moment(each.started_at),
            duration(each.waited),
            duration(each.seconds),
            each.ending,
            shortened(each.error or "-"),
        )
        for each in attempts
    ]
    return table(header, rows, "")


def _failure(failure: Failure) -> Iterator[tuple[str, Any]]:
    yield "failed", f"attempt {failure.attempt}, {_distance(failure.failed_at)}"
    if failure.first_failed_at != failure.failed_at:
        yield "first", _distance(failure.first_failed_at)
    yield "error", failure.error
    yield "why", failure.message or None


def _distance(at: float) -> str:
    away = at - time.time()
    return f"{moment(at)} ({f'in {ago(away)}' if away > 0 else f'{ago(-away)} ago'})"
