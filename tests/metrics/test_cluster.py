"""What is told of the whole app, from what is in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis
from scrape import Scrape, scrape, scrape_openmetrics
from servers import Server

from flaskiq import histogram
from flaskiq.extension import AppState
from flaskiq.metrics.cluster import ClusterCollector
from flaskiq.metrics.metric import CLUSTER
from flaskiq.store import reading
from flaskiq.store.processes import Facts
from flaskiq.tally import Ended, Ending, Tally

EVIL = 'a"b\\c\nd|e{},=é', 'q"\\\n|["x"]'


def record(state: AppState, *ended: Ended, process: str = "p") -> None:
    tally = Tally(10)
    for each in ended:
        tally.note(each)
    assert state.store.statistics.record(process, tally.batch(), {}, 60)


def ended(
    worker: str = "shop.Add",
    queue: str = "low",
    ending: Ending = "done",
    seconds: float | None = 0.02,
    waited: float = 3,
) -> Ended:
    now = time.time()
    ready_at = now - (seconds or 0) - waited
    return Ended("id", worker, queue, 1, ending, seconds, now, ready_at=ready_at)


def test_each_metric_of_the_table_is_told_as_the_table_says(
    cluster: Scrape, state: AppState
) -> None:
    record(state, ended())
    state.store.cron.tell(5.0, 0.5)
    state.store.chords.report({"active": 2, "stuck": 1, "oldest_seconds": 3.5, "looked_at": 6.0})
    families = cluster().families
    for metric in CLUSTER:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning)
        assert family.samples, metric
        for sample in family.samples:
            assert {*sample.labels} - {"le"} == {*metric.labels}
    assert len(families) == len(CLUSTER)


def test_attempts_by_worker_queue_and_outcome(cluster: Scrape, state: AppState) -> None:
    record(state, ended(), ended(), ended(ending="dead"), ended(queue="high"))
    told = cluster()
    jobs = "flaskiq_jobs_total"
    assert told.get(jobs, worker="shop.Add", queue="low", outcome="done") == 2
    assert told.get(jobs, worker="shop.Add", queue="low", outcome="dead") == 1
    assert told.get(jobs, worker="shop.Add", queue="high", outcome="done") == 1
    assert told.total(jobs) == 4


def test_run_times_and_waits(cluster: Scrape, state: AppState) -> None:
    record(state, ended(seconds=0.02, waited=0.2), ended(seconds=400, waited=20))
    told = cluster()
    run, wait = "flaskiq_job_run_seconds", "flaskiq_job_wait_seconds"
    assert told.get(f"{run}_count", worker="shop.Add") == 2
    assert told.get(f"{run}_sum", worker="shop.Add") == pytest.approx(400.02, abs=1e-5)
    assert told.get(f"{run}_bucket", worker="shop.Add", le="0.01") == 0
    assert told.get(f"{run}_bucket", worker="shop.Add", le="0.03") == 1
    assert told.get(f"{run}_bucket", worker="shop.Add", le="335.0") == 1
    assert told.get(f"{run}_bucket", worker="shop.Add", le="+Inf") == 2
    assert told.get(f"{wait}_count", queue="low") == 2
    assert told.get(f"{wait}_sum", queue="low") == pytest.approx(20.2, abs=0.01)
    assert told.get(f"{wait}_bucket", queue="low", le="0.225") == 1
    assert told.get(f"{wait}_bucket", queue="low", le="30.0") == 2


def test_a_batch_that_comes_twice_is_counted_once(cluster: Scrape, state: AppState) -> None:
    tally = Tally(10)
    tally.note(ended())
    for _ in range(3):
        state.store.statistics.record("p", tally.batch(), {}, 60)
    assert cluster().total("flaskiq_jobs_total") == 1
    assert cluster().total("flaskiq_job_wait_seconds_count") == 1


@pytest.mark.parametrize("read", [scrape, scrape_openmetrics])
def test_names_of_any_kind_come_out_as_they_went_in(
    read: Callable[[CollectorRegistry], Scrape], registry: CollectorRegistry, state: AppState
) -> None:
    worker, queue = EVIL
    record(state, ended(worker, queue), ended(f"{worker}|{queue}", "low"))
    told = read(registry)()
    jobs = "flaskiq_jobs_total"
    assert told.get(jobs, worker=worker, queue=queue, outcome="done") == 1
    assert told.get(jobs, worker=f"{worker}|{queue}", queue="low", outcome="done") == 1
    assert told.get("flaskiq_job_run_seconds_count", worker=worker) == 1
    assert told.get("flaskiq_job_wait_seconds_count", queue=queue) == 1


def test_queues_and_sets(cluster: Scrape, jobs: ModuleType, store: Redis) -> None:
    jobs.Add.perform_bulk([(n, n) for n in range(3)])
    jobs.Add.perform_in(60, 1, 1)
    # A job of another message priority: kombu keeps it in a list of its own.
    jobs.celery_app.send_task("metrics_app.Add", (1, 1), queue="default", priority=9)
    store.sadd("flaskiq:paused", "low")
    told = cluster()
    assert told.get("flaskiq_queue_size", queue="default") == 4
    assert told.get("flaskiq_queue_size", queue="critical") == 0
    latency = told.get("flaskiq_queue_latency_seconds", queue="default")
    assert latency is not None
    assert 0 < latency < 20
    assert told.get("flaskiq_queue_paused", queue="low") == 1
    assert told.get("flaskiq_queue_paused", queue="default") == 0
    assert told.get("flaskiq_set_size", set="scheduled") == 1
    assert (
        told.get("flaskiq_set_size", set="retry") == told.get("flaskiq_set_size", set="dead") == 0
    )


def test_a_queue_whose_jobs_do_not_say_since_when_has_no_latency(
    cluster: Scrape, store: Redis
) -> None:
    store.lpush("low", "{}")
    told = cluster()
    assert told.get("flaskiq_queue_size", queue="low") == 1
    assert told.get("flaskiq_queue_latency_seconds", queue="low") is None


def test_processes_and_jobs_in_flight(cluster: Scrape, state: AppState, store: Redis) -> None:
    facts: Facts = {"queues": json.dumps(["low", "their own"]), "concurrency": 4}
    for process in ("one", "two"):
        state.store.processes.register(process, 60, facts)
    state.store.processes.deregister("two")
    for process in ("one", "two"):
        store.hset(f"flaskiq:inflight:{process}", "1", "low\0low\0{}")
    told = cluster()
    assert told.get("flaskiq_processes") == 1
    assert told.get("flaskiq_concurrency") == 4
    assert told.get("flaskiq_jobs_in_flight") == 2, "what the other had is still to be given away"
    assert told.get("flaskiq_queue_processes", queue="low") == 1
    assert told.get("flaskiq_queue_processes", queue="default") == 0
    assert told.get("flaskiq_queue_size", queue="their own") == 0


def test_cron_and_chords(cluster: Scrape, state: AppState) -> None:
    before = cluster()
    assert before.get("flaskiq_cron_leader") == 0
    assert before.get("flaskiq_cron_lag_seconds") is None
    assert before.get("flaskiq_chords_stuck") is None
    state.store.cron.lead("scheduler", "", 60)
    state.store.cron.touch(["nightly"], time.time())
    state.store.cron.tell(1_700_000_000.0, 0.25)
    state.store.chords.report({"active": 3, "stuck": 1, "oldest_seconds": 9, "looked_at": 7})
    told = cluster()
    assert told.get("flaskiq_cron_leader") == 1
    assert told.get("flaskiq_cron_entries") == 1
    assert told.get("flaskiq_cron_lag_seconds") == 0.25
    assert told.get("flaskiq_cron_tick_timestamp_seconds") == 1_700_000_000
    assert told.get("flaskiq_chords_active") == 3
    assert told.get("flaskiq_chords_stuck") == 1


def test_a_scrape_makes_two_trips(
    registry: CollectorRegistry, state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: Facts = {"queues": '["low"]', "concurrency": 1}
    for process in range(20):
        state.store.processes.register(str(process), 60, facts)
    list(registry.collect())  # it connects, and Redis learns the scripts
    trips: list[int] = []
    send = reading._send

    def count(client: Redis, commands: Sequence[Any]) -> list[Any]:
        trips.append(len(commands))
        return send(client, commands)

    monkeypatch.setattr(reading, "_send", count)
    list(registry.collect())
    assert len(trips) == 2


def test_without_redis_it_says_so_and_goes_on_when_it_is_back(
    own_server: Server, state: AppState
) -> None:
    registry = CollectorRegistry()
    collector = ClusterCollector(state)
    registry.register(collector)
    told = scrape(registry)
    assert told().get("flaskiq_up") == 1
    own_server.kill()
    away = told()
    assert away.get("flaskiq_up") == 0
    assert not collector.is_up
    assert [*away.families] == ["flaskiq_up", "flaskiq_redis_errors"]
    failed = away.total("flaskiq_redis_errors_total")
    assert failed >= 1
    own_server.start()
    back = told()
    assert back.get("flaskiq_up") == 1
    assert back.get("flaskiq_queue_size", queue="low") == 0
    assert back.total("flaskiq_redis_errors_total") >= failed


def test_hundreds_of_names_are_read_soon(registry: CollectorRegistry, state: AppState) -> None:
    """More than an app has, each with all its buckets; it takes about a fifth of a second."""
    sizes = [*histogram.BOUNDS, 1000.0]
    for worker in range(200):
        record(state, *(ended(f"shop.Worker{worker}", f"q{worker}", seconds=s) for s in sizes),
               process=str(worker))  # fmt: skip
    began = time.perf_counter()
    list(registry.collect())
    assert time.perf_counter() - began < 2
