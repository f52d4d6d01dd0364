"""The report: what stands behind the numbers of an account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chaos.account import MOST_DEATHS, Account
from chaos.faults import Faults
from chaos.ledger import Record

EXAMPLES = 10
AFTER = 5.0
"""Seconds after the last record of a job whose faults are shown."""


def lines(account: Account, records: Sequence[Record]) -> Iterator[str]:
    """Yield the lines before the last one."""
    yield f"jobs in flight in what was hit: {_counts(account.faults.held())}"
    yield f"executions hit while they ran: {_counts(account.hits)}"
    yield f"duplicates explained: {_counts(account.duplicates)}"
    ended = {why: f"{seconds:.2f} s" for why, seconds in account.ended.items() if seconds}
    yield f"of them some had ended before: {_counts(ended)}"
    if account.stuck:
        yield f"stuck: {_counts(account.stuck)}"
    if account.buried:
        buried, poisoned = len(account.buried), len(account.poisoned)
        yield f"buried after {MOST_DEATHS} deaths: {buried}, of them {poisoned} poisoned"
    yield from account.complaints
    for job in account.lost[:EXAMPLES]:
        yield f"lost: job {job}{' (in the dead set)' if job in account.dead else ''}"
        yield from _history(job, records, account.faults)
    for run in account.unexplained[:EXAMPLES]:
        yield f"unexplained: job {run.job}, attempt {run.attempt}, by {run.worker}"
        yield from _history(run.job, records, account.faults)


def _history(job: int, records: Sequence[Record], faults: Faults) -> Iterator[str]:
    """What happened to a job, and meanwhile to the server and to those who ran it."""
    mine = [record for record in records if record.job == job]
    if not mine:
        return
    lines = [(record.at, str(record)) for record in mine]
    workers = {record.writer for record in mine}
    lines += [
        (fault.begin, f"{fault}, {fault.over - fault.begin:.2f} s")
        for fault in faults.concerning(workers, mine[0].at, mine[-1].at + AFTER)
    ]
    for at, line in sorted(lines):
        yield f"  {at - records[0].at:8.2f} s  {line}"


def _counts(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
