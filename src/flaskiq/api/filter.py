"""Filter: which jobs of a set or queue are meant."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from flaskiq.api.job_record import JobRecord


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a job must have; None is anything.

    ``worker`` and ``queue`` are whole names, or the last part of a Worker's (``Import`` for
    ``shop.jobs.Import``); ``error`` is a part of the error's name or message, ``argument`` a part
    of the arguments as JSON; ``tenant`` a value of one of its fields, such as ``7``, or both, such
    as ``organization_id=7``.

    >>> Filter(worker="Import").is_empty
    False
    """

    worker: str | None = None
    queue: str | None = None
    error: str | None = None
    argument: str | None = None
    tenant: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it lets every job through."""
        return not self._given

    @property
    def _given(self) -> dict[str, str]:
        found = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in found if value is not None}

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._given.items()) or "all"

    def matches(self, job: JobRecord) -> bool:
        """Whether a job is meant."""
        return (
            (self.worker is None or _is_named(job.worker, self.worker))
            and (self.queue is None or job.queue == self.queue)
            and (self.error is None or self._has_error(job, self.error))
            and (self.argument is None or self._has_argument(job, self.argument))
            and (self.tenant is None or self._is_of(job, self.tenant))
        )

    @staticmethod
    def _has_error(job: JobRecord, part: str) -> bool:
        failure = job.failure
        return failure is not None and (part in failure.error or part in failure.message)

    @staticmethod
    def _has_argument(job: JobRecord, part: str) -> bool:
        shown = json.dumps([job.args, job.kwargs], default=str, ensure_ascii=False)
        return part in shown

    @staticmethod
    def _is_of(job: JobRecord, tenant: str) -> bool:
        return any(
            tenant in (value, f"{name}={value}") for name, value in (job.tenant or {}).items()
        )


ALL = Filter()
"""Means every job."""


def _is_named(worker: str | None, name: str) -> bool:
    return worker is not None and (worker == name or worker.endswith(f".{name}"))
