"""What the broker notes of chords, in memory: nothing, since no part can get lost there."""

from __future__ import annotations

from flaskiq.store.chords import Carrier, Chords
from flaskiq.testing.memory.nobody import InPart
from flaskiq.testing.memory.queues import MemoryQueues


class MemoryChords(InPart, Chords):
    """See :class:`flaskiq.store.chords.Chords`: only what publishing a part needs."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues

    def put(
        self,
        carrier: Carrier,
        part: tuple[str, str] | None,  # noqa: ARG002
        called_by: str | None,  # noqa: ARG002
    ) -> bool:
        """Enqueue a part, or the body."""
        self._queues.push(carrier.placed.queue, [carrier.placed.message])
        return True

    def note(self, carrier: Carrier, chord_id: str, part_id: str) -> None:
        """Nothing to note."""
