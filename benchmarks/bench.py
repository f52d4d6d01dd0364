"""Bench: what a measurement works with, and how many jobs it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestant import Contestant
from benchmarks.processes import Producer, Workers
from benchmarks.record import Record
from benchmarks.server import Server

QUICK = 8
"""By how much ``--quick`` divides the number of jobs."""


@dataclass(frozen=True)
class Bench:
    """The server, a folder for logs, and whether to be quick."""

    server: Server
    folder: Path
    quick: bool

    def jobs(self, contestant: Contestant, workload: str, usual: int) -> int:
        """How many jobs to take."""
        count = contestant.counts.get(workload, usual)
        return max(count // QUICK, 40) if self.quick else count

    def producer(self, contestant: Contestant, operation: str, count: int) -> Producer:
        """Start a client and warm it up."""
        return Producer(contestant, operation, count, self.server.url, self.folder)

    def workers(self, contestant: Contestant, record: Record) -> Workers:
        """Start the workers."""
        return Workers(contestant, self.server.url, record.env, self.folder)
