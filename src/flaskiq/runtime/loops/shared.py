"""The loops that all workers of an app share: each runs them, and whoever comes first acts."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from celery import Celery

from flaskiq.runtime.death import Verdict
from flaskiq.runtime.failures import fail
from flaskiq.runtime.loops.loop import Loop
from flaskiq.runtime.loops.promoter import Promoter
from flaskiq.runtime.loops.reaper import Reaper
from flaskiq.store.store import Store

further: WeakKeyDictionary[Celery, list[Callable[[Celery], Loop]]] = WeakKeyDictionary()
"""What makes the other loops that the workers of an app are to run."""


def shared_loops(celery: Celery, open_store: Callable[[], Store]) -> list[Loop]:
    """Return the loops, not started yet."""
    ttl = float(celery.conf.broker_transport_options["heartbeat_ttl"])

    def tell(verdict: Verdict) -> None:
        fail(celery, verdict.job_id, verdict.message, verdict.error)

    own = [make(celery) for make in further.get(celery, ())]
    return [Promoter(open_store), Reaper(open_store, ttl, tell), *own]
