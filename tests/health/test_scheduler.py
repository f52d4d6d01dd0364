"""How a scheduler tells that it is well, alone and in a worker."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from asking import DEBUG, PATHS, SECRETS, Asked, elsewhere
from servers import Server

from flaskiq.health import scheduler as health

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def beat(start: Callable[..., Asked]) -> Iterator[Asked]:
    """A scheduler that all tests of this module share; each leaves it as it was."""
    beat = start("beat")
    beat.until("/health/ready", 200, timeout=60)
    yield beat
    told = "\n".join([*beat.said, beat.process.output])
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("path", [*PATHS, *DEBUG])
def test_a_healthy_scheduler_answers_everywhere(beat: Asked, path: str) -> None:
    assert beat.ask(path).status_code == 200


def test_the_verdict_tells_the_age_of_the_last_tick(beat: Asked) -> None:
    told = beat.ask("/health").json()
    assert (told["status"], told["service"]) == ("healthy", "celery-beat")
    assert list(told["details"]) == ["tick", "started", "broker"]
    assert told["details"]["tick"].startswith("ticked ")


def test_without_redis_a_scheduler_is_unwell_but_lives(beat: Asked, guarded: Server) -> None:
    guarded.kill()
    try:
        beat.until("/health", 503)
        assert beat.reason() == "broker: Redis does not answer: ConnectionError"
        assert beat.status("/health/ready") == 503
        assert beat.status("/health/live") == 200
    finally:
        guarded.start()
    beat.until("/health", 200)


def test_a_frozen_scheduler_lets_the_probe_time_out(beat: Asked) -> None:
    beat.process.send(signal.SIGSTOP)
    try:
        with pytest.raises(requests.ReadTimeout):
            beat.ask("/health/live", timeout=1)
    finally:
        beat.process.send(signal.SIGCONT)
    beat.until("/health", 200)


def test_a_scheduler_whose_tick_hangs_does_not_live() -> None:
    class Found:
        class app:
            import_name = "shop"

    class Ticks:
        def tick(self) -> float:
            return -health.LATE - 1

    found: Any = Found
    watched, ticks = health.SchedulerHealth(None, found), Ticks()  # type: ignore[arg-type]
    watched.follow(ticks)
    program = watched.program()
    assert program.examine(["tick", "started"])["started"].text == "starting"
    ticks.tick()
    tick, started = program.examine(["tick", "started"]).values()
    assert (tick.is_ok, tick.text) == (False, "has not ticked for 0 s")
    assert started.is_ok


def test_celerys_own_scheduler_answers_where_it_is_to_listen(start: Callable[..., Asked]) -> None:
    beat = start("beat", "-S", "celery.beat:PersistentScheduler", HEALTH_ADDRESS="127.0.0.1")
    beat.until("/health", 200)
    host = elsewhere()
    if host is not None:
        with pytest.raises(requests.ConnectionError):
            beat.ask("/health", host=host)
    beat.process.send(signal.SIGTERM)
    assert beat.process.wait() == 0


def test_a_worker_that_runs_the_scheduler_tells_of_it(start_worker: Callable[..., Asked]) -> None:
    six = socket.has_dualstack_ipv6()
    address = {"HEALTH_ADDRESS": "::"} if six else {}
    worker = start_worker("-c", "1", FLASKIQ_BEAT_IN_WORKER="1", **address)
    worker.until("/health", 200)
    for host in ["127.0.0.1", *(["[::1]"] if six else [])]:
        assert worker.ask("/debug/env", host=host).status_code == 200
    assert worker.ask("/health").json()["details"]["scheduler"].startswith("looked ")
    worker.process.end()
