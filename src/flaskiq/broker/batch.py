"""A publish batch that wakes waiting processes once for each queue."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis

_PublishBatch: Any = vars(redis)["PublishBatch"]  # new in 5.7, and not in the stubs


class PublishBatch(_PublishBatch):
    """kombu's batch: many messages in one pipeline."""

    def __init__(self, channel: Any, max_size: int) -> None:
        super().__init__(channel, max_size)
        self._queues: set[str] = set()
        # In a pipeline of its own: kombu has none where redis-py would send all of it again.
        client = self._stack.enter_context(channel.Client(connection_pool=channel.unretried_pool))
        self.pipeline = self._stack.enter_context(client.pipeline(transaction=False))

    def wake(self, queue: str) -> None:
        """Put the wake token of a queue when the batch is sent."""
        self._queues.add(queue)

    def flush(self) -> None:
        """Send what is buffered, then the wake tokens."""
        super().flush()
        while self._queues:
            self.channel.store.queues.wake(self._queues.pop())
