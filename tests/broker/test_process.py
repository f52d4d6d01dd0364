"""A process knows where each of its jobs is, beat by beat, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fetching import fetch_from
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.broker.process import BEATS, Process
from flaskiq.store.prepared_fetch import Source
from flaskiq.store.store import Store

TTL = 0.6


@pytest.fixture
def process(jobs: Store, server: Server) -> Iterator[Process]:
    """A process with a heart that beats."""

    def make_store(patience: float) -> Store:
        return Store(Redis.from_url(server.url, socket_timeout=patience))

    process = Process(make_store, TTL)
    process.start()
    yield process
    process.leave()


def fetch(jobs: Store, process: Process, *tags: str) -> list[int]:
    """Fetch as many ready jobs as there are tags, and take them in hand."""
    jobs.processes.load_fetch()
    jobs.client.lpush("default", *tags)
    sources = [Source("default", "default", len(tags))]
    seq = process.hand.next_seqs(len(tags))
    fetched = fetch_from(jobs, process.id, sources, credit=len(tags), seq=seq).jobs
    assert len(fetched) == len(tags)
    for tag, job in zip(tags, fetched, strict=True):
        process.hand.hold(tag, job.seq)
    process.hand.landed()
    return [job.seq for job in fetched]


def wait_for_beats(jobs: Store, process: Process, beats: int) -> None:
    """Wait until the heart has beaten so often: each beat sets the time to live anew."""
    key = jobs.keys.heartbeat(process.id)
    for _ in range(beats):
        before = jobs.client.pttl(key)
        until(
            lambda left=before: jobs.client.pttl(key) < left - TTL * 1000 / BEATS / 2,
            "time goes by",
        )
        until(
            lambda: jobs.client.pttl(key) > TTL * 1000 * (1 - 1 / BEATS / 2), "the heart has beaten"
        )


def test_a_finished_job_whose_acknowledgement_is_on_its_way_is_not_pushed_back(
    jobs: Store, process: Process
) -> None:
    (held, finished) = fetch(jobs, process, "held", "finished")
    assert process.hand.finish("finished")
    assert process.hand.take_acks() == [finished]
    wait_for_beats(jobs, process, 3)
    assert jobs.client.llen("default") == 0
    assert set(jobs.processes.inflight(process.id)) == {held, finished}


def test_what_nobody_knows_of_is_pushed_back_after_two_beats(jobs: Store, process: Process) -> None:
    fetch(jobs, process, "known", "forgotten")
    process.hand.release("forgotten")
    until(lambda: jobs.client.lrange("default", 0, -1) == [b"forgotten"], "it is ready again")


def test_what_finishes_after_others_were_given_it_is_counted_once(
    jobs: Store, process: Process
) -> None:
    fetch(jobs, process, "finishes before", "finishes after", "is retried after", "never starts")
    process.hand.finish("finishes before")
    dead = process.id
    process.renew()
    assert process.id != dead
    process.hand.expect_nothing("is retried after")
    assert not process.may_start("never starts")
    assert not process.hand.finish("finishes after")
    assert not process.hand.finish("is retried after")
    assert process.hand.count_fenced([], 0) == 2
    assert process.hand.count_fenced([], 0) == 0


def test_a_job_that_was_pushed_back_does_not_start(jobs: Store, process: Process) -> None:
    _, queued = fetch(jobs, process, "begun", "queued")
    assert process.hand.begin("begun")
    assert process.hand.release_unstarted(["begun", "queued"]) == [queued]
    assert not process.may_start("queued")
    assert not process.hand.begin("queued")


def test_it_stays_quiet_under_a_new_identity_until_it_has_ended(process: Process) -> None:
    process.is_quiet = process.is_stopping = True
    process.renew()  # it was declared dead
    assert process.is_quiet
    assert process.is_stopping
    process.leave()
    process.start()
    assert not process.is_quiet
    assert not process.is_stopping


def test_it_may_be_told_to_be_quiet_before_it_begins(process: Process) -> None:
    process.leave()
    process.is_quiet = True
    process.start()
    assert process.is_quiet


def test_a_process_that_ends_in_order_leaves_no_trace(jobs: Store, process: Process) -> None:
    identity = process.id
    for seq in fetch(jobs, process, "a"):
        jobs.processes.acknowledge(identity, [seq])
    process.leave()
    assert identity not in jobs.processes.live() | jobs.processes.lost()


@pytest.mark.parametrize("reconciles", [False, True], ids=["under way", "reconciled"])
def test_a_process_that_ends_after_a_lost_reply_is_remembered(
    jobs: Store, process: Process, *, reconciles: bool
) -> None:
    identity = process.id
    process.hand.next_seqs(1)
    if reconciles:
        process.reconcile(jobs)
    process.leave()
    assert identity in jobs.processes.lost(), "the fetch may come late"
