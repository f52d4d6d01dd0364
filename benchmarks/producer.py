"""The client process: ``python -m benchmarks.producer MODULE OPERATION COUNT [INTERVAL]``.

Warms up, prints READY, waits for a line, works, and prints ``{"seconds": ..., "cpu": ...}``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

WARM_UP = 50
"""Jobs before the clock starts: connections are made, templates and caches filled."""


def enqueue(jobs: Any, count: int) -> Callable[[], None]:
    """One no-op job after the other."""
    _each(jobs.enqueue, WARM_UP)
    return lambda: _each(jobs.enqueue, count)


def bulk(jobs: Any, count: int) -> Callable[[], None]:
    """All no-op jobs by one call."""
    jobs.bulk(range(WARM_UP))
    return lambda: jobs.bulk(range(count))


def fill(jobs: Any, count: int) -> Callable[[], None]:
    """No-op jobs for a worker to drain; no job twice, so no warm-up."""
    return lambda: jobs.fill(range(count))


def fill_io(jobs: Any, count: int) -> Callable[[], None]:
    """The same with jobs that wait."""
    return lambda: _each(jobs.enqueue_io, count)


def timed(jobs: Any, count: int, interval: float) -> Callable[[], None]:
    """A job each ``interval`` seconds; job 0 before the clock starts, to see the worker ready."""
    jobs.enqueue_timed(0, time.monotonic())
    return lambda: _steadily(jobs.enqueue_timed, count, interval)


OPERATIONS: dict[str, Callable[..., Callable[[], None]]] = {
    each.__name__: each for each in (enqueue, bulk, fill, fill_io, timed)
}


def main(module: str, operation: str, count: str, *more: str) -> None:
    work = OPERATIONS[operation](import_module(module), int(count), *map(float, more))
    _say("READY")
    sys.stdin.readline()
    cpu, start = _cpu_seconds(), time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    _say(json.dumps({"seconds": seconds, "cpu": _cpu_seconds() - cpu}))


def _each(enqueue: Callable[[int], None], count: int) -> None:
    for index in range(count):
        enqueue(index)


def _steadily(enqueue: Callable[[int, float], None], count: int, interval: float) -> None:
    start = time.monotonic()
    for index in range(1, count):
        time.sleep(max(0.0, start + index * interval - time.monotonic()))
        enqueue(index, time.monotonic())


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
