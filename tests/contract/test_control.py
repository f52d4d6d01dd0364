"""What the worker does when it is told to over the remote control."""

from __future__ import annotations

import time
from types import ModuleType
from uuid import uuid4

import pytest
from celery.exceptions import TaskRevokedError
from contract_node import SLOTS, Gate, Node, Records
from redis import Redis
from waiting import until


def test_a_waiting_job_is_revoked(contract: ModuleType, node: Node, records: Records) -> None:
    with node.full():
        revoked, other = contract.tasks.ran.delay(), contract.tasks.ran.delay()
        node.revoke(revoked)
    with pytest.raises(TaskRevokedError):
        revoked.get(timeout=20)
    other.get(timeout=20)
    assert (revoked.state, other.state) == ("REVOKED", "SUCCESS")
    records.wait_until_gone(revoked.id)
    assert (records.notes(revoked.id), records.notes(other.id)) == ([], [[]])


def test_a_running_job_is_terminated(
    contract: ModuleType, node: Node, records: Records, store: Redis
) -> None:
    gate = node.hold()
    by_term, by_kill = gate.held
    by_term.revoke(terminate=True)
    contract.celery_app.control.terminate(by_kill.id, signal="SIGKILL")
    for each in gate.held:
        with pytest.raises(TaskRevokedError):
            each.get(timeout=20)
        assert each.state == "REVOKED"
        records.wait_until_gone(each.id)
    with node.full():  # both slots work
        pass
    gate.open(SLOTS)
    assert store.llen(f"gate:{gate.name}") == SLOTS, "somebody waits there still"
    assert [records.notes(each.id) for each in gate.held] == [["started"]] * SLOTS


def test_a_running_job_is_only_revoked_and_goes_on(
    contract: ModuleType, node: Node, records: Records, store: Redis
) -> None:
    gate = Gate(store)
    result = contract.tasks.hold.delay(gate.name)
    until(lambda: records.notes(result.id) == ["started"], "it runs")
    until(lambda: result.id in node.active(), "it is known to run")
    node.revoke(result)
    gate.open(1)
    assert result.get(timeout=20) == "opened"
    assert records.notes(result.id) == ["started", "ended"]


def test_stamped_jobs_are_revoked(contract: ModuleType, node: Node, records: Records) -> None:
    order = uuid4().hex
    with node.full():
        results = []
        for stamp in (order, "another"):
            job = contract.tasks.ran.si()
            job.stamp(order=stamp)
            results.append(job.delay())
        revoke = contract.celery_app.control.revoke_by_stamped_headers
        assert revoke({"order": [order]}, destination=[node.name], reply=True, timeout=10)
    revoked, other = results
    with pytest.raises(TaskRevokedError):
        revoked.get(timeout=20)
    other.get(timeout=20)
    assert (records.notes(revoked.id), records.notes(other.id)) == ([], [[]])


def test_a_running_stamped_job_is_terminated(
    contract: ModuleType, node: Node, records: Records
) -> None:
    order = uuid4().hex
    job = contract.tasks.hold.si("nobody opens it")
    job.stamp(order=order)
    result = job.delay()
    until(lambda: result.id in node.active() and records.notes(result.id), "it runs")
    answer = node.command("revoke_by_stamped_headers", headers={"order": [order]}, terminate=True)
    assert order in answer["ok"]
    with pytest.raises(TaskRevokedError):
        result.get(timeout=20)
    assert records.notes(result.id) == ["started"]


def test_a_job_expires(contract: ModuleType, node: Node, records: Records) -> None:
    with node.full():
        expires = contract.tasks.ran.apply_async(expires=0.5)
        lasts = contract.tasks.ran.apply_async(expires=60)
        at = time.time() + 0.6
        until(lambda: time.time() > at, "it has expired")
    with pytest.raises(TaskRevokedError, match="expired"):
        expires.get(timeout=20)
    lasts.get(timeout=20)
    assert (expires.state, lasts.state) == ("REVOKED", "SUCCESS")
    assert (records.notes(expires.id), records.notes(lasts.id)) == ([], [[]])
    (signal,) = (each for each in records.signals(expires.id) if each["signal"] == "task_revoked")
    assert signal["expired"] is True


def test_time_limits_are_set(contract: ModuleType, node: Node) -> None:
    """As far as Celery does it: what it has prepared to run the task keeps the limits of before."""
    name = "contract_app.tasks.limited_by_command"

    def shown() -> str:
        registered = node.inspect("registered", "soft_time_limit", "time_limit")
        return next(each for each in registered if each.startswith(name))

    assert shown() == f"{name} [soft_time_limit=20 time_limit=30]"
    assert node.command("time_limit", task_name="nobody's", hard=1) == {"error": "unknown task"}
    answer = node.command("time_limit", task_name=name, soft=1.5, hard=2.5)
    assert answer == {"ok": "time limits set successfully"}
    assert shown() == f"{name} [soft_time_limit=1.5 time_limit=2.5]"
    node.command("time_limit", task_name=name, soft=20, hard=30)
    assert contract.tasks.limited_by_command.delay().get(timeout=20) == "ended"


def spread(records: Records, key: str, jobs: int) -> float:
    """Return the seconds from the first to the last of so many jobs."""
    until(lambda: len(records.notes(key)) == jobs, "all have run")
    at = sorted(records.notes(key))
    return float(at[-1] - at[0])


def test_a_rate_limit_is_kept(contract: ModuleType, node: Node, records: Records) -> None:
    key = uuid4().hex
    for _ in range(4):
        contract.tasks.rate_limited.delay(key)
    # Celery's bucket lets some through at once, the rest at four in a second.
    assert 0.6 < spread(records, key, 4) < 10


def test_a_rate_limit_is_set(contract: ModuleType, node: Node, records: Records) -> None:
    name = "contract_app.tasks.rate_limited_by_command"
    task = contract.tasks.rate_limited_by_command
    answer = node.command("rate_limit", task_name=name, rate_limit="2/s")
    assert answer == {"ok": "new rate limit set successfully"}
    key = uuid4().hex
    for _ in range(4):
        task.delay(key)
    assert 1.4 < spread(records, key, 4) < 10
    answer = node.command("rate_limit", task_name=name, rate_limit="0")
    assert "ok" in answer
    for _ in range(4):
        task.delay(f"{key} unlimited")
    assert spread(records, f"{key} unlimited", 4) < 1.4
    assert "error" in node.command("rate_limit", task_name=name, rate_limit="often")


def test_the_pool_grows_and_shrinks(contract: ModuleType, node: Node) -> None:
    assert node.command("pool_grow", n=1) == {"ok": "pool will grow"}
    try:
        until(lambda: len(node.processes()) == SLOTS + 1, "there is one more")
        with node.full(SLOTS + 1):
            running = node.active().values()
            assert len({each["worker_pid"] for each in running}) == SLOTS + 1
    finally:
        # A pool may refuse as long as all its processes are busy, or seem so.
        shrinks = {"ok": "pool will shrink"}
        until(lambda: node.command("pool_shrink", n=1) == shrinks, "it shrinks")
    until(lambda: len(node.processes()) == SLOTS, "it is as it was")
    with node.full():
        waiting = contract.tasks.add.delay(1, 2)
    assert waiting.get(timeout=20) == 3


def test_a_queue_is_consumed_and_no_more(contract: ModuleType, node: Node, store: Redis) -> None:
    queue, add = f"extra-{uuid4().hex}", contract.tasks.add
    before = add.apply_async((1, 2), queue=queue)
    assert add.delay(1, 2).get(timeout=20) == 3
    assert before.state == "PENDING"
    assert node.command("add_consumer", queue=queue) == {"ok": f"add consumer {queue}"}
    assert before.get(timeout=20) == 3
    assert queue in queues(node)
    assert node.command("cancel_consumer", queue=queue) == {
        "ok": f"no longer consuming from {queue}"
    }
    until(lambda: queue not in queues(node), "it is consumed no more")
    after = add.apply_async((3, 4), queue=queue)
    assert add.delay(1, 2).get(timeout=20) == 3
    assert (after.state, store.llen(queue)) == ("PENDING", 1)
    store.delete(queue)


def queues(node: Node) -> set[str]:
    return {queue["name"] for queue in node.inspect("active_queues")}


def test_the_pool_is_not_restarted_unless_it_may(node: Node) -> None:
    before = node.processes()
    assert "error" in node.command("pool_restart")
    assert node.processes() == before
