"""The scheduled set and the retry set in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time
from typing import NamedTuple

from flaskiq.failure import Failure
from flaskiq.message import ready_since
from flaskiq.store.flight import Flight
from flaskiq.store.job_set import Entry, JobSet
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.shelf import Shelf


class Kept(NamedTuple):
    """An entry, and how far the clock was ahead when it was put."""

    entry: Entry
    ahead: float

    @property
    def due(self) -> float:
        """When it is due by the clock of the test."""
        return self.entry.at + self.ahead


class MemoryJobSet(InPart, JobSet):
    """See :class:`flaskiq.store.job_set.JobSet`: what tests and applications need of it."""

    def __init__(self, name: str, shelf: Shelf) -> None:
        self.name = name
        self._client = nobody
        self._shelf = shelf
        self.kept: dict[str, Kept] = {}

    def add(self, job_id: str, at: float, placed: Placed) -> None:
        """Put a job into the set, in place of one with the same id."""
        self._put(Entry(job_id, at, placed))
        self._shelf.note(placed.queue, placed.message, at)

    def add_from_flight(
        self,
        job_id: str,
        at: float,
        placed: Placed,
        flight: Flight,  # noqa: ARG002 - there is one at a time
        failure: Failure | None = None,
    ) -> bool:
        """Put the running job into the set."""
        self._shelf.running.pop(job_id, None)
        self._put(Entry(job_id, at, placed, failure))
        return True

    def _put(self, entry: Entry) -> None:
        self.kept[entry.id] = Kept(entry, self._shelf.clock.ahead)

    def remove(self, job_id: str) -> Placed | None:
        """Take a job out and return it; None if it is not there."""
        kept = self.kept.pop(job_id, None)
        return kept and kept.entry.placed

    def reschedule(
        self,
        job_id: str,
        at: float,
        change: Callable[[bytes], bytes] | None = None,  # noqa: ARG002 - times are by its clock
    ) -> bool:
        """Change when a job is due; return whether it is there."""
        kept = self.kept.get(job_id)
        if kept is None:
            return False
        self._put(kept.entry._replace(at=at))
        return True

    def release(self, job_id: str) -> bool:
        """Put a job behind the others of its queue now; return whether it was there."""
        kept = self.kept.pop(job_id, None)
        if kept is None:
            return False
        placed = kept.entry.placed
        message = ready_since(placed.message, min(kept.entry.at, time()))
        self._shelf.put(placed.queue, message, ahead=kept.ahead)
        return True

    def release_due(self, now: float) -> None:
        """Put what is due behind the others of its queue."""
        due = [(kept.due, job_id) for job_id, kept in self.kept.items() if kept.due <= now]
        for _, job_id in sorted(due):
            self.release(job_id)

    @readable
    def find(self, job_id: str) -> Reading[Entry | None]:
        """Return the job with this id, or None."""
        yield []
        kept = self.kept.get(job_id)
        return kept and kept.entry

    @readable
    def size(self) -> Reading[int]:
        """How many jobs there are."""
        yield []
        return len(self.kept)

    def entries(self, *, backwards: bool = False) -> Iterator[Entry]:
        """Yield the jobs in their order, or backwards."""
        order = sorted(self.kept.values(), key=lambda kept: (kept.due, kept.entry.id))
        return iter([kept.entry for kept in (reversed(order) if backwards else order)])
