"""Counts, run times and processes, as real workers record them."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime, timezone
from types import ModuleType

import pytest
from fleet import SOLO, THREADS, StartWorker, cut_workers
from redis import Redis
from servers import Server
from waiting import until

from flaskiq import api
from flaskiq.store.statistics import Running
from flaskiq.store.store import Store
from flaskiq.tally import Batch, Ended, Tally


def ended(job_id: str, ending: str = "done", seconds: float | None = 0.01) -> Ended:
    return Ended(job_id, "shop.Add", "low", 1, ending, seconds, time.time())  # type: ignore[arg-type]


@pytest.mark.parametrize("pool", ["prefork", THREADS, SOLO])
def test_every_attempt_is_counted_by_how_it_ended(
    sample: ModuleType, start_worker: StartWorker
) -> None:
    start_worker()
    sample.Add.perform_bulk([(n, 0) for n in range(50)])
    sample.Fails.perform_async(3)
    sample.Doomed.set(max_retries=0).perform_async("fail")
    sample.Doomed.perform_async("discard")
    until(lambda: api.Stats().processed == 55, "everything is counted")
    stats = api.Stats()
    assert stats.endings == {
        "done": 51, "retried": 2, "snoozed": 0, "dead": 1, "discarded": 1, "cancelled": 0,
    }  # fmt: skip
    assert stats.failed == 3
    today = datetime.now(timezone.utc).date()
    assert sum(processed for processed, _ in stats.days(2).values()) == 55
    assert next(iter(stats.days())) in (today, stats.days())
    times = {each.name: each for each in stats.workers(10)}
    assert times["sample.Add"].processed == 50
    assert times["sample.Fails"].failed == 2
    assert times["sample.Add"].p95 is not None
    assert {each.name for each in stats.queue_times(10)} == {"default"}
    assert [stats.enqueued, stats.scheduled, stats.retries, stats.dead, stats.busy] == [
        0,
        0,
        0,
        1,
        0,
    ]


@pytest.mark.parametrize("pool", ["prefork", THREADS])
def test_the_last_counts_are_written_when_a_worker_ends(
    sample: ModuleType, start_worker: StartWorker
) -> None:
    worker = start_worker()
    job = sample.Sleeps.perform_async("a", 1.5)
    until(lambda: job.status == "STARTED", "it runs")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert api.Stats().endings["done"] == 1
    assert api.find(job.id).state == api.State.DONE


def test_counts_outlive_an_outage(
    sample: ModuleType, start_worker: StartWorker, store: Redis
) -> None:
    start_worker()
    for _ in range(5):
        jobs = sample.Add.perform_bulk([(n, 0) for n in range(20)])
        cut_workers(store)
        for job in jobs:
            job.get(timeout=20)
    until(lambda: api.Stats().endings["done"] >= 100, "all are counted")
    assert api.Stats().endings["done"] == 100


def test_a_batch_is_counted_once_however_often_it_comes(jobs: Store) -> None:
    tally = Tally(keeps=10)
    tally.note(ended("a"))
    tally.note(ended("b", "dead", None))
    batch = tally.batch()
    assert batch is not None
    assert jobs.statistics.record("p", batch, {}, 60)
    assert tally.batch() is batch, "it is not confirmed yet"
    assert not jobs.statistics.record("p", batch, {}, 60)
    assert jobs.statistics.totals() == {
        "done": 1, "dead": 1, "queue|low|done": 1, "queue|low|dead": 1,
        "worker|shop.Add|done": 1, "worker|shop.Add|dead": 1,
    }  # fmt: skip
    tally.confirmed()
    assert tally.batch() is None
    tally.note(ended("c"))
    assert jobs.statistics.record("p", tally.batch(), {}, 60)
    assert jobs.statistics.totals()["done"] == 2


def test_finished_jobs_are_kept_by_number_and_by_age(server: Server, store: Redis) -> None:
    from flaskiq.store.statistics import History

    few = Store(Redis.from_url(server.url), history=History(3, 1000))
    old = Ended("old", "w", "q", 1, "done", 1.0, time.time() - 1001)
    batch = Batch(1, {}, {}, [old, *(ended(str(n)) for n in range(5))])
    few.statistics.record("p", batch, {}, 60)
    assert few.statistics.finished("old") is None
    assert few.statistics.finished("0") is None
    assert {each.id for each in few.statistics.last_finished()} == {"2", "3", "4"}
    assert store.hlen("flaskiq:finished:jobs") == 3


def test_running_jobs_are_replaced_and_go_with_their_process(jobs: Store) -> None:
    job = Running("w", "q", 2, 17.5, 3)
    jobs.statistics.record("p", None, {"a": job, "b": job}, 60)
    assert jobs.statistics.running("p") == {"a": job, "b": job}
    jobs.statistics.record("p", None, {"b": job}, 60)
    assert jobs.statistics.running("p") == {"b": job}
    jobs.processes.register("p", 60)
    jobs.processes.deregister("p")
    assert jobs.statistics.running("p") == {}


@pytest.mark.parametrize("pool", ["prefork", THREADS])
def test_a_process_tells_of_itself(sample: ModuleType, start_worker: StartWorker) -> None:
    worker = start_worker("-Q", "critical,low", "--concurrency=2")
    until(lambda: len(api.ProcessSet()) == 1, "it beats")
    (process,) = api.ProcessSet()
    assert (process.pid, process.node) == (worker.pid, "worker1@test")
    assert process.identity.startswith(f"{process.host}:{worker.pid}:")
    assert (process.queues, process.concurrency) == (("critical", "low"), 2)
    assert process.pool in ("prefork", "threads")
    assert 10_000_000 < process.rss < 1_000_000_000
    assert process.started_at == pytest.approx(time.time(), abs=30)
    assert not process.is_quiet
    job = sample.Sleeps.set(queue="low").perform_async("a", 2)
    until(lambda: api.ProcessSet()[process.identity].busy == 1, "it says what runs")
    (running,) = api.running()
    assert (running.id, running.worker, running.queue) == (job.id, "sample.Sleeps", "low")
    assert api.Stats().busy == 1


def test_one_process_is_told_to_be_quiet_and_to_stop(
    sample: ModuleType, start_worker: StartWorker
) -> None:
    workers = [start_worker(), start_worker()]
    until(lambda: len(api.ProcessSet()) == 2, "both beat")
    first = next(each for each in api.ProcessSet() if each.pid == workers[0].pid)
    assert first.quiet()
    until(lambda: api.ProcessSet()[first.identity].is_quiet, "it says so")
    assert sorted(each.is_quiet for each in api.ProcessSet()) == [False, True]
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    assert first.stop()
    assert workers[0].wait() == 0
    assert workers[1].is_running
    assert [each.pid for each in api.ProcessSet()] == [workers[1].pid]
    assert not first.stop()
    with pytest.raises(KeyError):
        api.ProcessSet()[first.identity]


def test_a_killed_process_is_gone_after_its_heartbeat(
    sample: ModuleType, start_worker: StartWorker
) -> None:
    worker = start_worker()
    until(lambda: len(api.ProcessSet()) == 1, "it beats")
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: len(api.ProcessSet()) == 0, "its facts are gone")
