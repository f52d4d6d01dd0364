"""LocalConsumer: Celery's own way from a message to a job, in the thread that has fetched it.

Signals, events, revocation, early acknowledgement, other contents and broken messages are Celery's
here as everywhere: its consumer reads the message, and the pool it hands the job to is the thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic
from types import SimpleNamespace
from typing import Any

from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.app import trace
from celery.exceptions import TaskRevokedError
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu.serialization import prepare_accept_content

from flaskiq.runtime import refused
from flaskiq.runtime.pool.events import Events
from flaskiq.runtime.request import NotOursError

_Consumer: Any = Consumer

Limited = Callable[[float | None, float | None], AbstractContextManager[None]]
"""Runs what is inside under a soft and a hard limit."""


class LocalConsumer(_Consumer):
    """A consumer without a connection: it is handed its messages one by one.

    What it has are the attributes that ``create_task_handler`` and the default strategy of Celery
    5.7 ask for.
    """

    def __init__(self, app: Celery, hostname: str, events: Events) -> None:
        self.app, self.hostname, self._events = app, hostname, events
        self.accept = prepare_accept_content(app.conf.accept_content)
        self.pool = ThreadPool()
        self.controller = SimpleNamespace(state=state)
        self.timer = SimpleNamespace(call_at=None)
        self.connection_errors: tuple[type[BaseException], ...] = ()
        self.disable_rate_limits = True
        self.task_buckets: dict[str, Any] = {}
        self.on_task_message: set[Any] = set()
        self.strategies = Strategies(self)
        self.restart_count = 0
        self._maximum_prefetch_restored = True
        self.on_task_request = self._perform
        refused.install(self)
        self._handle = self.create_task_handler()

    @property
    def event_dispatcher(self) -> Any:
        """Celery's strategies ask whether it is enabled when they are made, the rest later."""
        return self._events

    @staticmethod
    def call_soon_ack(acknowledge: Callable[..., Any], *args: Any) -> None:
        """Acknowledge in this thread."""
        acknowledge(*args)

    def _restore_prefetch_count_after_connection_restart(self, *_: Any) -> None:
        """There is no such count here."""

    def learn(self) -> None:
        """Take up what a strategy knows of the worker, such as whether events are wanted."""
        self.strategies.clear()

    def run(self, message: Any, limited: Limited) -> None:
        """Take a message to its end."""
        self.pool.limit(limited)
        self._handle(message)

    def _perform(self, request: Any) -> None:
        try:
            request.execute_using_pool(self.pool)
        except (TaskRevokedError, NotOursError):
            return


class Strategies(dict[str, Any]):
    """Celery's strategies by the name of the task, with its tracer: made when a job needs one.

    Most jobs need none, and it takes much that a child would else share with its template.
    """

    def __init__(self, consumer: LocalConsumer) -> None:
        super().__init__()
        self._consumer = consumer

    def __missing__(self, name: str) -> Any:
        app: Any = self._consumer.app
        task = app.tasks.get(name)
        if task is None:
            raise KeyError(name)
        # Sentry replaces it.
        task.__trace__ = trace.build_tracer(
            name, task, app.loader, self._consumer.hostname, app=app
        )
        strategy = self[name] = task.start_strategy(app, self._consumer)
        return strategy


class ThreadPool:
    """The pool of a consumer that runs each job where it is."""

    uses_semaphore = False
    task_join_will_block = True

    def __init__(self) -> None:
        self._here = threading.local()

    def limit(self, limited: Limited) -> None:
        """Run the next job of this thread under limits."""
        self._here.limited = limited

    def apply_async(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        *,
        accept_callback: Callable[..., Any],
        callback: Callable[..., Any],
        error_callback: Callable[..., Any],
        soft_timeout: float | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Run a job to its end."""
        accept_callback(os.getpid(), monotonic())
        try:
            with self._here.limited(soft_timeout, timeout):
                outcome = target(*args)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - it ends as a failure
            # Celery's tracer lets some through: what hooks reject, and errors in itself.
            error_callback(ExceptionInfo(internal=True))
        else:
            callback(outcome)
