"""Tally: what has ended in this process and is not recorded in Redis yet. Pure."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from flaskiq import histogram

Ending = Literal["done", "retried", "snoozed", "dead", "discarded", "cancelled"]
"""How an attempt can end."""

ENDINGS: tuple[Ending, ...] = ("done", "retried", "snoozed", "dead", "discarded", "cancelled")
FAILED: tuple[Ending, ...] = ("retried", "dead")
FINAL: tuple[Ending, ...] = ("done", "dead", "discarded", "cancelled")
"""No attempt follows."""

MOST = 1000
"""Finished jobs that are kept for a record, the last."""

AT_ONCE = 100
"""Jobs that are added up, or finished ones in a batch: a process keeps the memory of many."""

LONGEST_WAIT = 400 * 86_400
"""Seconds; whoever says that a job has waited longer than that has no clock."""

NOTHING: Mapping[str, int] = MappingProxyType({})


def waited(ready_at: Any, started_at: float | None) -> float | None:
    """Seconds from when a job was ready to its start; the clocks of two machines may disagree.

    None if that is not known; ``ready_at`` is what a message says, whoever has written it.
    """
    if started_at is None or not isinstance(ready_at, (int, float)):
        return None
    seconds = max(0.0, started_at - ready_at)
    return seconds if seconds <= LONGEST_WAIT else None


class Ended(NamedTuple):
    """An attempt that has ended; ``at`` in seconds since the epoch.

    ``seconds`` is how long it ran, None if that is not known or it never started; ``cron`` is the
    entry that has enqueued it; ``tenant`` the fields that name whom it ran for; ``ready_at`` says
    since when it could have run; ``attempts`` are those before it, as its message carries them
    (``attempt.py``); ``started_at`` is for those without ``seconds``; ``error`` is in short.
    """

    id: str
    worker: str
    queue: str
    attempt: int
    ending: Ending
    seconds: float | None
    at: float
    cron: str | None = None
    tenant: Mapping[str, str] | None = None
    ready_at: float | None = None
    attempts: Sequence[Any] | None = None
    started_at: float | None = None
    error: str | None = None

    @property
    def began_at(self) -> float | None:
        """When it started, None if that is not known or it never did."""
        return self.started_at if self.seconds is None else self.at - self.seconds


class Ends(NamedTuple):
    """Attempts of one kind."""

    worker: str
    queue: str
    ending: Ending


class Batch(NamedTuple):
    """What goes to Redis in one step, as often as it takes: ``number`` tells that it is the same.

    ``counts`` and ``times`` by field name (:func:`field`); ``finished`` are the jobs for which no
    attempt follows, ``cron`` those of cron entries: entry, job id, ending; ``series`` go by
    :func:`series`.
    """

    number: int
    counts: dict[str, int]
    times: dict[str, int]
    finished: list[Ended]
    cron: Sequence[tuple[str, str, str]] = ()
    series: Mapping[str, int] = NOTHING


def field(*parts: str) -> str:
    """The name of a count: ``done``, ``queue|low|done``, ``worker|shop.Add|12``."""
    return "|".join(parts)


Series = Literal["ended", "run", "wait"]
"""What is counted since the beginning, for metrics.

``ended`` by Worker, queue and ending; ``run`` by Worker and bucket of :mod:`flaskiq.histogram`,
with ``us`` for the sum in microseconds; ``wait``, from ready to started, by queue and bucket, with
``ms`` for the sum in milliseconds.
"""


def series(kind: Series, *parts: str) -> str:
    """The name of a count that metrics are made of: ``["ended", "shop.Add", "low", "done"]``.

    In JSON, so that it can be taken apart whatever the names are.
    """
    return json.dumps([kind, *parts])


def processed(counts: Mapping[str, int]) -> int:
    """How many attempts have ended."""
    return sum(counts.get(ending, 0) for ending in ENDINGS)


def failed(counts: Mapping[str, int]) -> int:
    """How many of them have failed."""
    return sum(counts.get(ending, 0) for ending in FAILED)


class Tally:
    """Counts attempts, and keeps the last that have finished, until they are recorded.

    Many are added up at once: one by one that costs a job more.
    """

    def __init__(self, keeps: int) -> None:
        self.counted: Counter[Ends] = Counter()
        """All that was in a batch since the process began; replaced, so that others can read it."""
        self._ended: deque[Ended] = deque()
        self._sums = _Sums()
        self._finished: deque[Ended] = deque(maxlen=min(keeps, MOST))
        self._rest: deque[Ended] = deque()
        self._adding = threading.Lock()
        self._pending: Batch | None = None
        self._number = 0

    def note(self, ended: Ended) -> None:
        """Note that an attempt has ended; safe in any thread."""
        self._ended.append(ended)
        if len(self._ended) >= AT_ONCE:
            self._add_up()

    def batch(self) -> Batch | None:
        """What is not recorded yet; the same one again until it is :meth:`confirmed`."""
        if self._pending is None:
            sums = _Sums() if self._rest else self._take()
            if self._rest or sums.ends:
                self._number += 1
                self._pending = sums.batch(self._number, self._part())
        return self._pending

    @property
    def has_more(self) -> bool:
        """Whether some of what had finished before the last batch was taken is in none yet."""
        return bool(self._rest)

    def confirmed(self) -> None:
        """Forget the batch: Redis has it."""
        self._pending = None

    def _add_up(self) -> None:
        with self._adding:
            for _ in range(len(self._ended)):
                ended = self._ended.popleft()
                self._sums.add(ended)
                if ended.ending in FINAL:
                    self._finished.append(ended)

    def _take(self) -> _Sums:
        self._add_up()
        with self._adding:
            sums, self._sums = self._sums, _Sums()
            self._rest, self._finished = self._finished, deque(maxlen=self._finished.maxlen)
        self.counted = self.counted + Counter({Ends(*kind): n for kind, n in sums.ends.items()})
        return sums

    def _part(self) -> list[Ended]:
        return [self._rest.popleft() for _ in range(min(AT_ONCE, len(self._rest)))]


class _Sums:
    """Few kinds of ends and many of each: names are made for the kinds."""

    def __init__(self) -> None:
        self.ends: Counter[tuple[str, str, Ending]] = Counter()
        self._runs: Counter[tuple[str, str, int]] = Counter()
        self._spent: Counter[str] = Counter()
        self._waits: Counter[tuple[str, int]] = Counter()
        self._idle: defaultdict[str, float] = defaultdict(float)
        self._cron: list[tuple[str, str, str]] = []

    def add(self, ended: Ended) -> None:
        self.ends[ended.worker, ended.queue, ended.ending] += 1
        if ended.seconds is not None:
            self._runs[ended.queue, ended.worker, histogram.bucket(ended.seconds)] += 1
            self._spent[ended.worker] += int(ended.seconds * 1e6)
        if (wait := waited(ended.ready_at, ended.began_at)) is not None:
            self._waits[ended.queue, histogram.bucket(wait)] += 1
            self._idle[ended.queue] += wait * 1e3
        if ended.cron and ended.ending in FINAL:
            self._cron.append((ended.cron, ended.id, ended.ending))

    def batch(self, number: int, finished: list[Ended]) -> Batch:
        counts: Counter[str] = Counter()
        for (worker, queue, ending), n in self.ends.items():
            for name in (ending, field("queue", queue, ending), field("worker", worker, ending)):
                counts[name] += n
        times = Counter({field("worker", worker, "us"): us for worker, us in self._spent.items()})
        for (queue, worker, size), n in self._runs.items():
            times[field("worker", worker, str(size))] += n
            times[field("queue", queue, str(size))] += n
        lasting = {series("ended", *kind): n for kind, n in self.ends.items()}
        lasting.update(_series_of("run", _by_worker(self._runs), "us", self._spent))
        lasting.update(_series_of("wait", self._waits, "ms", self._idle))
        return Batch(number, dict(counts), dict(times), finished, self._cron, lasting)


def _by_worker(runs: Mapping[tuple[str, str, int], int]) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    for (_, worker, size), number in runs.items():
        found[worker, size] += number
    return found


def _series_of(
    kind: Series,
    sizes: Mapping[tuple[str, int], int],
    unit: str,
    sums: Mapping[str, float],
) -> dict[str, int]:
    found = {series(kind, name, str(size)): number for (name, size), number in sizes.items()}
    return {**found, **{series(kind, name, unit): int(total) for name, total in sums.items()}}
