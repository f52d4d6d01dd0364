"""The scheduler inside a worker (``FLASKIQ_BEAT_IN_WORKER``)."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from flaskiq.cron.scheduler import FlaskiqScheduler
from flaskiq.runtime.loops.loop import Loop
from flaskiq.store.store import Store


class Beat(Loop):
    """Looks as often as the scheduler asks for."""

    name = "scheduler"

    def __init__(self, celery: Celery, open_store: Callable[[], Store]) -> None:
        super().__init__(open_store)
        self._scheduler = FlaskiqScheduler(celery)

    def turn(self, store: Store) -> float:
        """Enqueue what is due, if this scheduler leads."""
        del store  # the scheduler has its own
        return self._scheduler.tick()

    def stop(self) -> None:
        """Let another lead."""
        super().stop()
        self._scheduler.close()
