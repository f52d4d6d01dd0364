"""How an attempt that raised has ended. Decided by the error alone, in whatever process."""

from __future__ import annotations

from typing import Any

from celery.exceptions import Ignore, Reject, Retry, Terminated

from flaskiq.endings import Discard, Snooze
from flaskiq.runtime.task import WorkerTask
from flaskiq.tally import Ending


def ending_of(task: Any, error: Any) -> Ending:
    """Return how an attempt of ``task`` ended that raised ``error``."""
    if isinstance(error, Retry):
        return "snoozed" if isinstance(error.exc, Snooze) else "retried"
    if isinstance(error, Terminated):
        return "cancelled"
    discards = task.worker.discard_on if isinstance(task, WorkerTask) else ()
    return "discarded" if isinstance(error, (Ignore, Reject, Discard, *discards)) else "dead"
