"""Cron: the entries of an app, how far they have come, and what can be done about them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from itertools import islice
from time import time
from typing import Any, NamedTuple

from celery.schedules import schedule

from flaskiq import current
from flaskiq.api.asked import asked
from flaskiq.api.find import find
from flaskiq.cron.entry import Entry, entries
from flaskiq.cron.expression import SHORTHANDS
from flaskiq.cron.schedule import CronSchedule
from flaskiq.cron.slots import next_of, policy_of, put_off
from flaskiq.errors import ArgumentError, did_you_mean
from flaskiq.job import State, new_id
from flaskiq.store.cron import Leadership, Run
from flaskiq.store.reading import Reading, together


@dataclass(frozen=True)
class CronRun:
    """One run of an entry; ``how`` is ``due``, ``late``, ``now``, or why nothing was enqueued.

    ``outcome`` is the state of its job, None if there is none.
    """

    slot: datetime
    at: datetime
    how: str
    job_id: str | None
    outcome: State | None


class CronRecord(NamedTuple):
    """An entry as it is; ``next`` are times to come in UTC, ``runs`` the last ones.

    The ``outcome`` of a run is None here until its job is over.
    """

    name: str
    task: str
    schedule: str
    zone: str
    description: str
    is_paused: bool
    next: list[datetime]
    runs: list[CronRun]


@asked
def cron_entries(coming: int = 3, past: int = 5) -> Reading[list[CronRecord]]:
    """Every entry of the app, by name, with so many times to come and so many runs; two trips."""
    cron, found = current.state().store.cron, CronEntry.all()
    names = [each.name for each in found]
    standings, *runs = yield from together(
        cron.standings.reading(names), *(cron.runs.reading(name, past) for name in names)
    )
    return [
        CronRecord(
            each.name,
            each.task,
            each.schedule,
            each.zone,
            each.description,
            standings[each.name].paused,
            each.next(coming),
            [_run(run, State(end) if end else None) for run, end in own],
        )
        for each, own in zip(found, runs, strict=True)
    ]


@dataclass(frozen=True)
class Firing:
    """A slot to come: which entry, and when its job is enqueued."""

    entry: str
    task: str
    at: datetime


class CronEntry:
    """One entry of the app's schedule.

    Raises:
        ArgumentError: the app has no such entry.
    """

    def __init__(self, name: str, _entry: Entry | None = None) -> None:
        self._state = current.state()
        self._entry = _entry or _entry_named(name)
        self.name, self.task = name, self._entry.task

    @staticmethod
    def all() -> list[CronEntry]:
        """The entries, by name."""
        known = entries(current.state().celery)
        return [CronEntry(name, known[name]) for name in sorted(known)]

    @property
    def schedule(self) -> str:
        """Its schedule as it is written."""
        given = self._entry.schedule
        return given.expression.text if isinstance(given, CronSchedule) else repr(given)

    @property
    def zone(self) -> str:
        """The time zone of its schedule."""
        own = getattr(self._entry.schedule, "zone", None)
        return str(own or self._state.celery.conf.timezone or "UTC")

    @property
    def description(self) -> str:
        """Its schedule in English."""
        given: Any = self._entry.schedule
        if isinstance(given, CronSchedule):
            return _in_english(given.expression.text)
        return f"every {given.human_seconds}" if type(given) is schedule else str(given)

    @property
    def is_paused(self) -> bool:
        """Whether its slots are left out."""
        return self._state.store.cron.standings([self.name])[self.name].paused

    @property
    def last_slot(self) -> datetime | None:
        """The slot that a scheduler has dealt with last."""
        slot = self._state.store.cron.standings([self.name])[self.name].slot
        return datetime.fromisoformat(slot) if slot else None

    def next(self, count: int = 5) -> list[datetime]:
        """The next times at which its job is enqueued, in UTC."""
        now = datetime.now(timezone.utc)
        return [each.at for each in islice(self._firings(now), count)]

    def _firings(self, after: datetime) -> Iterator[Firing]:
        find_next, policy = next_of(self._entry.schedule), policy_of(self._entry.schedule)
        slot = after
        while True:
            slot = find_next(slot)
            at = slot + put_off(self.name, slot, policy)
            yield Firing(self.name, self.task, at.astimezone(timezone.utc))

    def pause(self) -> None:
        """Leave its slots out from now on, across restarts, until :meth:`resume`."""
        self._state.store.cron.pause(self.name, time())

    def resume(self) -> bool:
        """Go on with the next slot; return whether it was paused."""
        return self._state.store.cron.resume(self.name)

    def run_now(self) -> str:
        """Enqueue its job now, besides its slots; return the id of the job."""
        now, job_id = datetime.now(timezone.utc), new_id()
        self._entry.publish(self._state.celery, job_id)
        run = Run(now.isoformat(), job_id, "", now.timestamp(), "now")
        self._state.store.cron.note_run(self.name, run)
        return job_id

    def runs(self) -> list[CronRun]:
        """Its last runs, 50 at most, the newest first."""
        return [
            _run(run, _outcome(run, end)) for run, end in self._state.store.cron.runs(self.name)
        ]


@asked
def cron_leader() -> Reading[Leadership]:
    """Which scheduler leads, when it last looked, and by how many seconds it was late."""
    return current.state().store.cron.leadership.reading()


def cron_preview(
    start: datetime, end: datetime, names: list[str] | None = None
) -> Iterator[Firing]:
    """Yield what will be enqueued later than ``start`` and up to ``end``, in order.

    Raises:
        ArgumentError: the app has no such entry.
    """
    found = [CronEntry(name) for name in names] if names else CronEntry.all()
    streams = [each._firings(start) for each in found]  # noqa: SLF001 - of this module
    for firing in heapq.merge(*streams, key=lambda firing: (firing.at, firing.entry)):
        if firing.at > end:
            return
        yield firing


def _entry_named(name: str) -> Entry:
    known = entries(current.state().celery)
    if name not in known:
        raise ArgumentError(f"the app has no cron entry {name!r}{did_you_mean(name, known)}")
    return known[name]


def _outcome(run: Run, end: str | None) -> State | None:
    return State(end) if end else find(run.id).state if run.id else None


def _run(run: Run, outcome: State | None) -> CronRun:
    at = datetime.fromtimestamp(run.at, timezone.utc)
    return CronRun(datetime.fromisoformat(run.slot), at, run.how, run.id or None, outcome)


@cache
def _in_english(text: str) -> str:
    from cron_descriptor import FormatException, Options, get_description  # a worker needs none

    # The same wherever it runs: both come from the locale otherwise.
    options = Options(locale_code="en_US", use_24hour_time_format=True)
    try:
        return str(get_description(SHORTHANDS.get(text.lower(), text), options))
    except FormatException:  # it does not know ranges that wrap around
        return text
