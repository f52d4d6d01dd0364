"""SchedulerHealth: how ``flaskiq beat``, or ``celery beat``, is."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import Celery

from flaskiq.broker.connection import open_store
from flaskiq.current import State
from flaskiq.health.broker import Broker
from flaskiq.health.program import Program
from flaskiq.health.pulse import Pulse
from flaskiq.health.trouble import TroubleError

LATE = 30.0
"""Seconds after a tick was due from which on the scheduler is taken for dead."""


class SchedulerHealth:
    """Looks at the age of the last tick, of any scheduler of Celery's kind."""

    def __init__(self, celery: Celery, found: State) -> None:
        self.pulse = Pulse()
        self.broker = Broker(partial(open_store, celery))
        self._found = found

    def program(self) -> Program:
        """Return what is told over HTTP."""
        return Program(
            service="celery-beat",
            app=self._found.app.import_name,
            looks={
                "tick": self._look_at_tick,
                "started": self._look_at_start,
                "broker": self.broker.look,
            },
            live=("tick",),
            ready=("started", "broker"),
        )

    def follow(self, scheduler: Any) -> None:
        """Note each tick from now on."""
        tick = scheduler.tick

        def noted(*args: Any, **kwargs: Any) -> float:
            wait: float = tick(*args, **kwargs)
            self.pulse.beat(next_in=wait)
            return wait

        scheduler.tick = noted

    def _look_at_tick(self) -> str:
        if self.pulse.silence > LATE:
            raise TroubleError(f"has not ticked for {self.pulse.age:.0f} s")
        return f"ticked {self.pulse.age:.1f} s ago"

    def _look_at_start(self) -> str:
        if not self.pulse.has_begun:
            raise TroubleError("starting")
        return "yes"
