"""What would disturb others, or needs other settings than the shared worker has."""

from __future__ import annotations

from types import ModuleType

import pytest
from contract_node import SLOTS, Ears, Node, Records, StartNode
from redis import Redis
from waiting import until


@pytest.fixture(scope="module")
def own(start_node: StartNode, pool: str) -> Node:
    """A worker that prefetches, and sends no events of its jobs until it is told to."""
    return start_node(
        f"{pool}@own",
        worker_disable_prefetch=False,
        worker_prefetch_multiplier=2,
        worker_pool_restarts=True,
    )


def test_what_is_prefetched_is_reserved(contract: ModuleType, own: Node, pool: str) -> None:
    if pool == "flaskiq":
        pytest.skip("it holds jobs only where they are short, and then not for long enough to look")
    with own.full() as gate:
        waiting = [contract.tasks.add.apply_async((n, n), queue=own.queue) for n in range(SLOTS)]
        ids = {each.id for each in waiting}

        def reserved() -> bool:
            return {each["id"] for each in own.inspect("reserved")} == ids

        until(reserved, "they are in hand")
        assert {each["name"] for each in own.inspect("reserved")} == {"contract_app.tasks.add"}
        assert set(own.active()) == gate.ids
    assert [each.get(timeout=20) for each in waiting] == [0, 2]
    assert own.inspect("reserved") == []


def test_the_pool_is_restarted(contract: ModuleType, own: Node) -> None:
    before = set(own.processes())
    assert own.command("pool_restart") == {"ok": "reload started"}
    # A process may wait for its next job before it goes.
    with own.full():
        pass
    until(lambda: not before & set(own.processes()), "all its processes are new")
    assert contract.tasks.add.apply_async((1, 2), queue=own.queue).get(timeout=20) == 3


def test_events_are_switched_on_and_off(contract: ModuleType, own: Node) -> None:
    """In a worker without --task-events: with it Celery sends them whatever it is told."""
    results = []

    def run() -> str:
        result = contract.tasks.add.apply_async((1, 2), queue=own.queue)
        assert result.get(timeout=20) == 3
        until(lambda: not own.active(), "the worker knows that it has ended")
        results.append(result)
        return result.id

    with Ears(contract.celery_app).listening() as ears:
        run()
        assert own.command("enable_events") == {"ok": "task events enabled"}
        assert own.command("enable_events") == {"ok": "task events already enabled"}
        loud = run()
        until(lambda: ears.types(loud)[-1:] == ["task-succeeded"], "it is heard")
        assert own.command("disable_events") == {"ok": "task events disabled"}
        assert own.command("disable_events") == {"ok": "task events already disabled"}
        run()
        assert own.command("enable_events") == {"ok": "task events enabled"}
        last = run()
        until(lambda: ears.types(last)[-1:] == ["task-succeeded"], "it is heard")
        heard = [bool(ears.types(each.id)) for each in results]
        own.command("disable_events")
    assert heard == [False, True, False, True]


def test_a_worker_is_shut_down(
    contract: ModuleType, start_node: StartNode, pool: str, records: Records, store: Redis
) -> None:
    ends = start_node(f"{pool}@ends")
    gate, processes = ends.hold(), set(ends.processes())
    waiting = contract.tasks.add.apply_async((1, 2), queue=ends.queue)
    contract.celery_app.control.shutdown(destination=[ends.name])
    ends.process.wait_for("Got shutdown from remote")
    assert ends.process.is_running
    gate.open(SLOTS)
    assert ends.process.wait() == 0
    assert [each.get(timeout=5) for each in gate.held] == ["opened"] * SLOTS
    assert (waiting.state, store.llen(ends.queue)) == ("PENDING", 1)
    assert [each["pid"] for each in records.signals("worker_shutdown")].count(ends.process.pid) == 1
    assert processes <= {each["pid"] for each in records.signals("worker_process_shutdown")}
