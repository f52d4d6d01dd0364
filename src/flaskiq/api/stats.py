"""Stats: how many jobs, how many failed, and how long they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, TypeVar

from flaskiq import current, histogram
from flaskiq.api.processes import running
from flaskiq.store.statistics import Counts
from flaskiq.tally import ENDINGS, failed, field, processed


@dataclass(frozen=True)
class Times:
    """Attempts of one Worker or queue that ended within some minutes; run times in seconds."""

    name: str
    minutes: int
    endings: Counts
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None

    @property
    def processed(self) -> int:
        """Attempts that ended in any way."""
        return processed(self.endings)

    @property
    def failed(self) -> int:
        """Attempts that failed."""
        return failed(self.endings)

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain data, for JSON."""
        return {**asdict(self), "processed": self.processed, "failed": self.failed}


class Stats:
    """Figures of the whole app. Counts are up to a second old.

    ``processed`` counts every attempt, the failed ones too, as Sidekiq does.
    """

    def __init__(self) -> None:
        self._state = current.state()
        self._statistics = self._state.store.statistics

    @property
    def processed(self) -> int:
        """Attempts that have ended since the beginning."""
        return processed(self._statistics.totals())

    @property
    def failed(self) -> int:
        """Attempts that have failed since the beginning."""
        return failed(self._statistics.totals())

    @property
    def endings(self) -> dict[str, int]:
        """Attempts since the beginning by how they ended."""
        totals = self._statistics.totals()
        return {ending: totals.get(ending, 0) for ending in ENDINGS}

    @property
    def enqueued(self) -> int:
        """Ready jobs of all queues."""
        return sum(self.queues().values())

    @property
    def scheduled(self) -> int:
        """Jobs that wait for their time."""
        return len(self._state.store.scheduled)

    @property
    def retries(self) -> int:
        """Jobs that wait for another attempt."""
        return len(self._state.store.retry)

    @property
    def dead(self) -> int:
        """Jobs that gave up."""
        return len(self._state.store.dead)

    @property
    def busy(self) -> int:
        """Jobs that run."""
        return len(running())

    def queues(self) -> dict[str, int]:
        """How many ready jobs each queue has."""
        return self._state.store.ready.sizes(list(self._state.celery.amqp.queues))

    def days(self, count: int = 7) -> dict[date, tuple[int, int]]:
        """Attempts of the last days (UTC), today first: how many ended, how many failed."""
        found = self._statistics.days(count)
        return {day: (processed(counts), failed(counts)) for day, counts in found.items()}

    def workers(self, minutes: int = 60) -> list[Times]:
        """Attempts of the last minutes by Worker, the most often run first; eight hours at most."""
        return self._times("worker", minutes)

    def queue_times(self, minutes: int = 60) -> list[Times]:
        """The same by queue."""
        return self._times("queue", minutes)

    def _times(self, kind: Kind, minutes: int) -> list[Times]:
        return times_by(kind, total(self._statistics.minutes(minutes).values()), minutes)


Kind = Literal["queue", "worker"]

K = TypeVar("K")


def times_by(kind: Kind, counts: Counts, minutes: int) -> list[Times]:
    """Return what these counts say of each queue or Worker, the most often run first."""
    found = [times_of(kind, name, counts, minutes) for name in set(_names(kind, counts))]
    return sorted(found, key=lambda each: (-each.processed, each.name))


def total(counts: Iterable[Mapping[K, int]]) -> Mapping[K, int]:
    """Add up counts."""
    found: Counter[K] = Counter()
    for each in counts:
        found.update(each)
    return found


def _names(kind: Kind, counts: Counts) -> Iterator[str]:
    for name in counts:
        first, _, rest = name.partition("|")
        if first == kind:
            yield rest.rpartition("|")[0]


def sizes_of(kind: Kind, name: str, counts: Counts) -> dict[int, int]:
    """Return how many attempts ran for how long: bucket of :mod:`flaskiq.histogram` -> number."""
    found = ((size, field(kind, name, str(size))) for size in range(len(histogram.BOUNDS) + 1))
    return {size: counts[each] for size, each in found if each in counts}


def times_of(kind: Kind, name: str, counts: Counts, minutes: int) -> Times:
    """Return what these counts say of one queue or Worker."""
    endings: dict[str, int] = {
        ending: counts.get(field(kind, name, ending), 0) for ending in ENDINGS
    }
    sizes = sizes_of(kind, name, counts)
    microseconds = counts.get(field(kind, name, "us"))
    ran = sum(sizes.values())
    return Times(
        name,
        minutes,
        endings,
        microseconds / 1e6 / ran if microseconds is not None and ran else None,
        *(histogram.percentile(sizes, fraction) for fraction in (0.5, 0.95, 0.99)),
    )
