"""The jobs as Flaskiq Workers."""

from __future__ import annotations

from flask import Flask

from chaos.posts import ALL_QUEUES
from chaos.workload import jobs
from flaskiq import Flaskiq, Worker, WorkerRegistry, current_job
from flaskiq.broker import pace

# Who may fetch ahead takes batches sooner than usual and that last longer, so that faults find them
# in hand.
pace.WORK, pace.STEP = 0.5, 3

flask_app = Flask("chaos")
flask_app.config.update(
    FLASKIQ_WORKERS=["chaos.workload.flaskiq_app"],
    FLASKIQ_QUEUES=list(ALL_QUEUES),
)
flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery


class Perform(Worker):
    """Does what the plan says."""

    retry_backoff = False
    retry_delay = jobs.RETRY_AFTER

    @classmethod
    def perform(cls, number: int, seconds: float, failures: int) -> None:
        jobs.perform(number, current_job.attempt, seconds, failures)


WorkerRegistry.initialize()


def push(job: jobs.Job) -> None:
    """Enqueue a job."""
    worker = Perform.set(queue=job.queue)
    if job.delay:
        worker.perform_in(job.delay, job.number, job.seconds, job.failures)
    else:
        worker.perform_async(job.number, job.seconds, job.failures)
