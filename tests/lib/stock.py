"""A plain Celery application that shares the queues of ``sample``, and knows nothing of Flaskiq."""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from kombu import Queue

app = Celery(
    "stock",
    broker=os.environ["CELERY_BROKER_URL"],
    backend=os.environ["CELERY_RESULT_BACKEND"],
    set_as_current=False,
)
app.conf.task_queues = [Queue(name) for name in ("critical", "default", "low")]
app.conf.task_default_queue = "default"
app.conf.broker_connection_retry_on_startup = True


@app.task(name="sample.Add")
def add(left: int, right: int) -> int:
    """Stands for the Worker of this name."""
    return left + right


@app.task(name="sample.plain")
def plain(word: str) -> list[Any]:
    """Say who ran it, and what the process has loaded."""
    return [word, "stock", sorted(name for name in sys.modules if name.startswith("flaskiq"))]


@app.task(name="sample.total")
def total(numbers: list[int]) -> int:
    """Add up what a group returned."""
    return sum(numbers)
