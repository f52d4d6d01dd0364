"""New code, and new children, while jobs go on."""

from __future__ import annotations

import json
import signal
from typing import NamedTuple

import pytest
from pool_node import Node, Records, StartNode
from processes import Project
from redis import Redis
from renewed_app import BROKEN, SOURCE, STREAM
from waiting import until


class Told(NamedTuple):
    """What a job has written: its number, the version of its code, its process, and when."""

    number: int
    version: int
    pid: int
    at: float


class Stream:
    """A program that enqueues numbered jobs, and what these tell."""

    def __init__(self, project: Project, records: Records, store: Redis, rate: int) -> None:
        self._records, self._redis = records, store
        self._program = project.start("python", "stream.py", str(rate))

    @property
    def told(self) -> list[Told]:
        """What the jobs have told so far, in order."""
        return [Told(*json.loads(line)) for line in self._records("told")]

    def flow(self, jobs: int) -> None:
        """Wait until so many more have run."""
        self._records.wait_for_count("told", self._records.count("told") + jobs)

    def end(self) -> list[Told]:
        """Enqueue no more, and return what all have told."""
        self._redis.set("record:enough", 1)
        assert self._program.wait() == 0, self._program.output
        sent = int(self._redis.get("record:sent"))
        self._records.wait_for_count("told", sent)
        assert sorted(each.number for each in self.told) == list(range(sent)), "each ran once"
        return self.told


@pytest.fixture
def renewed(project: Project) -> Project:
    """A folder with the application in its first version, and the program of the stream."""
    project.write("renewed.py", SOURCE.format(version=1))
    project.write("stream.py", STREAM)
    return project


def start(
    start_node: StartNode, project: Project, *options: str, children: int = 2, **env: str
) -> Node:
    return start_node(
        *(options or ("-c", "2")),
        children=children,
        app="renewed:celery_app",
        PYTHONPATH=str(project.folder),
        **env,
    )


def renew(node: Node, earlier: set[int]) -> set[int]:
    """Renew by the signal; return the new children once the old ones have gone."""
    node.send(signal.SIGHUP)
    later = node.wait_for_others(than=earlier, count=2)
    node.wait_until_gone(earlier)
    return later


def test_new_code_takes_over_without_a_gap(
    renewed: Project, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start(start_node, renewed)
    stream = Stream(renewed, records, store, rate=100)
    stream.flow(20)
    earlier = node.pids()
    renewed.write("renewed.py", SOURCE.format(version=2))
    later = renew(node, earlier)
    stream.flow(20)
    told = stream.end()
    assert {each.version for each in told if each.pid in earlier} == {1}
    assert {each.version for each in told if each.pid in later} == {2}
    assert {each.pid for each in told} == earlier | later
    until(lambda: not node.in_flight(), "all acknowledged")
    until(lambda: len(node.templates) == 1, "the old template has ended")
    node.stop()


def test_code_that_cannot_be_imported_leaves_the_old_one_running(
    renewed: Project, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start(start_node, renewed)
    earlier = node.pids()
    stream = Stream(renewed, records, store, rate=50)
    stream.flow(10)
    renewed.write("renewed.py", BROKEN)
    node.send(signal.SIGHUP)
    node.process.wait_for("the old code goes on")
    assert "RuntimeError: no such code" in node.log
    stream.flow(10)
    assert node.pids() == earlier
    assert {each.version for each in stream.told} == {1}
    # The old code can still be forked.
    gone = min(earlier)
    node.kill(gone)
    replaced = node.wait_for_others(than={gone}, count=2)
    stream.flow(10)

    renewed.write("renewed.py", SOURCE.format(version=3))
    renew(node, replaced)
    stream.flow(10)
    assert stream.told[-1].version == 3
    store.set("record:enough", 1)


def version_told(records: Records, node: Node) -> int:
    """The version that runs a new job."""
    before = records.count("told")
    node.celery.send_task("renewed.Tell", (0,), queue="default")
    records.wait_for_count("told", before + 1)
    return Told(*json.loads(records("told")[-1])).version


def wait_for_version(version: int, records: Records, node: Node) -> None:
    """Wait until a version runs new jobs: it does from when one of its children is ready."""
    until(lambda: version_told(records, node) == version, f"version {version}")


def test_a_job_that_runs_ends_in_its_old_process(
    renewed: Project, records: Records, start_node: StartNode
) -> None:
    node = start(start_node, renewed, "-c", "1", children=1)
    long = node.celery.send_task("renewed.Hold", ("long",), queue="default")
    records.wait_for("started", "long")
    earlier = node.pids()
    renewed.write("renewed.py", SOURCE.format(version=2))
    node.send(signal.SIGHUP)
    node.wait_for_children(2)
    assert node.pids() > earlier
    records.let_go("long")
    assert long.get(timeout=20) == 1, "the version that it began with"
    wait_for_version(2, records, node)
    node.wait_for_others(than=earlier, count=1)
    node.wait_until_gone(earlier)
    assert records("started") == ["long"]


def test_behind_long_jobs_new_code_is_ready(
    renewed: Project, records: Records, start_node: StartNode
) -> None:
    node = start(start_node, renewed)
    send = node.celery.send_task
    long = [send("renewed.Hold", (name,), queue="default") for name in ("one", "two")]
    records.wait_for("started", "one", "two")
    earlier = node.pids()
    renewed.write("renewed.py", SOURCE.format(version=2))
    node.send(signal.SIGHUP)
    node.wait_for_children(4, timeout=5)
    records.let_go("one")
    wait_for_version(2, records, node)
    records.let_go("two")
    assert [each.get(timeout=20) for each in long] == [1, 1]
    node.wait_until_gone(earlier)
    node.wait_for_children(2)


def test_pool_restart_renews_too(
    renewed: Project, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start(start_node, renewed)
    stream = Stream(renewed, records, store, rate=50)
    stream.flow(10)
    earlier = node.pids()
    renewed.write("renewed.py", SOURCE.format(version=2))
    assert node.command("pool_restart") == {"ok": "reload started"}
    node.wait_for_others(than=earlier, count=2)
    node.wait_until_gone(earlier)
    stream.flow(10)
    assert stream.end()[-1].version == 2
    node.stop()


@pytest.mark.slow
def test_at_500_jobs_a_second_there_is_no_gap(
    renewed: Project, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start(start_node, renewed)
    stream = Stream(renewed, records, store, rate=500)
    stream.flow(500)
    for version in (2, 3):
        renewed.write("renewed.py", SOURCE.format(version=version))
        renew(node, node.pids())
        stream.flow(500)
    moments = sorted(each.at for each in stream.end())
    gaps = [moments[n] - moments[n - 1] for n in range(1, len(moments))]
    assert max(gaps) < 1, sorted(gaps)[-5:]
