"""An application with cron entries of each kind, for the tests of what is said of them."""

from __future__ import annotations

from typing import ClassVar

from flask import Flask

from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask("clock")
app.config["FLASKIQ_WORKERS"] = ["clock_app"]
app.config["CELERY"] = {
    "beat_schedule": {
        "ping": {"task": "shop.Nightly", "schedule": 30.0},
        "text": {"task": "shop.Nightly", "schedule": "*/5 * * * *"},
    }
}
flaskiq = Flaskiq(app)


class Nightly(Worker):
    """Comes in the night of its zone, with an argument."""

    name = "shop.Nightly"
    queue = "low"
    cron_schedule = "30 2 * * *"
    cron_timezone = "Europe/Berlin"
    cron_args = ("all",)

    @classmethod
    def perform(cls, what: str) -> str:
        return what


class Often(Worker):
    """Has two schedules."""

    name = "shop.Often"
    cron_schedule: ClassVar[list[str]] = ["@hourly", "0 9 * * mon-fri"]

    @classmethod
    def perform(cls) -> None:
        return None


with app.app_context():
    WorkerRegistry.initialize()
