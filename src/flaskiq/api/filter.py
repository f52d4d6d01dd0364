"""Filter: which jobs of a set or queue are meant."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flaskiq.api.job_record import JobRecord


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a job must have; None is anything.

    ``worker`` and ``queue`` are whole names, or the last part of a Worker's (``Import`` for
    ``shop.jobs.Import``); ``error`` is a part of the error's name or message, ``argument`` a part
    of the arguments as JSON.

    >>> Filter(worker="Import").is_empty
    False
    """

    worker: str | None = None
    queue: str | None = None
    error: str | None = None
    argument: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it lets every job through."""
        return self == Filter()

    def matches(self, job: JobRecord) -> bool:
        """Whether a job is meant."""
        return (
            (self.worker is None or _is_named(job.worker, self.worker))
            and (self.queue is None or job.queue == self.queue)
            and (self.error is None or self._has_error(job, self.error))
            and (self.argument is None or self._has_argument(job, self.argument))
        )

    @staticmethod
    def _has_error(job: JobRecord, part: str) -> bool:
        failure = job.failure
        return failure is not None and (part in failure.error or part in failure.message)

    @staticmethod
    def _has_argument(job: JobRecord, part: str) -> bool:
        shown = json.dumps([job.args, job.kwargs], default=str, ensure_ascii=False)
        return part in shown


ALL = Filter()
"""Means every job."""


def _is_named(worker: str | None, name: str) -> bool:
    return worker is not None and (worker == name or worker.endswith(f".{name}"))
