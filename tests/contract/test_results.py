"""What a job leaves behind: its value, its error, its state, its children."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from celery.result import AsyncResult
from contract_node import Gate, Node, Records
from redis import Redis
from waiting import until

from flaskiq.store.store import Store


def test_a_value(contract: ModuleType, node: Node) -> None:
    result = contract.tasks.add.delay(1, 2)
    assert result.get(timeout=20) == 3
    assert (result.state, result.successful(), result.failed()) == ("SUCCESS", True, False)
    assert result.traceback is None
    assert result.date_done is not None


def test_a_failure_with_its_traceback(contract: ModuleType, node: Node) -> None:
    result = contract.tasks.fail.delay("no luck")
    with pytest.raises(LookupError, match="no luck"):
        result.get(timeout=20)
    assert (result.state, result.successful(), result.failed()) == ("FAILURE", False, True)
    assert isinstance(result.result, LookupError)
    assert "Traceback (most recent call last)" in result.traceback
    assert "raise LookupError(message)\nLookupError: no luck" in result.traceback


def test_started_and_a_state_of_its_own(contract: ModuleType, node: Node, store: Redis) -> None:
    gate = Gate(store)
    held = contract.tasks.hold.delay(gate.name)
    until(lambda: held.state == "STARTED", "it has started")
    assert held.info["hostname"] == node.name
    assert held.info["pid"] in node.processes()
    telling = contract.attempts.tells_its_state.delay(gate.name)
    until(lambda: telling.state == "HALFWAY", "it tells its state")
    assert telling.info == {"done": 1, "of": 2}
    gate.open(2)
    assert [each.get(timeout=20) for each in (held, telling)] == ["opened", "arrived"]
    assert (held.state, telling.state) == ("SUCCESS", "SUCCESS")


def test_children(contract: ModuleType, node: Node) -> None:
    result = contract.attempts.has_children.delay()
    ids = result.get(timeout=20)
    assert [child.id for child in result.children] == ids
    assert [child.get(timeout=20) for child in result.children] == [2, 4]


def test_nothing_is_kept_of_an_ignored_result(
    contract: ModuleType, node: Node, store: Redis, records: Records
) -> None:
    result = contract.attempts.ignores_its_result.delay()
    by_call = contract.tasks.add.apply_async((1, 2), ignore_result=True)
    for each in (result, by_call):
        until(lambda job_id=each.id: "task_postrun" in names(records, job_id), "it has run")
        records.wait_until_gone(each.id)
        assert store.exists(f"celery-task-meta-{each.id}") == 0
    assert records.notes(result.id) == ["ran"]


def names(records: Records, job_id: str) -> list[str]:
    return [each["signal"] for each in records.signals(job_id)]


def test_a_value_that_json_cannot_hold(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    result: AsyncResult[Any] = contract.attempts.unkeepable.delay()
    with pytest.raises(Exception, match="JSON serializable"):
        result.get(timeout=20)
    assert result.state == "FAILURE"
    entry = until(lambda: jobs.dead.find(result.id), "it is not lost")
    assert entry.failure is not None
    assert "JSON serializable" in entry.failure.message
    records.wait_until_gone(result.id)
    assert records.notes(result.id) == ["ran"]
