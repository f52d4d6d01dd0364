"""Overlap: whether the job of an earlier slot is not over."""

from __future__ import annotations

from flaskiq.store.cron import Run
from flaskiq.store.store import Store

BOUND = 10_000
"""Jobs of a queue that are looked at."""


def is_open(store: Store, name: str) -> bool:
    """Whether the job of the last slot is ready, in flight, or waits for another attempt.

    A job that nobody can find is over: it may have been deleted.
    """
    runs = ((run, end) for run, end in store.cron.runs(name) if run.id and run.how != "now")
    run, end = next(runs, (None, None))
    if run is None or end is not None:
        return False
    # It may have been fetched while the queue was looked at.
    looks = (_is_in_flight, _waits, _is_ready, _is_in_flight)
    return any(look(store, run) for look in looks)


def _is_in_flight(store: Store, run: Run) -> bool:
    return bool(store.in_flight(run.id))


def _waits(store: Store, run: Run) -> bool:
    return any(jobs.find(run.id) is not None for jobs in (store.retry, store.scheduled))


def _is_ready(store: Store, run: Run) -> bool:
    return bool(store.ready.seek(run.queue, run.id, BOUND)[1])
