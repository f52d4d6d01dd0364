"""Handlers: functions of the application that are told of every failure and of every death."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flaskiq.job import Job

logger = logging.getLogger(__name__)

Handler = Callable[[Job, Exception], Any]


class Handlers:
    """What an application has registered, in order."""

    def __init__(self) -> None:
        self.error: list[Handler] = []
        self.death: list[Handler] = []

    def failed(self, job: Job, error: Exception) -> None:
        """Tell of an attempt that failed."""
        call_each(self.error, job, error)

    def died(self, job: Job, error: Exception) -> None:
        """Tell of a job that gave up."""
        call_each(self.death, job, error)


def call_each(handlers: list[Callable[[Job, Any], Any]], job: Job, outcome: Any) -> None:
    """Call all; what one raises is logged, and changes nothing for the job and the others."""
    for handler in handlers:
        try:
            handler(job, outcome)
        except Exception:  # noqa: PERF203 - each by itself
            logger.exception("%r has failed for job %s", handler, job.id)
