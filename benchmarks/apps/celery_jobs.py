"""The jobs as stock Celery tasks."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from celery import Celery, group

from benchmarks import record
from benchmarks.apps import instruments, options

instruments.install()

app = Celery("bench", broker=options.URL, backend=options.URL if options.RESULTS else None)
app.conf.update(options.CELERY)
if options.QUEUE:
    app.conf.task_default_queue = options.QUEUE


@app.task(name="noop")
def noop(index: int, _payload: dict[str, str]) -> None:
    record.mark(index)


@app.task(name="wait")
def wait(index: int) -> None:
    time.sleep(options.IO_SECONDS)
    record.mark(index)


@app.task(name="timed")
def timed(index: int, sent: float) -> None:
    record.mark_latency(index, sent)


def enqueue(index: int) -> None:
    noop.delay(index, options.PAYLOAD)


def bulk(indexes: Iterable[int]) -> None:
    group(noop.s(index, options.PAYLOAD) for index in indexes).apply_async()


def fill(indexes: Iterable[int]) -> None:
    producer: Any
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for index in indexes:
            noop.apply_async((index, options.PAYLOAD), producer=producer)


def enqueue_io(index: int) -> None:
    wait.delay(index)


def enqueue_timed(index: int, sent: float) -> None:
    timed.delay(index, sent)
