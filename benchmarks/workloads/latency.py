"""Latency: from the call that enqueues a job to its start, on a worker that has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.contestant import LATENCY, Contestant
from benchmarks.processes import ContestantError, Workers
from benchmarks.record import Record
from benchmarks.sample import Sample

STARTS_WITHIN = 30.0  # seconds
ENDS_WITHIN = 15.0
SETTLE = 0.5  # seconds: a second process may still be starting
SKIPPED = 10
"""The first jobs, which meet cold caches."""


def measure(bench: Bench, contestant: Contestant) -> list[Sample]:
    """One job each ``contestant.interval`` seconds."""
    count = bench.jobs(contestant, LATENCY, 160) + SKIPPED
    bench.server.clear()
    with (
        Record(count) as record,
        bench.workers(contestant, record) as workers,
        bench.producer(contestant, "timed", count) as producer,
    ):
        wait_for_first(record, workers)
        time.sleep(SETTLE)
        producer.work()
        poll(lambda: all(record.latencies()), ENDS_WITHIN)
        measured = record.latencies()[SKIPPED:]
        started = sorted(filter(None, measured))
        if not started:
            raise ContestantError(f"no job ran: {workers.explain()}")
        return [
            Sample(
                contestant.name,
                LATENCY,
                workers.count(),
                p50_ms=_quantile(started, 0.50) * 1e3,
                p95_ms=_quantile(started, 0.95) * 1e3,
                lost=len(measured) - len(started),
            )
        ]


def wait_for_first(record: Record, workers: Workers) -> None:
    """Wait until job 0 has run, which says that the worker is up."""

    def ran() -> bool:
        workers.check()
        return record.latencies()[0] > 0

    if not poll(ran, STARTS_WITHIN):
        raise ContestantError(f"the worker runs no job: {workers.explain()}")


def poll(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until ``condition`` is true; False if it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
