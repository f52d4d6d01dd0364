"""What the worker says of itself over the remote control."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from contract_node import SLOTS, Node
from waiting import until


def test_ping(contract: ModuleType, node: Node) -> None:
    assert contract.celery_app.control.ping(destination=[node.name], timeout=10) == [
        {node.name: {"ok": "pong"}}
    ]


def test_active_and_query_task(contract: ModuleType, node: Node) -> None:
    with node.full() as gate:
        running = node.active()
        processes = node.processes()
        first, second = (running[each.id] for each in gate.held)
        asked = node.inspect("query_task", [gate.held[0].id, "unknown"])
        waiting = contract.tasks.add.delay(1, 2)
        assert set(node.active()) == {each.id for each in gate.held}
        assert isinstance(node.inspect("reserved"), list)
    for each, held in zip((first, second), gate.held, strict=True):
        assert (each["id"], each["name"], each["type"]) == (
            held.id, "contract_app.tasks.hold", "contract_app.tasks.hold",
        )  # fmt: skip
        assert (each["args"], each["kwargs"]) == ([gate.name], {})
        assert each["hostname"] == node.name
        assert each["worker_pid"] in processes
        assert each["time_start"] == pytest.approx(time.time(), abs=15)
        assert each["acknowledged"] is False
        assert each["delivery_info"]["routing_key"] == "default"
    assert first["worker_pid"] != second["worker_pid"]
    assert list(asked) == [gate.held[0].id]
    state, info = asked[gate.held[0].id]
    assert (state, info["worker_pid"]) == ("active", first["worker_pid"])
    assert waiting.get(timeout=20) == 3
    until(lambda: not node.active(), "nothing runs")


def test_scheduled(contract: ModuleType, node: Node) -> None:
    later = contract.tasks.add.apply_async((1, 2), countdown=3600)
    found = until(
        lambda: [each for each in node.inspect("scheduled") if each["request"]["id"] == later.id],
        "it is shown",
    )
    assert [(each["request"]["name"], each["request"]["args"]) for each in found] == [
        ("contract_app.tasks.add", [1, 2])
    ]
    assert found[0]["eta"]
    later.revoke()
    until(lambda: later.state == "REVOKED", "it is revoked")
    shown = {each["request"]["id"] for each in node.inspect("scheduled")}
    assert later.id not in shown


def test_stats(contract: ModuleType, node: Node) -> None:
    before = node.inspect("stats")
    for _ in range(3):
        assert contract.tasks.double.delay(1).get(timeout=20) == 2
    after = node.inspect("stats")
    name = "contract_app.tasks.double"
    assert after["total"][name] == before["total"].get(name, 0) + 3
    assert after["pid"] == node.process.pid
    assert after["broker"]["transport"] == "redis"
    assert {"clock", "uptime", "rusage", "prefetch_count"} <= set(after)
    pool = after["pool"]
    assert pool["max-concurrency"] == SLOTS
    assert len(set(pool["processes"])) == SLOTS
    assert all(isinstance(pid, int) for pid in pool["processes"])
    assert pool["implementation"]


def test_registered(node: Node) -> None:
    registered = node.inspect("registered")
    assert "contract_app.tasks.rate_limited [rate_limit=4/s]" in registered
    assert {"contract_app.tasks.add", "contract_app.workers.AddAsync"} <= set(registered)
    shown = node.inspect("registered", "acks_late")
    assert "contract_app.tasks.kills_itself_early [acks_late=False]" in shown


def test_active_queues(node: Node) -> None:
    names = [queue["name"] for queue in node.inspect("active_queues")]
    assert names == ["critical", "default", "low"]


def test_report_and_conf(node: Node) -> None:
    assert "celery:" in node.inspect("report")["ok"]
    conf = node.inspect("conf")
    assert (conf["task_serializer"], conf["task_default_queue"]) == ("json", "default")
