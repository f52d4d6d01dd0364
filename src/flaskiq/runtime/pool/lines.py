"""Lines: Celery's log lines of jobs that succeeded, written many at once.

All other records are written at once, behind those that wait: the order stays, and nothing that an
app logs is lost when its process is killed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from logging.handlers import MemoryHandler, WatchedFileHandler
from time import time
from typing import Any

from celery.app import trace

from flaskiq.current import acting_for, running

MOST = 100
"""Lines that wait at most."""

MANY = 25
"""Lines that are worth a system call while jobs are waiting."""

_STREAMS = (logging.StreamHandler, logging.FileHandler, WatchedFileHandler)
"""Handlers of which all is known: not one of their children."""

_tracer = logging.getLogger("celery.app.trace")

_complaints = logging.NullHandler()
"""Tells of what cannot be logged, as all handlers do."""

_WHERE = vars(trace)["info"].__code__.co_filename, vars(trace)["info"].__code__.co_firstlineno
"""Where the lines of a tracer come from."""


class Said:
    """What the tracer has said of jobs that succeeded, until records are made of it.

    That is done while Redis works on the next fetch; before anything else is logged, in any case.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._of_thread = threading.local()
        self._making = threading.Lock()
        os.register_at_fork(after_in_child=self._waiting.clear)

    def note(self, words: str, said: Mapping[str, Any]) -> None:
        """Note what is said of a job; ``words`` with what belongs into them."""
        last = getattr(self._of_thread, words, None)
        like = getattr(logging.getLogRecordFactory(), "like", None)  # logs/records.py
        if last is not None and like is not None:
            self._waiting.append((like, last, said, time(), running(), acting_for()))
            return
        self.make()
        record = _tracer.makeRecord(
            _tracer.name, logging.INFO, *_WHERE, words, (said,), None, "info", {"data": said}
        )
        if "runtime" in said:
            setattr(self._of_thread, words, dict(vars(record)))
        _tracer.handle(record)

    def make(self) -> None:
        """Make the records, and hand them to the handlers; whoever does that already goes on."""
        if not self._waiting or not self._making.acquire(blocking=False):
            return
        try:
            while self._waiting:
                like, *what = self._waiting.popleft()
                record = like(*what)
                try:
                    _tracer.handle(record)
                except Exception:  # noqa: BLE001 - such as a filter's: the job is over
                    _complaints.handleError(record)
        finally:
            self._making.release()


said = Said()


class Lines(MemoryHandler):
    """Stands before a handler and lets the tracer's lines wait."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(MOST, target=handler)
        self.setLevel(handler.level)

    def emit(self, record: logging.LogRecord) -> None:
        """Let a record wait, or write it at once, behind all that were said before."""
        said.make()
        super().emit(record)

    def shouldFlush(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """Whether it is anything else, or enough."""
        is_tracer = record.name == _tracer.name and record.levelno <= logging.INFO
        return not is_tracer or super().shouldFlush(record)

    @property
    def are_many(self) -> bool:
        """Whether they should be written even in a hurry."""
        return len(self.buffer) >= MANY

    def flush(self) -> None:
        """Let the handler write them; a stream gets them all in one piece."""
        said.make()
        target: Any = self.target
        if not self.buffer:
            return
        if type(target) not in _STREAMS or target.stream is None:
            super().flush()
            return
        self.acquire()
        try:
            target.acquire()
            try:
                _write(target, self.buffer)
            finally:
                target.release()
            self.buffer.clear()
        finally:
            self.release()


def _write(handler: Any, records: list[logging.LogRecord]) -> None:
    """Write records as ``StreamHandler.emit`` writes each of them."""
    if isinstance(handler, WatchedFileHandler):
        handler.reopenIfNeeded()
    lines = []
    for record in records:
        try:
            if handler.filter(record):
                lines.append(handler.format(record) + handler.terminator)
        except Exception:  # noqa: BLE001, PERF203 - as logging does
            handler.handleError(record)
    try:
        handler.stream.write("".join(lines))
        handler.flush()
    except Exception:  # noqa: BLE001 - as logging does
        handler.handleError(records[-1])


def gather() -> list[Lines]:
    """Let the lines of this process wait from now on, until those who wait are flushed."""
    placed = []
    logger: logging.Logger | None = _tracer
    while logger is not None:
        lines = [Lines(handler) for handler in logger.handlers]
        for each in lines:
            # What a job forks would write them a second time.
            os.register_at_fork(after_in_child=each.buffer.clear)
        logger.handlers[:] = lines
        placed += lines
        logger = logger.parent if logger.propagate else None
    return placed
