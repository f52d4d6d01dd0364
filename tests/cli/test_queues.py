"""``flaskiq queues``: what is ready, who serves it, and how it is paused and emptied."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from command import Command
from fleet import StartWorker
from waiting import until

from flaskiq import api


def queue(command: Command, name: str) -> dict[str, Any]:
    (found,) = [each for each in command.json("queues")["queues"] if each["name"] == name]
    return dict(found)


def test_a_queue_and_its_sub_lists(command: Command, sample: ModuleType) -> None:
    assert queue(command, "low") == {
        "name": "low", "size": 0, "latency": 0.0, "paused": False, "processes": [],
    }  # fmt: skip
    sample.Describe.perform_async()
    for priority in (0, 3, 9):
        sample.plain.apply_async(("x",), queue="low", priority=priority)
    found = queue(command, "low")
    assert found["size"] == 4
    assert 0 < found["latency"] < 60
    lines = command("queues").out.splitlines()
    assert lines[0].split()[:3] == ["QUEUE", "SIZE", "LATENCY"]
    assert [line.split()[0] for line in lines[1:]] == ["critical", "default", "low"]
    assert lines[3].endswith("nobody")


def test_who_serves_a_queue_and_that_it_is_paused(
    command: Command, sample: ModuleType, start_worker: StartWorker
) -> None:
    start_worker("-Q", "low,other")
    until(lambda: len(api.ProcessSet()) == 1, "it beats")
    (process,) = api.ProcessSet()
    assert queue(command, "low")["processes"] == [process.identity]
    assert queue(command, "critical")["processes"] == []
    assert queue(command, "other")["size"] == 0
    assert "is paused; `flaskiq queues unpause low`" in command("queues", "pause", "low").out
    assert command("queues").out.count("paused") == 1
    assert queue(command, "low")["paused"]

    # Workers know of it with their next heartbeat; what they wait for by then still comes.
    def stays() -> bool:
        jobs.append(sample.Describe.perform_async())
        assert sample.Add.set(queue="other").perform_async(1, 2).get(timeout=20) == 3
        return bool(queue(command, "low")["size"] == 1)

    jobs: list[Any] = []
    until(stays, "a job stays in the paused queue")
    assert command.json("queues", "unpause", "low") == {"name": "low", "paused": False}
    assert jobs[-1].get(timeout=20)["queue"] == "low"


def test_the_jobs_of_a_queue(command: Command, sample: ModuleType) -> None:
    assert command("queues", "show", "low").out.startswith("No jobs are ready in queue low.")
    ids = [each.id for each in sample.Add.set(queue="low").perform_bulk([(n, 0) for n in range(4)])]
    other = sample.Describe.perform_async()
    found = command.json("queues", "show", "low", "--limit", "2")
    assert (found["size"], [job["id"] for job in found["jobs"]]) == (5, [other.id, ids[3]])
    found = command.json("queues", "show", "low", "--worker", "Add", "--argument", "[[2,")
    assert [job["id"] for job in found["jobs"]] == [ids[2]]
    text = command("queues", "show", "low", "--limit", "2").out
    assert "sample.Describe" in text
    assert "2 of the 5 jobs in queue low; --limit shows more." in text


def test_deleting_jobs_of_a_queue(command: Command, sample: ModuleType) -> None:
    ids = [each.id for each in sample.Add.set(queue="low").perform_bulk([(n, 0) for n in range(4)])]
    last = sample.Describe.perform_async()
    assert command.json("queues", "delete", "low", ids[0], ids[1]) == {"deleted": 2, "missing": []}
    assert api.find(ids[0]).state == api.State.CANCELLED
    assert "There is no job" in command("queues", "delete", "low", ids[0], code=1).out
    assert "add --yes" in command("queues", "delete", "low", "--worker", "Add", code=2).err
    words = ("queues", "delete", "low", "--worker", "Add", "--argument", "[[3,", "--yes")
    assert command(*words).out == "Deleted 1 job of queue low.\n"
    assert {job.id for job in api.Queue("low")} == {ids[2], last.id}
    assert command.json("queues", "delete", "low", "--all", "--yes")["deleted"] == 2
    assert command("queues", "delete", "low", "--worker", "Add", "--yes", code=1).out


def test_clearing_a_queue(command: Command, sample: ModuleType) -> None:
    sample.Add.set(queue="low").perform_bulk([(n, 0) for n in range(1234)])
    refused = command("queues", "clear", "low", code=2).err
    assert "Delete 1,234 jobs of queue low, and tell nobody?" in refused
    assert command.json("queues", "clear", "low", "--yes") == {"name": "low", "deleted": 1234}
    assert command("queues", "clear", "low").out == "Deleted 0 jobs of queue low.\n"


@pytest.mark.parametrize("act", ["show", "pause", "unpause", "clear"])
def test_a_slip_of_the_pen(command: Command, act: str) -> None:
    err = command("queues", act, "defualt", code=2).err
    assert "There is no queue 'defualt'; did you mean 'default'?" in err
    assert "critical, default, low" in err
