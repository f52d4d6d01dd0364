"""A Worker that was renamed: jobs of its former name run, and nobody else may have it."""

from __future__ import annotations

import pytest
import redis
from processes import Project
from waiting import until

APP = """
from flask import Flask
from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask("renamed")
app.config["FLASKIQ_WORKERS"] = ["renamed_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


class New(Worker):
    name = "shop.New"
    aliases = ("shop.Old", "shop.Older")

    @classmethod
    def perform(cls, value):
        return value
{more}

WorkerRegistry.initialize()
"""

OTHER = """

class Old(Worker):
    name = "shop.Old"

    @classmethod
    def perform(cls):
        return None
"""

SEND = """
from renamed_app import app, celery_app
with app.app_context():
    print(celery_app.send_task({name!r}, (7,), queue="default").get(timeout=30))
"""


@pytest.mark.parametrize("pool", ["flaskiq", "prefork"])
def test_jobs_of_a_former_name_run(project: Project, store: redis.Redis, pool: str) -> None:
    project.write("renamed_app.py", APP.format(more=""))
    worker = project.start(
        *("flaskiq", "-A", "renamed_app:app", "worker", "start", "-c", "1", "-P", pool)
    )
    for name in ("shop.Old", "shop.Older", "shop.New"):
        assert project.python(SEND.format(name=name)) == "7"
    until(lambda: "shop.Old" in worker.output, "the log names the job as it was sent")


def test_an_alias_that_is_the_name_of_another_is_refused(project: Project) -> None:
    project.write("renamed_app.py", APP.format(more=OTHER))
    done = project.python_result("import renamed_app")
    assert done.returncode != 0
    assert "shop.Old" in done.stderr
    assert "RegistrationError" in done.stderr
