"""Ready: the lists of ready jobs, as they are looked at and cleared. Pushing is in queues.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from redis import Redis

from flaskiq.message import marks
from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.reading import Reading, readable

CHUNK = 1_000
"""Jobs that one command looks at."""


class Ready:
    """Reads queues, each of which is several lists: one for each message priority of kombu."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._seek = script.load(client, "seek")

    @readable
    def sizes(self, queues: Sequence[str]) -> Reading[dict[str, int]]:
        """How many jobs each queue has."""
        replies = yield [("LLEN", name) for queue in queues for name in self._keys.lists(queue)]
        found = iter(replies)
        return {queue: sum(next(found) for _ in self._keys.lists(queue)) for queue in queues}

    @readable
    def oldest(self, queues: Sequence[str]) -> Reading[dict[str, list[bytes]]]:
        """The message at the front of each list of each queue, where there is one."""
        replies = yield [
            ("LINDEX", name, -1) for queue in queues for name in self._keys.lists(queue)
        ]
        found = iter(replies)
        return {
            queue: [raw for _ in self._keys.lists(queue) if (raw := next(found))]
            for queue in queues
        }

    def lists(self, queue: str) -> list[str]:
        """The lists of a queue, one for each message priority."""
        return self._keys.lists(queue)

    def chunks(self, queue: str) -> Iterator[tuple[str, list[bytes]]]:
        """Yield the messages of a queue with their list, the newest of each list first.

        In this direction no job is missed: those that come meanwhile move the others away from the
        end at which this has begun.
        """
        for name in self.lists(queue):
            start = 0
            while chunk := self.chunk(name, start):
                yield name, chunk
                start += len(chunk)

    def chunk(self, name: str, start: int, most: int = CHUNK) -> list[bytes]:
        """Return messages of a list, from the place ``start`` on."""
        found: list[bytes] = self._client.lrange(name, start, start + most - 1)
        return found

    def chunks_from(
        self, queue: str, which: int, start: int, most: int
    ) -> Reading[list[list[bytes]]]:
        """The next messages of the lists from number ``which`` on; of that one from ``start``."""
        names = self.lists(queue)[which:]
        starts = (start if place == 0 else 0 for place in range(len(names)))
        return (
            yield [
                ("LRANGE", name, first, first + most - 1)
                for name, first in zip(names, starts, strict=True)
            ]
        )

    def seek(self, queue: str, job_id: str, most: int) -> tuple[int, list[tuple[str, bytes]]]:
        """Look for a job among at most ``most`` jobs of a queue, the newest first.

        Returns how many were looked at, and its messages with their list.
        """
        looked_at = 0
        found: list[tuple[str, bytes]] = []
        for name in self._keys.lists(queue):
            start = 0
            while looked_at < most:
                last = start + min(CHUNK, most - looked_at) - 1
                count, messages = self._seek([name], [start, last, *marks(job_id)])
                looked_at += count
                found += [(name, message) for message in messages]
                if found or count <= last - start:
                    break
                start += count
            if found:
                break
        return looked_at, found

    def delete(self, jobs: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Delete jobs, given as list and message; return of each whether it was still there."""
        with self._client.pipeline(transaction=False) as pipe:
            for name, message in jobs:
                pipe.lrem(name, 1, message)
            return [bool(count) for count in pipe.execute()]

    def clear(self, queue: str) -> int:
        """Delete all ready jobs of a queue; return how many they were."""
        names = self._keys.lists(queue)
        with self._client.pipeline() as pipe:
            for name in names:
                pipe.llen(name)
            pipe.unlink(*names)
            return sum(pipe.execute()[: len(names)])

    def pause(self, queue: str) -> None:
        """Let nobody fetch from a queue; workers learn of it with their next heartbeat."""
        self._client.sadd(self._keys.paused, queue)

    def unpause(self, queue: str) -> None:
        """Let workers fetch from a queue again."""
        self._client.srem(self._keys.paused, queue)

    @readable
    def paused(self) -> Reading[set[str]]:
        """The queues that are paused."""
        (found,) = yield [("SMEMBERS", self._keys.paused)]
        return {queue.decode() for queue in found}
