"""Whether a failed attempt is followed by another, and when. Decides, does not act."""

from __future__ import annotations

import logging
from typing import Literal

from celery.exceptions import SoftTimeLimitExceeded

from flaskiq import backoff, moments
from flaskiq.endings import Discard, Kill, Snooze
from flaskiq.errors import TenantError
from flaskiq.runtime.outcome import Dead, Discarded, Outcome, Retry, Snoozed
from flaskiq.worker import Worker

logger = logging.getLogger(__name__)

Curve = Literal["exponential", "sidekiq"]
"""How waits grow where a Worker does not say it itself (``FLASKIQ_RETRY_CURVE``)."""

SIDEKIQ_RETRIES = 25


def decide(
    worker: type[Worker],
    attempt: int,
    max_retries: int | None,
    error: Exception,
    *,
    age: float = 0,
    curve: Curve = "exponential",
) -> Outcome:
    """Return the outcome of the failed ``attempt`` (the first is 1).

    ``max_retries`` is what the job itself says, None if it says nothing; ``age`` the seconds since
    its first failure. A job that ran into its soft time limit would run into it again: it is not
    retried.
    """
    if isinstance(error, Snooze):
        return Snoozed(error, error.delay)
    if isinstance(error, (Discard, *worker.discard_on)):
        return Discarded(error)
    if isinstance(error, (Kill, SoftTimeLimitExceeded, TenantError)):
        return Dead(error)
    if worker.retry_on is not None and not isinstance(error, worker.retry_on):
        return Dead(error)
    return _again(worker, attempt, max_retries, error, age, curve)


def _again(
    worker: type[Worker],
    attempt: int,
    max_retries: int | None,
    error: Exception,
    age: float,
    curve: Curve,
) -> Outcome:
    if max_retries is None and worker.retry_for is not None:
        left = moments.span(worker.retry_for).total_seconds() - age
        if left <= 0:
            return Dead(error)
        # So the last attempt is at the end of that time, not long before it.
        return Retry(error, min(left, delay(worker, attempt, error, curve)))
    most = retries_of(worker, curve) if max_retries is None else max_retries
    if attempt > most:
        return Dead(error)
    return Retry(error, delay(worker, attempt, error, curve))


def retries_of(worker: type[Worker], curve: Curve) -> int:
    """How many attempts may follow the first."""
    if curve == "sidekiq" and not worker.says("max_retries"):
        return SIDEKIQ_RETRIES
    return worker.max_retries


def delay(
    worker: type[Worker], attempt: int, error: Exception, curve: Curve = "exponential"
) -> float:
    """Seconds until the attempt after ``attempt``, by the Worker's options."""
    asked = _ask(worker, attempt, error)
    if asked is not None:
        return asked
    if curve == "sidekiq" and not worker.says("retry_backoff"):
        return backoff.sidekiq(attempt)
    if worker.retry_backoff is False:
        return worker.retry_delay
    return backoff.exponential(
        attempt, factor=float(worker.retry_backoff), maximum=worker.retry_backoff_max
    )


def _ask(worker: type[Worker], attempt: int, error: Exception) -> float | None:
    """Ask ``retry_in``; an error in it must not cost the job its next attempt."""
    try:
        asked = worker.retry_in(attempt, error)
        seconds = None if asked is None else moments.span(asked, "retry_in").total_seconds()
    except Exception:
        logger.exception("%s.retry_in has failed; the default wait is used", worker.__qualname__)
        return None
    if seconds is not None and seconds < 0:
        logger.error(
            "%s.retry_in has failed; the default wait is used: %r is below 0",
            worker.__qualname__,
            asked,
        )
        return None
    return seconds
