"""Unacked: what stock workers of Celery have fetched and not acknowledged, kept by kombu."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.store import script
from flaskiq.store.keys import Keys

HASH, INDEX = "unacked", "unacked_index"
"""kombu's keys (kombu/transport/redis.py: ``unacked_key``, ``unacked_index_key``)."""


class Unacked(NamedTuple):
    """A job at a stock worker; ``at`` is when it was fetched, in seconds since the epoch."""

    tag: str
    value: bytes
    queue: str
    message: bytes
    at: float | None


class UnackedJobs:
    """Reads what stock workers hold, and gives it back to its queue."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._give_back = script.load(client, "give_back")

    def __iter__(self) -> Iterator[Unacked]:
        name = self._keys.ready(HASH)
        for tag, value in self._client.hscan_iter(name):
            yield self._read(tag.decode(), value)

    def find(self, tag: str) -> Unacked | None:
        """Return a job by its tag, None if no stock worker holds it any more."""
        value = self._client.hget(self._keys.ready(HASH), tag)
        return None if value is None else self._read(tag, value)

    def _read(self, tag: str, value: bytes) -> Unacked:
        message, _, queue = json.loads(value)
        at = self._client.zscore(self._keys.ready(INDEX), tag)
        return Unacked(tag, value, queue, json.dumps(message).encode(), at)

    def give_back(self, job: Unacked) -> bool:
        """Put a job to the front of its queue now; False if it is not held any more."""
        keys = [
            self._keys.ready(HASH),
            self._keys.ready(INDEX),
            self._keys.ready(job.queue),
            self._keys.wake + job.queue,
        ]
        return bool(self._give_back(keys, [job.tag, job.value, job.message]))
