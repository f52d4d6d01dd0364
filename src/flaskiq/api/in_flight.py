"""InFlight: jobs that processes have fetched and not acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flaskiq import current
from flaskiq.api.filter import Filter
from flaskiq.api.job_record import JobRecord
from flaskiq.job import State
from flaskiq.store.place import Placed


class InFlight:
    """The jobs in flight: those that run, those fetched ahead, and those of processes that died.

    One that runs is in state ``running``, since ``at``; the others are ``queued``.
    """

    def __init__(self) -> None:
        self._state = current.state()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[JobRecord]:
        """Yield the jobs, process by process."""
        store = self._state.store
        for process in sorted(store.processes.live() | store.processes.lost()):
            running = store.statistics.running(process)
            for value in store.processes.inflight(process).values():
                placed = Placed.unpack(value)
                job = JobRecord.of(placed.message, State.QUEUED, placed.queue, process=process)
                began = running.get(job.id)
                yield replace(job, state=State.RUNNING, at=began.since) if began else job

    def matching(self, where: Filter) -> Iterator[JobRecord]:
        """Yield the jobs that are meant."""
        return filter(where.matches, self)

    def cancel_all(self, where: Filter | None = None) -> int:
        """Cancel the jobs that are meant; return how many.

        One that was fetched ahead is skipped, one that runs can ask for it
        (``current_job.is_cancelled``), and none has another attempt.
        """
        job_ids = [job.id for job in self.matching(where or Filter()) if job.id]
        if job_ids:
            self._state.celery.control.revoke(job_ids)
        return len(job_ids)
