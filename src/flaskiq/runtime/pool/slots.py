"""Slots: what a child executes and what it has finished, in memory that outlives the child.

A child writes, its parent reads, also after ``kill -9``. So the parent knows at once which jobs ran
(they are counted), which had finished (they never run again) and which only waited.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import NamedTuple

from flaskiq.runtime.pool.clock import NodeClock
from flaskiq.runtime.pool.rates import PLACES, Rates

RING = 4096
"""Finished jobs that are remembered; far more than a child can have unacknowledged."""

_SHARED = 8 + 8 * PLACES
"""Bytes that all children share, at the end: the clock and the rates."""

_HEADER, _SLOT = 3, 3
_EXECUTED, _RSS, _LOOKED = 0, 1, 2


class Execution(NamedTuple):
    """A job that a thread executes; times of the monotonic clock, ``hard`` 0 for no limit."""

    thread: int
    seq: int
    started: float
    hard: float


class Memory:
    """The memory of all children of a node: a file without a name, inherited by fork and by exec.

    Args:
        threads: how many jobs each executes at once.
        most: how many children there may be at once, of new memory.
        fd: the memory that another program has made.
    """

    def __init__(self, threads: int, *, most: int = 0, fd: int | None = None) -> None:
        self.threads = threads
        words = _HEADER + _SLOT * threads + RING
        self._size = 8 * words
        self.fd = _file(self._size * most + _SHARED) if fd is None else fd
        whole = os.fstat(self.fd).st_size
        self.most = (whole - _SHARED) // self._size
        self._map = mmap.mmap(self.fd, whole)

    def slots(self, index: int) -> Slots:
        """Return the slots of one child."""
        start = self._size * index
        return Slots(memoryview(self._map)[start : start + self._size], self.threads)

    def rates(self) -> Rates:
        """Return what the children share: when the next job of each limited task may start."""
        return Rates(memoryview(self._map)[-8 * PLACES :], self.fd)

    def clock(self, at_least: int = 0) -> NodeClock:
        """Return the logical clock of the node."""
        return NodeClock(memoryview(self._map)[-_SHARED : -_SHARED + 8], at_least)


class Slots:
    """The slots of one child. Times cost it three stores a job, and no lock.

    A word holds a seq plus one, so that 0 is none. The ring holds seqs, not flags: what a child
    before this one has left in it means nothing.
    """

    def __init__(self, memory: memoryview, threads: int) -> None:
        self._threads = threads
        self._ints, self._floats = memory.cast("Q"), memory.cast("d")
        self._ring = _HEADER + _SLOT * threads

    def clear(self) -> None:
        """Make room for a new child."""
        for word in range(len(self._ints)):
            self._ints[word] = 0

    def begin(self, thread: int, seq: int, started: float) -> None:
        """Note that a thread executes a job."""
        at = _HEADER + _SLOT * thread
        self._floats[at + 1] = started
        self._floats[at + 2] = 0
        self._ints[at] = seq + 1
        self._ints[_EXECUTED] += 1

    def limit(self, thread: int, hard: float) -> None:
        """Note until when it may: then the parent ends this child."""
        self._floats[_HEADER + _SLOT * thread + 2] = hard

    def end(self, thread: int) -> None:
        """Note that it executes nothing more."""
        self._ints[_HEADER + _SLOT * thread] = 0

    def finish(self, seq: int) -> None:
        """Note that a job is over and must not run again."""
        self._ints[self._ring + seq % RING] = seq + 1

    def has_finished(self, seq: int) -> bool:
        """Whether a job is over."""
        return bool(self._ints[self._ring + seq % RING] == seq + 1)

    def executing(self) -> list[Execution]:
        """Return what its threads execute."""
        found = []
        for thread in range(self._threads):
            at = _HEADER + _SLOT * thread
            word = self._ints[at]
            if word:
                found.append(
                    Execution(thread, word - 1, self._floats[at + 1], self._floats[at + 2])
                )
        return found

    def note_look(self, now: float) -> None:
        """Note that the child looks after its threads, and when, of the monotonic clock."""
        self._floats[_LOOKED] = now

    @property
    def looked_at(self) -> float:
        """When it last did; 0 if it never has."""
        return float(self._floats[_LOOKED])

    def measure(self, rss: int) -> None:
        """Note how large the child is, in bytes."""
        self._ints[_RSS] = rss

    @property
    def rss(self) -> int:
        """How large it was when it last looked, in bytes."""
        return int(self._ints[_RSS])

    @property
    def executed(self) -> int:
        """How many jobs it has begun."""
        return int(self._ints[_EXECUTED])


def _file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("flaskiq")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
