"""What has become of a job, at each stage of its life, through real workers."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from types import ModuleType

import pytest
from fleet import THREADS, StartWorker
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.api import State
from flaskiq.store.place import Placed
from flaskiq.store.store import Store


def state(job_id: str) -> State:
    return api.find(job_id).state


def test_a_job_that_waits(sample: ModuleType) -> None:
    soon = time.time() + 500
    later = sample.Add.perform_in(500, 1, 2)
    found = api.find(later.id)
    assert (found.state, found.worker, found.queue) == (State.SCHEDULED, "sample.Add", "default")
    assert found.at == pytest.approx(soon, abs=5)
    assert (found.args, found.kwargs, found.attempt) == ([1, 2], {}, 1)

    ready = sample.Describe.perform_async()
    found = api.find(ready.id)
    assert (found.state, found.queue, found.args) == (State.QUEUED, "low", [])
    assert found.at == pytest.approx(time.time(), abs=5)
    assert state("nobody") == State.UNKNOWN


@pytest.mark.parametrize("pool", ["prefork", THREADS])
def test_a_job_that_runs_and_is_done(sample: ModuleType, start_worker: StartWorker) -> None:
    start_worker()
    begun = time.time()
    job, behind = sample.Sleeps.perform_async("a", 3), sample.Add.perform_async(1, 2)
    until(lambda: state(job.id) == State.RUNNING, "it runs")
    found = until(lambda: (job_ := api.find(job.id)).at and job_, "somebody knows since when")
    assert (found.state, found.worker, found.args) == (State.RUNNING, "sample.Sleeps", ["a", 3])
    assert found.at == pytest.approx(begun, abs=3)
    (process,) = api.ProcessSet()
    assert found.process == process.identity
    assert state(behind.id) == State.QUEUED

    assert job.get(timeout=20) == "a"
    found = until(lambda: (job_ := api.find(job.id)).seconds and job_, "it is recorded")
    assert (found.state, found.worker, found.attempt) == (State.DONE, "sample.Sleeps", 1)
    assert found.seconds == pytest.approx(3, abs=1)


def test_a_job_without_a_result_is_done(sample: ModuleType, keep_worker: StartWorker) -> None:
    keep_worker()
    job = sample.Silent.perform_async()
    until(lambda: state(job.id) == State.DONE, "it is remembered")


def test_a_job_that_fails_and_is_replayed(
    sample: ModuleType, start_worker: StartWorker, store: Redis
) -> None:
    worker = start_worker()
    job = sample.FailsSlowly.perform_async()
    found = until(lambda: (job_ := api.find(job.id)).failure and job_, "it failed")
    assert found.state == State.RETRYING
    assert found.failure is not None
    assert (found.failure.error, found.failure.message) == ("LookupError", "attempt 1")
    assert found.at == pytest.approx(time.time() + 3600, abs=20)

    assert api.RetrySet().run_now(job.id)
    until(lambda: state(job.id) == State.DEAD, "it gave up")
    found = api.find(job.id)
    assert found.failure is not None
    assert found.failure.attempt == 2
    until(lambda: store.hexists("flaskiq:finished:jobs", job.id), "its end is recorded")

    worker.send(signal.SIGTERM)
    worker.wait()
    assert api.DeadSet().retry(job.id)
    assert state(job.id) == State.QUEUED


def test_a_discarded_job(sample: ModuleType, keep_worker: StartWorker) -> None:
    keep_worker()
    job = sample.Doomed.perform_async("discard")
    until(lambda: state(job.id) == State.DISCARDED, "it is discarded")


def test_a_cancelled_job(sample: ModuleType, start_worker: StartWorker, store: Redis) -> None:
    later, ready = sample.Add.perform_in(500, 1, 2), sample.Add.perform_async(1, 2)
    assert api.cancel(later.id).state == State.SCHEDULED
    assert api.cancel(ready.id).state == State.QUEUED
    assert [state(later.id), state(ready.id)] == [State.CANCELLED, State.CANCELLED]
    assert len(api.ScheduledSet()) == 0
    start_worker()
    until(lambda: store.hexists("flaskiq:finished:jobs", ready.id), "it was skipped")
    assert state(ready.id) == State.CANCELLED


def test_a_running_job_can_see_that_it_is_cancelled(
    sample: ModuleType, keep_worker: StartWorker, store: Redis
) -> None:
    keep_worker()
    job = sample.Patient.perform_async()
    until(lambda: state(job.id) == State.RUNNING, "it runs")
    assert api.cancel(job.id).state == State.RUNNING
    assert job.get(timeout=20) == "cancelled"


def test_a_long_queue_is_not_looked_through(sample: ModuleType) -> None:
    first = sample.Add.perform_async(0, 0)
    sample.Add.perform_bulk([(n, 0) for n in range(30)])
    assert api.find(first.id, bound=10).state == State.QUEUED_OR_UNKNOWN
    assert api.find(first.id, bound=100).state == State.QUEUED


def test_the_family_of_a_job_is_not_taken_for_it(sample: ModuleType, jobs: Store) -> None:
    other = b'{"headers": {"id": "b", "task": "t", "root_id": "a"}}'
    jobs.queues.push("default", [other])
    jobs.client.hset(jobs.keys.inflight("p"), "1", Placed("default", "default", other).pack())
    jobs.processes.register("p", 60)
    assert state("a") == State.UNKNOWN
    assert state("b") == State.QUEUED


def test_a_job_is_found_behind_its_many_children(sample: ModuleType) -> None:
    """Their messages name it as their root, and one has it among its arguments."""
    job = sample.Add.perform_async(0, 0)
    Add = sample.celery_app.tasks["sample.Add"]
    for _ in range(1100):
        Add.apply_async((1, 2), root_id=job.id, parent_id=job.id)
    sample.Describe.set(queue="default", headers={"of": {"job": job.id}}).perform_async()
    assert state(job.id) == State.QUEUED
    assert api.Queue("default").find(job.id) is not None
    assert api.Queue("default").delete(job.id)
    assert not api.Queue("default").delete(job.id)


def test_a_job_fetched_ahead_does_not_run(sample: ModuleType, jobs: Store) -> None:
    job = sample.Add.perform_async(1, 2)
    raw = jobs.client.rpop("default")
    jobs.processes.register("p", 60)
    jobs.client.hset(jobs.keys.inflight("p"), "1", Placed("default", "default", raw).pack())
    found = api.find(job.id)
    assert (found.state, found.process) == (State.QUEUED, "p")


def test_a_rescheduled_job(sample: ModuleType) -> None:
    from flaskiq import moments

    job = sample.Add.perform_in(500, 1, 2)
    at = moments.now() + timedelta(hours=4)
    assert api.ScheduledSet().reschedule(job.id, at)
    assert not api.ScheduledSet().reschedule("nobody", at)
    found = api.find(job.id)
    assert found.at == pytest.approx(at.timestamp(), abs=0.01)
    assert found.headers["flaskiq_enqueued_at"] == pytest.approx(at.timestamp(), abs=0.01)
