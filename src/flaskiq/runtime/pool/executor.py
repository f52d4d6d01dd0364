"""The life of one job in a child, top to bottom.

Most jobs are plain: JSON, a known task, nothing that forbids them to run. These go straight to
Celery's own tracer. Whatever is special (another content, an expiry, a revoked or unknown task, one
that is acknowledged early) goes through Celery's own consumer, whose pool is the thread itself.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic, time
from typing import Any, NamedTuple

from billiard.einfo import ExceptionInfo
from celery import Celery, signals
from celery.worker import state
from redis import RedisError

from flaskiq.attempt import STARTED
from flaskiq.broker import batches
from flaskiq.broker.channel import Message
from flaskiq.current import CurrentJob, state_of
from flaskiq.logs.telling import tell
from flaskiq.message import (
    ATTEMPTS_HEADER,
    BATCH_HEADER,
    CRON_HEADER,
    ENQUEUED_AT_HEADER,
    TYPED,
    custom,
    read_envelope,
    read_json,
)
from flaskiq.runtime.context import TaskHost
from flaskiq.runtime.ending import ending_of
from flaskiq.runtime.executor import Surroundings
from flaskiq.runtime.pool.events import Events
from flaskiq.runtime.pool.limits import SoftLimits, raise_in
from flaskiq.runtime.pool.local import LocalConsumer
from flaskiq.runtime.pool.rates import Rates
from flaskiq.runtime.pool.slots import Slots
from flaskiq.runtime.pool.tracers import RAN, plain_tracer
from flaskiq.runtime.request import JobRequest
from flaskiq.runtime.told import outcome_of
from flaskiq.store.flight import ADMITTED_HEADER, FLIGHT_HEADER, Flight, flight_text
from flaskiq.store.processes import Fetched
from flaskiq.store.statistics import Running
from flaskiq.tally import Ended

logger = logging.getLogger(__name__)

_STOCK_STRATEGY = "celery.worker.strategy:default"

_revoked: Any = vars(state.revoked)["_data"]
"""The ids in Celery's set of what is revoked, whose own look is a call in Python."""


class Plain(NamedTuple):
    """A task whose jobs need nothing but its tracer."""

    task: Any
    trace: Callable[..., Any]
    host: TaskHost


class Current(NamedTuple):
    """What a thread runs; ``started`` in seconds since the epoch, ``ident`` is the thread."""

    fetched: Fetched
    headers: dict[str, Any]
    started: float
    ident: int


class EndedRequest(JobRequest):
    """A job that has run here, as Celery's worker ends what its pools have run."""


class Cancelled(BaseException):
    """Ends a job that was revoked while it ran: the tracer records nothing, the parent has."""


class Executor:
    """Runs jobs in the threads of a child."""

    def __init__(
        self,
        app: Celery,
        hostname: str,
        channel: Any,
        slots: Slots,
        limits: SoftLimits,
        events: Events,
        rates: Rates,
        flush: Callable[[], None],
        tell: Callable[[dict[str, Any]], None],
        default_limits: tuple[float | None, float | None],
    ) -> None:
        self.current: dict[int, Current] = {}
        self._leaving = threading.Lock()
        self._aimed_at: set[int] = set()
        self._run_names: deque[str] = deque()
        self._app, self._hostname = app, hostname
        self._channel, self._process = channel, channel.process
        self._slots, self._limits, self._events = slots, limits, events
        self._default_limits = default_limits
        self._rates, self._flush, self._tell = rates, flush, tell
        self._flaskiq = found = state_of(app)
        self._tenant_of = found.tenancy.plain if found else lambda _: None
        self._has_rates = not app.conf.worker_disable_rate_limits
        self.consumer = LocalConsumer(app, hostname, events)
        self._plain = {
            name: Plain(task, plain_tracer(app, task, hostname), TaskHost(task))
            for name, task in app.tasks.items()
            if task.acks_late and task.Strategy == _STOCK_STRATEGY
        }

    def run(self, thread: int, fetched: Fetched) -> None:
        """Run a job to its end, whatever that is; it has left this process's hand then."""
        started = monotonic()
        self._slots.begin(thread, fetched.seq, started)
        try:
            try:
                self._run(thread, fetched, started)
            finally:
                self._leave(thread)
        except Cancelled:
            self._process.hand.release(fetched.tag)
        except (RedisError, OSError) as error:
            # Nobody knows of it here any more, so the heartbeat pushes it back.
            self._process.hand.release(fetched.tag)
            logger.warning("Job %s runs later, since Redis is out of reach: %s", fetched.tag, error)
        except BaseException:
            logger.critical("Job %s cannot be run to its end", fetched.seq, exc_info=True)
            # What it has done to this process, nobody knows: as if it had crashed.
            os._exit(1)
        finally:
            self._slots.end(thread)

    def cancel(self, seq: int) -> None:
        """End a job that others have told of already, when its thread runs Python code."""
        with self._leaving:
            for thread, each in self.current.items():
                if each.fetched.seq == seq:
                    self._aimed_at.add(thread)
                    raise_in(each.ident, Cancelled)

    def _leave(self, thread: int) -> None:
        """The job of a thread is over: what was aimed at it and not delivered is taken back."""
        with self._leaving:
            self.current.pop(thread, None)
            if thread in self._aimed_at:
                self._aimed_at.discard(thread)
                raise_in(threading.get_ident(), None)

    def take_totals(self) -> Counter[str]:
        """How many jobs of each task began since the last call."""
        names = [self._run_names.popleft() for _ in range(len(self._run_names))]
        return Counter(names)

    def _run(self, thread: int, fetched: Fetched, started: float) -> None:
        try:
            typed = TYPED in fetched.message
            envelope = read_envelope(fetched.message, typed=typed)
        except ValueError as error:
            self._channel.bury_unreadable(fetched, error)
            self._process.hand.release(fetched.tag)
            return
        headers = envelope["headers"]
        self.current[thread] = Current(fetched, headers, time(), threading.get_ident())
        headers[FLIGHT_HEADER] = flight_text(self._process.id, fetched.seq)
        # The sender's tag may be there twice: a publish that is retried sends the same message.
        envelope["properties"]["delivery_tag"] = fetched.tag
        name = headers.get("task") or ""
        plain = self._plain.get(name)
        # That of the task is one text for all of its jobs.
        self._run_names.append(plain.task.name if plain else name)
        task = plain.task if plain else self._app.tasks.get(name)
        is_limited = self._has_rates and task is not None and task.rate_limit
        if is_limited and self._comes_too_early(task, fetched, headers):
            return
        body = None if plain is None or self._is_special(headers) else _plain_body(envelope, typed)
        if plain is None or body is None:
            self._run_by_celery(thread, fetched, envelope, started)
            return
        if not self._process.may_start(fetched.tag, begins=True):
            self._give_up(headers, fetched)
            return
        self._trace(thread, fetched, plain, envelope, body, started)

    def _comes_too_early(self, task: Any, fetched: Fetched, headers: dict[str, Any]) -> bool:
        """Let a job wait in Redis whose task has run as often as its rate limit allows."""
        if headers.get(ADMITTED_HEADER):
            return False
        at = self._rates.reserve(task.name, task.rate_limit)
        if at is None:
            return False
        self._channel.let_wait(
            fetched.queue, fetched.message, at, Flight(self._process.id, fetched.seq)
        )
        self._process.hand.release(fetched.tag)
        return True

    @staticmethod
    def _is_special(headers: dict[str, Any]) -> bool:
        return bool(
            headers.get("expires")
            or headers.get("eta")
            or headers.get("id") in _revoked
            or (state.revoked_stamps and headers.get("stamped_headers"))
            or signals.task_received.receivers
        )

    def _trace(
        self,
        thread: int,
        fetched: Fetched,
        plain: Plain,
        envelope: dict[str, Any],
        body: tuple[Any, Any, Any],
        started: float,
    ) -> None:
        args, kwargs, embed = body
        headers, properties, task = envelope["headers"], envelope["properties"], plain.task
        delivery = properties.get("delivery_info") or {}
        job_id, queue = headers["id"], delivery.get("routing_key")
        own, attempt = custom(headers), (headers.get("retries") or 0) + 1
        request = {
            **RAN,
            # Celery's context would look for them in a way that costs as much as the rest.
            "headers": own,
            **headers,
            **(embed or {}),
            "args": args,
            "kwargs": kwargs,
            "hostname": self._hostname,
            "is_eager": False,
            "properties": properties,
            "reply_to": properties.get("reply_to"),
            "correlation_id": properties.get("correlation_id"),
            "delivery_info": {
                "exchange": delivery.get("exchange"),
                "routing_key": queue,
                "priority": properties.get("priority"),
                "redelivered": delivery.get("redelivered", False),
            },
            STARTED: time(),
        }
        around: Any = nullcontext()
        if (found := self._flaskiq) is not None:
            job = CurrentJob(job_id, task.name, queue, attempt, plain.host, own)
            around = Surroundings(found.app, job, found.tenancy.of_headers(own))
        events = self._events if self._events.enabled and task.send_events else None
        if events:
            events.received(headers)
            events.send("task-started", uuid=job_id)
        hard, soft = headers.get("timelimit") or (None, None)
        soft, hard = soft or task.soft_time_limit, hard or task.time_limit
        self._begin_limits(thread, started, soft, hard, headers)
        outcome = None
        try:
            try:
                with around:
                    outcome = plain.trace(job_id, args, kwargs, request)
            finally:
                self._limits.end(thread)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - it ends as a failure
            # A soft limit may come when the job has just ended, even while that is noted.
            self._limits.end(thread)
            if outcome is None:
                # Celery's tracer lets some through: what hooks reject, and errors in itself.
                self._tell_bad_end(thread, headers, task)
                self._end_badly(thread, envelope, task, (1, ExceptionInfo(internal=True), None))
                return
        value, info, seconds, shown = outcome
        if info is not None:
            self._end_badly(thread, envelope, task, (1, value, seconds))
            return
        if events:
            events.send("task-succeeded", uuid=job_id, result=shown, runtime=seconds)
        self._note_done(fetched, task, headers, own, seconds)
        self._channel.finish(fetched.tag)

    def _note_done(
        self,
        fetched: Fetched,
        task: Any,
        headers: dict[str, Any],
        own: dict[str, Any],
        seconds: float | None,
    ) -> None:
        """Note a success; ``own`` are the headers that are not Celery's."""
        # The tracer tells no time of a job that it has not run, since it was done before.
        if seconds is not None:
            self._channel.pace.ran(fetched.queue, seconds)
        attempt = (headers.get("retries") or 0) + 1
        name = headers.get("shadow") or task.name
        cron, tenant = own.get(CRON_HEADER), self._tenant_of(own)
        ready_at, attempts = own.get(ENQUEUED_AT_HEADER), own.get(ATTEMPTS_HEADER)
        ended = Ended(
            headers["id"],
            name,
            fetched.queue,
            attempt,
            "done",
            seconds,
            time(),
            cron,
            tenant,
            ready_at,
            attempts,
        )
        self._process.tally.note(ended)
        if BATCH_HEADER in own:
            batches.note(lambda: self._channel.store, own, headers["id"], "done")

    def _tell_bad_end(self, thread: int, headers: dict[str, Any], task: Any) -> None:
        """Write the line of a job whose tracer has raised what is being handled here."""
        current, error = self.current[thread], sys.exc_info()[1]
        ending, seconds = ending_of(task, error), time() - current.started
        outcome = outcome_of(self._app, headers, current.fetched.queue, ending, seconds, error)
        level = logging.ERROR if ending == "dead" else logging.WARNING
        words = "Task %s[%s] was ended outside of its own code: %r"
        tell(logger, level, outcome, words, outcome.worker, outcome.job_id, error)

    def _end_badly(
        self, thread: int, envelope: dict[str, Any], task: Any, outcome: tuple[int, Any, Any]
    ) -> None:
        """End a job that failed, waits for a retry, or was ignored or rejected, as Celery does."""
        message = self._message(envelope)
        request = EndedRequest(
            message,
            on_ack=message.ack_log_error,
            on_reject=message.reject_log_error,
            app=self._app,
            hostname=self._hostname,
            eventer=self._events,
            task=task,
        )
        request.time_start = self.current[thread].started
        request.on_success(outcome)

    def _run_by_celery(
        self, thread: int, fetched: Fetched, envelope: dict[str, Any], started: float
    ) -> None:
        if self._channel.put_away(fetched, envelope):
            return
        headers = envelope["headers"]
        task: Any = self._app.tasks.get(headers.get("task") or "")
        is_early = task is not None and not task.acks_late

        @contextmanager
        def limited(soft: float | None, hard: float | None) -> Iterator[None]:
            if is_early:
                # It leaves Redis before it runs; the parent tells of it, should this process die.
                self._tell({"early": [fetched.seq, fetched.message.decode()]})
                self._flush()
            self._begin_limits(thread, started, soft, hard, headers)
            try:
                yield
            finally:
                self._limits.end(thread)

        self.consumer.run(self._message(envelope), limited)
        if is_early:
            self._tell({"late": fetched.seq})

    def _message(self, envelope: dict[str, Any]) -> Any:
        message = Message(envelope, channel=self._channel)
        message.accept = self.consumer.accept
        return message

    def _give_up(self, headers: dict[str, Any], fetched: Fetched) -> None:
        """Do not start what was pushed back, or given to others."""
        self._process.hand.release(fetched.tag)
        logger.warning(
            "Task %s[%s] runs elsewhere and does not start here",
            headers.get("task"),
            headers.get("id"),
        )

    def _begin_limits(
        self,
        thread: int,
        started: float,
        soft: float | None,
        hard: float | None,
        headers: dict[str, Any],
    ) -> None:
        """Let time limits in seconds act, or those of the worker."""
        soft, hard = soft or self._default_limits[0], hard or self._default_limits[1]
        if hard:
            self._slots.limit(thread, started + hard)
        if soft:
            self._limits.begin(thread, started + soft, soft, headers)

    def running(self) -> dict[str, Running]:
        """The jobs that run here, by id."""
        return {
            each.headers["id"]: Running(
                each.headers.get("task") or "",
                each.fetched.queue,
                (each.headers.get("retries") or 0) + 1,
                round(each.started, 3),
                each.fetched.seq,
            )
            for each in list(self.current.values())
            if each.headers.get("id")
        }


def _plain_body(envelope: dict[str, Any], typed: bool) -> tuple[Any, Any, Any] | None:
    """Return args, kwargs and embed of a body in plain JSON; None if Celery has to read it."""
    if typed or (envelope.get("content-type"), envelope.get("content-encoding")) != (
        "application/json",
        "utf-8",
    ):
        return None
    body = envelope["body"]
    try:
        if envelope["properties"].get("body_encoding") == "base64":
            body = b64decode(body)
            if TYPED in body:
                return None
            body = body.decode()
        args, kwargs, embed = read_json(body)
    except (ValueError, TypeError):
        return None
    return (args, kwargs, embed) if isinstance(kwargs, dict) else None
