"""Scheduler: enqueues the cron entries of an app; any number of them may run, and one leads."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from time import time
from typing import TYPE_CHECKING, Any

from celery.beat import Scheduler
from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq.broker.connection import open_store
from flaskiq.broker.process import new_identity
from flaskiq.cron import overlap, slots
from flaskiq.cron.entry import Entry
from flaskiq.cron.leader import TTL, WATCH, Leader
from flaskiq.cron.slots import Due
from flaskiq.store.cron import How, Run

if TYPE_CHECKING:
    from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that it waits for Redis; the leader has to be heard of in time."""

AFTER_ERROR = 30.0
"""Seconds after which an entry is tried again that cannot be enqueued."""

FORGOTTEN = 2 * TTL
"""Seconds after which an entry disappears that no scheduler has any more."""


_Scheduler: Any = Scheduler


class FlaskiqScheduler(_Scheduler):
    """Runs under ``celery beat``, ``flaskiq beat``, or in a worker.

    How far each entry has come is in Redis, and the script that moves it on enqueues the job: a
    slot is enqueued once, however many schedulers there are and whatever becomes of them. The job
    has an id that follows from entry and slot. What cannot be published is tried again.
    """

    def __init__(self, app: Any, *args: Any, lazy: bool = False, **kwargs: Any) -> None:
        self._entries: list[Entry] = []
        self._reached: dict[str, str] = {}
        self._next: dict[str, datetime] = {}
        self._leader = Leader(new_identity())
        self._store: Store | None = None
        self._ahead = timedelta(0)
        self._told = 0.0
        self._lag = 0.0
        self._is_out_of_reach = False
        super().__init__(app, *args, lazy=lazy, **kwargs)

    def setup_schedule(self) -> None:
        """Take the entries of the app, and Celery's own (``celery.backend_cleanup``)."""
        super().setup_schedule()
        self._entries = [
            Entry(name, each.task, each.schedule, each.args, each.kwargs, each.options)
            for name, each in self.schedule.items()
        ]

    @property
    def info(self) -> str:
        """What ``celery beat`` shows of it."""
        return "    . leader -> in Redis, one of all schedulers"

    def tick(self, *_: Any, **__: Any) -> float:
        """Enqueue what is due, if this scheduler leads; return the seconds until the next look."""
        try:
            wait = self._look()
        except (RedisError, OSError, OperationalError) as error:
            if not self._is_out_of_reach:
                logger.warning("The scheduler cannot reach Redis: %s", error)
            self._is_out_of_reach = True
            return WATCH
        if self._is_out_of_reach:
            logger.info("The scheduler reaches Redis again")
            self._is_out_of_reach = False
        return wait

    def close(self) -> None:
        """Let another scheduler lead at once."""
        try:
            if self._store is not None:
                self._leader.resign(self._store.cron)
        except (RedisError, OSError) as error:
            logger.warning("Another scheduler leads in %g seconds: %s", TTL, error)
        super().close()

    def _look(self) -> float:
        store = self._store = self._store or open_store(self.app, PATIENCE)
        is_time = not self._leader.wait
        had = self._leader.token
        leads = self._leader.leads(store.cron)
        if is_time:
            self._ahead = timedelta(seconds=store.now() - time())
            names = [entry.name for entry in self._entries]
            store.cron.touch(names, self._now().timestamp())
        if not leads:
            return WATCH
        if self._leader.token != had:
            self._take_over(store)
        if is_time:
            self._forget(store)
        wait = min([self._leader.wait, *(self._serve(store, each) for each in self._entries)])
        self._tell(store)
        return max(0.0, min(wait, WATCH))

    def _now(self) -> datetime:
        """The time of the server: schedulers on several machines have one clock."""
        return datetime.now(timezone.utc) + self._ahead

    def _take_over(self, store: Store) -> None:
        """Learn how far the entries have come."""
        names = [entry.name for entry in self._entries]
        for entry in self._entries:
            self._adopt(store, entry)
        store.cron.enter(names, self._now().isoformat())
        standings = store.cron.standings(names)
        self._reached = {name: standing.slot for name, standing in standings.items()}
        self._next.clear()

    def _adopt(self, store: Store, entry: Entry) -> None:
        """Go on where the entry was before its Worker was renamed."""
        task: Any = self.app.tasks.get(entry.task)
        for alias in getattr(getattr(task, "worker", None), "aliases", ()):
            former = alias + entry.name.removeprefix(entry.task)
            if store.cron.adopt(entry.name, former):
                logger.info("Cron entry %s goes on where %s was", entry.name, former)

    def _forget(self, store: Store) -> None:
        for name in store.cron.forget_unseen(self._now().timestamp() - FORGOTTEN):
            logger.info("Cron entry %s is gone from the code, and forgotten", name)

    def _serve(self, store: Store, entry: Entry) -> float:
        """Enqueue what is due of an entry; return the seconds until there is more."""
        last, now = self._reached.get(entry.name), self._now()
        if not last:
            return WATCH  # it has just been lost, as of a server without persistence
        if now < self._next.get(entry.name, now):
            return (self._next[entry.name] - now).total_seconds()
        try:
            return self._serve_at(store, entry, datetime.fromisoformat(last), now)
        except (RedisError, OSError, OperationalError):
            raise
        except Exception:
            # A schedule that computes nothing, arguments that cannot be sent: the others go on.
            logger.exception("Cron entry %s has failed, and is tried again", entry.name)
            self._next[entry.name] = now + timedelta(seconds=AFTER_ERROR)
            return AFTER_ERROR

    def _serve_at(self, store: Store, entry: Entry, last: datetime, now: datetime) -> float:
        due = slots.due(entry.name, entry.schedule, last, now)
        if due.fires and store.cron.standings([entry.name])[entry.name].paused:
            # Nothing is published, so nobody hears of a job that there is not.
            due = Due([], due.fires[-1], due.wait)
        for slot in due.fires:
            if not self._fire(store, entry, slot):
                return 0.0
        if due.missed is not None and not self._move_on(store, entry, due.missed, "missed"):
            return 0.0
        self._next[entry.name] = now + timedelta(seconds=due.wait)
        return due.wait

    def _fire(self, store: Store, entry: Entry, slot: datetime) -> bool:
        """Enqueue the job of a slot; False if this scheduler was wrong about where the entry is."""
        policy = slots.policy_of(entry.schedule)
        if policy.overlap == "skip" and overlap.is_open(store, entry.name):
            return self._move_on(store, entry, slot, "overlap")
        self._lag = (self._now() - slot - slots.put_off(entry.name, slot, policy)).total_seconds()
        return self._move_on(store, entry, slot, "late" if self._lag > WATCH else "due")

    def _move_on(self, store: Store, entry: Entry, slot: datetime, how: How) -> bool:
        has_job = how in ("due", "late")
        job_id = entry.job_id(slot) if has_job else ""
        placed = entry.message(self.app, job_id) if has_job else None
        queue = placed.queue if placed else ""
        run = Run(_text(slot), job_id, queue, round(self._now().timestamp(), 3), how)
        before = self._reached[entry.name]
        fired = store.cron.fire(self._leader.token, entry.name, before, run, placed)
        if fired in ("fired", "paused"):
            self._reached[entry.name] = run.slot
            logger.info("Cron entry %s, slot %s: %s %s", entry.name, run.slot, how, job_id or fired)
            return True
        if fired == "deposed":
            logger.warning("Another scheduler has taken over")
            self._leader.depose()
        standing = store.cron.standings([entry.name])[entry.name]
        self._reached[entry.name] = standing.slot
        self._next.pop(entry.name, None)
        return False

    def _tell(self, store: Store) -> None:
        """Say, about once a second, that it looks."""
        now = time()
        if now - self._told >= WATCH:
            self._told = now
            store.cron.tell(round(self._now().timestamp(), 3), round(max(0.0, self._lag), 3))


def _text(slot: datetime) -> str:
    return slot.astimezone(timezone.utc).isoformat()
