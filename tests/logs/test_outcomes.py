"""One line for each outcome of a job, in every pool; all lines are JSON and say nothing secret."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from logged import CARD, ENDS, PASSWORD, POOLS, Logged
from processes import Project

from flaskiq.logs.forms import MOST, TRACEBACK_MOST

pytestmark = pytest.mark.slow


def test_each_outcome_is_one_line(pool: str, logged: Logged) -> None:
    found = {job: [line["outcome"] for line in logged.told(job)] for job in POOLS[pool]}
    assert found == POOLS[pool]


def test_what_the_end_of_a_worker_cuts_off_has_its_line(pool: str, logged: Logged) -> None:
    if pool != "solo":
        assert [line["outcome"] for line in logged.told("interrupted")] == ["requeued"]


def test_every_line_of_the_process_is_json(logged: Logged) -> None:
    for line in logged.lines:
        assert {"time", "level", "logger", "process", "message"} <= set(line)
    assert "celery.apps.worker" in {line["logger"] for line in logged.lines}
    assert any(" ready." in line["message"] for line in logged.lines)


def test_the_fields_of_an_outcome(logged: Logged) -> None:
    (line,) = logged.told("Add")
    job_id, seconds = logged.ids["Add"], line.pop("duration")
    assert 0 < seconds < 10
    assert line.pop("time").endswith("+00:00")
    assert line.pop("message").startswith(f"Task logs_app.Add[{job_id}] succeeded in ")
    del line["process"]
    assert line == {
        "level": "INFO",
        "logger": "celery.app.trace",
        "job_id": job_id,
        "worker": "logs_app.Add",
        "queue": "default",
        "attempt": 1,
        "outcome": "done",
    }


def test_each_outcome_names_its_job(pool: str, logged: Logged) -> None:
    for job in POOLS[pool]:
        for line in logged.told(job):
            assert line["job_id"] == logged.ids[job]
            assert line["queue"] == ("low" if job == "Secret" else "default")
            assert line["worker"]
            assert line["attempt"] >= 1
            assert ("error" in line) is (line["outcome"] in {"retried", "discarded", "dead"})


def test_the_tenant_is_told_of_jobs_and_of_what_they_log(logged: Logged) -> None:
    mine = [line for line in logged.lines if line.get("job_id") == logged.ids["For"]]
    assert [line["message"].split("[")[0] for line in mine] == [
        "on behalf of somebody",
        "Task logs_app.For",
    ]
    assert [line["tenant"] for line in mine] == [{"organization_id": "acme"}] * 2


def test_an_attempt_that_failed(logged: Logged) -> None:
    first, last = logged.told("Fails")
    assert (first["attempt"], last["attempt"]) == (1, 2)
    assert first["error"] == "LookupError: attempt 1 of redis://:***@redis.internal/0"
    assert last["error"] == "LookupError: attempt 2 of redis://:***@redis.internal/0"
    assert "exception" not in first
    assert last["exception"].startswith("Traceback (most recent call last):\n")
    assert last["exception"].endswith(f"\n{last['error']}")
    assert (first["level"], last["level"]) == ("INFO", "ERROR")
    assert min(first["duration"], last["duration"]) > 0


def test_what_a_job_logs_stands_in_its_line(logged: Logged) -> None:
    line = _of(logged, "Secret", "shop.jobs")
    assert line["order"] == 7
    assert line["url"] == "redis://app:***@redis.internal/1"
    assert line["odd"] == "{1: nan}"
    assert (line["worker"], line["queue"], line["attempt"]) == ("logs_app.Secret", "low", 1)
    assert _of(logged, "Secret", "celery.redirected")["message"] == "printed\nin two lines"


def test_texts_are_cut_and_nothing_breaks_a_line(logged: Logged) -> None:
    lines = [
        line
        for line in logged.lines
        if line.get("job_id") == logged.ids["Bad"] and line["logger"] == "shop.jobs"
    ]
    broken, long = lines
    assert broken["message"] == "'%d apples' does not go with ('no',)"
    assert long["message"].startswith("\ud800 xxx")
    assert len(long["message"]) == len(long["long"]) == MOST
    assert long["broken"] == "<no repr of Broken: RuntimeError>"
    for line in logged.lines:
        texts = [value for name, value in line.items() if isinstance(value, str)]
        assert max(map(len, texts)) <= max(MOST, TRACEBACK_MOST)


def test_neither_passwords_nor_arguments_are_logged(logged: Logged) -> None:
    assert set(logged.ids) >= set(ENDS)
    assert "Connected to redis://:***@127.0.0.1" in logged.text
    assert PASSWORD not in logged.text
    assert CARD not in logged.text


@pytest.mark.parametrize(
    ("program", "env", "last"),
    [
        ("celery -A logs_app:celery_app worker -l info -P solo --log-format json", {}, " ready."),
        ("flaskiq beat", {"FLASKIQ_LOG_FORMAT": "json"}, "This scheduler leads"),
        ("flaskiq beat --log-format json", {}, "beat: Starting..."),
    ],
)
@pytest.mark.slow  # 2 seconds each
def test_other_programs_write_json(
    logs_project: Project, program: str, env: dict[str, str], last: str
) -> None:
    process = logs_project.start(*program.split(), **env)
    process.wait_for(last)
    process.send(signal.SIGTERM)
    process.wait()
    lines = [json.loads(line) for line in process.output.splitlines()]
    assert any(last in line["message"] for line in lines)


def _of(logged: Logged, job: str, logger: str) -> dict[str, Any]:
    (line,) = (
        line
        for line in logged.lines
        if line.get("job_id") == logged.ids[job] and line["logger"] == logger
    )
    return line
