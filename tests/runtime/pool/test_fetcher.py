"""The fetcher of a child asks for more jobs before it has none left, and loses none by that."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from messages import Message, queued
from proxy import Proxy
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.broker.results import Outbox
from flaskiq.runtime.pool.fetcher import Fetcher
from flaskiq.runtime.pool.slots import Memory
from flaskiq.store.place import Placed
from flaskiq.store.script import sha
from flaskiq.store.store import Store

JOBS, AHEAD = 60, 20
"""Jobs in the queue, and in hand at most."""

HALF = AHEAD // 2

NOT_OURS = -1


class Child:
    """A fetcher as in a child of one thread that knows its jobs to be short."""

    def __init__(self, channel: Any, jobs: Store) -> None:
        self.identities: list[str] = []
        self.process, self._channel, self._jobs = channel.process, channel, jobs
        for _ in range(100):
            channel.pace.ran("default", 0.00001)
        self.fetcher = Fetcher(
            channel,
            Memory(1, most=1).slots(0),
            Outbox(),
            queues=["default"],
            threads=1,
            multiplier=AHEAD,
            tell=self.identities.append,
        )

    def run(self, count: int) -> list[int]:
        """Run so many jobs to their end; return their numbers."""
        return [self.begin(ends=True) for _ in range(count)]

    def begin(self, *, ends: bool = False) -> int:
        """Begin the next job; return its number."""
        fetched = self.fetcher.next()
        assert fetched is not None
        if not self.process.may_start(fetched.tag, begins=True):
            return NOT_OURS
        if ends:
            self._channel.finish(fetched.tag)
        return number_of(fetched.message)

    def in_flight(self, identity: str = "") -> list[int]:
        """The numbers of what is in flight, in the order of the fetches."""
        found = self._jobs.processes.inflight(identity or self.process.id)
        return [number_of(Placed.unpack(found[seq]).message) for seq in sorted(found)]


def number_of(message: bytes) -> int:
    return int(Message(message.decode()).args[0])


def waiting(store: Redis) -> list[int]:
    """The numbers of what is in the queue, the next one to run first."""
    return [each.args[0] for each in queued(store)]


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def child(pool_jobs: ModuleType, jobs: Store, proxy: Proxy) -> Iterator[Child]:
    """One with :data:`JOBS` jobs in the queue."""
    pool_jobs.Note.perform_bulk([(number,) for number in range(JOBS)])
    with pool_jobs.celery_app.connection_for_read(proxy.url) as connection:
        channel = connection.channel()
        channel.process.start()
        yield Child(channel, jobs)
        channel.process.leave()


def test_with_half_of_a_fetch_left_the_next_is_sent(child: Child) -> None:
    assert child.run(HALF - 1) == list(range(HALF - 1))
    assert child.in_flight() == list(range(AHEAD))
    assert child.run(1) == [HALF - 1]
    # It acknowledges what was over by then, and no more is in hand than allowed.
    here = list(range(HALF - 1, HALF - 1 + AHEAD))
    until(lambda: child.in_flight() == here, "the next jobs are in flight")
    assert child.run(JOBS - HALF) == list(range(HALF, JOBS)), "all, in their order"


@pytest.mark.parametrize("number", [HALF - 1, AHEAD - 1])
def test_what_is_on_its_way_does_not_wait_behind_a_long_job(
    child: Child, store: Redis, number: int
) -> None:
    """Nor if that is the last one of those that have come."""
    child.run(number)
    assert child.begin() == number
    assert child.fetcher.has_unstarted
    assert child.fetcher.push_back_unstarted() > 0
    assert waiting(store) == list(range(number + 1, JOBS))
    assert not child.fetcher.has_unstarted


def test_one_that_ends_leaves_nothing_of_what_was_on_its_way(child: Child, store: Redis) -> None:
    child.run(HALF)
    child.fetcher.is_stopping = True
    assert child.fetcher.next() is None
    child.fetcher.push_back_unstarted()
    child.fetcher.flush()
    assert waiting(store) == list(range(HALF, JOBS))
    assert child.in_flight() == []
    assert child.process.hand.is_settled


def test_when_the_reply_is_lost_each_job_runs_once(child: Child, proxy: Proxy) -> None:
    child.run(HALF - 1)
    proxy.mark = sha("fetch").encode()
    assert child.run(1) == [HALF - 1]
    until(lambda: proxy.cuts == 1, "the reply is lost")
    proxy.mark = None
    assert child.run(JOBS - HALF) == list(range(HALF, JOBS))
    child.fetcher.flush()
    assert child.in_flight() == []


def test_a_server_that_has_lost_the_script_is_given_it(child: Child, store: Redis) -> None:
    child.run(HALF - 1)
    store.script_flush()
    assert child.run(JOBS - HALF + 1) == list(range(HALF - 1, JOBS))
    child.fetcher.flush()
    assert child.in_flight() == []


def test_who_was_taken_for_dead_runs_nothing_of_what_was_on_its_way(
    child: Child, jobs: Store, store: Redis
) -> None:
    before = child.process.id
    child.run(HALF)
    given_away = list(range(HALF - 1, HALF - 1 + AHEAD))
    until(lambda: child.in_flight() == given_away, "the next jobs are in flight")
    store.delete(jobs.keys.heartbeat(before))
    assert jobs.processes.declare_dead(before)
    until(lambda: child.process.is_taken_for_dead, "it has been told")
    assert child.run(HALF) == [NOT_OURS] * HALF, "those that have come"
    assert child.run(1) == [given_away[-1] + 1]
    assert child.in_flight(before) == given_away
    assert child.identities == [child.process.id]


def test_queues_that_change_while_it_begins_to_wait_count_at_once(
    child: Child, pool_jobs: ModuleType, jobs: Store, store: Redis
) -> None:
    """It has chosen the old ones by then, and Redis does not know yet that it waits."""

    def change() -> None:
        child.fetcher.serve(["other"])
        with pool_jobs.app.app_context():
            pool_jobs.Note.set(queue="default").perform_async(1)
            pool_jobs.Note.set(queue="other").perform_async(2)

    def begin_to_wait() -> None:
        child.fetcher.before_wait = lambda: None
        changing.start()
        until(lambda: "cmdstat_client|unblock" in store.info("commandstats"), "it is called")

    store.config_resetstat()
    changing = Thread(target=change)
    child.run(JOBS)
    child.fetcher.flush()  # with something to send it would not wait, nor with a token
    store.delete(f"{jobs.keys.wake}default")
    child.fetcher.before_wait = begin_to_wait
    assert child.begin() == 2
    changing.join()
    assert waiting(store) == [1]
