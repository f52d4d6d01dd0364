"""A job that fails, from its first attempt to its replay, as whoever operates the app sees it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from command import Command
from processes import Project
from waiting import until

pytestmark = pytest.mark.slow

HOUR = 3600

APP = """
from pathlib import Path
from flask import Flask
from flaskiq import Flaskiq, Worker, WorkerRegistry

app = Flask(__name__)
celery_app = Flaskiq(app).celery

class Import(Worker):
    queue = "low"
    max_retries = 1
    retry_backoff = False
    retry_delay = 3600

    @classmethod
    def perform(cls, path: str) -> int:
        return len(Path(path).read_text().splitlines())

with app.app_context():
    WorkerRegistry.initialize()
"""


def test_a_failing_job_from_its_first_attempt_to_its_replay(project: Project) -> None:
    project.write("shop.py", APP)
    flaskiq = Command(project.folder, project.environ(FLASKIQ_APP="shop"))
    project.worker("shop:celery_app")

    def find() -> dict[str, Any]:
        return flaskiq.json("jobs", "find", job_id)  # type: ignore[no-any-return]

    before = time.time()
    job_id = flaskiq("jobs", "run", "Import", "--args", '["prices.csv"]').out.strip()
    until(lambda: find()["state"] == "retrying", "it waits for another attempt")
    (job,) = flaskiq.json("retries")["jobs"]
    assert (job["id"], job["worker"], job["queue"]) == (job_id, "shop.Import", "low")
    assert (job["attempt"], job["args"]) == (2, ["prices.csv"])
    assert before + HOUR <= job["at"] <= time.time() + HOUR
    failure = job["failure"]
    assert (failure["error"], failure["attempt"]) == ("FileNotFoundError", 1)
    assert "prices.csv" in failure["message"]
    assert before <= failure["first_failed_at"] <= failure["failed_at"] <= time.time()

    listed = flaskiq("retries").out
    assert all(text in listed for text in (job_id, "shop.Import", "FileNotFoundError"))
    shown = flaskiq("retries", "show", job_id).out
    assert "Traceback (most recent call last):" in shown
    assert "in perform" in shown

    assert flaskiq("retries", "retry", job_id).out == "Enqueued 1 job of the retry set.\n"
    until(lambda: find()["state"] == "dead", "it gave up")
    assert flaskiq.json("retries") == {"size": 0, "jobs": []}
    (job,) = flaskiq.json("dead")["jobs"]
    assert (job["id"], job["failure"]["attempt"]) == (job_id, 2)
    assert job["failure"]["first_failed_at"] == failure["first_failed_at"]
    assert job_id in flaskiq("dead").out
    assert [each["ending"] for each in find()["attempts"]] == ["retried", "dead"]
    (header, first, second) = flaskiq("jobs", "find", job_id).out.splitlines()[-3:]
    assert header.split() == ["ATTEMPT", "STARTED", "WAITED", "RAN", "ENDED", "ERROR"]
    assert [line.split()[0] for line in (first, second)] == ["1", "2"]
    assert " retried  FileNotFoundError: " in first
    assert " dead     FileNotFoundError: " in second

    project.write("prices.csv", "1\n2\n3\n")
    assert flaskiq("dead", "retry", job_id).out == "Enqueued 1 job of the dead set.\n"
    assert flaskiq("jobs", "wait", job_id, "--timeout", "20").out == "3\n"
    found = until(lambda: (job := find())["seconds"] and job, "its end is recorded")
    assert (found["id"], found["state"], found["attempt"]) == (job_id, "done", 1)
    assert [each["number"] for each in found["attempts"]] == [1, 2, 1]
    assert "No jobs gave up." in flaskiq("dead").out


@pytest.mark.parametrize("words", [("scheduled",), ("retries",), ("dead",)])
def test_nothing_there_says_what_there_could_be(command: Command, words: tuple[str, ...]) -> None:
    out = command(*words).out
    assert out.startswith("No jobs ")
    assert "flaskiq " in out
