"""Batches: jobs that belong together, how far they have come, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kombu.utils.json import dumps, loads
from redis import Redis

from flaskiq.store import script
from flaskiq.store.catch import Caught
from flaskiq.store.keys import Keys
from flaskiq.store.reading import Reading, readable

KEPT = 30 * 86_400
"""Seconds that a batch is kept after the last thing that happened in it: Sidekiq's."""

KEPT_AFTER_SUCCESS = 86_400
"""Seconds; long enough to look at it."""

Outcome = Literal["failed", "dead", "done", "skipped"]
"""How an attempt of a job of a batch ended; ``failed`` is followed by another."""

Event = Literal["complete", "success", "death"]
"""What can happen to a batch, each once (``scripts/batch.lua``)."""

EVENTS: tuple[Event, ...] = ("complete", "success", "death")

_COUNTS = ("total", "fresh", "failed", "dead", "done", "skipped")


class BatchRecord(NamedTuple):
    """A batch as it is; times in seconds since the epoch, None for what has not happened.

    ``fresh`` jobs have not run yet, ``failed`` ones wait for another attempt, ``skipped`` ones were
    discarded or cancelled. An ``is_open`` one is still being filled. ``callbacks`` are what the
    batches within it have called, and that is not over; ``dead_callbacks`` those that died.
    """

    id: str
    description: str
    parent: str | None
    tenant: Mapping[str, str]
    is_open: bool
    total: int
    fresh: int
    failed: int
    dead: int
    done: int
    skipped: int
    callbacks: int
    dead_callbacks: int
    created_at: float
    complete_at: float | None
    success_at: float | None
    death_at: float | None
    cancelled_at: float | None
    children: int

    @property
    def pending(self) -> int:
        """Jobs that are not over."""
        return self.fresh + self.failed + self.dead

    @property
    def failures(self) -> int:
        """Jobs whose last attempt has failed."""
        return self.failed + self.dead

    @property
    def progress(self) -> float:
        """The share of its jobs that are over, from 0 to 1."""
        return (self.done + self.skipped) / self.total if self.total else 1.0

    @property
    def state(self) -> str:
        """``open``, ``running``, ``blocked`` by a dead job, ``cancelled`` or ``success``."""
        if self.success_at is not None:
            return "success"
        if self.cancelled_at is not None:
            return "cancelled"
        if self.dead or self.dead_callbacks:
            return "blocked"
        return "open" if self.is_open else "running"

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        return {
            **self._asdict(),
            "pending": self.pending,
            "failures": self.failures,
            "progress": self.progress,
            "state": self.state,
        }

    @classmethod
    def read(cls, batch_id: str, found: Mapping[bytes, bytes], children: int) -> BatchRecord:
        """Return the batch in these fields."""
        fields = {name.decode(): value for name, value in found.items()}

        def at(event: str) -> float | None:
            value = fields.get(f"{event}_at")
            return float(value) if value else None

        return cls(
            id=batch_id,
            description=fields.get("description", b"").decode(),
            parent=fields["parent"].decode() if "parent" in fields else None,
            tenant=loads(fields.get("tenant", b"{}")),
            is_open="open" in fields,
            **{name: int(fields.get(name, 0)) for name in _COUNTS},
            callbacks=sum(int(fields.get(f"callback-{name}", 0)) for name in ("fresh", "failed")),
            dead_callbacks=int(fields.get("callback-dead", 0)),
            created_at=float(fields["created_at"]),
            complete_at=at("complete"),
            success_at=at("success"),
            death_at=at("death"),
            cancelled_at=at("cancelled"),
            children=children,
        )


class Batches:
    """All batches of a database. Each change is one script; so an event fires once."""

    def __init__(self, client: Redis, keys: Keys, kept_dead: float) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._kept_dead = int(kept_dead)
        self._batch = script.load(client, "batch")

    def begin(
        self,
        batch_id: str,
        fields: Mapping[str, str | bytes],
        jobs: Sequence[Caught] = (),
        *,
        more_follows: bool = False,
    ) -> None:
        """Begin a batch and enqueue its first jobs; nothing if it was begun before."""
        state = "open" if more_follows else "close"
        self._run(batch_id, "new", "", state, fields=fields, jobs=jobs)

    def add(
        self,
        batch_id: str,
        jobs: Sequence[Caught],
        *,
        by: str = "",
        more_follows: bool | None = None,
    ) -> bool:
        """Add jobs, and enqueue them; False if it takes none from there.

        ``by`` is a job of the batch that is not over; ``more_follows`` None is for such a job.
        """
        state = "" if more_follows is None else "open" if more_follows else "close"
        return self._run(batch_id, "add", by, state, jobs=jobs)

    def settle(self, batch_id: str, ended: Iterable[tuple[str, Outcome]]) -> None:
        """Note how jobs ended; nothing for one that is not of the batch, or was over before."""
        self._run(batch_id, "", "", "", ended=list(ended))

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
        keys = self._keys
        arguments: list[Any] = [keys.batch(""), keys.wake, batch_id, how, by, state]
        arguments += [KEPT, KEPT_AFTER_SUCCESS, self._kept_dead]
        arguments += [len(fields or {}), len(ended), len(jobs)]
        for pair in (*(fields or {}).items(), *ended):
            arguments += pair
        for job_id, at, placed in jobs:
            arguments += [job_id, "" if at is None else repr(at), *placed]
        names = [keys["scheduled"], keys.jobs("scheduled"), keys.promoter, keys.batches]
        return bool(self._batch(names, arguments))

    def close(self, batch_id: str) -> None:
        """Say that nothing is added from outside any more."""
        self._run(batch_id, "", "", "close")

    def cancel(self, batch_id: str, at: float) -> list[str]:
        """Let a batch take no more jobs and never succeed; return the jobs that are not over."""
        if not self._client.exists(self._keys.batch(batch_id)):
            return []
        self._client.hsetnx(self._keys.batch(batch_id), "cancelled_at", at)
        found = self.unfinished(batch_id).items()
        return [job_id for job_id, state in found if state in ("fresh", "failed")]

    @readable
    def get(self, batch_id: str) -> Reading[BatchRecord | None]:
        """Return a batch, None if it is not known."""
        return next(iter((yield from self._read([batch_id]))), None)

    @readable
    def last(self, most: int, skipped: int = 0) -> Reading[list[BatchRecord]]:
        """Return the batches that were begun last, the newest first, behind those skipped."""
        (ids,) = yield [("ZRANGE", self._keys.batches, skipped, skipped + most - 1, "REV")]
        return (yield from self._read([each.decode() for each in ids]))

    @readable
    def unfinished(self, batch_id: str) -> Reading[dict[str, str]]:
        """The jobs that are not over: id, and ``fresh``, ``failed`` or ``dead``.

        What batches within it have called has ``callback-`` before that.
        """
        (found,) = yield [("HGETALL", self._keys.batch_jobs(batch_id))]
        return {job_id.decode(): state.decode() for job_id, state in found.items()}

    def children(self, batch_id: str) -> list[str]:
        """The batches in it that have not succeeded."""
        found = self._client.smembers(self._keys.batch_children(batch_id))
        return sorted(each.decode() for each in found)

    def properties(self, batch_id: str) -> dict[str, Any]:
        """What its jobs share."""
        found = self._client.hgetall(self._keys.batch(batch_id))
        return {
            name.decode().removeprefix("property:"): loads(value)
            for name, value in found.items()
            if name.startswith(b"property:")
        }

    def set_properties(self, batch_id: str, values: Mapping[str, Any]) -> bool:
        """Change some of it; False if the batch is not known."""
        if not self._client.exists(self._keys.batch(batch_id)):
            return False
        packed = {f"property:{name}": dumps(value) for name, value in values.items()}
        if packed:
            self._client.hset(self._keys.batch(batch_id), mapping=packed)
        return True

    def _read(self, batch_ids: Sequence[str]) -> Reading[list[BatchRecord]]:
        found = yield [
            command
            for batch_id in batch_ids
            for command in (
                ("HGETALL", self._keys.batch(batch_id)),
                ("SCARD", self._keys.batch_children(batch_id)),
            )
        ]
        parts = zip(batch_ids, found[::2], found[1::2], strict=True)
        return [
            BatchRecord.read(batch_id, fields, children)
            for batch_id, fields, children in parts
            if fields
        ]
