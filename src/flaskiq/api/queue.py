"""Queue: ready jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from time import time

from flaskiq import current
from flaskiq.api.filter import Filter
from flaskiq.api.job_record import JobRecord
from flaskiq.broker.control import end_unstarted
from flaskiq.job import State

BOUND = 100_000
"""Jobs among which one is looked for."""

Progress = Callable[[int], object]
"""Is told how many jobs were dealt with since it was last called."""


def unobserved(_: int) -> None:
    """Nobody wants to know."""


class Queue:
    """The ready jobs of one queue, over all its lists for message priorities."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._state = current.state()
        self._ready = self._state.store.ready

    @classmethod
    def all(cls) -> list[Queue]:
        """Return every queue of the app, and those that a living process serves."""
        state = current.state()
        served = [
            json.loads(f["queues"]) for f in state.store.processes.facts().values() if "queues" in f
        ]
        names = dict.fromkeys([*state.celery.amqp.queues, *chain(*served)])
        return [cls(name) for name in names]

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"

    @property
    def size(self) -> int:
        """How many jobs are ready."""
        return self._ready.sizes([self.name])[self.name]

    @property
    def latency(self) -> float | None:
        """Seconds for which the oldest job has been ready; 0 without any.

        None if the jobs do not say since when: other programs than Flaskiq have enqueued them.
        """
        oldest = self._ready.oldest([self.name])[self.name]
        since = [JobRecord.of(raw, State.QUEUED, self.name).at for raw in oldest]
        known = [at for at in since if at is not None]
        if not oldest:
            return 0.0
        return max(0.0, time() - min(known)) if known else None

    @property
    def is_paused(self) -> bool:
        """Whether nobody fetches from it."""
        return self.name in self._ready.paused()

    def pause(self) -> None:
        """Let no worker fetch from it, also after restarts; acts within a third of the TTL."""
        self._ready.pause(self.name)

    def unpause(self) -> None:
        """Let workers fetch from it again."""
        self._ready.unpause(self.name)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[JobRecord]:
        """Yield the jobs, the newest of each list first; none that stays is missed."""
        for _, job in self._jobs():
            yield job

    def chunks(self) -> Iterator[tuple[str, list[JobRecord]]]:
        """Yield the jobs in chunks, with the list that they are in; the newest of each first."""
        for name, chunk in self._ready.chunks(self.name):
            yield name, [JobRecord.of(raw, State.QUEUED, self.name) for raw in chunk]

    def find(self, job_id: str, *, bound: int = BOUND) -> JobRecord | None:
        """Return a job by its id, None if it is not among the ``bound`` newest."""
        for _, raw in self._ready.seek(self.name, job_id, bound)[1]:
            job = JobRecord.of(raw, State.QUEUED, self.name)
            if job.id == job_id:
                return job
        return None

    def delete(self, job_id: str) -> bool:
        """Delete a job; return whether it was there. Its result is ``REVOKED``."""
        _, found = self._ready.seek(self.name, job_id, BOUND)
        return any(
            self._delete([(name, JobRecord.of(raw, State.QUEUED, self.name))])
            for name, raw in found
            if JobRecord.of(raw, State.QUEUED, self.name).id == job_id
        )

    def delete_all(self, where: Filter, progress: Progress = unobserved) -> int:
        """Delete the jobs that are meant; return how many. Those that come meanwhile may stay."""
        chunks, deleted, total = self._ready.chunks(self.name), None, 0
        with suppress(StopIteration):
            while True:
                name, chunk = chunks.send(deleted)
                jobs = [JobRecord.of(raw, State.QUEUED, self.name) for raw in chunk]
                deleted = self._delete([(name, job) for job in jobs if where.matches(job)])
                total += deleted
                progress(len(chunk))
        return total

    def clear(self) -> int:
        """Delete all jobs at once; return how many. Nobody is told: it is for emergencies."""
        return self._ready.clear(self.name)

    def _jobs(self) -> Iterator[tuple[str, JobRecord]]:
        seen: set[str] = set()
        for name, chunk in self.chunks():
            yield from ((name, job) for job in chunk if job.id not in seen)
            # One that nobody can read has no id, and is not to hide the others.
            seen = {job.id for job in chunk} - {""}

    def _delete(self, jobs: list[tuple[str, JobRecord]]) -> int:
        """Delete jobs; one that has been fetched meanwhile runs, and is not ended."""
        known = [(name, job.raw, job.id) for name, job in jobs if job.raw is not None]
        gone = self._ready.delete([(name, raw) for name, raw, _ in known])
        for (_, raw, job_id), was_there in zip(known, gone, strict=True):
            if was_there:
                end_unstarted(self._state.celery, job_id, raw, "deleted")
        return sum(gone)
