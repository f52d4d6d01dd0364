"""How a node ends, and what it leaves behind; and what else its signals do."""

from __future__ import annotations

import os
import re
import signal
import time
from types import ModuleType

import pytest
from messages import queued
from pool_node import AHEAD, Node, Records, StartNode
from redis import Redis
from waiting import until

from flaskiq.message import DEATHS_HEADER
from flaskiq.store.store import Store

NAMES = ["running", "two", "three", "four"]


@pytest.fixture
def busy(pool_jobs: ModuleType, records: Records, start_node: StartNode) -> Node:
    """A node whose only child holds the job "running" and has three more in hand."""
    settings = {"CELERY_WORKER_PREFETCH_MULTIPLIER": AHEAD, "FLASKIQ_SHUTDOWN_TIMEOUT": "60"}
    return busy_node(pool_jobs, records, start_node, **settings)


def busy_node(pool_jobs: ModuleType, records: Records, start_node: StartNode, **env: str) -> Node:
    node = start_node("-c", "1", children=1, **env)
    node.learn_to_fetch_ahead(pool_jobs)
    pool_jobs.Hold.set(queue="critical").perform_async("first")
    records.wait_for("started", "first")
    pool_jobs.Hold.perform_bulk([(name,) for name in NAMES])
    records.let_go("first")
    records.wait_for("started", "running")
    return node


def waiting(store: Redis) -> list[str]:
    """The jobs of the queue, the next one to run first."""
    return [each.args[0] for each in queued(store)]


def uncounted(store: Redis) -> bool:
    return all(DEATHS_HEADER not in each.headers for each in queued(store))


def test_term_ends_what_runs_and_pushes_back_the_rest(
    records: Records, store: Redis, jobs: Store, busy: Node
) -> None:
    busy.send(signal.SIGTERM)
    until(lambda: waiting(store) == NAMES[1:], "the rest is back, in order")
    assert uncounted(store)
    assert busy.process.is_running
    records.let_go("running")
    assert busy.process.wait() == 0, busy.log
    assert records("ended") == ["first", "running"]
    assert waiting(store) == NAMES[1:]
    assert not store.keys("flaskiq:inflight:*")
    assert jobs.processes.live() == set()


def test_term_pushes_back_in_time_what_does_not_end(
    pool_jobs: ModuleType, records: Records, store: Redis, jobs: Store, start_node: StartNode
) -> None:
    node = busy_node(pool_jobs, records, start_node, FLASKIQ_SHUTDOWN_TIMEOUT="1")
    pids = node.pids()
    began = time.monotonic()
    node.send(signal.SIGTERM)
    assert node.process.wait() == 0, node.log
    assert waiting(store) == NAMES, "before it ended"
    assert time.monotonic() - began > 1
    assert uncounted(store)
    assert not store.keys("flaskiq:inflight:*")
    assert jobs.processes.live() == set()
    node.wait_until_gone(pids)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_two_orders_to_stop_at_once_are_one(
    pool_jobs: ModuleType,
    records: Records,
    store: Redis,
    start_node: StartNode,
    number: int,
    code: int,
) -> None:
    node = start_node("-c", "2", children=2)
    both = pool_jobs.Hold.perform_bulk([("one",), ("two",)])
    records.wait_for("started", "one", "two")
    ends_at = time.monotonic() + 1.5
    node.send(number)
    node.process.wait_for("Warm shutdown")
    node.send(number)
    until(lambda: time.monotonic() > ends_at, "the jobs have their time")
    assert node.process.is_running
    records.let_go("one", "two")
    assert node.process.wait() == code, node.log
    assert sorted(each.get(timeout=10) for each in both) == ["one", "two"]
    assert sorted(records("ended")) == ["one", "two"]
    assert store.llen("default") == 0


def test_quit_pushes_back_at_once(records: Records, store: Redis, jobs: Store, busy: Node) -> None:
    pids = busy.pids()
    began = time.monotonic()
    busy.send(signal.SIGQUIT)
    busy.process.wait()
    assert waiting(store) == NAMES
    assert time.monotonic() - began < 10, "it had a minute for its jobs"
    assert uncounted(store)
    assert records("ended") == ["first"]
    assert not store.keys("flaskiq:inflight:*")
    assert jobs.processes.live() == set()
    busy.wait_until_gone(pids)


def test_tstp_lets_what_runs_end_and_fetches_no_more(
    pool_jobs: ModuleType, records: Records, store: Redis, start_node: StartNode
) -> None:
    node = start_node("--processes=2", "--threads=2", children=2)
    running = pool_jobs.Hold.perform_async("running")
    records.wait_for("started", "running")
    node.send(signal.SIGTSTP)
    node.process.wait_for("fetching no more jobs")
    until(lambda: all(int(facts["quiet"]) for facts in node.facts()), "both children tell that")
    pool_jobs.Note.perform_bulk([(number,) for number in range(10)])
    records.let_go("running")
    assert running.get(timeout=20) == "running"
    until(lambda: not node.in_flight(), "it is acknowledged")
    assert store.llen("default") == 10
    assert records("noted") == []
    assert len(node.pids()) == 2
    node.stop()
    assert store.llen("default") == 10


@pytest.fixture
def full(pool_jobs: ModuleType, records: Records, start_node: StartNode) -> Node:
    """A node whose three children run two jobs each."""
    node = start_node("--processes=3", "--threads=2", children=3)
    names = [f"job {each}" for each in range(6)]
    pool_jobs.Hold.perform_bulk([(name,) for name in names])
    records.wait_for("started", *names)
    return node


@pytest.mark.parametrize("number", [signal.SIGTTIN, signal.SIGUSR1])
def test_the_stacks_of_all_processes_are_shown(full: Node, records: Records, number: int) -> None:
    said = len(full.log)
    full.send(number)
    # Each has one: the thread that writes them down.
    until(lambda: full.log[said:].count("Current thread 0x") == 4, f"all tell\n{full.log}")
    until(lambda: full.log[said:].count("pool_jobs.py") == 6, "of each job")
    assert "asynloop" in full.log[said:], "of the parent"
    records.let_go(*(f"job {each}" for each in range(6)))
    records.wait_for_count("ended", 6)
    assert len(full.pids()) == 3


def test_the_stacks_can_be_read(full: Node) -> None:
    heads = r"^(?:Current t|T)hread 0x\w+ .*\(most recent call first\):$"
    of_jobs = r'^  File ".*pool_jobs\.py", line \d+ in perform$'
    for _ in range(20):
        said = len(full.log)
        for pid in full.pids():
            os.kill(pid, signal.SIGSTOP)  # so that they begin at the same moment
        full.send(signal.SIGTTIN)
        until(lambda said=said: "Current thread 0x" in full.log[said:], "the parent tells")
        for pid in full.pids():
            os.kill(pid, signal.SIGCONT)
        # The main thread comes last, and its stack ends with that.
        until(lambda said=said: full.log[said:].count("<module>\n") == 4, "all have told")
        shown = full.log[said:]
        assert len(re.findall(heads, shown, re.MULTILINE)) == shown.count("hread 0x")
        assert len(re.findall(of_jobs, shown, re.MULTILINE)) == 6


@pytest.mark.slow
def test_many_signals_at_once_stop_no_node(pool_jobs: ModuleType, start_node: StartNode) -> None:
    node = start_node("-c", "2", children=2)
    ends_at = time.monotonic() + 1.5
    while time.monotonic() < ends_at:
        node.send(signal.SIGTTIN)
        time.sleep(0.0005)
    assert pool_jobs.Echo.perform_async("after").get(timeout=20) == "after"
    node.send(signal.SIGTERM)
    assert node.process.wait(20) == 0
