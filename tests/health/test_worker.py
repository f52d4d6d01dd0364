"""How a worker of our own pool tells that it is well, and what is wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import requests
from asking import DEBUG, PASSWORD, PATHS, SECRETS, TOKEN, Asked, elsewhere
from celery import Celery
from servers import Server
from waiting import until

pytestmark = pytest.mark.slow

SEEN_WITHIN = 15
"""Seconds: two heartbeat TTLs of 2 s, and much patience with the machine."""


@pytest.fixture(scope="module")
def worker(start_worker: Callable[..., Asked]) -> Iterator[Asked]:
    """A worker that all tests of this module share; each leaves it as it was."""
    worker = start_worker("-c", "2")
    yield worker
    assert_no_secrets(worker)


def assert_no_secrets(asked: Asked) -> None:
    told = "\n".join([*asked.said, asked.process.output])
    assert [secret for secret in SECRETS if secret in told] == []


def children(asked: Asked) -> list[int]:
    """The processes that run jobs."""
    found: list[dict[str, Any]] = asked.ask("/debug/detailed").json()["processes"]
    return [each["pid"] for each in found]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("path", [*PATHS, *DEBUG])
@pytest.mark.parametrize("tail", ["", "?x=1"])
def test_a_healthy_worker_answers_everywhere(worker: Asked, path: str, tail: str) -> None:
    worker.until("/health", 200)
    answer = worker.ask(path + tail)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    if path == "/ping":
        assert answer.text.strip() == "pong"
    else:
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json()


@pytest.mark.parametrize("path", [*PATHS[1:], *DEBUG])
def test_a_slash_at_the_end_and_head_are_right(worker: Asked, path: str) -> None:
    assert worker.ask(f"{path}/").status_code == 200
    head = worker.ask(path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


def test_what_is_nowhere_is_not_found(worker: Asked) -> None:
    for path in ("/healthy", "/health/nothing", "/debug/../etc", "/debug/environ"):
        answer = worker.ask(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})
    assert worker.ask("/nothing", "HEAD").status_code == 404


def test_nothing_can_be_changed(worker: Asked) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = worker.ask("/health", method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_the_verdict_names_what_it_has_looked_at(worker: Asked) -> None:
    worker.until("/health", 200)
    told = worker.ask("/health").json()
    assert (told["status"], told["service"], told["reason"]) == ("healthy", "celery-worker", None)
    assert list(told["details"]) == ["main_loop", "pool", "broker", "consuming"]
    assert told["details"]["consuming"] == "serves critical, default, low"
    assert told["details"]["pool"] == "2 processes live"


def test_debugging_shows_what_is_listed_and_hides_passwords(worker: Asked) -> None:
    told = worker.ask("/debug").json()
    assert list(told) == ["environment", "redis_connectivity", "celery_status", "system_info"]
    environment = worker.ask("/debug/env").json()["environment"]
    assert environment["FLASKIQ_HEARTBEAT_TTL"] == "2"
    assert environment["CELERY_BROKER_URL"].startswith("redis://:***@127.0.0.1:")
    assert environment["FLOWER_URL"] == "http://flower:***@flower:5555"
    assert not environment.keys() & {"DATABASE_URL", "HEALTH_TOKEN", "SENTRY_DSN", "PATH"}
    for name in ("broker", "results"):
        redis = worker.ask("/debug/redis").json()[name]
        assert redis["reachable"] is True
        assert redis["url"].startswith("redis://:***@127.0.0.1:")


def test_debugging_from_elsewhere_needs_the_token(worker: Asked) -> None:
    host = elsewhere()
    if host is None:
        pytest.skip("this machine has no address but loopback")
    assert worker.ask("/health", host=host).status_code in (200, 503)
    for path in DEBUG:
        refused = worker.ask(path, host=host)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        wrong = {"Authorization": "Bearer guessed"}
        assert worker.ask(path, host=host, headers=wrong).status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert worker.ask(path, host=host, headers=right).status_code == 200
        assert worker.ask(f"{path}?token={TOKEN}", host=host).status_code == 200


def test_a_frozen_child_is_seen(worker: Asked) -> None:
    worker.until("/health", 200)
    child = children(worker)[0]
    with frozen(child):
        worker.until("/health", 503, SEEN_WITHIN)
        assert worker.reason() == f"pool: process {child} does not react"
        assert worker.status("/health/live") == 503
        assert worker.status("/ping") == worker.status("/health/basic") == 200
    worker.until("/health", 200)
    assert worker.status("/health/live") == 200


def test_a_frozen_worker_lets_the_probe_time_out(worker: Asked) -> None:
    with frozen(worker.process.pid), pytest.raises(requests.ReadTimeout):
        worker.ask("/ping", timeout=1)
    worker.until("/health", 200)


@pytest.mark.slow
def test_a_main_loop_that_stands_still_is_seen(worker: Asked, guarded: Server) -> None:
    """About 10 seconds."""
    with Celery(broker=guarded.url, set_as_current=False) as client:
        client.control.broadcast("stand_still", arguments={"seconds": 8})
    worker.until("/health/live", 503, SEEN_WITHIN)
    assert worker.reason("/health/live").startswith("main_loop: has not turned for ")
    assert worker.status("/ping") == 200
    worker.until("/health", 200)


@pytest.mark.slow
def test_children_that_die_faster_than_they_are_replaced(worker: Asked) -> None:
    """About 6 seconds."""
    worker.until("/health", 200)
    parent = psutil.Process(worker.process.pid)
    (template,) = parent.children()

    def is_seen() -> bool:
        for child in template.children():
            child.kill()
        return worker.status("/health/live") == 503

    until(is_seen, "the dead pool is seen", SEEN_WITHIN)
    assert "of 2 processes are missing" in worker.reason("/health/live")
    worker.until("/health", 200)


def test_without_redis_a_worker_is_unwell_but_lives(worker: Asked, guarded: Server) -> None:
    worker.until("/health", 200)
    guarded.kill()
    try:
        for path in ("/health", "/health/ready"):
            worker.until(path, 503, SEEN_WITHIN)
            assert worker.reason(path) == "broker: Redis does not answer: ConnectionError"
        end = time.monotonic() + 5  # longer than silence is borne
        while time.monotonic() < end:
            assert worker.status("/health/live") == 200
        debugged = worker.ask("/debug/redis").json()
        assert debugged["broker"]["reachable"] is debugged["results"]["reachable"] is False
        assert worker.ask("/debug").status_code == 200
    finally:
        guarded.start()
    worker.until("/health", 200)
    assert worker.status("/health/ready") == 200


def test_a_redis_that_hangs_keeps_no_other_answer(worker: Asked, guarded: Server) -> None:
    worker.until("/health", 200)
    guarded.freeze()
    try:
        worker.until("/health/ready", 503, SEEN_WITHIN)
        began = time.monotonic()
        assert worker.status("/ping") == worker.status("/health/basic") == 200
        assert time.monotonic() - began < 1
        assert "Redis does not answer: TimeoutError" in worker.reason() or (
            "broker: no answer within 2 s" in worker.reason()
        )
        assert worker.status("/health/live") == 200
    finally:
        guarded.thaw()
    worker.until("/health", 200)


def test_a_taken_port_is_a_warning_and_comes_free(
    worker: Asked, start: Callable[..., Asked]
) -> None:
    other = start("worker", "start", "--name=other", "-c", "1", HEALTH_PORT=str(worker.port))
    other.process.wait_for(" ready.")
    assert (
        f"Health cannot be told on port {worker.port}: Address already in use"
        in other.process.output
    )
    other.process.send(signal.SIGTERM)
    assert other.process.wait() == 0


def test_a_quiet_worker_is_not_ready(
    start_worker: Callable[..., Asked], hold: Callable[[str], None], store: Any
) -> None:
    worker = start_worker("-c", "1")
    hold("quiet")
    worker.process.send(signal.SIGTSTP)
    worker.until("/health/ready", 503)
    assert worker.reason() == "consuming: quiet: no more jobs are fetched"
    assert worker.status("/health/live") == 200
    worker.process.send(signal.SIGTERM)
    until(lambda: "stopping" in worker.reason("/health/ready"), "it stops")
    assert worker.status("/health/ready") == 503
    assert worker.status("/health/live") == worker.status("/ping") == 200
    store.set("go:quiet", 1)
    assert worker.process.wait() == 0
    assert worker.status() is None
    assert PASSWORD not in worker.process.output
    assert_no_secrets(worker)
