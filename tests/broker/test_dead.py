"""Jobs that give up, in real workers: what is kept of them, who is told, and how they come back."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest
from celery.exceptions import TimeLimitExceeded
from redis import Redis
from waiting import until

from flaskiq import Discard, Kill
from flaskiq.message import read
from flaskiq.store.job_set import Entry
from flaskiq.store.store import Store


def buried(jobs: Store, job_id: str) -> Entry:
    return until(lambda: jobs.dead.find(job_id), "it is dead")


def nothing_is_in_flight(jobs: Store) -> bool:
    return not any(jobs.processes.inflight(each) for each in jobs.processes.live())


def test_a_job_that_gave_up_is_dead_and_is_done_once_the_cause_is_mended(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    before = time.time()
    result = sample.Doomed.perform_async("fail")
    with pytest.raises(LookupError):
        result.get(timeout=20)
    entry = buried(jobs, result.id)
    failure = entry.failure
    assert failure is not None
    assert (failure.error, failure.attempt) == ("LookupError", 2)
    assert failure.message.startswith("?xxx")
    assert failure.traceback.endswith("x\n")
    assert before <= failure.first_failed_at < failure.failed_at <= time.time()
    assert before <= entry.at <= time.time()
    headers = read(entry.placed.message).headers
    assert (headers["id"], headers["retries"]) == (result.id, 1)
    assert len(jobs.retry) == store.hlen("flaskiq:retry:failures") == 0

    assert store.lrange("record:exhausted", 0, -1) == [
        f"sample.Doomed ['fail'] 2 {LookupError(chr(0xD800) + 'x' * 100_000)!r} sample"
    ]
    errors = ["sample.Doomed 1 LookupError sample", "sample.Doomed 2 LookupError sample"]
    assert store.lrange("record:errors", 0, -1) == errors
    deaths = f"{result.id} 2 LookupError sample"
    until(lambda: store.lrange("record:deaths", 0, -1) == [deaths], "the handler is told")

    store.set("mended", 1)
    assert jobs.dead.retry(result.id)
    again = sample.celery_app.AsyncResult
    until(lambda: again(result.id).state == "SUCCESS", "it is done")
    assert again(result.id).get() == "done at attempt 1"
    assert len(jobs.dead) == 0
    until(lambda: nothing_is_in_flight(jobs), "it is acknowledged")
    assert not store.hget("flaskiq:counters", "fenced")


def test_a_retry_waits_with_its_failure(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    before = time.time()
    result = sample.Unlucky.perform_async("OSError")
    entry = until(lambda: jobs.retry.find(result.id), "it waits for its retry")
    failure = entry.failure
    assert failure is not None
    assert (failure.error, failure.message, failure.attempt) == ("OSError", "no luck ?", 1)
    assert "in perform" in failure.traceback
    assert before <= failure.first_failed_at == failure.failed_at <= time.time()
    jobs.retry.reschedule(result.id, before)
    entry = buried(jobs, result.id)
    assert entry.failure is not None
    assert entry.failure.attempt == 2
    assert entry.failure.first_failed_at == failure.first_failed_at
    assert store.hlen("flaskiq:retry:failures") == 0


def test_kill_buries_at_once(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    result = sample.Doomed.perform_async("kill")
    with pytest.raises(Kill, match="enough"):
        result.get(timeout=20)
    failure = buried(jobs, result.id).failure
    assert failure is not None
    assert (failure.error, failure.attempt) == ("flaskiq.endings.Kill", 1)
    until(lambda: store.llen("record:deaths") == 1, "the handler is told")


@pytest.mark.parametrize(("worker", "ending"), [("Doomed", "discard"), ("Dropped", "fail")])
def test_what_is_discarded_or_not_to_be_kept_is_gone(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store, worker: str, ending: str
) -> None:
    keep_worker()
    result = getattr(sample, worker).perform_async(ending)
    with pytest.raises((Discard, LookupError)):
        result.get(timeout=20)
    until(lambda: nothing_is_in_flight(jobs), "it is acknowledged")
    assert len(jobs.dead) == len(jobs.retry) == 0
    told = 1 if ending == "fail" else 0
    until(lambda: store.llen("record:deaths") == told, "the handler is told, or not")
    assert store.llen("record:exhausted") == store.llen("record:errors") == told


def test_a_plain_task_has_both_sets_too(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    tries = sample.doomed.delay("LookupError")
    entry = buried(jobs, tries.id)
    assert entry.failure is not None
    assert (entry.failure.error, entry.failure.message) == ("LookupError", "plain")
    assert entry.failure.attempt == 2
    assert entry.failure.first_failed_at < entry.failure.failed_at
    fails = sample.doomed.delay("OSError")
    entry = buried(jobs, fails.id)
    assert entry.failure is not None
    assert (entry.failure.error, entry.failure.attempt) == ("OSError", 1)
    until(lambda: store.llen("record:deaths") == 2, "the handlers are told")
    assert store.llen("record:errors") == 3
    assert not store.hget("flaskiq:counters", "fenced")


def test_a_result_that_cannot_be_kept_buries_its_job(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    result = sample.Doomed.perform_async("unreadable")
    failure = buried(jobs, result.id).failure
    assert failure is not None
    assert "object is not JSON serializable" in failure.message
    until(lambda: store.llen("record:deaths") == 1, "the handler is told")


@pytest.mark.parametrize("pool", ["prefork"])
def test_a_job_that_is_killed_at_its_time_limit_is_dead(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store, pool: str
) -> None:
    keep_worker()
    result = sample.Hurried.perform_async("sleep")
    with pytest.raises(TimeLimitExceeded):
        result.get(timeout=20)
    failure = buried(jobs, result.id).failure
    assert failure is not None
    assert failure.error == "billiard.exceptions.TimeLimitExceeded"
    until(lambda: store.llen("record:deaths") == 1, "the handler is told")
    assert store.llen("record:exhausted") == 1
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    until(lambda: nothing_is_in_flight(jobs), "all is acknowledged")
    assert store.llen("record:deaths") == 1
    assert not store.hget("flaskiq:counters", "fenced")
