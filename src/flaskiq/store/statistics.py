"""Statistics: how attempts ended and how long they ran, what runs now, and what finished last."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from sys import intern
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.message import json_writer
from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.reading import Reading, readable
from flaskiq.tally import Batch, Ended

KEPT_DAYS = 400 * 86_400
"""Seconds; a year can be held against the one before."""

KEPT_MINUTES = 8 * 3_600
"""Seconds; as long as Sidekiq keeps them."""


LATE = timedelta(minutes=5)
"""After so long nothing is added to a minute any more, even by a host whose clock is behind."""

REMEMBERED = 120
"""Minutes whose counts this process remembers."""


INCIDENTS = ("reaped", "poisoned", "fenced")
"""Counts since the beginning that are of no attempt.

Jobs of processes that died, those of them that were buried for it, and jobs that finished in a
process after they were given to others.
"""


class History(NamedTuple):
    """How many finished jobs are kept, and for how many seconds."""

    jobs: int = 1_000
    age: float = 86_400


class Running(NamedTuple):
    """A job that runs; ``since`` in seconds since the epoch, ``seq`` its number in flight."""

    worker: str
    queue: str
    attempt: int
    since: float
    seq: int

    def pack(self) -> bytes:
        """Return the value for Redis."""
        return json.dumps(self).encode()

    @classmethod
    def unpack(cls, value: bytes) -> Running:
        """Read what :meth:`pack` made."""
        return cls(*json.loads(value))


_encode = json_writer()

Counts = Mapping[str, int]
"""Numbers by field name (:func:`flaskiq.tally.field`)."""


class Statistics:
    """Counts since the beginning, by day and by minute; finished jobs; running jobs."""

    def __init__(self, client: Redis, keys: Keys, history: History) -> None:
        self._client: Any = client  # redis-py types one return for sync and async
        self._keys = keys
        self.history = history
        self._over: dict[datetime, Counts] = {}
        self._record = script.load(client, "record")

    def record(
        self, process: str, batch: Batch | None, running: Mapping[str, Running], ttl: float
    ) -> bool:
        """Record what ended in a process, and what runs there; once, however often it is called.

        ``ttl``: seconds that the running jobs are kept unless the heartbeat goes on.
        """
        number, counts, times, finished, _, series = batch or ("", {}, {}, [], [], {})
        now = datetime.now(timezone.utc)
        keys = [
            self._keys.facts(process),
            self._keys.running(process),
            self._keys.counters,
            self._keys.day(f"{now:%Y-%m-%d}"),
            self._keys.minute(f"{now:%Y-%m-%dT%H:%M}"),
            self._keys.finished,
            self._keys.jobs("finished"),
            self._keys.metrics,
        ]
        arguments: list[Any] = [number, int(ttl * 1000), KEPT_DAYS, KEPT_MINUTES, *self.history]
        arguments += [len(running), len(counts), len(times), len(series), len(finished)]
        for job_id, each in running.items():
            arguments += [job_id, each.pack()]
        for field, count in (*counts.items(), *times.items(), *series.items()):
            arguments += [field, count]
        for ended in finished:
            arguments += [ended.id, ended.at, _encode(ended)]
        return bool(self._record(keys, arguments))

    @readable
    def running(self, process: str) -> Reading[dict[str, Running]]:
        """The jobs that run in a process, by id; up to a second old."""
        (found,) = yield [("HGETALL", self._keys.running(process))]
        return {job_id.decode(): Running.unpack(value) for job_id, value in found.items()}

    @readable
    def finished(self, job_id: str) -> Reading[Ended | None]:
        """How a job finished, if that is kept."""
        (value,) = yield [("HGET", self._keys.jobs("finished"), job_id)]
        return Ended(*json.loads(value)) if value else None

    def last_finished(self, most: int = 100) -> list[Ended]:
        """The jobs that finished last, the newest first."""
        ids = self._client.zrange(self._keys.finished, 0, most - 1, desc=True)
        values = self._client.hmget(self._keys.jobs("finished"), ids) if ids else []
        return [Ended(*json.loads(value)) for value in values if value]

    @readable
    def totals(self) -> Reading[Counts]:
        """Counts since the beginning."""
        (found,) = yield [("HGETALL", self._keys.counters)]
        return _numbers(found)

    @readable
    def incidents(self) -> Reading[Counts]:
        """Counts since the beginning of what is named by :data:`INCIDENTS`."""
        (found,) = yield [("HMGET", self._keys.counters, *INCIDENTS)]
        return {name: int(value or 0) for name, value in zip(INCIDENTS, found, strict=True)}

    @readable
    def series(self) -> Reading[dict[tuple[str, ...], int]]:
        """What metrics are made of, since the beginning, by kind and parts of its name."""
        (found,) = yield [("HGETALL", self._keys.metrics)]
        return {tuple(json.loads(name)): int(value) for name, value in found.items()}

    @readable
    def days(self, count: int) -> Reading[dict[date, Counts]]:
        """Counts of the last days, today (UTC) first."""
        today = datetime.now(timezone.utc).date()
        days = [today - timedelta(days=ago) for ago in range(count)]
        found = yield [("HGETALL", self._keys.day(str(day))) for day in days]
        return dict(zip(days, map(_numbers, found), strict=True))

    @readable
    def minutes(self, count: int) -> Reading[dict[datetime, Counts]]:
        """Counts and run times of the last minutes (UTC), the current one first.

        What a minute has come to is remembered here, since it changes no more; it is asked how
        many counts it has, for somebody may have emptied the database.
        """
        now = datetime.fromtimestamp(time.time() // 60 * 60, timezone.utc)
        minutes = [now - timedelta(minutes=ago) for ago in range(count)]
        known = {minute: self._over[minute] for minute in minutes if minute in self._over}
        replies = yield [
            ("HLEN" if minute in known else "HGETALL", self._minute_key(minute))
            for minute in minutes
        ]
        told = dict(zip(minutes, replies, strict=True))
        changed = [minute for minute, counts in known.items() if told[minute] != len(counts)]
        again = yield [("HGETALL", self._minute_key(minute)) for minute in changed]
        told.update(zip(changed, again, strict=True))
        found = {
            minute: _numbers(reply) if isinstance(reply, dict) else known[minute]
            for minute, reply in told.items()
        }
        self._remember(found, now)
        return found

    def _minute_key(self, minute: datetime) -> str:
        return self._keys.minute(f"{minute:%Y-%m-%dT%H:%M}")

    def _remember(self, found: Mapping[datetime, Counts], now: datetime) -> None:
        over = {minute: each for minute, each in found.items() if minute < now - LATE}
        kept = sorted({**self._over, **over}.items())[-REMEMBERED:]
        self._over = dict(kept)


def _numbers(found: Mapping[bytes, bytes]) -> Counts:
    # The same names come again in each minute.
    return {intern(name.decode()): int(value) for name, value in found.items()}
