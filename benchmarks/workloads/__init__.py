"""The measurements, and which workloads each of them shows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import contestant as names
from benchmarks.bench import Bench
from benchmarks.contestant import Contestant
from benchmarks.sample import Sample
from benchmarks.workloads import drain, enqueue, idle, latency

MEASUREMENTS: dict[Callable[[Bench, Contestant], list[Sample]], tuple[str, ...]] = {
    enqueue.one_by_one: (names.ENQUEUE,),
    enqueue.bulk: (names.BULK,),
    drain.no_op: (names.DRAIN, names.MEMORY),
    drain.io: (names.DRAIN_IO,),
    latency.measure: (names.LATENCY,),
    idle.measure: (names.IDLE,),
}
