"""Shelf: where the jobs of one app lie, and every message that was ever put there."""

from __future__ import annotations

from collections import deque
from time import time
from typing import NamedTuple

from flaskiq.store.place import Placed
from flaskiq.store.statistics import Running
from flaskiq.tally import Ended
from flaskiq.testing.enqueued import Put


class Waiting(NamedTuple):
    """A job that waits in a list; ``ahead`` is how far the clock was ahead when it was put."""

    queue: str
    message: bytes
    ahead: float


class Flying(NamedTuple):
    """A job that runs."""

    placed: Placed
    running: Running


class Clock:
    """The clock of a test: Python's own, which is never moved, and ``ahead`` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return time() + self.ahead

    def move_to(self, instant: float) -> None:
        """Let it be that time, unless it is later already."""
        self.ahead = max(self.ahead, instant - time())


class Shelf:
    """Lists of ready jobs, and what has become of the others."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ready: dict[str, deque[Waiting]] = {}
        self.puts: list[Put] = []
        self.ended: dict[str, Ended] = {}
        """How the jobs ended that are over."""
        self.running: dict[str, Flying] = {}
        self.cancelled: set[str] = set()

    def put(self, queue: str, message: bytes, *, ahead: float | None = None) -> None:
        """Put a job behind the others of its queue."""
        since = self.clock.ahead if ahead is None else ahead
        self.ready.setdefault(queue, deque()).append(Waiting(queue, message, since))

    def note(self, queue: str, message: bytes, at: float | None = None) -> None:
        """Remember that a job was enqueued."""
        self.puts.append(Put(queue, message, at, time()))

    def take(self, queue: str, message: bytes) -> bool:
        """Take a ready job out; return whether it was there."""
        jobs = self.ready.get(queue, deque())
        for job in jobs:
            if job.message == message:
                jobs.remove(job)
                return True
        return False

    def clear(self) -> None:
        """Forget all jobs; the clock stays where it is."""
        for kept in (self.ready, self.puts, self.ended, self.running, self.cancelled):
            kept.clear()
