"""Acting on jobs that wait or gave up: one, all that match, in chunks, while others move."""

from __future__ import annotations

import json
import time
from types import ModuleType

import pytest
from fleet import StartWorker
from redis import Redis

from flaskiq import api
from flaskiq.api import Filter
from flaskiq.errors import ArgumentError
from flaskiq.failure import Failure
from flaskiq.store.place import Placed
from flaskiq.store.store import Store


def message(job_id: str, task: str = "shop.Add", args: str = "[]", **headers: object) -> bytes:
    return json.dumps(
        {
            "body": f"[{args}, {{}}, {{}}]",
            "headers": {"id": job_id, "task": task, **headers},
            "properties": {},
        }
    ).encode()


def fill(jobs: Store, count: int, at: float | None = None, **headers: object) -> None:
    for n in range(count):
        task = "shop.Import" if n % 2 else "shop.Add"
        raw = message(f"{n:05}", task, f"[{n}]", ignore_result=True, **headers)
        jobs.retry.add(f"{n:05}", at or time.time() + 1000 + n, Placed("low", "low", raw))


@pytest.mark.parametrize("at", [None, 5e9])
def test_none_that_stays_is_missed_while_others_move(
    sample: ModuleType, jobs: Store, at: float | None
) -> None:
    """Also where all are due at the same time, and the order is that of their ids."""
    fill(jobs, 2000, at)
    seen = []
    for job in api.RetrySet():
        seen.append(job.id)
        if len(seen) % 3 == 0:
            jobs.retry.remove(seen[-1])
            jobs.retry.remove(f"{len(seen) + 700:05}")
    left = {job.id for job in api.RetrySet()}
    assert left <= set(seen)
    assert len(seen) == len(set(seen))


def test_pages(sample: ModuleType, jobs: Store) -> None:
    fill(jobs, 60)
    seen: list[str] = []
    after, lengths = None, []
    while True:
        page = api.RetrySet().page(after=after, length=25)
        seen += [job.id for job in page.jobs]
        lengths.append(page.looked_at)
        after = page.after
        if after is None:
            break
    assert seen == [f"{n:05}" for n in range(60)]
    assert lengths == [25, 25, 10]


def test_a_page_that_is_just_full_has_none_behind_it(sample: ModuleType, jobs: Store) -> None:
    fill(jobs, 20)
    assert len(api.RetrySet().page().jobs) == 20
    assert api.RetrySet().page().after is None
    assert api.ScheduledSet().page() == api.Page([], 0, None)


def test_no_place_in_a_list(sample: ModuleType, jobs: Store) -> None:
    with pytest.raises(ArgumentError, match="'x,y' is no place in a set of jobs"):
        api.RetrySet().page(after="x,y")
    with pytest.raises(ArgumentError, match="'x' is no place in a queue"):
        api.Queue("low").page(after="x")


@pytest.mark.parametrize("count", [1, 10])
def test_the_last_that_died_comes_first(sample: ModuleType, jobs: Store, count: int) -> None:
    failure = Failure("LookupError", "no such user", "", 1, 1.0, 1.0)
    for name in "abcdefg":
        jobs.dead.bury(name, Placed("low", "low", message(name)), failure)
    ids = [job.id for job in api.DeadSet()]
    assert ids == list("gfedcba")
    turned: list[str] = []
    after = None
    while True:
        page = api.DeadSet().page(after=after, length=count)
        turned += [job.id for job in page.jobs]
        jobs.dead.remove(turned[-1])
        after = page.after
        if after is None:
            break
    assert turned == ids


def test_backwards_among_jobs_of_the_same_time(jobs: Store) -> None:
    fill(jobs, 1200, 5e9)
    seen = []
    for entry in jobs.retry.entries(backwards=True):
        seen.append(entry.id)
        if len(seen) % 3 == 0:
            jobs.retry.remove(entry.id)
    assert seen == [f"{n:05}" for n in reversed(range(1200))]


def test_filters(sample: ModuleType, jobs: Store) -> None:
    fill(jobs, 10)
    failure = Failure("LookupError", "no such user", "", 1, 1.0, 1.0)
    for name in ("one", "two"):
        raw = message(name, "mail.Send", '["zoë", {"to": 7}]')
        jobs.dead.bury(name, Placed("critical", "critical", raw), failure)
    jobs.dead.bury("bad", Placed("low", "low", b"no json"), failure._replace(error="ValueError"))

    def found(jobs_: api.RetrySet | api.DeadSet, **where: str) -> int:
        return len(list(jobs_.matching(Filter(**where))))

    assert found(api.RetrySet(), worker="Import") == 5
    assert found(api.RetrySet(), worker="shop.Import", argument="[3]") == 1
    assert found(api.RetrySet(), worker="port") == 0
    assert found(api.RetrySet(), queue="low") == 10
    assert found(api.RetrySet(), error="Lookup") == 0
    assert found(api.DeadSet(), error="Lookup") == 2
    assert found(api.DeadSet(), error="no such user") == 3
    assert found(api.DeadSet(), argument="zoë") == 2
    assert found(api.DeadSet(), queue="critical", argument='"to": 7') == 2
    unreadable = api.DeadSet().find("bad")
    assert unreadable is not None
    assert (unreadable.worker, unreadable.args, unreadable.raw) == (None, None, b"no json")


def test_acting_on_all_that_match(sample: ModuleType, jobs: Store, store: Redis) -> None:
    fill(jobs, 2500)
    steps: list[int] = []
    retries = api.RetrySet()
    assert retries.delete_all(Filter(worker="Import"), steps.append) == 1250
    assert sum(steps) == 2500
    assert len(retries) == 1250
    assert retries.run_all_now(Filter(argument="[0]")) == 1
    assert store.llen("low") == 1
    assert store.llen("flaskiq:wake:low") == 1
    assert retries.kill_all() == 1249
    assert (len(retries), len(api.DeadSet())) == (0, 1249)
    assert api.DeadSet().retry_all(Filter(argument="[2]")) == 1
    assert api.DeadSet().delete_all() == 1248
    assert list(store.scan_iter("flaskiq:retry*")) == []
    assert list(store.scan_iter("flaskiq:dead*")) == []


def test_a_killed_job_is_told_of(sample: ModuleType, jobs: Store, store: Redis) -> None:
    job = sample.Doomed.perform_in(500, "fail")
    assert api.ScheduledSet().kill(job.id)
    assert not api.ScheduledSet().kill(job.id)
    found = api.DeadSet().find(job.id)
    assert found is not None
    assert found.failure is not None
    assert (found.failure.error, found.failure.message) == (
        "flaskiq.endings.Kill",
        "killed by hand",
    )
    with pytest.raises(Exception, match="killed by hand"):
        job.get(timeout=5)


def test_a_killed_job_keeps_its_last_failure(sample: ModuleType, jobs: Store) -> None:
    failure = Failure("LookupError", "nobody", "", 2, 1.0, 2.0)
    jobs.processes.register("p", 60)
    raw = message("a", retries=2, ignore_result=True)
    jobs.client.hset(jobs.keys.inflight("p"), "1", b"x")
    from flaskiq.store.flight import Flight

    placed = Placed("low", "low", raw)
    assert jobs.retry.add_from_flight("a", 5e9, placed, Flight("p", 1), failure)
    assert api.RetrySet().kill("a")
    found = api.DeadSet().find("a")
    assert found is not None
    assert found.failure == failure


def test_the_dead_set_keeps_its_cap_when_many_are_killed(
    sample: ModuleType, jobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flaskiq.store.dead_set import Caps

    fill(jobs, 1200)
    dead = sample.app.extensions["flaskiq"].store.dead
    monkeypatch.setattr(dead, "_caps", Caps(100, 1000))
    assert api.RetrySet().kill_all() == 1200
    assert len(api.DeadSet()) == 100


def test_a_deleted_job_ends_for_those_who_wait(sample: ModuleType) -> None:
    later, ready = sample.Add.perform_in(500, 1, 2), sample.Add.perform_async(1, 2)
    assert api.ScheduledSet().delete(later.id)
    assert api.Queue("default").delete(ready.id)
    assert not api.Queue("default").delete(ready.id)
    assert [later.status, ready.status] == ["REVOKED", "REVOKED"]
    assert [api.find(each.id).state for each in (later, ready)] == ["cancelled", "cancelled"]


def test_a_queue(sample: ModuleType, store: Redis, jobs: Store) -> None:
    sample.Add.perform_bulk([(n, 0) for n in range(1500)])
    task = sample.celery_app.tasks["sample.Add"]
    urgent = task.apply_async((1, 2), priority=9)
    queue = api.Queue("default")
    assert (queue.size, len(list(queue))) == (1501, 1501)
    assert 0 <= (queue.latency or -1) < 20
    assert queue.find(urgent.id) is not None
    assert queue.find("nobody") is None
    assert queue.delete_all(Filter(argument="[[1")) == 612
    assert queue.delete_all(Filter(argument="[[1")) == 0
    assert queue.clear() == 1501 - 612
    assert (queue.size, queue.latency) == (0, 0.0)
    store.lpush("default", "not of this world")
    assert (queue.size, queue.latency) == (1, None)
    assert [job.worker for job in queue] == [None]


def test_the_latency_of_a_job_that_waited_for_its_time(sample: ModuleType, jobs: Store) -> None:
    sample.Add.perform_in(0.2, 1, 2)
    while not jobs.promote().moved:
        time.sleep(0.01)
    assert 0 <= (api.Queue("default").latency or -1) < 5


def test_a_paused_queue_stays_paused(
    sample: ModuleType, start_worker: StartWorker, store: Redis
) -> None:
    api.Queue("low").pause()
    assert api.Queue("low").is_paused
    start_worker()
    job = sample.Describe.perform_async()
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    assert api.find(job.id).state == "queued"
    api.Queue("low").unpause()
    job.get(timeout=20)
    assert {queue.name for queue in api.Queue.all()} >= {"critical", "default", "low"}
