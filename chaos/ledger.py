"""The ledger: what happened to jobs, written to files by those who did it, never to Redis.

A line is one ``write`` to a file opened for appending, so that it outlives a ``kill -9`` that comes
right after it. Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

START, DONE, FAIL, DIE = "start", "done", "fail", "die"
PUSH, PUSHED = "push", "pushed"


class Record(NamedTuple):
    """One line. ``writer`` is the worker (with its generation) or the producer."""

    event: str
    job: int
    attempt: int
    writer: str
    pid: int
    at: float
    thread: int = 0

    def __str__(self) -> str:
        attempt = f" attempt {self.attempt}" if self.attempt else ""
        return f"{self.event}{attempt} by {self.writer}, process {self.pid}"


class Ledger:
    """The files of one process and of those that it forks; safe to use from several threads."""

    def __init__(self, folder: Path, writer: str) -> None:
        self._folder = folder
        self._writer = writer
        self._files: dict[int, int] = {}

    def write(self, event: str, job: int, attempt: int = 0) -> None:
        """Append one record."""
        pid, thread = os.getpid(), threading.get_native_id()
        record = Record(event, job, attempt, self._writer, pid, time.monotonic(), thread)
        os.write(self._file(record.pid), (" ".join(map(str, record)) + "\n").encode())

    @contextmanager
    def execution(self, job: int, attempt: int) -> Iterator[None]:
        """Record the start of an attempt, and its end if the process lives to see it."""
        self.write(START, job, attempt)
        try:
            yield
        except Exception:
            self.write(FAIL, job, attempt)
            raise
        self.write(DONE, job, attempt)

    def _file(self, pid: int) -> int:
        if pid not in self._files:
            path = self._folder / f"{self._writer}-{pid}.ledger"
            self._files[pid] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return self._files[pid]


def read(folder: Path) -> list[Record]:
    """Return the records of all processes in the order in which they were made."""
    lines = (line for file in folder.glob("*.ledger") for line in file.read_text().splitlines())
    return sorted((_parse(line) for line in lines), key=lambda record: record.at)


def size(folder: Path) -> int:
    """Bytes of all files: a cheap way to see whether anything happens."""
    return sum(file.stat().st_size for file in folder.glob("*.ledger"))


def _parse(line: str) -> Record:
    event, job, attempt, writer, pid, at, thread = line.split(" ")
    return Record(event, int(job), int(attempt), writer, int(pid), float(at), int(thread))
