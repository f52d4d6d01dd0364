"""Results: states and results of jobs, under Celery's keys and in Celery's JSON."""

from __future__ import annotations

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
        keys: list[str] = [key]
        args: list[str | int] = [value, expires, SUCCESS]
        if flight is not None:
            keys.append(self._keys.inflight(flight.process))
            args.append(flight.seq)
        return int(self._store_result(keys, args)) >= 0
