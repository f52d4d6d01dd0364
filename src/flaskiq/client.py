"""Client: puts jobs onto their queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from celery import _state

from flaskiq import current
from flaskiq.direct import BULK_SIZE, Direct
from flaskiq.results import JobResult, JobResults

if TYPE_CHECKING:
    from celery import Celery, Task
    from celery.result import AsyncResult

    from flaskiq.current import Registers
    from flaskiq.job import Job
    from flaskiq.store.store import Store
    from flaskiq.worker import Worker


_running: Any = vars(_state)["_task_stack"]
"""The tasks that run, by thread."""


class Waits(Protocol):
    """What the client needs of database transactions."""

    def add(self, transaction_of: Any, push: Callable[[], Any]) -> bool:
        """Push when a transaction is committed; False if there is none that is open.

        ``transaction_of``: a session, or True for the current one.
        """


class Client:
    """Enqueues the jobs of one app: directly where that is possible, else by Celery."""

    def __init__(
        self,
        celery: Celery,
        registry: Registers,
        open_store: Callable[[], Store],
        transactions: Waits,
        *,
        after_commit: bool,
    ) -> None:
        self._celery = celery
        self._registry = registry
        self._direct = Direct(celery, open_store)
        self._transactions, self._after_commit = transactions, after_commit

    def push(
        self, worker: type[Worker], jobs: Sequence[Job], *, after_commit: Any = False
    ) -> Sequence[AsyncResult[Any]]:
        """Enqueue ``jobs`` in order, :data:`BULK_SIZE` to a round trip; return their handles.

        Args:
            after_commit: True or a session: when its open transaction is committed, if it has one;
                None: as the Worker says, or the app.

        Raises:
            kombu.exceptions.OperationalError: Redis could not be reached; the round trips before
                the failed one have been enqueued.
        """
        task = self._registry.task_of(worker)
        block = current.collecting.get()
        if block is not None:
            block.collect(worker, jobs)
            return JobResults([job.id for job in jobs], partial(JobResult.of, task))
        if after_commit is None:
            own = worker.after_commit
            after_commit = self._after_commit if own is None else own
        if after_commit is not False:
            push = partial(self.push, worker, jobs)
            if self._transactions.add(after_commit, push):
                return JobResults([job.id for job in jobs], partial(JobResult.of, task))
        parent: Any = self._celery.current_worker_task if _may_run_tasks() else None
        pushed = self._direct.push(task, jobs, parent)
        results = JobResults([job.id for job in jobs[:pushed]], partial(JobResult.of, task))
        if parent is not None:
            for result in results:
                parent.add_trail(result)
        others = self._publish(task, jobs[pushed:]) if pushed < len(jobs) else []
        current.enqueued()
        return [*results, *others] if others else results

    def _publish(self, task: Task[..., Any], jobs: Sequence[Job]) -> list[AsyncResult[Any]]:
        if len(jobs) == 1:
            return [_apply_async(task, jobs[0])]
        with self._celery.producer_or_acquire() as producer, producer.batch(BULK_SIZE):
            return [_apply_async(task, job, producer=producer) for job in jobs]


def _may_run_tasks() -> bool:
    """Whether a thread of this process may run a task: Celery looks for that of this one slowly."""
    return bool(getattr(getattr(_running, "_local", None), "__storage__", True))


def _apply_async(task: Task[..., Any], job: Job, **options: Any) -> AsyncResult[Any]:
    return task.apply_async(tuple(job.args), dict(job.kwargs), **job.publish_options(), **options)
