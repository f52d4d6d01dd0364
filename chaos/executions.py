"""Executions: the starts and the ends of the ledger, joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos import ledger
from chaos.ledger import Record


@dataclass
class Execution:
    """One attempt of a job in one process; no ``end`` if the process did not live to see it."""

    job: int
    attempt: int
    worker: str
    pid: int
    start: float
    end: float | None = None
    failed: bool = False

    def is_running(self, at: float) -> bool:
        """Whether it has not ended before ``at``; only asked about times after its start."""
        return self.end is None or at <= self.end

    def ends_with(self, record: Record) -> bool:
        """Whether ``record`` is of the same process and attempt, and this has no end yet."""
        theirs = (record.attempt, record.writer, record.pid)
        return self.end is None and (self.attempt, self.worker, self.pid) == theirs


def join(records: Iterable[Record]) -> list[Execution]:
    """Return the executions of one job in the order in which they started."""
    found: list[Execution] = []
    for record in records:
        if record.event == ledger.START:
            run = Execution(record.job, record.attempt, record.writer, record.pid, record.at)
            found.append(run)
        elif record.event in (ledger.DONE, ledger.FAIL):
            _end(found, record)
    return found


def _end(found: Sequence[Execution], record: Record) -> None:
    run = next(run for run in found if run.ends_with(record))
    run.end, run.failed = record.at, record.event == ledger.FAIL
