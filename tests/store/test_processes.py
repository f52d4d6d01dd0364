"""Fetching, and what becomes of jobs in flight, script by script on a real server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from fetching import Fetch, fetch_from
from redis import Redis
from servers import Server
from waiting import until

from flaskiq.failure import Failure
from flaskiq.message import DEATHS_HEADER
from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.place import Placed
from flaskiq.store.prepared_fetch import Source
from flaskiq.store.processes import LATEST, Fetched
from flaskiq.store.results import StateOf
from flaskiq.store.store import Store

LISTS = [(queue, queue) for queue in ("critical", "default", "low")]


@pytest.fixture
def jobs(server: Server, store: Redis) -> Store:
    """The structures of an empty database, with one live process ``p``."""
    jobs = Store(Redis.from_url(server.url))
    jobs.processes.register("p", 60)
    jobs.processes.load_fetch()
    return jobs


def push(jobs: Store, queue: str, *messages: bytes) -> None:
    for message in messages:
        jobs.client.lpush(queue, message)


def fetch(
    jobs: Store,
    credit: int = 1,
    seq: int = 0,
    acks: Any = (),
    woken: bool = True,
    most: Mapping[str, int] = MappingProxyType({}),
) -> Fetch:
    sources = [Source(queue, key, most.get(queue, 50)) for queue, key in LISTS]
    return fetch_from(jobs, "p", sources, credit=credit, seq=seq, acks=acks, woken=woken)


def finish(jobs: Store, *results: StateOf) -> int:
    """Fetch from an empty queue, with the results of jobs that have finished."""
    acks = [result.seq for result in results]
    sources = [Source("default", "default", 1)]
    return fetch_from(
        jobs, "p", sources, credit=1, seq=100, acks=acks, results=results
    ).acknowledged


SUCCEEDED = '{"status": "SUCCESS", "result": %d}'


@pytest.mark.parametrize("before", [None, '{"status": "STARTED"}'], ids=["first", "started"])
def test_a_result_goes_with_its_acknowledgement(jobs: Store, before: str | None) -> None:
    push(jobs, "default", b"{}", b"{}")
    fetch(jobs, seq=1)
    fetch(jobs, seq=2)
    if before is not None:
        jobs.client.mset({"kept": before, "for ever": before})
    kept, for_ever = SUCCEEDED % 1, SUCCEEDED % 2
    assert finish(jobs, StateOf(1, "kept", kept, 60), StateOf(2, "for ever", for_ever, 0)) == 2
    assert jobs.client.mget("kept", "for ever") == [kept.encode(), for_ever.encode()]
    assert 0 < jobs.client.ttl("kept") <= 60
    assert jobs.client.ttl("for ever") == -1


def test_a_result_of_a_job_that_others_have_is_not_written(jobs: Store) -> None:
    assert finish(jobs, StateOf(1, "kept", SUCCEEDED % 1, 60)) == 0
    assert jobs.client.get("kept") is None


def test_a_success_stays_as_it_is(jobs: Store) -> None:
    push(jobs, "default", b"{}")
    fetch(jobs, seq=1)
    jobs.client.set("kept", SUCCEEDED % 1)
    assert finish(jobs, StateOf(1, "kept", SUCCEEDED % 2, 60)) == 1
    assert jobs.client.get("kept") == (SUCCEEDED % 1).encode()


def test_each_list_belongs_to_its_queue(jobs: Store) -> None:
    names = [(queue, f"{queue}{step}") for step in ("", ":3", ":6") for queue in ("default", "low")]
    sources = [Source(queue, name, 1) for queue, name in names]
    for seq, (queue, name) in enumerate(names):
        jobs.client.lpush(name, b"{}")
        fetch_from(jobs, "p", sources, credit=1, seq=seq)
        value = jobs.processes.inflight_value("p", seq)
        assert value is not None
        assert (Placed.unpack(value).queue, Placed.unpack(value).list) == (queue, name)


def test_a_fetched_job_is_in_flight(jobs: Store) -> None:
    push(jobs, "default", b'{"a": []}')
    got = fetch(jobs, seq=7)
    assert got.jobs == [Fetched(7, "7", "default", b'{"a": []}')]
    assert jobs.client.llen("default") == 0
    assert jobs.processes.inflight("p") == {7: Placed("default", "default", b'{"a": []}').pack()}


def test_lists_are_served_in_order(jobs: Store) -> None:
    push(jobs, "low", b"l1", b"l2")
    push(jobs, "critical", b"c1")
    push(jobs, "default", b"d1")
    fetches = [fetch(jobs, credit=4, seq=seq) for seq in range(0, 12, 4)]
    assert [[job.message for job in got.jobs] for got in fetches] == [
        [b"c1"],
        [b"d1"],
        [b"l1", b"l2"],
    ]


def test_a_list_has_a_limit_of_its_own(jobs: Store) -> None:
    push(jobs, "default", b"d1", b"d2", b"d3")
    push(jobs, "low", *(b"%d" % n for n in range(20)))
    first = fetch(jobs, credit=10, most={"default": 2})
    assert [job.message for job in first.jobs] == [b"d1", b"d2"]
    assert jobs.client.llen("default") == 1
    assert [job.message for job in fetch(jobs, credit=10, seq=10).jobs] == [b"d3"]
    assert len(fetch(jobs, credit=10, seq=20, most={"critical": 1, "default": 3}).jobs) == 10


def test_a_fetch_acknowledges_and_tells_what_was_fenced(jobs: Store) -> None:
    push(jobs, "default", b"1", b"2")
    fetch(jobs, credit=2, seq=0)
    assert fetch(jobs, seq=2, acks=[0, 1]).acknowledged == 2
    assert fetch(jobs, seq=3, acks=[0, 1]).acknowledged == 0
    assert jobs.processes.inflight("p") == {}


def test_a_batch_is_an_equal_share_of_the_queue(jobs: Store) -> None:
    for other in ("q", "r"):
        jobs.processes.register(other, 60)
    push(jobs, "default", *(str(number).encode() for number in range(12)))
    assert [job.message for job in fetch(jobs, credit=50).jobs] == [b"0", b"1", b"2", b"3"]
    assert [job.message for job in fetch(jobs, credit=50, seq=4).jobs] == [b"4", b"5", b"6"]


def test_a_heartbeat_tells_what_is_paused(jobs: Store) -> None:
    assert jobs.processes.beat("p", 5) == (True, frozenset(), frozenset())
    jobs.client.sadd(jobs.keys.paused, "critical", "low")
    assert jobs.processes.beat("p", 5).paused == {"critical", "low"}


def test_a_heartbeat_tells_what_is_in_flight(jobs: Store) -> None:
    push(jobs, "default", b"1", b"2")
    fetch(jobs, credit=2, seq=7)
    assert jobs.processes.beat("p", 5).inflight == {7, 8}


def test_a_heartbeat_can_be_renewed_while_memory_is_full(jobs: Store) -> None:
    jobs.client.config_set("maxmemory", 1)
    try:
        for process in ("p", "new"):
            jobs.processes.beat(process, 50)
            assert 49_000 < jobs.client.pttl(jobs.keys.heartbeat(process)) <= 50_000
    finally:
        jobs.client.config_set("maxmemory", 0)


def test_what_is_left_behind_leaves_one_token(jobs: Store) -> None:
    push(jobs, "default", b"1", b"2", b"3")
    fetch(jobs)
    fetch(jobs, seq=1)
    assert jobs.client.lrange(jobs.keys.wake + "default", 0, -1) == [b"1"]
    jobs.client.delete(jobs.keys.wake + "default")
    fetch(jobs, seq=2)
    assert not jobs.client.exists(jobs.keys.wake + "default")


def test_who_takes_the_last_job_of_a_queue_wakes_another_for_the_next_queue(jobs: Store) -> None:
    push(jobs, "critical", b"c1")
    push(jobs, "low", b"l1")
    assert [job.message for job in fetch(jobs).jobs] == [b"c1"]
    assert jobs.client.lrange(jobs.keys.wake + "low", 0, -1) == [b"1"]


def test_a_process_that_was_not_woken_passes_no_token_on(jobs: Store) -> None:
    push(jobs, "default", b"1", b"2", b"3")
    fetch(jobs, woken=False)
    assert not jobs.client.exists(jobs.keys.wake + "default")


def test_a_process_that_was_declared_dead_is_told(jobs: Store) -> None:
    jobs.client.delete(jobs.keys.heartbeat("p"))
    assert jobs.processes.declare_dead("p")
    assert not jobs.processes.declare_dead("p")
    assert not jobs.processes.beat("p", 5).alive


def test_a_death_wakes_a_promoter_since_the_token_may_have_died_with_it(jobs: Store) -> None:
    jobs.client.delete(jobs.keys.heartbeat("p"))
    assert jobs.processes.declare_dead("p")
    assert jobs.client.lrange(jobs.keys.promoter, 0, -1) == [b"1"]


def test_a_process_with_a_heartbeat_is_not_declared_dead(jobs: Store) -> None:
    assert not jobs.processes.declare_dead("p")
    assert jobs.processes.survey().silent == []


def test_a_survey_names_the_silent_and_the_lost(jobs: Store) -> None:
    jobs.processes.register("short", 0.05)
    until(lambda: jobs.processes.survey().silent == ["short"], "its heartbeat is over")
    jobs.processes.declare_dead("short")
    assert jobs.processes.survey().silent == []
    assert jobs.processes.survey().lost == [], "nothing of it is in flight"
    push(jobs, "default", b"1")
    fetch_from(jobs, "short", [Source("default", "default", 1)], credit=1, seq=0)
    survey = jobs.processes.survey()
    assert survey.lost == ["short"], "a fetch of it was on its way"
    assert survey.run_id.decode() == jobs.client.info("server")["run_id"]


def test_a_survey_forgets_the_lost_when_nothing_of_them_can_come(jobs: Store) -> None:
    for process in ("late", "over", "settled"):
        jobs.processes.register(process, 5)
    push(jobs, "default", b"1")
    fetch_from(jobs, "late", [Source("default", "default", 1)], credit=1, seq=0)
    for process in ("late", "over", "settled"):
        jobs.processes.deregister(process)
    for process in ("late", "settled"):
        jobs.client.zincrby(jobs.keys.lost_processes, -LATEST - 1, process)
    jobs.processes.survey()
    assert jobs.processes.lost() == {"late", "over"}


def test_a_process_that_ends_in_order_is_forgotten_at_once(jobs: Store) -> None:
    jobs.processes.register("q", 5, {"pid": 1})
    jobs.processes.deregister("q", is_over=True)
    assert "q" not in jobs.processes.live() | jobs.processes.lost()
    assert not jobs.client.exists(jobs.keys.heartbeat("q"), jobs.keys.facts("q"))
    push(jobs, "default", b"1")
    fetch(jobs)
    jobs.processes.deregister("p", is_over=True)
    assert jobs.processes.lost() == {"p"}, "reapers have to see what it has left"


def test_requeued_jobs_are_in_front_again_and_in_order(jobs: Store) -> None:
    push(jobs, "default", b"1", b"2", b"3")
    fetch(jobs, credit=2)
    assert jobs.processes.requeue("p", [0, 1]) == 2
    assert jobs.processes.requeue("p", [0, 1]) == 0
    assert [job.message for job in fetch(jobs, credit=3, seq=2).jobs] == [b"1", b"2", b"3"]


def test_a_lost_job_is_settled_once(jobs: Store) -> None:
    push(jobs, "default", b"1")
    fetch(jobs)
    value = jobs.processes.inflight("p")[0]
    assert jobs.processes.put_back("p", 0, value, b"one")
    assert not jobs.processes.put_back("p", 0, value, b"one")
    assert jobs.client.lrange("default", 0, -1) == [b"one"]


FAILURE = Failure.of(OSError("gone"), 1)


def test_a_job_that_finished_meanwhile_is_not_settled(jobs: Store) -> None:
    push(jobs, "default", b"1")
    fetch(jobs)
    value = jobs.processes.inflight("p")[0]
    jobs.processes.acknowledge("p", [0])
    assert not jobs.dead.bury_from_flight("id", FAILURE, Flight("p", 0), seen=value)
    assert len(jobs.dead) == 0


def test_a_buried_job_is_in_the_dead_set(jobs: Store) -> None:
    push(jobs, "default", b"1")
    fetch(jobs)
    value = jobs.processes.inflight("p")[0]
    assert jobs.dead.bury_from_flight("id", FAILURE, Flight("p", 0), seen=value)
    entry = jobs.dead.find("id")
    assert entry is not None
    assert entry.placed == Placed("default", "default", b"1")
    assert entry.failure == FAILURE
    assert jobs.processes.inflight("p") == {}


def counted(name: str) -> bytes:
    return json.dumps({"headers": {"id": name, DEATHS_HEADER: 1}}).encode()


def test_a_counted_job_is_fetched_alone(jobs: Store) -> None:
    push(jobs, "default", b"1", counted("bad"), b"2")
    assert [job.message for job in fetch(jobs, credit=9).jobs] == [b"1"]
    # Another job is in flight here, so this process waits with it.
    assert fetch(jobs, credit=9, seq=10).jobs == []
    alone = fetch(jobs, credit=9, seq=20, acks=[0])
    assert [job.message for job in alone.jobs] == [counted("bad")]
    assert [job.message for job in fetch(jobs, credit=9, seq=30, acks=[20]).jobs] == [b"2"]


def test_the_mark_is_what_json_writes() -> None:
    from flaskiq.store.prepared_fetch import DEATHS_MARK

    assert DEATHS_MARK.encode() in counted("bad")


def test_every_script_says_its_keys_and_arguments() -> None:
    from importlib.resources import files

    scripts = list(files(script.__package__).joinpath("scripts").iterdir())
    assert len(scripts) >= 8
    for each in scripts:
        head = each.read_text().partition("\nlocal ")[0]
        assert "-- KEYS" in head, each.name
        assert "-- ARGV" in head, each.name
        assert "-- Returns" in head, each.name
