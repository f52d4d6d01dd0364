"""Metrics: how many attempts ended in each of the last minutes, and how long they ran."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from flaskiq import current, histogram
from flaskiq.api.asked import asked
from flaskiq.api.stats import Kind, Times, sizes_of, times_by, times_of, total
from flaskiq.store.reading import Reading
from flaskiq.store.statistics import Counts
from flaskiq.tally import ENDINGS, FAILED, field

WINDOW = 60
"""Minutes."""


class Minute(NamedTuple):
    """Attempts that ended in the minute from ``at`` on; ``p50`` and ``p95`` are run times in
    seconds, None where none ran."""

    at: datetime
    processed: int
    failed: int
    p50: float | None
    p95: float | None


class Bucket(NamedTuple):
    """How many attempts ran for ``low`` to ``high`` seconds; ``high`` is None for the last."""

    low: float
    high: float | None
    attempts: int


class Metrics(NamedTuple):
    """Attempts of the whole app; ``minutes`` from the first to the current one."""

    minutes: list[Minute]
    workers: list[Times]
    queues: list[Times]


class WorkerMetrics(NamedTuple):
    """Attempts of one Worker; ``histogram`` from its shortest to its longest run times."""

    times: Times
    minutes: list[Minute]
    histogram: list[Bucket]


@asked
def metrics(minutes: int = WINDOW) -> Reading[Metrics]:
    """Return the attempts of the last minutes, eight hours at most; one trip."""
    found = yield from current.state().store.statistics.minutes.reading(minutes)
    sums = total(found.values())
    queues = times_by("queue", sums, minutes)
    return Metrics(
        _minutes("queue", [each.name for each in queues], found),
        times_by("worker", sums, minutes),
        queues,
    )


@asked
def worker_metrics(name: str, minutes: int = WINDOW) -> Reading[WorkerMetrics]:
    """Return those of one Worker; one trip."""
    found = yield from current.state().store.statistics.minutes.reading(minutes)
    sums = total(found.values())
    return WorkerMetrics(
        times_of("worker", name, sums, minutes),
        _minutes("worker", [name], found),
        _buckets(sizes_of("worker", name, sums)),
    )


def _minutes(kind: Kind, names: list[str], found: Mapping[datetime, Counts]) -> list[Minute]:
    return [_minute(at, kind, names, counts) for at, counts in sorted(found.items())]


def _minute(at: datetime, kind: Kind, names: list[str], counts: Counts) -> Minute:
    def ended(endings: tuple[str, ...]) -> int:
        return sum(counts.get(field(kind, name, each), 0) for name in names for each in endings)

    sizes = total(sizes_of(kind, name, counts) for name in names) if counts else {}
    p50, p95 = (histogram.percentile(sizes, fraction) for fraction in (0.5, 0.95))
    return Minute(at, ended(ENDINGS), ended(FAILED), p50, p95)


def _buckets(sizes: Mapping[int, int]) -> list[Bucket]:
    if not sizes:
        return []
    bounds = histogram.BOUNDS
    return [
        Bucket(
            bounds[size - 1] if size else 0.0,
            bounds[size] if size < len(bounds) else None,
            sizes.get(size, 0),
        )
        for size in range(min(sizes), max(sizes) + 1)
    ]
