"""What Celery's tracers do not do for each job of our pool, the job has all the same."""

from __future__ import annotations

import json

import pytest
from processes import Project

APP = """
from celery.signals import task_prerun
from flask import Flask, current_app
from flaskiq import Flaskiq, Worker, WorkerRegistry, current_job

app = Flask("surrounded")
celery_app = Flaskiq(app).celery


@celery_app.task
def inner():
    return [current_app.name, current_job.worker]


class Tells(Worker):
    @classmethod
    def perform(cls):
        before = [current_app.name, current_job.worker, current_job.attempt]
        eager = inner.apply().result
        return [before, eager, [current_app.name, current_job.worker, current_job.attempt]]


class Backed(Worker):
    @classmethod
    def perform(cls):
        own = celery_app.tasks[current_job.worker]
        return [each.backend is celery_app.backend for each in (inner, own)]


class Listens(Worker):
    @classmethod
    def perform(cls):
        @task_prerun.connect(weak=False)
        def hear(task, **_):
            heard.append([task.name, current_app.name])


class Heard(Worker):
    @classmethod
    def perform(cls):
        return heard


heard = []
with app.app_context():
    WorkerRegistry.initialize()
"""

ASK = """
import json
from shop import *

with app.app_context():
    plain, special = Tells.perform_async(), Tells.set(expires=60).perform_async()
    print(json.dumps([plain.get(timeout=20), special.get(timeout=20)]))
    print(json.dumps(Backed.perform_async().get(timeout=20)))
    Listens.perform_async().get(timeout=20)
    print(json.dumps(Heard.perform_async().get(timeout=20)))
"""


@pytest.mark.newest
def test_a_job_has_its_surroundings(project: Project) -> None:
    project.write("shop.py", APP)
    worker = project.worker(
        "shop:celery_app",
        "--pool=custom",
        "--concurrency=1",
        CELERY_CUSTOM_WORKER_POOL="flaskiq.runtime.pool:FetchPool",
        CELERY_WORKER_LOG_FORMAT="%(name)s %(filename)s %(funcName)s: %(message)s",
    )
    told, backed, heard = map(json.loads, project.python(ASK).splitlines())
    here = ["surrounded", "shop.Tells", 1]
    assert told == [[here, ["surrounded", "shop.inner"], here]] * 2
    assert backed == [True, True]
    assert heard == [["shop.Heard", "surrounded"]]
    worker.wait_for("celery.app.trace trace.py info: Task shop.Listens[")
    worker.wait_for("s: None\n")  # what it returned, as Celery shows it
