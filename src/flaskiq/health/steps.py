"""Where health hooks into Celery: a step of its workers, and the start of its schedulers.

What answers is imported where it is started: most programs never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from celery import Celery, bootsteps
from celery.signals import worker_shutdown

from flaskiq import current

if TYPE_CHECKING:
    from flaskiq.current import State


_in_workers: WeakSet[Celery] = WeakSet()


class Health(bootsteps.StartStopStep):
    """Worker step: told from after the pool has forked to the very end of the worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        _in_workers.add(worker.app)
        super().__init__(worker, **kwargs)

    def start(self, worker: Any) -> None:
        """Begin to listen."""
        from flaskiq.health.serve import serve
        from flaskiq.health.worker import WorkerHealth

        found = cast("State", current.state_of(worker.app))
        self._health = WorkerHealth(worker, found)
        self._health.follow()
        self._server = serve(self._health.program(), found, self._health.broker)
        worker_shutdown.connect(self._end, sender=worker)

    def register_with_event_loop(self, _worker: Any, hub: Any) -> None:
        """Follow the event loop; it forgets that with each connection of the worker."""
        self._health.follow_hub(hub)

    def stop(self, worker: Any) -> None:
        """Go on: jobs may run for a while."""

    def _end(self, **_: Any) -> None:
        self._server.stop()


def install(celery: Celery) -> None:
    """Add the step to the workers of an app."""
    celery.steps["worker"].add(Health)


def watch(service: Any) -> None:
    """Tell the health of a scheduler that starts (``celery.beat.Service``), if it has a port.

    That of ``celery worker -B`` has none: the port is its worker's.
    """
    found = current.state_of(service.app)
    if found is None or not found.settings["HEALTH_PORT"] or service.app in _in_workers:
        return
    from flaskiq.health.scheduler import SchedulerHealth
    from flaskiq.health.serve import serve

    health = SchedulerHealth(service.app, found)
    health.follow(service.scheduler)
    serve(health.program(), found, health.broker)
