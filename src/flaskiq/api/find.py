"""What has become of a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend

from flaskiq import current
from flaskiq.api.job_record import JobRecord
from flaskiq.attempt import Attempt, history
from flaskiq.broker.results import TENANT
from flaskiq.job import State
from flaskiq.runtime.context import PROGRESS
from flaskiq.store.job_set import Entry
from flaskiq.store.reading import Reading, together
from flaskiq.store.statistics import Running
from flaskiq.store.store import Store
from flaskiq.tally import Ended

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
    return current.state().store.ask(finding(job_id, bound))


def finding(job_id: str, bound: int = BOUND) -> Reading[JobRecord]:
    """The same, to be asked together with others; two trips, more for one that is ready."""
    state = current.state()
    known = yield from _known(state.store, job_id)
    return (
        known
        or _ready(state, job_id, bound)
        # It may have been fetched while the queues were looked at.
        or (yield from _known(state.store, job_id))
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


def _known(store: Store, job_id: str) -> Reading[JobRecord | None]:
    """In one of the sets, in flight, or over: looked at in the order in which a job moves."""
    live, lost, *entries = yield from together(
        store.processes.live.reading(),
        store.processes.lost.reading(),
        *(jobs.find.reading(job_id) for jobs in (store.scheduled, store.retry, store.dead)),
    )
    held, ended, cancelled = yield from together(
        _in_flight(store, sorted(live | lost), job_id),
        store.statistics.finished.reading(job_id),
        store.is_cancelled.reading(job_id),
    )
    if held is not None:
        return _of_flight(*held)
    for state, entry in zip((State.SCHEDULED, State.RETRYING, State.DEAD), entries, strict=True):
        if entry is not None:
            return of_entry(entry, state)
    return _over(job_id, ended, is_cancelled=cancelled)


def _in_flight(
    store: Store, processes: list[str], job_id: str
) -> Reading[tuple[JobRecord, Running | None] | None]:
    """The job as a process has it in flight, and what that has told of it."""
    found, *running = yield from together(
        store.seek_in_flight(processes, job_id),
        *map(store.statistics.running.reading, processes),
    )
    for flight, placed in found:
        job = JobRecord.of(placed.message, State.QUEUED, placed.queue, process=flight.process)
        if job.id == job_id:
            return job, running[processes.index(flight.process)].get(job_id)
    return None


def of_entry(entry: Entry, state: State) -> JobRecord:
    """Return the record of a job in a set."""
    known: dict[str, Any] = {"id": entry.id, "at": entry.at, "failure": entry.failure}
    return JobRecord.of(entry.placed.message, state, entry.placed.queue, **known)


def _of_flight(job: JobRecord, began: Running | None) -> JobRecord:
    """Say since when it runs; one that was fetched ahead does not run yet, and one may just end."""
    status = meta_of(job.id)["status"]
    if status == states.SUCCESS:
        return replace(job, state=State.DONE)
    if began is not None:
        return replace(job, state=State.RUNNING, at=began.since)
    if status in (states.STARTED, PROGRESS):
        # For a second at most nobody knows since when.
        return replace(job, state=State.RUNNING, at=None)
    return job


def _over(job_id: str, ended: Ended | None, *, is_cancelled: bool) -> JobRecord | None:
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
            attempts=(*history(ended.attempts), Attempt.of(ended)),
        )
    meta = meta_of(job_id)
    status, tenant = meta["status"], meta.get(TENANT)
    if status == states.SUCCESS:
        return JobRecord(id=job_id, state=State.DONE, tenant=tenant)
    if is_cancelled or status == states.REVOKED:
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
