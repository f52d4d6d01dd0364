"""A smoke test for the pools in which not everything else is run."""

from __future__ import annotations

import signal
from types import ModuleType
from typing import Any

import pytest
from celery import chord
from fleet import gevent_or_skip
from redis import Redis
from waiting import until

from flaskiq.store.store import Store


@pytest.mark.parametrize("pool", ["solo", "gevent"])
def test_smoke(sample: ModuleType, store: Redis, start_worker: Any, jobs: Store, pool: str) -> None:
    if pool == "gevent":
        gevent_or_skip()
    worker = start_worker("--concurrency=20")
    bulk = sample.Add.perform_bulk([(n, 1) for n in range(20)])
    assert [each.get(timeout=40) for each in bulk] == list(range(1, 21))
    assert sample.Fails.perform_async(3).get(timeout=20) == 3
    assert sample.Add.perform_in(0.5, 1, 2).get(timeout=20) == 3
    assert chord([sample.Add.s(1, 1), sample.Add.s(2, 2)])(sample.total.s()).get(timeout=20) == 6
    later = sample.Add.perform_in(3600, 1, 1)
    answers = sample.celery_app.control.inspect(timeout=5).scheduled()
    assert [job["request"]["id"] for job in answers["worker1@test"]] == [later.id]
    until(lambda: not any(map(jobs.processes.inflight, jobs.processes.live())), "acknowledged")

    sample.Sleeps.perform_async("last", 1)
    until(lambda: store.llen("record:started"), "it runs")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert store.lrange("record:ended", 0, -1) == ["last"]
    assert jobs.processes.live() == set()
    assert "ERROR" not in worker.output.replace("LookupError", "")
