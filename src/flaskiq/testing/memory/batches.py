"""Batches in memory: the moves of ``store/scripts/batch.lua``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from kombu.utils.json import dumps, loads

from flaskiq.store.batches import Batches, BatchRecord, Event, Outcome
from flaskiq.store.catch import Caught
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable
from flaskiq.testing.memory.job_set import MemoryJobSet
from flaskiq.testing.memory.nobody import InPart, nobody
from flaskiq.testing.memory.queues import MemoryQueues

CALLBACK = "callback-"
"""Before the state of what a batch within another has called."""


@dataclass
class MemoryBatch:
    """One batch; ``jobs`` are those that are not over, with their states."""

    fields: dict[str, str | bytes]
    counts: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, str] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    incomplete: set[str] = field(default_factory=set)

    @property
    def waits(self) -> bool:
        """Whether it is not complete."""
        return bool("open" in self.fields or self.counts["fresh"] or self._calls or self.incomplete)

    @property
    def _calls(self) -> int:
        return self.counts[f"{CALLBACK}fresh"]

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left, and it was not cancelled."""
        return not (self.jobs or self.children or "cancelled_at" in self.fields)


class MemoryBatches(InPart, Batches):
    """See :class:`flaskiq.store.batches.Batches`."""

    def __init__(self, queues: MemoryQueues, scheduled: MemoryJobSet) -> None:
        self._client = nobody
        self._queues, self._scheduled = queues, scheduled
        self._known: dict[str, MemoryBatch] = {}

    def clear(self) -> None:
        """Forget all batches."""
        self._known.clear()

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
        if how == "new":
            if batch_id in self._known:
                return True
            self._begin(batch_id, fields or {})
        batch = self._known.get(batch_id)
        if batch is None or (how == "add" and not self._takes_jobs(batch, by)):
            return False
        for job_id, outcome in ended:
            self._settle(batch_id, batch, job_id, outcome)
        for caught in jobs:
            self._add(batch, caught)
        if state == "open":
            batch.fields["open"] = "1"
        elif state == "close":
            batch.fields.pop("open", None)
        self._move_on(batch_id)
        return True

    def _begin(self, batch_id: str, fields: Mapping[str, str | bytes]) -> None:
        batch = MemoryBatch({**fields, "created_at": str(time())})
        self._known[batch_id] = batch
        parent = self._known.get(_text(batch.fields.get("parent")))
        if parent is not None:
            parent.children.add(batch_id)
            parent.incomplete.add(batch_id)

    def _takes_jobs(self, batch: MemoryBatch, by: str) -> bool:
        if "cancelled_at" in batch.fields:
            return False
        return by in batch.jobs if by else "open" in batch.fields

    def _settle(self, batch_id: str, batch: MemoryBatch, job_id: str, outcome: Outcome) -> None:
        before = batch.jobs.get(job_id)
        if before is None:
            return
        state = f"{CALLBACK}{outcome}" if before.startswith(CALLBACK) else str(outcome)
        if before == state:
            return
        if outcome in ("failed", "dead"):
            batch.jobs[job_id] = state
        else:
            del batch.jobs[job_id]
        batch.counts[before] -= 1
        batch.counts[state] += 1
        if outcome == "dead":
            for each in self._upwards(batch_id):
                self._fire(each, "death")

    def _add(self, batch: MemoryBatch, caught: Caught) -> None:
        batch.jobs[caught.id] = "fresh"
        batch.counts["total"] += 1
        batch.counts["fresh"] += 1
        if caught.at is None:
            self._queues.push(caught.placed.queue, [caught.placed.message])
        else:
            self._scheduled.add(caught.id, caught.at, caught.placed)

    def _upwards(self, batch_id: str) -> Iterator[str]:
        """The batch, and those around it."""
        while batch_id in self._known:
            yield batch_id
            batch_id = _text(self._known[batch_id].fields.get("parent"))

    def _fire(self, batch_id: str, event: Event) -> bool:
        """Let an event happen, if it has not; return whether it has now."""
        batch = self._known[batch_id]
        if f"{event}_at" in batch.fields:
            return False
        batch.fields[f"{event}_at"] = str(time())
        packed = batch.fields.get(f"on_{event}")
        if isinstance(packed, bytes):
            parent = self._known.get(_text(batch.fields.get("parent")))
            if parent is not None:
                parent.jobs[_text(batch.fields[f"{event}_job"])] = f"{CALLBACK}fresh"
                parent.counts[f"{CALLBACK}fresh"] += 1
            placed = Placed.unpack(packed)
            self._queues.push(placed.queue, [placed.message])
        return True

    def _move_on(self, batch_id: str) -> None:
        for each in self._upwards(batch_id):
            batch = self._known[each]
            has_gone_on = False
            if not batch.waits:
                has_gone_on = self._fire(each, "complete")
                if batch.is_done:
                    has_gone_on = self._fire(each, "success") or has_gone_on
            parent = self._known.get(_text(batch.fields.get("parent")))
            if not has_gone_on or parent is None:
                return
            parent.incomplete.discard(each)
            if "success_at" in batch.fields:
                parent.children.discard(each)

    def cancel(self, batch_id: str, at: float) -> list[str]:
        """Let a batch take no more jobs and never succeed; return the jobs that are not over."""
        batch = self._known.get(batch_id)
        if batch is None:
            return []
        batch.fields.setdefault("cancelled_at", str(at))
        return [each for each, state in batch.jobs.items() if state in ("fresh", "failed")]

    @readable
    def get(self, batch_id: str) -> Reading[BatchRecord | None]:
        """Return a batch, None if it is not known."""
        yield []
        batch = self._known.get(batch_id)
        if batch is None:
            return None
        counts = {name.encode(): b"%d" % count for name, count in batch.counts.items()}
        fields = {
            name.encode(): value if isinstance(value, bytes) else value.encode()
            for name, value in batch.fields.items()
        }
        return BatchRecord.read(batch_id, {**fields, **counts}, len(batch.children))

    @readable
    def unfinished(self, batch_id: str) -> Reading[dict[str, str]]:
        """The jobs that are not over: id and state."""
        yield []
        batch = self._known.get(batch_id)
        return dict(batch.jobs) if batch else {}

    def children(self, batch_id: str) -> list[str]:
        """The batches in it that have not succeeded."""
        batch = self._known.get(batch_id)
        return sorted(batch.children) if batch else []

    def properties(self, batch_id: str) -> dict[str, Any]:
        """What its jobs share."""
        batch = self._known.get(batch_id)
        return {
            name.removeprefix("property:"): loads(value)
            for name, value in (batch.fields if batch else {}).items()
            if name.startswith("property:")
        }

    def set_properties(self, batch_id: str, values: Mapping[str, Any]) -> bool:
        """Change some of it; False if the batch is not known."""
        batch = self._known.get(batch_id)
        if batch is not None:
            batch.fields.update({f"property:{name}": dumps(each) for name, each in values.items()})
        return batch is not None


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
