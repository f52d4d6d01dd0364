"""JobWait: waits until a job has ended, and tells how."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flaskiq.cli.job_text import document

if TYPE_CHECKING:
    from celery import Celery

    from flaskiq.api import JobRecord

LOOK = 0.2
"""Seconds between two looks at the job."""

UNRECORDED = 3.0
"""Seconds for which a job may be nowhere: without a result its end is recorded a second later."""

_OVER = ("done", "discarded", "dead", "cancelled")


@dataclass(frozen=True)
class Outcome:
    """What became of a job within the time; ``result`` is what it returned, if that is kept."""

    job: JobRecord
    result: Any = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return str(self.job.state) in _OVER

    @property
    def is_done(self) -> bool:
        """Whether the job has done its work."""
        return str(self.job.state) == "done"

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data."""
        return {**document(self.job), "result": self.result}

    def result_text(self) -> str:
        """Return the result: a string as it is, anything else as JSON."""
        if isinstance(self.result, str):
            return self.result
        return json.dumps(self.result, default=str, ensure_ascii=False)


def wait(celery: Celery, job_id: str, timeout: float | None) -> Outcome:
    """Wait until a job has ended, at most ``timeout`` seconds; one that is nowhere is given up."""
    from flaskiq import api

    began = seen = time.monotonic()
    while True:
        job, now = api.find(job_id), time.monotonic()
        outcome = Outcome(job)
        if outcome.is_done:
            return Outcome(job, _result(celery, job_id))
        if job.state != api.State.UNKNOWN:
            seen = now
        is_late = timeout is not None and now - began >= timeout
        if outcome.is_over or is_late or now - seen >= UNRECORDED:
            return outcome
        time.sleep(LOOK)


def _result(celery: Celery, job_id: str) -> Any:
    """None where no results are kept, as for a job that returned nothing."""
    from celery.backends.base import DisabledBackend

    if isinstance(celery.backend, DisabledBackend):
        return None
    return celery.AsyncResult(job_id).result
