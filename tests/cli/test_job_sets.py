"""``flaskiq scheduled``, ``retries`` and ``dead``: acting on one job, on some, and on all."""

from __future__ import annotations

import time
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from command import Command

from flaskiq import api
from flaskiq.failure import Failure
from flaskiq.message import Template
from flaskiq.store.job_set import JobSet
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

DAY = 86_400


def stage(jobs: Store, place: str, worker: str = "Add", count: int = 3, queue: str = "low") -> None:
    """Put jobs that have failed into a set: ``Add-0``, ``Add-1`` and so on, a second apart."""
    template = Template(f"sample.{worker}", queue, {"retries": 1})
    into: JobSet = getattr(jobs, place)
    for number in range(count):
        job_id = f"{worker}-{number}"
        message = template.fill(job_id, [number, "x"], {}, job_id, {}).encode()
        into.add(job_id, time.time() + DAY + number, Placed(queue, queue, message))
        failure = Failure.of(OSError(f"number {number}"), 1, traceback="at home\n")
        jobs.client.hset(jobs.keys.failures(place), job_id, failure.pack())


def ids(found: Any) -> list[str]:
    return [job["id"] for job in found["jobs"]]


@pytest.mark.parametrize("place", ["scheduled", "retries", "dead"])
def test_listing(command: Command, jobs: Store, place: str) -> None:
    name = {"retries": "retry"}.get(place, place)
    stage(jobs, name, "Add", 3)
    stage(jobs, name, "Sleeps", 1, "default")
    found = command.json(place, "--limit", "2")
    first = ["Add-2", "Add-1"] if place == "dead" else ["Add-0", "Sleeps-0"]
    assert (found["size"], ids(found)) == (4, first)
    assert ids(command.json(place, "--worker", "Sleeps")) == ["Sleeps-0"]
    assert ids(command.json(place, "--queue", "low", "--argument", "[1,")) == ["Add-1"]
    assert ids(command.json(place, "--error", "number 2")) == ["Add-2"]
    assert "2 of the 4 jobs in" in command(place, "--limit", "2").out
    assert "None of the 4 jobs in" in command(place, "--worker", "Nobody").out
    assert "The first 2 like this" in command(place, "--queue", "low", "--limit", "2").out


def test_what_a_job_is_shown_as(command: Command, jobs: Store) -> None:
    stage(jobs, "retry", count=1)
    shown = command("retries", "show", "Add-0").out
    for text in ("sample.Add", "low", '0, "x"', "attempt 1", "OSError", "number 0", "at home"):
        assert text in shown
    assert command.json("retries", "show", "Add-0")["failure"]["traceback"] == "at home\n"
    assert "flaskiq jobs find nobody" in command("retries", "show", "nobody", code=1).err


def test_a_message_that_nobody_can_read_is_shown_as_it_is(command: Command, jobs: Store) -> None:
    failure = Failure.of(ValueError("no JSON"), 1, traceback="")
    jobs.dead.bury("odd", Placed("low", "low", b"{broken\xff"), failure)
    assert "unreadable" not in command("dead").out
    assert "{broken\\xff" in command("dead", "show", "odd").out
    assert command.json("dead", "show", "odd")["message"] == "{broken\\xff"
    assert ids(command.json("dead", "--error", "no JSON")) == ["odd"]


def test_scheduled_jobs(command: Command, sample: ModuleType, jobs: Store) -> None:
    waiting = [sample.Add.perform_in(DAY, number, 0) for number in range(5)]
    first, second, third, fourth, _ = (job.id for job in waiting)
    assert command.json("scheduled", "run", first) == {"enqueued": 1, "missing": []}
    assert api.find(first).state == api.State.QUEUED
    out = command("scheduled", "run", first, second, "nobody", code=1).out
    assert out.startswith("Enqueued 1 job of the scheduled set.\nThere is no job ")
    assert "flaskiq jobs find nobody" in out
    assert command.json("scheduled", "run", "nobody", code=1)["missing"] == ["nobody"]

    before = time.time()
    command("scheduled", "reschedule", third, "--in", "1h30m")
    found = api.find(third)
    assert found.at == pytest.approx(before + 5400, abs=60)
    command("scheduled", "reschedule", third, "--at", "2040-01-31T09:00")
    assert api.find(third).at == datetime(2040, 1, 31, 9).astimezone().timestamp()

    command("scheduled", "kill", third)
    found = api.find(third)
    assert found.failure is not None
    assert (found.state, found.failure.message) == (api.State.DEAD, "killed by hand")
    command("scheduled", "delete", fourth)
    assert api.find(fourth).state == api.State.CANCELLED
    assert len(api.ScheduledSet()) == 1


def test_many_jobs(command: Command, jobs: Store) -> None:
    stage(jobs, "retry", "Add", 3)
    stage(jobs, "retry", "Sleeps", 4)
    until_then = datetime(2040, 1, 31, 9).astimezone().timestamp()
    words = ("retries", "reschedule", "--worker", "Add", "--at", "2040-01-31T09:00", "--yes")
    assert command.json(*words) == {"rescheduled": 3, "missing": []}
    due = [job.at for job in api.RetrySet().matching(api.Filter(worker="Add"))]
    assert due == [until_then] * 3
    assert command.json("retries", "kill", "--error", "number 3", "--yes")["killed"] == 1
    assert ids(command.json("dead")) == ["Sleeps-3"]
    assert command.json("retries", "retry", "--argument", "[2,", "--yes")["enqueued"] == 2
    assert command.json("queues")["queues"][2]["size"] == 2
    assert (
        command("retries", "delete", "--all", "--yes").out == "Deleted 4 jobs of the retry set.\n"
    )
    assert len(api.RetrySet()) == 0
    assert command.json("dead", "retry", "--queue", "low", "--yes")["enqueued"] == 1
    assert "No jobs like these" in command("dead", "delete", "--queue", "low", code=1).out
    assert "No jobs are in the dead set." in command("dead", "delete", "--all").out


def test_many_are_asked_for(command: Command, jobs: Store) -> None:
    stage(jobs, "retry", "Add", 3)
    stage(jobs, "retry", "Sleeps", 1)
    words = ("retries", "delete", "--worker", "Add")
    refused = command(*words, code=2)
    assert refused.out == ""
    assert (
        "Delete 3 jobs of the retry set? There is no terminal to ask at; add --yes." in refused.err
    )
    assert "--yes" in command.json(*words, code=2)["error"]
    assert len(api.RetrySet()) == 4

    no = command.at_terminal(*words, answer="n")
    assert (no.code, no.out) == (1, "")
    assert "Nothing was done." in no.err
    assert len(api.RetrySet()) == 4

    yes = command.at_terminal(*words, answer="y")
    assert (yes.code, yes.out) == (0, "Deleted 3 jobs of the retry set.\n")
    assert "Delete 3 jobs of the retry set? [y/N]" in yes.err
    assert "Deleting" in yes.err
    assert "100%" in yes.err
    assert [job.id for job in api.RetrySet()] == ["Sleeps-0"]

    json_ = command.at_terminal("retries", "delete", "--all", "--yes", "--json")
    assert (json_.json, json_.err) == ({"deleted": 1, "missing": []}, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("retries", "delete"), "Say which jobs: their ids, a filter (--worker"),
        (("retries", "delete", "a", "--worker", "Add"), "one of these"),
        (("dead", "retry", "--all", "--error", "x"), "one of these"),
        (("retries", "--worker", "Add", "delete", "--all"), "flaskiq retries delete --worker"),
        (("retries", "reschedule", "a"), "Say when: --in 5m or --at"),
        (("retries", "reschedule", "a", "--in", "5m", "--at", "2040-01-01"), "not both"),
        (("retries", "reschedule", "a", "--in", "soon"), "write 90, 5m, 1h30m or 2d"),
        (("retries", "reschedule", "a", "--at", "soon"), "write 2030-01-31T09:00"),
        (("dead", "kill", "a"), "No such command 'kill'"),
    ],
)
def test_wrong_usage(command: Command, words: tuple[str, ...], message: str) -> None:
    done = command(*words, code=2)
    assert message in " ".join(done.err.split())
