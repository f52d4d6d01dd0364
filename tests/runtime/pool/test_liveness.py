"""What lives is not taken for dead, whatever its job does."""

from __future__ import annotations

from types import ModuleType

from pool_node import Records, StartNode


def test_a_job_that_keeps_the_interpreter_runs_once(
    pool_jobs: ModuleType, records: Records, start_node: StartNode
) -> None:
    """It keeps its process from beating, for longer than the TTL and the pause of a reaper."""
    node = start_node("-c", "2", children=2)  # the other child is the reaper
    before = set(node.children())
    assert pool_jobs.Keeps.perform_async(8).get(timeout=30) == "kept"
    assert records("started") == ["keeps"]
    assert set(node.children()) == before
    assert "no heartbeat" not in node.log
