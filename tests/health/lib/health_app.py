"""The application whose workers and schedulers tell how they are."""

from __future__ import annotations

import time
from typing import Any

import redis
from celery.worker.control import control_command
from flask import Flask

from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask("health_app")
app.config["FLASKIQ_WORKERS"] = ["health_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery

client = redis.Redis.from_url(celery_app.conf.broker_url)


class Hold(Worker):
    """Runs until it is told to go on, at the latest after a minute."""

    name = "health.Hold"

    @classmethod
    def perform(cls, name: str) -> str:
        client.set(f"started:{name}", 1)
        end = time.monotonic() + 60
        while not client.exists(f"go:{name}") and time.monotonic() < end:
            time.sleep(0.05)
        return name


@control_command(args=[("seconds", float)])
def stand_still(_state: Any, seconds: float) -> None:
    """Keep the main loop from turning."""
    time.sleep(seconds)


WorkerRegistry.initialize()
