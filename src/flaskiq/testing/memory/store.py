"""Store: what an application and the running side need of one database, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from flaskiq.job import State
from flaskiq.store.flight import Flight
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable
from flaskiq.store.store import REMEMBERED, Store
from flaskiq.testing.memory.batches import MemoryBatches
from flaskiq.testing.memory.chords import MemoryChords
from flaskiq.testing.memory.dead_set import MemoryDeadSet
from flaskiq.testing.memory.job_set import MemoryJobSet
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.processes import NODE, MemoryProcesses
from flaskiq.testing.memory.queues import MemoryQueues
from flaskiq.testing.memory.ready import MemoryReady
from flaskiq.testing.memory.shelf import Clock, Shelf
from flaskiq.testing.memory.statistics import MemoryStatistics


class MemoryStore(InPart, Store):
    """The structures that jobs move through. What only Redis has raises :class:`ModeError`."""

    queues: MemoryQueues
    scheduled: MemoryJobSet
    retry: MemoryJobSet
    dead: MemoryDeadSet
    batches: MemoryBatches

    def __init__(self, clock: Clock) -> None:
        self.shelf = Shelf(clock)
        self.keys = Keys()
        self.client = self._client = nobody
        self.queues = MemoryQueues(self.shelf)
        self.scheduled = MemoryJobSet("scheduled", self.shelf)
        self.retry = MemoryJobSet("retry", self.shelf)
        self.dead = MemoryDeadSet("dead", self.shelf)
        self.batches = MemoryBatches(self.queues, self.scheduled)
        self.chords = MemoryChords(self.queues)
        self.ready = MemoryReady(self.shelf)
        self.processes = MemoryProcesses(self.shelf)
        self.statistics = MemoryStatistics(self.shelf)

    def clear(self) -> None:
        """Forget all jobs."""
        self.shelf.clear()
        self.batches.clear()
        for jobs in (self.scheduled, self.retry, self.dead):
            jobs.kept.clear()

    def count(self, name: str, by: int = 1) -> None:
        """Nobody counts."""

    def cancel(self, job_id: str, remembered: float = REMEMBERED) -> Placed | None:  # noqa: ARG002
        """Never run a job; return it if it waited in the scheduled or the retry set."""
        self.shelf.cancelled.add(job_id)
        return self.scheduled.remove(job_id) or self.retry.remove(job_id)

    @readable
    def is_cancelled(self, job_id: str) -> Reading[bool]:
        """Whether a job must not run."""
        yield []
        return job_id in self.shelf.cancelled

    def state_of(self, job_id: str) -> State:
        """Where a job is in its life that was enqueued here."""
        if job_id in self.shelf.running:
            return State.RUNNING
        for state, jobs in ((State.SCHEDULED, self.scheduled), (State.RETRYING, self.retry)):
            if job_id in jobs.kept:
                return state
        if job_id in self.dead.kept:
            return State.DEAD
        if job_id in self.shelf.ended:
            return State(self.shelf.ended[job_id].ending)
        return State.CANCELLED if job_id in self.shelf.cancelled else State.QUEUED

    def seek_in_flight(
        self,
        processes: Sequence[str],  # noqa: ARG002 - there is one
        job_id: str,
    ) -> Reading[list[tuple[Flight, Placed]]]:
        """Where a job is in flight."""
        yield []
        flying = self.shelf.running.get(job_id)
        return [(Flight(NODE, 1), flying.placed)] if flying else []

    def release_due(self, now: float) -> None:
        """Put what is due behind the others of its queue."""
        self.scheduled.release_due(now)
        self.retry.release_due(now)
