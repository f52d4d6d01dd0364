"""Lines about jobs whose own process cannot tell of them, since it has ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flaskiq.current import state_of
from flaskiq.failure import brief
from flaskiq.logs.outcome import Outcome, Told
from flaskiq.logs.telling import tell
from flaskiq.runtime.death import MOST_DEATHS, Verdict

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)


def outcome_of(
    celery: Celery,
    headers: Mapping[str, Any],
    queue: str | None,
    ending: Told,
    seconds: float | None = None,
    error: BaseException | None = None,
) -> Outcome:
    """Return what became of a job, by the headers of its message."""
    state = state_of(celery)
    return Outcome(
        str(headers["id"]),
        headers.get("shadow") or headers.get("task"),
        queue,
        (headers.get("retries") or 0) + 1,
        ending,
        seconds,
        state.tenancy.plain(headers) if state else None,
        None if error is None else brief(error),
    )


def tell_death(decision: Verdict, outcome: Outcome) -> None:
    """Write the line about a job whose process has died."""
    job = outcome.worker, outcome.job_id
    if decision.is_final:
        told = outcome._replace(outcome="dead", error=brief(decision.error))
        tell(logger, logging.ERROR, told, "Task %s[%s] is dead: %s", *job, decision.reason)
        return
    words = "Task %s[%s] goes back to its queue: its process has died (%d of %d times)"
    tell(logger, logging.WARNING, outcome, words, *job, decision.deaths, MOST_DEATHS)


def tell_interrupted(outcome: Outcome) -> None:
    """Write the line about an attempt that was cut off, for no fault of its own."""
    words = "Task %s[%s] goes back to its queue: its process had to end"
    tell(logger, logging.WARNING, outcome, words, outcome.worker, outcome.job_id)


def tell_terminated(outcome: Outcome) -> None:
    """Write the line about an attempt that was ended by remote control."""
    words = "Task %s[%s] was terminated"
    tell(logger, logging.WARNING, outcome, words, outcome.worker, outcome.job_id)
