"""The seven numbers."""

from __future__ import annotations

from flaskiq import current
from flaskiq.api.asked import asked
from flaskiq.store.numbers import Numbers, count
from flaskiq.store.reading import Reading


@asked
def numbers() -> Reading[Numbers]:
    """Return how many jobs there are of each kind, in one trip to Redis and in constant time."""
    state = current.state()
    return count(state.store.keys, list(state.celery.amqp.queues))
