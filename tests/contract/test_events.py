"""What a listener hears of jobs and of the worker, and what Celery makes of it."""

from __future__ import annotations

from types import ModuleType

import pytest
from celery import Celery
from contract_node import SLOTS, Ears, Node, Records
from servers import Server
from waiting import until


def test_of_a_success(contract: ModuleType, node: Node, ears: Ears) -> None:
    result = contract.tasks.add.delay(1, 2)
    assert result.get(timeout=20) == 3
    expected = ["task-received", "task-started", "task-succeeded"]
    until(lambda: ears.types(result.id) == expected, "its events")
    received, _, succeeded = ears.of(result.id)
    assert {each["hostname"] for each in ears.of(result.id)} == {node.name}
    assert (received["name"], received["args"], received["kwargs"]) == (
        "contract_app.tasks.add", "(1, 2)", "{}",
    )  # fmt: skip
    assert (received["retries"], received["root_id"]) == (0, result.id)
    assert succeeded["result"] == "3"
    assert 0 <= succeeded["runtime"] < 20
    task = ears.state.tasks[result.id]
    assert (task.state, task.name, task.worker.hostname) == (
        "SUCCESS", "contract_app.tasks.add", node.name,
    )  # fmt: skip


def test_of_a_failure(contract: ModuleType, node: Node, ears: Ears) -> None:
    result = contract.tasks.fail.delay("no luck")
    with pytest.raises(LookupError):
        result.get(timeout=20)
    expected = ["task-received", "task-started", "task-failed"]
    until(lambda: ears.types(result.id) == expected, "its events")
    failed = ears.of(result.id)[-1]
    assert failed["exception"] == "LookupError('no luck')"
    assert "Traceback" in failed["traceback"]
    assert failed["hostname"] == node.name
    assert ears.state.tasks[result.id].state == "FAILURE"


def test_of_a_retry(contract: ModuleType, node: Node, ears: Ears) -> None:
    result = contract.attempts.retried.delay(2, 0)
    assert result.get(timeout=20) == 2
    # The second attempt may begin, and even end, before the event of the first one's end leaves.
    first = ["task-received", "task-started", "task-retried"]
    expected = sorted([*first, "task-received", "task-started", "task-succeeded"])
    until(lambda: sorted(ears.types(result.id)) == expected, "its events")
    (retried,) = (each for each in ears.of(result.id) if each["type"] == "task-retried")
    assert retried["hostname"] == node.name
    assert sorted(each["retries"] for each in ears.of(result.id) if "retries" in each) == [0, 1]


def test_of_a_job_that_was_revoked(contract: ModuleType, node: Node, ears: Ears) -> None:
    with node.full():
        result = contract.tasks.ran.delay()
        node.revoke(result)
    until(lambda: ears.types(result.id)[-1:] == ["task-revoked"], "its events")
    revoked = ears.of(result.id)[-1]
    assert revoked["hostname"] == node.name
    assert (revoked["terminated"], revoked["expired"]) == (False, False)
    assert "task-started" not in ears.types(result.id)
    assert ears.state.tasks[result.id].state == "REVOKED"


def test_of_a_job_that_was_terminated(
    contract: ModuleType, node: Node, ears: Ears, records: Records
) -> None:
    result = contract.tasks.hold.delay("nobody opens it")
    until(lambda: records.notes(result.id), "it runs")
    result.revoke(terminate=True)
    expected = ["task-received", "task-started", "task-revoked"]
    until(lambda: ears.types(result.id) == expected, "its events")
    assert ears.of(result.id)[-1]["terminated"] is True


def test_of_a_job_that_was_killed_at_its_limit(
    contract: ModuleType, node: Node, ears: Ears, records: Records
) -> None:
    result = contract.limits.endless.delay()
    until(lambda: "task-failed" in ears.types(result.id), "its events")
    records.wait_until_gone(result.id)
    # The prefork pool tells of it twice.
    assert list(dict.fromkeys(ears.types(result.id))) == [
        "task-received", "task-started", "task-failed",
    ]  # fmt: skip
    assert "TimeLimitExceeded" in ears.of(result.id)[-1]["traceback"]
    assert ears.state.tasks[result.id].state == "FAILURE"


def test_of_a_client_that_says_what_it_sends(
    contract: ModuleType, node: Node, ears: Ears, server: Server
) -> None:
    with Celery(broker=server.url, backend=server.url, set_as_current=False) as client:
        client.conf.task_send_sent_event = True
        result = client.send_task("contract_app.tasks.add", (1, 2), queue="default")
        assert result.get(timeout=20) == 3
    until(lambda: {"task-sent", "task-succeeded"} <= set(ears.types(result.id)), "its events")
    (sent,) = (each for each in ears.of(result.id) if each["type"] == "task-sent")
    assert (sent["name"], sent["queue"]) == ("contract_app.tasks.add", "default")


def test_of_the_worker(contract: ModuleType, node: Node, ears: Ears) -> None:
    def beat(active: int) -> dict[str, object] | None:
        beats = [
            each
            for each in list(ears.heard)
            if each["type"] == "worker-heartbeat"
            and each["hostname"] == node.name
            and each.get("active") == active
        ]
        return beats[-1] if beats else None

    before = until(lambda: beat(0), "a heartbeat of the idle worker")
    with node.full():
        busy = until(lambda: beat(SLOTS), "a heartbeat of the full worker")
    assert busy["processed"] >= before["processed"] + SLOTS
    assert busy["pid"] == node.process.pid
    assert (busy["sw_ident"], busy["freq"]) == ("py-celery", 2.0)
    worker = ears.state.workers[node.name]
    assert worker.alive
    until(lambda: worker.active == 0, "Celery knows that it is idle again")
