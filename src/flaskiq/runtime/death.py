"""What becomes of a job whose process died. Values, and the way into the dead set."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from celery.exceptions import WorkerLostError
from redis import RedisError

from flaskiq.failure import Failure
from flaskiq.message import DEATHS_HEADER, FAILED_AT_HEADER, REASON_HEADER
from flaskiq.store.flight import Flight
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

logger = logging.getLogger(__name__)

MOST_DEATHS = 3
"""The death of so many processes with a job in flight buries the job."""


@dataclass(frozen=True)
class Verdict:
    """``message`` is the one to go on with; it carries the count, and the reason if it is final."""

    job_id: str
    deaths: int
    message: bytes

    @property
    def is_final(self) -> bool:
        """Whether the job is dead."""
        return self.deaths >= MOST_DEATHS

    @property
    def reason(self) -> str:
        """Why it is dead."""
        return f"{self.deaths} processes died while it was in flight"

    @property
    def error(self) -> WorkerLostError:
        """The same as what its result, its chord and the handlers get."""
        return WorkerLostError(self.reason)

    @property
    def what_is_told(self) -> str:
        """What its result, its chord and the handlers are told, for the log."""
        return f"to tell of the death of job {self.job_id}"

    def failure(self) -> Failure:
        """What is known of it in the dead set."""
        headers = json.loads(self.message)["headers"]
        attempt = int(headers.get("retries") or 0) + 1
        return Failure.of(self.error, attempt, headers.get(FAILED_AT_HEADER), "")


def verdict(message: bytes) -> Verdict:
    """Count one more death for the job of ``message``.

    A message that nobody can read is counted under an id of its own, and put back as it is: the
    worker that takes it says what is wrong with it.
    """
    content = _read(message)
    if content is None:
        return Verdict("unreadable", 0, message)
    headers = content["headers"]
    headers[DEATHS_HEADER] = deaths = int(headers.get(DEATHS_HEADER) or 0) + 1
    found = Verdict(str(headers["id"]), deaths, b"")
    if found.is_final:
        headers[REASON_HEADER] = found.reason
    return Verdict(found.job_id, deaths, json.dumps(content).encode())


def _read(message: bytes) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(message)
        return content if content["headers"]["id"] else None
    except (ValueError, KeyError, TypeError):
        return None


def move_on(store: Store, flight: Flight, value: bytes, decision: Verdict) -> bool:
    """Put a job back or bury it, and count that its process died.

    False if it is not in flight as its ``value`` says any more: then others have moved it.
    """
    if decision.is_final:
        placed = Placed.unpack(value)._replace(message=decision.message)
        moved = store.dead.bury_from_flight(
            decision.job_id, decision.failure(), flight, seen=value, placed=placed
        )
    else:
        moved = store.processes.put_back(flight.process, flight.seq, value, decision.message)
    if moved:
        _count(store, decision)
    return moved


def _count(store: Store, decision: Verdict) -> None:
    try:
        store.count("reaped")
        if decision.is_final:
            store.count("poisoned")
    except (RedisError, OSError) as error:
        # The job has been moved on, and there are others to be told of it.
        logger.warning("The death of %s is not counted: %s", decision.job_id, error)
