"""Chords: what Celery does not keep of them: their parts, their body, and that it was called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kombu.utils.json import dumps, loads
from redis import Redis
from redis.lock import Lock

from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable

KEPT = 8 * 24 * 60 * 60
"""Seconds that a chord is kept after it has last changed; longer than results are, by default."""

KEPT_AFTER_END = 24 * 60 * 60
"""Seconds that one which is over can still be looked at."""

ACTS = 500
"""Acts of repair that are remembered."""

UNPUBLISHED, ENDED = b"?", b"="


class Carrier(NamedTuple):
    """The job that is a part, or leads to it: a chain's first job leads to what its last one is."""

    id: str
    placed: Placed

    def pack(self) -> bytes:
        """Return the value for Redis: ``id NUL queue NUL list NUL message``."""
        return b"\0".join((self.id.encode(), self.placed.pack()))

    @classmethod
    def unpack(cls, value: bytes) -> Carrier:
        """Read what :meth:`pack` made."""
        job_id, placed = value.split(b"\0", 1)
        return cls(job_id.decode(), Placed.unpack(placed))


class RegisteredPart(NamedTuple):
    """A part as it was published; ``carrier`` is None if it was not, or if it has ended.

    ``name`` is the task of one that has ended.
    """

    id: str
    has_ended: bool = False
    name: str | None = None
    carrier: Carrier | None = None


class RegisteredChord(NamedTuple):
    """What was noted of a chord when it was published; times in seconds since the epoch.

    ``order`` are its parts as they were given, empty where they came from a generator; ``body`` is
    a signature; ``size`` is None if publishing has not come to its end.
    """

    id: str
    body: Mapping[str, Any]
    order: Sequence[str]
    parts: Sequence[RegisteredPart]
    size: int | None
    limit: int | None
    tenant: Mapping[str, str]
    created_at: float
    changed_at: float
    called: frozenset[str]
    held: Sequence[str]
    is_over: bool


class ChordSummary(NamedTuple):
    """What a list says of a chord; times in seconds since the epoch.

    ``verdict`` and ``reason`` are of the watcher's last look, empty if it has not looked yet.
    """

    id: str
    body: str
    size: int | None
    ended: int
    created_at: float
    changed_at: float
    verdict: str
    reason: str


class Act(NamedTuple):
    """Something that was done to repair a chord."""

    at: float
    chord: str
    act: str
    part: str
    detail: str


class Chords:
    """All chords of a database."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._put = script.load(client, "chord_put")
        self._returned = script.load(client, "chord_returned")

    def begin(
        self,
        chord_id: str,
        body: Mapping[str, Any],
        order: Sequence[str],
        tenant: Mapping[str, str],
        limit: int | None,
    ) -> None:
        """Note a chord that is about to be published; ``limit`` parts may be out at once."""
        now = time.time()
        keys = (self._keys.chord(chord_id), self._keys.chord_parts(chord_id))
        fields = {
            "body": dumps(body),
            "order": dumps(order),
            "tenant": dumps(tenant),
            "created_at": now,
            "changed_at": now,
        }
        if limit is not None:
            fields["limit"] = limit
        with self._client.pipeline() as pipe:
            # A frozen chord that is published again is a new one with the old id.
            pipe.delete(*keys, self._keys.chord_held(chord_id), self._keys.chord_called(chord_id))
            pipe.hset(keys[0], mapping=fields)
            if order:
                pipe.hset(keys[1], mapping=dict.fromkeys(order, UNPUBLISHED))
            for key in keys:
                pipe.expire(key, KEPT)
            body_id = (body.get("options") or {}).get("task_id")
            if body_id:
                pipe.set(self._keys.chord_of(body_id), chord_id, ex=KEPT)
            pipe.zadd(self._keys.chords, {chord_id: now})
            pipe.zremrangebyscore(self._keys.chords, "-inf", now - 4 * KEPT)
            pipe.execute()

    def set_size(self, chord_id: str, size: int) -> None:
        """Note how many parts there are, which Celery knows with the last of them."""
        with self._client.pipeline() as pipe:
            pipe.hset(self._keys.chord(chord_id), "size", size)
            pipe.expire(self._keys.chord(chord_id), KEPT)
            pipe.execute()

    def put(
        self,
        carrier: Carrier,
        part: tuple[str, str] | None,
        called_by: str | None,
    ) -> bool:
        """Enqueue a message that is ``part`` (chord and part), or what a chord calls, or both.

        Returns False if the chord has called it before, or the part is held back.
        """
        chord_id, part_id = part or ("", "")
        keys = [
            carrier.placed.list,
            self._keys.wake + carrier.placed.queue,
            self._keys.chord_called(called_by or ""),
            self._keys.chord(chord_id),
            self._keys.chord_parts(chord_id),
            self._keys.chord_held(chord_id),
        ]
        once = carrier.id if called_by else ""
        value = carrier.pack() if part else b""
        return bool(self._put(keys, [carrier.placed.message, once, part_id, value, KEPT]))

    def note(self, carrier: Carrier, chord_id: str, part_id: str) -> None:
        """Note the message of a part that is enqueued in another way: it waits for a time."""
        self._client.hset(self._keys.chord_parts(chord_id), part_id, carrier.pack())
        self._client.expire(self._keys.chord_parts(chord_id), KEPT)

    def note_called(self, chord_id: str, message_id: str) -> None:
        """Note that a chord has called something that is enqueued in another way."""
        self._client.sadd(self._keys.chord_called(chord_id), message_id)
        self._client.expire(self._keys.chord_called(chord_id), KEPT)

    def returned(self, chord_id: str, part_id: str = "", name: str = "") -> int:
        """Note that a part has ended, and enqueue the next one that is held back.

        Returns how many have not ended, -1 if the chord is not known.
        """
        keys = [
            self._keys.chord(chord_id),
            self._keys.chord_parts(chord_id),
            self._keys.chord_held(chord_id),
        ]
        return int(self._returned(keys, [part_id, time.time(), self._keys.wake, KEPT, name]))

    def has_called(self, chord_id: str) -> bool:
        """Whether its body was enqueued."""
        return bool(self._client.exists(self._keys.chord_called(chord_id)))

    def finish(self, chord_id: str) -> None:
        """Note that a chord is over."""
        with self._client.pipeline() as pipe:
            pipe.zrem(self._keys.chords, chord_id)
            pipe.hsetnx(self._keys.chord(chord_id), "over_at", time.time())
            for key in (
                self._keys.chord(chord_id),
                self._keys.chord_parts(chord_id),
                self._keys.chord_called(chord_id),
            ):
                pipe.expire(key, KEPT_AFTER_END)
            pipe.execute()

    def unfinished(self, before: float | None = None) -> list[str]:
        """The chords that are not over, the oldest first; those published ``before`` a time."""
        to = "+inf" if before is None else before
        found = self._client.zrangebyscore(self._keys.chords, "-inf", to)
        return [each.decode() for each in found]

    @readable
    def last(self, most: int, skipped: int = 0) -> Reading[list[ChordSummary]]:
        """The chords that are not over, the newest first, behind those skipped."""
        (found,) = yield [("ZRANGE", self._keys.chords, skipped, skipped + most - 1, "REV")]
        ids = [each.decode() for each in found]
        facts = yield [("HMGET", self._keys.chord(each), *_FACTS) for each in ids]
        return [_summary(each, *own) for each, own in zip(ids, facts, strict=True) if own[0]]

    def judge(self, chord_id: str, verdict: str, reason: str) -> None:
        """Note how a chord was doing when somebody looked."""
        with self._client.pipeline() as pipe:
            pipe.hset(self._keys.chord(chord_id), mapping={"verdict": verdict, "reason": reason})
            pipe.expire(self._keys.chord(chord_id), KEPT)
            pipe.execute()

    def get(self, chord_id: str) -> RegisteredChord | None:
        """Return what is noted of a chord; None if nothing is."""
        with self._client.pipeline() as pipe:
            pipe.hgetall(self._keys.chord(chord_id))
            pipe.hgetall(self._keys.chord_parts(chord_id))
            pipe.smembers(self._keys.chord_called(chord_id))
            pipe.lrange(self._keys.chord_held(chord_id), 0, -1)
            found, parts, called, held = pipe.execute()
        fields = {name.decode(): value for name, value in found.items()}
        if "body" not in fields:
            return None
        return RegisteredChord(
            id=chord_id,
            body=loads(fields["body"]),
            order=loads(fields["order"]),
            parts=[_part(part_id.decode(), value) for part_id, value in parts.items()],
            size=int(fields["size"]) if "size" in fields else None,
            limit=int(fields["limit"]) if "limit" in fields else None,
            tenant=loads(fields["tenant"]),
            created_at=float(fields["created_at"]),
            changed_at=float(fields["changed_at"]),
            called=frozenset(each.decode() for each in called),
            held=[each.decode() for each in held],
            is_over="over_at" in fields,
        )

    def of_bodies(self, body_ids: Sequence[str]) -> dict[str, str]:
        """Return the chords that have these bodies: body id -> chord id."""
        if not body_ids:
            return {}
        found = self._client.mget([self._keys.chord_of(each) for each in body_ids])
        return {each: of.decode() for each, of in zip(body_ids, found, strict=True) if of}

    def lock(self, chord_id: str, seconds: float) -> Lock:
        """Return the right to repair a chord, which somebody may have."""
        return Lock(self._client, self._keys.chord_repair(chord_id), seconds, blocking=False)

    def tell(self, chord_id: str) -> bool:
        """Whether nobody has told of a stuck chord yet."""
        return bool(self._client.hsetnx(self._keys.chord(chord_id), "told", 1))

    def record(self, act: Act) -> None:
        """Remember an act of repair."""
        self._client.lpush(self._keys.chord_acts, dumps(act._asdict()))
        self._client.ltrim(self._keys.chord_acts, 0, ACTS - 1)

    def acts(self, chord_id: str | None = None) -> list[Act]:
        """The acts of repair, the last first; those on one chord."""
        found = [Act(**loads(each)) for each in self._client.lrange(self._keys.chord_acts, 0, -1)]
        return [act for act in found if chord_id in (None, act.chord)]

    def take_turn(self, seconds: float) -> bool:
        """Whether a watcher may look now: one of all does, once in so many seconds."""
        milliseconds = max(1, int(seconds * 1000))
        return bool(self._client.set(self._keys.chord_watcher, 1, nx=True, px=milliseconds))

    def report(self, figures: Mapping[str, float]) -> None:
        """Say what a watcher has found."""
        self._client.hset(self._keys.chord_watch, mapping=dict(figures))

    @readable
    def reported(self) -> Reading[dict[str, float]]:
        """What a watcher has found last; empty if none has looked."""
        (found,) = yield [("HGETALL", self._keys.chord_watch)]
        return {name.decode(): float(value) for name, value in found.items()}


_FACTS = ("body", "size", "ended", "created_at", "changed_at", "verdict", "reason")


def _summary(
    chord_id: str,
    body: bytes,
    size: bytes | None,
    ended: bytes | None,
    created_at: bytes,
    changed_at: bytes,
    verdict: bytes | None,
    reason: bytes | None,
) -> ChordSummary:
    return ChordSummary(
        chord_id,
        str(loads(body).get("task")),
        None if size is None else int(size),
        int(ended or 0),
        float(created_at),
        float(changed_at),
        (verdict or b"").decode(),
        (reason or b"").decode(),
    )


def _part(part_id: str, value: bytes) -> RegisteredPart:
    if value == UNPUBLISHED:
        return RegisteredPart(part_id)
    if value.startswith(ENDED):
        return RegisteredPart(part_id, has_ended=True, name=value[1:].decode() or None)
    return RegisteredPart(part_id, carrier=Carrier.unpack(value))
