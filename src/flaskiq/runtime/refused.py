"""Messages that a worker cannot make a job of: they go to the dead set, as they are.

Celery logs such a message and drops it (``on_unknown_message`` and its neighbours in
celery/worker/consumer/consumer.py, 5.7). What it does besides stays: the result of an unknown task,
the signals.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.exceptions import InvalidTaskError, NotRegistered

from flaskiq.failure import Failure, brief
from flaskiq.job import Job, new_id
from flaskiq.logs.telling import silence, tell
from flaskiq.runtime.failures import mourn
from flaskiq.runtime.jobs import shown
from flaskiq.runtime.told import outcome_of
from flaskiq.store.flight import FLIGHT_HEADER, Flight

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

_stock_logger = logging.getLogger("celery.worker.consumer.consumer")

_InvalidTask: Any = InvalidTaskError  # Celery's exceptions have no types
_NotRegistered: Any = NotRegistered


def install(consumer: Any) -> None:
    """Let a consumer bury what it would drop."""
    consumer.on_unknown_message = partial(_unknown_message, consumer, consumer.on_unknown_message)
    consumer.on_unknown_task = partial(_unknown_task, consumer, consumer.on_unknown_task)
    consumer.on_invalid_task = partial(_invalid_task, consumer, consumer.on_invalid_task)
    consumer.on_decode_error = partial(_decode_error, consumer, consumer.on_decode_error)
    consumer.create_task_handler = partial(_task_handler, consumer, consumer.create_task_handler)


def unregistered(name: Any) -> Exception:
    """Return the error of a job whose task nobody knows here."""
    error: Exception = _NotRegistered(f"no Worker and no task is called {name!r} here")
    return error


def _task_handler(consumer: Any, stock: Any, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
    """Return Celery's handler of a message; a body of another shape would end the worker."""
    handle = stock(*args, **kwargs)

    def handle_task(message: Any) -> None:
        try:
            handle(message)
        except (TypeError, ValueError) as error:
            if _has_three_parts(message):
                raise
            consumer.on_invalid_task(None, message, error)

    return handle_task


def _has_three_parts(message: Any) -> bool:
    body = message.payload
    return isinstance(body, dict) or (isinstance(body, (list, tuple)) and len(body) == 3)


def _unknown_message(consumer: Any, stock: Any, body: Any, message: Any) -> None:
    _bury(consumer, message, _InvalidTask("the message names no task"))
    with silence(_stock_logger):
        stock(body, message)


def _unknown_task(consumer: Any, stock: Any, body: Any, message: Any, exc: Exception) -> None:
    name = message.headers.get("task") or exc.args[0]
    _bury(consumer, message, unregistered(name))
    with silence(_stock_logger):
        stock(body, message, exc)


def _invalid_task(consumer: Any, stock: Any, body: Any, message: Any, exc: Exception) -> None:
    _bury(consumer, message, exc)
    with silence(_stock_logger):
        stock(body, message, exc)


def _decode_error(consumer: Any, stock: Any, message: Any, exc: Exception) -> None:
    _bury(consumer, message, exc)
    with silence(_stock_logger):
        stock(message, exc)


def _bury(consumer: Any, message: Any, error: Exception) -> None:
    headers = dict(message.headers or {})
    flight = Flight.parse(headers[FLIGHT_HEADER])
    job = Job.of({"task": None, **shown(headers), "id": headers.get("id") or new_id()}, (), {})
    channel = message.channel
    # What Celery acknowledges after this has left flight already.
    channel.process.hand.expect_nothing(message.delivery_tag)
    if channel.store.dead.bury_from_flight(job.id, Failure.of(error, job.attempt), flight):
        _tell(consumer.app, message, job, error)
        mourn(consumer.app, job, error)


def _tell(celery: Celery, message: Any, job: Job, error: Exception) -> None:
    """Write the line about it. Celery's would show all arguments, and say that it is discarded."""
    queue = (message.delivery_info or {}).get("routing_key")
    headers = {**(message.headers or {}), "id": job.id}
    words = "Task %s[%s] is dead, since this worker cannot run it: %s"
    if isinstance(error, _NotRegistered):
        words = "Received unregistered task of type %s[%s], which is dead now: %s"
    told = outcome_of(celery, headers, queue, "dead", error=error)
    tell(logger, logging.ERROR, told, words, told.worker, told.job_id, brief(error))
