"""A sorted set of jobs that wait for a time: scheduled, retry; or that gave up: dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.failure import Failure
from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed

PAGE = 500


class Entry(NamedTuple):
    """A job in a set; ``at`` is when it is due (or died), in seconds since the epoch.

    ``failure`` is there where it has failed.
    """

    id: str
    at: float
    placed: Placed
    failure: Failure | None = None

    @classmethod
    def read(cls, job_id: str, at: float, value: bytes, failure: bytes | None) -> Entry:
        """Return the entry that Redis holds in these parts."""
        return cls(job_id, at, Placed.unpack(value), Failure.unpack(failure) if failure else None)


class JobSet:
    """A sorted set of job ids by time, and a hash of their messages.

    Finding, removing and rescheduling a job by its id is O(log n).
    """

    def __init__(self, client: Redis, keys: Keys, name: str) -> None:
        self.name = name
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._zset, self._jobs, self._failures = keys[name], keys.jobs(name), keys.failures(name)
        self._schedule = script.load(client, "schedule")
        self._take_out = script.load(client, "take_out")

    def add(self, job_id: str, at: float, placed: Placed) -> None:
        """Put a job into the set, in place of one with the same id."""
        self._schedule(self._set_keys, [job_id, at, placed.pack(), b""])

    def add_from_flight(
        self,
        job_id: str,
        at: float,
        placed: Placed,
        flight: Flight,
        failure: Failure | None = None,
    ) -> bool:
        """Take a job out of flight and put it into the set, in one step.

        Returns False, and does nothing, if it is not in flight there any more: others have it.
        """
        keys = [*self._set_keys, self._keys.inflight(flight.process)]
        packed = failure.pack() if failure else b""
        return bool(self._schedule(keys, [job_id, at, placed.pack(), packed, flight.seq]))

    def add_command(self, job_id: str, at: float, placed: Placed) -> list[str | bytes | float]:
        """Return :meth:`add` as one command for a pipeline that others fill."""
        keys = self._set_keys
        return [script.source("schedule"), len(keys), *keys, job_id, at, placed.pack(), b""]

    @property
    def _set_keys(self) -> list[str]:
        return [self._zset, self._jobs, self._failures, self._keys.promoter]

    def remove(self, job_id: str) -> Placed | None:
        """Take a job out and return it; None if it is not there."""
        value = self._take_out([self._zset, self._jobs, self._failures], [job_id])
        return Placed.unpack(value) if value else None

    def reschedule(self, job_id: str, at: float) -> bool:
        """Change when a job is due; return whether it is there."""
        with self._client.pipeline() as pipe:
            pipe.zadd(self._zset, {job_id: at}, xx=True)
            pipe.zscore(self._zset, job_id)
            pipe.lpush(self._keys.promoter, 1)
            pipe.ltrim(self._keys.promoter, 0, 0)
            return pipe.execute()[1] is not None

    def find(self, job_id: str) -> Entry | None:
        """Return the job with this id, or None."""
        with self._client.pipeline() as pipe:
            pipe.zscore(self._zset, job_id)
            pipe.hget(self._jobs, job_id)
            pipe.hget(self._failures, job_id)
            at, value, failure = pipe.execute()
        return None if at is None or value is None else Entry.read(job_id, at, value, failure)

    def __len__(self) -> int:
        return int(self._client.zcard(self._zset))

    def __iter__(self) -> Iterator[Entry]:
        """Yield the jobs, the first due first, in pages; jobs that move meanwhile may be missed."""
        start = 0
        while page := self._client.zrange(self._zset, start, start + PAGE - 1, withscores=True):
            ids = [job_id for job_id, _ in page]
            values, failures = (
                self._client.hmget(key, ids) for key in (self._jobs, self._failures)
            )
            for (job_id, at), value, failure in zip(page, values, failures, strict=True):
                if value:
                    yield Entry.read(job_id.decode(), at, value, failure)
            start += PAGE
