"""The record: memory-mapped files into which jobs write that they ran.

A job costs no syscall and no Redis command by that, so that what is measured is the job system.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time
from pathlib import Path

DONE = "BENCH_DONE"
"""Names the file of one byte a job: how often it ran."""

LATENCY = "BENCH_LAT"
"""Names the file of one float64 a job: seconds from the call that enqueued it to its start."""


class Record:
    """The runner's side: makes the files for ``jobs`` jobs and reads them. Use it as a context."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._folder = tempfile.TemporaryDirectory(prefix="flaskiq-bench-", dir=_memory())
        self._done = self._make(DONE, jobs)
        self._latency = self._make(LATENCY, 8 * jobs)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.close()
        self._latency.close()
        self._folder.cleanup()

    @property
    def env(self) -> dict[str, str]:
        """What a worker must have in its environment."""
        return {name: self._path(name) for name in (DONE, LATENCY)}

    def done(self) -> int:
        """How many jobs have run at least once."""
        return self.jobs - self._done[:].count(0)

    def repeated(self) -> int:
        """How many runs there were beyond the first of each job."""
        return sum(self._done[:]) - self.done()

    def latencies(self) -> list[float]:
        """Seconds for each job by index, 0.0 for a job that has not started."""
        return [value for (value,) in struct.iter_unpack("<d", self._latency[:])]

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name, name))

    def _make(self, name: str, size: int) -> mmap.mmap:
        Path(self._path(name)).write_bytes(bytes(size))
        found = _open(self._path(name))
        assert found is not None
        return found


def mark(index: int) -> None:
    """Record that job ``index`` ran. Called by jobs."""
    assert _done is not None
    _done[index] += 1


def mark_latency(index: int, sent: float) -> None:
    """Record when job ``index`` started; ``sent`` is the sender's ``time.monotonic()``."""
    assert _latency is not None
    struct.pack_into("<d", _latency, 8 * index, time.monotonic() - sent)


def _open(path: str | None) -> mmap.mmap | None:
    if path is None:
        return None
    with Path(path).open("r+b") as file:
        return mmap.mmap(file.fileno(), 0)


def _memory() -> str | None:
    """A folder that is in memory, if the system has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a private folder in it


_done = _open(os.environ.get(DONE))
_latency = _open(os.environ.get(LATENCY))
