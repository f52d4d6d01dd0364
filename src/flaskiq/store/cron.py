"""Cron: who leads the schedulers, and how far each entry has come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from redis import Redis

from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.reading import Reading, readable

KEPT_RUNS = 50
"""Runs of each entry that are remembered."""

KEPT_ENDS = 400 * 86_400
"""Seconds that it is remembered how runs ended, after the last one."""

Fired = Literal["fired", "paused", "moved", "deposed"]
"""What became of a slot (``scripts/fire.lua``)."""

How = Literal["due", "late", "missed", "overlap", "now"]
"""Why there is a run, or none: ``missed`` and ``overlap`` were not enqueued."""


class Run(NamedTuple):
    """One run of an entry; ``slot`` in ISO 8601 (UTC), ``at`` in seconds since the epoch.

    ``id`` and ``queue`` are the job's, empty if there is none.
    """

    slot: str
    id: str
    queue: str
    at: float
    how: How

    def pack(self) -> str:
        """Return the value for Redis; the script reads its ``id``."""
        return json.dumps(self._asdict())

    @classmethod
    def unpack(cls, value: bytes) -> Run:
        """Read what :meth:`pack` made."""
        return cls(**json.loads(value))


class Standing(NamedTuple):
    """How far an entry has come: its last slot, ``''`` for none, and whether it is paused."""

    slot: str
    paused: bool


class Leadership(NamedTuple):
    """Who leads, None if nobody does, and what it has told of its last look."""

    leader: str | None
    ticked_at: float | None
    lag: float | None


class Cron:
    """Cron entries by name, and the leader of the schedulers."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self._lead = script.load(client, "lead")
        self._resign = script.load(client, "resign")
        self._fire = script.load(client, "fire")

    # The leader.

    def lead(self, who: str, token: str, ttl: float) -> tuple[bool, str]:
        """Become the leader or stay it, for ``ttl`` seconds; return whether, and its token."""
        keys = [self._keys.cron_leader, self._keys.cron_fence]
        leads, found = self._lead(keys, [who, token, int(ttl * 1000)])
        return bool(leads), found.decode()

    def resign(self, token: str) -> None:
        """End a leadership at once."""
        self._resign([self._keys.cron_leader], [token])

    def tell(self, at: float, lag: float) -> None:
        """Say that the leader has looked, and how late the last slot was, in seconds."""
        self._client.hset(self._keys.cron_tick, mapping={"at": at, "lag": lag})

    @readable
    def leadership(self) -> Reading[Leadership]:
        """Who leads."""
        token, (at, lag) = yield [
            ("GET", self._keys.cron_leader),
            ("HMGET", self._keys.cron_tick, "at", "lag"),
        ]
        leader = token.decode().partition("/")[2] if token else None
        return Leadership(leader, float(at) if at else None, float(lag) if lag else None)

    # The entries.

    def touch(self, names: Iterable[str], now: float) -> None:
        """Say that a scheduler has these entries."""
        seen = dict.fromkeys(names, now)
        if seen:
            self._client.zadd(self._keys.cron_entries, seen)

    @readable
    def number(self) -> Reading[int]:
        """How many entries the schedulers have, or had until a short while ago."""
        (found,) = yield [("ZCARD", self._keys.cron_entries)]
        return int(found)

    def forget_unseen(self, since: float) -> list[str]:
        """Forget the entries that no scheduler has had since then; return their names."""
        found = self._client.zrange(self._keys.cron_entries, "-inf", f"({since}", byscore=True)
        names = [name.decode() for name in found]
        with self._client.pipeline() as pipe:
            for name in names:
                pipe.zrem(self._keys.cron_entries, name)
                pipe.delete(*self._own_keys(name))
            pipe.execute()
        return names

    def adopt(self, name: str, former: str) -> bool:
        """Give an entry what another was, unless it is known; return whether it was given."""
        if self._client.exists(self._keys.cron_entry(name)):
            return False
        moved = False
        for old, new in zip(self._own_keys(former), self._own_keys(name), strict=True):
            if self._client.exists(old):
                moved = bool(self._client.renamenx(old, new)) or moved
        self._client.zrem(self._keys.cron_entries, former)
        return moved

    def enter(self, names: Iterable[str], slot: str) -> None:
        """Let entries that are new begin after ``slot``."""
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hsetnx(self._keys.cron_entry(name), "slot", slot)
            pipe.execute()

    @readable
    def standings(self, names: Sequence[str]) -> Reading[dict[str, Standing]]:
        """How far entries have come."""
        found = yield [("HMGET", self._keys.cron_entry(name), "slot", "paused") for name in names]
        return {
            name: Standing(slot.decode() if slot else "", paused is not None)
            for name, (slot, paused) in zip(names, found, strict=True)
        }

    def pause(self, name: str, at: float) -> None:
        """Enqueue no further slot of an entry."""
        self._client.hset(self._keys.cron_entry(name), "paused", at)

    def resume(self, name: str) -> bool:
        """Go on with the next slot; return whether it was paused."""
        return bool(self._client.hdel(self._keys.cron_entry(name), "paused"))

    # The runs.

    def fire(self, token: str, name: str, before: str, run: Run, placed: Placed | None) -> Fired:
        """Move an entry from the slot ``before`` to that of ``run``, and enqueue its job if any."""
        keys = [
            self._keys.cron_leader,
            self._keys.cron_entry(name),
            self._keys.cron_runs(name),
            self._keys.cron_ends(name),
            placed.list if placed else self._keys.cron_runs(name),
            self._keys.wake + run.queue,
        ]
        message = placed.message if placed else b""
        arguments: list[Any] = [token, before, run.slot, run.pack(), message, KEPT_RUNS]
        fired: Fired = self._fire(keys, arguments).decode()
        return fired

    def note_run(self, name: str, run: Run) -> None:
        """Remember a run that no slot has asked for."""
        with self._client.pipeline() as pipe:
            pipe.lpush(self._keys.cron_runs(name), run.pack())
            pipe.ltrim(self._keys.cron_runs(name), 0, KEPT_RUNS - 1)
            pipe.execute()

    def note_ends(self, ends: Iterable[tuple[str, str, str]]) -> None:
        """Remember how runs ended: name of the entry, job id, ending. Safe to repeat."""
        with self._client.pipeline(transaction=False) as pipe:
            for name, job_id, ending in ends:
                pipe.hset(self._keys.cron_ends(name), job_id, ending)
                pipe.expire(self._keys.cron_ends(name), KEPT_ENDS)
            pipe.execute()

    @readable
    def runs(self, name: str, most: int = KEPT_RUNS) -> Reading[list[tuple[Run, str | None]]]:
        """The last runs, the newest first, each with how it ended, None if that is not known."""
        (values,) = yield [("LRANGE", self._keys.cron_runs(name), 0, most - 1)]
        runs = [Run.unpack(value) for value in values]
        ids = [run.id for run in runs]
        (ends,) = (yield [("HMGET", self._keys.cron_ends(name), *ids)]) if ids else ([],)
        return [(run, end.decode() if end else None) for run, end in zip(runs, ends, strict=True)]

    def _own_keys(self, name: str) -> list[str]:
        keys = self._keys
        return [keys.cron_entry(name), keys.cron_runs(name), keys.cron_ends(name)]
