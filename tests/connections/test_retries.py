"""``broker_connection_max_retries``: for ever, unless it is finite; the exit code says so."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from overrides import OVERRIDES
from servers import Server, binary, free_port

pytestmark = pytest.mark.slow

FINITE = {OVERRIDES: json.dumps({"broker_connection_max_retries": 2})}


@pytest.fixture(params=["prefork", pytest.param("threads", marks=pytest.mark.slow)])
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_worker_that_never_reaches_redis_gives_up(elsewhere: Any, pool: str) -> None:
    project = elsewhere(f"redis://127.0.0.1:{free_port()}/0", **FINITE)
    worker = project.start("celery", "-A", "sample:celery_app", "worker", f"--pool={pool}")
    assert worker.wait() not in (0, None)
    assert "Trying again" in worker.output


def test_a_worker_that_loses_redis_gives_up(elsewhere: Any, pool: str) -> None:
    program = binary()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, Path(folder))
        project = elsewhere(server.url, **FINITE)
        worker = project.worker("sample:celery_app", f"--pool={pool}", "--concurrency=1")
        server.stop()
        assert worker.wait() not in (0, None)


def test_by_default_it_never_gives_up(elsewhere: Any, pool: str) -> None:
    program = binary()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, Path(folder))
        project = elsewhere(server.url)
        worker = project.worker("sample:celery_app", f"--pool={pool}", "--concurrency=1")
        server.stop()
        worker.wait_for("Trying again in 6.00 seconds")
        assert worker.is_running
