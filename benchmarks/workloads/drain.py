"""Drain: how fast workers empty a queue that was full when they started, and their memory then.

The clock runs from the first job that is seen to the last, so that starting up does not count.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.contestant import DRAIN, DRAIN_IO, MEMORY, Contestant
from benchmarks.processes import ContestantError, Workers
from benchmarks.record import Record
from benchmarks.sample import Sample, per_job
from benchmarks.server import Server

POLL = 0.002  # seconds
STALLED = 15.0  # seconds without a job, after which the rest counts as lost
SETTLE = 0.05  # seconds for the last acknowledgement, which is part of the price
IO_PER_SLOT = 100


@dataclass(frozen=True)
class _Reading:
    """What has been used so far, each number beside the count of jobs at its own moment."""

    seconds: float
    done: int
    commands: Counter[str]
    redis: float
    cpu: float
    cpu_done: int


def no_op(bench: Bench, contestant: Contestant) -> list[Sample]:
    """Jobs that do nothing: what is left is the job system."""
    count = bench.jobs(contestant, DRAIN, 4000)
    return _measure(bench, contestant, DRAIN, "fill", count)


def io(bench: Bench, contestant: Contestant) -> list[Sample]:
    """Jobs that wait 10 ms: ``slots`` x 100 jobs/s is the ceiling."""
    count = bench.jobs(contestant, DRAIN_IO, IO_PER_SLOT * max(2, contestant.slots))
    return _measure(bench, contestant, DRAIN_IO, "fill_io", count)[:1]


def _measure(
    bench: Bench, contestant: Contestant, workload: str, operation: str, count: int
) -> list[Sample]:
    server = bench.server
    server.clear()
    with bench.producer(contestant, operation, count) as producer:
        producer.work()
    with Record(count) as record, bench.workers(contestant, record) as workers:
        _wait(record, workers, 1)
        first = _read(server, record, workers)
        ended, done = _wait(record, workers, count)
        time.sleep(SETTLE)
        last = _read(server, record, workers)
        jobs = max(1, done - first.done)
        drained = Sample(
            contestant.name,
            workload,
            workers.count(),
            rate=jobs / (ended - first.seconds),
            cpu_us=(last.cpu - first.cpu) / max(1, done - first.cpu_done) * 1e6,
            redis_us=(last.redis - first.redis) / jobs * 1e6,
            commands=per_job(last.commands, first.commands, jobs),
            lost=count - done,
            repeated=record.repeated(),
        )
        memory = Sample(contestant.name, MEMORY, workers.count(), pss_mb=workers.pss_mb())
    return [drained, memory]


def _read(server: Server, record: Record, workers: Workers) -> _Reading:
    redis, commands = server.cpu_seconds(), server.commands()
    seconds, done = time.perf_counter(), record.done()
    return _Reading(seconds, done, commands, redis, workers.cpu_seconds(), record.done())


def _wait(record: Record, workers: Workers, wanted: int) -> tuple[float, int]:
    """Wait until ``wanted`` jobs are done, or nothing moves any more.

    Returns the moment of the last job that was seen, and how many there were.
    """
    moved, done = time.perf_counter(), record.done()
    while done < wanted:
        time.sleep(POLL)
        workers.check()
        before, done = done, record.done()
        if done > before:
            moved = time.perf_counter()
        elif time.perf_counter() - moved > STALLED:
            break
    if not done:
        raise ContestantError(f"no job ran: {workers.explain()}")
    return moved, done
