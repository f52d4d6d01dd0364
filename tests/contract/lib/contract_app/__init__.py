"""The application of the contract: imported by the tests and by the worker that runs its jobs."""

from __future__ import annotations

import json
import os
from typing import Any

import redis
from flask import Flask

from flaskiq import Flaskiq, WorkerRegistry

OVERRIDES = "CONTRACT_CELERY"
"""Environment variable with Celery settings in JSON, for one worker."""

neighbour = Flask("contract_neighbour")
neighbour_celery = Flaskiq(
    neighbour
).celery  # not alone in the process, so that Workers of other tests are not its own

app = Flask("contract_app")
app.config["FLASKIQ_WORKERS"] = ["contract_app"]
app.config["CELERY"] = {
    # Not below this package: they belong into workers, and not into the process of the tests.
    "include": ["contract_signals"],
    **json.loads(os.environ.get(OVERRIDES, "{}")),
}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


def redis_client() -> redis.Redis:
    """Return a client of the broker, which waits as long as it is told to; the caller closes it."""
    url = celery_app.conf.broker_url
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)


def note(job_id: str, what: Any) -> None:
    """Append to the notes of a job, which the test reads."""
    with redis_client() as client:
        client.rpush(f"notes:{job_id}", json.dumps(what))


with app.app_context():
    WorkerRegistry.initialize()
