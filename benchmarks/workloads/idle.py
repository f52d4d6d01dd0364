"""Idle: the commands and the CPU of a worker that has nothing to do."""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.contestant import IDLE, Contestant
from benchmarks.record import Record
from benchmarks.sample import Sample, per_job
from benchmarks.workloads.latency import wait_for_first

SETTLE = 2.0  # seconds after the only job
WINDOW, QUICK_WINDOW = 10.0, 3.0  # seconds


def measure(bench: Bench, contestant: Contestant) -> list[Sample]:
    """One job to see the worker up, then nothing."""
    bench.server.clear()
    with Record(1) as record, bench.workers(contestant, record) as workers:
        with bench.producer(contestant, "timed", 1) as producer:
            wait_for_first(record, workers)
            producer.work()
        time.sleep(SETTLE)
        cpu, commands, start = workers.cpu_seconds(), bench.server.commands(), time.perf_counter()
        time.sleep(QUICK_WINDOW if bench.quick else WINDOW)
        seconds = time.perf_counter() - start
        sent = per_job(bench.server.commands(), commands, 1)
        started = len(contestant.workers)
        return [
            Sample(
                contestant.name,
                IDLE,
                workers.count(),
                rate=sum(sent.values()) / seconds / started,
                cpu_us=(workers.cpu_seconds() - cpu) / seconds * 1e6,
            )
        ]
