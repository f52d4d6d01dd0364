"""Cron in tests: the slots between two instants, and their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from celery import Celery

from flaskiq import current
from flaskiq.cron import slots
from flaskiq.cron.entry import Entry, entries
from flaskiq.job import State
from flaskiq.message import CRON_HEADER
from flaskiq.testing.enqueued import EnqueuedJob

_OPEN = (State.QUEUED, State.RUNNING, State.SCHEDULED, State.RETRYING)


class Slot(NamedTuple):
    """One slot of a cron entry; ``moment`` is when it is enqueued, which jitter puts off."""

    moment: datetime
    entry: Entry
    slot: datetime

    def overlaps(self, jobs: Iterable[EnqueuedJob]) -> bool:
        """Whether it is left out, since the job of an earlier slot is not over."""
        if slots.policy_of(self.entry.schedule).overlap != "skip":
            return False
        own = (job for job in jobs if job.headers.get(CRON_HEADER) == self.entry.name)
        return any(job.state in _OPEN for job in own)

    def enqueue(self, celery: Celery) -> None:
        """Enqueue its job as a scheduler would: for nobody that this test acts for."""
        state = current.state_of(celery)
        if state is None:
            return
        acting = current.act_for(state.tenancy.none)
        try:
            with state.app.app_context():
                self.entry.publish(celery, self.entry.job_id(self.slot))
        finally:
            current.cease(acting)


def load(celery: Celery) -> None:
    """Register the Workers of an app, as a scheduler does before it starts."""
    state = current.state_of(celery)
    if state is not None:
        state.registry.load()


def slots_between(celery: Celery, start: datetime, end: datetime) -> list[Slot]:
    """The slots of an app that are enqueued later than ``start`` and up to ``end``, in order."""
    found = [
        slot
        for name, entry in entries(celery).items()
        if not name.startswith("celery.")
        for slot in _slots_of(entry, start, end)
    ]
    return sorted(found, key=lambda slot: (slot.moment, slot.entry.name))


def _slots_of(entry: Entry, start: datetime, end: datetime) -> Iterator[Slot]:
    policy, find_next = slots.policy_of(entry.schedule), slots.next_of(entry.schedule)
    slot = find_next(start - timedelta(seconds=policy.jitter))
    while slot <= end:
        moment = slot + slots.put_off(entry.name, slot, policy)
        if start < moment <= end:
            yield Slot(moment, entry, slot)
        slot = find_next(slot)
