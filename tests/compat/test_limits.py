"""Time limits in the prefork pool, rate limits in both."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import TimeLimitExceeded
from flask import Flask
from redis import Redis
from waiting import until

from flaskiq import Flaskiq
from flaskiq.store.store import Store


@pytest.mark.parametrize("pool", ["prefork"])
def test_the_hard_limit_ends_a_job_for_good(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    worker = keep_worker()
    result = sample.endless.delay("endless")
    with pytest.raises(TimeLimitExceeded):
        result.get(timeout=30)
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")
    assert store.lrange("record:started", 0, -1) == ["endless"]
    assert worker.is_running


@pytest.mark.parametrize("pool", ["prefork"])
def test_the_soft_limit_lets_a_job_clean_up(
    sample: ModuleType, store: Redis, keep_worker: Any
) -> None:
    keep_worker()
    with pytest.raises(Exception, match="SoftTimeLimitExceeded"):
        sample.SoftLimited.perform_async().get(timeout=30)
    assert store.lrange("record:cleaned up", 0, -1) == ["1"]
    assert store.lrange("record:attempts", 0, -1) == ["1"]


def test_a_rate_limit_is_kept_and_no_job_gets_lost(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    for n in range(5):
        sample.limited.delay(f"job {n}")
    start_worker("--concurrency=4")
    until(lambda: store.llen("record:limited") == 5, "all have run")
    ran = sorted(map(float, store.lrange("record:limited", 0, -1)))
    assert ran[-1] - ran[0] > 1.4
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")


def test_a_plain_task_may_have_one_limit_of_its_own(redis_url: str) -> None:
    """The app's default of the other would contradict it, and Celery would not send it."""
    existing = Celery("existing", broker=redis_url, set_as_current=False)

    def nothing() -> None: ...

    short = existing.task(name="short", time_limit=60)(nothing)
    soft = existing.task(name="soft", soft_time_limit=7200)(nothing)
    both = existing.task(name="both", soft_time_limit=5, time_limit=9)(nothing)
    Flaskiq(Flask("adopts"), celery=existing)
    existing.finalize()
    assert (short.soft_time_limit, short.time_limit) == (50, 60)
    assert (soft.soft_time_limit, soft.time_limit) == (7200, 8640)
    assert (both.soft_time_limit, both.time_limit) == (5, 9)
    assert short.delay().id
    assert soft.delay().id
