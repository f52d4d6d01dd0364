"""Ready: the lists of ready jobs, as they are looked at and cleared. Pushing is in queues.py."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from redis import Redis

from flaskiq.message import marks
from flaskiq.store import script
from flaskiq.store.keys import Keys

CHUNK = 1_000
"""Jobs that one command looks at."""


class Ready:
    """Reads queues, each of which is several lists: one for each message priority of kombu."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._seek = script.load(client, "seek")

    def sizes(self, queues: Sequence[str]) -> dict[str, int]:
        """How many jobs each queue has."""
        with self._client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for name in self._keys.lists(queue):
                    pipe.llen(name)
            found = iter(pipe.execute())
        return {queue: sum(next(found) for _ in self._keys.lists(queue)) for queue in queues}

    def oldest(self, queues: Sequence[str]) -> dict[str, list[bytes]]:
        """The message at the front of each list of each queue, where there is one."""
        with self._client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for name in self._keys.lists(queue):
                    pipe.lindex(name, -1)
            found = iter(pipe.execute())
        return {
            queue: [raw for _ in self._keys.lists(queue) if (raw := next(found))]
            for queue in queues
        }

    def chunks(self, queue: str) -> Generator[tuple[str, list[bytes]], int | None, None]:
        """Yield the messages of a queue with their list, the newest of each list first.

        In this direction no job is missed: those that come meanwhile move the others away from the
        end at which this has begun. Whoever deletes jobs of a chunk sends how many.
        """
        for name in self._keys.lists(queue):
            start = 0
            while chunk := self._client.lrange(name, start, start + CHUNK - 1):
                deleted = yield name, chunk
                start += len(chunk) - (deleted or 0)

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

    def paused(self) -> set[str]:
        """The queues that are paused."""
        return {queue.decode() for queue in self._client.smembers(self._keys.paused)}
