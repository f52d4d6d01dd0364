"""The dead set in memory."""

from __future__ import annotations

from time import time

from flaskiq.failure import Failure
from flaskiq.message import renewed
from flaskiq.store.dead_set import DeadSet
from flaskiq.store.flight import Flight
from flaskiq.store.job_set import Entry
from flaskiq.store.place import Placed
from flaskiq.testing.memory.job_set import MemoryJobSet


class MemoryDeadSet(MemoryJobSet, DeadSet):
    """See :class:`flaskiq.store.dead_set.DeadSet`. Nothing leaves it by itself."""

    def bury(self, job_id: str, placed: Placed, failure: Failure) -> None:
        """Put a job that is nowhere else into the set."""
        self._put(Entry(job_id, time(), placed, failure))

    def bury_from_flight(
        self,
        job_id: str,
        failure: Failure,
        flight: Flight,  # noqa: ARG002 - there is one at a time
        *,
        seen: bytes = b"",  # noqa: ARG002
        placed: Placed | None = None,
    ) -> bool:
        """Put the running job into the set."""
        self.bury(job_id, placed or self._shelf.running[job_id].placed, failure)
        return True

    def retry(self, job_id: str) -> bool:
        """Put a dead job behind the others of its queue; return whether it was there."""
        kept = self.kept.pop(job_id, None)
        if kept is None:
            return False
        placed, failure = kept.entry.placed, kept.entry.failure
        message = renewed(placed.message, failure.last_attempt() if failure else None)
        self._shelf.ended.pop(job_id, None)
        self._shelf.put(placed.queue, message)
        return True
