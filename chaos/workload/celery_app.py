"""The jobs as tasks of stock Celery, set up so that it loses as little as it can."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from kombu import Queue

from chaos.posts import ALL_QUEUES
from chaos.workload import jobs

celery_app = Celery("chaos", broker=os.environ["CELERY_BROKER_URL"])
celery_app.conf.update(
    task_queues=[Queue(name) for name in ALL_QUEUES],
    task_default_queue="default",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
    # How often a worker looks for what has timed out; the timeout itself is the default.
    broker_transport_options={"unacked_restore_interval": 2, "unacked_restore_throttle": 1},
)


@celery_app.task(bind=True)
def perform(self: Any, number: int, seconds: float, failures: int) -> None:
    """Do what the plan says."""
    try:
        jobs.perform(number, self.request.retries + 1, seconds, failures)
    except jobs.FailureOnPurposeError as error:
        raise self.retry(exc=error, countdown=jobs.RETRY_AFTER) from None


def push(job: jobs.Job) -> None:
    """Enqueue a job."""
    perform.apply_async(
        (job.number, job.seconds, job.failures), queue=job.queue, countdown=job.delay
    )
