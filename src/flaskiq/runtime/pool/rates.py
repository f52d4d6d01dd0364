"""Rates: a task's ``rate_limit``, kept by all children of a node together."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from zlib import crc32

from celery.utils.time import rate

PLACES = 1024
"""Tasks that can have a limit of their own; of two that share a place the slower one rules."""


class Rates:
    """When the next job of each limited task may start; in the memory of the node.

    As Celery's token bucket, which holds one token. Nobody waits for it here: a job whose time has
    not come goes back to Redis with that time, and has its turn then.
    """

    def __init__(self, memory: memoryview, fd: int) -> None:
        self._next = memory.cast("d")
        self._fd = fd
        self._here = threading.Lock()

    def reserve(self, task: str, limit: str | float) -> float | None:
        """Return when a job of ``task`` may start, in seconds since the epoch; None for now.

        Args:
            limit: as Celery reads it: ``"10/m"``, or a number for each second.
        """
        per_second = float(rate(str(limit)))
        if not per_second:
            return None
        place = crc32(task.encode()) % PLACES
        with self._alone():
            now = time()
            at = max(now, self._next[place])
            self._next[place] = at + 1 / per_second
        return at if at > now else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._here:
            fcntl.lockf(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)
