"""How a worker ends, and what it leaves behind."""

from __future__ import annotations

import signal
from types import ModuleType
from typing import Any

import pytest
from fleet import SOLO, THREADS, gevent_or_skip
from messages import queued
from redis import Redis
from waiting import until

from flaskiq.store.store import Store


def started(store: Redis) -> list[str]:
    return store.lrange("record:started", 0, -1)


def test_term_lets_running_jobs_finish_and_starts_no_more(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store, pool: str
) -> None:
    worker = start_worker("--concurrency=4")
    sample.Sleeps.perform_bulk([(f"job {n}", 0.4) for n in range(40)])
    until(lambda: len(started(store)) >= 6, "some run")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    done = store.lrange("record:ended", 0, -1)
    assert sorted(done) == sorted(started(store))
    assert len(done) + store.llen("default") == 40
    assert jobs.processes.live() == set()

    start_worker("--concurrency=4")
    until(lambda: store.llen("record:ended") == 40, "the rest runs")
    assert sorted(started(store)) == sorted(f"job {n}" for n in range(40))


@pytest.mark.parametrize("pool", ["prefork", THREADS, SOLO, "gevent"])
def test_what_does_not_finish_in_time_is_in_front_of_its_queue(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store, pool: str
) -> None:
    if pool == "gevent":
        gevent_or_skip()
    slots = 1 if pool == "solo" else 2
    worker = start_worker(f"--concurrency={slots}", FLASKIQ_SHUTDOWN_TIMEOUT="2")
    sample.Sleeps.perform_bulk([(f"long {n}", 30) for n in range(slots)])
    sample.Sleeps.perform_bulk([("behind", 0)])
    until(lambda: len(started(store)) == slots, "they run")
    worker.send(signal.SIGTERM)
    worker.wait(timeout=20)
    waiting = [message.args[0] for message in queued(store)]
    assert sorted(waiting[:slots]) == [f"long {n}" for n in range(slots)]
    assert waiting[slots:] == ["behind"]
    assert all("flaskiq_deaths" not in message.headers for message in queued(store))
    assert store.lrange("record:ended", 0, -1) == []


def test_tstp_quiets(sample: ModuleType, store: Redis, start_worker: Any) -> None:
    worker = start_worker("--concurrency=2")
    running = sample.Sleeps.perform_async("running", 2)
    until(lambda: started(store) == ["running"], "it runs")
    worker.send(signal.SIGTSTP)
    worker.wait_for("fetching no more jobs")
    sample.Sleeps.perform_async("not taken", 0)
    assert running.get(timeout=20) == "running"
    assert store.llen("default") == 1
    assert worker.is_running
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert started(store) == ["running"]
