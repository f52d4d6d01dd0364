"""Broker: whether Redis answers, over a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq.health.bounded import Bounded
from flaskiq.health.trouble import TroubleError
from flaskiq.store.store import Store

PATIENCE = 2.0
"""Seconds that Redis has to answer, less than a probe usually waits."""

T = TypeVar("T")


class Broker:
    """Asks by PING."""

    def __init__(self, open_store: Callable[[float], Store]) -> None:
        self._open_store = open_store
        self._store: Store | None = None
        self._failed_at: float | None = None
        self._answer = Bounded(self._ping, PATIENCE)

    def look(self) -> str:
        """Say how fast it answers.

        Raises:
            TroubleError: it does not.
        """
        try:
            return self._answer()
        except TroubleError:
            self._failed_at = monotonic()
            raise

    def has_failed_within(self, seconds: float) -> bool:
        """Whether Redis is out of reach, or was so a moment ago; asks it."""
        try:
            self.look()
        except TroubleError:
            return True
        return self._failed_at is not None and monotonic() - self._failed_at < seconds

    def ask(self, question: Callable[[Store], T]) -> T:
        """Ask Redis something, without a bound.

        Raises:
            TroubleError: it does not answer. Its own words are left out: they may hold an address.
        """
        try:
            store = self._store = self._store or self._open_store(PATIENCE)
            return question(store)
        except (RedisError, OSError, OperationalError) as error:
            raise TroubleError(f"Redis does not answer: {type(error).__name__}") from None

    def _ping(self) -> str:
        began = monotonic()
        self.ask(lambda store: store.client.ping())
        return f"answered in {1000 * (monotonic() - began):.1f} ms"
