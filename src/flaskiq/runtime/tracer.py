"""Celery's tracer, as somebody may have wrapped it: Sentry does, to see what jobs raise."""

from __future__ import annotations

from celery.app import trace
from celery.worker.consumer import consumer


def renew() -> None:
    """Let Celery's consumer make tracers as they are made now.

    It keeps what makes them from when it was imported, and we import it before an app can tell
    anybody to watch its jobs.
    """
    vars(consumer)["build_tracer"] = trace.build_tracer
