"""The Celery task of a Worker."""

from __future__ import annotations

from time import time
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject
from celery.exceptions import Retry as CeleryRetry

from flaskiq.endings import Discard
from flaskiq.handlers import call_each
from flaskiq.job import MAX_RETRIES_HEADER
from flaskiq.message import FAILED_AT_HEADER
from flaskiq.results import JobResult
from flaskiq.runtime.executor import perform
from flaskiq.runtime.jobs import job_of
from flaskiq.runtime.outcome import Dead, Outcome, Retry, Snoozed
from flaskiq.runtime.retry import Curve, decide
from flaskiq.store.flight import SNOOZE_HEADER
from flaskiq.worker import Worker

OUTCOME = "flaskiq_outcome"
"""Where the request of a task keeps how its attempt ends, for runtime/failures.py."""


class WorkerTask(Task):  # type: ignore[type-arg] # generic in the stubs, not at run time
    """Runs a Worker's ``perform`` under Celery's tracer and acts on the outcome."""

    worker: type[Worker]
    curve: Curve = "exponential"

    # Retries are decided here (runtime/retry.py); Celery's own count must not end them earlier.
    max_retries = None

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Perform the job once.

        Raises:
            celery.exceptions.Retry: the attempt failed or snoozes, and the next is published.
            Exception: the original error of the last attempt.
        """
        try:
            return perform(self.worker, args, kwargs)
        except (CeleryRetry, Ignore, Reject):
            raise
        except Exception as error:
            self._act(self._decide(error))
            raise

    def AsyncResult(self, task_id: str, **kwargs: Any) -> JobResult:  # noqa: N802 - Celery's name
        """Return the handle of a job of this Worker."""
        return JobResult(task_id, backend=self.backend, task_name=self.name, app=self.app, **kwargs)

    def _decide(self, error: Exception) -> Outcome:
        if isinstance(error, TypeError) and not self._fits():
            return Dead(error)
        headers, now = self.request.headers or {}, time()
        return decide(
            self.worker,
            self.request.retries + 1,
            headers.get(MAX_RETRIES_HEADER),
            error,
            age=now - headers.get(FAILED_AT_HEADER, now),
            curve=self.curve,
        )

    def _fits(self) -> bool:
        """Whether ``perform`` takes the arguments of the job: those of others are not checked."""
        try:
            args, kwargs = self.request.args or (), self.request.kwargs or {}
            self.worker.signature_check()(*args, **kwargs)
        except TypeError:
            return False
        return True

    def _act(self, outcome: Outcome) -> None:
        if isinstance(outcome, Retry):
            raise self.retry(exc=outcome.error, countdown=outcome.delay)
        if isinstance(outcome, Snoozed):
            self._snooze(outcome)
        vars(self.request)[OUTCOME] = outcome

    def _snooze(self, outcome: Snoozed) -> None:
        """Publish the same attempt for later, as ``Task.retry`` publishes the next one.

        Raises:
            celery.exceptions.Retry: it is done, or ``perform_inline`` and ``apply`` are to do it.
        """
        request = self.request
        if request.called_directly:
            raise outcome.error
        again = self.signature_from_request(
            request,
            countdown=outcome.delay,
            retries=request.retries,
            headers={**(request.headers or {}), SNOOZE_HEADER: True},
        )
        if not request.is_eager:
            try:
                again.apply_async()
            except Exception as error:
                raise Reject(error, requeue=False) from error
        when: Any = outcome.delay  # the stubs take no float
        raise CeleryRetry(exc=outcome.error, when=when, is_eager=request.is_eager, sig=again)


def _tell_success(task: WorkerTask, result: Any, _task_id: str, _args: Any, _kwargs: Any) -> None:
    call_each([task.worker.on_success], job_of(task, task.request), result)


def worker_task(
    celery: Celery, worker: type[Worker], *, curve: Curve = "exponential"
) -> WorkerTask:
    """Make the task of ``worker``, ready to be registered with ``celery``.

    A class of its own for each app: Celery binds a task's class, not the object, to the app.
    """
    soft, hard = time_limits(worker, celery.conf)
    cls = type(
        worker.__name__,
        (WorkerTask,),
        {
            "__doc__": worker.__doc__,
            "__module__": worker.__module__,
            "name": worker.task_name(),
            "worker": worker,
            "curve": curve,
            # Celery logs these as information, without a traceback.
            "throws": (Discard, *worker.discard_on),
            "time_limit": hard,
            "soft_time_limit": soft,
            "ignore_result": worker.ignore_result,
            # Celery's tracer calls what is not its own: most Workers have no such hook.
            **({"on_success": _tell_success} if worker.says("on_success") else {}),
            "__header__": staticmethod(worker.signature_check()),
        },
    )
    task: WorkerTask = cls()
    return task


def adapt_limits(celery: Celery) -> None:
    """Let a plain task with one limit of its own have it beside the app's default of the other.

    Celery refuses to send a task whose soft limit is above the hard one.
    """

    def adapt(sender: Celery, **_: Any) -> None:
        task: Any
        for task in sender.tasks.values():
            soft, hard = task.soft_time_limit, task.time_limit
            if soft and hard and soft > hard:
                if soft == sender.conf.task_soft_time_limit:
                    task.soft_time_limit = hard * 5 / 6
                elif hard == sender.conf.task_time_limit:
                    task.time_limit = soft * 6 / 5

    celery.on_after_finalize.connect(adapt, weak=False)


def time_limits(worker: type[Worker], conf: Any) -> tuple[float | None, float | None]:
    """Return the soft and the hard limit of ``worker`` in seconds.

    A limit that it does not set is the app's, or follows the other by the ratio of the defaults
    (1500 to 1800) where the app's would contradict it.
    """
    soft, hard = worker.soft_time_limit, worker.time_limit
    if soft is None and hard is not None and (conf.task_soft_time_limit or 0) > hard:
        soft = hard * 5 / 6
    if hard is None and soft is not None and soft > (conf.task_time_limit or soft):
        hard = soft * 6 / 5
    return soft, hard
