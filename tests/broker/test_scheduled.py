"""Jobs with a time wait in Redis, not in a worker."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import pytest
from celery import chord
from flask import Flask
from kombu.exceptions import OperationalError
from processes import Process, Project
from redis import Redis
from servers import free_port
from waiting import until

from flaskiq import Flaskiq
from flaskiq.store.store import Store

HOUR = 3600

STORES_RESULTS = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
"""Celery's result backend calls what redis-py would have called otherwise."""


def test_a_job_can_be_seen_rescheduled_and_runs_once(
    sample: ModuleType, store: Redis, start_worker: Any, jobs: Store
) -> None:
    """kombu's visibility timeout is shorter than the job here, and acts on nothing."""
    options = {"visibility_timeout": 2, "unacked_restore_interval": 1}
    for _ in range(2):
        start_worker(SAMPLE_CELERY=json.dumps({"broker_transport_options": options}))
    result = sample.Sleeps.perform_in(4 * HOUR, "later", 5)
    entry = jobs.scheduled.find(result.id)
    assert entry is not None
    assert entry.at == pytest.approx(time.time() + 4 * HOUR, abs=2)
    assert store.llen("default") == 0

    due = time.time() + 2
    assert jobs.scheduled.reschedule(result.id, due)
    until(lambda: store.llen("record:started"), "it started")
    assert 0 <= time.time() - due < 1
    assert result.get(timeout=20) == "later"
    assert len(jobs.scheduled) == 0
    assert store.lrange("record:started", 0, -1) == ["later"]


@pytest.mark.parametrize("delay", [0.3, 1.5])
def test_a_job_that_is_due_soon_starts_in_time(
    sample: ModuleType, keep_worker: Any, delay: float
) -> None:
    keep_worker()
    sample.Add.perform_async(1, 1).get(timeout=20)
    due = time.time() + delay
    assert sample.Add.perform_in(delay, 1, 2).get(timeout=20) == 3
    late = time.time() - due
    assert 0 <= late < 0.5, late


def test_any_date_works(sample: ModuleType, jobs: Store) -> None:
    at = datetime(2999, 12, 31, 23, 59, tzinfo=timezone.utc)
    result = sample.Add.perform_at(at, 1, 2)
    entry = jobs.scheduled.find(result.id)
    assert entry is not None
    assert entry.at == at.timestamp()


def test_every_task_of_the_app_waits_in_redis(
    sample: ModuleType, jobs: Store, store: Redis
) -> None:
    first = sample.plain.apply_async(["x"], countdown=HOUR)
    second = sample.plain.apply_async(
        ["x"], eta=datetime.now(timezone.utc) + timedelta(days=400), priority=9
    )
    third = sample.Add.s(1, 2).apply_async(countdown=HOUR)
    bulk = sample.Add.perform_bulk([(1, 2), (3, 4)], at=datetime.now() + timedelta(hours=2))
    waiting = {entry.id: entry.placed for entry in jobs.scheduled}
    assert set(waiting) == {first.id, second.id, third.id, *(each.id for each in bulk)}
    assert waiting[second.id].list == "default\x06\x169"
    assert store.llen("default") == 0


def test_a_retry_waits_in_the_retry_set(sample: ModuleType, jobs: Store, keep_worker: Any) -> None:
    keep_worker()
    result = sample.FailsSlowly.perform_async()
    until(lambda: jobs.retry.find(result.id), "it waits for another attempt")
    assert len(jobs.scheduled) == 0
    assert jobs.retry.reschedule(result.id, time.time())
    with pytest.raises(LookupError):
        result.get(timeout=20)


def test_inspect_scheduled_tells_of_them_once(
    sample: ModuleType, start_worker: Any, jobs: Store
) -> None:
    for _ in range(2):
        start_worker()
    result = sample.Add.perform_in(HOUR, 1, right=2)
    until(lambda: len(jobs.processes.live()) == 2, "both are there")
    answers = sample.celery_app.control.inspect(timeout=3).scheduled()
    assert len(answers) == 2
    (job,) = [each for listed in answers.values() for each in listed]
    assert job["request"]["id"] == result.id
    assert job["request"]["name"] == "sample.Add"
    assert (job["request"]["args"], job["request"]["kwargs"]) == ([1], {"right": 2})
    assert datetime.fromisoformat(job["eta"]).timestamp() == pytest.approx(
        time.time() + HOUR, abs=20
    )


@STORES_RESULTS
def test_a_revoked_job_never_runs_not_even_after_a_restart(
    sample: ModuleType, start_worker: Any, jobs: Store, store: Redis
) -> None:
    worker: Process = start_worker()
    later = sample.Sleeps.perform_in(HOUR, "later", 0)
    sample.celery_app.control.revoke(later.id)
    assert jobs.scheduled.find(later.id) is None
    ready_id = "ready-and-revoked"
    sample.celery_app.control.revoke(ready_id)
    worker.end()

    sample.plain.apply_async(["x"], task_id=ready_id)
    start_worker()
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    until(lambda: sample.celery_app.AsyncResult(ready_id).status == "REVOKED", "it is revoked")
    assert store.lrange("record:started", 0, -1) == []


@STORES_RESULTS
def test_a_job_is_revoked_for_good_while_no_worker_runs(
    sample: ModuleType, start_worker: Any, jobs: Store, store: Redis
) -> None:
    ready = [sample.Sleeps.perform_async(f"ready {n}", 0) for n in range(3)]
    waiting = sample.Sleeps.perform_in(HOUR, "waiting", 0)
    retry = sample.FailsSlowly.s().apply_async(countdown=HOUR, retries=1)
    sample.celery_app.control.revoke([ready[0].id, waiting.id])
    retry.revoke()
    sample.celery_app.control.broadcast("revoke", arguments={"task_id": ready[1].id})
    assert len(jobs.scheduled) == len(jobs.retry) == 0
    assert waiting.status == retry.status == "REVOKED"

    start_worker()
    assert ready[2].get(timeout=20) == "ready 2"
    assert [each.status for each in ready] == ["REVOKED", "REVOKED", "SUCCESS"]
    assert store.lrange("record:started", 0, -1) == ["ready 2"]


@STORES_RESULTS
def test_a_chord_ends_when_a_part_that_waits_is_revoked(
    sample: ModuleType, start_worker: Any
) -> None:
    late = sample.Add.s(1, 1).set(countdown=HOUR, task_id="late-part")
    body = chord([sample.plain.si("early"), late])(sample.plain.si("body"))
    sample.celery_app.control.revoke("late-part")
    start_worker()
    until(lambda: body.status == "FAILURE", "the chord has ended")
    assert "late-part" in str(body.result)


def test_a_revoke_that_cannot_be_remembered_raises(
    sample: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(OperationalError):
        Flaskiq(Flask("nowhere")).celery.control.revoke("any")


def test_keys_have_the_global_prefix(project: Project, store: Redis) -> None:
    project.write(
        "prefixed.py",
        """
from flask import Flask
from flaskiq import Flaskiq, Worker
app = Flask("prefixed")
app.config["CELERY"] = {"broker_transport_options": {"global_keyprefix": "shop:"},
                        "result_backend_transport_options": {"global_keyprefix": "shop:"}}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery
class Add(Worker):
    @classmethod
    def perform(cls, left, right):
        return left + right
""",
    )
    project.worker("prefixed:celery_app", "--pool=solo", "--without-mingle")
    printed = project.python("""
from prefixed import Add
Add.perform_in(3600, 1, 1)
print(Add.perform_in(0.2, 1, 2).get(timeout=20), Add.perform_async(3, 4).get(timeout=20))
print([result.get(timeout=20) for result in Add.perform_bulk([(n, 1) for n in range(3)])])
""")
    assert printed.splitlines() == ["3 7", "[1, 2, 3]"]
    names = {
        key
        for key in store.scan_iter()
        if not key.startswith("shop:") or key.startswith("shop:shop:")
    }
    assert {name for name in names if "pidbox" not in name and "celeryev" not in name} == set()
