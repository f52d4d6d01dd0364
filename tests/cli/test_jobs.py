"""``flaskiq jobs``: one job, from its call to its end."""

from __future__ import annotations

import json
import time
from types import ModuleType

import pytest
from command import Command
from fleet import StartWorker
from redis import Redis
from waiting import until

from flaskiq import api

pytestmark = pytest.mark.slow


def test_a_job_from_its_call_to_its_end(
    command: Command, sample: ModuleType, start_worker: StartWorker
) -> None:
    job_id = command("jobs", "run", "Sleeps", "--args", '["a"]', "--kwargs", '{"seconds": 4}').out
    assert job_id.count("\n") == 1
    job_id = job_id.strip()
    found = command.json("jobs", "find", job_id)
    assert (found["state"], found["worker"], found["queue"]) == (
        "queued",
        "sample.Sleeps",
        "default",
    )
    assert (found["args"], found["kwargs"], found["attempt"]) == (["a"], {"seconds": 4}, 1)
    late = command("jobs", "wait", job_id, "--timeout", "0.5", code=1)
    assert late.out == ""
    assert "Not over after 0.5s." in late.err
    assert command("jobs", "running").out.startswith("No jobs run.")

    start_worker("--concurrency=2")
    until(lambda: api.running(), "it runs")
    (running,) = command.json("jobs", "running")["jobs"]
    assert (running["id"], running["worker"], running["attempt"]) == (job_id, "sample.Sleeps", 1)
    assert job_id in command("jobs", "wait", job_id, "--timeout", "30", "--json").out
    assert command("jobs", "wait", job_id).out == "a\n"
    until(lambda: api.find(job_id).seconds, "its end is recorded")
    text = command("jobs", "find", job_id).out
    assert all(word in text for word in (job_id, "done", "sample.Sleeps"))

    number = command.json("jobs", "run", "Add", "--args", "[1, 2]")
    assert number["worker"] == "sample.Add"
    waited = command.json("jobs", "wait", number["id"], "--timeout", "20")
    assert (waited["state"], waited["result"]) == ("done", 3)
    listed = command("jobs", "run", "sample.plain", "--args", '["x"]', code=2).err
    assert "plain task, not a Worker" in listed


def test_jobs_for_later_and_for_another_queue(command: Command, sample: ModuleType) -> None:
    before = time.time()
    words = ("jobs", "run", "Add", "--args", "[1, 2]", "--queue", "low")
    later = command(*words, "--in", "5m").out.strip()
    found = api.find(later)
    assert (found.state, found.queue) == (api.State.SCHEDULED, "low")
    assert found.at == pytest.approx(before + 300, abs=60)
    then = command(*words, "--at", "2040-01-31T09:00Z").out.strip()
    assert api.find(then).at == 2211613200.0
    assert api.find(command(*words).out.strip()).state == api.State.QUEUED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "Ad"), "There is no Worker 'Ad'; did you mean 'Add'?"),
        (("run", "Nothing_at_all"), "there are sample.Add, sample.AddAsync"),
        (("run", "Add"), "missing 2 required positional arguments: 'left' and 'right'"),
        (("run", "Add", "--args", "[1, 2"), "'[1, 2' is no JSON"),
        (("run", "Add", "--args", "1"), "'1' must be like '[1, \"two\"]'"),
        (("run", "Add", "--kwargs", "[1]"), "'[1]' must be like '{\"name\": \"Ada\"}'"),
        (("run", "Add", "--args", "[1, 2]", "--queue", " "), "queue must be the name of a queue"),
        (("run", "Add", "--in", "5m", "--at", "2040-01-01"), "not both"),
        (("wait", "a", "--timeout", "-1"), "--timeout"),
        (("cancel",), "Missing argument 'ID...'"),
    ],
)
def test_wrong_usage(command: Command, words: tuple[str, ...], message: str) -> None:
    done = command("jobs", *words, code=2)
    assert message in " ".join(done.err.split())
    assert api.Stats().enqueued == 0


def test_a_job_that_is_nowhere(command: Command) -> None:
    found = command.json("jobs", "find", "nobody", code=1)
    assert (found["id"], found["state"]) == ("nobody", "unknown")
    assert "unknown" in command("jobs", "find", "nobody", code=1).out
    assert "unknown" in command("jobs", "wait", "nobody", code=1).err


def test_a_job_that_gave_up(
    command: Command, sample: ModuleType, start_worker: StartWorker
) -> None:
    start_worker()
    job = sample.Doomed.set(max_retries=0).perform_async("fail")
    done = command("jobs", "wait", job.id, "--timeout", "20", code=1)
    assert done.out == ""
    assert "dead" in done.err
    until(lambda: api.find(job.id).failure, "it is dead")
    waited = command.json("jobs", "wait", job.id, "--timeout", "20", code=1)
    assert (waited["state"], waited["failure"]["error"]) == ("dead", "LookupError")
    assert "is dead already" in command("jobs", "cancel", job.id, code=1).out


def test_a_job_whose_result_nobody_keeps(
    command: Command, sample: ModuleType, start_worker: StartWorker
) -> None:
    start_worker()
    job_id = command("jobs", "run", "Silent").out.strip()
    assert command("jobs", "wait", job_id, "--timeout", "30").out == "null\n"


def test_cancelling(
    command: Command, sample: ModuleType, start_worker: StartWorker, store: Redis
) -> None:
    later, ready = sample.Add.perform_in(500, 1, 2), sample.Add.perform_async(1, 2)
    found = command.json("jobs", "cancel", later.id, ready.id)
    assert found == {"were": {later.id: "scheduled", ready.id: "queued"}}
    assert "was cancelled before" in command("jobs", "cancel", later.id).out
    start_worker()
    until(lambda: store.hexists("flaskiq:finished:jobs", ready.id), "it was skipped")
    running = sample.Patient.perform_async()
    until(lambda: api.find(running.id).state == api.State.RUNNING, "it runs")
    assert "runs, and has been told" in command("jobs", "cancel", running.id).out
    assert json.loads(command("jobs", "wait", running.id, "--json").out)["result"] == "cancelled"
    assert "was not found" in command("jobs", "cancel", "nobody", code=1).out
