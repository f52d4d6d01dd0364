"""Stock Celery: its defaults, and the best of its settings that we know."""

from __future__ import annotations

import json

from benchmarks.contestant import (
    BULK,
    BUSY,
    DRAIN,
    DRAIN_IO,
    ENQUEUE,
    LATENCY,
    MEMORY,
    WORKLOADS,
    Contestant,
)
from benchmarks.contestants.variants import variants

JOBS = "benchmarks.apps.celery_jobs"
START = ("celery", "-A", f"{JOBS}:app", "worker")
LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat")
COUNTS = {ENQUEUE: 4_000, BULK: 3_000, DRAIN: 4_000}

TUNED = {
    "BENCH_CELERY": json.dumps(
        {
            "task_ignore_result": True,
            "worker_prefetch_multiplier": 128,
            "worker_disable_rate_limits": True,
        }
    )
}
TUNED_NOTE = "ignore_result, prefetch 128, no rate limits, no gossip, mingle and heartbeat"


def _two(*options: str) -> tuple[tuple[str, ...], ...]:
    lean = (*START, *LEAN, *options)
    return (*lean, "-n", "a@%h"), (*lean, "-n", "b@%h")


SOLO = Contestant(
    "celery/solo",
    JOBS,
    ((*START, "-P", "solo"),),
    "celery worker -P solo, all else as it comes",
    counts=COUNTS,
    quick=(DRAIN, LATENCY, MEMORY),
)

CONTESTANTS = (
    Contestant(
        "celery/prefork2",
        JOBS,
        ((*START, "-c", "2"),),
        "celery worker -c 2, all else as it comes",
        slots=2,
        counts=COUNTS,
        quick=WORKLOADS,
    ),
    SOLO,
    Contestant(
        "celery/solo-x2",
        JOBS,
        _two("-P", "solo"),
        f"two of celery worker -P solo; {TUNED_NOTE}",
        slots=2,
        counts=COUNTS,
        workloads=BUSY,
        worker_env=TUNED,
    ),
    Contestant(
        "celery/threads-x2",
        JOBS,
        _two("-P", "threads", "-c", "10"),
        f"two of celery worker -P threads -c 10; {TUNED_NOTE}",
        slots=20,
        counts=COUNTS,
        workloads=BUSY,
        worker_env=TUNED,
    ),
    Contestant(
        "celery/prefork20",
        JOBS,
        ((*START, "-c", "20"),),
        "celery worker -c 20, all else as it comes",
        slots=20,
        workloads=(DRAIN_IO,),
    ),
    Contestant(
        "celery/prefork8",
        JOBS,
        ((*START, "-c", "8"),),
        "celery worker -c 8, all else as it comes",
        slots=8,
        workloads=(MEMORY,),
    ),
    *variants(SOLO),
)
