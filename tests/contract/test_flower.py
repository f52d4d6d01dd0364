"""Flower, the real one: what it asks of the worker, and what it hears."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import requests
from contract_node import SLOTS, Node
from processes import Project
from servers import free_port
from waiting import until


def test_flower_shows_the_worker_and_its_jobs(
    contract: ModuleType, node: Node, project: Project
) -> None:
    port = free_port()
    program = project.start(
        "celery", f"--broker={contract.celery_app.conf.broker_url}", "flower",
        "--address=127.0.0.1", f"--port={port}", FLOWER_UNAUTHENTICATED_API="true",
    )  # fmt: skip
    program.wait_for("Visit me at")

    def get(path: str) -> Any:
        answer = requests.get(f"http://127.0.0.1:{port}/api/{path}", timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    worker = until(lambda: get("workers?refresh=1").get(node.name), "it knows the worker")
    assert worker["stats"]["pool"]["max-concurrency"] == SLOTS
    assert {each["name"] for each in worker["active_queues"]} == {"critical", "default", "low"}
    result, failing = contract.tasks.add.delay(1, 2), contract.tasks.fail.delay("no luck")
    assert result.get(timeout=20) == 3
    with pytest.raises(LookupError):
        failing.get(timeout=20)

    def states() -> list[str | None]:
        tasks = get(f"tasks?workername={node.name}")
        return [tasks.get(each.id, {}).get("state") for each in (result, failing)]

    until(lambda: states() == ["SUCCESS", "FAILURE"], "it has heard of the jobs")
