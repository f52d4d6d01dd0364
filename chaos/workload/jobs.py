"""The jobs: what each number of the plan means, and what a worker does for it."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from celery.signals import worker_ready

from chaos.ledger import DIE, Ledger
from chaos.posts import QUEUES

RETRY_AFTER = 0.5

POISONED = 1000, 100
"""Of so many jobs this one kills the process that runs it, as long as anything is poisoned."""

NEVER = -1
"""Failures of a job that never ends: it kills its process."""

folder = Path(os.environ["CHAOS_FOLDER"])
writer = os.environ["CHAOS_WRITER"]
has_poison = bool(os.environ["CHAOS_POISON"])
ledger = Ledger(folder, writer)


class FailureOnPurposeError(Exception):
    """What a job raises that is to be retried."""


@dataclass(frozen=True)
class Job:
    """One job of the plan; times in seconds, ``failures`` in attempts, or :data:`NEVER`."""

    number: int
    queue: str
    delay: float
    seconds: float
    failures: int


def plan(seed: int, number: int) -> Job:
    """Return what a number means; the same in every process."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - not a secret
    queue = chance.choices(QUEUES, (1, 3, 6))[0]
    # Those of the last queue are so much alike that they are fetched in large batches, but for
    # some that take long: behind these a batch waits.
    is_last = queue == QUEUES[-1]
    kind = chance.random()
    seconds = 0.0
    if kind < 0.015:
        seconds = chance.uniform(1, 3)
    elif kind < 0.5:
        seconds = chance.uniform(0.01, 0.03 if is_last else 0.5)
    job = Job(
        number,
        queue=queue,
        delay=chance.uniform(0.1, 2) if chance.random() < 0.15 else 0.0,
        seconds=seconds,
        failures=int(chance.random() < 0.05),
    )
    of, place = POISONED
    if has_poison and number % of == place:
        # It runs for a moment, so that it has neighbours.
        return replace(job, seconds=0.03, failures=NEVER)
    return job


def perform(number: int, attempt: int, seconds: float, failures: int) -> None:
    """Run one attempt; the first is 1."""
    with ledger.execution(number, attempt):
        time.sleep(seconds)
        if failures == NEVER:
            ledger.write(DIE, number, attempt)
            os.kill(os.getpid(), signal.SIGKILL)
        if attempt <= failures:
            raise FailureOnPurposeError(f"job {number}, attempt {attempt}")


@worker_ready.connect
def _say_ready(**_: Any) -> None:
    (folder / f"{writer}.ready").touch()
