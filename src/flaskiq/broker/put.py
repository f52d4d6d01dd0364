"""Put: where a message goes: onto its queue, or into a sorted set until its time comes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timezone
from time import time
from typing import Any

from celery import current_task
from kombu.utils.json import dumps

from flaskiq.attempt import STARTED, Attempt, carry
from flaskiq.broker.batch import PublishBatch
from flaskiq.broker.chords import calling
from flaskiq.failure import Failure, brief
from flaskiq.message import (
    ATTEMPTS_HEADER,
    ENQUEUED_AT_HEADER,
    FAILED_AT_HEADER,
    PART_HEADER,
)
from flaskiq.store.catch import Caught, catches
from flaskiq.store.chords import Carrier
from flaskiq.store.flight import ADMITTED_HEADER, FLIGHT_HEADER, SNOOZE_HEADER, Flight
from flaskiq.store.job_set import JobSet
from flaskiq.store.place import Placed

logger = logging.getLogger(__name__)

SOON = 0.001
"""A job due within so many seconds goes straight to its queue."""

_Base: Any = object  # a channel of kombu's, which has no types


before_retry: ContextVar[Callable[[str], None] | None] = ContextVar("before_retry", default=None)
"""Called with the id of the running job when it is about to wait for its next attempt."""


class Puts(_Base):
    """Mixin for a channel: how it publishes."""

    supports_batch_publish = True

    def create_publish_batch(self, max_size: int) -> PublishBatch:
        return PublishBatch(self, max_size)

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        """Put a message onto its queue, or into the scheduled or retry set if it has a time.

        What goes through a named exchange is no job, but a reply or an event.
        """
        headers = message.get("headers") or {}
        flight = flight_of_next(headers)
        message = without_flight(message)
        at = due(message)
        if flight is not None:
            if SNOOZE_HEADER in headers:
                self._snooze(queue, message, at or time(), flight)
            else:
                self._retry(queue, message, at or time(), flight)
            return
        catch, called_by = catches.get(), calling.get()
        part = headers.get(PART_HEADER)
        if at is not None:
            if part is not None:
                self.store.chords.note(
                    Carrier(headers["id"], self.placed(queue, message, at)), *part
                )
            if catch is not None and catch.takes_later:
                caught = Caught(headers["id"], at, self.placed(queue, message, at))
                catch.jobs.append(caught)
            else:
                self._schedule(queue, message, at, kwargs.get("_publish_batch"))
            if called_by is not None:
                self.store.chords.note_called(called_by, headers["id"])
            return
        if message["properties"]["delivery_info"]["exchange"] or queue in self._expires:
            super()._put(queue, message, **kwargs)
            return
        headers = {**headers, ENQUEUED_AT_HEADER: round(time(), 3)}
        name, raw = self._list_of(queue, message), dumps({**message, "headers": headers})
        if catch is not None:
            placed = Placed(queue, self.store.keys.ready(name), raw.encode())
            catch.jobs.append(Caught(str(headers.get("id")), None, placed))
            return
        if part is not None or called_by is not None:
            placed = Placed(queue, self.store.keys.ready(name), raw.encode())
            self.store.chords.put(Carrier(headers["id"], placed), part, called_by)
            return
        batch = kwargs.get("_publish_batch")
        if batch is None:
            self.store.queues.push(queue, [raw], name)
        else:
            batch.add("lpush", name, raw)
            batch.wake(queue)

    def _schedule(
        self, queue: str, message: dict[str, Any], at: float, batch: PublishBatch | None
    ) -> None:
        headers, placed = message["headers"], self.placed(queue, message, at)
        jobs = self.store.retry if headers.get("retries") else self.store.scheduled
        if batch is None:
            jobs.add(headers["id"], at, placed)
        else:
            batch.add("eval", *jobs.add_command(headers["id"], at, placed))

    def _snooze(self, queue: str, message: dict[str, Any], at: float, flight: Flight) -> None:
        """Let the running job wait for the same attempt, and end this one, in one step."""
        headers = message["headers"]
        number = (headers.get("retries") or 0) + 1
        attempt = Attempt.ending_now(number, *_times(headers), "snoozed")
        self._move(self.store.scheduled, queue, _after(message, attempt), at, flight)

    def _retry(self, queue: str, message: dict[str, Any], at: float, flight: Flight) -> None:
        """Let the running job wait for another attempt, and end this one, in one step."""
        # A retry is published while the error is handled, also that of a plain task.
        error, headers = sys.exc_info()[1], message["headers"]
        failure, short = None, None
        if error is not None:
            short = brief(error)
            failure = Failure.of(error, headers["retries"], headers.get(FAILED_AT_HEADER))
            headers = {**headers, FAILED_AT_HEADER: failure.first_failed_at}
        attempt = Attempt.ending_now(headers["retries"], *_times(headers), "retried", short)
        message = _after({**message, "headers": headers}, attempt)
        self._move(self.store.retry, queue, message, at, flight, failure)

    def _move(
        self,
        jobs: JobSet,
        queue: str,
        message: dict[str, Any],
        at: float,
        flight: Flight,
        failure: Failure | None = None,
    ) -> None:
        job_id = message["headers"]["id"]
        announce = before_retry.get()
        if announce is not None:
            announce(job_id)
        placed = self.placed(queue, message, at)
        if not jobs.add_from_flight(job_id, at, placed, flight, failure):
            logger.warning("Job %s does not wait: others have been given it", job_id)
            self.store.count("fenced")

    def placed(self, queue: str, message: dict[str, Any], at: float) -> Placed:
        """Return a message for a sorted set: that says when it is due, the message has no eta."""
        key = self.store.keys.ready(self._list_of(queue, message))
        headers = {**message["headers"], "eta": None, ENQUEUED_AT_HEADER: round(at, 3)}
        return Placed(queue, key, dumps({**message, "headers": headers}).encode())

    def _list_of(self, queue: str, message: dict[str, Any]) -> str:
        return str(self._q_for_pri(queue, self._get_message_priority(message, reverse=False)))


def due(message: dict[str, Any]) -> float | None:
    """When a message is to be delivered, in seconds since the epoch; None for now."""
    eta = (message.get("headers") or {}).get("eta")
    if not eta or "id" not in message["headers"]:
        return None
    at = datetime.fromisoformat(str(eta).replace("Z", "+00:00"))
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    due = at.timestamp()
    return due if due > time() + SOON else None


def flight_of_next(headers: Mapping[str, Any]) -> Flight | None:
    """Where the job is in flight whose next attempt a message with these headers is, else None.

    It is published by the running task, with its id (celery/app/task.py, ``retry``). A task that
    is acknowledged before it runs has left flight by then.
    """
    flight = headers.get(FLIGHT_HEADER)
    request = current_task.request if flight and current_task else None
    if request is None or not current_task.acks_late or request.id != headers.get("id"):
        return None
    is_next = SNOOZE_HEADER in headers or headers.get("retries") == (request.retries or 0) + 1
    return Flight.parse(str(flight)) if is_next else None


def _times(headers: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Since when the running attempt is ready, and runs; its next message has these headers."""
    return headers.get(ENQUEUED_AT_HEADER), current_task.request.get(STARTED)


def _after(message: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """Return a message that tells of one more attempt."""
    headers = message["headers"]
    attempts = carry(headers.get(ATTEMPTS_HEADER), attempt)
    return {**message, "headers": {**headers, ATTEMPTS_HEADER: attempts}}


def without_flight(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as it goes to Redis; kombu has the headers still, to publish them again."""
    headers = message.get("headers") or {}
    if FLIGHT_HEADER not in headers and ADMITTED_HEADER not in headers:
        return message
    passing = (FLIGHT_HEADER, SNOOZE_HEADER, ADMITTED_HEADER)
    kept = {name: value for name, value in headers.items() if name not in passing}
    return {**message, "headers": kept}
