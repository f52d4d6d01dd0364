"""What is secret in a job is neither shown nor found."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pages import Browser

from flaskiq import api, current
from flaskiq.api import JobRecord
from flaskiq.failure import Failure
from flaskiq.store.place import Placed

HIDDEN = "•••"


@pytest.fixture
def hook(jobs: ModuleType) -> Iterator[dict[str, Any]]:
    """The hook of the app: ``hook["call"]`` is what it calls."""
    yield jobs.hook
    jobs.hook.clear()


def dead(jobs: ModuleType, *args: Any, **kwargs: Any) -> str:
    """A dead job whose error tells a secret."""
    job = jobs.Add.perform_in(60, *args, **kwargs)
    entry = current.state().store.scheduled.find(job.id)
    placed: Placed = entry.placed
    api.ScheduledSet().delete(job.id)
    failure = Failure("ValueError", "no user 4711", "line 4711", 1, 1.0, 1.0)
    current.state().store.dead.bury(job.id, placed, failure)
    return str(job.id)


def test_what_is_named_like_a_secret(browser: Browser, jobs: ModuleType) -> None:
    given = {"Password": "hush", "deep": [{"api-key": "hush", "apikey": "hush", "fine": 12}]}
    job = jobs.Fail.perform_in(60, "x", auth_token="hush", given=given)
    for path in ("/scheduled", f"/job/{job.id}", "/api/v1/scheduled", f"/api/v1/job/{job.id}"):
        page = browser.client.get(f"/jobs{path}").text
        assert "hush" not in page
        assert "x" in page
    assert '"fine": 12' in browser.get(f"/job/{job.id}")


def test_nobody_can_guess_by_looking_for_it(browser: Browser, jobs: ModuleType) -> None:
    jobs.Fail.perform_in(60, "x", password="hunter2", colour="red")
    assert "No job is like that." in browser.get("/scheduled?argument=hunter2")
    assert "Fail" in browser.get("/scheduled?argument=red")
    browser.post("/scheduled?argument=hunter2", act="delete", all="1")
    assert len(api.ScheduledSet()) == 1


def test_the_hook_of_the_app(browser: Browser, jobs: ModuleType, hook: dict[str, Any]) -> None:
    told = []

    def call(what: str, value: Any, job: JobRecord) -> Any:
        told.append((what, job.worker))
        if what in ("args", "kwargs"):
            return HIDDEN
        return value.replace("4711", "####") if isinstance(value, str) else value

    hook["call"] = call
    job_id = dead(jobs, 4711, right=12)
    for path in ("/dead", f"/job/{job_id}", "/api/v1/dead", f"/api/v1/job/{job_id}"):
        page = browser.client.get(f"/jobs{path}").text
        assert "4711" not in page
        assert "no user ####" in page
    assert {what for what, _ in told} >= {"args", "kwargs", "error", "traceback"}
    assert {worker for _, worker in told} == {jobs.Add.task_name()}
    assert "No job is like that." in browser.get("/dead?error=4711")


def test_a_result_goes_through_the_hook(
    browser: Browser, jobs: ModuleType, hook: dict[str, Any], start: Any
) -> None:
    hook["call"] = lambda what, value, _: "hidden sum" if what == "result" else value
    start()
    job = jobs.Add.perform_async(31_000, 415)
    assert job.get(timeout=20) == 31_415
    text = browser.get(f"/job/{job.id}")
    assert "hidden sum" in text
    assert "31415" not in text.partition("Result")[2]


def test_a_hook_that_fails_shows_nothing(
    browser: Browser, jobs: ModuleType, hook: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("broken")

    hook["call"] = fail
    job_id = dead(jobs, 4711)
    text = browser.get(f"/job/{job_id}")
    assert "4711" not in browser.page
    assert HIDDEN in text
    assert "FLASKIQ_DASHBOARD_REDACT has failed; args is hidden" in caplog.text
