"""Slots: when the schedules of an app are due, one instant after the other."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from celery.schedules import BaseSchedule, schedule

from flaskiq.cron.policy import LATE, USUAL, Policy

Next = Callable[[datetime], datetime]
"""The first slot later than an instant."""

_SECOND = timedelta(seconds=1, microseconds=-1)
"""Added before the fraction is cut off, it rounds up."""

_SPANS = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=367))


class Due(NamedTuple):
    """What is due of an entry.

    ``fires`` are the slots to enqueue; ``missed`` is the latest of those that are not, with which
    the entry moves on; ``wait`` are the seconds until there is more.
    """

    fires: list[datetime]
    missed: datetime | None
    wait: float


def policy_of(given: Any) -> Policy:
    """The policy of a schedule; one of Celery's own has the usual one."""
    policy: Policy = getattr(given, "policy", USUAL)
    return policy


def next_of(given: BaseSchedule) -> Next:
    """Return how the next slot of a schedule is found, whatever its kind.

    An interval of Celery's counts from the slot before; crontab and solar schedules are asked how
    long it is until the next, as if it were that instant.
    """
    own: Next | None = getattr(given, "next_after", None)
    if own is not None:
        return own
    if type(given) is schedule:
        every: timedelta = vars(given)["run_every"]
        return lambda instant: instant + every

    asked: Any = copy.copy(given)
    asked.app = given.app

    def by_estimate(instant: datetime) -> datetime:
        # Each computation of a sunset is a little off, and none may find the same one again.
        start = instant + timedelta(seconds=1)
        asked.nowfun = lambda: start
        found: datetime = start + asked.remaining_estimate(start)
        return (found + _SECOND).replace(microsecond=0)

    return by_estimate


def put_off(name: str, slot: datetime, policy: Policy) -> timedelta:
    """How much later than its slot an entry is enqueued."""
    if not policy.jitter:
        return timedelta(0)
    digest = sha256(f"{name} {slot.isoformat()}".encode()).digest()
    return timedelta(seconds=policy.jitter * int.from_bytes(digest[:4], "big") / 2**32)


def due(name: str, given: BaseSchedule, last: datetime, now: datetime) -> Due:
    """Return what is due of an entry that has come to the slot ``last``; all instants aware."""
    policy, find_next = policy_of(given), next_of(given)
    limit = policy.limit if policy.catch_up == "all" else 1
    slots = _latest(find_next, last, now, limit + bool(policy.jitter))
    moments = {slot: slot + put_off(name, slot, policy) for slot in slots}
    passed = [slot for slot in slots if moments[slot] <= now][-limit:]
    waiting = [moment for moment in moments.values() if moment > now]
    if not waiting:
        following = find_next(slots[-1] if slots else last)
        waiting = [following + put_off(name, following, policy)]
    fires = passed
    if policy.catch_up == "skip":
        in_time = timedelta(seconds=LATE + policy.jitter)
        fires = [slot for slot in passed if now - slot <= in_time]
    missed = passed[-1] if passed and not fires else None
    return Due(fires, missed, (min(waiting) - now).total_seconds())


def _latest(find_next: Next, last: datetime, now: datetime, limit: int) -> list[datetime]:
    """The latest slots up to now, at most ``limit``, found from near to far."""
    for span in _SPANS:
        start = now - span
        if start <= last:
            break
        found = _between(find_next, start, now, limit)
        if len(found) == limit:
            return found
    return _between(find_next, last, now, limit)


def _between(find_next: Next, start: datetime, now: datetime, limit: int) -> list[datetime]:
    found: deque[datetime] = deque(maxlen=limit)
    slot = find_next(start)
    while slot <= now:
        found.append(slot)
        slot = find_next(slot)
    return list(found)
