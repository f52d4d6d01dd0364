"""WorkerStatus: which processes live, on every host, what waits for them, and who leads cron."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flaskiq.api import Process, ProcessSet, Queue, cron_leader
from flaskiq.cli.cron import leadership, led
from flaskiq.cli.output import table
from flaskiq.number import ago
from flaskiq.store.cron import Leadership

MIB = 1024 * 1024


@dataclass(frozen=True)
class Backlog:
    """One queue: how many jobs are ready, and for how many seconds the oldest has been."""

    queue: str
    size: int
    latency: float | None


@dataclass(frozen=True)
class WorkerStatus:
    """The processes, the queues and the scheduler of the current app at one moment."""

    processes: tuple[Process, ...]
    backlogs: tuple[Backlog, ...]
    scheduler: Leadership

    @classmethod
    def take(cls) -> WorkerStatus:
        """Look now."""
        return cls(
            tuple(sorted(ProcessSet(), key=lambda process: (process.host, process.node))),
            tuple(Backlog(queue.name, queue.size, queue.latency) for queue in Queue.all()),
            cron_leader(),
        )

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "processes": [_facts(process) for process in self.processes],
            "queues": [vars(backlog) for backlog in self.backlogs],
            "scheduler": leadership(self.scheduler),
        }

    def text(self) -> str:
        """Return it for people."""
        return f"{self._processes()}\n\n{self._queues()}\n\n{led(leadership(self.scheduler))}"

    def _processes(self) -> str:
        now = time.time()
        return table(
            ("node", "pid", "pool", "busy", "of", "queues", "MiB", "cpu %", "up", "state"),
            [
                (
                    process.node,
                    str(process.pid),
                    process.pool,
                    process.busy,
                    process.concurrency,
                    ",".join(process.queues),
                    process.rss // MIB,
                    process.cpu,
                    ago(now - process.started_at),
                    "quiet" if process.is_quiet else "alive",
                )
                for process in self.processes
            ],
            "No process lives: flaskiq worker start",
        )

    def _queues(self) -> str:
        rows = [(each.queue, each.size, ago(each.latency)) for each in self.backlogs]
        return table(("queue", "size", "latency"), rows, "No queues")


def _facts(process: Process) -> dict[str, Any]:
    return {
        "identity": process.identity,
        "node": process.node,
        "host": process.host,
        "pid": process.pid,
        "pool": process.pool,
        "queues": process.queues,
        "concurrency": process.concurrency,
        "busy": process.busy,
        "rss": process.rss,
        "cpu": process.cpu,
        "started_at": process.started_at,
        "is_quiet": process.is_quiet,
    }
