"""Soft and hard time limits."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from celery import chord
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from contract_node import SLOTS, Node, Records, is_running
from waiting import until


@pytest.mark.parametrize("task", ["sleeps", "computes"])
def test_a_soft_limit_lets_a_job_clean_up(
    contract: ModuleType, node: Node, records: Records, task: str
) -> None:
    begun = time.monotonic()
    result = getattr(contract.limits, task).delay()
    assert result.get(timeout=20) == "stopped"
    assert 0.4 < time.monotonic() - begun < 10
    assert records.notes(result.id) == ["cleaned up"]
    until(lambda: soft_limit(1.0, task, result.id) in node.process.output, "it is logged")


def soft_limit(seconds: float, task: str, job_id: str) -> str:
    """Return what is logged when a job has come to its soft limit."""
    return f"Soft time limit ({seconds}s) exceeded for contract_app.limits.{task}[{job_id}]"


def test_a_soft_limit_that_nobody_catches_fails_the_job(
    contract: ModuleType, node: Node, records: Records
) -> None:
    result = contract.limits.gives_up.delay()
    with pytest.raises(SoftTimeLimitExceeded):
        result.get(timeout=20)
    assert result.state == "FAILURE"
    assert records.notes(result.id) == ["cleaned up"]


def test_a_hard_limit_ends_a_job_for_good_and_the_worker_goes_on(
    contract: ModuleType, node: Node, records: Records
) -> None:
    begun = time.monotonic()
    endless = [contract.limits.endless.delay() for _ in range(SLOTS)]
    for each in endless:
        with pytest.raises(TimeLimitExceeded):
            each.get(timeout=20)
        assert each.state == "FAILURE"
    assert time.monotonic() - begun < 15
    assert contract.tasks.add.delay(1, 2).get(timeout=20) == 3
    for each in endless:
        records.wait_until_gone(each.id)
        pid, *rest = records.notes(each.id)
        assert rest == ["goes on"]
        until(lambda pid=pid: not is_running(pid), "its process has ended")
        errors = [line.get("exception") for line in records.signals(each.id)]
        assert any("TimeLimitExceeded(1" in str(error) for error in errors), errors
    until(lambda: len(node.processes()) == SLOTS, "both processes are there again")


def test_limits_of_one_call(contract: ModuleType, node: Node, records: Records) -> None:
    unlimited = contract.limits.unlimited
    soft = unlimited.apply_async((0.7,), soft_time_limit=0.5, time_limit=20)
    hard = unlimited.apply_async((15,), soft_time_limit=0.5, time_limit=1)
    assert soft.get(timeout=20) == "ended"
    with pytest.raises(TimeLimitExceeded):
        hard.get(timeout=20)
    for each in (soft, hard):
        records.wait_until_gone(each.id)
        assert records.notes(each.id) == ["started", "soft"]
    longer = contract.limits.sleeps.apply_async(soft_time_limit=0.8, time_limit=20)
    assert longer.get(timeout=20) == "stopped"
    until(lambda: soft_limit(0.8, "sleeps", longer.id) in node.process.output, "it is logged")
    assert unlimited.delay(0.1).get(timeout=20) == "ended"


def test_a_job_of_a_chord_that_is_killed_at_its_limit_fails_the_chord(
    contract: ModuleType, node: Node
) -> None:
    parts = [contract.limits.endless.si(), contract.tasks.add.s(1, 1)]
    result = chord(parts, contract.tasks.total.s()).delay()
    with pytest.raises(Exception, match="TimeLimitExceeded"):
        result.get(timeout=20)
