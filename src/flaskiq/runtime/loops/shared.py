"""The loops that all workers of an app share: each runs them, and whoever comes first acts."""

from __future__ import annotations

from functools import partial

from celery import Celery

from flaskiq.broker.connection import open_store
from flaskiq.runtime.death import Verdict
from flaskiq.runtime.failures import fail
from flaskiq.runtime.loops.loop import Loop
from flaskiq.runtime.loops.promoter import Promoter
from flaskiq.runtime.loops.reaper import Reaper


def shared_loops(celery: Celery) -> list[Loop]:
    """Return the loops, not started yet."""
    ttl = float(celery.conf.broker_transport_options["heartbeat_ttl"])

    def tell(verdict: Verdict) -> None:
        fail(celery, verdict.job_id, verdict.message, verdict.error)

    open_own = partial(open_store, celery)
    return [Promoter(open_own), Reaper(open_own, ttl, tell)]
