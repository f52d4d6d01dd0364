"""The scheduled set, the retry set and the dead set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from flaskiq import current, moments
from flaskiq.api.filter import Filter
from flaskiq.api.find import of_entry
from flaskiq.api.job_record import JobRecord
from flaskiq.api.queue import Progress, unobserved
from flaskiq.broker.control import end_unstarted
from flaskiq.endings import Kill
from flaskiq.failure import Failure
from flaskiq.job import State
from flaskiq.runtime.failures import fail
from flaskiq.store.job_set import Entry, JobSet

CHUNK = 1_000
"""Jobs that are dealt with at once."""

ALL = Filter()


class JobsByTime:
    """Jobs in the order of a time. Acting on one by its id is O(log n)."""

    state: State
    newest_first = False

    def __init__(self, jobs: JobSet) -> None:
        self._jobs = jobs
        self._state = current.state()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[JobRecord]:
        """Yield the jobs, the first due first, or the last that died; none that stays is missed."""
        entries = self._jobs.entries(backwards=self.newest_first)
        return (of_entry(entry, self.state) for entry in entries)

    def page(self, after: tuple[float, str] | None = None, length: int = 25) -> list[JobRecord]:
        """Return the jobs behind the one with this time and id."""
        found = self._jobs.page(after, length, backwards=self.newest_first)
        return [of_entry(entry, self.state) for entry in found]

    def matching(self, where: Filter) -> Iterator[JobRecord]:
        """Yield the jobs that are meant."""
        return filter(where.matches, self)

    def find(self, job_id: str) -> JobRecord | None:
        """Return a job by its id."""
        entry = self._jobs.find(job_id)
        return None if entry is None else of_entry(entry, self.state)

    def delete(self, job_id: str) -> bool:
        """Delete a job; return whether it was there. It ends as a cancelled one."""
        return bool(self._delete([job_id]))

    def delete_all(self, where: Filter = ALL, progress: Progress = unobserved) -> int:
        """Delete the jobs that are meant; return how many."""
        return self._in_chunks(where, progress, self._delete)

    def _delete(self, job_ids: list[str]) -> int:
        removed = self._jobs.remove_all(job_ids)
        for job_id, placed in removed.items():
            end_unstarted(self._state.celery, job_id, placed.message, "deleted")
        return len(removed)

    def _release(self, job_ids: list[str]) -> int:
        return sum(map(self._jobs.release, job_ids))

    def _in_chunks(self, where: Filter, progress: Progress, act: Callable[[list[str]], int]) -> int:
        """Act on the jobs that are there now; those that come meanwhile may be left."""
        left, done = iter(self._entries()), 0
        while chunk := list(islice(left, CHUNK)):
            meant = [entry.id for entry in chunk if where.matches(of_entry(entry, self.state))]
            done += act(meant) if meant else 0
            progress(len(chunk))
        return done

    def _entries(self) -> Iterator[Entry]:
        return islice(self._jobs, len(self._jobs))


class _Waiting(JobsByTime):
    """Jobs that wait for a time."""

    def run_now(self, job_id: str) -> bool:
        """Put a job behind the others of its queue; return whether it was there."""
        return self._jobs.release(job_id)

    def run_all_now(self, where: Filter = ALL, progress: Progress = unobserved) -> int:
        """Put the jobs that are meant behind the others of their queues; return how many."""
        return self._in_chunks(where, progress, self._release)

    def reschedule(self, job_id: str, at: datetime) -> bool:
        """Change when a job is due; return whether it was there.

        Raises:
            ArgumentError: ``at`` is not a datetime.
        """
        return self._jobs.reschedule(job_id, moments.instant(at, "at").timestamp())

    def reschedule_all(
        self, at: datetime, where: Filter = ALL, progress: Progress = unobserved
    ) -> int:
        """Change when the jobs that are meant are due; return how many.

        Raises:
            ArgumentError: ``at`` is not a datetime.
        """
        due = moments.instant(at, "at").timestamp()
        # All are looked up before one is moved: a moved one would be met again at its new time.
        meant = [
            entry.id for entry in self._entries() if where.matches(of_entry(entry, self.state))
        ]
        progress(len(self) - len(meant))
        return sum(self._reschedule(job_id, due, progress) for job_id in meant)

    def _reschedule(self, job_id: str, due: float, progress: Progress) -> bool:
        progress(1)
        return self._jobs.reschedule(job_id, due)

    def kill(self, job_id: str) -> bool:
        """Move a job into the dead set; return whether it was there. Death handlers hear of it."""
        return bool(self._kill([job_id]))

    def kill_all(self, where: Filter = ALL, progress: Progress = unobserved) -> int:
        """Move the jobs that are meant into the dead set; return how many."""
        return self._in_chunks(where, progress, self._kill)

    def _kill(self, job_ids: list[str]) -> int:
        error, killed = Kill("killed by hand"), 0
        for job_id in job_ids:
            found = self._jobs.find(job_id)
            attempt = of_entry(found, self.state).attempt if found else 1
            failure = Failure.of(error, attempt or 1, traceback="")
            placed = self._state.store.kill(job_id, self._jobs, failure)
            if placed is not None:
                killed += 1
                with suppress(ValueError, KeyError, TypeError):  # nobody can read it
                    fail(self._state.celery, job_id, placed.message, error)
        self._state.store.dead.trim()
        return killed


class ScheduledSet(_Waiting):
    """Jobs that wait for their time."""

    state = State.SCHEDULED

    def __init__(self) -> None:
        super().__init__(current.state().store.scheduled)


class RetrySet(_Waiting):
    """Jobs that wait for another attempt."""

    state = State.RETRYING

    def __init__(self) -> None:
        super().__init__(current.state().store.retry)


class DeadSet(JobsByTime):
    """Jobs that gave up; the last that died comes first."""

    state = State.DEAD
    newest_first = True

    def __init__(self) -> None:
        super().__init__(current.state().store.dead)
        self._dead = current.state().store.dead

    def retry(self, job_id: str) -> bool:
        """Enqueue a job again; return whether it was there. It keeps its id and its family."""
        return self._dead.retry(job_id)

    def retry_all(self, where: Filter = ALL, progress: Progress = unobserved) -> int:
        """Enqueue the jobs that are meant again; return how many."""
        return self._in_chunks(where, progress, lambda ids: sum(map(self._dead.retry, ids)))

    def _delete(self, job_ids: list[str]) -> int:
        return len(self._jobs.remove_all(job_ids))  # their results say FAILURE already
