"""What is watched in real: what is enqueued goes to Redis as ever, and is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kombu.utils.json import dumps

from flaskiq.broker.channel import Channel
from flaskiq.broker.put import due, flight_of_next
from flaskiq.broker.transport import Transport
from flaskiq.store.batches import Batches, Outcome
from flaskiq.store.catch import Caught, catches
from flaskiq.store.queues import Queues
from flaskiq.store.store import Store

Note = Callable[[str, bytes, "float | None"], None]
"""Takes queue, message, and when it is due, None for now."""


class WatchedQueues(Queues):
    """Queues that note what is put there."""

    note: Note

    def push(self, queue: str, messages: Sequence[str | bytes], sublist: str = "") -> None:
        """See :meth:`Queues.push`."""
        super().push(queue, messages, sublist)
        for message in messages:
            self.note(queue, message if isinstance(message, bytes) else message.encode(), None)


class WatchedBatches(Batches):
    """Batches that note the jobs that are added."""

    note: Note
    note_callback: Callable[[str, str, bytes], None]

    def _run(
        self,
        batch_id: str,
        how: str,
        by: str,
        state: str,
        *,
        fields: Mapping[str, str | bytes] | None = None,
        ended: Sequence[tuple[str, Outcome]] = (),
        jobs: Sequence[Caught] = (),
    ) -> bool:
        done = super()._run(batch_id, how, by, state, fields=fields, ended=ended, jobs=jobs)
        for job in jobs if done else ():
            self.note(job.placed.queue, job.placed.message, job.at)
        for name, value in (fields or {}).items():
            if name.startswith("on_") and isinstance(value, bytes):
                self.note_callback(batch_id, name.removeprefix("on_"), value)
        return done


def watch(store: Store, note: Note, note_callback: Callable[[str, str, bytes], None]) -> Store:
    """Let a store tell of what is enqueued through it, and what batches are to call.

    ``note_callback`` takes the id of a batch, the event, and the message, packed.
    """
    for structure, watched in ((store.queues, WatchedQueues), (store.batches, WatchedBatches)):
        structure.__class__ = watched
        vars(structure).update(note=note, note_callback=note_callback)
    return store


class WatchedChannel(Channel):
    """A channel that notes what is published."""

    note: Note

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        headers = message.get("headers") or {}
        is_new = "id" in headers and flight_of_next(headers) is None and catches.get() is None
        super()._put(queue, message, **options)
        if is_new:
            self.note(queue, dumps(message).encode(), due(message))


def watched_transport(note: Note) -> type[Transport]:
    """Return the transport of an app whose jobs are noted."""
    channel = type("Channel", (WatchedChannel,), {"note": staticmethod(note)})
    return type("Transport", (Transport,), {"Channel": channel})
