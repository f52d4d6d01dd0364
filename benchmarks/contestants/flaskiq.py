"""Flaskiq, as shipped and in its pools."""

from __future__ import annotations

import json
import os

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

JOBS = "benchmarks.apps.flaskiq_jobs"
START = ("flaskiq", "-A", f"{JOBS}:app", "worker", "start")
QUIET = "--loglevel=WARNING"  # as a stock Celery worker; ours logs two lines for each job by itself
# Stock Celery never replaces a child; we do after 1,000 jobs.
KEEP = "--max-tasks-per-child=1000000"
COUNTS = {ENQUEUE: 10_000, BULK: 20_000, DRAIN: 8_000}
LONG = {**COUNTS, DRAIN: 30_000}
"""A node takes a second or two to start; its memory is read when the drain is over."""

RESULTS = {"BENCH_RESULTS": "1"}

PREFETCH = {
    "BENCH_CELERY": json.dumps(
        {"worker_disable_prefetch": False, "worker_prefetch_multiplier": 128}
    )
}


def _worker(*options: str) -> tuple[str, ...]:
    return (*START, QUIET, *options)


def _two(*options: str) -> tuple[tuple[str, ...], ...]:
    return _worker("-n", "a@%h", *options), _worker("-n", "b@%h", *options)


SOLO = Contestant(
    "flaskiq/solo",
    JOBS,
    (_worker("-P", "solo"),),
    "flaskiq worker start -P solo, no line for each job; strict, one job fetched at a time",
    counts=COUNTS,
    baseline="celery/solo",
    quick=(DRAIN, LATENCY, MEMORY),
)

RUNTIME = Contestant(
    "flaskiq/runtime2",
    JOBS,
    (_worker("-c", "2", KEEP),),
    "flaskiq worker start -c 2, no line for each job, with prefetch: multiplier 128",
    slots=2,
    counts={**COUNTS, DRAIN: 200_000},
    workloads=BUSY,
    worker_env=PREFETCH,
    baseline="dramatiq/tuned",
)

CONTESTANTS = (
    RUNTIME,
    Contestant(
        "flaskiq/runtime2-strict",
        JOBS,
        (_worker("-c", "2", KEEP),),
        "flaskiq/runtime2 without prefetch: one job fetched at a time",
        slots=2,
        counts=LONG,
        workloads=BUSY,
        baseline="celery/prefork2",
    ),
    Contestant(
        "flaskiq/runtime2x10",
        JOBS,
        (_worker("--processes", "2", "--threads", "10", KEEP),),
        "flaskiq worker start --processes 2 --threads 10, with prefetch",
        slots=20,
        counts={**COUNTS, DRAIN: 200_000},
        workloads=BUSY,
        worker_env=PREFETCH,
        baseline="dramatiq/tuned",
    ),
    Contestant(
        "flaskiq/runtime8",
        JOBS,
        (_worker("-c", "8", KEEP),),
        "flaskiq worker start -c 8",
        slots=8,
        counts=LONG,
        workloads=(MEMORY,),
        baseline="celery/prefork8",
    ),
    Contestant(
        "flaskiq/default",
        JOBS,
        (START,),
        "flaskiq worker start: one process per CPU, strict, results, an INFO line for each job",
        env=RESULTS,
        slots=os.cpu_count() or 1,
        counts=LONG,
        baseline="celery/prefork2",
        quick=WORKLOADS,
    ),
    Contestant(
        "flaskiq/prefork2",
        JOBS,
        (_worker("-P", "prefork", "-c", "2", KEEP),),
        "flaskiq worker start -P prefork -c 2, no line for each job, children kept; strict",
        slots=2,
        counts=COUNTS,
        workloads=BUSY,
        baseline="celery/prefork2",
    ),
    Contestant(
        "flaskiq/prefork2-prefetch",
        JOBS,
        (_worker("-P", "prefork", "-c", "2", KEEP),),
        "flaskiq/prefork2 with prefetch: worker_disable_prefetch=False, multiplier 128",
        slots=2,
        counts=COUNTS,
        workloads=BUSY,
        worker_env=PREFETCH,
        baseline="celery/prefork2",
    ),
    SOLO,
    Contestant(
        "flaskiq/solo-prefetch",
        JOBS,
        (_worker("-P", "solo"),),
        "flaskiq/solo with prefetch: worker_disable_prefetch=False, multiplier 128",
        counts=COUNTS,
        workloads=BUSY,
        worker_env=PREFETCH,
        baseline="celery/solo",
        quick=(DRAIN,),
    ),
    Contestant(
        "flaskiq/solo-x2",
        JOBS,
        _two("-P", "solo"),
        "two of flaskiq/solo-prefetch",
        slots=2,
        counts=COUNTS,
        workloads=BUSY,
        worker_env=PREFETCH,
        baseline="celery/solo-x2",
    ),
    Contestant(
        "flaskiq/threads-x2",
        JOBS,
        _two("-P", "threads", "-c", "10"),
        "two of flaskiq worker start -P threads -c 10, prefetch",
        slots=20,
        counts=COUNTS,
        workloads=BUSY,
        worker_env=PREFETCH,
        baseline="celery/threads-x2",
    ),
    Contestant(
        "flaskiq/prefork20",
        JOBS,
        (_worker("-P", "prefork", "-c", "20"),),
        "flaskiq worker start -P prefork -c 20, strict",
        slots=20,
        workloads=(DRAIN_IO,),
        baseline="celery/prefork20",
    ),
    Contestant(
        "flaskiq/from-celery",
        "benchmarks.apps.celery_jobs",
        (_worker("-P", "solo"),),
        "a stock Celery client enqueues for flaskiq/solo, a job each 250 ms",
        env={"BENCH_QUEUE": "default"},
        workloads=(LATENCY,),
        counts={LATENCY: 60},
        baseline="celery/solo",
        interval=0.25,
    ),
    *(
        Contestant(
            f"flaskiq/tenant-{how}",
            JOBS,
            (_worker("-P", "solo"),),
            f"enqueued in an app context; {note}",
            env={"BENCH_TENANT": how},
            counts=COUNTS,
            workloads=(ENQUEUE, BULK),
            baseline="flaskiq/tenant-off",
        )
        for how, note in (
            ("off", "nobody asks for whom"),
            ("unused", "flask.g is asked, and knows nobody"),
            ("used", "with organization and user from flask.g"),
        )
    ),
    *variants(SOLO, "celery/solo"),
    *variants(RUNTIME, "celery/solo", drained=20_000),
)
