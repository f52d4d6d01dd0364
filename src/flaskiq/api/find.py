"""What has become of a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend

from flaskiq import current
from flaskiq.api.job_record import JobRecord
from flaskiq.broker.results import TENANT
from flaskiq.job import State
from flaskiq.runtime.context import PROGRESS
from flaskiq.store.job_set import Entry
from flaskiq.store.store import Store

BOUND = 10_000
"""Ready jobs that are looked at before giving up."""

_RESULTS = {
    states.SUCCESS: State.DONE,
    states.FAILURE: State.DEAD,
    states.REVOKED: State.CANCELLED,
}


def find(job_id: str, *, bound: int = BOUND) -> JobRecord:
    """Return what is known of a job.

    A ready job is looked for among the ``bound`` newest jobs of the queues; if they are more, the
    state may be ``queued or unknown``. All else is found at once.
    """
    state = current.state()
    store: Store = state.store
    return (
        _held(store, job_id)
        or _finished(store, job_id)
        or _ready(state, job_id, bound)
        # It may have been fetched while the queues were looked at.
        or _held(store, job_id)
        or _failed(job_id)
        or JobRecord(id=job_id, state=_unfound(state, bound))
    )


def cancel(job_id: str) -> JobRecord:
    """Let a job never run, now and after any restart; return what it was before.

    One that waits for a time is taken out at once, one that is ready is skipped when its turn
    comes. One that runs can ask for it (``current_job.is_cancelled``).
    """
    found = find(job_id)
    current.state().celery.control.revoke(job_id)
    return found


def _held(store: Store, job_id: str) -> JobRecord | None:
    """In flight, or in one of the sets."""
    for flight, placed in store.in_flight(job_id):
        job = JobRecord.of(placed.message, State.QUEUED, placed.queue, process=flight.process)
        if job.id == job_id:
            return _running(store, job)
    for state, jobs in (
        (State.SCHEDULED, store.scheduled),
        (State.RETRYING, store.retry),
        (State.DEAD, store.dead),
    ):
        entry = jobs.find(job_id)
        if entry is not None:
            return of_entry(entry, state)
    return None


def of_entry(entry: Entry, state: State) -> JobRecord:
    """Return the record of a job in a set."""
    known: dict[str, Any] = {"id": entry.id, "at": entry.at, "failure": entry.failure}
    return JobRecord.of(entry.placed.message, state, entry.placed.queue, **known)


def _running(store: Store, job: JobRecord) -> JobRecord:
    """Say since when it runs; one that was fetched ahead does not run yet, and one may just end."""
    assert job.process is not None
    status = meta_of(job.id)["status"]
    if status == states.SUCCESS:
        return replace(job, state=State.DONE)
    began = store.statistics.running(job.process).get(job.id)
    if began is not None:
        return replace(job, state=State.RUNNING, at=began.since)
    if status in (states.STARTED, PROGRESS):
        # For a second at most nobody knows since when.
        return replace(job, state=State.RUNNING, at=None)
    return job


def _finished(store: Store, job_id: str) -> JobRecord | None:
    ended = store.statistics.finished(job_id)
    if ended is not None:
        return JobRecord(
            id=ended.id,
            state=State(ended.ending),
            worker=ended.worker,
            queue=ended.queue,
            attempt=ended.attempt,
            at=ended.at,
            seconds=ended.seconds,
            tenant=ended.tenant,
        )
    meta = meta_of(job_id)
    status, tenant = meta["status"], meta.get(TENANT)
    if status == states.SUCCESS:
        return JobRecord(id=job_id, state=State.DONE, tenant=tenant)
    if store.is_cancelled(job_id) or status == states.REVOKED:
        return JobRecord(id=job_id, state=State.CANCELLED, tenant=tenant)
    return None


def _ready(state: current.State, job_id: str, bound: int) -> JobRecord | None:
    for queue in state.celery.amqp.queues:
        looked_at, found = state.store.ready.seek(queue, job_id, bound)
        bound -= looked_at
        for _, message in found:
            job = JobRecord.of(message, State.QUEUED, queue)
            if job.id == job_id:
                return job
    return None


def _failed(job_id: str) -> JobRecord | None:
    """A failure that is not in the dead set: its Worker has ``dead = False``, or it was deleted."""
    meta = meta_of(job_id)
    found = _RESULTS.get(meta["status"])
    return JobRecord(id=job_id, state=found, tenant=meta.get(TENANT)) if found else None


def _unfound(state: current.State, bound: int) -> State:
    sizes = state.store.ready.sizes(list(state.celery.amqp.queues))
    return State.QUEUED_OR_UNKNOWN if sum(sizes.values()) > bound else State.UNKNOWN


def meta_of(job_id: str) -> dict[str, Any]:
    """Return Celery's record of a result: ``status`` is ``PENDING`` if there is none."""
    backend = current.state().celery.backend
    if isinstance(backend, DisabledBackend):
        return {"status": states.PENDING, "result": None}
    meta: dict[str, Any] = backend.get_task_meta(job_id, cache=False)
    return meta
