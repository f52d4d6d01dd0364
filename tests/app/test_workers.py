"""The small Workers of the reference application."""

from __future__ import annotations

import ast
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from processes import Process, Project
from servers import free_port


class Answers(BaseHTTPRequestHandler):
    """Answers /200 with 200, /503 with 503, and /silent with nothing at all."""

    def do_GET(self) -> None:
        if self.path.strip("/").isdigit():
            self.send_response(int(self.path.strip("/")))
            self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestHealthCheck:
    CALL = """
import logging, sys
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stdout)
from celery_app import flask_app
from workers.health_check_worker import HealthCheckWorker
with flask_app.app_context():
    result = HealthCheckWorker.perform()
print(result)
"""

    def check(self, reference: Project, url: str) -> tuple[dict[str, Any], str]:
        *log, result = reference.python(self.CALL, HEALTH_CHECK_URL=url).splitlines()
        return ast.literal_eval(result), "\n".join(log)

    def test_healthy(self, reference: Project, site: str) -> None:
        result, log = self.check(reference, f"{site}/200")
        assert result == {"healthy": True, "reason": "status 200"}
        assert "INFO Backend is healthy: status 200" in log

    def test_a_bad_status_is_unhealthy(self, reference: Project, site: str) -> None:
        result, log = self.check(reference, f"{site}/503")
        assert result == {"healthy": False, "reason": "status 503"}
        assert "ERROR Backend is unhealthy: status 503" in log

    def test_an_answer_that_is_no_http_is_unhealthy(self, reference: Project, site: str) -> None:
        result, _ = self.check(reference, f"{site}/silent")
        assert result["healthy"] is False
        assert result["reason"]

    def test_nobody_there_is_unhealthy(self, reference: Project) -> None:
        result, log = self.check(reference, f"http://127.0.0.1:{free_port()}/")
        assert result["healthy"] is False
        assert "refused" in result["reason"]
        assert "ERROR Backend is unhealthy" in log

    def test_a_wrong_setting_is_raised(self, reference: Project) -> None:
        done = reference.python_result(self.CALL, HEALTH_CHECK_URL="file:///etc/hostname")
        assert done.returncode == 1
        assert "HEALTH_CHECK_URL must start with http:// or https://" in done.stderr


def ledger(reference: Project) -> list[int]:
    with closing(sqlite3.connect(reference.folder / "instance" / "ledger.sqlite3")) as database:
        return [
            row[0] for row in database.execute("SELECT record_id FROM ledger ORDER BY record_id")
        ]


class TestIdempotent:
    def test_concurrent_runs_take_effect_once(self, reference: Project, worker: Process) -> None:
        printed = reference.python("""
import celery_app
from workers.idempotent_worker import IdempotentWorker
calls = [(record_id,) for record_id in range(10) for _ in range(5)]
results = IdempotentWorker.perform_bulk(calls)
print(sum(result.get(timeout=30) for result in results))
""")
        assert printed == "10"
        assert [record for record in ledger(reference) if record < 10] == list(range(10))

    def test_a_crash_before_the_mark_leaves_the_record_to_the_next_run(
        self, reference: Project
    ) -> None:
        run = """
import os
from celery_app import flask_app
from workers import idempotent_worker
work = idempotent_worker.process_record
def crash(*args):
    work(*args)
    os._exit(9)
if os.environ.get("CRASH"):
    idempotent_worker.process_record = crash
with flask_app.app_context():
    print(idempotent_worker.IdempotentWorker.perform(77))
"""
        assert reference.python_result(run, CRASH="1").returncode == 9
        assert 77 not in ledger(reference)
        assert reference.python(run) == "True"
        assert reference.python(run) == "False"
        assert ledger(reference).count(77) == 1


def test_pauses_do_not_add_up_in_a_long_file(reference: Project) -> None:
    printed = reference.python("""
from workers import data_processing_worker
data_processing_worker.PAUSES = 0.5
open("long.csv", "w").write("n\\n" + "1\\n" * 100)
profile = data_processing_worker.DataProcessingWorker.perform("long.csv", chunk_rows=1, pause=10)
print(profile["rows"])
""")
    assert printed == "100"


class TestResourceAware:
    CALL = """
from celery_app import flask_app
from workers.resource_aware_worker import ResourceAwareWorker
with flask_app.app_context():
    print(ResourceAwareWorker.{verb}({arguments}))
"""

    @pytest.mark.parametrize("verb", ["perform", "perform_inline"])
    def test_works_in_chunks(self, verb: str, reference: Project) -> None:
        printed = reference.python(self.CALL.format(verb=verb, arguments="list(range(2500))"))
        assert ast.literal_eval(printed) == {
            "count": 2500,
            "chunks": 3,
            "sum_of_squares": sum(n * n for n in range(2500)),
        }

    def test_refuses_chunks_of_nothing(self, reference: Project) -> None:
        done = reference.python_result(self.CALL.format(verb="perform", arguments="[1], 0"))
        assert "chunk_size must be at least 1, not 0" in done.stderr
