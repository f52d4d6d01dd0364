"""Contestant: one job system with one way to run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.util import find_spec

ENQUEUE, BULK, DRAIN, DRAIN_IO = "enqueue", "bulk", "drain", "drain_io"
LATENCY, MEMORY, IDLE = "latency", "memory", "idle"
BUSY = (ENQUEUE, BULK, DRAIN, DRAIN_IO, LATENCY, MEMORY)
WORKLOADS = (*BUSY, IDLE)

PRODUCING = (ENQUEUE, BULK)
"""Workloads that need no worker: contestants with the same client are measured once."""


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    ``jobs`` is the module with its jobs (see :mod:`benchmarks.apps`), ``workers`` one command line
    for each process to start, ``slots`` how many jobs they run at a time altogether, ``env`` the
    environment of client and workers, ``worker_env`` that of workers only, ``counts`` the number
    of jobs per workload, ``baseline`` the contestant to compare with, ``requires`` modules without
    which it is left out, ``quick`` the workloads that ``--quick`` takes unasked.
    """

    name: str
    jobs: str
    workers: tuple[tuple[str, ...], ...]
    note: str
    slots: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    worker_env: Mapping[str, str] = field(default_factory=dict)
    workloads: tuple[str, ...] = WORKLOADS
    baseline: str | None = None
    requires: tuple[str, ...] = ()
    interval: float = 0.02  # seconds between two jobs of `latency`
    quick: tuple[str, ...] = ()

    @property
    def variant(self) -> str:
        """What follows ``+`` in the name: results, events, ...; empty for a headline row."""
        return self.name.partition("+")[2]

    @property
    def client(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Equal for contestants that enqueue in the same way."""
        return (self.jobs, tuple(sorted(self.env.items())))

    def missing(self) -> list[str]:
        """The modules that it requires and that are not installed."""
        return [name for name in self.requires if not _is_installed(name)]


def select(contestants: Iterable[Contestant], patterns: Iterable[str]) -> list[Contestant]:
    """Return the contestants whose name, or its part before the slash, matches a pattern."""
    wanted = list(patterns)
    return [
        each
        for each in contestants
        if any(fnmatch(name, glob) for name in (each.name, _family(each)) for glob in wanted)
    ]


def _family(contestant: Contestant) -> str:
    return contestant.name.partition("/")[0]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False
