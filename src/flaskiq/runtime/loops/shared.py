"""The loops that all workers of an app share: each runs them, and whoever comes first acts."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from celery import Celery
from kombu.utils.imports import symbol_by_name

from flaskiq.message import read_envelope
from flaskiq.runtime.death import Verdict
from flaskiq.runtime.failures import fail
from flaskiq.runtime.loops.loop import Loop
from flaskiq.runtime.loops.promoter import Promoter
from flaskiq.runtime.loops.reaper import Reaper
from flaskiq.runtime.told import outcome_of, tell_death
from flaskiq.store.store import Store

further: WeakKeyDictionary[Celery, list[str]] = WeakKeyDictionary()
"""The other loops that the workers of an app are to run: ``module:what makes one``.

By name, since they need much that no other process needs.
"""


OpenStore = Callable[[], Store]


def load(celery: Celery) -> list[Callable[[Celery, OpenStore], Loop]]:
    """Import what makes the other loops."""
    return [symbol_by_name(each) for each in further.get(celery, ())]


def shared_loops(celery: Celery, open_store: OpenStore) -> list[Loop]:
    """Return the loops, not started yet."""
    ttl = float(celery.conf.broker_transport_options["heartbeat_ttl"])

    def tell(verdict: Verdict, queue: str) -> None:
        if verdict.deaths:  # else nobody can read it, and who takes it says so
            headers = read_envelope(verdict.message)["headers"]
            tell_death(verdict, outcome_of(celery, headers, queue, "requeued"))

    def end(verdict: Verdict) -> None:
        fail(celery, verdict.job_id, verdict.message, verdict.error)

    own = [make(celery, open_store) for make in load(celery)]
    return [Promoter(open_store), Reaper(open_store, ttl, tell, end), *own]
