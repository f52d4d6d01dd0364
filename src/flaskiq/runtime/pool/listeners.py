"""Listeners: whether anybody but us hears that a job begins and ends.

To send Celery's signals to ourselves costs a job as much as its app context does, so the executor
does around a job what our receivers would do, and its tracers send them only if others listen.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import signals

_SIGNALS: tuple[Any, ...] = (signals.task_prerun, signals.task_postrun)

_here = threading.local()


class Others:
    """Stands for the receivers of a signal in a tracer, which only asks whether there are any.

    The first one is ours (runtime/context.py), whoever comes later is not.
    """

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def __bool__(self) -> bool:
        return len(self._signal.receivers) > 1 or getattr(_here, "are_asked", False)


@contextmanager
def tracers_ask_others() -> Iterator[None]:
    """Let the tracers that are made meanwhile ask for others.

    Celery's keep the list of receivers that a signal has when they are made (``build_tracer`` in
    celery/app/trace.py, 5.7).
    """
    receivers = [signal.receivers for signal in _SIGNALS]
    for signal in _SIGNALS:
        signal.receivers = Others(signal)
    try:
        yield
    finally:
        for signal, own in zip(_SIGNALS, receivers, strict=True):
            signal.receivers = own


@contextmanager
def heard() -> Iterator[None]:
    """Send the signals of the job that this thread runs meanwhile, whoever listens."""
    _here.are_asked = True
    try:
        yield
    finally:
        _here.are_asked = False
