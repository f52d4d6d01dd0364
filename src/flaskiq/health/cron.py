"""Cron: whether any scheduler looks, as Redis knows it."""

from __future__ import annotations

from flaskiq.cron.leader import TTL
from flaskiq.health.bounded import Bounded
from flaskiq.health.broker import PATIENCE, Broker
from flaskiq.health.trouble import TroubleError
from flaskiq.store.store import Store

LATE = 2 * TTL
"""Seconds without a look: meanwhile another would have come to lead."""


class Cron:
    """For workers that run the scheduler too: one of all leads, maybe elsewhere."""

    def __init__(self, broker: Broker) -> None:
        self._age = Bounded(lambda: broker.ask(_age), PATIENCE)

    def look(self) -> str:
        """Say when the leader has looked.

        Raises:
            TroubleError: none has for too long, or Redis does not answer.
        """
        age = self._age()
        if age is None:
            raise TroubleError("no scheduler has looked yet")
        if age > LATE:
            raise TroubleError(f"no scheduler has looked for {age:.0f} s")
        return f"looked {max(0.0, age):.1f} s ago"


def _age(store: Store) -> float | None:
    at = store.cron.leadership().ticked_at
    return None if at is None else store.now() - at
