"""The dead set, on a real server."""

from __future__ import annotations

import json

import pytest
from redis import Redis
from servers import Server

from flaskiq.failure import Failure
from flaskiq.store.dead_set import Caps
from flaskiq.store.place import Placed
from flaskiq.store.store import Store

FAILURE = Failure.of(OSError("gone"), 4, 1e9)


def message(job_id: str, **headers: object) -> bytes:
    content = {"body": "[[], {}, {}]", "headers": {"id": job_id, **headers}, "properties": {}}
    return json.dumps(content).encode()


def open_store(server: Server, **caps: int) -> Store:
    return Store(Redis.from_url(server.url), caps=Caps(**caps))


@pytest.fixture
def jobs(server: Server, store: Redis) -> Store:
    """The structures of an empty database."""
    return open_store(server)


def bury(jobs: Store, *ids: str) -> None:
    for job_id in ids:
        jobs.dead.bury(job_id, Placed("low", "low", message(job_id)), FAILURE)


def sizes(store: Redis) -> set[int]:
    """How many jobs there are in the set, and in the hashes beside it."""
    return {
        store.zcard("flaskiq:dead"),
        store.hlen("flaskiq:dead:jobs"),
        store.hlen("flaskiq:dead:failures"),
    }


def test_a_dead_job_is_found_with_its_failure(jobs: Store, store: Redis) -> None:
    bury(jobs, "a", "b")
    entry = jobs.dead.find("a")
    assert entry is not None
    assert entry.failure == FAILURE
    assert (FAILURE.error, FAILURE.message, FAILURE.attempt) == ("OSError", "gone", 4)
    assert [each.failure for each in jobs.dead] == [FAILURE, FAILURE]
    assert jobs.dead.remove("a") == entry.placed
    assert sizes(store) == {1}


def test_the_oldest_leave_when_there_are_too_many(server: Server, store: Redis) -> None:
    bury(open_store(server, jobs=100), *"abcdef")
    few = open_store(server, jobs=3)
    bury(few, "g")
    assert [entry.id for entry in few.dead] == ["e", "f", "g"]
    assert sizes(store) == {3}


def test_the_old_leave(server: Server, store: Redis) -> None:
    jobs = open_store(server, age=1000)
    bury(jobs, "old", "young")
    now = jobs.now()
    store.zadd("flaskiq:dead", {"old": now - 1001, "young": now - 990})
    bury(jobs, "new")
    assert [entry.id for entry in jobs.dead] == ["young", "new"]
    assert sizes(store) == {2}


def test_a_replayed_job_is_as_if_it_had_never_run(jobs: Store, store: Redis) -> None:
    family = {"root_id": "r", "parent_id": "p", "group": "g", "flaskiq_max_retries": 2}
    spent = {"retries": 3, "flaskiq_failed_at": 1.0, "flaskiq_deaths": 3, "flaskiq_reason": "x"}
    raw = message("a", **family, **spent, expires="2001-01-01T00:00:00+00:00")
    store.lpush("low", "other")
    jobs.dead.bury("a", Placed("low", "low", raw), FAILURE)
    assert jobs.dead.retry("a")
    assert not jobs.dead.retry("a")
    first, second = store.lrange("low", 0, -1)
    assert second == "other"
    renewed = json.loads(first)
    assert abs(renewed["headers"].pop("flaskiq_enqueued_at") - jobs.now()) < 60
    expected = {"id": "a", **family, "retries": 0, "expires": None}
    assert renewed == json.loads(message("a")) | {"headers": expected}
    assert store.llen("flaskiq:wake:low") == 1
    assert sizes(store) == {0}


@pytest.mark.parametrize("raw", [b"\xff\0{", b"[]", b'{"headers": null}'])
def test_what_nobody_can_read_is_replayed_as_it_is(jobs: Store, raw: bytes) -> None:
    jobs.dead.bury("a", Placed("low", "low", raw), FAILURE)
    assert jobs.dead.retry("a")
    assert jobs.client.lrange("low", 0, -1) == [raw]
