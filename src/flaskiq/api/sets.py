"""The scheduled set, the retry set and the dead set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice

from flaskiq import current, moments
from flaskiq.api.filter import ALL, Filter
from flaskiq.api.find import of_entry
from flaskiq.api.job_record import JobRecord
from flaskiq.api.stretch import (
    CHUNK,
    LOOKED_AT,
    PAGE,
    Page,
    Progress,
    Stretch,
    to_the_end,
    unobserved,
)
from flaskiq.broker.control import end_unstarted
from flaskiq.endings import Kill
from flaskiq.errors import ArgumentError
from flaskiq.failure import Failure
from flaskiq.job import State
from flaskiq.runtime.failures import fail
from flaskiq.store.job_set import Entry, JobSet
from flaskiq.store.reading import Reading, readable

Act = Callable[[list[str]], int]
"""Does something with jobs by their ids; returns with how many."""


class JobsByTime:
    """Jobs in the order of a time. Acting on one by its id is O(log n)."""

    state: State
    newest_first = False

    def __init__(self, jobs: JobSet) -> None:
        self._jobs = jobs
        self._state = current.state()
        self._client = self._state.store.client

    def __len__(self) -> int:
        return len(self._jobs)

    @readable
    def size(self) -> Reading[int]:
        """How many jobs there are."""
        return (yield from self._jobs.size.reading())

    def __iter__(self) -> Iterator[JobRecord]:
        """Yield the jobs, the first due first, or the last that died; none that stays is missed."""
        entries = self._jobs.entries(backwards=self.newest_first)
        return (of_entry(entry, self.state) for entry in entries)

    @readable
    def page(
        self, where: Filter = ALL, after: str | None = None, length: int = PAGE
    ) -> Reading[Page]:
        """The jobs that are meant from a place on; one trip unless there is a filter.

        Raises:
            ArgumentError: ``after`` is no place in a set.
        """
        place, found, looked_at = _place(after), list[JobRecord](), 0
        size = length + 1 if where.is_empty else CHUNK
        while looked_at < LOOKED_AT:
            entries = yield from self._jobs.page.reading(place, size, backwards=self.newest_first)
            for entry in entries:
                if len(found) == length:
                    return Page(found, looked_at, _text(place))
                looked_at, place = looked_at + 1, (entry.at, entry.id)
                job = of_entry(entry, self.state)
                if where.matches(job):
                    found.append(job)
            if len(entries) < size:
                return Page(found, looked_at, None)
        return Page(found, looked_at, _text(place))

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
        return self._all(self._delete, where, progress)

    def delete_some(
        self, where: Filter = ALL, after: str | None = None, most: int = CHUNK
    ) -> Stretch:
        """Delete the jobs that are meant among the next ones, the first due first."""
        return self._some(self._delete, where, after, most)

    def _delete(self, job_ids: list[str]) -> int:
        removed = self._jobs.remove_all(job_ids)
        for job_id, placed in removed.items():
            end_unstarted(self._state.celery, job_id, placed.message, "deleted")
        return len(removed)

    def _release(self, job_ids: list[str]) -> int:
        return sum(map(self._jobs.release, job_ids))

    def _all(self, act: Act, where: Filter, progress: Progress) -> int:
        """Act on the jobs that are there now; those that come meanwhile may be left."""
        return to_the_end(partial(self._some, act, where), len(self), progress)

    def _some(self, act: Act, where: Filter, after: str | None, most: int) -> Stretch:
        entries = self._jobs.page(_place(after), most)
        if not entries:
            return Stretch(0, 0, None)
        meant = [entry.id for entry in entries if where.matches(of_entry(entry, self.state))]
        done = act(meant) if meant else 0
        return Stretch(done, len(entries), _text((entries[-1].at, entries[-1].id)))

    def _entries(self) -> Iterator[Entry]:
        return islice(self._jobs, len(self._jobs))


class _Waiting(JobsByTime):
    """Jobs that wait for a time."""

    def run_now(self, job_id: str) -> bool:
        """Put a job behind the others of its queue; return whether it was there."""
        return self._jobs.release(job_id)

    def run_all_now(self, where: Filter = ALL, progress: Progress = unobserved) -> int:
        """Put the jobs that are meant behind the others of their queues; return how many."""
        return self._all(self._release, where, progress)

    def run_some_now(
        self, where: Filter = ALL, after: str | None = None, most: int = CHUNK
    ) -> Stretch:
        """Do so with those among the next ones."""
        return self._some(self._release, where, after, most)

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
        return self._all(self._kill, where, progress)

    def kill_some(
        self, where: Filter = ALL, after: str | None = None, most: int = CHUNK
    ) -> Stretch:
        """Do so with those among the next ones."""
        return self._some(self._kill, where, after, most)

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
        return self._all(self._retry, where, progress)

    def retry_some(
        self, where: Filter = ALL, after: str | None = None, most: int = CHUNK
    ) -> Stretch:
        """Do so with those among the next ones."""
        return self._some(self._retry, where, after, most)

    def _retry(self, job_ids: list[str]) -> int:
        return sum(map(self._dead.retry, job_ids))

    def _delete(self, job_ids: list[str]) -> int:
        return len(self._jobs.remove_all(job_ids))  # their results say FAILURE already


def _text(place: tuple[float, str] | None) -> str | None:
    return None if place is None else f"{place[0]!r},{place[1]}"


def _place(after: str | None) -> tuple[float, str] | None:
    """Read a place: behind the job with this time and id."""
    if not after:
        return None
    at, _, job_id = after.partition(",")
    try:
        return float(at), job_id
    except ValueError:
        raise ArgumentError(f"{after!r} is no place in a set of jobs") from None
