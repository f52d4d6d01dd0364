"""Results: states and results of jobs, under Celery's keys and in Celery's JSON."""

from __future__ import annotations

from collections.abc import Mapping

from redis import Redis

from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.keys import Keys

SUCCESS = '{"status": "SUCCESS",'
"""How Celery's JSON of a success begins."""


class Results:
    """Writes what Celery's backend reads; ``keys`` are those of the broker."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._keys = keys
        self._store_result = script.load(client, "store_result")

    def store(self, key: str, value: str, expires: int, flight: Flight | None) -> bool:
        """Write a value, kept for ``expires`` seconds or for ever (0).

        With a ``flight``, only if the job is still in flight there. A success stays as it is.

        Returns False if others have been given the job.
        """
        guards = {self._keys.inflight(flight.process): str(flight.seq)} if flight else {}
        return self._store(key, value, expires, guards)

    def store_waiting(self, key: str, value: str, expires: int, job_id: str) -> bool:
        """Write the state of a job that waits for another attempt, as long as it does."""
        sets = (self._keys.jobs("retry"), self._keys.jobs("scheduled"))
        return self._store(key, value, expires, dict.fromkeys(sets, job_id))

    def _store(self, key: str, value: str, expires: int, guards: Mapping[str, str]) -> bool:
        arguments: list[str | int] = [value, expires, SUCCESS, *guards.values()]
        return int(self._store_result([key, *guards], arguments)) >= 0
