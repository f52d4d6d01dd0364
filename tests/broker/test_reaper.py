"""The reaper meets what nobody can settle, and goes on."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from addresses import ADDRESSES
from fetching import fetch_from
from messages import queued
from proxy import Proxy
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.message import DEATHS_HEADER
from flaskiq.store.place import Placed
from flaskiq.store.prepared_fetch import Source
from flaskiq.store.store import Store


def leave_in_flight(jobs: Store, process: str, *messages: bytes) -> None:
    """Leave jobs in flight in a process that has died."""
    for seq, message in enumerate(messages):
        value = Placed("default", "default", message).pack()
        jobs.client.hset(jobs.keys.inflight(process), str(seq), value)
    jobs.processes.deregister(process)


@pytest.mark.parametrize("pool", ["solo"])
def test_a_job_whose_failure_cannot_be_recorded_does_not_end_the_reaping(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    start_worker("--queues=critical")
    headers = {"id": "poisoned", "task": "sample.Add", DEATHS_HEADER: 2}
    body = {"headers": headers, "properties": {}, "body": "this is no JSON"}
    leave_in_flight(jobs, "first", json.dumps(body).encode())
    until(lambda: jobs.dead.find("poisoned"), "it is buried")

    sample.Sleeps.perform_async("later", 0)
    leave_in_flight(jobs, "second", store.rpop("default").encode())
    until(lambda: [message.args[0] for message in queued(store)] == ["later"], "it is back")
    assert not any(jobs.processes.inflight(process) for process in ("first", "second"))


@pytest.mark.parametrize("pool", ["solo"])
def test_a_dead_job_that_redis_cannot_be_told_of_is_told_later(
    sample: ModuleType, store: Redis, start_worker: Any, server: Server, jobs: Store
) -> None:
    proxy = Proxy(server.port, mark=b'"status": "FAILURE"')
    worker = start_worker("--queues=critical", **dict.fromkeys(ADDRESSES, proxy.url))
    sample.Kills.perform_async()
    message = json.loads(store.rpop("default"))
    message["headers"][DEATHS_HEADER] = 2
    leave_in_flight(jobs, "dead", json.dumps(message).encode())
    worker.wait_for("What waits for Redis: to tell of the death")
    assert not store.exists("record:exhausted")
    proxy.mark = None
    until(lambda: store.llen("record:exhausted") == 1, "its Worker has heard of it")
    proxy.close()


@pytest.mark.parametrize("pool", ["solo"])
def test_a_fetch_that_comes_late_loses_no_job(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    """Its process was settled long ago, as far as reapers know."""
    start_worker("--queues=critical")
    leave_in_flight(jobs, "late")
    until(lambda: "late" in jobs.processes.lost(), "it is lost")
    sample.Sleeps.perform_async("taken", 0)
    jobs.processes.load_fetch()
    fetch_from(jobs, "late", [Source("default", "default", 1)], credit=1, seq=7)
    assert jobs.processes.inflight("late")
    until(lambda: [message.args[0] for message in queued(store)] == ["taken"], "it is back")
