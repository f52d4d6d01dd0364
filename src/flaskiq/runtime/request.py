"""Request: what Celery's worker knows of a job in hand, and how it bears the death of a child."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from time import time
from typing import Any
from weakref import WeakSet

from billiard.einfo import (  # type: ignore[attr-defined] # the stubs lack the second
    ExceptionInfo,
    ExceptionWithTraceback,
)
from celery import Celery
from celery.exceptions import (
    Ignore,
    Reject,
    Retry,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery.worker import state
from celery.worker.request import Request
from redis import RedisError

from flaskiq.broker import batches
from flaskiq.current import state_of
from flaskiq.failure import brief
from flaskiq.job import Job
from flaskiq.logs.outcome import Outcome, Told
from flaskiq.logs.telling import silence, tell, telling
from flaskiq.message import ATTEMPTS_HEADER, CRON_HEADER, ENQUEUED_AT_HEADER, read
from flaskiq.runtime.death import Verdict, move_on, verdict
from flaskiq.runtime.ending import ending_of
from flaskiq.runtime.failures import bury, failure_of, is_kept, mourn
from flaskiq.runtime.jobs import shown
from flaskiq.runtime.told import outcome_of, tell_death, tell_interrupted, tell_terminated
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.place import Placed
from flaskiq.tally import FINAL, Ended, Ending

logger = logging.getLogger(__name__)

_stock_logger = logging.getLogger(Request.__module__)

_Request: Any = Request
_STOCK = "celery.worker.request:Request"

_seen: WeakSet[Any] = WeakSet()
"""The requests that are not over; Celery forgets some of its own when a connection ends."""


class NotOursError(Exception):
    """Ends the turn of a thread that has come to a job which was pushed back meanwhile."""


class JobRequest(_Request):
    """Counts the death of the prefork child that ran the job, for exactly this job.

    Celery requeues such a job for ever (``reject_on_worker_lost``), or fails it at the first death.
    """

    time_start: float | None

    _withheld: list[bool] | None = None
    """While a job ends that is to be buried: whether its acknowledgement was asked for."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note each attempt that ends in its own process.

        Celery derives a class for each task, whose ``on_success`` calls none of its bases
        (``create_request_cls`` in celery/worker/request.py).
        """
        super().__init_subclass__(**kwargs)
        stock: Callable[..., Any] = cls.on_success

        def on_success(self: JobRequest, ended: tuple[Any, Any, float], **options: Any) -> Any:
            failed, value, seconds = ended
            if failed:
                self._note_failed(_error_of(value), seconds)
            else:
                self._note("done", seconds)
            return stock(self, ended, **options)

        cls.on_success = on_success

    def on_failure(
        self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """Put a job back whose child died, counted; the third time, bury it."""
        if not self._was_lost(exc_info):
            end = partial(super().on_failure, exc_info, send_failed_event, return_ok)
            return self._fail_here(exc_info, end, by_itself=return_ok)
        self.count_death()
        return None

    def count_death(self) -> None:
        """Bear the death of the process, now or as soon as Redis can be reached."""
        what = f"to count that a process died with {self.id}"
        self.message.channel.process.owed.do(self.bear_death, what)

    def bear_death(self) -> None:
        """Put the job back, counted; the third time, bury it.

        Raises:
            redis.RedisError: Redis is out of reach, and the job is in hand as before.
        """
        process = self.message.channel.process
        decision = settle(process, self.message.delivery_tag)
        self._drop()
        if decision is not None:
            tell_death(decision, self._outcome("requeued"))
            if decision.is_final:
                process.owed.do(partial(self._fail, decision), decision.what_is_told)

    def _fail_here(self, exc_info: ExceptionInfo, end: Callable[[], Any], by_itself: bool) -> Any:
        """End a failed job; what its own process has not moved on goes to the dead set."""
        error = _error_of(exc_info)
        if not by_itself:
            if isinstance(error, Terminated) and self._already_cancelled:
                self._tell_cut_off()
                return end()
            if not isinstance(error, TimeLimitExceeded):
                self._note_failed(error)
            end = self._told(error, end)
        if isinstance(error, (Retry, Ignore, Terminated)):
            return end()
        if by_itself and not isinstance(error, Reject):
            if not exc_info.internal:
                self.message.channel.process.hand.expect_nothing(self.message.delivery_tag)
                return end()
            if self._success_was_stored():
                return end()
        if isinstance(error, TimeLimitExceeded):
            self._end_unacknowledged(end)  # on_timeout comes next
        else:
            self._end_dead(error, str(exc_info.traceback), end)
        return None

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Bury a job whose process was killed at its hard limit."""
        end = partial(super().on_timeout, soft, timeout)
        if soft:
            end()
        else:
            # Celery does not say when a job began that another process has run.
            self.time_start = self.time_start or time() - timeout
            error = TimeLimitExceeded(timeout)
            self._note("dead", timeout, error)
            with telling(_stock_logger, self._outcome("dead", timeout, error)):
                self._end_dead(error, "", end)

    def _end_dead(self, error: Exception, traceback: str, end: Callable[[], Any]) -> None:
        """Let Celery end the job, and bury it in place of the acknowledgement.

        The result comes first: it is written only as long as the job is in flight.
        """
        if self._end_unacknowledged(end) or self.acknowledged:
            self._bury(error, traceback)

    def _end_unacknowledged(self, end: Callable[[], Any]) -> bool:
        """Let Celery end the job; return whether it would have acknowledged it."""
        self._withheld = []
        try:
            end()
        finally:
            asked, self._withheld = self._withheld, None
        return bool(asked)

    def _bury(self, error: Exception, traceback: str) -> None:
        job = self._job()
        channel, tag = self.message.channel, self.message.delivery_tag
        if self.task.acks_late and is_kept(self.task, error):
            flight = Flight.parse(self.message.headers[FLIGHT_HEADER])
            ready_at = self.request_dict.get(ENQUEUED_AT_HEADER)
            failure = failure_of(error, job, ready_at, self.time_start, traceback)
            try:
                is_ours = bury(channel.store, job.id, failure, flight)
            except (RedisError, OSError) as outage:
                # Nobody knows of it here any more, so the heartbeat pushes it back.
                logger.warning("Job %s runs again, since it cannot be buried: %s", job.id, outage)
                channel.process.hand.release(tag)
                self._drop()
                return
            channel.process.hand.expect_nothing(tag)
            if not is_ours:
                self.acknowledge()
                return
        self.acknowledge()
        mourn(self.app, job, error)

    def _job(self) -> Job:
        try:
            args, kwargs = self.args, self.kwargs
        except Exception:
            # The body may be the very reason of the failure.
            logger.debug("The arguments of %s cannot be read", self.id, exc_info=True)
            args, kwargs = (), {}
        return Job.of(shown(self.request_dict), args, kwargs)

    def reject(self, requeue: bool = False) -> None:
        """Withhold what would drop a job that is to be buried."""
        if self._withheld is None or requeue:
            super().reject(requeue=requeue)
        else:
            self._withheld.append(True)

    def on_accepted(self, pid: int, time_accepted: float) -> Any:
        """Note the start of a job; in a pool of threads it can still be prevented here."""
        process, tag = self.message.channel.process, self.message.delivery_tag
        if pid != os.getpid():
            process.hand.begin(tag)
        elif not process.may_start(tag, begins=True):
            self._drop()
            raise NotOursError(self.id)
        return super().on_accepted(pid, time_accepted)

    def acknowledge(self) -> None:
        """Note how long the job ran, too: fetches go by that."""
        if self._withheld is not None:
            self._withheld.append(True)
            return
        if self.time_start:
            channel = self.message.channel
            channel.pace.ran(self.delivery_info["routing_key"], time() - self.time_start)
        super().acknowledge()

    def on_retry(self, exc_info: ExceptionInfo) -> Any:
        """The retry took the job out of flight already: the acknowledgement finds nothing there."""
        self.message.channel.process.hand.expect_nothing(self.message.delivery_tag)
        return super().on_retry(exc_info)

    def revoked(self) -> bool:
        """Start nothing that others have been given, and nothing in a worker that ends.

        The first is dropped, the second stays in hand and is pushed back (runtime/stop.py).
        """
        _seen.add(self)
        is_ending = state.should_stop not in (None, False)
        if not is_ending and self.message.channel.process.may_start(self.message.delivery_tag):
            was_revoked = self._already_revoked
            with telling(_stock_logger, self._outcome("cancelled")):
                is_revoked = bool(super().revoked())
            if is_revoked and not was_revoked:
                self._note("cancelled")
            return is_revoked
        self._drop()
        if not is_ending:
            logger.warning("Task %s[%s] runs elsewhere and does not start here", self.name, self.id)
        return True

    def _note_failed(self, error: Any, seconds: float | None = None) -> None:
        ending = ending_of(self.task, error)
        self._note(ending, seconds, error if ending in FINAL else None)

    def _note(
        self, ending: Ending, seconds: float | None = None, error: BaseException | None = None
    ) -> None:
        """Count an attempt; the recorder writes it (runtime/loops/recorder.py)."""
        queue = self.delivery_info["routing_key"]
        attempt = (self.request_dict.get("retries") or 0) + 1
        cron = self.request_dict.get(CRON_HEADER)
        app = state_of(self.app)
        tenant = app.tenancy.plain(self.request_dict) if app else None
        ended = Ended(
            self.id,
            self.name,
            queue,
            attempt,
            ending,
            seconds,
            time(),
            cron,
            tenant,
            self.request_dict.get(ENQUEUED_AT_HEADER),
            self.request_dict.get(ATTEMPTS_HEADER),
            self.time_start,
            None if error is None else brief(error),
        )
        self.message.channel.process.tally.note(ended)
        batches.note(lambda: self.message.channel.store, self.request_dict, self.id, ending)

    def _outcome(
        self, ending: Told, seconds: float | None = None, error: BaseException | None = None
    ) -> Outcome:
        """Return what the line about this attempt says."""
        queue = self.delivery_info["routing_key"]
        return outcome_of(self.app, self.request_dict, queue, ending, seconds, error)

    def _told(self, error: Any, end: Callable[[], Any]) -> Callable[[], Any]:
        """Return what ends a job that its own process could not, with one line about that."""
        if isinstance(error, TimeLimitExceeded):

            def end_silently() -> Any:
                with silence(_stock_logger):  # on_timeout tells of it
                    return end()

            return end_silently
        if isinstance(error, Terminated):
            tell_terminated(self.so_far("cancelled"))
            return end
        outcome = self.so_far(ending_of(self.task, error), error)
        if isinstance(error, (Retry, Ignore, Reject)):  # of a hook: Celery says nothing then
            words = "Task %s[%s] was ended by a hook: %r"
            tell(logger, logging.WARNING, outcome, words, self.name, self.id, error)
            return end

        def end_told() -> Any:
            with telling(_stock_logger, outcome._replace(is_named=False)):
                return end()

        return end_told

    def _tell_cut_off(self) -> None:
        """Write the line about a job that a worker which ends at once has ended: it runs again."""
        if self.message.delivery_tag in self.message.channel.process.hand.tags():
            tell_interrupted(self.so_far("requeued"))  # else runtime/stop.py has done it

    def so_far(self, ending: Told, error: BaseException | None = None) -> Outcome:
        """Return what the line about an attempt says that ends now."""
        seconds = None if self.time_start is None else time() - self.time_start
        return self._outcome(ending, seconds, error)

    def _drop(self) -> None:
        """Let go of a job that ends here in another way than by its acknowledgement."""
        state.task_ready(self)
        self.acknowledged = True
        self.message.channel.qos.forget(self.message.delivery_tag)

    def _was_lost(self, exc_info: ExceptionInfo) -> bool:
        error = _error_of(exc_info)
        lost = isinstance(error, WorkerLostError)
        return bool(lost and self.task.acks_late and self.task.reject_on_worker_lost)

    def _fail(self, decision: Verdict) -> None:
        error = decision.error
        # The context of this request says that the job is in flight, which it is no more.
        context = read(decision.message).context()
        self.task.backend.mark_as_failure(
            self.id, error, request=context, store_result=self.store_errors
        )
        self._note("dead", error=error)
        self.send_event("task-failed", exception=repr(error), traceback=None)
        mourn(self.app, self._job(), error)


def _error_of(exc_info: ExceptionInfo) -> Any:
    error: Any = exc_info.exception
    return error.exc if isinstance(error, ExceptionWithTraceback) else error


def unstarted(pool: Any, channel: Any) -> list[str]:
    """The delivery tags of what is in hand, and that ``pool`` will not start, or need not start.

    A prefork pool starts what it was given, whatever comes. In others a job that is pushed back
    does not start (:meth:`JobRequest.on_accepted`).
    """
    given = set()
    if pool.uses_semaphore:
        requests = (*_seen, *state.reserved_requests, *state.active_requests)
        given = {
            request.message.delivery_tag
            for request in requests
            if request._apply_result is not None  # noqa: SLF001 - Celery's mark of it
        }
    return [tag for tag in channel.process.hand.tags() if tag not in given]


def settle(process: Any, delivery_tag: str) -> Verdict | None:
    """Count a death for a job in hand and move it on; None if others have been given it.

    Raises:
        redis.RedisError: Redis is out of reach, and the job is in hand as before.
    """
    store, identity = process.store, process.id
    seq = process.hand.seq_of(delivery_tag)
    if seq is None:
        return None
    decision = None
    if (value := store.processes.inflight_value(identity, seq)) is not None:
        decision = verdict(Placed.unpack(value).message)
        move_on(store, Flight(identity, seq), value, decision)
    process.hand.release(delivery_tag)
    return decision


def install(celery: Celery) -> None:
    """Use it for the tasks of ``celery`` that have no request class of their own."""
    for task in celery.tasks.values():
        if task.Request == _STOCK:
            type(task).Request = JobRequest  # type: ignore[assignment] # the stubs say str
