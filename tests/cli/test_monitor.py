"""``flaskiq monitor``: what goes in and out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest
from command import Command
from fleet import LIB, StartWorker
from processes import Project
from waiting import until

from flaskiq import api


@contextmanager
def traffic(sample: ModuleType) -> Iterator[None]:
    """Enqueue a job ten times a second; each tenth of them fails."""
    over = threading.Event()

    def go_on() -> None:
        number = 0
        with sample.app.app_context():
            while not over.wait(0.1):
                number += 1
                sample.Naps.set(max_retries=0).perform_async(0.01, 2 if number % 10 == 0 else 1)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_goes_in_and_out(
    command: Command, sample: ModuleType, start_worker: StartWorker
) -> None:
    start_worker()
    with traffic(sample):
        until(lambda: api.Stats().failed, "some have ended")
        found = command.json("monitor", "--once", "--interval", "6")
    assert found["seconds"] == pytest.approx(6, abs=2)
    queues = {flow["name"]: flow for flow in found["queues"]}
    assert list(queues) == ["critical", "default", "low"]
    flow = queues["default"]
    assert 5 < flow["enters"] < 12
    assert 4 < flow["done"] < 12
    assert 0 < flow["fails"] < 3
    assert flow["is_exact"]
    assert 0.005 < flow["p50"] <= flow["p95"] < 1
    (worker,) = [each for each in found["workers"] if each["name"] == "sample.Naps"]
    assert worker["done"] == pytest.approx(flow["done"], abs=1)
    assert queues["low"]["enters"] == queues["low"]["done"] == 0


def test_a_backlog(command: Command, sample: ModuleType) -> None:
    sample.Add.perform_bulk([(n, 0) for n in range(30)])
    sample.Describe.perform_async()
    found = command.json("monitor", "--once", "--interval", "0.1")
    backlogs = {flow["name"]: flow["backlog"] for flow in found["queues"] + found["workers"]}
    assert backlogs == {
        "critical": 0, "default": 30, "low": 1, "sample.Add": 30, "sample.Describe": 1,
    }  # fmt: skip
    (flow,) = [each for each in found["workers"] if each["name"] == "sample.Add"]
    assert (flow["enters"], flow["done"], flow["wait"]) == (0, 0, None)
    assert 0 < flow["latency"] < 60
    lines = command("monitor", "--once", "--interval", "0.1").out.splitlines()
    assert "rates of the last 0." in lines[0]
    assert lines[2].split()[:4] == ["QUEUE", "BACKLOG", "BUSY", "IN/S"]


def test_it_goes_on_until_it_is_interrupted(sample: ModuleType, project: Project) -> None:
    monitor = project.start(
        "flaskiq", "-A", "sample:app", "monitor", "--interval", "0.1", PYTHONPATH=LIB
    )
    until(lambda: monitor.output.count("QUEUE ") >= 3, "it measures again and again")
    monitor.send(signal.SIGINT)
    assert monitor.wait() == 130
    assert "Traceback" not in monitor.output


def test_json_is_one_document(command: Command) -> None:
    assert "add --once" in command.json("monitor", code=2)["error"]
