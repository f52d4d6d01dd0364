"""Sorted sets of jobs, on a real server."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from servers import Server

from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed
from flaskiq.store.store import PROMOTED_AT_ONCE, Store

EMPTY_LISTS = b'{"args": [], "text": "\xc3\xa9\\u0000"}'


@pytest.fixture
def jobs(server: Server, store: Redis) -> Store:
    """The structures of an empty database."""
    return Store(Redis.from_url(server.url))


def placed(message: bytes = EMPTY_LISTS, queue: str = "default") -> Placed:
    return Placed(queue, queue, message)


def test_a_job_is_found_rescheduled_and_removed_by_its_id(jobs: Store) -> None:
    due = time.time() + 1000
    jobs.scheduled.add("a", due, placed())
    jobs.scheduled.add("b", due + 1, placed(b"b"))

    entry = jobs.scheduled.find("a")
    assert entry is not None
    assert (entry.id, entry.at, entry.placed) == ("a", due, placed())
    assert [each.id for each in jobs.scheduled] == ["a", "b"]
    assert jobs.scheduled.reschedule("a", due + 2)
    assert [each.id for each in jobs.scheduled] == ["b", "a"]
    assert jobs.scheduled.remove("b") == placed(b"b")
    assert jobs.scheduled.remove("b") is None
    assert jobs.scheduled.find("b") is None
    assert len(jobs.scheduled) == 1


def test_a_job_that_is_not_there_cannot_be_rescheduled(jobs: Store) -> None:
    assert not jobs.scheduled.reschedule("nobody", time.time())
    assert len(jobs.scheduled) == 0


def test_a_job_id_is_in_a_set_once(jobs: Store) -> None:
    jobs.retry.add("a", 1e12, placed(b"first"))
    jobs.retry.add("a", 2e12, placed(b"second"))
    assert [(each.at, each.placed.message) for each in jobs.retry] == [(2e12, b"second")]


def test_due_jobs_move_to_their_lists_as_they_are(jobs: Store, store: Redis) -> None:
    now = time.time()
    jobs.scheduled.add("late", now - 5, Placed("low", "low\x06\x163", EMPTY_LISTS))
    jobs.retry.add("soon", now + 0.4, placed())
    jobs.scheduled.add("far", now + 4000, placed())

    promotion = jobs.promote()

    assert promotion.moved == 1
    assert promotion.next_due == pytest.approx(0.4, abs=0.3)
    assert jobs.client.lrange("low\x06\x163", 0, -1) == [EMPTY_LISTS]
    assert jobs.client.exists("flaskiq:wake:low")
    assert jobs.scheduled.find("late") is None
    assert [each.id for each in jobs.scheduled] == ["far"]


def test_many_due_jobs_move_in_bounded_steps(jobs: Store) -> None:
    for number in range(PROMOTED_AT_ONCE + 5):
        jobs.scheduled.add(str(number), number, placed(str(number).encode()))
    assert [jobs.promote().moved, jobs.promote().moved, jobs.promote().moved] == [
        PROMOTED_AT_ONCE,
        5,
        0,
    ]
    in_order = [str(number).encode() for number in range(PROMOTED_AT_ONCE + 5)]
    assert jobs.client.lrange("default", 0, -1)[::-1] == in_order
    assert jobs.promote().next_due is None


def test_iterating_reads_in_pages(jobs: Store) -> None:
    for number in range(1203):
        jobs.dead.add(str(number), number, placed())
    assert [each.id for each in jobs.dead] == [str(number) for number in range(1203)]


def test_a_job_that_is_due_before_all_others_wakes_a_promoter(jobs: Store) -> None:
    jobs.scheduled.add("far", time.time() + 4000, placed())
    jobs.await_promotion(1)
    start = time.monotonic()
    jobs.scheduled.add("farther", time.time() + 5000, placed())
    assert not jobs.client.exists(jobs.keys.promoter)
    jobs.scheduled.add("near", time.time() + 1, placed())
    jobs.await_promotion(5)
    assert time.monotonic() - start < 2


def test_scripts_come_back_after_the_server_has_lost_them(jobs: Store) -> None:
    jobs.scheduled.add("a", 1, placed())
    jobs.client.script_flush()
    jobs.scheduled.add("b", 2, placed())
    jobs.client.script_flush()
    assert jobs.promote().moved == 2


def test_every_key_has_the_prefix(server: Server, store: Redis) -> None:
    prefixed = Store(Redis.from_url(server.url), Keys("shop:"))
    prefixed.scheduled.add("a", 1, Placed("default", prefixed.keys.ready("default"), b"x"))
    prefixed.promote()
    prefixed.cancel("b", 60)
    prefixed.processes.register("p", 5)
    assert all(key.startswith("shop:") for key in store.scan_iter())


def test_cancelled_ids_are_remembered_for_a_time(jobs: Store) -> None:
    jobs.scheduled.add("a", 1e12, placed())
    assert jobs.cancel("a", 60)
    assert not jobs.cancel("b", -1)
    assert jobs.cancelled() == ["a"]
    assert len(jobs.scheduled) == 0
