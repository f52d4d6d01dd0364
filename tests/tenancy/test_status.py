"""``GET /tasks/<id>`` and ``api.status``: what a tenant may know of a job."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from processes import Process
from waiting import until

from flaskiq import api

KEYS = {"task_id", "status", "result", "error", "state", "attempt", "at", "seconds", "progress"}
ACME, OTHER = {"X-User": "acme/1"}, {"X-User": "other/1"}
THEIRS = {"organization_id": "acme"}


@pytest.fixture
def ask(tenants: ModuleType, tenants_server: Any) -> Any:
    """Ask the route for a job, as a user."""
    with tenants_server.client() as client:
        client.flushall()
    # Each request has an app context of its own.
    return lambda job, headers=ACME: tenants.app.test_client().get(
        f"/tasks/{getattr(job, 'id', job)}", headers=headers
    )


def hidden(ask: Any, job: Any) -> bool:
    """Whether others are told what they are told of a job that never was."""
    answers = [ask(each, headers) for each in (job, "no-such-job") for headers in (OTHER, {})]
    bodies = [{**each.get_json(), "task_id": ""} for each in answers]
    return all(each.status_code == 404 for each in answers) and bodies == bodies[:1] * 4


def hold(found: dict[str, Any], **facts: Any) -> bool:
    """Whether an answer says all of it."""
    return facts.items() <= {name: found.get(name) for name in facts}.items()


def test_a_job_that_waits(tenants: ModuleType, ask: Any) -> None:
    for job, state in (
        (tenants.Tell.set(tenant=THEIRS).perform_async("x"), "queued"),
        (tenants.Tell.set(tenant=THEIRS).perform_in(600, "x"), "scheduled"),
    ):
        found = ask(job)
        assert found.status_code == 200
        assert found.get_json().keys() == KEYS
        assert found.get_json()["state"] == state
        assert found.get_json()["status"] == "PENDING"
        assert hidden(ask, job)


def test_a_cancelled_job(tenants: ModuleType, ask: Any) -> None:
    job = tenants.Tell.set(tenant=THEIRS).perform_in(600, "x")
    api.cancel(job.id)
    assert ask(job).get_json()["state"] == "cancelled"
    assert ask(job).get_json()["status"] == "REVOKED"
    assert hidden(ask, job)


def test_jobs_of_nobody(tenants: ModuleType, ask: Any) -> None:
    job = tenants.Tell.set(tenant=None).perform_async("x")
    assert ask(job, {}).get_json()["state"] == "queued"
    assert ask(job).status_code == 404


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("worker", ["flaskiq", "prefork"], indirect=True)
class TestEnded:
    """Jobs that have run."""

    @pytest.mark.parametrize("kind", ["Tell", "tell"])
    def test_done(self, tenants: ModuleType, ask: Any, worker: Process, kind: str) -> None:
        task = tenants.celery_app.tasks[f"tenant_app.{kind}"]
        job = task.apply_async(("done",), headers=THEIRS)
        until(lambda: ask(job).get_json().get("seconds"), "it is recorded")
        found = ask(job).get_json()
        assert (found["status"], found["state"], found["result"]) == ("SUCCESS", "done", "done")
        assert (found["error"], found["attempt"]) == (None, 1)
        assert hidden(ask, job)

    def test_done_and_forgotten_but_for_the_result(
        self, tenants: ModuleType, ask: Any, worker: Process, tenants_server: Any
    ) -> None:
        job = tenants.Tell.set(tenant=THEIRS).perform_async("kept")
        until(lambda: ask(job).get_json().get("seconds"), "it is recorded")
        with tenants_server.client() as client:
            assert client.delete("flaskiq:finished", "flaskiq:finished:jobs") == 2
        found = ask(job).get_json()
        assert (found["status"], found["result"]) == ("SUCCESS", "kept")
        assert hidden(ask, job)

    def test_dead(self, tenants: ModuleType, ask: Any, worker: Process) -> None:
        job = tenants.Fails.set(tenant=THEIRS).perform_async("dead")
        until(lambda: hold(ask(job).get_json(), state="dead", attempt=2), "it is recorded")
        found = ask(job).get_json()
        assert (found["status"], found["error"]) == ("FAILURE", "on purpose")
        assert found["result"] is None
        assert hidden(ask, job)


def test_without_redis(tenants: ModuleType, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis import ConnectionError as RedisConnectionError

    def broken(_: str) -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(sys.modules["flaskiq.api.status"], "find", broken)
    answer = ask("any")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.get_json()["error"]
