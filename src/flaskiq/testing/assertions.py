"""Assertions about the jobs that were enqueued in the mode of this context."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from flaskiq import current, moments
from flaskiq.cron.entry import Entry, entries
from flaskiq.cron.slots import next_of
from flaskiq.testing.enqueued import Asked, EnqueuedJob, Wanted, name_of
from flaskiq.testing.mode import active

if TYPE_CHECKING:
    from flaskiq.testing.mode import Target

SHOWN = 20
"""Jobs that a message shows."""


def enqueued(worker: Target | None = None, **asked: Unpack[Asked]) -> list[EnqueuedJob]:
    """Return the jobs that were enqueued since the block began, whatever has become of them.

    Without a Worker all of them; what is not said is not looked at, see :func:`assert_enqueued`.
    """
    jobs = active().enqueued()
    wanted = Wanted(worker, asked)
    return [job for job in jobs if wanted.matches(job)]


def assert_enqueued(
    worker: Target, *, count: int | None = None, **asked: Unpack[Asked]
) -> list[EnqueuedJob]:
    """Make sure that such a job was enqueued since the block began, and return those that were.

    ::

        assert_enqueued(Welcome)
        assert_enqueued(Welcome, args=[42], queue="critical", count=1)
        assert_enqueued(Reminder, at=timedelta(days=3), tenant={"organization_id": 7})

    Args:
        args, kwargs: as the call gave them; ``unittest.mock.ANY`` stands for any value.
        at: when it is meant to start, give or take a second: a datetime (a naive one is local
            time), seconds or a timedelta from when it was enqueued; None for at once.
        tenant: the fields that are looked at; None for nobody's.
        state: what has become of it, a :class:`State`.
        count: how many there are; None for at least one.

    Raises:
        AssertionError: there is none, or another number; it says what there is instead.
    """
    __tracebackhide__ = True
    wanted = Wanted(worker, asked)
    jobs = active().enqueued()
    found = [job for job in jobs if wanted.matches(job)]
    if len(found) == count or (count is None and found):
        return found
    number = "no job" if not found else f"{len(found)} job{'s' if len(found) > 1 else ''}"
    meant = "" if count is None else f", not {count}"
    raise AssertionError(f"{number} enqueued{meant}: {wanted}\n{_instead(wanted, jobs)}")


def refute_enqueued(worker: Target, **asked: Unpack[Asked]) -> None:
    """Make sure that no such job was enqueued since the block began; see :func:`assert_enqueued`.

    Raises:
        AssertionError: there is one.
    """
    __tracebackhide__ = True
    wanted = Wanted(worker, asked)
    found = [job for job in active().enqueued() if wanted.matches(job)]
    if found:
        listed = "\n".join(f"  {job}" for job in found[:SHOWN])
        raise AssertionError(f"enqueued, and was not to be: {wanted}\n{listed}")


def assert_cron(worker: Target, *, at: datetime) -> None:
    """Make sure that a cron entry of a Worker is due at an instant; a naive one is local time.

    Raises:
        AssertionError: it is not, or has no schedule; it says when it is due instead.
    """
    __tracebackhide__ = True
    instant, name = moments.instant(at, "at"), name_of(worker)
    if isinstance(worker, type):
        current.state().registry.task_of(worker)  # it may be its first use
    known = [each for state in current.states() for each in entries(state.celery).values()]
    own = [entry for entry in known if entry.task == name]
    if any(_next(entry, instant - timedelta(microseconds=1)) == instant for entry in own):
        return
    zone = at.tzinfo  # None shows local time
    if own:
        said = f"{name} is not due at {instant.astimezone(zone)}, but next at"
        lines = [f"{_next(entry, instant).astimezone(zone)}  {entry.schedule!r}" for entry in own]
    else:
        said = f"{name} has no cron schedule; set cron_schedule on it. These have one:"
        lines = [f"{entry.name}  {entry.schedule!r}" for entry in known] or ["none"]
    raise AssertionError("\n  ".join([said, *lines]))


def _next(entry: Entry, instant: datetime) -> datetime:
    return next_of(entry.schedule)(instant)


def _instead(wanted: Wanted, jobs: Sequence[EnqueuedJob]) -> str:
    """What was enqueued in place of it: jobs of the same Worker with what is different in them."""
    if not jobs:
        return "nothing was enqueued in this block"
    alike = sorted(filter(wanted.is_of, jobs), key=lambda job: len(wanted.differences(job)))
    others = [job for job in jobs if not wanted.is_of(job)]
    lines = ["enqueued instead:"]
    for job in [*alike, *others][:SHOWN]:
        lines.append(f"  {job}")
        for name, meant, found in wanted.differences(job) if wanted.is_of(job) else ():
            lines += [f"    - {name} {meant!r}", f"    + {name} {found!r}"]
    if len(jobs) > SHOWN:
        lines.append(f"  and {len(jobs) - SHOWN} more")
    return "\n".join(lines)
