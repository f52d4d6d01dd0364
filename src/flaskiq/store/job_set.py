"""A sorted set of jobs that wait for a time: scheduled, retry; or that gave up: dead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import time
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.failure import Failure
from flaskiq.message import ready_since
from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, call, readable

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
        self._release = script.load(client, "release")
        self._reschedule = script.load(client, "reschedule")

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
        return [*self.own_keys, self._keys.promoter]

    @property
    def own_keys(self) -> list[str]:
        """The keys that hold it: sorted set, messages, failures."""
        return [self._zset, self._jobs, self._failures]

    def remove(self, job_id: str) -> Placed | None:
        """Take a job out and return it; None if it is not there."""
        value = self._take_out(self.own_keys, [job_id])
        return Placed.unpack(value) if value else None

    def remove_all(self, job_ids: Sequence[str]) -> dict[str, Placed]:
        """Take jobs out in one round trip; return those that were there."""
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                self._take_out(self.own_keys, [job_id], client=pipe)
            values = pipe.execute()
        found = zip(job_ids, values, strict=True)
        return {job_id: Placed.unpack(value) for job_id, value in found if value}

    def reschedule(
        self, job_id: str, at: float, change: Callable[[bytes], bytes] | None = None
    ) -> bool:
        """Change when a job is due, and its message in other ways; return whether it is there."""
        value = self._client.hget(self._jobs, job_id)
        if value is None:
            return False
        placed = Placed.unpack(value)
        message = change(placed.message) if change else placed.message
        changed = placed._replace(message=ready_since(message, at)).pack()
        keys = [self._zset, self._jobs, self._keys.promoter]
        return bool(self._reschedule(keys, [job_id, value, at, changed]))

    def release(self, job_id: str) -> bool:
        """Put a job behind the others of its queue now; return whether it was there."""
        return self._release_as(job_id, lambda message: ready_since(message, time()))

    def _release_as(self, job_id: str, change: Callable[[bytes], bytes]) -> bool:
        value = self._client.hget(self._jobs, job_id)
        if value is None:
            return False
        placed = Placed.unpack(value)
        token = self._keys.wake + placed.queue
        finished = [self._keys.finished, self._keys.jobs("finished")]
        keys = [*self.own_keys, placed.list, token, *finished]
        return bool(self._release(keys, [job_id, value, change(placed.message)]))

    @readable
    def find(self, job_id: str) -> Reading[Entry | None]:
        """Return the job with this id, or None."""
        # Its time comes last: what has left meanwhile has none.
        failure, value, at = yield [
            ("HGET", self._failures, job_id),
            ("HGET", self._jobs, job_id),
            ("ZSCORE", self._zset, job_id),
        ]
        return None if at is None or value is None else Entry.read(job_id, at, value, failure)

    def present(self, job_ids: Sequence[str]) -> list[str]:
        """Return those of these jobs that are in the set."""
        found = self._client.zmscore(self._zset, list(job_ids)) if job_ids else []
        return [job_id for job_id, at in zip(job_ids, found, strict=True) if at is not None]

    def __len__(self) -> int:
        return self.size()

    @readable
    def size(self) -> Reading[int]:
        """How many jobs there are."""
        (found,) = yield [("ZCARD", self._zset)]
        return int(found)

    @readable
    def page(
        self,
        after: tuple[float, str] | None = None,
        length: int = PAGE,
        *,
        backwards: bool = False,
    ) -> Reading[list[Entry]]:
        """Return the jobs behind the one with this time and id, which may have gone meanwhile."""
        cursor = [repr(after[0]), after[1]] if after else ["", ""]
        (found,) = yield [call("page", self.own_keys, [*cursor, length, int(backwards)])]
        parts = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            Entry.read(job_id.decode(), float(at), value, failure)
            for job_id, at, value, failure in parts
            if value
        ]

    def __iter__(self) -> Iterator[Entry]:
        """Yield the jobs, the first due first; none that stays is missed while others move."""
        return self.entries()

    def entries(self, *, backwards: bool = False) -> Iterator[Entry]:
        """Yield the jobs in their order, or backwards."""
        after: tuple[float, str] | None = None
        while page := self.page(after, backwards=backwards):
            yield from page
            after = page[-1].at, page[-1].id
