"""Store: everything that is kept in one Redis database, by structure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from redis import Redis

from flaskiq.failure import Failure
from flaskiq.message import marks
from flaskiq.store import script
from flaskiq.store.batches import Batches
from flaskiq.store.chords import Chords
from flaskiq.store.cron import Cron
from flaskiq.store.dead_set import Caps, DeadSet
from flaskiq.store.flight import Flight
from flaskiq.store.job_set import JobSet
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.processes import Processes
from flaskiq.store.queues import Queues
from flaskiq.store.reading import Reading, ask, call, readable, together
from flaskiq.store.ready import Ready
from flaskiq.store.statistics import History, Statistics
from flaskiq.store.unacked import UnackedJobs

T = TypeVar("T")

PROMOTED_AT_ONCE = 100

REMEMBERED = 24 * 60 * 60
"""Seconds for which a revoked id is remembered, across restarts of all workers."""


class Promotion(NamedTuple):
    """What a promotion did; ``next_due`` in seconds from now, None if nothing waits."""

    moved: int
    next_due: float | None


class Store:
    """The structures of one database, over a client that returns bytes."""

    def __init__(
        self,
        client: Redis,
        keys: Keys | None = None,
        caps: Caps | None = None,
        history: History | None = None,
    ) -> None:
        self.client: Any = client  # redis-py types one return for sync and async
        self._client = self.client  # as every structure calls it
        self.keys = keys or Keys()
        self._caps, self._history = caps or Caps(), history or History()
        self._promote = script.load(client, "promote")
        self._kill = script.load(client, "kill")

    # Each is made when somebody needs it: a process that runs jobs needs few, and begins often.

    @cached_property
    def scheduled(self) -> JobSet:
        """Jobs that wait for their time."""
        return JobSet(self.client, self.keys, "scheduled")

    @cached_property
    def retry(self) -> JobSet:
        """Jobs that wait for their next attempt."""
        return JobSet(self.client, self.keys, "retry")

    @cached_property
    def dead(self) -> DeadSet:
        """Jobs that gave up."""
        return DeadSet(self.client, self.keys, self._caps)

    @cached_property
    def queues(self) -> Queues:
        """The lists of ready jobs, to push to."""
        return Queues(self.client, self.keys)

    @cached_property
    def ready(self) -> Ready:
        """The same, to look into."""
        return Ready(self.client, self.keys)

    @cached_property
    def processes(self) -> Processes:
        """Who fetches, and what is in flight."""
        return Processes(self.client, self.keys)

    @cached_property
    def cron(self) -> Cron:
        """Cron entries, and who leads."""
        return Cron(self.client, self.keys)

    @cached_property
    def batches(self) -> Batches:
        """Batches of jobs."""
        return Batches(self.client, self.keys, self._caps.age)

    @cached_property
    def chords(self) -> Chords:
        """Chords, and where their parts are."""
        return Chords(self.client, self.keys)

    @cached_property
    def unacked(self) -> UnackedJobs:
        """What stock Celery workers have in hand."""
        return UnackedJobs(self.client, self.keys)

    @cached_property
    def statistics(self) -> Statistics:
        """Counts, what runs, and what has finished last."""
        return Statistics(self.client, self.keys, self._history)

    def promote(self) -> Promotion:
        """Move due jobs of the scheduled and the retry set to their queues."""
        sets = [
            key
            for name in ("scheduled", "retry")
            for key in (self.keys[name], self.keys.jobs(name), self.keys.failures(name))
        ]
        moved, next_due = self._promote(sets, [PROMOTED_AT_ONCE, self.keys.wake])
        return Promotion(int(moved), None if next_due < 0 else next_due / 1000)

    def await_promotion(self, timeout: float) -> None:
        """Wait until a job is due before all others, or ``timeout`` seconds."""
        self.client.brpop([self.keys.promoter], timeout)

    def wake_promoter(self) -> None:
        """End the wait of a promoter."""
        self.client.lpush(self.keys.promoter, 1)

    def now(self) -> float:
        """The time of the server, in seconds since the epoch."""
        seconds, microseconds = self.client.time()
        return float(seconds + microseconds / 1e6)

    def ask(self, reading: Reading[T]) -> T:
        """Make the trips of a reading; return what it has found."""
        return ask(self.client, reading)

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the counts since the beginning."""
        self.client.hincrby(self.keys.counters, name, by)

    def keep_highest(self, group: str, number: int, seconds: float) -> int:
        """Return the highest number that was given within so many seconds, this one included."""
        key = self.keys.wanted(group)
        highest = int(self.client.get(key) or 0)
        if number >= highest and seconds:
            self.client.set(key, number, px=max(1, int(seconds * 1000)))
        return max(number, highest)

    def kill(self, job_id: str, jobs: JobSet, failure: Failure) -> Placed | None:
        """Move a job from the scheduled or the retry set into the dead set; None if it is gone.

        ``failure`` is kept for one that has not failed yet.
        """
        value = self._kill([*jobs.own_keys, *self.dead.own_keys], [job_id, failure.pack()])
        return Placed.unpack(value) if value else None

    @readable
    def in_flight(self, job_id: str) -> Reading[list[tuple[Flight, Placed]]]:
        """Where a job is in flight."""
        live, lost = yield from together(
            self.processes.live.reading(), self.processes.lost.reading()
        )
        return (yield from self.seek_in_flight(sorted(live | lost), job_id))

    def unsettled(self, queues: Sequence[str]) -> int:
        """How many jobs are ready, in flight or due, at one instant."""
        held = sorted(self.processes.live() | self.processes.lost())
        with self.client.pipeline(transaction=True) as pipe:
            for name in (each for queue in queues for each in self.keys.lists(queue)):
                pipe.llen(name)
            for process in held:
                pipe.hlen(self.keys.inflight(process))
            for name in ("scheduled", "retry"):
                pipe.zcount(self.keys[name], "-inf", time.time())
            return sum(pipe.execute())

    def seek_in_flight(
        self, processes: Sequence[str], job_id: str
    ) -> Reading[list[tuple[Flight, Placed]]]:
        """Where a job is in flight among these processes."""
        if not processes:
            return []
        records = [self.keys.inflight(each) for each in processes]
        (found,) = yield [call("seek_in_flight", records, marks(job_id))]
        parts = zip(found[::3], found[1::3], found[2::3], strict=True)
        return [
            (Flight(processes[place - 1], int(seq)), Placed.unpack(value))
            for place, seq, value in parts
        ]

    def nodes(self, namespace: str) -> list[str]:
        """The workers that listen to remote control, or did so until they were killed."""
        found = self.client.smembers(self.keys.nodes(namespace))
        mailboxes = [each.decode().rpartition(self.keys.separator)[2] for each in found]
        return [each.removesuffix(f".{namespace}.pidbox") for each in mailboxes]

    def cancel(self, job_id: str, remembered: float = REMEMBERED) -> Placed | None:
        """Never run a job: take it out if it waits, and remember its id for so many seconds.

        Returns it if it waited in the scheduled or the retry set.
        """
        self.client.zadd(self.keys.cancelled, {job_id: time.time() + remembered})
        waited = [jobs.remove(job_id) for jobs in (self.scheduled, self.retry)]
        return waited[0] or waited[1]

    @readable
    def is_cancelled(self, job_id: str) -> Reading[bool]:
        """Whether a job must not run."""
        (until,) = yield [("ZSCORE", self.keys.cancelled, job_id)]
        return until is not None and until > time.time()

    def cancelled(self) -> list[str]:
        """The ids that must not run; forgets those whose time is over."""
        with self.client.pipeline() as pipe:
            pipe.zremrangebyscore(self.keys.cancelled, "-inf", time.time())
            pipe.zrange(self.keys.cancelled, 0, -1)
            return [job_id.decode() for job_id in pipe.execute()[1]]
