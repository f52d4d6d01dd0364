"""The workers guide of flask-react-template, run for real.

Each file of ``flask_react_template/`` is one Python sample of that guide; only import lines were
changed or added. What the guide leaves to its reader (``is_already_processed``, ``job_id``, a
``MyWorker`` to test) is in the modules written here around the samples.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
from messages import Message, queued, scheduled
from processes import Process, Project
from servers import Server

SAMPLES = Path(__file__).parent / "flask_react_template"

CELERY_APP = """
from flask import Flask
from flaskiq import Flaskiq
from task_queues import task_queues

flask_app = Flask(__name__)
flask_app.config["CELERY"] = {"task_queues": task_queues}
flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery
"""

RECORDS = """
import os
import redis

client = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])

class SpecificException(Exception): pass

def is_already_processed(record_id): return client.sismember("marks", record_id)
def process_record(record_id): client.rpush("processed", record_id)
def mark_as_processed(record_id): client.sadd("marks", record_id)
def process_chunk(chunk): client.rpush("chunks", len(chunk))
"""

MY_WORKER = """
from flaskiq import Worker

class MyWorker(Worker):
    max_retries = 0

    @classmethod
    def perform(cls, test_data):
        if test_data != "valid":
            raise ValueError(test_data)
        return {"status": "success"}
"""

WORKERS = (
    "my_background_worker",
    "logging_worker",
    "health_check_worker",
    "data_processing_worker",
    "error_handling_worker",
    "idempotent_worker",
    "resource_aware_worker",
)


def sample(name: str) -> str:
    """Return the text of a sample."""
    return (SAMPLES / f"{name}.py").read_text()


@pytest.fixture(scope="module")
def guide(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project that the guide describes: its Workers in ``workers``, its scripts beside."""
    folder = tmp_path_factory.mktemp("guide")
    project = Project(
        folder, {"CELERY_BROKER_URL": server.url, "CELERY_RESULT_BACKEND": server.url}
    )
    project.write("celery_app.py", CELERY_APP)
    project.write("records.py", RECORDS)
    project.write("workers/my_worker.py", MY_WORKER)
    for file in SAMPLES.glob("*.py"):
        folder_of_sample = "workers/" if file.stem in WORKERS else ""
        project.write(f"{folder_of_sample}{file.name}", file.read_text())
    yield project
    project.end()


@pytest.fixture(scope="module")
def worker(guide: Project, server: Server) -> Process:
    """A ready worker of that project, its queues empty."""
    with server.client() as client:
        client.flushall()
    return guide.worker("celery_app", NO_PROXY="localhost")


def run(project: Project, name: str, given: dict[str, Any] | None = None, **env: str) -> str:
    """Run a script of the guide in a process of the app and return what it printed."""
    return project.python(
        f"import celery_app, runpy; runpy.run_path({f'{name}.py'!r}, {given or {}!r})", **env
    )


def results(project: Project, *calls: str) -> list[Any]:
    """Enqueue jobs, written as ``module.Class.verb(...)``, and wait for their results."""
    imports = sorted({f"import workers.{call.partition('.')[0]}" for call in calls})
    jobs = ", ".join(f"workers.{call}" for call in calls)
    printed = project.python(
        "\n".join(["import json, celery_app", *imports])
        + f"\nprint(json.dumps([job.get(timeout=20) for job in [{jobs}]]))"
    )
    return list(json.loads(printed))


# Without a worker


def test_the_registry_registers_all_workers(guide: Project) -> None:
    printed = guide.python("""
import json, runpy, celery_app
def names(): return sorted(n for n in celery_app.celery_app.tasks if n.startswith("workers."))
before = names()
runpy.run_path("server.py")
print(json.dumps([before, names()]))
""")
    before, after = json.loads(printed)
    assert before == []
    assert {name.split(".")[1] for name in after} == {*WORKERS, "my_worker"}


def next_slots(project: Project, definitions: str, after: str) -> list[str]:
    """Return the next slot of each cron Worker, in the order of their names."""
    printed = project.python(f"""
import json
from datetime import datetime, timezone
import celery_app
from flaskiq import Worker, WorkerRegistry
{definitions}
WorkerRegistry.initialize()
after = datetime.fromisoformat({after!r}).replace(tzinfo=timezone.utc)
entries = sorted(celery_app.celery_app.conf.beat_schedule.items())
print(json.dumps([(name.rpartition(".")[2], entry["schedule"].expression.next_after(
    after, timezone.utc).strftime("%a %d %b %Y %H:%M")) for name, entry in entries]))
""")
    return [f"{name} {slot}" for name, slot in json.loads(printed)]


def test_cron_workers_come_due_when_the_guide_says(guide: Project) -> None:
    lines = [line for line in sample("cron_schedules").splitlines() if not line.startswith("#")]
    definitions = "".join(
        f"class Cron{number}(Worker):\n    {line}\n    @classmethod\n    def perform(cls): ...\n"
        for number, line in enumerate(lines)
    )
    assert next_slots(guide, definitions, after="2026-01-28T16:31") == [
        "Cron0 Thu 29 Jan 2026 02:00",  # daily at 2:00
        "Cron1 Wed 28 Jan 2026 16:45",  # every 15 minutes
        "Cron2 Mon 02 Feb 2026 09:00",  # every Monday at 9:00
        "Cron3 Sun 01 Feb 2026 00:00",  # first day of every month at midnight
        "HealthCheckWorker Wed 28 Jan 2026 16:40",
        "MyBackgroundWorker Thu 29 Jan 2026 02:00",
    ]


def test_task_queues_are_the_queues_in_their_order(guide: Project) -> None:
    printed = guide.python("""
import json
from celery_app import celery_app
queues = celery_app.amqp.queues.values()
print(json.dumps([[q.name, q.exchange.name, q.routing_key] for q in queues]))
""")
    assert json.loads(printed) == [[name] * 3 for name in ("critical", "default", "low")]


def assert_due(
    jobs: list[tuple[datetime, Message]], delays: list[timedelta], earliest: datetime
) -> None:
    """Each job is due its delay after the moment of its call, which was between then and now."""
    latest = datetime.now(timezone.utc)
    for (due, _), delay in zip(jobs, delays, strict=True):
        assert earliest + delay <= due <= latest + delay


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_scheduled_jobs_start_when_the_guide_says(
    guide: Project, store: redis.Redis, zone: str
) -> None:
    earliest = datetime.now(timezone.utc)
    run(guide, "scheduled_execution", TZ=zone)
    jobs = scheduled(store)
    assert [job.kwargs for _, job in jobs] == [{"user_id": 123, "data": {"key": "value"}}] * 2
    assert_due(jobs, [timedelta(seconds=300), timedelta(hours=2)], earliest)
    assert queued(store) == []


def test_data_are_queued_now_and_for_later(guide: Project, store: redis.Redis) -> None:
    earliest = datetime.now(timezone.utc)
    run(guide, "data_processing_usage", TZ="Asia/Kolkata")
    (now,) = queued(store)
    assert now.kwargs == {
        "user_id": 123,
        "processing_options": {"format": "json", "include_metadata": True},
    }
    assert "eta" not in now.headers
    later = scheduled(store)
    assert_due(later, [timedelta(hours=1)], earliest)
    assert later[0][1].kwargs == {"user_id": 123, "processing_options": {"format": "csv"}}


def test_the_length_of_a_queue_is_its_number_of_jobs(guide: Project, store: redis.Redis) -> None:
    guide.python("""
import celery_app
from workers.my_background_worker import MyBackgroundWorker as W
for number, queue in enumerate(("critical", "default", "low"), start=1):
    W.set(queue=queue).perform_bulk([(n, {}) for n in range(number)])
""")
    lengths = [store.execute_command("LLEN", queue) for queue in ("critical", "default", "low")]
    assert lengths == [1, 2, 3]
    assert len(store.execute_command("LRANGE", "default", 0, -1)) == 2
    assert [job.args[0] for job in queued(store, "low")] == [0, 1, 2]


def test_the_test_of_the_guide_passes(guide: Project) -> None:
    guide.write("tests/test_my_worker.py", sample("testing_workers"))
    done = guide.python_result("import pytest; raise SystemExit(pytest.main(['-q', 'tests']))")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


# Through the worker


def test_a_job_is_queued_run_and_tracked(guide: Project, worker: Process) -> None:
    printed = run(guide, "immediate_execution")
    job_id = printed.removeprefix("Job queued with ID: ")
    worker.wait_for(f"[{job_id}] succeeded")
    assert "Processing user 123" in worker.output
    assert "Completed processing user 123" in worker.output

    assert run(guide, "job_result_tracking", {"job_id": job_id}).splitlines() == [
        "Status: SUCCESS",
        "Result: None",
        "Job completed: None",
    ]


def test_a_failed_job_is_tracked_with_its_own_error(guide: Project, worker: Process) -> None:
    job_id = guide.python(
        "import celery_app; from workers.my_worker import MyWorker;"
        "print(MyWorker.perform_async(test_data='too bad').id)"
    )
    worker.wait_for(f"[{job_id}] raised")
    assert run(guide, "job_result_tracking", {"job_id": job_id}).splitlines() == [
        "Status: FAILURE",
        "Result: too bad",
        "Job failed: too bad",
    ]


def test_the_worker_logs_what_its_jobs_log(guide: Project, worker: Process) -> None:
    assert results(guide, "logging_worker.MyWorker.perform_async('data')") == [None]
    worker.wait_for("Job completed successfully")
    assert "INFO/MainProcess] Starting job processing" in worker.output


def test_a_worker_that_handles_its_errors_is_done(guide: Project, worker: Process) -> None:
    assert results(guide, "error_handling_worker.MyWorker.perform_async('data')") == [None]


def test_data_are_processed(guide: Project, worker: Process) -> None:
    options = {"format": "json", "include_metadata": True}
    assert results(
        guide, f"data_processing_worker.DataProcessingWorker.perform_async(123, {options!r})"
    ) == [
        {
            "user_id": 123,
            "status": "completed",
            "processed_at": "2024-01-01T00:00:00Z",
            "options": options,
        }
    ]
    worker.wait_for("Data processing completed for user 123")


def test_a_record_is_processed_once(guide: Project, worker: Process, server: Server) -> None:
    call = "idempotent_worker.IdempotentWorker.perform_async(7)"
    assert results(guide, call, call) == [None, None]
    with server.client() as client:
        assert client.lrange("processed", 0, -1) == ["7"]
    worker.wait_for("Record 7 already processed, skipping")


def test_a_large_list_is_processed_in_chunks(
    guide: Project, worker: Process, server: Server
) -> None:
    call = "resource_aware_worker.ResourceAwareWorker.perform_async(list(range(2500)))"
    assert results(guide, call) == [None]
    with server.client() as client:
        assert client.lrange("chunks", 0, -1) == ["1000", "1000", "500"]


class Backend(ThreadingHTTPServer):
    """The backend of the guide, on the address that its health check names."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 8080), Answer, bind_and_activate=False)
        self.server_bind()  # holds the port, and refuses connections until start()

    def start(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    server: Backend

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/api/" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_health_check_tells_healthy_from_unhealthy(guide: Project, worker: Process) -> None:
    try:
        backend = Backend()
    except OSError as error:
        pytest.skip(f"the guide's health check asks port 8080, which is taken: {error}")

    run(guide, "health_check_usage")
    worker.wait_for("Backend is unhealthy: HTTPConnectionPool(host='localhost', port=8080)")
    backend.start()
    try:
        run(guide, "health_check_usage")
        worker.wait_for("INFO/MainProcess] Backend is healthy")
        backend.status = 500
        run(guide, "health_check_usage")
        worker.wait_for("ERROR/MainProcess] Backend is unhealthy: status 500")
    finally:
        backend.stop()
