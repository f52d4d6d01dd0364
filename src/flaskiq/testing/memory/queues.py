"""Queues in memory."""

from __future__ import annotations

from collections.abc import Sequence

from flaskiq.store.queues import Queues
from flaskiq.testing.memory.nobody import InPart
from flaskiq.testing.memory.shelf import Shelf


class MemoryQueues(InPart, Queues):
    """See :class:`flaskiq.store.queues.Queues`. There is one list for each queue."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def push(self, queue: str, messages: Sequence[str | bytes], sublist: str = "") -> None:  # noqa: ARG002
        """Put jobs behind all others of a queue, whatever their message priority."""
        for message in messages:
            raw = message if isinstance(message, bytes) else message.encode()
            self._shelf.put(queue, raw)
            self._shelf.note(queue, raw)

    def wake(self, queue: str) -> None:
        """Nobody waits."""
