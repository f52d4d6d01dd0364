"""RealApp: one app in a real() block: its database, its worker, and what was enqueued."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.utils.imports import instantiate
from kombu import Connection, pools

from flaskiq import current
from flaskiq.api.find import find
from flaskiq.broker.connection import open_store
from flaskiq.broker.results import RedisBackend
from flaskiq.errors import ContextError
from flaskiq.store.place import Placed
from flaskiq.testing import embedded
from flaskiq.testing.enqueued import EnqueuedJob, Put, job_of
from flaskiq.testing.thread_worker import ThreadWorker
from flaskiq.testing.under_test import keeps_results
from flaskiq.testing.watched import watch, watched_transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flaskiq.store.store import Store

CONNECTIONS = 10
"""To publish."""


class RealApp:
    """Begins when it is first used: an empty database, and a worker unless there is to be none."""

    def __init__(self, celery: Celery, timeout: float) -> None:
        self.celery = celery
        self._timeout = timeout
        self._puts: list[Put] = []
        self._callbacks: list[tuple[str, str, bytes]] = []
        self._queues: set[str] = set()
        self._own = threading.local()
        self._worker: ThreadWorker | None = None
        self.url = embedded.take_database()
        self._transport = watched_transport(self.note)

    def begin(self, *, worker: bool) -> None:
        """Empty the database and start the worker.

        Raises:
            Exception: whatever keeps it from starting.
        """
        self.store.client.flushdb()
        if worker:
            thread = ThreadWorker(self.celery)
            thread.begin()
            self._worker = thread

    def end(self) -> None:
        """Stop the worker when the job that runs has ended, and leave nothing behind.

        Raises:
            ModeError: that takes too long.
        """
        try:
            if self._worker is not None:
                self._worker.end(self.store)
            self.store.client.flushdb()
        finally:
            self.store.client.close()
            self.connections.force_close_all()
            embedded.give_back(self.url)

    # What the running side asks.

    @cached_property
    def store(self) -> Store:
        """The store, which notes what is enqueued."""
        store = open_store(self.celery, self._timeout)
        return watch(store, self.note, self._note_callback)

    def connection(self) -> Connection:
        """A connection to the database, whatever the settings say."""
        found: Connection = self.celery.connection_for_write(
            self.url, ssl=False, transport=self._transport
        )
        return found

    @cached_property
    def connections(self) -> Any:
        """Connections of all threads."""
        return self.connection().Pool(CONNECTIONS)

    @cached_property
    def producers(self) -> Any:
        """What publishes over these."""
        return pools.ProducerPool(self.connections, limit=CONNECTIONS)

    @cached_property
    def control(self) -> Any:
        """Remote control over these: Celery's own instance keeps what it has published with."""
        control: Any = self.celery.control_cls
        return instantiate(control, app=self.celery)

    @property
    def backend(self) -> Any:
        """Where results are; each thread has its own, as ever. None if the app keeps none."""
        if not keeps_results(self.celery):
            return None
        if not hasattr(self._own, "backend"):
            self._own.backend = RedisBackend(app=self.celery, url=self.url)
            # It goes by the settings, which name other servers.
            vars(self._own.backend)["_is_in_database_of_broker"] = True
        return self._own.backend

    def note(self, queue: str, message: bytes, at: float | None) -> None:
        """Remember that a job was enqueued."""
        self._queues.add(queue)
        self._puts.append(Put(queue, message, at, time.time()))

    def _note_callback(self, batch_id: str, event: str, packed: bytes) -> None:
        self._callbacks.append((batch_id, event, packed))

    # What a test asks.

    def enqueued(self) -> Iterator[EnqueuedJob]:
        """The jobs that were enqueued, in order, as they are now."""
        first: dict[str, Put] = {}
        for put in [*self._puts, *self._called()]:
            first.setdefault(put.job_id, put)
        state = current.state_of(self.celery)
        if state is None:
            raise ContextError(f"the Celery app {self.celery.main!r} has no Flaskiq")
        with state.app.app_context():
            for job_id, put in first.items():
                message = put.read()
                tenant = state.tenancy.plain(message.headers)
                yield job_of(message, put, tenant=tenant, state=find(job_id).state)

    def _called(self) -> Iterator[Put]:
        """What batches have called, which Redis enqueues by itself."""
        for batch_id, event, packed in self._callbacks:
            batch = self.store.batches.get(batch_id)
            at = getattr(batch, f"{event}_at", None)
            if at is not None:
                placed = Placed.unpack(packed)
                yield Put(placed.queue, placed.message, None, at)

    def left(self) -> int:
        """How many jobs are ready, in flight or due, at one instant."""
        return self.store.unsettled(sorted({*self.celery.amqp.queues, *self._queues}))

    def come_to_rest(self) -> None:
        """Wait until the worker has done what follows an attempt, such as telling of it."""
        if self._worker is not None:
            self._worker.come_to_rest(self.store, self._timeout)

    def shift(self, seconds: float, change: Callable[[bytes, float], bytes]) -> None:
        """Let everything that waits for a time come nearer; ``change`` makes the new messages."""
        for jobs in (self.store.scheduled, self.store.retry):
            for entry in list(jobs):
                jobs.reschedule(entry.id, entry.at - seconds, lambda raw: change(raw, seconds))

    def clear(self) -> None:
        """Forget all jobs; one that runs goes on."""
        for queue in {*self.celery.amqp.queues, *self._queues}:
            self.store.ready.clear(queue)
        for jobs in (self.store.scheduled, self.store.retry, self.store.dead):
            jobs.remove_all([entry.id for entry in jobs])
        if keeps_results(self.celery):
            for put in self._puts:
                self.backend.forget(put.job_id)
        self._puts.clear()
        self._callbacks.clear()
