"""Lines about the outcome of a job that are not Celery's tracer's: written here, or by Celery."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flaskiq.logs.outcome import Outcome, in_brackets


def tell(logger: logging.Logger, level: int, outcome: Outcome, words: str, *args: object) -> None:
    """Write the line about an outcome."""
    with telling(logger, outcome):
        logger.log(level, words, *args, stacklevel=2)


@contextmanager
def telling(logger: logging.Logger, outcome: Outcome) -> Iterator[None]:
    """What this thread logs there meanwhile is the line about ``outcome``."""

    def tell_of(record: logging.LogRecord) -> bool:
        told = {"flaskiq_outcome": outcome, "flaskiq_tenant": in_brackets(outcome.tenant)}
        vars(record).update(told)
        return True

    with _here(logger, tell_of):
        yield


@contextmanager
def silence(logger: logging.Logger) -> Iterator[None]:
    """What this thread logs there meanwhile is dropped: another line tells of it."""
    with _here(logger, lambda _: False):
        yield


@contextmanager
def _here(logger: logging.Logger, act: Callable[[logging.LogRecord], bool]) -> Iterator[None]:
    thread = threading.get_ident()

    def filter_here(record: logging.LogRecord) -> bool:
        return record.thread != thread or act(record)

    logger.addFilter(filter_here)
    try:
        yield
    finally:
        logger.removeFilter(filter_here)
