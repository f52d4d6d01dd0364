"""``celery inspect``, the program."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from fleet import LIB
from overrides import OVERRIDES
from processes import Project
from redis import Redis
from waiting import until

from flaskiq.store.store import Store

NODE = "worker1@test"
PREFETCH = {
    OVERRIDES: json.dumps({"worker_disable_prefetch": False, "worker_prefetch_multiplier": 3})
}


def inspect(project: Project, what: str) -> Any:
    """Return what the worker answers."""
    asked = project.start(
        "celery", "-A", "sample:celery_app", "inspect", what, "--json", "--timeout=20", "-d", NODE,
        PYTHONPATH=LIB,
    )  # fmt: skip
    assert asked.wait() == 0, asked.output
    return json.loads(asked.output)[NODE]


def test_active_reserved_scheduled_and_stats(
    sample: ModuleType, store: Redis, start_worker: Any, project: Project, jobs: Store, pool: str
) -> None:
    worker = start_worker(**PREFETCH)
    running = sample.Sleeps.perform_async("running", 30)
    until(lambda: store.llen("record:started"), "it runs")
    waiting = [sample.Add.perform_async(n, n) for n in range(2)]
    later = sample.Add.perform_in(3600, 1, 1)
    until(lambda: store.llen("default") == 0, "they are in hand")

    (active,) = inspect(project, "active")
    assert (active["id"], active["name"], active["args"]) == (
        running.id, "sample.Sleeps", ["running", 30],
    )  # fmt: skip
    assert active["delivery_info"]["routing_key"] == "default"
    assert {each["id"] for each in inspect(project, "reserved")} == {each.id for each in waiting}
    (scheduled,) = inspect(project, "scheduled")
    assert scheduled["request"]["id"] == later.id
    stats = inspect(project, "stats")
    assert stats["broker"]["transport"] == "redis"
    assert stats["pid"] == worker.pid
    assert stats["pool"]["max-concurrency"] == 1
    assert {queue["name"] for queue in inspect(project, "active_queues")} == {
        "critical", "default", "low",
    }  # fmt: skip
    assert "sample.Add" in inspect(project, "registered")
