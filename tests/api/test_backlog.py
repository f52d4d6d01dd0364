"""How many ready jobs each Worker has."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from redis import Redis

from flaskiq import api
from flaskiq.api.backlog import by_worker


def test_of_several_queues_and_their_sub_lists(sample: ModuleType, store: Redis) -> None:
    assert by_worker(api.Queue.all()) == {}
    before = time.time()
    sample.Add.perform_bulk([(n, 0) for n in range(1500)])
    sample.Add.set(queue="low").perform_async(1, 2)
    sample.Describe.perform_async()
    sample.plain.apply_async(("x",), queue="low", priority=9)
    store.lpush("low", "not of this world")
    found = by_worker(api.Queue.all())
    assert {name: backlog.jobs for name, backlog in found.items()} == {
        "sample.Add": 1501, "sample.Describe": 1, "sample.plain": 1,
    }  # fmt: skip
    assert all(backlog.is_exact for backlog in found.values())
    assert found["sample.Add"].since == pytest.approx(before, abs=30)


def test_the_newest_stand_for_a_long_queue(sample: ModuleType) -> None:
    sample.Add.perform_bulk([(n, 0) for n in range(3000)])
    sample.Sleeps.perform_bulk([("a", n) for n in range(1000)])
    found = by_worker(api.Queue.all(), bound=2000)
    assert (found["sample.Add"].jobs, found["sample.Sleeps"].jobs) == (2000, 2000)
    assert not found["sample.Add"].is_exact
    exact = by_worker(api.Queue.all(), bound=4000)
    assert (exact["sample.Add"].jobs, exact["sample.Sleeps"].jobs) == (3000, 1000)
    assert exact["sample.Add"].is_exact
