"""Asking: pages ask Redis with little patience, since somebody waits for them."""

from __future__ import annotations

from typing import Any, TypeVar

from flaskiq import current
from flaskiq.broker.connection import open_store
from flaskiq.store.reading import Reading
from flaskiq.store.reading import ask as ask_by

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that Redis has for an answer."""

_KEPT = "flaskiq.dashboard"
"""Where an app keeps the connections of its pages."""


def ask(reading: Reading[T]) -> T:
    """Make the trips of a reading; return what it has found.

    Raises:
        redis.RedisError: Redis has not answered in time.
    """
    state = current.state()
    client: Any = state.app.extensions.get(_KEPT)
    if client is None:
        client = state.app.extensions[_KEPT] = open_store(state.celery, PATIENCE).client
    return ask_by(client, reading)
