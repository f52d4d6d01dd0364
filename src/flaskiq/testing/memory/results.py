"""Results in memory, as JSON like those in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import states
from celery.backends.base import KeyValueStoreBackend

from flaskiq.broker.chords import error_value, takes_errors
from flaskiq.errors import ModeError

# Celery's backends have hardly any types.
_Base: Any = KeyValueStoreBackend


class MemoryResults(_Base):
    """The results of one app. Nobody can wait for one: a job runs where the test says so."""

    implements_incr = True
    supports_native_join = True
    thread_safe = True

    def __init__(self, app: Any) -> None:
        super().__init__(app=app, url="memory://")
        self._values: dict[Any, Any] = {}
        self._for_chords: dict[Any, Any] = {}

    def clear(self) -> None:
        """Forget all results."""
        self._values.clear()
        self._for_chords.clear()
        self._cache.clear()

    def get(self, key: Any) -> Any:
        """Return a value, None if there is none."""
        return self._values.get(key)

    def mget(self, keys: Sequence[Any]) -> list[Any]:
        """Return several values, as the body of a chord is to be given them."""
        return [self._for_chords.get(key, self._values.get(key)) for key in keys]

    def set(self, key: Any, value: Any) -> None:
        """Keep a value."""
        self._values[key] = value

    def delete(self, key: Any) -> None:
        """Forget a value."""
        self._values.pop(key, None)

    def incr(self, key: Any) -> int:
        """Count."""
        self._values[key] = found = self._values.get(key, 0) + 1
        return int(found)

    def expire(self, key: Any, value: Any) -> None:
        """Nothing expires within a test."""

    def wait_for(self, task_id: str, *_: Any, **__: Any) -> Any:
        """Return the record of a job that is over.

        Raises:
            ModeError: it is not.
        """
        meta = self.get_task_meta(task_id)
        if meta["status"] not in states.READY_STATES:
            raise ModeError(
                f"job {task_id} has not run ({meta['status']}), and nothing runs by itself here: "
                "call flaskiq.testing.drain() before .get(), or use inline or real"
            )
        return meta

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> None:
        """Count a part that has ended; the last one calls the body."""
        if state in states.PROPAGATE_STATES and takes_errors(request.chord or {}):
            state, result = states.SUCCESS, error_value(request.id, result)
            meta = self._get_result_meta(result, state, None, request)
            key = self.get_key_for_task(request.id)
            self._for_chords[key] = self.encode({**meta, "task_id": request.id})
        super().on_chord_part_return(request, state, result, **options)
