"""Lines: Celery's log lines of jobs that succeeded, written many at once.

All other records are written at once, behind those that wait: the order stays, and nothing that an
app logs is lost when its process is killed.
"""

from __future__ import annotations

import logging
import os
from logging.handlers import MemoryHandler, WatchedFileHandler
from typing import Any

MOST = 100
"""Lines that wait at most."""

MANY = 25
"""Lines that are worth a system call while jobs are waiting."""

_STREAMS = (logging.StreamHandler, logging.FileHandler, WatchedFileHandler)
"""Handlers of which all is known: not one of their children."""

_tracer = logging.getLogger("celery.app.trace")


class Lines(MemoryHandler):
    """Stands before a handler and lets the tracer's lines wait."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(MOST, target=handler)
        self.setLevel(handler.level)

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
        target: Any = self.target
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
