"""Queue: ready jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from time import time
from typing import NamedTuple

from flaskiq import current
from flaskiq.api.asked import asked
from flaskiq.api.filter import ALL, Filter
from flaskiq.api.job_record import JobRecord
from flaskiq.api.stretch import (
    CHUNK,
    LOOKED_AT,
    PAGE,
    Page,
    Progress,
    Stretch,
    to_the_end,
    unobserved,
)
from flaskiq.broker.control import end_unstarted
from flaskiq.errors import ArgumentError
from flaskiq.job import State
from flaskiq.store.reading import Reading, readable, together

BOUND = 100_000
"""Jobs among which one is looked for."""


class QueueRecord(NamedTuple):
    """A queue as it is; ``latency`` in seconds, ``processes`` by their identities.

    ``latency`` is for how long the oldest job has been ready, 0 without any and None if the jobs do
    not say.
    """

    name: str
    size: int
    latency: float | None
    is_paused: bool
    processes: tuple[str, ...]


@asked
def queues() -> Reading[list[QueueRecord]]:
    """Every queue of the app, and those that a living process serves; two trips, seldom three."""
    state, ready = current.state(), current.state().store.ready
    known = list(state.celery.amqp.queues)
    sizes, oldest, paused, facts = yield from together(
        ready.sizes.reading(known),
        ready.oldest.reading(known),
        ready.paused.reading(),
        state.store.processes.facts.reading(),
    )
    served = {each: json.loads(told["queues"]) for each, told in facts.items() if "queues" in told}
    others = [name for name in dict.fromkeys(chain(*served.values())) if name not in sizes]
    if others:
        more = yield from together(ready.sizes.reading(others), ready.oldest.reading(others))
        sizes, oldest = {**sizes, **more[0]}, {**oldest, **more[1]}
    return [
        QueueRecord(
            name,
            size,
            latency(name, oldest[name]),
            name in paused,
            tuple(each for each, names in served.items() if name in names),
        )
        for name, size in sizes.items()
    ]


def latency(queue: str, oldest: Sequence[bytes]) -> float | None:
    """Return for how many seconds the oldest of these messages has been ready; 0 without any.

    None if they do not say since when: other programs than Flaskiq have enqueued them.
    """
    if not oldest:
        return 0.0
    since = [JobRecord.of(raw, State.QUEUED, queue).at for raw in oldest]
    known = [at for at in since if at is not None]
    return max(0.0, time() - min(known)) if known else None


class Queue:
    """The ready jobs of one queue, over all its lists for message priorities."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._state = current.state()
        self.ready = self._state.store.ready
        """The lists of all queues."""
        self._client = self._state.store.client

    @classmethod
    def all(cls) -> list[Queue]:
        """Return every queue of the app, and those that a living process serves."""
        return [cls(each.name) for each in queues()]

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"

    @property
    def size(self) -> int:
        """How many jobs are ready."""
        return self.ready.sizes([self.name])[self.name]

    @property
    def latency(self) -> float | None:
        """Seconds for which the oldest job has been ready; 0 without any, None if not known."""
        return latency(self.name, self.ready.oldest([self.name])[self.name])

    @property
    def is_paused(self) -> bool:
        """Whether nobody fetches from it."""
        return self.name in self.ready.paused()

    def pause(self) -> None:
        """Let no worker fetch from it, also after restarts; acts within a third of the TTL."""
        self.ready.pause(self.name)

    def unpause(self) -> None:
        """Let workers fetch from it again."""
        self.ready.unpause(self.name)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[JobRecord]:
        """Yield the jobs, the newest of each list first; none that stays is missed."""
        for _, job in self._jobs():
            yield job

    def chunks(self) -> Iterator[tuple[str, list[JobRecord]]]:
        """Yield the jobs in chunks, with the list that they are in; the newest of each first."""
        for name, chunk in self.ready.chunks(self.name):
            yield name, [JobRecord.of(raw, State.QUEUED, self.name) for raw in chunk]

    def find(self, job_id: str, *, bound: int = BOUND) -> JobRecord | None:
        """Return a job by its id, None if it is not among the ``bound`` newest."""
        for _, raw in self.ready.seek(self.name, job_id, bound)[1]:
            job = JobRecord.of(raw, State.QUEUED, self.name)
            if job.id == job_id:
                return job
        return None

    def delete(self, job_id: str) -> bool:
        """Delete a job; return whether it was there. Its result is ``REVOKED``."""
        _, found = self.ready.seek(self.name, job_id, BOUND)
        return any(
            self._delete([(name, JobRecord.of(raw, State.QUEUED, self.name))])
            for name, raw in found
            if JobRecord.of(raw, State.QUEUED, self.name).id == job_id
        )

    def delete_all(self, where: Filter, progress: Progress = unobserved) -> int:
        """Delete the jobs that are meant; return how many. Those that come meanwhile may stay."""
        return to_the_end(partial(self.delete_some, where), self.size, progress)

    def delete_some(self, where: Filter, after: str | None = None, most: int = CHUNK) -> Stretch:
        """Delete the jobs that are meant among the next ones.

        Raises:
            ArgumentError: ``after`` is no place in a queue.
        """
        which, start = _place(after)
        names = self.ready.lists(self.name)
        while which < len(names):
            chunk = self.ready.chunk(names[which], start, most)
            if chunk:
                break
            which, start = which + 1, 0
        else:
            return Stretch(0, 0, None)
        jobs = [JobRecord.of(raw, State.QUEUED, self.name) for raw in chunk]
        deleted = self._delete([(names[which], job) for job in jobs if where.matches(job)])
        return Stretch(deleted, len(chunk), f"{which},{start + len(chunk) - deleted}")

    @readable
    def page(
        self, where: Filter = ALL, after: str | None = None, length: int = PAGE
    ) -> Reading[Page]:
        """The jobs that are meant from a place on, the newest of each list first; one trip unless
        there is a filter.

        Raises:
            ArgumentError: ``after`` is no place in a queue.
        """
        which, start = _place(after)
        size = length + 1 if where.is_empty else CHUNK
        found: list[JobRecord] = []
        looked_at = 0
        while looked_at < LOOKED_AT:
            # The other lists are those of message priorities, nearly always empty.
            chunks = yield from self.ready.chunks_from(self.name, which, start, size)
            for chunk in chunks:
                for raw in chunk:
                    if len(found) == length:
                        return Page(found, looked_at, f"{which},{start}")
                    looked_at, start = looked_at + 1, start + 1
                    job = JobRecord.of(raw, State.QUEUED, self.name)
                    if where.matches(job):
                        found.append(job)
                if len(chunk) == size:
                    break
                which, start = which + 1, 0
            else:
                return Page(found, looked_at, None)
        return Page(found, looked_at, f"{which},{start}")

    def clear(self) -> int:
        """Delete all jobs at once; return how many. Nobody is told: it is for emergencies."""
        return self.ready.clear(self.name)

    def _jobs(self) -> Iterator[tuple[str, JobRecord]]:
        seen: set[str] = set()
        for name, chunk in self.chunks():
            yield from ((name, job) for job in chunk if job.id not in seen)
            # One that nobody can read has no id, and is not to hide the others.
            seen = {job.id for job in chunk} - {""}

    def _delete(self, jobs: list[tuple[str, JobRecord]]) -> int:
        """Delete jobs; one that has been fetched meanwhile runs, and is not ended."""
        known = [(name, job.raw, job.id) for name, job in jobs if job.raw is not None]
        gone = self.ready.delete([(name, raw) for name, raw, _ in known])
        for (_, raw, job_id), was_there in zip(known, gone, strict=True):
            if was_there:
                end_unstarted(self._state.celery, job_id, raw, "deleted")
        return sum(gone)


def _place(after: str | None) -> tuple[int, int]:
    """Read a place: in which of the lists, and behind how many jobs."""
    try:
        which, start = map(int, (after or "0,0").split(","))
    except ValueError:
        raise ArgumentError(f"{after!r} is no place in a queue") from None
    return max(0, which), max(0, start)
