"""``flaskiq autoscale``: for a scaler, and as a command that scales."""

from __future__ import annotations

import signal
from types import ModuleType

from command import Command
from fleet import LIB
from processes import Project
from waiting import until

from flaskiq import api


def test_what_is_needed(command: Command, sample: ModuleType) -> None:
    sample.Add.perform_bulk([(n, 0) for n in range(250)])
    found = command.json("autoscale", "--print", "--cool-down", "0")
    assert (found["workers"], found["running"], found["jobs"]) == (3, 0, 250)
    assert found["reason"] == "250 jobs wait, 100 for each worker are wanted"
    text = command("autoscale", "--cool-down", "0", "--max", "2").out
    assert "workers  2" in text
    assert "250 jobs, the oldest for " in text
    assert (
        "there is no queue 'lwo'; did you mean"
        in command("autoscale", "--queue", "lwo", code=2).err
    )
    error = command("autoscale", "--", "scale", "--replicas", code=2).err
    assert "scale --replicas has no {} for the number of workers." in error
    assert (
        "the least, 3, is above the most, 2"
        in command("autoscale", "--min", "3", "--max", "2", code=2).err
    )


def test_it_runs_a_command_when_the_number_changes(
    project: Project, command: Command, sample: ModuleType
) -> None:
    env = {"FLASKIQ_APP": "sample:app", "PYTHONPATH": str(LIB)}
    scaled = project.folder / "scaled"
    words = ("--every=0.1", "--cool-down=0", "--", "sh", "-c", "echo {} >> scaled; test {} != 5")
    program = project.start("flaskiq", "autoscale", *words, **env)
    until(lambda: scaled.exists() and scaled.read_text() == "1\n", "there is always one")
    sample.Add.perform_bulk([(n, 0) for n in range(250)])
    until(lambda: scaled.read_text() == "1\n3\n", "three are needed")
    sample.Add.perform_bulk([(n, 0) for n in range(250)])
    until(lambda: scaled.read_text().count("5") > 1, "what has failed is tried again")
    for queue in api.Queue.all():
        queue.clear()
    until(lambda: scaled.read_text().endswith("5\n1\n"), "one will do")
    program.send(signal.SIGINT)
    assert program.wait() == 130
    assert "3 workers (250 jobs wait, 100 for each worker are wanted): sh -c" in program.output
