"""The jobs as Workers."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flask import Flask, g

from benchmarks import record
from benchmarks.apps import instruments, options
from flaskiq import Flaskiq, Worker, WorkerRegistry
from flaskiq.setter import Setter

instruments.install()

app = Flask(__name__)
app.config["FLASKIQ_WORKERS"] = [__name__]
app.config["CELERY_BROKER_URL"] = options.URL
app.config["CELERY_RESULT_BACKEND"] = options.URL if options.RESULTS else "disabled://"
app.config["CELERY"] = options.CELERY
flaskiq = Flaskiq(app)


class Noop(Worker):
    """Does nothing."""

    name = "noop"  # as in celery_jobs, whose client may enqueue it

    @classmethod
    def perform(cls, index: int, _payload: dict[str, str]) -> None:
        record.mark(index)


class Wait(Worker):
    """Waits as for a database."""

    name = "wait"

    @classmethod
    def perform(cls, index: int) -> None:
        time.sleep(options.IO_SECONDS)
        record.mark(index)


class Timed(Worker):
    """Records how long it was under way."""

    name = "timed"

    @classmethod
    def perform(cls, index: int, sent: float) -> None:
        record.mark_latency(index, sent)


WorkerRegistry.initialize()

if options.TENANT:
    app.app_context().push()
if options.TENANT == "used":
    g.organization_id, g.user_id = "acme", "7"
if options.TENANT == "off":
    Setter._headers = lambda *_: {}  # type: ignore[method-assign] # noqa: SLF001 - to see its price


def enqueue(index: int) -> None:
    Noop.perform_async(index, options.PAYLOAD)


def bulk(indexes: Iterable[int]) -> None:
    Noop.perform_bulk([(index, options.PAYLOAD) for index in indexes])


fill = bulk


def enqueue_io(index: int) -> None:
    Wait.perform_async(index)


def enqueue_timed(index: int, sent: float) -> None:
    Timed.perform_async(index, sent)
