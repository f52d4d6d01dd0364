"""Limits: how a job is told, in its own thread, that its soft time limit is over.

Nothing is paid for a limit that is not reached: a job notes its deadline, and the keeper of the
child (``child.py``) looks. The hard limit is the parent's work: it stops the child.
"""

from __future__ import annotations

import ctypes
import dis
import logging
import signal
import sys
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Any, NamedTuple

from celery.exceptions import SoftTimeLimitExceeded

logger = logging.getLogger(__name__)


def raise_in(ident: int, error: type[BaseException] | None) -> None:
    """Raise an error in another thread when it next runs Python code; None takes it back."""
    target = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), target)


class Deadline(NamedTuple):
    """When a job is to be told, and its headers, for the log; ``ident`` is its thread."""

    at: float
    ident: int
    seconds: float
    headers: dict[str, Any]


class SoftLimits:
    """The soft limits of the jobs that run in a child.

    A signal interrupts the main thread even in a blocking call. Other threads are interrupted when
    they next run Python code: a call that blocks comes back first.
    """

    def __init__(self) -> None:
        self._deadlines: dict[int, Deadline] = {}
        self._lock = threading.Lock()
        self._exceeded: set[int] = set()
        self.poke: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Let the main thread be interrupted; to be called in it."""
        signal.signal(signal.SIGUSR1, self._interrupt)

    @property
    def next(self) -> float | None:
        """The nearest deadline, of the monotonic clock."""
        return min((each.at for each in list(self._deadlines.values())), default=None)

    @property
    def is_any_exceeded(self) -> bool:
        """Whether a job runs that was told, so that its hard limit may end this process."""
        return bool(self._exceeded)

    def begin(self, thread: int, at: float, seconds: float, headers: dict[str, Any]) -> None:
        """Watch the job that this thread is about to run."""
        self._deadlines[thread] = Deadline(at, threading.get_ident(), seconds, headers)
        if seconds < 1:
            self.poke()

    def end(self, thread: int) -> None:
        """Watch it no longer; what was aimed at this thread and not delivered is taken back."""
        with self._lock:
            self._deadlines.pop(thread, None)
            if thread in self._exceeded:
                self._exceeded.discard(thread)
                raise_in(threading.get_ident(), None)

    def enforce(self) -> None:
        """Tell every job whose deadline is over."""
        now, main = monotonic(), threading.main_thread().ident
        for thread, deadline in list(self._deadlines.items()):
            if deadline.at > now:
                continue
            if deadline.ident == main:
                signal.pthread_kill(deadline.ident, signal.SIGUSR1)
                continue
            with self._lock:
                if self._deadlines.get(thread) is deadline:
                    self._told(thread, deadline)
                    raise_in(deadline.ident, SoftTimeLimitExceeded)

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        deadline = self._deadlines.get(0)
        if deadline is not None and deadline.at <= monotonic():
            self._told(0, deadline)
            _raise(SoftTimeLimitExceeded(deadline.seconds), frame)

    def _told(self, thread: int, deadline: Deadline) -> None:
        del self._deadlines[thread]
        self._exceeded.add(thread)
        logger.warning(
            "Soft time limit (%ss) exceeded for %s[%s]",
            deadline.seconds,
            deadline.headers.get("task"),
            deadline.headers.get("id"),
        )


def _raise(error: Exception, frame: FrameType | None) -> None:
    """Raise an error from a signal handler, where the ``try`` around a loop catches it.

    From Python 3.11 on, the jump that closes a loop is not among the instructions of the ``try``
    around it, and most signals arrive there. One instruction later it is.
    """
    if frame is None or not _closes_loop(frame) or sys.gettrace() is not None:
        raise error

    def trace(at: FrameType, _event: str, _arg: object) -> object:
        if at is frame:
            sys.settrace(None)
            frame.f_trace = None
            raise error
        return trace

    frame.f_trace = trace
    frame.f_trace_opcodes = True
    sys.settrace(lambda *_: None)


def _closes_loop(frame: FrameType) -> bool:
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("JUMP_BACKWARD")
