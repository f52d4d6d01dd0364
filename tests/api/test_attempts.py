"""The attempts that a job tells of wherever it is, through real workers of both kinds."""

from __future__ import annotations

import json
import time
from types import ModuleType

import pytest
from fleet import StartWorker
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.api import JobRecord, State
from flaskiq.attempt import MOST
from flaskiq.store.store import Store

OURS = {"CELERY_CUSTOM_WORKER_POOL": "flaskiq.runtime.pool:FetchPool"}
"""What makes the pool ``custom`` ours."""


@pytest.fixture(scope="module", params=["custom", "prefork"])
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the workers: who runs a job, and who ends it, differs between these."""
    return str(request.param)


def ends(job: JobRecord) -> list[tuple[int, str, str | None]]:
    return [(each.number, each.ending, each.error) for each in job.attempts]


def found(job_id: str, state: State) -> JobRecord:
    """Return a job once it is in a state, and what ended is recorded."""

    def seek() -> JobRecord | None:
        job = api.find(job_id)
        # For a moment the result alone says that it is done.
        return job if job.state == state and (state != State.DONE or job.seconds) else None

    return until(seek, f"it is {state}")


def check_times(job: JobRecord, since: float, seconds: float) -> None:
    """Check that attempts come after each other, each as long as it slept."""
    # Messages carry milliseconds, and the next attempt is due from before its retry is published.
    began = over = since - 0.01
    for each in job.attempts:
        assert each.ready_at is not None
        assert each.started_at is not None
        assert each.seconds is not None
        assert each.waited is not None
        assert began <= each.ready_at
        assert over <= each.started_at
        assert 0 <= each.waited < 20
        assert seconds <= each.seconds + 0.01 < seconds + 3
        began, over = each.started_at, each.started_at + each.seconds - 0.01
    assert over <= time.time()


def test_a_job_that_fails_twice_and_then_succeeds(
    sample: ModuleType, keep_worker: StartWorker
) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.Naps.perform_async(0.3, 3)
    assert job.get(timeout=30) == 3
    record = found(job.id, State.DONE)
    assert ends(record) == [
        (1, "retried", "LookupError: attempt 1"),
        (2, "retried", "LookupError: attempt 2"),
        (3, "done", None),
    ]
    check_times(record, begun, 0.3)
    plain = json.loads(json.dumps(record.as_dict(), default=str))["attempts"]
    assert plain == [each.as_dict() for each in record.attempts]


def test_a_job_that_succeeds_at_once_has_one_attempt_and_no_header(
    sample: ModuleType, start_worker: StartWorker
) -> None:
    job = sample.Naps.perform_async(0.1, 1)
    assert api.find(job.id).attempts == ()
    begun = time.time() - 5
    start_worker(**OURS)
    record = found(job.id, State.DONE)
    assert ends(record) == [(1, "done", None)]
    check_times(record, begun, 0.1)


def test_a_dead_job_that_is_replayed_keeps_what_it_has_been_through(
    sample: ModuleType, keep_worker: StartWorker, store: Redis
) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.Doomed.perform_async("fail")
    record = found(job.id, State.DEAD)
    assert [(each.number, each.ending) for each in record.attempts] == [(1, "retried"), (2, "dead")]
    assert {(each.error or "")[:16] for each in record.attempts} == {"LookupError: ?xx"}
    assert {len(each.error or "") for each in record.attempts} == {200}
    check_times(record, begun, 0)

    store.set("mended", 1)
    assert api.DeadSet().retry(job.id)
    record = found(job.id, State.DONE)
    assert [(each.number, each.ending) for each in record.attempts] == [
        (1, "retried"),
        (2, "dead"),
        (1, "done"),
    ]
    check_times(record, begun, 0)


def test_a_job_that_waits_for_another_attempt_and_is_killed(
    sample: ModuleType, keep_worker: StartWorker
) -> None:
    keep_worker(**OURS)
    job = sample.FailsSlowly.perform_async()
    attempts = [(1, "retried", "LookupError: attempt 1")]
    assert ends(found(job.id, State.RETRYING)) == attempts
    assert api.RetrySet().kill(job.id)
    # None ran since.
    assert ends(found(job.id, State.DEAD)) == attempts


def test_a_snoozed_job(
    sample: ModuleType, keep_worker: StartWorker, store: Redis, jobs: Store
) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.Snoozes.perform_async(3600)
    record = found(job.id, State.SCHEDULED)
    assert ends(record) == [(1, "snoozed", None)]
    store.set("go", 1)
    assert jobs.scheduled.release(job.id)
    until(lambda: len(api.find(job.id).attempts) == 3, "it failed, and is put off again")
    record = found(job.id, State.SCHEDULED)
    assert ends(record) == [
        (1, "snoozed", None),
        (1, "retried", "LookupError"),
        (2, "snoozed", None),
    ]
    store.set("go", 1)
    assert jobs.scheduled.release(job.id)
    record = found(job.id, State.DISCARDED)
    assert ends(record)[3:] == [(2, "discarded", "Discard: nothing to do")]
    check_times(record, begun, 0)


def test_a_plain_task_with_automatic_retries(sample: ModuleType, keep_worker: StartWorker) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.doomed.delay("LookupError")
    record = found(job.id, State.DEAD)
    assert ends(record) == [
        (1, "retried", "LookupError: plain"),
        (2, "dead", "LookupError: plain"),
    ]
    check_times(record, begun, 0)


def test_a_job_that_was_stopped_at_its_hard_limit(
    sample: ModuleType, keep_worker: StartWorker
) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.Hurried.perform_async("sleep")
    record = found(job.id, State.DEAD)
    (only,) = record.attempts
    assert (only.number, only.ending) == (1, "dead")
    assert (only.error or "").startswith("TimeLimitExceeded: ")
    check_times(record, begun, 2)


def test_a_job_that_nobody_keeps_says_why_it_ended(
    sample: ModuleType, keep_worker: StartWorker
) -> None:
    keep_worker(**OURS)
    begun = time.time()
    job = sample.Dropped.perform_async("kill")
    # It goes to the dead set all the same.
    assert ends(found(job.id, State.DEAD)) == [(1, "dead", "Kill: enough")]
    job = sample.Dropped.perform_async("fail")
    record = until(lambda: (job_ := api.find(job.id)).attempts and job_, "its end is recorded")
    assert record.state == State.DEAD
    assert (record.attempts[0].error or "").startswith("LookupError: ?xxx")
    check_times(record, begun, 0)


def test_the_last_attempts_are_kept(sample: ModuleType, keep_worker: StartWorker) -> None:
    keep_worker(**OURS)
    last = MOST + 5
    job = sample.Fails.set(max_retries=last).perform_async(last)
    assert job.get(timeout=60) == last
    record = found(job.id, State.DONE)
    assert [each.number for each in record.attempts] == list(range(last - MOST, last + 1))


def test_a_job_that_finished_before_attempts_were_kept(
    sample: ModuleType, store: Redis, jobs: Store
) -> None:
    old = ["old", "sample.Add", "low", 2, "done", 0.5, 20.0, None, None]
    store.hset("flaskiq:finished:jobs", "old", json.dumps(old))
    record = api.find("old")
    assert (record.state, record.seconds, ends(record)) == (State.DONE, 0.5, [(2, "done", None)])
    assert record.attempts[0].waited is None
