"""Places: where jobs are, all of them looked for at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

from flaskiq import current
from flaskiq.api.queue import Queue
from flaskiq.chords.record import Place, Where
from flaskiq.chords.stock import StockWorkers
from flaskiq.message import PART_HEADER, Message, read
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

_IDS = re.compile(rb'"(?:id|group)": ?"((?:[^"\\]|\\.)*)"')


class Places:
    """Looks for jobs by their ids, and for all jobs of chords by the chords' ids.

    ``queues`` are looked at beside those of the app and those that are served.
    """

    def __init__(
        self, job_ids: Iterable[str], chord_ids: Iterable[str] = (), queues: Iterable[str] = ()
    ) -> None:
        self._state = current.state()
        self._store: Store = self._state.store
        self._wanted = set(job_ids)
        self._chords = set(chord_ids)
        self._marks = {each.encode() for each in self._wanted | self._chords}
        self._queues = list(dict.fromkeys([*(q.name for q in Queue.all()), *queues]))
        self._found: dict[str, Place] = {}
        self.stock = StockWorkers()
        self.members: dict[str, dict[str, tuple[str, Message]]] = {}
        """Of each chord that was looked for by its id: part id -> job id and its message."""

    def look(self) -> None:
        """Look in the order in which jobs move; then once more for what has moved on."""
        if not self._marks:
            return
        self._look_in_sets()
        self._look_in_flight()
        self._look_in_queues()
        self._look_at_stock_workers()
        if self._wanted - set(self._found):
            self._look_in_flight()
            self._look_in_sets()
        missing = self._wanted - set(self._found)
        if missing:
            self._ask_stock_workers(missing)

    def of(self, job_id: str) -> Place:
        """Where a job is."""
        return self._found.get(job_id, Place(Where.NOWHERE))

    @cached_property
    def live(self) -> set[str]:
        """The processes that live."""
        return self._store.processes.live()

    @cached_property
    def paused(self) -> set[str]:
        """The queues that are paused."""
        return self._store.ready.paused()

    @cached_property
    def _served(self) -> set[str]:
        facts = self._store.processes.facts().values()
        return {queue for each in facts for queue in json.loads(each.get("queues", "[]"))}

    def is_served(self, queue: str) -> bool:
        """Whether a process of ours, or a stock worker, fetches from a queue."""
        return queue in self._served or queue in self.stock.queues

    def is_nowhere(self, job_id: str) -> bool:
        """Whether nobody has a job."""
        return job_id not in self._found

    def _look_in_sets(self) -> None:
        for where, jobs in (
            (Where.SCHEDULED, self._store.scheduled),
            (Where.RETRY, self._store.retry),
            (Where.DEAD, self._store.dead),
        ):
            for job_id in jobs.present(sorted(self._wanted - set(self._found))):
                entry = jobs.find(job_id)
                if entry is not None:
                    placed = entry.placed
                    self._found[job_id] = Place(
                        where, "", placed.queue, entry.at, bytes(placed.message)
                    )
            if self._chords:
                for entry in jobs.entries():
                    place = Place(where, "", entry.placed.queue, entry.at, entry.placed.message)
                    self._take(entry.placed.message, place)

    def _look_in_flight(self) -> None:
        processes = self._store.processes
        for process in sorted(processes.live() | processes.lost()):
            for value in processes.inflight(process).values():
                placed = Placed.unpack(value)
                place = Place(Where.IN_FLIGHT, process, placed.queue, raw=placed.message)
                self._take(placed.message, place)
            for job_id in self._wanted.intersection(self._store.statistics.running(process)):
                self._found.setdefault(job_id, Place(Where.IN_FLIGHT, process))

    def _look_in_queues(self) -> None:
        for queue in self._queues:
            for name, chunk in self._store.ready.chunks(queue):
                for raw in chunk:
                    self._take(raw, Place(Where.READY, name, queue, raw=raw))

    def _look_at_stock_workers(self) -> None:
        timeout = float(
            (self._state.celery.conf.broker_transport_options or {}).get("visibility_timeout", 3600)
        )
        for job in self._store.unacked:
            at = None if job.at is None else job.at + timeout
            place = Place(Where.UNACKED, "", job.queue, at, job.message, job.tag)
            self._take(job.message, place)
        self._ask_stock_workers(
            {job_id for job_id, place in self._found.items() if place.where is Where.UNACKED}
        )

    def _ask_stock_workers(self, job_ids: set[str]) -> None:
        """Ask for what they hold: one may have acknowledged what it runs."""
        held = self.stock.held if job_ids else {}
        for job_id in job_ids.intersection(held):
            before = self._found.get(job_id, Place(Where.STOCK))
            self._found[job_id] = before._replace(where=Where.STOCK, detail=held[job_id])

    def _take(self, raw: bytes, place: Place) -> None:
        if not any(each in self._marks for each in _IDS.findall(raw)) and not self._names(raw):
            return
        with suppress(ValueError, KeyError, TypeError):  # nobody can read it
            message = read(raw)
            job_id = str(message.headers["id"])
            if job_id in self._wanted:
                self._found[job_id] = place
            for chord_id, part_id in _memberships(message):
                if chord_id in self._chords:
                    self.members.setdefault(chord_id, {})[part_id] = (job_id, message)
                    self._found[job_id] = place

    def _names(self, raw: bytes) -> bool:
        return bool(self._chords) and PART_HEADER.encode() in raw


def _memberships(message: Message) -> Iterator[tuple[str, str]]:
    part: Any = message.headers.get(PART_HEADER)
    if part:
        yield tuple(part)
    elif message.headers.get("group") and message.embed.get("chord"):
        yield str(message.headers["group"]), str(message.headers["id"])
