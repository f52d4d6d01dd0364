"""How attempts end: another one, none any more, or the same one later."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest
from redis import Redis
from waiting import until

from flaskiq import Discard
from flaskiq.message import read
from flaskiq.store.store import Store

HOUR = 3600


def attempts(store: Redis) -> list[str]:
    return store.lrange("record:attempts", 0, -1)


def test_retry_in_says_how_long_a_job_waits(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    worker = start_worker()
    before = time.time()
    result = sample.Unlucky.perform_async("OSError", 2)
    entry = until(lambda: jobs.retry.find(result.id), "it waits for its retry")
    assert before + HOUR <= entry.at <= time.time() + HOUR
    headers = read(entry.placed.message).headers
    assert headers["retries"] == 1
    assert before <= headers["flaskiq_failed_at"] <= time.time()
    until(lambda: result.state == "RETRY", "its result says so")
    jobs.retry.reschedule(result.id, before)
    assert result.get(timeout=20) == 2
    assert attempts(store) == ["1", "2"]
    assert "others have been given it" not in worker.output


def test_the_first_failure_is_remembered(
    sample: ModuleType, store: Redis, keep_worker: Any, jobs: Store
) -> None:
    keep_worker()
    result = sample.Unlucky.set(max_retries=9).perform_async("OSError", 100)
    first = until(lambda: jobs.retry.find(result.id), "it waits for its first retry")
    jobs.retry.reschedule(result.id, time.time())
    until(lambda: len(attempts(store)) == 2, "it failed again")
    second = until(lambda: jobs.retry.find(result.id), "it waits for its second retry")
    headers = [read(each.placed.message).headers for each in (first, second)]
    assert [each["retries"] for each in headers] == [1, 2]
    assert headers[0]["flaskiq_failed_at"] == headers[1]["flaskiq_failed_at"]


@pytest.mark.parametrize("error", ["ValueError", "FileNotFoundError"])
def test_an_error_that_is_not_to_be_retried_ends_the_job(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store, error: str
) -> None:
    worker = start_worker()
    result = sample.Unlucky.perform_async(error)
    with pytest.raises((ValueError, FileNotFoundError)):
        result.get(timeout=20)
    assert attempts(store) == ["1"]
    assert len(jobs.retry) == 0
    until(lambda: f" raised {'un' * (error == 'ValueError')}expected" in worker.output, "the log")
    assert ("ERROR" in worker.output) == (error == "ValueError")


def test_a_snooze_waits_without_using_an_attempt(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    worker = start_worker()
    before = time.time()
    result = sample.Snoozes.perform_async(HOUR)

    def run_again(expected: list[str], *, go: bool = False) -> None:
        entry = until(lambda: jobs.scheduled.find(result.id), "it is put off")
        assert before + HOUR <= entry.at <= time.time() + HOUR
        assert {"flaskiq_snooze", "flaskiq_flight"}.isdisjoint(read(entry.placed.message).headers)
        if go:
            store.set("go", 1)
        jobs.scheduled.reschedule(result.id, before)
        until(lambda: attempts(store) == expected, "it runs again")

    run_again(["1", "1"])
    run_again(["1", "1", "1"])
    # It fails now, and its second attempt is put off, too.
    run_again(["1", "1", "1", "1", "2"], go=True)
    run_again(["1", "1", "1", "1", "2", "2"], go=True)
    with pytest.raises(Discard, match="nothing to do"):
        result.get(timeout=20)
    assert "ERROR" not in worker.output
    assert not store.hget("flaskiq:counters", "fenced")
