"""The jobs as Dramatiq actors."""

# mypy: disable-error-code="import-not-found, no-untyped-call, untyped-decorator"
# Dramatiq is optional, and where it is missing its decorator has no type.

from __future__ import annotations

import time
from collections.abc import Iterable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from benchmarks import record
from benchmarks.apps import options

dramatiq.set_broker(RedisBroker(url=options.URL, middleware=[Retries()]))


@dramatiq.actor(actor_name="noop")
def noop(index: int, _payload: dict[str, str]) -> None:
    record.mark(index)


@dramatiq.actor(actor_name="wait")
def wait(index: int) -> None:
    time.sleep(options.IO_SECONDS)
    record.mark(index)


@dramatiq.actor(actor_name="timed")
def timed(index: int, sent: float) -> None:
    record.mark_latency(index, sent)


def enqueue(index: int) -> None:
    noop.send(index, options.PAYLOAD)


def fill(indexes: Iterable[int]) -> None:
    for index in indexes:
        enqueue(index)


def enqueue_io(index: int) -> None:
    wait.send(index)


def enqueue_timed(index: int, sent: float) -> None:
    timed.send(index, sent)
