"""ClusterCollector: the metrics of the whole app, read from Redis for each scrape.

Nothing is kept here and nobody is listened to: counters go on where they were, whatever is started
anew, and two exporters tell the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from kombu.exceptions import OperationalError
from prometheus_client.registry import Collector
from redis import RedisError

from flaskiq.broker.connection import open_store
from flaskiq.broker.outages import outages
from flaskiq.current import State
from flaskiq.metrics import metric
from flaskiq.metrics.figures import Figures, figures
from flaskiq.metrics.metric import Family
from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

PATIENCE = 4.0
"""Seconds that a scrape waits for Redis; Prometheus waits for ten unless told otherwise."""


class ClusterCollector(Collector):
    """Reads an app's Redis.

    While that is out of reach, ``flaskiq_up`` is 0 and the rest is missing: so Prometheus can tell
    an exporter without Redis from one that is not there.
    """

    def __init__(self, state: State) -> None:
        self.is_up = True
        """Whether Redis answered the last time."""
        self._state = state
        self._store: Store | None = None

    def collect(self) -> Iterator[Family]:
        """Yield the metrics."""
        found = self._read()
        yield metric.UP.of_one(found is not None)
        yield metric.OUTAGES.of_one(outages.number)
        if found is not None:
            yield from _jobs(found)
            yield from _queues(found)
            yield from _processes(found)
            yield from _cron(found)
            yield from _chords(found)

    def _read(self) -> Figures | None:
        was_up = self.is_up
        try:
            with self._state.app.app_context():
                self._store = self._store or open_store(self._state.celery, PATIENCE)
                found = self._store.ask(figures())
        except (RedisError, OSError, OperationalError) as error:
            outages.note()
            self.is_up = False
            if was_up:
                logger.warning("The metrics cannot be read: %s", error)
            return None
        self.is_up = True
        if not was_up:
            logger.warning("The metrics can be read again")
        return found


def _jobs(found: Figures) -> Iterator[Family]:
    yield metric.JOBS.of(found.ended)
    yield metric.RUN.of_times(found.ran)
    yield metric.WAIT.of_times(found.waited)
    yield metric.REAPED.of_one(found.incidents["reaped"])
    yield metric.POISONED.of_one(found.incidents["poisoned"])
    yield metric.FENCED.of_one(found.incidents["fenced"])
    yield metric.IN_FLIGHT.of_one(found.in_flight)
    yield metric.BUSY.of_one(found.numbers.busy)
    sets = {
        "scheduled": found.numbers.scheduled,
        "retry": found.numbers.retries,
        "dead": found.numbers.dead,
    }
    yield metric.SET_SIZE.of({(name,): size for name, size in sets.items()})


def _queues(found: Figures) -> Iterator[Family]:
    queues = found.queues
    known = {(each.name,): each.latency for each in queues}
    yield metric.QUEUE_SIZE.of({(each.name,): each.size for each in queues})
    yield metric.QUEUE_LATENCY.of({name: at for name, at in known.items() if at is not None})
    yield metric.QUEUE_PAUSED.of({(each.name,): each.is_paused for each in queues})
    yield metric.QUEUE_PROCESSES.of({(each.name,): len(each.processes) for each in queues})


def _processes(found: Figures) -> Iterator[Family]:
    yield metric.PROCESSES.of_one(found.numbers.processes)
    yield metric.CONCURRENCY.of_one(found.concurrency)


def _cron(found: Figures) -> Iterator[Family]:
    leadership = found.leadership
    yield metric.CRON_LEADER.of_one(leadership.leader is not None)
    yield metric.CRON_ENTRIES.of_one(found.cron_entries)
    yield metric.CRON_LAG.of_one(leadership.lag)
    yield metric.CRON_TICK.of_one(leadership.ticked_at)


def _chords(found: Figures) -> Iterator[Family]:
    chords = found.chords
    yield metric.CHORDS_ACTIVE.of_one(chords.get("active"))
    yield metric.CHORDS_STUCK.of_one(chords.get("stuck"))
    yield metric.CHORDS_OLDEST.of_one(chords.get("oldest_seconds"))
    yield metric.CHORDS_LOOK.of_one(chords.get("looked_at"))
