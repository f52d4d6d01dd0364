"""The lists of ready jobs in memory, as they are looked at and cleared."""

from __future__ import annotations

from collections.abc import Sequence

from flaskiq.message import marks
from flaskiq.store.keys import Keys
from flaskiq.store.reading import Reading, readable
from flaskiq.store.ready import CHUNK, Ready
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.shelf import Shelf


class MemoryReady(InPart, Ready):
    """See :class:`flaskiq.store.ready.Ready`. A queue has one list, and none is paused."""

    def __init__(self, shelf: Shelf) -> None:
        self._client = nobody
        self._keys = Keys()
        self._shelf = shelf

    def _messages(self, queue: str) -> list[bytes]:
        """The messages of a queue, the newest first."""
        return [job.message for job in reversed(self._shelf.ready.get(queue, ()))]

    @readable
    def sizes(self, queues: Sequence[str]) -> Reading[dict[str, int]]:
        """How many jobs each queue has."""
        yield []
        return {queue: len(self._shelf.ready.get(queue, ())) for queue in queues}

    @readable
    def oldest(self, queues: Sequence[str]) -> Reading[dict[str, list[bytes]]]:
        """The message at the front of each queue, where there is one."""
        yield []
        return {queue: self._messages(queue)[-1:] for queue in queues}

    def lists(self, queue: str) -> list[str]:
        """The one list of a queue."""
        return [queue]

    def chunk(self, name: str, start: int, most: int = CHUNK) -> list[bytes]:
        """Return messages of a list, from the place ``start`` on."""
        return self._messages(name)[start : start + most]

    def chunks_from(
        self, queue: str, which: int, start: int, most: int
    ) -> Reading[list[list[bytes]]]:
        """The next messages of a queue."""
        yield []
        return [self.chunk(name, start, most) for name in self.lists(queue)[which:]]

    def seek(self, queue: str, job_id: str, most: int) -> tuple[int, list[tuple[str, bytes]]]:
        """Look for a job among at most ``most`` jobs of a queue, the newest first."""
        looked_at = self._messages(queue)[:most]
        meant = [mark.encode() for mark in marks(job_id)]
        found = [(queue, raw) for raw in looked_at if any(mark in raw for mark in meant)]
        return len(looked_at), found

    def delete(self, jobs: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Delete jobs, given as list and message; return of each whether it was still there."""
        return [self._shelf.take(queue, message) for queue, message in jobs]

    def clear(self, queue: str) -> int:
        """Delete all ready jobs of a queue; return how many they were."""
        return len(self._shelf.ready.pop(queue, ()))

    @readable
    def paused(self) -> Reading[set[str]]:
        """The queues that are paused."""
        yield []
        return set()
