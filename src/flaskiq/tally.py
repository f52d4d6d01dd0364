"""Tally: what has ended in this process and is not recorded in Redis yet. Pure."""

from __future__ import annotations

import json
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

MOST_AT_ONCE = 1000
"""Finished jobs in one batch."""

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
    """Counts attempts. Noting one is all that a job pays; the rest is the recorder's work."""

    def __init__(self, keeps: int) -> None:
        self.counted: Counter[Ends] = Counter()
        """All that was collected since the process began; replaced, so that others can read it."""
        self._keeps = keeps
        self._ended: deque[Ended] = deque()
        self._pending: Batch | None = None
        self._number = 0

    def note(self, ended: Ended) -> None:
        """Note that an attempt has ended; safe in any thread."""
        self._ended.append(ended)

    def batch(self) -> Batch | None:
        """What is not recorded yet; the same one again until it is :meth:`confirmed`."""
        if self._pending is None and self._ended:
            self._number += 1
            self._pending = self._collect()
        return self._pending

    def confirmed(self) -> None:
        """Forget the batch: Redis has it."""
        self._pending = None

    def _collect(self) -> Batch:
        # Few kinds of ends and many of each: names are made for the kinds.
        ends: Counter[tuple[str, str, Ending]] = Counter()
        runs: Counter[tuple[str, str, int]] = Counter()
        spent: Counter[str] = Counter()
        waits: Counter[tuple[str, int]] = Counter()
        idle: defaultdict[str, float] = defaultdict(float)
        finished: deque[Ended] = deque(maxlen=min(self._keeps, MOST_AT_ONCE))
        cron: list[tuple[str, str, str]] = []
        for _ in range(len(self._ended)):
            ended = self._ended.popleft()
            ends[ended.worker, ended.queue, ended.ending] += 1
            if ended.seconds is not None:
                runs[ended.queue, ended.worker, histogram.bucket(ended.seconds)] += 1
                spent[ended.worker] += int(ended.seconds * 1e6)
            if (wait := waited(ended.ready_at, ended.began_at)) is not None:
                waits[ended.queue, histogram.bucket(wait)] += 1
                idle[ended.queue] += wait * 1e3
            if ended.ending in FINAL:
                finished.append(ended)
                if ended.cron:
                    cron.append((ended.cron, ended.id, ended.ending))
        counts: Counter[str] = Counter()
        for (worker, queue, ending), number in ends.items():
            for name in (ending, field("queue", queue, ending), field("worker", worker, ending)):
                counts[name] += number
        times = Counter({field("worker", worker, "us"): us for worker, us in spent.items()})
        for (queue, worker, size), number in runs.items():
            times[field("worker", worker, str(size))] += number
            times[field("queue", queue, str(size))] += number
        lasting = {series("ended", *kind): number for kind, number in ends.items()}
        lasting.update(_series_of("run", _by_worker(runs), "us", spent))
        lasting.update(_series_of("wait", waits, "ms", idle))
        self.counted = self.counted + Counter({Ends(*kind): n for kind, n in ends.items()})
        return Batch(self._number, dict(counts), dict(times), list(finished), cron, lasting)


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
