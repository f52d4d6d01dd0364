"""Performer: runs the jobs of one app in the thread that asks for it, as a worker would."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from time import time
from typing import Any, NamedTuple, TypeVar

from celery import Celery
from celery.app import trace
from kombu import serialization

from flaskiq import current
from flaskiq.broker import batches
from flaskiq.broker.control import end_unstarted
from flaskiq.failure import Failure, brief
from flaskiq.message import (
    ATTEMPTS_HEADER,
    CRON_HEADER,
    ENQUEUED_AT_HEADER,
    FAILED_AT_HEADER,
    custom,
    read_envelope,
)
from flaskiq.runtime.ending import ending_of
from flaskiq.runtime.failures import fail
from flaskiq.runtime.refused import unregistered
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.place import Placed
from flaskiq.store.statistics import Running
from flaskiq.tally import FINAL, Ended, Ending
from flaskiq.testing.cron import load
from flaskiq.testing.memory.processes import NODE
from flaskiq.testing.memory.shelf import Flying, Waiting
from flaskiq.testing.memory.store import MemoryStore

T = TypeVar("T")

_FLIGHT = str(Flight(NODE, 1))


class Performed(NamedTuple):
    """What one attempt has come to; ``error`` is what ``perform`` raised."""

    job_id: str
    ending: Ending
    error: BaseException | None = None


class Performer:
    """Runs jobs by Celery's own tracer: signals, hooks, retries, results, canvas are as ever."""

    def __init__(self, celery: Celery, store: MemoryStore) -> None:
        self._celery, self._store = celery, store
        self._tracers: dict[str, Callable[..., Any]] = {}

    def perform(self, job: Waiting) -> Performed:
        """Run one attempt of a job that was taken from its list."""
        raw = job.message
        envelope = shifted(read_envelope(raw), self._store.shelf.clock.ahead - job.ahead)
        headers = envelope["headers"]
        job_id, started_at = str(headers["id"]), time()
        flying = Flying(Placed(job.queue, job.queue, raw), _running(headers, job.queue, started_at))
        self._store.shelf.running[job_id] = flying
        try:
            performed = self._perform(raw, envelope, job.queue)
        finally:
            self._store.shelf.running.pop(job_id, None)
        if performed.ending in FINAL:
            self._store.shelf.ended[job_id] = self._ended(headers, job.queue, performed, started_at)
        return performed

    def _perform(self, raw: bytes, envelope: dict[str, Any], queue: str) -> Performed:
        headers = envelope["headers"]
        job_id = str(headers["id"])
        task = self._task(headers.get("task"))
        if job_id in self._store.shelf.cancelled or _is_expired(headers):
            is_cancelled = job_id in self._store.shelf.cancelled
            end_unstarted(self._celery, job_id, raw, "revoked" if is_cancelled else "expired")
            return Performed(job_id, "cancelled")
        if task is None:
            return self._bury_unknown(job_id, raw, headers)
        performed = _out_of_any_loop(lambda: self._trace(task, envelope, queue))
        batches.note(lambda: self._store, headers, job_id, performed.ending)
        return performed

    def _task(self, name: Any) -> Any:
        """The task of this name; a worker would have loaded all Workers by now."""
        if name not in self._celery.tasks:
            load(self._celery)
        return self._celery.tasks.get(name)

    def _bury_unknown(self, job_id: str, raw: bytes, headers: Mapping[str, Any]) -> Performed:
        name, attempt = headers.get("task"), (headers.get("retries") or 0) + 1
        error = unregistered(name)
        self._store.dead.bury_from_flight(job_id, Failure.of(error, attempt), Flight.parse(_FLIGHT))
        fail(self._celery, job_id, raw, error)
        return Performed(job_id, "dead", error)

    def _ended(
        self, headers: Mapping[str, Any], queue: str, performed: Performed, started_at: float
    ) -> Ended:
        state = current.state_of(self._celery)
        return Ended(
            performed.job_id,
            str(headers.get("task")),
            queue,
            (headers.get("retries") or 0) + 1,
            performed.ending,
            None if performed.ending == "cancelled" else time() - started_at,
            time(),
            headers.get(CRON_HEADER),
            state.tenancy.plain(headers) if state else None,
            headers.get(ENQUEUED_AT_HEADER),
            headers.get(ATTEMPTS_HEADER),
            error=None if performed.error is None else brief(performed.error),
        )

    def _trace(self, task: Any, envelope: dict[str, Any], queue: str) -> Performed:
        headers, properties = envelope["headers"], envelope["properties"]
        args, kwargs, embed = self._body(envelope)
        request = {
            "headers": {**custom(headers), FLIGHT_HEADER: _FLIGHT},
            **headers,
            FLIGHT_HEADER: _FLIGHT,
            **(embed or {}),
            "args": args,
            "kwargs": kwargs,
            "hostname": NODE,
            "is_eager": False,
            "properties": properties,
            "reply_to": properties.get("reply_to"),
            "correlation_id": properties.get("correlation_id"),
            "delivery_info": {"exchange": "", "routing_key": queue, "redelivered": False},
        }
        _, info, _, _ = self._tracer(task)(headers["id"], args, kwargs, request)
        if info is None:
            return Performed(headers["id"], "done")
        error = info.retval
        raised = getattr(error, "exc", None) or error  # celery.exceptions.Retry holds it
        return Performed(headers["id"], ending_of(task, error), raised)

    def _body(self, envelope: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        body = envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = b64decode(body)
        accept = serialization.prepare_accept_content(self._celery.conf.accept_content)
        found: tuple[Any, Any, Any] = serialization.loads(
            body, envelope["content-type"], envelope["content-encoding"], accept=accept
        )
        return found

    def _tracer(self, task: Any) -> Callable[..., Any]:
        """The tracer of a task; it keeps the result backend that it was made with."""
        if task.name not in self._tracers:
            self._tracers[task.name] = trace.build_tracer(
                task.name, task, self._celery.loader, NODE, app=self._celery
            )
        return self._tracers[task.name]


def _running(headers: Mapping[str, Any], queue: str, since: float) -> Running:
    return Running(str(headers.get("task")), queue, (headers.get("retries") or 0) + 1, since, 1)


def _is_expired(headers: Mapping[str, Any]) -> bool:
    expires = headers.get("expires")
    return bool(expires) and datetime.fromisoformat(str(expires)).timestamp() <= time()


def shifted(envelope: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return an envelope whose times lie so many seconds further back."""
    if not seconds:
        return envelope
    headers = dict(envelope["headers"])
    if headers.get("expires"):
        expires = datetime.fromisoformat(str(headers["expires"])) - timedelta(seconds=seconds)
        headers["expires"] = expires.isoformat()
    if headers.get(FAILED_AT_HEADER):
        headers[FAILED_AT_HEADER] -= seconds
    return {**envelope, "headers": headers}


def _out_of_any_loop(run: Callable[[], T]) -> T:
    """Run where no event loop runs: an ``async def perform`` gets one of its own."""
    if not _a_loop_runs():
        return run()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, run).result()


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
