"""Flow: how fast jobs come and end, from two looks at the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from time import time
from typing import NamedTuple

from flaskiq import current
from flaskiq.api.backlog import Backlog, by_worker
from flaskiq.api.processes import RunningJob, running
from flaskiq.api.queue import Queue
from flaskiq.api.stats import Kind, Stats, Times
from flaskiq.store.statistics import Counts
from flaskiq.tally import ENDINGS, FAILED, field

MINUTES = 5
"""Of so many minutes are the run times, and the Workers that are shown."""


class Look(NamedTuple):
    """What was there at one time, in seconds since the epoch."""

    at: float
    totals: Counts
    backlogs: Mapping[tuple[Kind, str], Backlog]
    running: list[RunningJob]
    times: Mapping[tuple[Kind, str], Times]

    @classmethod
    def now(cls) -> Look:
        """Look at everything; a few round trips, more for long queues (``backlog.BOUND``)."""
        queues, stats = Queue.all(), Stats()
        times: dict[tuple[Kind, str], Times] = {}
        times.update({("queue", each.name): each for each in stats.queue_times(MINUTES)})
        times.update({("worker", each.name): each for each in stats.workers(MINUTES)})
        return cls(
            time(),
            current.state().store.statistics.totals(),
            _backlogs(queues),
            running(),
            times,
        )

    def names(self, kind: Kind) -> list[str]:
        """The queues of the app; the Workers with jobs that wait, run, or ended lately."""
        found = [name for each, name in (*self.backlogs, *self.times) if each == kind]
        return list(dict.fromkeys([*found, *map(_name_by(kind), self.running)]))

    def present(self, kind: Kind, name: str) -> int:
        """How many jobs wait or run."""
        backlog = self.backlogs.get((kind, name))
        return self.busy(kind, name) + (backlog.jobs if backlog else 0)

    def busy(self, kind: Kind, name: str) -> int:
        """How many jobs run."""
        return list(map(_name_by(kind), self.running)).count(name)

    def ended(self, kind: Kind, name: str, endings: Iterable[str] = ENDINGS) -> int:
        """How many attempts have ended since the beginning."""
        return sum(self.totals.get(field(kind, name, each), 0) for each in endings)


@dataclass(frozen=True)
class Flow:
    """Jobs of one queue or Worker; rates per second, times in seconds, unknown ones None.

    ``enters``: jobs that became ready; ``done``, ``fails``: attempts that ended so. ``wait`` is how
    long a job that becomes ready now waits if all goes on like this. ``p50`` and ``p95`` are run
    times of the last minutes.
    """

    name: str
    backlog: int
    is_exact: bool
    running: int
    enters: float | None
    done: float
    fails: float
    latency: float | None
    wait: float | None
    p50: float | None
    p95: float | None


def flows(kind: Kind, before: Look, after: Look) -> list[Flow]:
    """Return the flow of each queue or Worker between two looks."""
    names = dict.fromkeys([*after.names(kind), *before.names(kind)])
    return [_flow(kind, name, before, after) for name in names]


def _flow(kind: Kind, name: str, before: Look, after: Look) -> Flow:
    seconds = max(after.at - before.at, 1e-6)

    def rate(*endings: str) -> float:
        return (after.ended(kind, name, endings) - before.ended(kind, name, endings)) / seconds

    ended = rate(*ENDINGS)
    backlog = after.backlogs.get((kind, name), Backlog(0, None))
    before_that = before.backlogs.get((kind, name), backlog)
    growth = (after.present(kind, name) - before.present(kind, name)) / seconds
    times = after.times.get((kind, name))
    return Flow(
        name=name,
        backlog=backlog.jobs,
        is_exact=backlog.is_exact,
        running=after.busy(kind, name),
        # Two estimates may differ by more than what came.
        enters=max(0.0, ended + growth) if backlog.is_exact and before_that.is_exact else None,
        done=rate("done"),
        fails=rate(*FAILED),
        latency=_latency(backlog, after.at),
        wait=_wait(backlog.jobs, ended),
        p50=times.p50 if times else None,
        p95=times.p95 if times else None,
    )


def _name_by(kind: Kind) -> Callable[[RunningJob], str]:
    return attrgetter(kind)


def _latency(backlog: Backlog, now: float) -> float | None:
    if not backlog.jobs:
        return 0.0
    return None if backlog.since is None else max(0.0, now - backlog.since)


def _wait(jobs: int, ended: float) -> float | None:
    if not jobs:
        return 0.0
    return jobs / ended if ended > 0 else None


def _backlogs(queues: list[Queue]) -> dict[tuple[Kind, str], Backlog]:
    now = time()
    found: dict[tuple[Kind, str], Backlog] = {}
    for queue in queues:
        latency = queue.latency
        since = None if latency is None else now - latency
        found["queue", queue.name] = Backlog(queue.size, since)
    return found | {("worker", name): each for name, each in by_worker(queues).items()}
