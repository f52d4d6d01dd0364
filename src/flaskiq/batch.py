"""Batch: jobs that belong together, and what follows when they have run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextvars import Token
from itertools import groupby
from types import TracebackType
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from kombu.exceptions import OperationalError
from kombu.utils.json import dumps
from redis import RedisError
from werkzeug.local import LocalProxy

from flaskiq import arguments, current
from flaskiq.errors import ArgumentError, BatchError
from flaskiq.job import Job, new_id
from flaskiq.message import BATCH_HEADER, undated
from flaskiq.setter import Setter
from flaskiq.store.batches import EVENTS, Batches, BatchRecord, Event
from flaskiq.store.catch import Caught, catching
from flaskiq.worker import Worker

Callback = type[Worker] | tuple[type[Worker], Mapping[str, Any]]
"""A Worker, whose ``perform`` is given the id of the batch; or with further keyword arguments."""

AT_ONCE = 10_000
"""Jobs that are enqueued in one step, in some 30 ms of Redis; more are enqueued in several."""

POLL = 0.05, 1.0
"""Seconds between two looks of :meth:`Batch.wait`, at first and at most."""


class Batch:
    """Jobs that belong together.

    ::

        with Batch("import of May", on_success=Publish, on_death=(Alarm, {"to": "ops"})) as batch:
            ImportRow.perform_bulk([(row,) for row in rows])

        batch.status().progress                # 0.25

    The jobs of Workers that are enqueued within the block are its own. They are enqueued all at
    once when the block ends, and not at all if it raises. Within a job of the batch,
    ``with current_batch:`` adds further ones.

    - ``on_complete``: each job has run once, whatever became of it.
    - ``on_success``: all have succeeded, and the batches within this one have, too.
    - ``on_death``: the first job has died. If it is replayed, success may follow.

    Each is a Worker, whose ``perform`` is given the id of the batch, and is enqueued once. A batch
    that is begun within a block of another, or within one of its jobs, is a part of it.
    """

    def __init__(
        self,
        description: str = "",
        *,
        on_complete: Callback | None = None,
        on_success: Callback | None = None,
        on_death: Callback | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = new_id()
        self.description = _text(description)
        self._callbacks: dict[Event, Callback] = {}
        for event, given in zip(EVENTS, (on_complete, on_success, on_death), strict=True):
            if given is not None:
                self._callbacks[event] = given
                _job_of(event, given, self.id)  # an error of the caller, not of whom it calls
        self._properties = dict(properties or {})
        arguments.check("Batch(properties=...)", (), self._properties)
        self._parent: Batch | None = None
        self.is_begun = False
        self._is_open = False
        self._collected: list[tuple[type[Worker], Job]] = []
        self._tokens: list[Token[Any]] = []

    @classmethod
    def find(cls, batch_id: str) -> Batch | None:
        """Return a batch that was begun before; None if it is not known, or no more."""
        return None if _store().get(batch_id) is None else cls.of(batch_id)

    @classmethod
    def of(cls, batch_id: str) -> Batch:
        """Return a batch that was begun before, without a look whether it is known."""
        batch = cls()
        batch.id, batch.is_begun = batch_id, True
        return batch

    # Filling it.

    def __enter__(self) -> Batch:
        if not self.is_begun:
            around = current.collecting.get()
            self._parent = around if isinstance(around, Batch) else _of_current_job()
        self._tokens.append(current.collecting.set(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current.collecting.reset(self._tokens.pop())
        collected, self._collected = self._collected, []
        is_open, self._is_open = self._is_open, False
        if error is not None:
            if is_open:
                self.cancel()
            return
        jobs = _prepare(collected)
        if current.state().celery.conf.task_always_eager:
            self._end_eagerly()
        else:
            self._enqueue(jobs)
            current.enqueued()

    def collect(self, worker: type[Worker], jobs: Sequence[Job]) -> None:
        """Take jobs that are enqueued within the block."""
        for job in jobs:
            headers = {**job.headers, BATCH_HEADER: self.id}
            self._collected.append((worker, job._replace(headers=headers)))

    def _enqueue(self, jobs: Sequence[Caught]) -> None:
        """Do what the block is for.

        Raises:
            kombu.exceptions.OperationalError: Redis could not be reached.
            BatchError: it takes no more jobs.
        """
        try:
            self._send(jobs)
        except (RedisError, OSError) as error:
            raise OperationalError(str(error)) from error

    def _send(self, jobs: Sequence[Caught]) -> None:
        parts = [jobs[start : start + AT_ONCE] for start in range(0, len(jobs), AT_ONCE)] or [[]]
        adder = _runs_in(self.id)
        for number, part in enumerate(parts, start=1):
            more_follows = number < len(parts)
            if not self.is_begun:
                self.begin(part, more_follows=more_follows)
            elif not _store().add(
                self.id, part, by=adder, more_follows=None if adder else more_follows
            ):
                raise BatchError(
                    f"batch {self.id} takes no more jobs: it is over or cancelled, or this is "
                    "none of its jobs"
                )

    def begin(self, jobs: Sequence[Caught], *, more_follows: bool) -> None:
        """Write it down, and enqueue its first jobs."""
        if self._parent is not None and not self._parent.is_begun:
            # Its own block goes on.
            self._parent.begin([], more_follows=True)
            self._parent._is_open = True  # noqa: SLF001 - its own kind
        fields: dict[str, str | bytes] = {
            "description": self.description,
            "tenant": dumps(current.tenant().headers()),
            **{f"property:{name}": dumps(each) for name, each in self._properties.items()},
        }
        if self._parent is not None:
            fields["parent"] = self._parent.id
        for event, given in self._callbacks.items():
            worker, job = _job_of(event, given, self.id)
            if self._parent is not None:
                # The batch around this one waits for it, and it can add to that.
                job = job._replace(headers={**job.headers, BATCH_HEADER: self._parent.id})
            (caught,) = _prepare([(worker, job)])
            fields[f"{event}_job"] = job.id
            fields[f"on_{event}"] = caught.placed._replace(
                message=undated(caught.placed.message)
            ).pack()
        _store().begin(self.id, fields, jobs, more_follows=more_follows)
        self.is_begun = True

    def _end_eagerly(self) -> None:
        """``task_always_eager``: all jobs have run by now, and nothing is in Redis."""
        for event in ("complete", "success"):
            if event in self._callbacks:
                _prepare([_job_of(event, self._callbacks[event], self.id)])

    # Looking at it.

    def status(self) -> BatchRecord:
        """Return how far it has come.

        Raises:
            BatchError: nothing is known of it (any more).
        """
        found = _store().get(self.id)
        if found is None:
            raise BatchError(f"no batch {self.id} is known; it may have been over for long")
        return found

    def wait(self, timeout: float | None = None) -> BatchRecord:
        """Wait until nothing more happens by itself, and return the status.

        That is success, or a dead job that somebody has to replay.

        Raises:
            TimeoutError: not within so many seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause, most = POLL
        while not self._is_over(found := self.status()):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"batch {self.id} is not over within {timeout} s")
            time.sleep(pause)
            pause = min(pause * 1.5, most)
        return found

    def _is_over(self, found: BatchRecord) -> bool:
        if found.success_at is not None:
            return True
        if found.is_open or found.fresh or found.failed or found.callbacks:
            return False
        return all(child._is_over(child.status()) for child in self.children())  # noqa: SLF001 - its own kind

    def dead_jobs(self) -> list[str]:
        """The ids of its dead jobs; to replay them completes it.

        Among them are what the batches within it have called.
        """
        found = _store().unfinished(self.id).items()
        return [job for job, state in found if state in ("dead", "callback-dead")]

    def children(self) -> list[Batch]:
        """The batches in it that have not succeeded."""
        return [self.of(each) for each in _store().children(self.id)]

    @property
    def properties(self) -> Mapping[str, Any]:
        """What its jobs and callbacks share, as it is now; see :meth:`set`."""
        return _store().properties(self.id) if self.is_begun else self._properties

    def set(self, **properties: Any) -> None:
        """Change some of what its jobs and callbacks share; plain data.

        Raises:
            ArgumentError: JSON cannot hold it.
            BatchError: nothing is known of the batch (any more).
        """
        arguments.check("Batch.set", (), properties)
        if self.is_begun and not _store().set_properties(self.id, properties):
            raise BatchError(f"no batch {self.id} is known; it may have been over for long")
        self._properties.update(properties)

    def cancel(self) -> int:
        """Skip the jobs that have not run, now and in the batches within; return how many.

        Those that run go on. It completes, but never succeeds.
        """
        store = _store()
        jobs = store.cancel(self.id, time.time())
        children = sum(child.cancel() for child in self.children())
        if jobs:
            current.state().celery.control.revoke(jobs)
        store.close(self.id)
        return len(jobs) + children

    def __repr__(self) -> str:
        return f"<Batch {self.id} {self.description}>".replace(" >", ">")


def _text(description: str) -> str:
    try:
        description.encode()
    except (AttributeError, UnicodeEncodeError):
        raise ArgumentError(
            f"Batch({description!a}): the description has to be a text that UTF-8 can hold"
        ) from None
    return description


def _store() -> Batches:
    return current.state().store.batches


def _runs_in(batch_id: str) -> str:
    """The id of the job that runs here if it is of this batch, else an empty text."""
    job = current.current_job
    return job.id if job and job.headers.get(BATCH_HEADER) == batch_id else ""


def _of_current_job() -> Batch | None:
    if not current.current_job:
        return None
    job: Any = current.current_job._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - a proxy of werkzeug's
    batch_id = job.headers.get(BATCH_HEADER)
    # The same one for all that the job does: a block begins and ends with it.
    return vars(job).setdefault("batch", Batch.of(batch_id)) if batch_id else None


current_batch: Batch = LocalProxy(_of_current_job)  # type: ignore[assignment]
"""The batch of the job that runs here; false if it is in none."""


def _job_of(event: Event, given: Callback, batch_id: str) -> tuple[type[Worker], Job]:
    """The job of a callback: its id follows from the batch."""
    worker, kwargs = given if isinstance(given, tuple) else (given, {})
    if not (isinstance(worker, type) and issubclass(worker, Worker)):
        raise ArgumentError(f"on_{event} must be a Worker, or (Worker, kwargs), not {given!r}")
    job_id = str(uuid5(NAMESPACE_OID, f"{batch_id} {event}"))
    return worker, Setter(worker).job((batch_id,), kwargs)._replace(id=job_id)


def _prepare(jobs: Sequence[tuple[type[Worker], Job]]) -> list[Caught]:
    """Return the jobs as they would be enqueued."""
    client = current.state().client
    token = current.collecting.set(None)  # the block of another batch may be around
    try:
        with catching(takes_later=True) as catch:
            for (worker, _), group in groupby(jobs, key=lambda each: (each[0], each[1].queue)):
                client.push(worker, [job for _, job in group])
    finally:
        current.collecting.reset(token)
    return catch.jobs
