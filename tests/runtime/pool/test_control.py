"""One child is told what is meant for it alone."""

from __future__ import annotations

from types import ModuleType

import psutil
import pytest
from command import Command
from pool_node import LIB, Records, StartNode, is_running, pid_of
from processes import Project
from redis import Redis
from waiting import until

from flaskiq import api


@pytest.fixture
def flaskiq(pool_jobs: ModuleType, project: Project) -> Command:
    """The program about the application of these tests."""
    env = project.environ(FLASKIQ_APP="pool_jobs:app", PYTHONPATH=LIB)
    return Command(project.folder, env)


def test_one_child_is_quieted(
    pool_jobs: ModuleType,
    records: Records,
    store: Redis,
    start_node: StartNode,
    flaskiq: Command,
) -> None:
    node = start_node("-c", "2", children=2)
    node.wait_until_it_listens()
    quiet, other = sorted(node.children())
    told = flaskiq.json("processes", "quiet", quiet)
    assert told == {"told": [quiet], "silent": []}
    results = [pool_jobs.Where.perform_async() for _ in range(20)]
    assert {each.get(timeout=20) for each in results} == {pid_of(other)}
    assert set(node.children()) == {quiet, other}, "it stays"

    # Nobody fetches any more, nor is the quiet one replaced.
    flaskiq("processes", "quiet", other)
    pool_jobs.Note.perform_async("not taken")
    until(lambda: all(int(each["quiet"]) for each in node.facts()), "both tell that")
    assert store.llen("default") == 1
    assert set(node.children()) == {quiet, other}
    node.stop()
    assert records("noted") == []


def test_one_child_is_replaced(
    pool_jobs: ModuleType, records: Records, start_node: StartNode, flaskiq: Command
) -> None:
    node = start_node("-c", "2", children=2)
    held = pool_jobs.Hold.perform_bulk([("one",), ("two",)])
    records.wait_for("started", "one", "two")
    node.wait_until_it_listens()
    stopped, other = sorted(node.children())
    assert flaskiq.json("processes", "stop", stopped) == {"told": [stopped], "silent": []}
    node.wait_for_children(3)
    assert is_running(pid_of(stopped)), "it ends its job"
    records.let_go("one", "two")
    assert [each.get(timeout=20) for each in held] == ["one", "two"]
    node.wait_until_gone({pid_of(stopped)})
    assert pool_jobs.Where.perform_async().get(timeout=20) != pid_of(stopped)
    node.wait_for_children(2)
    assert other in node.children()
    assert sorted(records("started")) == ["one", "two"]
    node.stop()


def test_a_pool_that_shrinks_while_a_child_is_replaced_has_as_many_as_are_wanted(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("-c", "2", children=2, POOL_SLOW_START="3")
    node.wait_until_it_listens()
    held = pool_jobs.Hold.perform_async("held")
    records.wait_for("started", "held")
    until(api.running, "it is known where")
    idle = next(each for each in node.children() if each != api.running()[0].process)
    processes = psutil.Process(node.process.pid).children
    order = node.celery.control.broadcast
    order("stop_process", {"process": idle}, [node.name])
    until(lambda: len(processes(recursive=True)) == 4, "another begins, beside the template")
    order("pool_shrink", {"n": 1}, [node.name])
    # The one that was to take over is not wanted any more, and has no time to say a word.
    max(processes(recursive=True), key=psutil.Process.create_time).kill()
    node.wait_until_gone({pid_of(idle)})
    node.wait_for_children(1)
    records.let_go("held")
    assert held.get(timeout=20) == "held"
    node.stop()


def test_a_stranger_is_nobody(start_node: StartNode) -> None:
    node = start_node("-c", "1", children=1)
    assert node.command("quiet_process", process="somebody:1:else") == {}
    assert node.command("stop_process", process="somebody:1:else") == {}
    node.wait_for_children(1)
    assert node.process.is_running
