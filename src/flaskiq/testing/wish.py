"""Wish: which of the waiting jobs are to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flaskiq.message import read
from flaskiq.testing.enqueued import names_of

if TYPE_CHECKING:
    from flaskiq.testing.mode import Target


class Wish:
    """Which of the waiting jobs are to run."""

    def __init__(self, worker: Target | None, queue: str | None) -> None:
        self._names = None if worker is None else names_of(worker)
        self._queue = queue

    def means(self, queue: str, message: bytes) -> bool:
        """Whether a job is to run."""
        if self._queue is not None and queue != self._queue:
            return False
        if self._names is None:
            return True
        return read(message).headers.get("task") in self._names
