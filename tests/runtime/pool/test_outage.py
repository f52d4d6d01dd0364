"""The parent goes on while Redis is away: limits, and children that die."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from pool_node import LIB, Node, Records, is_running, start_in
from processes import Project
from servers import Server
from waiting import until

from flaskiq.store.store import Store


@pytest.fixture
def project(durable: Server, tmp_path: Path) -> Iterator[Project]:
    """A folder whose programs use that server, which writes everything down at once."""
    durable.client().config_set("appendfsync", "always")
    env = {"CELERY_BROKER_URL": durable.url, "CELERY_RESULT_BACKEND": durable.url}
    project = Project(tmp_path, {**env, "PYTHONPATH": LIB})
    yield project
    project.end()


@pytest.fixture
def jobs(durable: Server) -> Store:
    """The structures of Flaskiq in that server."""
    return Store(redis.Redis.from_url(durable.url))


def start(project: Project, jobs: Store, *options: str, children: int) -> Node:
    """Start a node, which ends with the test."""
    process = start_in(project, "pool_jobs:celery_app", *options)
    return Node(process, Celery(set_as_current=False), jobs).wait_for_children(children)


def enqueue(project: Project, *calls: str) -> list[str]:
    """Enqueue jobs, and return their ids."""
    ids = ", ".join(f"{call}.id" for call in calls)
    code = (
        f"import json\nfrom pool_jobs import *\nwith app.app_context(): print(json.dumps([{ids}]))"
    )
    return list(json.loads(project.python(code)))


def meta(durable: Server, job_id: str) -> dict[str, Any]:
    """What is known of the result of a job."""
    with durable.client() as client:
        return json.loads(client.get(f"celery-task-meta-{job_id}") or "{}")


def test_limits_and_the_death_of_children_are_settled_when_redis_is_back(
    durable: Server, project: Project, jobs: Store
) -> None:
    node = start(project, jobs, "-c", "2", children=2)
    over, long = enqueue(
        project,
        "OverrunsLater.perform_async('over')",
        "Sleeps.perform_async('long', 1.5)",
    )
    with durable.client() as client:
        records = Records(client)
        records.wait_for_count("overrun by", 1)
        records.wait_for_count("slept", 1)
        overrunning = int(records("overrun by")[0])
        sleeping = json.loads(records("slept")[0])[1]
    durable.kill()
    assert is_running(overrunning)
    node.kill(sleeping)
    node.wait_until_gone({overrunning, sleeping})
    durable.start()

    until(lambda: meta(durable, over).get("status") == "FAILURE", f"it has failed\n{node.log}")
    assert meta(durable, over)["result"]["exc_type"] == "TimeLimitExceeded"
    until(lambda: meta(durable, long).get("status") == "SUCCESS", f"it ran again\n{node.log}")
    node.wait_for_others(than={overrunning, sleeping}, count=2)
    (dead,) = jobs.dead
    assert dead.id == over
    with durable.client() as client:
        assert Records(client)("started") == ["over"], "it did not run again"
        until(lambda: not client.keys("flaskiq:inflight:*"), "all acknowledged")
    (after,) = enqueue(project, "Echo.perform_async('after')")
    until(lambda: meta(durable, after).get("result") == "after", "new jobs run")


@pytest.mark.slow
def test_what_ends_during_an_outage_is_told_after_it(
    durable: Server, project: Project, jobs: Store
) -> None:
    node = start(project, jobs, "--processes=1", "--threads=2", children=1)
    ids = enqueue(project, "Sleeps.perform_async('one', 1)", "Sleeps.perform_async('two', 1.5)")
    with durable.client() as client:
        Records(client).wait_for_count("slept", 2)
    durable.kill()
    ends_at = time.monotonic() + 2
    until(lambda: time.monotonic() > ends_at, "both have ended")
    durable.start()
    until(lambda: [meta(durable, each).get("status") for each in ids] == ["SUCCESS"] * 2, "told")
    with durable.client() as client:
        assert Records(client).count("slept") == 2, "neither ran again"
        until(lambda: not client.keys("flaskiq:inflight:*"), "all acknowledged")
    node.stop()


def test_limits_act_while_redis_says_nothing(
    durable: Server, project: Project, jobs: Store
) -> None:
    """As a host does that has lost its network: no connection ends, and none is refused."""
    node = start(project, jobs, "-c", "1", children=1)
    (over,) = enqueue(project, "OverrunsLater.perform_async('over')")
    with durable.client() as client:
        Records(client).wait_for_count("overrun by", 1)
    pids = node.pids()
    durable.freeze()
    try:
        assert all(map(is_running, pids)), "the limit is three seconds"
        until(lambda: not any(map(is_running, pids)), "its process is ended", timeout=10)
    finally:
        durable.thaw()
    until(lambda: meta(durable, over).get("status") == "FAILURE", f"it has failed\n{node.log}")
    node.wait_for_others(than=pids, count=1)
