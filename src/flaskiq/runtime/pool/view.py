"""View: what Celery's remote control and heartbeat see of the jobs of the children.

Before a command is handled, the jobs that the children hold are read and put where Celery looks for
the requests of its worker: so all its own handlers tell the truth, unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any

from celery.worker import state

from flaskiq.runtime.pool.child_process import ChildProcess
from flaskiq.runtime.pool.settle import Books, HeldRequest, Remains
from flaskiq.runtime.told import tell_terminated


class View:
    """Fills ``celery.worker.state`` for one node; ``end`` ends a job that runs."""

    def __init__(self, books: Books, end: Callable[[ChildProcess, int], bool]) -> None:
        self.books, self.end = books, end
        self._kept: list[Any] = []

    def count(self, executed: int, children: Iterable[ChildProcess]) -> None:
        """Let Celery's heartbeat tell how many jobs run here and have run."""
        state.all_total_count[0] = executed
        self._kept = [Mark() for child in children for _ in child.executing()]
        active: Any = state.active_requests
        active.clear()
        active.update(self._kept)

    def show(self, children: Iterable[ChildProcess]) -> None:
        """Show the jobs that the children hold.

        Raises:
            redis.RedisError: Redis is out of reach.
        """
        self.hide()
        for child in children:
            if child.identity is not None:
                self._show(child, Remains(self.books, child.identity))

    def hide(self) -> None:
        """Show nothing more: what was shown grows old at once."""
        jobs: Any
        for jobs in (state.requests, state.active_requests, state.reserved_requests):
            jobs.clear()
        self._kept = []

    def _show(self, child: ChildProcess, remains: Remains) -> None:
        running = {each.seq: each for each in child.executing()}
        early = {seq: raw for seq, raw in child.early.items() if seq in running}
        for seq, raw in sorted({**remains.jobs, **early}.items()):
            if child.slots.has_finished(seq) and seq not in early:
                continue
            with suppress(ValueError, KeyError):  # a message that nobody can read
                job = ShownRequest(self, child, remains, seq, raw)
                self._kept.append(job)
                state.task_reserved(job)
                if seq in running:
                    job.worker_pid = child.pid
                    job.time_start = time.time() - (monotonic() - running[seq].started)
                    state.active_requests.add(job)


class ShownRequest(HeldRequest):
    """A job of a child, as the handlers of remote control see it."""

    def __init__(
        self, view: View, child: ChildProcess, remains: Remains, seq: int, raw: bytes
    ) -> None:
        super().__init__(view.books, remains, seq, raw)
        self._view, self._child = view, child

    def terminate(self, _pool: Any, signal: Any = None) -> None:
        """End the job, and say that it was revoked; unless it has just ended."""
        if self.time_start is None:  # the child notes that it does not start
            self._announce_revoked("terminated", True, signal, False)
        elif self._view.end(self._child, self.seq):
            self._note("cancelled")
            tell_terminated(self.so_far("cancelled"))
            self._announce_revoked("terminated", True, signal, False)

    def cancel(self, *_: Any, **__: Any) -> None:
        """Do nothing: a worker that ends at once pushes back what its children hold."""


class Mark:
    """Counts a running job in ``worker.state.active_requests``, for Celery's heartbeat.

    A reconnect and a cold stop walk over that set, and ask what is here.
    """

    acknowledged, id, eventer = True, None, None

    class task:  # noqa: N801 - what a request calls its task
        """Nothing is to be done for it."""

        acks_late = True

    def cancel(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def info(self, **_: Any) -> dict[str, Any]:
        """Say nothing."""
        return {}
