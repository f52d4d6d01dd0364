"""OpenTelemetry and Sentry: what begins in a request of Flask is followed into its jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Process, Project
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.message import read_envelope

pytestmark = pytest.mark.slow

LIB = Path(__file__).parent / "lib"

ORDER = (
    "import traced_app, json; print(json.dumps(traced_app.app.test_client().get('/order').json))"
)
"""A request, in a process of its own."""

StartWatched = Callable[[str], Process]


@pytest.fixture
def watched(own_server: Server, tmp_path: Path) -> Iterator[Project]:
    """Where the processes of the application run, on an empty server."""
    with own_server.client() as client:
        client.flushall()
    project = Project(
        tmp_path,
        {
            "CELERY_BROKER_URL": own_server.url,
            "CELERY_RESULT_BACKEND": own_server.url,
            "FLASKIQ_APP": "traced_app:celery_app",
            "PYTHONPATH": str(LIB),
        },
    )
    yield project
    project.end()


@pytest.fixture(params=["flaskiq", pytest.param("prefork", marks=pytest.mark.slow)])
def start_watched(watched: Project, request: pytest.FixtureRequest) -> StartWatched:
    """Start a worker that somebody watches."""

    def start(by: str) -> Process:
        options = (f"--pool={request.param}", "-c", "2", "--without-mingle", "--without-gossip")
        process = watched.start("flaskiq", "worker", "start", *options, WATCHED_BY=by)
        process.wait_for(" ready.")
        return process

    return start


def order(project: Project, by: str = "") -> dict[str, str]:
    """Make a request, and return the ids of its jobs."""
    ids: dict[str, str] = json.loads(project.python(ORDER, WATCHED_BY=by))
    return ids


def told(server: Server, key: str) -> list[dict[str, Any]]:
    """Return what the processes have told."""
    with Redis.from_url(server.url) as client:
        return [json.loads(each) for each in client.lrange(key, 0, -1)]


def result_of(server: Server, job_id: str) -> str:
    """Return the result of a job in JSON, as Redis has it."""
    with Redis.from_url(server.url, decode_responses=True) as client:
        return str(client.get(f"celery-task-meta-{job_id}"))


def test_a_trace_goes_from_the_request_to_its_jobs_and_their_retries(
    own_server: Server, watched: Project, start_watched: StartWatched
) -> None:
    worker = start_watched("otel")
    ids = order(watched, by="otel")

    def spans(kind: str, job: str = "") -> list[dict[str, Any]]:
        found = [span for span in told(own_server, "spans") if span["kind"] == kind]
        return [span for span in found if not job or span["job"] == ids[job]]

    until(lambda: len(spans("CONSUMER")) >= 6, f"all have run\n{worker.output}")
    until(lambda: len(spans("PRODUCER")) >= 6, "all is told")
    (request,) = spans("SERVER")
    assert request["name"] == "GET /order"
    assert {span["trace"] for span in told(own_server, "spans")} == {request["trace"]}
    for job, name in (("now", "Ship"), ("later", "Ship"), ("broken", "Broken")):
        (producer,), (consumer,) = spans("PRODUCER", job), spans("CONSUMER", job)
        assert producer["name"] == f"apply_async/traced_app.{name}"
        assert consumer["name"] == f"run/traced_app.{name}"
        assert producer["parent"] == request["id"]
        assert consumer["parent"] == producer["id"]
    first, again = sorted(
        spans("PRODUCER", "retried"), key=lambda span: span["parent"] != request["id"]
    )
    run, run_again = sorted(
        spans("CONSUMER", "retried"), key=lambda span: span["parent"] != first["id"]
    )
    assert (first["parent"], run["parent"]) == (request["id"], first["id"])
    assert (again["parent"], run_again["parent"]) == (run["id"], again["id"])


def test_sentry_is_told_of_the_error_of_a_job(
    own_server: Server, watched: Project, start_watched: StartWatched
) -> None:
    worker = start_watched("sentry")
    ids = order(watched, by="sentry")

    def errors() -> list[dict[str, Any]]:
        return [event for event in told(own_server, "sentry") if "exception" in event]

    def runs() -> list[dict[str, Any]]:
        events = told(own_server, "sentry")
        return [
            each
            for each in events
            if each.get("contexts", {}).get("trace", {}).get("op") == "queue.task.celery"
        ]

    until(lambda: len(runs()) >= 6, f"all have run\n{worker.output}")
    plain = json.loads(result_of(own_server, ids["plain"]))
    assert plain["result"] == "acme", "a header that Sentry has not seen"
    (error,) = errors()
    assert error["transaction"] == "traced_app.Broken"
    assert error["exception"]["values"][-1]["type"] == "LookupError"
    assert error["exception"]["values"][-1]["value"] == "out of stock"
    assert error["tags"]["celery_task_id"] == ids["broken"]
    (request,) = [each for each in told(own_server, "sentry") if each.get("transaction") == "order"]
    traces = {each["contexts"]["trace"]["trace_id"] for each in (request, error, *runs())}
    assert len(traces) == 1


def test_sentry_is_told_of_jobs_that_nobody_watched_when_they_were_enqueued(
    own_server: Server, watched: Project, start_watched: StartWatched
) -> None:
    ids = order(watched)
    worker = start_watched("sentry")

    def errors() -> list[dict[str, Any]]:
        return [event for event in told(own_server, "sentry") if "exception" in event]

    until(errors, f"it has failed\n{worker.output}")
    (error,) = errors()
    assert error["tags"]["celery_task_id"] == ids["broken"]


def test_headers_that_sentry_has_not_seen_are_shown_to_a_task() -> None:
    seen, mine = {"sentry-trace": "t", "a": 1}, {"flaskiq_cron": "c", "organization_id": "acme"}
    headers = {"id": "the-id", "task": "shop.Add", "a": 0, **mine, "headers": seen}
    raw = json.dumps({"body": "", "headers": headers, "properties": {}}).encode()
    assert read_envelope(raw)["headers"]["headers"] == {**mine, **seen}
    del headers["headers"]
    raw = json.dumps({"body": "", "headers": headers, "properties": {}}).encode()
    assert read_envelope(raw)["headers"] == headers
