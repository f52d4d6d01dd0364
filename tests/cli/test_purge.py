"""``flaskiq purge``: says what there is, asks, and throws it away."""

from __future__ import annotations

from types import ModuleType

import pytest
from command import Command
from fleet import StartWorker
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.failure import Failure
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

FAILURE = Failure.of(OSError("no luck"), 1, traceback="")


@pytest.fixture
def _waiting(sample: ModuleType, jobs: Store) -> None:
    """Jobs of two queues, ready, scheduled, waiting for another attempt and dead."""
    for queue, count in (("default", 1), ("low", 2)):
        for number in range(count):
            sample.Add.set(queue=queue).perform_async(1, 2)
            sample.plain.apply_async(("x",), queue=queue, priority=9)
            sample.Add.set(queue=queue).perform_in(500, 1, 2)
            jobs.retry.add(f"{queue}-{number}", 3e9, Placed(queue, queue, b"{}"))
            jobs.dead.bury(f"{queue}-{number}", Placed(queue, queue, b"{}"), FAILURE)


@pytest.mark.usefixtures("_waiting")
def test_it_says_first_what_there_is(command: Command) -> None:
    refused = command("purge", code=2)
    assert refused.out == ""
    assert "Throw away 12 jobs? There is no terminal to ask at; add --yes." in refused.err
    rows = [line.split() for line in refused.err.splitlines()]
    for row in (
        ["in", "flight", "0", "stays"],
        ["queue", "critical", "0"],
        ["queue", "default", "2"],
        ["queue", "low", "4"],
        ["scheduled", "3"],
        ["retry", "3"],
        ["dead", "3", "stays"],
    ):
        assert row in rows
    no = command.at_terminal("purge", answer="n")
    assert (no.code, no.out) == (1, "")
    stats = api.Stats()
    assert (stats.enqueued, stats.scheduled, stats.retries, stats.dead) == (6, 3, 3, 3)
    yes = command.at_terminal("purge", answer="y")
    assert yes.code == 0
    assert "100%" in yes.err
    assert (stats.enqueued, stats.scheduled, stats.retries, stats.dead) == (0, 0, 0, 3)
    assert command.json("purge", "--dead", "--yes")["purged"]["dead"] == 3
    assert command.json("purge")["total"] == 0


@pytest.mark.usefixtures("_waiting")
def test_of_one_queue(command: Command) -> None:
    found = command.json("purge", "--queue", "low", "--dead", "--yes")
    assert found == {
        "purged": {"queue low": 4, "scheduled": 2, "retry": 2, "dead": 2},
        "total": 10,
    }
    stats = api.Stats()
    assert (stats.enqueued, stats.scheduled, stats.retries, stats.dead) == (2, 1, 1, 1)
    assert "did you mean 'low'" in command("purge", "--queue", "lwo", "--yes", code=2).err
    both = command.json("purge", "--queue", "low", "--queue", "default", "--yes")
    assert both["total"] == 4


def test_what_is_in_flight_is_cancelled_first(
    command: Command, sample: ModuleType, start_worker: StartWorker, store: Redis
) -> None:
    start_worker()
    running, waiting = sample.Patient.perform_async(), sample.Add.perform_async(1, 2)
    until(lambda: api.find(running.id).state == api.State.RUNNING, "it runs")
    assert command.json("purge", "--yes")["purged"] == {
        "queue critical": 0, "queue default": 1, "queue low": 0, "scheduled": 0, "retry": 0,
    }  # fmt: skip
    assert api.find(waiting.id).state == api.State.CANCELLED
    assert api.find(running.id).state == api.State.RUNNING
    assert command.json("purge", "--in-flight", "--queue", "low", "--yes")["total"] == 0
    assert command.json("purge", "--in-flight", "--yes")["purged"]["in flight"] == 1
    assert running.get(timeout=20) == "cancelled"
