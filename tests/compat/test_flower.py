"""Flower, the real one: its broker page and its API."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
import requests
from fleet import LIB
from processes import Project
from redis import Redis
from servers import free_port
from waiting import until


@pytest.fixture
def flower(sample: ModuleType, store: Redis, project: Project, start_worker: Any) -> str:
    """The URL of a Flower that knows a worker, whose queue ``low`` is paused."""
    store.sadd("flaskiq:paused", "low")
    start_worker("--queues=critical,low")
    port = free_port()
    program = project.start(
        "celery", "-A", "sample:celery_app", "flower", "--address=127.0.0.1", f"--port={port}",
        PYTHONPATH=LIB, FLOWER_UNAUTHENTICATED_API="true",
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    program.wait_for("Visit me at")
    until(lambda: "worker1@test" in get(f"{url}/api/workers?refresh=1").json(), "it knows it")
    return url


def get(url: str) -> requests.Response:
    answer = requests.get(url, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("pool", ["prefork"])
def test_flower_shows_queues_and_starts_jobs(sample: ModuleType, store: Redis, flower: str) -> None:
    sample.Add.set(queue="low").perform_bulk([(n, n) for n in range(3)])
    sample.Add.s(1, 1).set(queue="low").apply_async(priority=9)
    answer = get(f"{flower}/api/queues/length").json()
    assert {each["name"]: each["messages"] for each in answer["active_queues"]} == {
        "critical": 0, "low": 4,
    }  # fmt: skip
    page = get(f"{flower}/broker").text
    cells = re.findall(r"<td[^>]*>\s*([^<]*?)\s*</td>", page)
    assert {"critical", "low"} <= set(cells)
    assert cells[cells.index("low") + 1] == "4"

    started = requests.post(
        f"{flower}/api/task/async-apply/sample.Add",
        json={"args": [20, 22], "queue": "critical"},
        timeout=20,
    )
    assert started.status_code == 200, started.text
    job_id = started.json()["task-id"]
    assert sample.celery_app.AsyncResult(job_id).get(timeout=20) == 42
    assert get(f"{flower}/api/task/result/{job_id}").json()["result"] == 42
