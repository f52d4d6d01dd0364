"""Celery's signals in a worker: which come, in which order, and with what."""

from __future__ import annotations

import json
from signal import SIGTERM
from types import ModuleType
from typing import Any

import pytest
from celery.result import AsyncResult
from contract_node import SLOTS, Node, Records
from redis import Redis
from waiting import until


def named(records: Records, result: AsyncResult[Any], last: str) -> dict[str, dict[str, Any]]:
    """Return the signals of a job that runs once, by name; wait for the last one."""
    lines = until(lambda: ending_with(records.signals(result.id), last), f"{last} of {result.id}")
    assert len({line["signal"] for line in lines}) == len(lines), lines
    return {line["signal"]: line for line in lines}


def ending_with(lines: list[dict[str, Any]], last: str) -> list[dict[str, Any]]:
    return lines if lines and lines[-1]["signal"] == last else []


def test_of_a_success(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.tasks.add.delay(1, right=2)
    assert result.get(timeout=20) == 3
    came = named(records, result, "task_postrun")
    assert list(came) == ["task_received", "task_prerun", "task_success", "task_postrun"]
    name = "contract_app.tasks.add"
    assert came["task_received"]["sender"] == node.name
    assert {came[each]["sender"] for each in list(came)[1:]} == {name}
    for each in ("task_prerun", "task_postrun"):
        line = came[each]
        assert (line["task_id"], line["args"], line["kwargs"], line["task"]) == (
            result.id, [1], {"right": 2}, "add",
        )  # fmt: skip
    assert came["task_success"]["result"] == 3
    assert (came["task_postrun"]["retval"], came["task_postrun"]["state"]) == (3, "SUCCESS")
    assert {came[each]["pid"] for each in list(came)[1:]} <= set(node.processes())


def test_of_a_failure(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.tasks.fail.delay("no luck")
    with pytest.raises(LookupError):
        result.get(timeout=20)
    came = named(records, result, "task_postrun")
    assert list(came) == ["task_received", "task_prerun", "task_failure", "task_postrun"]
    failure = came["task_failure"]
    assert failure["sender"] == "contract_app.tasks.fail"
    assert (failure["task_id"], failure["args"], failure["kwargs"]) == (
        result.id, ["no luck"], {},
    )  # fmt: skip
    assert (failure["exception"], failure["traceback"], failure["einfo"]) == (
        "LookupError('no luck')", "traceback", "ExceptionInfo",
    )  # fmt: skip
    assert came["task_postrun"]["state"] == "FAILURE"


def test_of_a_retry(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.attempts.retried.delay(2, 0)
    assert result.get(timeout=20) == 2

    def of_attempt(number: int) -> list[str]:
        lines = records.signals(result.id)
        return [each["signal"] for each in lines if each["attempt"] == number]

    # The second attempt may begin, and even end, before the last signal of the first one.
    until(lambda: len(records.signals(result.id)) == 8, "all came")
    assert of_attempt(1) == ["task_received", "task_prerun", "task_retry", "task_postrun"]
    assert of_attempt(2) == ["task_received", "task_prerun", "task_success", "task_postrun"]
    lines = records.signals(result.id)
    (retry,) = (each for each in lines if each["signal"] == "task_retry")
    assert retry["sender"] == "contract_app.attempts.retried"
    assert (retry["request"], retry["einfo"]) == ("Context", "ExceptionInfo")
    assert retry["reason"].startswith("Retry(")
    states = [each["state"] for each in lines if each["signal"] == "task_postrun"]
    assert sorted(states) == ["RETRY", "SUCCESS"]


def test_of_a_job_that_was_revoked_before_it_ran(
    contract: ModuleType, node: Node, records: Records
) -> None:
    with node.full():
        result = contract.tasks.ran.delay()
        node.revoke(result)
    line = until(lambda: signal_of(records, result, "task_revoked"), "it is revoked")
    assert line["sender"] == "contract_app.tasks.ran"
    assert [each["signal"] for each in records.signals(result.id)] == ["task_revoked"]
    assert (line["terminated"], line["signum"], line["expired"]) == (False, None, False)


def test_of_a_job_that_was_terminated(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.tasks.hold.delay("nobody opens it")
    until(lambda: records.notes(result.id), "it runs")
    result.revoke(terminate=True)
    revoked = until(lambda: signal_of(records, result, "task_revoked"), "it came")
    assert (revoked["terminated"], revoked["expired"]) == (True, False)
    assert revoked["signum"] == SIGTERM
    # A process that is ended by SIGTERM may send the last of these before it goes.
    came = [each["signal"] for each in records.signals(result.id)]
    assert set(came) - {"task_postrun"} == {"task_received", "task_prerun", "task_revoked"}


def signal_of(records: Records, result: AsyncResult[Any], name: str) -> dict[str, Any]:
    found = [each for each in records.signals(result.id) if each["signal"] == name]
    return found[0] if found else {}


def test_of_an_unknown_task(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.celery_app.send_task("contract_app.nowhere", (1,), queue="default")
    line = until(lambda: records.signals(result.id), "it came")[0]
    assert (line["signal"], line["sender"], line["name"], line["id"]) == (
        "task_unknown", node.name, "contract_app.nowhere", result.id,
    )  # fmt: skip
    assert line["exc"] == "KeyError('contract_app.nowhere')"


def test_of_a_message_that_is_no_job(
    contract: ModuleType, node: Node, records: Records, store: Redis
) -> None:
    with node.full():
        result = contract.tasks.ran.delay()
        raw = until(lambda: store.rpop("default"), "it waits")
        envelope = json.loads(raw)
        assert envelope["headers"].pop("task") == "contract_app.tasks.ran"
        assert envelope["headers"]["id"] == result.id
        store.lpush("default", json.dumps(envelope))
    line = until(lambda: records.signals(result.id), "it came")[0]
    assert (line["signal"], line["sender"]) == ("task_rejected", node.name)
    assert records.notes(result.id) == []


def test_of_each_process_of_the_pool(node: Node, records: Records) -> None:
    lines = records.signals("worker_process_init")
    assert set(node.processes()) <= {each["pid"] for each in lines}
    assert len(node.processes()) == SLOTS
    assert node.process.pid not in {each["pid"] for each in lines}


def test_of_the_worker_itself(node: Node, records: Records) -> None:
    for signal in ("celeryd_after_setup", "worker_init", "worker_ready"):
        assert node.process.pid in {each["pid"] for each in records.signals(signal)}, signal
    ready = {each["sender"] for each in records.signals("worker_ready")}
    assert node.name in ready
