"""What a job knows of itself, in which ways it ends, and how it is tried again."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from celery import chain, group
from celery.exceptions import MaxRetriesExceededError, Reject
from contract_node import Node, Records
from waiting import until

from flaskiq.attempt import history
from flaskiq.message import read
from flaskiq.store.store import Store


def test_the_request(contract: ModuleType, node: Node) -> None:
    result = contract.attempts.describe.apply_async(
        (1, "two"), {"three": 3}, queue="low", time_limit=50, soft_time_limit=40
    )
    found = result.get(timeout=20)
    assert found["delivery_info"]["routing_key"] == "low"
    assert {name: value for name, value in found.items() if name != "delivery_info"} == {
        "id": result.id,
        "task": "contract_app.attempts.describe",
        "args": [1, "two"],
        "kwargs": {"three": 3},
        "retries": 0,
        "hostname": node.name,
        "root_id": result.id,
        "parent_id": None,
        "group": None,
        "group_index": None,
        "correlation_id": result.id,
        "expires": None,
        "timelimit": [50, 40],
        "is_eager": False,
        "called_directly": False,
        "lang": "py",
    }


def test_the_family_of_a_request(contract: ModuleType, node: Node) -> None:
    describe = contract.attempts.describe
    second = chain(describe.si(), describe.si()).delay()
    found, first = second.get(timeout=20), second.parent.get(timeout=20)
    assert (first["root_id"], first["parent_id"]) == (second.parent.id, None)
    assert (found["root_id"], found["parent_id"]) == (second.parent.id, second.parent.id)
    grouped = group(describe.si(), describe.si()).delay()
    both = grouped.get(timeout=20)
    assert [each["group"] for each in both] == [grouped.id, grouped.id]
    assert [each["group_index"] for each in both] == [0, 1]


def test_an_ignored_job_keeps_its_state(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    result = contract.attempts.ignored.delay()
    until(lambda: "task_postrun" in signals(records, result.id), "it has run")
    records.wait_until_gone(result.id)
    assert (result.state, result.info) == ("LEFT", {"by": "itself"})
    assert records.notes(result.id) == ["ran"]
    assert not {"task_failure", "task_success"} & set(signals(records, result.id))
    assert jobs.dead.find(result.id) is None


def signals(records: Records, job_id: str) -> list[str]:
    return [each["signal"] for each in records.signals(job_id)]


def test_a_rejected_job_has_failed(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    result = contract.attempts.rejected.delay()
    with pytest.raises(Reject):
        result.get(timeout=20)
    assert result.state == "FAILURE"
    until(lambda: jobs.dead.find(result.id), "it is dead")
    records.wait_until_gone(result.id)
    assert records.notes(result.id) == ["ran"]


def test_a_job_that_is_rejected_and_requeued_runs_again(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    result = contract.attempts.rejected_once.delay()
    assert result.get(timeout=20) == "the second time"
    records.wait_until_gone(result.id)
    assert records.notes(result.id) == ["ran", "ran"]
    assert jobs.dead.find(result.id) is None


def test_a_retry_with_a_countdown(contract: ModuleType, node: Node, records: Records) -> None:
    begun = time.monotonic()
    result = contract.attempts.retried.delay(2, 1)
    until(lambda: result.state == "RETRY", "it waits")
    assert result.get(timeout=20) == 2
    assert time.monotonic() - begun > 0.9
    assert records.notes(result.id) == [1, 2]


def test_retries_to_exhaustion(
    contract: ModuleType, node: Node, records: Records, jobs: Store
) -> None:
    result = contract.attempts.retried.delay(9, 0)
    with pytest.raises(MaxRetriesExceededError):
        result.get(timeout=20)
    assert records.notes(result.id) == [1, 2, 3]
    with_error = contract.attempts.retried_with_its_error.delay()
    with pytest.raises(LookupError, match="attempt 2"):
        with_error.get(timeout=20)
    for each in (result, with_error):
        assert each.state == "FAILURE"
        until(lambda job_id=each.id: jobs.dead.find(job_id), "it is dead")


def test_a_retry_takes_the_attempts_along(contract: ModuleType, node: Node, jobs: Store) -> None:
    begun = time.time()
    asked, raised = contract.attempts.retried.delay(9, 0), contract.workers.Fails.perform_async(9)
    for job_id, error in ((asked.id, None), (raised.id, "LookupError: attempt 2")):
        entry = until(lambda job_id=job_id: jobs.dead.find(job_id), "it is dead")
        first, second = history(read(entry.placed.message).headers["flaskiq_attempts"])
        assert (first.number, first.ending, second.number) == (1, "retried", 2)
        assert second.error == error
        for each in (first, second):
            assert each.waited is not None
            assert 0 <= each.waited < 20
            assert begun - 0.01 <= (each.started_at or 0) <= time.time()
        assert entry.failure is not None
        last = entry.failure.last_attempt()
        assert last is not None
        assert (last.number, last.ending) == (3, "dead")


def test_a_retry_with_other_arguments(contract: ModuleType, node: Node) -> None:
    assert contract.attempts.retried_with_other_arguments.delay("go").get(timeout=20) == ["go!"]


def test_automatic_retries(contract: ModuleType, node: Node, records: Records) -> None:
    retried = contract.attempts.retried_automatically
    lucky, unlucky = retried.delay("LookupError", 3), retried.delay("LookupError", 9)
    other = retried.delay("ValueError", 2)
    assert lucky.get(timeout=20) == 3
    with pytest.raises(LookupError, match="attempt 3"):
        unlucky.get(timeout=20)
    with pytest.raises(ValueError, match="attempt 1"):
        other.get(timeout=20)
    assert [records.notes(each.id) for each in (lucky, unlucky, other)] == [
        [1, 2, 3], [1, 2, 3], [1],
    ]  # fmt: skip


def test_the_hooks_of_a_success(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.attempts.hooked.delay("succeeds")
    assert result.get(timeout=20) == "succeeds"
    assert until(lambda: complete(records, result.id), "all came") == [
        ["before_start", ["succeeds"], {}],
        ["run", "succeeds"],
        ["on_success", "succeeds", ["succeeds"], {}],
        ["after_return", "SUCCESS", ["succeeds"]],
    ]


def complete(records: Records, job_id: str) -> list[list[object]]:
    """Return the notes of a job once the last one is there."""
    notes = records.notes(job_id)
    return notes if notes and notes[-1][0] == "after_return" else []


def test_the_hooks_of_a_failure(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.attempts.hooked.delay("fails")
    with pytest.raises(LookupError):
        result.get(timeout=20)
    assert until(lambda: complete(records, result.id), "all came") == [
        ["before_start", ["fails"], {}],
        ["run", "fails"],
        ["on_failure", "LookupError('as told')", ["fails"], True],
        ["after_return", "FAILURE", ["fails"]],
    ]


def test_the_hooks_of_a_retry(contract: ModuleType, node: Node, records: Records) -> None:
    result = contract.attempts.hooked.delay("retries")
    assert result.get(timeout=20) == "retries"
    found = until(lambda: complete(records, result.id), "all came")
    # The second attempt may begin while the hooks of the first one run.
    expected = [
        ["before_start", ["retries"], {}],
        ["run", "retries"],
        ["on_retry", "as told", ["retries"], True],
        ["before_start", ["retries"], {}],
        ["run", "retries"],
        ["on_success", "retries", ["retries"], {}],
        ["after_return", "SUCCESS", ["retries"]],
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_what_a_task_throws_on_purpose_is_no_error_in_the_log(
    contract: ModuleType, node: Node
) -> None:
    result = contract.attempts.throws_expected.delay()
    with pytest.raises(KeyError):
        result.get(timeout=20)
    line = until(lambda: logged(node, result.id, "raised expected"), "it is logged")
    assert "INFO" in line
    assert logged(node, result.id, "raised unexpected") == ""
    other = contract.tasks.fail.delay("no luck")
    with pytest.raises(LookupError):
        other.get(timeout=20)
    assert "ERROR" in until(lambda: logged(node, other.id, "raised unexpected"), "so is this")


def logged(node: Node, job_id: str, what: str) -> str:
    """Return the line of the log about a job that has these words."""
    lines = (line for line in node.process.output.splitlines() if job_id in line and what in line)
    return next(lines, "")
