"""Dramatiq, with the settings that were fastest here."""

from __future__ import annotations

from benchmarks.contestant import (
    DRAIN,
    DRAIN_IO,
    ENQUEUE,
    IDLE,
    LATENCY,
    MEMORY,
    Contestant,
)

JOBS = "benchmarks.apps.dramatiq_jobs"
COUNTS = {ENQUEUE: 8_000, DRAIN: 8_000}

HAS = (ENQUEUE, DRAIN, DRAIN_IO, LATENCY, MEMORY, IDLE)
"""It has no bulk call."""

CONTESTANTS = (
    Contestant(
        "dramatiq/tuned",
        JOBS,
        (("dramatiq", JOBS, "-p", "2", "-t", "2"),),
        "2 processes x 2 threads, dramatiq_queue_prefetch=200, only the Retries middleware",
        slots=4,
        counts=COUNTS,
        worker_env={"dramatiq_queue_prefetch": "200"},
        workloads=HAS,
        baseline="celery/prefork2",
        requires=("dramatiq",),
        quick=HAS,
    ),
    Contestant(
        "dramatiq/threads-x2",
        JOBS,
        (("dramatiq", JOBS, "-p", "2", "-t", "10"),),
        "2 processes x 10 threads, only the Retries middleware",
        slots=20,
        workloads=(DRAIN_IO,),
        baseline="celery/threads-x2",
        requires=("dramatiq",),
    ),
)
