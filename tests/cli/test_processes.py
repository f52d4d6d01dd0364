"""``flaskiq processes``: who fetches, and how one is told to stop."""

from __future__ import annotations

from types import ModuleType

from command import Command
from fleet import StartWorker
from waiting import until

from flaskiq import api


def test_processes(command: Command, sample: ModuleType, start_worker: StartWorker) -> None:
    assert "Start a worker: flaskiq worker start" in command("processes").out
    assert command.json("processes") == {"processes": []}
    one, two = start_worker("--concurrency=2"), start_worker("-Q", "low")
    until(lambda: len(api.ProcessSet()) == 2, "both beat")
    job = sample.Patient.perform_async()
    until(lambda: api.running(), "it runs")
    first, second = command.json("processes")["processes"]
    assert (first["node"], second["node"]) == ("worker1@test", "worker2@test")
    assert (first["pid"], first["busy"], first["concurrency"]) == (one.pid, 1, 2)
    assert [each["id"] for each in first["jobs"]] == [job.id]
    assert second["queues"] == ["low"]
    lines = command("processes").out.splitlines()
    assert lines[0].split()[0] == "IDENTITY"
    assert [first["identity"] in lines[1], second["identity"] in lines[2]] == [True, True]

    told = command("processes", "quiet", first["identity"]).out
    assert told == f"{first['identity']} fetches no more jobs.\n"
    until(lambda: api.ProcessSet()[first["identity"]].is_quiet, "it is quiet")
    command("jobs", "cancel", job.id)
    assert command.json("processes", "stop", first["identity"], second["identity"]) == {
        "told": [first["identity"], second["identity"]],
        "silent": [],
    }
    assert (one.wait(), two.wait()) == (0, 0)
    unknown = command("processes", "stop", second["identity"], code=1).err
    assert "`flaskiq processes` lists those that do" in unknown
