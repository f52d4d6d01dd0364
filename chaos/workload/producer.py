"""The producer: a process that pushes the jobs it is told to, and outlives every outage.

It reads lines ``first last [queue]`` from standard input: push the jobs ``first`` to ``last`` - 1,
at the pace of the plan, or all at once to ``queue``. It ends with its input.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import sys
import time
from dataclasses import replace

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chaos.ledger import PUSH, PUSHED
from chaos.workload import jobs
from chaos.workload.jobs import Job

BURSTS = (20, 200)
"""Jobs of a burst on average: of most, and of some behind which the queues are long for a while."""
SOME = 0.2
PAUSE = 0.004
"""Seconds for each job on average."""

app = importlib.import_module(os.environ["CHAOS_APP"])
# A push is repeated here, where the ledger sees it.
app.celery_app.conf.task_publish_retry = False


def push(job: Job) -> None:
    """Push until the server has said that the job is there."""
    while True:
        jobs.ledger.write(PUSH, job.number)
        try:
            app.push(job)
        except (OperationalError, RedisError, OSError) as error:
            logging.warning("push of %d: %s", job.number, error)
            time.sleep(0.1)
        else:
            jobs.ledger.write(PUSHED, job.number)
            return


def push_planned(seed: int, first: int, last: int) -> None:
    """Push in bursts of varying size."""
    chance = random.Random(f"{seed}:{first}")  # noqa: S311 - not a secret
    burst = 0
    for number in range(first, last):
        if not burst:
            burst = chance.randint(1, 2 * BURSTS[chance.random() < SOME])
            time.sleep(burst * PAUSE * chance.uniform(0, 2))
        burst -= 1
        push(jobs.plan(seed, number))


def push_at_once(seed: int, first: int, last: int, queue: str) -> None:
    """Push to one queue, without delay or poison."""
    for number in range(first, last):
        job = replace(jobs.plan(seed, number), queue=queue, delay=0.0)
        push(replace(job, failures=max(0, job.failures)))


def main() -> None:
    """Obey standard input."""
    seed = int(os.environ["CHAOS_SEED"])
    for line in sys.stdin:
        first, last, *queue = line.split()
        if queue:
            push_at_once(seed, int(first), int(last), queue[0])
        else:
            push_planned(seed, int(first), int(last))


if __name__ == "__main__":
    main()
