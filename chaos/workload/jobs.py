"""The jobs: what each number of the plan means, and what a worker does for it."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.signals import worker_ready

from chaos.ledger import Ledger
from chaos.posts import QUEUES

RETRY_AFTER = 0.5

folder = Path(os.environ["CHAOS_FOLDER"])
writer = os.environ["CHAOS_WRITER"]
ledger = Ledger(folder, writer)


class FailureOnPurposeError(Exception):
    """What a job raises that is to be retried."""


@dataclass(frozen=True)
class Job:
    """One job of the plan; times in seconds, ``failures`` in attempts."""

    number: int
    queue: str
    delay: float
    seconds: float
    failures: int


def plan(seed: int, number: int) -> Job:
    """Return what a number means; the same in every process."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - not a secret
    kind = chance.random()
    seconds = 0.0
    if kind < 0.01:
        seconds = chance.uniform(1, 3)
    elif kind < 0.45:
        seconds = chance.uniform(0.005, 0.05)
    return Job(
        number,
        queue=chance.choices(QUEUES, (2, 5, 3))[0],
        delay=chance.uniform(0.1, 2) if chance.random() < 0.15 else 0.0,
        seconds=seconds,
        failures=int(chance.random() < 0.05),
    )


def perform(number: int, attempt: int, seconds: float, failures: int) -> None:
    """Run one attempt; the first is 1."""
    with ledger.execution(number, attempt):
        time.sleep(seconds)
        if attempt <= failures:
            raise FailureOnPurposeError(f"job {number}, attempt {attempt}")


@worker_ready.connect
def _say_ready(**_: Any) -> None:
    (folder / f"{writer}.ready").touch()
