"""Results: states and results of jobs, under Celery's keys and in Celery's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.keys import Keys

SUCCESS = '{"status": "SUCCESS",'
"""How Celery's JSON of a success begins."""


class StateOf(NamedTuple):
    """The state or result of a job in flight; kept for ``expires`` seconds, 0 for ever."""

    seq: int
    key: str
    value: str
    expires: int


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

    def store_all_command(self, process: str, results: Sequence[StateOf]) -> tuple[Any, ...]:
        """Return the command that writes states of one process, each while its job is in flight.

        It replies with the number of jobs that were not. It carries its script: a server that has
        lost that would leave the results out, and do what is sent behind them.
        """
        keys = [self._keys.inflight(process), *(result.key for result in results)]
        values = [part for each in results for part in (each.value, each.expires, each.seq)]
        return ("EVAL", script.source("store_results"), len(keys), *keys, SUCCESS, *values)

    def store_waiting(self, key: str, value: str, expires: int, job_id: str) -> bool:
        """Write the state of a job that waits for another attempt, as long as it does."""
        sets = (self._keys.jobs("retry"), self._keys.jobs("scheduled"))
        return self._store(key, value, expires, dict.fromkeys(sets, job_id))

    def _store(self, key: str, value: str, expires: int, guards: Mapping[str, str]) -> bool:
        arguments: list[str | int] = [value, expires, SUCCESS, *guards.values()]
        return int(self._store_result([key, *guards], arguments)) >= 0
