"""Backlog: how many ready jobs a queue or a Worker has, and since when the oldest waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flaskiq.api.job_record import JobRecord
from flaskiq.api.queue import Queue

BOUND = 10_000
"""Jobs of each queue that are looked at; of a longer one the newest stand for the rest."""


class Backlog(NamedTuple):
    """Ready jobs; ``since`` in seconds since the epoch, None if they do not say.

    Where not every job was looked at, it is no exact one: ``jobs`` is an estimate, and the oldest
    may wait for longer.
    """

    jobs: int
    since: float | None
    is_exact: bool = True


def by_worker(queues: Iterable[Queue], bound: int = BOUND) -> dict[str, Backlog]:
    """Return the backlog of each Worker with ready jobs; those that nobody can read have none."""
    found: dict[str, Backlog] = {}
    for queue in queues:
        for worker, backlog in _of(queue, bound).items():
            found[worker] = _sum(found[worker], backlog) if worker in found else backlog
    return found


def _of(queue: Queue, bound: int) -> dict[str, Backlog]:
    size, looked_at = queue.size, 0
    jobs: Counter[str] = Counter()
    since: dict[str, float | None] = {}
    for chunk in _chunks(queue, bound):
        looked_at += len(chunk)
        for job in chunk:
            if job.worker is not None:
                jobs[job.worker] += 1
                since[job.worker] = _earlier(since.get(job.worker), job.at)
    is_exact = looked_at >= size
    rate = 1.0 if is_exact else size / looked_at
    return {
        worker: Backlog(round(count * rate), since[worker], is_exact)
        for worker, count in jobs.items()
    }


def _chunks(queue: Queue, bound: int) -> Iterator[list[JobRecord]]:
    for _, chunk in queue.chunks():
        yield chunk
        bound -= len(chunk)
        if bound <= 0:
            return


def _sum(one: Backlog, other: Backlog) -> Backlog:
    return Backlog(
        one.jobs + other.jobs,
        _earlier(one.since, other.since),
        one.is_exact and other.is_exact,
    )


def _earlier(one: float | None, other: float | None) -> float | None:
    known = [at for at in (one, other) if at is not None]
    return min(known, default=None)
