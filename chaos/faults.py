"""The faults: their kinds, what each excuses, and the list of a run, asked what it explains. Pure.

A fault that ends or freezes a process excuses that its jobs run again. A cut connection and a
restarted server excuse nothing: the process lives on, and a job is not started again while its
process lives. Nor does the death of a parent or of its template: the children that run jobs are
processes of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from chaos import ledger
from chaos.executions import Execution
from chaos.ledger import Record

WORKER_KILL = "worker-kill"  # kill -9 of all processes of a worker at once
PARENT_KILL = (
    "parent-kill"  # kill -9 of the parent alone; its children are to end their jobs and leave
)
TEMPLATE_KILL = "template-kill"  # kill -9 of the process alone from which children are forked
CHILD_KILL = "child-kill"  # kill -9 of one child
FETCH_KILL = "fetch-kill"  # kill -9 of an idle process while a job is on its way to it
FREEZE = "freeze"  # STOP of a worker, CONT after more than its heartbeat's TTL
CHILD_FREEZE = "child-freeze"  # the same of one child
CUT = "cut"  # CLIENT KILL of all connections of a worker
SERVER_KILL = "server-kill"  # kill -9 of the server, which reads its AOF at the restart

POISON = "poison"  # a job kills the process that runs it; not injected, it is among the jobs

OF_CELERYS_POOLS = (WORKER_KILL, CHILD_KILL, FETCH_KILL, FREEZE, CUT, SERVER_KILL)
KINDS = (*OF_CELERYS_POOLS, PARENT_KILL, TEMPLATE_KILL, CHILD_FREEZE)
FREEZES = frozenset({FREEZE, CHILD_FREEZE})
EXCUSES = frozenset({WORKER_KILL, CHILD_KILL, FETCH_KILL, POISON, *FREEZES})

ACK_WINDOW = 1.0
"""Seconds that an acknowledgement may wait for the next fetch."""

RECONNECT_WITHIN = 3.0
"""Seconds after a fault in which a process may still be unable to acknowledge: Celery waits two
before it tries again."""

RESUMES_WITHIN = 0.1
"""Seconds after a freeze in which a process starts the job that it was about to start; it may have
to reach the server before."""


class Fault(NamedTuple):
    """It took effect between ``begin`` and ``struck``; from ``over`` on, a frozen process runs
    again and a killed server answers.

    ``worker`` is None for the server; ``pid`` is set if only that process of the worker was hit;
    ``held`` are the jobs that were in flight in what was hit, running or not.
    """

    kind: str
    begin: float
    struck: float
    over: float
    worker: str | None = None
    pid: int | None = None
    held: int = 0

    def is_of(self, worker: str, pid: int) -> bool:
        """Whether it hit a process of a worker."""
        return self.worker == worker and self.pid in (None, pid)

    def __str__(self) -> str:
        child = f", process {self.pid}" if self.pid else ""
        return f"{self.kind} ({self.worker or 'the server'}{child})"


class Faults:
    """The faults of a run, in the order of time."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = sorted(faults, key=lambda fault: fault.begin)

    def __len__(self) -> int:
        """How many were injected."""
        return sum(fault.kind != POISON for fault in self._faults)

    def held(self) -> Counter[str]:
        """How many jobs were in flight in what was hit, by the kind of the fault."""
        held: Counter[str] = Counter()
        for fault in self._faults:
            held[fault.kind] += fault.held
        return +held

    def deaths(self, start: float, end: float) -> int:
        """How often, between two times, a process died or seemed dead with all that it had in
        flight, also what it had not begun."""
        kinds = (WORKER_KILL, FETCH_KILL, *FREEZES)
        here = (fault for fault in self._faults if fault.begin <= end and start <= fault.over)
        return sum(fault.kind in kinds for fault in here)

    def outages(self, start: float, end: float) -> int:
        """How often the server was down between two times."""
        return len(self.concerning((), start, end))

    def that_hit(self, run: Execution) -> list[Fault]:
        """The faults of its process while it ran, or before it can count as acknowledged."""
        mine = (fault for fault in self._faults if fault.is_of(run.worker, run.pid))
        holds_up = (None, run.worker)
        return [
            fault
            for fault in mine
            if run.start <= fault.struck
            and (run.end is None or self._waited(holds_up, run.end, fault.begin) <= ACK_WINDOW)
        ]

    def concerning(self, workers: Container[str], start: float, end: float) -> list[Fault]:
        """The faults of some workers, and of the server, between two times."""
        here = (fault for fault in self._faults if fault.begin <= end and start <= fault.over)
        return [fault for fault in here if fault.worker is None or fault.worker in workers]

    def resumed(self, starts: Iterable[Record]) -> set[tuple[int, float]]:
        """The starts, as process and time, that a freeze has put off: the first of each thread
        right after it. The records are in the order of time."""
        freezes = [fault for fault in self._faults if fault.kind in FREEZES]
        first: dict[tuple[float, int, int], float] = {}
        for start in starts:
            for fault in freezes:
                if fault.is_of(start.writer, start.pid) and fault.over <= start.at:
                    first.setdefault((fault.over, start.pid, start.thread), start.at)
        return {
            (pid, at)
            for (over, pid, _), at in first.items()
            if self._waited((None,), over, at) <= RESUMES_WITHIN
        }

    def _waited(self, targets: Container[str | None], start: float, end: float) -> float:
        """Seconds between two times in which no fault of these targets (None: the server) held a
        worker up: it ran and had a server."""
        waited, reached = end - start, start
        for fault in self._faults:
            if fault.worker in targets:
                since = max(fault.begin, reached)
                reached = max(reached, min(fault.over + RECONNECT_WITHIN, end))
                waited -= max(0.0, reached - since)
        return waited


def poisonings(records: Iterable[Record]) -> Iterator[Fault]:
    """Yield the deaths of processes by jobs that kill them."""
    for each in records:
        if each.event == ledger.DIE:
            yield Fault(POISON, each.at, each.at, each.at, each.writer, each.pid)
