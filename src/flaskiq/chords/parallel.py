"""Parallel: many jobs, so many at once, and a summary that always runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import chord, group
from celery.canvas import Signature
from celery.result import AsyncResult, EagerResult

from flaskiq import current
from flaskiq.broker.chords import at_most, error_value
from flaskiq.errors import ArgumentError
from flaskiq.message import ERRORS_HEADER
from flaskiq.worker import Worker

Call = Any
"""A Worker class, which is called without arguments, or a signature: ``Worker.s(...)``."""


def parallel(workers: Iterable[Call], then: Call, *, limit: int | None = None) -> AsyncResult[Any]:
    """Run jobs in parallel, at most ``limit`` at a time, and ``then`` with all their results.

    ``then`` gets a list in the order of ``workers``. In place of a part that has failed, was
    revoked or was lost there is ``{"status": "failed", "task_id", "error", "error_type"}``; so it
    always runs. The failed job itself is in the dead set, like any other.

    ::

        parallel([Fetch.s(url) for url in urls], then=Summary.s("today"), limit=10)

    Raises:
        ArgumentError: something is no Worker and no signature, or ``limit`` is below 1.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ArgumentError(f"parallel: limit must be an integer from 1 on, not {limit!r}")
    parts = [_signature(each, "workers") for each in workers]
    body = _signature(then, "then").clone()
    celery = current.state().celery
    if celery.conf.task_always_eager:
        return _here(parts, body)
    headers = {**(body.options.get("headers") or {}), ERRORS_HEADER: True}
    body.set(headers=headers)
    with at_most(limit):
        called = chord(group(parts, app=celery), app=celery)(body)
    # Without its parents, whose failures ``get()`` would raise.
    return celery.AsyncResult(called.id)


def _signature(call: Call, name: str) -> Signature[Any]:
    if isinstance(call, type) and issubclass(call, Worker):
        return call.s()
    if isinstance(call, Signature):
        return call
    raise ArgumentError(f"parallel: {name} takes Workers and signatures, not {call!r}")


def _here(parts: list[Signature[Any]], body: Signature[Any]) -> EagerResult[Any]:
    ended = [part.apply() for part in parts]
    values = [
        each.result if each.successful() else error_value(str(each.id), each.result)
        for each in ended
    ]
    return body.apply(args=(values,))
