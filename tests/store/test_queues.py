"""Pushing to queues, on a real server."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from servers import Server

from flaskiq.store.queues import SELDOM
from flaskiq.store.store import Store

WAKE = "flaskiq:wake:default"


@pytest.fixture
def jobs(server: Server, store: Redis) -> Store:
    """The structures of an empty database."""
    return Store(Redis.from_url(server.url))


def push_seldom(jobs: Store, message: bytes = b"job") -> None:
    """Push when the last push is so long ago that the token is sent along."""
    time.sleep(2 * SELDOM)
    jobs.queues.push("default", [message])


def test_each_job_for_an_empty_queue_leaves_a_token_and_never_two(
    jobs: Store, store: Redis
) -> None:
    for _ in range(3):
        push_seldom(jobs)
        assert store.llen(WAKE) == 1
        store.delete("default", WAKE)
    for _ in range(3):
        push_seldom(jobs)
        store.delete("default")
    assert store.llen(WAKE) == 1


def test_a_job_for_a_queue_that_is_no_more_empty_leaves_none_from_the_second_on(
    jobs: Store, store: Redis
) -> None:
    for _ in range(3):
        push_seldom(jobs)
    store.delete(WAKE)
    push_seldom(jobs)
    assert store.llen("default") == 4
    assert store.llen(WAKE) == 0


def test_a_job_is_there_though_nobody_can_be_woken(
    jobs: Store, store: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="flaskiq")
    store.set(WAKE, "not a list")
    jobs.queues.push("default", [b"1"])
    store.delete("default")
    push_seldom(jobs, b"2")
    assert store.lrange("default", 0, -1) == ["2"]
    assert caplog.text.count("Nobody is woken for queue default") == 2
    push_seldom(jobs, b"3")
    assert store.lrange("default", 0, -1) == ["3", "2"], "replies belong to their commands"
