"""A Celery worker in a thread: it has the Workers, the patches and the database of its test."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any

from celery import Celery, _state
from celery.exceptions import WorkerShutdown
from celery.utils.nodenames import anon_nodename
from celery.worker import WorkController
from kombu.asynchronous import set_event_loop

from flaskiq.errors import ModeError
from flaskiq.store.store import Store

STARTS_WITHIN = 30.0
"""Seconds."""

ENDS_WITHIN = 30.0
"""Seconds that running jobs have."""

_Controller: Any = WorkController  # Celery has hardly any types for these
_WorkerShutdown: Any = WorkerShutdown


class ThreadWorker(_Controller):
    """A node with the pool ``solo``: one job at a time, in the thread that consumes."""

    def __init__(self, celery: Celery) -> None:
        self._ready = threading.Event()
        set_event_loop(None)  # else it would share that of another one
        super().__init__(
            app=celery,
            pool="solo",
            concurrency=1,
            hostname=anon_nodename(prefix="testing"),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            # It is in the context of its test.
            target=copy_context().run,
            args=(self._live,),
            name="flaskiq-testing-worker",
            daemon=True,
        )

    def begin(self) -> None:
        """Start it, and return when it fetches.

        Raises:
            Exception: whatever keeps it from starting.
        """
        self._thread.start()
        self._ready.wait(STARTS_WITHIN)
        if self._error is not None:
            raise self._error
        if not self._ready.is_set():
            raise ModeError(f"the worker of real() has not started within {STARTS_WITHIN} s")
        # Celery forbids a worker's program to wait for results, and this one is a test's, too.
        vars(_state)["_set_task_join_will_block"](False)  # as celery.contrib.testing.worker

    def come_to_rest(self, store: Store, timeout: float) -> None:
        """Wait until it has done all that it was doing, but no longer than ``timeout`` seconds."""
        rests = threading.Event()
        self.consumer.hub.call_soon(rests.set)
        self._wake(store)
        rests.wait(timeout)

    def end(self, store: Store) -> None:
        """Stop it when the job that runs has ended.

        Raises:
            ModeError: that takes too long.
        """
        self.consumer.hub.call_soon(_shut_down)
        self._wake(store)
        self._thread.join(ENDS_WITHIN)
        store.wake_promoter()
        if self._thread.is_alive():
            raise ModeError(f"a job still runs {ENDS_WITHIN} s after the end of its real() block")

    def on_consumer_ready(self, consumer: Any) -> None:
        """Hear from Celery that it fetches."""
        super().on_consumer_ready(consumer)
        self._ready.set()

    def _wake(self, store: Store) -> None:
        """End its wait for a job; else it lasts for the rest of a second."""
        for queue in self.app.amqp.queues:
            store.queues.wake(queue)

    def _live(self) -> None:
        self.app.set_current()
        try:
            self.start()
        except Exception as error:  # noqa: BLE001 - raised by who waits for it
            self._error = error
        finally:
            self._ready.set()


def _shut_down() -> None:
    """End the event loop that calls this.

    Celery's own order to stop (``celery.worker.state``) would be to every worker of this program.
    """
    raise _WorkerShutdown(0)
