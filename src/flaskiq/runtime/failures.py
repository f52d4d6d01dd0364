"""What follows a failure, of a Worker or of a plain task: handlers are called, the dead are buried.

Celery sends its signals in the process of the job, after the result is written and before the job
is acknowledged: a crash in between runs the job again, and nothing is forgotten.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.signals import task_failure, task_retry

from flaskiq.attempt import STARTED
from flaskiq.broker import batches
from flaskiq.broker.patience import insist
from flaskiq.current import State, act_for, cease, state_of
from flaskiq.endings import Discard, Kill, Snooze
from flaskiq.failure import Failure
from flaskiq.handlers import call_each
from flaskiq.job import Job
from flaskiq.message import ENQUEUED_AT_HEADER, FAILED_AT_HEADER, read
from flaskiq.runtime.jobs import job_of, shown
from flaskiq.runtime.outcome import Dead, Discarded, Outcome
from flaskiq.runtime.task import OUTCOME, WorkerTask
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.store import Store

if TYPE_CHECKING:
    from celery import Celery, Task
    from celery.app.task import Context

logger = logging.getLogger(__name__)


@task_retry.connect(weak=False)
def _is_retried(sender: Task[..., Any], request: Context, reason: Any, **_: Any) -> None:
    state, error = state_of(sender.app), reason.exc
    if state is None or request.is_eager or not isinstance(error, Exception):
        return
    if not isinstance(error, Snooze):
        has_failed(state, sender, job_of(sender, request), error)


@task_failure.connect(weak=False)
def _has_failed(sender: Task[..., Any], exception: Exception, **_: Any) -> None:
    """Act on the last failure of a job, in its process (of others see runtime/request.py)."""
    state, request = state_of(sender.app), sender.request
    outcome: Outcome | None = vars(request).pop(OUTCOME, None)
    if state is None or request.is_eager or not vars(request).get(STARTED):
        return
    outcome = outcome or Dead(exception)
    if isinstance(outcome, Discarded) or isinstance(exception, Discard):
        return
    job, flight = job_of(sender, request), getattr(request, FLIGHT_HEADER, None)
    has_failed(state, sender, job, outcome.error)
    batches.note(lambda: state.store, job.headers, job.id, "dead")
    give_up(sender, job, outcome.error)
    if is_kept(sender, outcome.error) and flight and sender.acks_late:
        ready_at = (request.headers or {}).get(ENQUEUED_AT_HEADER)
        failure = failure_of(outcome.error, job, ready_at, request.get(STARTED))
        bury_it = partial(_bury_here, sender.app, job.id, failure, Flight.parse(flight))
        if not insist(bury_it, f"Job {job.id} is buried"):
            return
    state.handlers.died(job, outcome.error)


def failure_of(
    error: BaseException,
    job: Job,
    ready_at: float | None,
    started_at: float | None,
    traceback: str | None = None,
) -> Failure:
    """Return what is known of the last failure of a job."""
    first = job.headers.get(FAILED_AT_HEADER)
    return Failure.of(error, job.attempt, first, traceback, ready_at, started_at)


def is_kept(task: Task[..., Any], error: BaseException) -> bool:
    """Whether a job that gave up goes to the dead set."""
    return not isinstance(task, WorkerTask) or task.worker.dead or isinstance(error, Kill)


def has_failed(state: State, task: Task[..., Any] | None, job: Job, error: Exception) -> None:
    """Tell of an attempt that failed."""
    if isinstance(task, WorkerTask):
        call_each([task.worker.on_failure], job, error)
    state.handlers.failed(job, error)


def give_up(task: Task[..., Any] | None, job: Job, error: Exception) -> None:
    """Tell a Worker that there is no further attempt."""
    if isinstance(task, WorkerTask):
        call_each([task.worker.retries_exhausted], job, error)


def fail(celery: Celery, job_id: str, raw: bytes, error: Exception) -> None:
    """Record the failure of a job that was buried, so that its result, chord and errbacks end."""
    message = read(raw)
    celery.backend.mark_as_failure(job_id, error, request=message.context())
    mourn(celery, Job.of(shown(message.headers), message.args, message.kwargs), error)


def mourn(celery: Celery, job: Job, error: Exception) -> None:
    """Tell of a job whose own process could not: it died, or never came to run the job."""
    state = state_of(celery)
    if state is None:
        return
    task = celery.tasks.get(job.worker)
    acting = act_for(state.tenancy.of_headers(job.headers))
    try:
        batches.note(lambda: state.store, job.headers, job.id, "dead")
        with state.app.app_context():
            has_failed(state, task, job, error)
            give_up(task, job, error)
            state.handlers.died(job, error)
    finally:
        cease(acting)


def _bury_here(app: Celery, job_id: str, failure: Failure, flight: Flight) -> bool:
    with app.producer_or_acquire() as producer:
        return bury(producer.channel.store, job_id, failure, flight)


def bury(store: Store, job_id: str, failure: Failure, flight: Flight) -> bool:
    """Move a job in flight into the dead set; False, and counted, if others have been given it."""
    if store.dead.bury_from_flight(job_id, failure, flight):
        return True
    logger.warning("Job %s is not buried: others have been given it", job_id)
    store.count("fenced")
    return False
