"""The table that people read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.contestant import BULK, DRAIN, DRAIN_IO, ENQUEUE, IDLE, LATENCY, MEMORY, WORKLOADS
from benchmarks.report import Row

TITLES = {
    ENQUEUE: "enqueue: no-op jobs one by one, one client process",
    BULK: "bulk: no-op jobs by one call (Celery: group().apply_async())",
    DRAIN: "drain: no-op jobs from a full queue",
    DRAIN_IO: "drain_io: jobs that wait 10 ms, from a full queue",
    LATENCY: "latency: from the call to the start of the job, worker idle",
    MEMORY: "memory: all processes of the worker, after drain",
    IDLE: "idle: what one worker without jobs sends and uses",
}

MOST_FREQUENT = 8
"""Commands that are named in a row."""


@dataclass(frozen=True)
class Column:
    """A heading and the text of a cell."""

    heading: str
    cell: Callable[[Row], str]
    text: bool = False


def _number(name: str, heading: str, digits: int = 0) -> Column:
    def cell(row: Row) -> str:
        value = getattr(row, name)
        return "-" if value is None else f"{value:,.{digits}f}"

    return Column(heading, cell)


def _span(digits: int) -> Column:
    return Column(
        "min-max", lambda row: f"{row.least or 0:,.{digits}f}-{row.most or 0:,.{digits}f}"
    )


def _commands(row: Row) -> str:
    named = list(row.commands.items())[:MOST_FREQUENT]
    return " ".join(f"{name}:{count:.2g}" for name, count in named if count >= 0.05)


NAME = Column("", lambda row: row.contestant, text=True)
RATIO = Column("x Celery", lambda row: "-" if row.ratio is None else f"{row.ratio:.2f}")
RATE, CPU, REDIS = (
    _number("rate", "jobs/s"),
    _number("cpu_us", "cpu us"),
    _number("redis_us", "redis us"),
)
COMMANDS = (_number("commands_per_job", "cmds/job", 2), Column("of them", _commands, text=True))
PROCESSES = _number("processes", "procs")
PRODUCER = (RATE, _span(0), RATIO, CPU, REDIS, _number("bytes_per_job", "bytes/job"), *COMMANDS)
WORKER = (RATE, _span(0), RATIO, CPU, REDIS, PROCESSES, *COMMANDS)

COLUMNS: dict[str, tuple[Column, ...]] = {
    ENQUEUE: PRODUCER,
    BULK: PRODUCER,
    DRAIN: WORKER,
    DRAIN_IO: WORKER,
    LATENCY: (_number("p50_ms", "p50 ms", 2), _span(2), RATIO, _number("p95_ms", "p95 ms", 2)),
    MEMORY: (_number("pss_mb", "PSS MB"), _span(0), RATIO, PROCESSES),
    IDLE: (_number("rate", "cmds/s", 2), _span(2), RATIO, _number("cpu_us", "cpu us/s"), PROCESSES),
}


def table(rows: Sequence[Row]) -> str:
    """Return a text table for each workload that has rows."""
    parts = []
    for workload in WORKLOADS:
        shown = [row for row in rows if row.workload == workload]
        if shown:
            parts.append(f"\n{TITLES[workload]}\n{_layout(COLUMNS[workload], shown)}")
    return "\n".join(parts)


def _layout(columns: tuple[Column, ...], rows: Sequence[Row]) -> str:
    shown = (NAME, *columns)
    lines = [[column.heading for column in shown]]
    lines += [[column.cell(row) for column in shown] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    marks = ["", *map(_mark, rows)]
    return "\n".join(
        f"  {'  '.join(map(_align, shown, line, widths))}{mark}".rstrip()
        for line, mark in zip(lines, marks, strict=True)
    )


def _align(column: Column, cell: str, width: int) -> str:
    return cell.ljust(width) if column.text else cell.rjust(width)


def _mark(row: Row) -> str:
    lost = f"  LOST {row.lost}" if row.lost else ""
    repeated = f"  REPEATED {row.repeated}" if row.repeated else ""
    return lost + repeated
