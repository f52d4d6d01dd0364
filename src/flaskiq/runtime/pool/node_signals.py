"""NodeSignals: what a node does on signals, where that is not Celery's."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flaskiq.runtime.pool.pool import FetchPool

logger = logging.getLogger(__name__)

LIMITS = 0.1
"""Seconds between two looks at the hard limits."""

SAME = 2.0
"""Seconds in which a second order to stop is the same one, sent twice by an impatient platform."""


class NodeSignals:
    """HUP renews the children, TSTP quiets them, TTIN and USR1 show stacks; TERM stays Celery's.

    ALRM is the clock of the hard limits: they act whatever the node waits for, be it an answer of a
    Redis that says nothing any more.
    """

    def __init__(self, pool: FetchPool) -> None:
        self._pool = pool
        self._wants_quiet = self._wants_dump = False
        self._stopped_at = -SAME
        self._stock: dict[int, Any] = {}

    def install(self) -> None:
        """Install the handlers, after Celery's; only the main thread of a program can."""
        if threading.current_thread() is not threading.main_thread():
            return
        handlers: dict[str, Callable[..., None]] = {
            "SIGHUP": self._on_renew,
            "SIGTSTP": self._on_quiet,
            "SIGTTIN": self._on_dump,
            "SIGUSR1": self._on_dump,
            "SIGALRM": self._on_clock,
        }
        for name, handler in handlers.items():
            signal.signal(getattr(signal, name), handler)
        signal.setitimer(signal.ITIMER_REAL, LIMITS, LIMITS)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._stock[number] = signal.getsignal(number)
            signal.signal(number, self._on_stop)

    def _on_renew(self, *_: Any) -> None:
        self._pool.restart()

    def _on_quiet(self, *_: Any) -> None:
        self._wants_quiet = True

    def _on_dump(self, *_: Any) -> None:
        self._wants_dump = True

    def _on_clock(self, *_: Any) -> None:
        """No lock and no I/O: it reads shared memory, and sends signals."""
        self._pool.enforce_limits()

    def stop_clock(self) -> None:
        """Look no more: nobody is left."""
        if signal.getsignal(signal.SIGALRM) == self._on_clock:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def act(self) -> None:
        """Do what signals have asked for: a handler may come at any instruction, and only notes."""
        if self._wants_quiet:
            self._wants_quiet = False
            logger.warning("Quiet: fetching no more jobs")
            self._pool.quiet()
        if self._wants_dump:
            self._wants_dump = False
            if sys.__stderr__ is not None:
                faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)
            self._pool.dump()

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        """Pass the first order on; Celery takes a second one for "at once"."""
        now = monotonic()
        if now - self._stopped_at < SAME:
            return
        self._stopped_at = now
        stock = self._stock[number]
        if callable(stock):
            stock(number, frame)
        # Celery may have installed what the next one does.
        installed = signal.getsignal(number)
        if installed != self._on_stop:
            self._stock[number] = installed
            signal.signal(number, self._on_stop)
