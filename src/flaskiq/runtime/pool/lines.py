"""Lines: Celery's log lines of jobs that succeeded, written many at once.

All other records are written at once, behind those that wait: the order stays, and nothing that an
app logs is lost when its process is killed.
"""

from __future__ import annotations

import logging
import os
from logging.handlers import MemoryHandler

MOST = 100
"""Lines that wait at most."""

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
