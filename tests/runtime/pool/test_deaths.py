"""The death of the parent, of the template and of a child."""

from __future__ import annotations

import os
import signal
from types import ModuleType

import psutil
from messages import queued
from pool_node import AHEAD, Records, StartNode, is_running
from redis import Redis
from waiting import until

from flaskiq.message import DEATHS_HEADER
from flaskiq.store.store import Store


def test_without_the_parent_children_end_what_runs_and_leave(
    pool_jobs: ModuleType, records: Records, store: Redis, jobs: Store, start_node: StartNode
) -> None:
    node = start_node("-c", "1", children=1, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    node.learn_to_fetch_ahead(pool_jobs)
    first = pool_jobs.Hold.set(queue="critical").perform_async("first")
    records.wait_for("started", "first")
    names = ["running", "two", "three", "four"]
    running, *_ = pool_jobs.Hold.perform_bulk([(name,) for name in names])
    records.let_go("first")
    until(lambda: node.in_flight() == names, "it was fetched with three more")
    records.wait_for("started", "running")

    pids = node.pids()
    os.kill(node.process.pid, signal.SIGKILL)
    assert node.process.wait() == -signal.SIGKILL
    until(lambda: [each.args[0] for each in queued(store)] == names[1:], "the rest is back")
    assert all(DEATHS_HEADER not in each.headers for each in queued(store))
    assert "is gone" in node.log
    assert all(map(is_running, pids)), "the job runs on"
    pool_jobs.Hold.set(queue="critical").perform_async("not taken")
    records.let_go("running", "not taken")
    assert running.get(timeout=20) == "running"
    assert first.get(timeout=20) == "first"
    node.wait_until_gone(pids)
    assert not store.keys("flaskiq:inflight:*"), "all is acknowledged"
    assert jobs.processes.live() == set()
    assert records("started") == ["first", "running"]
    assert store.llen("default") == 3
    assert store.llen("critical") == 1


def test_without_the_parent_the_template_ends_too_and_nobody_is_left(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("--processes=2", "--threads=2", children=2)
    both = pool_jobs.Hold.perform_bulk([("one",), ("two",)])
    records.wait_for("started", "one", "two")
    below = {each.pid for each in psutil.Process(node.process.pid).children(recursive=True)}
    assert len(below) == 3
    os.kill(node.process.pid, signal.SIGKILL)
    records.let_go("one", "two")
    assert [each.get(timeout=20) for each in both] == ["one", "two"]
    node.wait_until_gone(below)


def test_without_the_template_jobs_go_on_and_there_is_soon_another(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "2", children=2)
    both = pool_jobs.Hold.perform_bulk([("one",), ("two",)])
    records.wait_for("started", "one", "two")
    earlier, (template,) = node.pids(), node.templates
    os.kill(template, signal.SIGKILL)
    node.process.wait_for("The template has ended")
    until(lambda: node.templates - {template}, "another one")
    records.let_go("one", "two")
    assert [each.get(timeout=20) for each in both] == ["one", "two"]
    assert records("started") in (["one", "two"], ["two", "one"]), "nothing ran again"
    # They belong to the template that has gone, and change over to the new one.
    node.wait_for_others(than=earlier, count=2)
    node.wait_until_gone({template, *earlier})

    killed = min(node.pids())
    os.kill(killed, signal.SIGKILL)
    node.wait_for_others(than={killed}, count=2)
    where = [pool_jobs.Where.perform_async() for _ in range(20)]
    assert {each.get(timeout=20) for each in where} <= node.pids()


def test_a_child_that_dies_with_the_template_is_replaced_and_its_job_counted(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "1", children=1)
    result = pool_jobs.Hold.perform_async("job")
    records.wait_for("started", "job")
    (_, pid), (template,) = node.child(), node.templates
    os.kill(template, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    until(lambda: records("started") == ["job", "job"], f"it runs again\n{node.log}")
    (again,) = node.messages_in_flight()
    assert again.headers[DEATHS_HEADER] == 1
    records.let_go("job")
    assert result.get(timeout=20) == "job"
    assert node.pids() != {pid}


def test_of_a_killed_child_only_the_job_that_ran_is_counted(
    pool_jobs: ModuleType, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start_node("-c", "1", children=1, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    node.learn_to_fetch_ahead(pool_jobs)
    pool_jobs.Hold.set(queue="critical").perform_async("first")
    records.wait_for("started", "first")
    pool_jobs.Note.perform_async("finished")
    frozen = pool_jobs.FreezesOnce.perform_async("frozen")
    waits = [
        "waits",
        "waits, too",
        "waits as well",
    ]  # more than half of them: no fetch acknowledges before
    pool_jobs.Note.perform_bulk([(name,) for name in waits])
    records.let_go("first")
    _, pid = node.child()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it froze")
    assert node.in_flight() == ["finished", "frozen", *waits]
    store.sadd("flaskiq:paused", "default")  # for the next child, which asks at its start

    os.kill(pid, signal.SIGKILL)
    until(lambda: store.llen("default") == 4, "four are back")
    node.wait_for_others(than={pid}, count=1)
    waiting = {each.args[0]: each.headers.get(DEATHS_HEADER) for each in queued(store)}
    assert waiting == {**dict.fromkeys(waits), "frozen": 1}
    assert [each for each in waiting if each != "frozen"] == waits
    assert records("noted") == ["finished"]

    store.srem("flaskiq:paused", "default")
    assert frozen.get(timeout=20) == "frozen"
    records.wait_for("noted", *waits)
    assert records("noted") == ["finished", *waits]
    assert records("frozen") == ["frozen", "frozen"]
    until(lambda: not node.in_flight(), "all acknowledged")
    assert "1 finished, 1 ran, and counted, 3 back to the front" in node.log


def test_a_job_that_waited_is_in_front_of_what_came_later(
    pool_jobs: ModuleType, records: Records, store: Redis, start_node: StartNode
) -> None:
    """It is not behind the jobs that lay in the queue when its child died."""
    node = start_node("-c", "1", children=1, CELERY_WORKER_PREFETCH_MULTIPLIER=AHEAD)
    node.learn_to_fetch_ahead(pool_jobs)
    pool_jobs.Hold.set(queue="critical").perform_async("first")
    records.wait_for("started", "first")
    pool_jobs.FreezesOnce.perform_async("frozen")
    pool_jobs.Note.perform_async("waits")
    records.let_go("first")
    _, pid = node.child()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it froze")
    assert node.in_flight() == ["frozen", "waits"]
    pool_jobs.Note.perform_bulk([(f"later {number}",) for number in range(5)])
    os.kill(pid, signal.SIGKILL)
    records.wait_for_count("noted", 6)
    assert records("noted")[0] == "waits"
