"""The number of children goes by how long jobs wait."""

from __future__ import annotations

import time
from types import ModuleType

from pool_node import Records, StartNode
from waiting import until

KEEPALIVE = 2.0
"""Seconds after which a node may shrink again."""


def test_a_node_grows_while_jobs_wait_and_shrinks_later(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("--autoscale", "4,1", children=1, AUTOSCALE_KEEPALIVE=str(KEEPALIVE))
    (first,) = node.pids()
    names = [f"job {number}" for number in range(6)]
    results = pool_jobs.Hold.perform_bulk([(name,) for name in names])
    records.wait_for_count("started", 4)
    grown_at = time.monotonic()
    node.wait_for_children(4)
    stats = node.inspect("stats")
    assert sorted(stats["pool"]["processes"]) == sorted(node.pids())
    assert stats["pool"]["max-concurrency"] == 4
    assert (stats["autoscaler"]["min"], stats["autoscaler"]["max"]) == (1, 4)
    assert stats["autoscaler"]["current"] == 4
    assert first in node.pids()

    records.let_go(*names)
    assert [each.get(timeout=20) for each in results] == names
    node.wait_for_children(1)
    assert time.monotonic() - grown_at > KEEPALIVE - 0.5
    assert sorted(records("started")) == sorted(names), "each ran once"
    until(lambda: node.inspect("stats")["autoscaler"]["current"] == 1, "stats tell")
    assert pool_jobs.Echo.perform_async("after").get(timeout=20) == "after"
    node.stop()


def test_a_node_of_threads_grows_by_processes(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    node = start_node("--autoscale", "2,1", "--threads=2", children=1)
    names = [f"job {number}" for number in range(4)]
    results = pool_jobs.Hold.perform_bulk([(name,) for name in names])
    records.wait_for("started", *names)
    assert len(node.pids()) == 2
    assert node.inspect("stats")["pool"]["max-concurrency"] == 4
    records.let_go(*names)
    assert [each.get(timeout=20) for each in results] == names
    assert len(node.pids()) == 2, "the usual cool-down is half a minute"
    node.stop()
