"""Demand: how many workers what waits needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flaskiq import current
from flaskiq.api.processes import processes
from flaskiq.api.queue import queues
from flaskiq.errors import ArgumentError, did_you_mean
from flaskiq.store.reading import together

FASTEST = 2.0
"""At most so many times the workers that there are, for jobs that have waited for too long."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is wanted: ``least`` to ``most`` workers, each with at most ``backlog`` jobs that wait,
    none of them for longer than ``latency`` seconds."""

    least: int = 1
    most: int = 10
    backlog: int = 100
    latency: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise ArgumentError(f"the least, {self.least}, is above the most, {self.most}")


class Demand(NamedTuple):
    """How many workers there should be, how many there are, and what waits for them.

    ``latency`` is that of the queue whose oldest job has waited for the longest, in seconds.
    """

    workers: int
    running: int
    jobs: int
    latency: float
    reason: str


def demand(
    target: Target,
    names: Sequence[str] = (),
    *,
    cool_down: float = 0,
    group: str = "default",
) -> Demand:
    """Return how many workers the queues of these names need; all of them without any.

    A number that was needed is kept for ``cool_down`` seconds: each of a ``group`` of callers, and
    each call, counts from the last time at which so many were needed. Paused queues need nobody.

    Raises:
        ArgumentError: there is no queue of a name.
    """
    store = current.state().store
    found, live = store.ask(together(queues.reading(), processes.reading()))
    known = {each.name: each for each in found}
    for name in names:
        if name not in known:
            raise ArgumentError(f"there is no queue {name!r}{did_you_mean(name, known)}")
    meant = [each for each in found if not each.is_paused and (not names or each.name in names)]
    jobs, latency = (
        sum(each.size for each in meant),
        max((e.latency or 0 for e in meant), default=0),
    )
    serving = {each.node for each in live if not names or set(names) & set(each.queues)}
    needed, reason = needs(target, jobs, latency, len(serving))
    kept = store.keep_highest(group, needed, cool_down)
    if kept > needed:
        needed = max(target.least, min(target.most, kept))
        reason = f"so many were needed less than {cool_down:g} s ago"
    return Demand(needed, len(serving), jobs, latency, reason)


def needs(target: Target, jobs: int, latency: float, running: int) -> tuple[int, str]:
    """Return how many workers so many jobs need, and why. Pure."""
    by_backlog = math.ceil(jobs / target.backlog)
    factor = min(FASTEST, latency / target.latency) if latency > target.latency else 0
    by_latency = math.ceil(running * factor)
    wanted = max(by_backlog, by_latency)
    if wanted <= target.least:
        return target.least, "there are never fewer"
    if wanted >= target.most:
        return target.most, f"there are never more; {wanted} would be needed"
    if by_latency > by_backlog:
        return wanted, f"a job has waited for {latency:.0f} s, {target.latency:g} s are wanted"
    return wanted, f"{jobs} jobs wait, {target.backlog} for each worker are wanted"
