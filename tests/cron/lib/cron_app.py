"""An application whose cron entries come every second, for the tests of the scheduler."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any

from flask import Flask

from flaskiq import Flaskiq, Worker, WorkerRegistry
from flaskiq.cron.policy import Policy
from flaskiq.cron.schedule import CronSchedule


class EverySecond(CronSchedule):
    """A resolution that cron does not have."""

    def __init__(self, policy: Policy, seconds: int = 1) -> None:
        super().__init__("* * * * *", policy=policy)
        self._seconds = seconds

    def __reduce__(self) -> Any:
        return type(self), (self.policy, self._seconds)

    def next_after(self, instant: datetime) -> datetime:
        """The next multiple of some seconds."""
        passed = int(instant.timestamp()) // self._seconds
        return datetime.fromtimestamp((passed + 1) * self._seconds, timezone.utc)


ENTRIES = {
    "all": {"task": "cron.Tick", "schedule": EverySecond(Policy("all", limit=1000))},
    "once": {
        "task": "cron.Tick",
        "schedule": EverySecond(Policy("once")),
        "options": {"queue": "low"},
    },
}
"""By name; the environment says which of them there are."""

chosen = json.loads(os.environ.get("CRON_ENTRIES", '["all", "once"]'))

app = Flask("cron_app")
app.config["FLASKIQ_WORKERS"] = ["cron_app"]
app.config["CELERY"] = {"beat_schedule": {name: ENTRIES[name] for name in chosen}}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


class Tick(Worker):
    """Does nothing."""

    name = "cron.Tick"

    @classmethod
    def perform(cls) -> None:
        return None


WorkerRegistry.initialize()
