"""What fake and inline share: the jobs of each app lie in memory, and run when they are told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.backends.base import DisabledBackend
from kombu import Connection

from flaskiq import current, moments
from flaskiq.errors import ModeError
from flaskiq.tally import FAILED
from flaskiq.testing.enqueued import EnqueuedJob, Put, job_of
from flaskiq.testing.memory.channel import MemoryProducers
from flaskiq.testing.memory.control import MemoryControl
from flaskiq.testing.memory.refusal import refusing
from flaskiq.testing.memory.results import MemoryResults
from flaskiq.testing.memory.shelf import Clock, Waiting
from flaskiq.testing.memory.store import MemoryStore
from flaskiq.testing.mode import Mode
from flaskiq.testing.performer import Performed, Performer
from flaskiq.testing.under_test import keeps_results
from flaskiq.testing.wish import Wish

if TYPE_CHECKING:
    from flaskiq.moments import Delay
    from flaskiq.testing.mode import Target

MOST = 1_000
"""Attempts of one job within a drain: a job that always snoozes has no end."""


class Memory:
    """All that one app has in memory."""

    def __init__(self, celery: Celery, clock: Clock, mode: InMemory) -> None:
        self.celery = celery
        self.store = MemoryStore(clock)
        self.producers = MemoryProducers(self.store, mode.act)
        self.performer = Performer(celery, self.store)

    @cached_property
    def backend(self) -> Any:
        """Where results are, if the app keeps any."""
        if keeps_results(self.celery):
            return MemoryResults(self.celery)
        return DisabledBackend(app=self.celery, url=None)

    @cached_property
    def control(self) -> MemoryControl:
        """Remote control."""
        return MemoryControl(app=self.celery)

    @property
    def connections(self) -> Any:
        """A pool of what refuses to be opened: there is nothing to connect to."""
        return refusing().Pool()

    def connection(self) -> Connection:
        """Return what refuses to be opened."""
        return refusing()

    def enqueued(self) -> Iterator[EnqueuedJob]:
        """The jobs that were enqueued, in order."""
        seen = set()
        for put in self.store.shelf.puts:
            if put.job_id not in seen:
                seen.add(put.job_id)
                yield self._job(put)

    def _job(self, put: Put) -> EnqueuedJob:
        message = put.read()
        state = current.state_of(self.celery)
        return job_of(
            message,
            put,
            tenant=state.tenancy.plain(message.headers) if state else None,
            state=self.store.state_of(str(message.headers["id"])),
        )

    def queues(self) -> list[str]:
        """The queues with ready jobs, those of the app first, in its order."""
        known = list(self.celery.amqp.queues)
        ready = [queue for queue, jobs in self.store.shelf.ready.items() if jobs]
        return sorted(ready, key=lambda name: known.index(name) if name in known else len(known))

    def clear(self) -> None:
        """Forget everything."""
        self.store.clear()
        if isinstance(self.backend, MemoryResults):
            self.backend.clear()


class InMemory(Mode[Memory]):
    """A mode without a server."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = Clock()
        self._cron_at = self._clock.now()

    def _make(self, celery: Celery) -> Memory:
        return Memory(celery, self._clock, self)

    def drain(
        self,
        worker: Target | None = None,
        *,
        queue: str | None = None,
        scheduled: bool | Delay = False,
        raises: bool = True,
    ) -> int:
        """See :meth:`flaskiq.testing.mode.Mode.drain`."""
        wish, until = Wish(worker, queue), self._until(scheduled)
        runs: dict[str, int] = {}
        errors: dict[str, BaseException] = {}
        with self.in_charge():
            while (found := self._take(wish)) or self._wait(wish, until):
                if found:
                    memory, job = found
                    _note(memory.performer.perform(job), runs, errors)
        if raises and errors:
            raise next(iter(errors.values()))
        return sum(runs.values())

    def perform_one(
        self, worker: Target | None = None, *, queue: str | None = None, raises: bool = True
    ) -> EnqueuedJob:
        """See :meth:`flaskiq.testing.mode.Mode.perform_one`."""
        with self.in_charge():
            found = self._take(Wish(worker, queue))
            if found is None:
                raise ModeError(
                    "perform_one: no such job is ready; jobs that wait for a time become ready by "
                    "advance(timedelta(...)), and drain(scheduled=True) runs them"
                )
            memory, waiting = found
            performed = memory.performer.perform(waiting)
        if performed.error is not None and raises and performed.ending in FAILED:
            raise performed.error
        return next(job for job in memory.enqueued() if job.id == performed.job_id)

    def advance(self, delta: timedelta | float) -> None:
        """See :meth:`flaskiq.testing.mode.Mode.advance`."""
        end = self._clock.now() + moments.span(delta, "advance").total_seconds()
        start, self._cron_at = self._cron_at, end
        with self.in_charge():
            for celery, slot in self.slots(start, end):
                self._go_to(slot.moment.timestamp())
                if not slot.overlaps(self._of(celery).enqueued()):
                    slot.enqueue(celery)
        self._go_to(end)
        self.act()

    def _go_to(self, instant: float) -> None:
        """Let it be that time: what is due becomes ready."""
        self._clock.move_to(instant)
        for memory in self._apps.values():
            memory.store.release_due(self._clock.now())

    def _take(self, wish: Wish) -> tuple[Memory, Waiting] | None:
        """Take the next ready job that is meant out of its queue."""
        for memory in list(self._apps.values()):
            for queue in memory.queues():
                jobs = memory.store.shelf.ready[queue]
                job = _first(jobs, wish)
                if job is not None:
                    return memory, job
        return None

    def _wait(self, wish: Wish, until: float) -> bool:
        """Go to when the next job is due that is meant; False if none is by then."""
        due = [
            kept.due
            for memory in self._apps.values()
            for jobs in (memory.store.scheduled, memory.store.retry)
            for kept in jobs.kept.values()
            if wish.means(kept.entry.placed.queue, kept.entry.placed.message)
        ]
        soonest = min(due, default=None)
        if soonest is None or soonest > until:
            return False
        self._go_to(soonest)
        return True

    def _until(self, scheduled: bool | Delay) -> float:
        """How far the clock may go."""
        if isinstance(scheduled, bool):
            return float("inf") if scheduled else self._clock.now()
        return self._clock.now() + moments.span(scheduled, "scheduled").total_seconds()


def _first(jobs: deque[Waiting], wish: Wish) -> Waiting | None:
    for job in jobs:
        if wish.means(job.queue, job.message):
            jobs.remove(job)
            return job
    return None


def _note(performed: Performed, runs: dict[str, int], errors: dict[str, BaseException]) -> None:
    job_id, error = performed.job_id, performed.error
    if performed.ending == "cancelled":
        return  # it has not run
    runs[job_id] = runs.get(job_id, 0) + 1
    errors.pop(job_id, None)
    if error is not None and performed.ending in FAILED:
        errors[job_id] = error
    if runs[job_id] > MOST:
        raise ModeError(
            f"job {job_id} has run {MOST} times, and asks for more ({performed.ending}); "
            "drain(scheduled=...) with a number of seconds ends at a time"
        )
