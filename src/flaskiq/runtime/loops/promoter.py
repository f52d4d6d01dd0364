"""Promoter: moves jobs that have come due to their queues."""

from __future__ import annotations

from redis import TimeoutError as RedisTimeoutError

from flaskiq.runtime.loops.loop import Loop
from flaskiq.store.store import PROMOTED_AT_ONCE, Store

LONGEST_WAIT = 60.0
"""Seconds; a job that is due before all others ends the wait by a token, and so does a death."""


class Promoter(Loop):
    """Runs in every worker; there is no leader, since a promotion is one script."""

    name = "promoter"

    def turn(self, store: Store) -> float:
        """Promote, then wait for the next job to come due, or for one that is due earlier."""
        promotion = store.promote()
        if promotion.moved >= PROMOTED_AT_ONCE:
            return 0
        due = LONGEST_WAIT if promotion.next_due is None else promotion.next_due
        if due > 0:
            # A timeout of 0 would wait for ever.
            self._wait(store, max(0.001, min(LONGEST_WAIT, due)))
        return 0

    def _wait(self, store: Store, seconds: float) -> None:
        try:
            store.await_promotion(seconds)
        except RedisTimeoutError:  # socket_timeout is shorter than the wait
            return
