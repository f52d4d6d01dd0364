"""Enqueue: how fast one client process puts no-op jobs onto a queue that nobody drains."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.contestant import BULK, ENQUEUE, Contestant
from benchmarks.sample import Sample, per_job


def one_by_one(bench: Bench, contestant: Contestant) -> list[Sample]:
    """``perform_async``, ``delay``, ``send``."""
    return [_measure(bench, contestant, ENQUEUE)]


def bulk(bench: Bench, contestant: Contestant) -> list[Sample]:
    """``perform_bulk``, ``group(...).apply_async()``."""
    return [_measure(bench, contestant, BULK)]


def _measure(bench: Bench, contestant: Contestant, workload: str) -> Sample:
    server, count = bench.server, bench.jobs(contestant, workload, 4000)
    server.clear()
    with bench.producer(contestant, workload, count) as producer:
        stored = server.stored_bytes()
        commands, redis = server.commands(), server.cpu_seconds()
        seconds, cpu = producer.work()
        return Sample(
            contestant.name,
            workload,
            rate=count / seconds,
            cpu_us=cpu / count * 1e6,
            redis_us=(server.cpu_seconds() - redis) / count * 1e6,
            commands=per_job(server.commands(), commands, count),
            bytes_per_job=(server.stored_bytes() - stored) / count,
        )
