"""What is added to a headline contestant to see its price; the same for Flaskiq and Celery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.contestant import DRAIN, ENQUEUE, Contestant

EVENTS = {"worker_send_task_events": True, "task_send_sent_event": True}

ENV = {
    "results": {"BENCH_RESULTS": "1"},
    "events": {"BENCH_CELERY": json.dumps(EVENTS)},
    "otel": {"BENCH_INSTRUMENT": "otel"},
    "sentry": {"BENCH_INSTRUMENT": "sentry"},
    "10kB": {"BENCH_PAYLOAD": "10000"},
}

NOTES = {
    "results": "results kept in Redis",
    "events": "events of client and worker",
    "otel": "OpenTelemetry's Celery instrumentation, spans batched and dropped",
    "sentry": "Sentry's Celery integration, every job traced, envelopes dropped",
    "10kB": "arguments of 10 kB",
}

REQUIRES = {
    "otel": ("opentelemetry.instrumentation.celery", "opentelemetry.sdk"),
    "sentry": ("sentry_sdk",),
}


def variants(
    headline: Contestant, baseline: str | None = None, *, drained: int = 1500
) -> Iterator[Contestant]:
    """Yield ``headline`` with each addition, and only the workloads that it changes.

    They have fewer jobs; of the fast ones enough, ``drained``, to see more than their start.
    """
    for name, env in ENV.items():
        yield replace(
            headline,
            name=f"{headline.name}+{name}",
            env={**headline.env, **env},
            note=f"{headline.note}; {NOTES[name]}",
            counts={ENQUEUE: 2500, DRAIN: drained},
            workloads=(ENQUEUE, DRAIN),
            baseline=f"{baseline}+{name}" if baseline else None,
            requires=(*headline.requires, *REQUIRES.get(name, ())),
            quick=(),
        )
