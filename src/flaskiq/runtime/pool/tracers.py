"""Tracers: Celery's own, without what they would do in vain for each job of a child.

That is half of their time. Names are those of celery 5.7, celery/app/trace.py.
"""

# ruff: noqa: SLF001 - it is all about what is Celery's own

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, _state, signals
from celery.app import backends, trace
from celery.app.task import Task
from celery.backends.base import DisabledBackend
from celery.utils.saferepr import saferepr

from flaskiq.runtime.pool.lines import said

RAN = {"_protected": 1}
"""What a request says whose task was called by a tracer: it calls itself as any other caller."""

_SIGNALS: tuple[Any, ...] = (signals.task_prerun, signals.task_postrun)

_Task: Any = Task
_by_url: Any = backends.by_url
_trace: Any = trace


def lighten(app: Celery) -> None:
    """Let the tracers of this process find at once what they would look up for each job.

    Where no results are kept, nobody needs to be told what has started.
    """
    vars(trace).update(saferepr=_shown, info=_info)
    stacks: list[Any] = [
        vars(_state)["_task_stack"],
        *(task.request_stack for task in app.tasks.values()),
    ]
    for stack in stacks:
        stack._local = _ByThread()  # it is empty
    are_kept = _by_url(app.backend_cls or app.conf.result_backend)[0] is not DisabledBackend
    classes: set[Any] = {type(task) for task in app.tasks.values()}
    for cls in classes:
        if cls.backend is _Task.backend:
            cls.backend = _Task.backend.getter(_backend)
            cls.track_started = cls.track_started and are_kept


def plain_tracer(app: Celery, task: Any, hostname: str) -> Callable[..., Any]:
    """Return a tracer for jobs around which our own receivers of signals need not be called.

    It sends ``task_prerun`` and ``task_postrun`` if others listen, and calls ``run`` unless the
    class of the task has a ``__call__`` of its own. Requests have to be :data:`RAN`.
    """
    with _others_are_asked(), _calls_are_plain():
        # Sentry replaces it.
        tracer: Callable[..., Any] = trace.build_tracer(
            task.name, task, app.loader, hostname, app=app
        )
    return tracer


class _ByThread(threading.local):
    """What a stack of Celery's keeps for each thread; its own looks for the thread in Python.

    It looks for the greenlet, to be exact, and no job of a child begins in one.
    """

    stack: list[Any]

    def __release_local__(self) -> None:
        del self.stack


def _info(words: str, told: dict[str, Any]) -> None:
    """As Celery's ``info``, whose callers are not looked for."""
    if _trace.logger.isEnabledFor(logging.INFO):
        said.note(words, told)


def _backend(task: Any) -> Any:
    """As ``Task.backend``; an app has one backend, or one for each thread."""
    if task._backend is not None:
        return task._backend
    app = task._app
    found = app._backend_cache or getattr(app._local, "backend", None)
    return app.backend if found is None else found


def _shown(value: Any, *args: Any) -> str:
    """As ``saferepr``, for the value that most jobs return."""
    return "None" if value is None else str(saferepr(value, *args))


class _Others:
    """Stands for the receivers of a signal in a tracer, which only asks whether there are any.

    The first one is ours (runtime/context.py), whoever comes later is not.
    """

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def __bool__(self) -> bool:
        return len(self._signal.receivers) > 1


@contextmanager
def _others_are_asked() -> Iterator[None]:
    """Let the tracers that are made meanwhile keep :class:`_Others`, not the receivers."""
    receivers = [signal.receivers for signal in _SIGNALS]
    for signal in _SIGNALS:
        signal.receivers = _Others(signal)
    try:
        yield
    finally:
        for signal, own in zip(_SIGNALS, receivers, strict=True):
            signal.receivers = own


@contextmanager
def _calls_are_plain() -> Iterator[None]:
    """Let Celery's protection of ``__call__`` count as its ``__call__``, which need not be called.

    A tracer takes it for somebody's own, since it comes from another module (``mro_lookup``).
    """
    call = _Task.__call__
    module, call.__module__ = call.__module__, _Task.__module__
    try:
        yield
    finally:
        call.__module__ = module
