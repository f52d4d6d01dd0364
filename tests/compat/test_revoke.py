"""``revoke`` of jobs that are ready, in hand, or run."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from redis import Redis
from waiting import until

from flaskiq.store.store import Store


def test_a_ready_job_is_revoked(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    running = sample.Sleeps.perform_async("running", 1)
    until(lambda: store.llen("record:started"), "it runs")
    behind = [sample.Sleeps.perform_async(f"behind {n}", 0) for n in range(3)]
    behind[1].revoke()
    assert [each.get(timeout=20) for each in (running, behind[0], behind[2])] == [
        "running", "behind 0", "behind 2",
    ]  # fmt: skip
    until(lambda: behind[1].status == "REVOKED", "it is revoked")
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")


@pytest.mark.parametrize("pool", ["prefork"])
def test_terminate_ends_a_job_that_runs(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    worker = keep_worker()
    running = sample.Sleeps.perform_async("running", 60)
    until(lambda: store.llen("record:started"), "it runs")
    running.revoke(terminate=True)
    until(lambda: running.status == "REVOKED", "it is revoked")
    assert sample.Sleeps.perform_async("next", 0).get(timeout=20) == "next"
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")
    assert store.lrange("record:started", 0, -1) == ["running", "next"]
    assert store.lrange("record:ended", 0, -1) == ["next"]
    assert len(jobs.dead) == 0
    assert worker.is_running


@pytest.mark.parametrize("pool", ["prefork"])
def test_terminate_by_kill_ends_it_for_good_too(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    running = sample.Sleeps.perform_async("running", 60)
    until(lambda: store.llen("record:started"), "it runs")
    sample.celery_app.control.terminate(running.id, signal="SIGKILL")
    until(lambda: running.status == "REVOKED", "it is revoked")
    assert sample.Sleeps.perform_async("next", 0).get(timeout=20) == "next"
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")
    assert store.lrange("record:started", 0, -1) == ["running", "next"]


@pytest.mark.parametrize("pool", ["threads"])
def test_a_thread_cannot_be_terminated_and_goes_on(
    sample: ModuleType, store: Redis, keep_worker: Any
) -> None:
    worker = keep_worker()
    running = sample.Sleeps.perform_async("running", 2)
    until(lambda: store.llen("record:started"), "it runs")
    running.revoke(terminate=True)
    assert sample.Sleeps.perform_async("next", 0).get(timeout=20) == "next"
    assert store.lrange("record:ended", 0, -1) == ["running", "next"]
    assert worker.is_running
