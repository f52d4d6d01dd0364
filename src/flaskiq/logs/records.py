"""Log records: each says which job it is from, and those of Celery's tracer what became of it.

When a record is made, not when it is written: that may be in another thread, and later.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from time import time
from typing import Any

from celery._state import get_current_task
from celery.exceptions import Reject, Retry
from celery.signals import after_setup_logger, celeryd_init

from flaskiq import current
from flaskiq.attempt import STARTED
from flaskiq.current import CurrentJob
from flaskiq.failure import brief
from flaskiq.logs.outcome import Outcome, Told, in_brackets
from flaskiq.runtime.ending import ending_of
from flaskiq.tenant import Tenant

SAYS_IT_ITSELF = "flaskiq.tenancy.base_task"
"""The logger of ``BaseTask.log_with_context``."""

TRACER = "celery.app.trace"
"""The logger of what runs jobs in every pool."""


def name_jobs() -> None:
    """Give each record of this process attributes, some of them for formats.

    ``%(flaskiq_outcome)s`` is what became of the job that the line is about, empty for others;
    ``%(flaskiq_tenant)s`` the tenant of the job in brackets, empty for nobody and outside of jobs.
    ``flaskiq_job`` is the job itself, ``flaskiq_acting_for`` its tenant, None outside of one.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, _Factory):
        return
    logging.setLogRecordFactory(_Factory(make))


class _Factory:
    """Makes log records.

    ``like`` makes another one like the last of its thread; it is None if somebody else has a hand
    in how records are made.
    """

    def __init__(self, make: Any) -> None:
        self._make = make
        self.like = _like if make is logging.LogRecord else None

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(name, *args, **kwargs)
        job, tenant = current.running(), current.acting_for()
        attributes = vars(record)
        attributes["flaskiq_job"], attributes["flaskiq_acting_for"] = job, tenant
        attributes["flaskiq_tenant"] = "" if name == SAYS_IT_ITSELF else in_brackets(tenant)
        # Of all that the tracer logs, the lines about outcomes have a mapping with the id.
        is_told = name == TRACER and type(record.args) is dict and "id" in record.args
        attributes["flaskiq_outcome"] = _traced(record.args, job, tenant) if is_told else ""
        return record


def _like(
    last: Mapping[str, Any],
    said: Mapping[str, Any],
    at: float,
    job: CurrentJob | None,
    tenant: Tenant | None,
) -> logging.LogRecord:
    """Return the record of a success: another like the last one of its thread.

    ``last`` are the attributes of that one. What is the same for all is what a record costs.
    """
    record = logging.LogRecord.__new__(logging.LogRecord)
    created: float = last["created"]
    vars(record).update(
        last,
        args=said,
        data=said,
        created=at,
        msecs=int(at % 1 * 1000) + 0.0,
        relativeCreated=last["relativeCreated"] + (at - created) * 1000,
        flaskiq_job=job,
        flaskiq_acting_for=tenant,
        flaskiq_tenant=in_brackets(tenant),
        flaskiq_outcome=_traced(said, job, tenant),
    )
    return record


def _traced(said: Any, job: CurrentJob | None, tenant: Tenant | None) -> Outcome:
    """Return what the tracer says of the job that it runs here and now."""
    queue, attempt = (job.queue, job.attempt) if job else (None, None)
    of_job = said["id"], said["name"], queue, attempt
    if "runtime" in said:
        return Outcome(*of_job, "done", said["runtime"], tenant)
    error = sys.exc_info()[1]
    if error is None:  # it had succeeded before, and is not run again
        return Outcome(*of_job, "done", None, tenant)
    task: Any = get_current_task()
    began_at = None if task is None else vars(task.request).get(STARTED)
    duration = None if began_at is None else time() - began_at
    is_back = isinstance(error, Reject) and vars(error)["requeue"]
    ending: Told = "requeued" if is_back else ending_of(task, error)
    cause = None if ending == "snoozed" else _cause(error)
    return Outcome(*of_job, ending, duration, tenant, cause)


def _cause(error: BaseException) -> str | None:
    cause = error.exc if isinstance(error, Retry) else error
    return brief(cause) if isinstance(cause, BaseException) else None


@after_setup_logger.connect(weak=False)
@celeryd_init.connect(weak=False)
def _logging_begins(**_: Any) -> None:
    name_jobs()
