"""Batches: what belongs to them, what follows when, and what a kill changes."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import psutil
import pytest
from flask import Flask
from kombu.exceptions import OperationalError
from processes import Process
from redis import Redis
from waiting import until

from flaskiq import ArgumentError, Batch, BatchError, Flaskiq, Worker, api, current_batch

Start = Callable[..., Process]


def told(store: Redis) -> list[str]:
    """What was told, in order, without ids."""
    return [line.rsplit(" ", 2)[0] for line in store.lrange("told", 0, -1)]


def batch_of(jobs: ModuleType, **more: Any) -> Batch:
    """A batch that tells of all its events."""
    note = jobs.Note
    return Batch(
        "tested",
        on_complete=(note, {"name": "complete"}),
        on_success=(note, {"name": "success"}),
        on_death=(note, {"name": "death"}),
        **more,
    )


def test_nothing_is_enqueued_before_the_block_ends(jobs: ModuleType, store: Redis) -> None:
    with batch_of(jobs) as batch:
        one = jobs.Do.perform_async(1)
        many = jobs.Do.set(queue="low").perform_bulk([(2,), (3,)])
        later = jobs.Do.perform_in(600, 4)
        assert (store.llen("default"), store.llen("low"), store.zcard("flaskiq:scheduled")) == (
            0,
            0,
            0,
        )
    assert (store.llen("default"), store.llen("low"), store.zcard("flaskiq:scheduled")) == (1, 2, 1)
    ids = {one.id, later.id, *(each.id for each in many)}
    order = [json.loads(raw)["headers"]["id"] for raw in reversed(store.lrange("low", 0, -1))]
    assert order == [each.id for each in many]
    assert set(store.hkeys(f"flaskiq:batch:{batch.id}:jobs")) == ids
    status = batch.status()
    assert (status.total, status.pending, status.progress, status.state) == (4, 4, 0.0, "running")
    assert jobs.Do.perform_async(5).id not in store.hkeys(f"flaskiq:batch:{batch.id}:jobs")


def test_a_block_that_raises_enqueues_nothing(jobs: ModuleType, store: Redis) -> None:
    batch = batch_of(jobs)

    def fill() -> None:
        with batch:
            jobs.Do.perform_async(1)
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fill()
    assert store.keys("*") == []
    with pytest.raises(BatchError, match="no batch"):
        batch.status()
    assert Batch.find(batch.id) is None


def test_events_in_order(jobs: ModuleType, store: Redis, start: Start) -> None:
    start("-c", "1")  # so that what is enqueued first runs first
    with batch_of(jobs) as batch:
        jobs.Do.perform_bulk([(n,) for n in range(20)])
        jobs.FailOnce.perform_async("retry")
        jobs.Drop.perform_async()
    until(lambda: batch.status().complete_at, "it is complete, though a job is to be retried")
    status = batch.status()
    assert (status.failed, status.done + status.skipped, status.success_at) == (1, 21, None)
    store.set("go:retry", 1)
    status = batch.wait(20)
    assert (status.state, status.total, status.done, status.skipped) == ("success", 22, 21, 1)
    assert (status.pending, status.progress) == (0, 1.0)
    until(lambda: told(store) == ["complete", "success"], "success comes last")
    assert 0 < store.ttl(f"flaskiq:batch:{batch.id}") <= 86_400


def test_a_dead_job_blocks_until_it_is_replayed(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    start()
    with batch_of(jobs) as batch:
        dead = jobs.FailUnless.perform_async("replay")
        jobs.Do.perform_async()
    status = batch.wait(20)
    assert (status.state, status.dead, batch.dead_jobs()) == ("blocked", 1, [dead.id])
    until(lambda: sorted(told(store)) == ["complete", "death"], "both are told")
    store.set("go:replay", 1)
    until(lambda: api.DeadSet().retry(dead.id), "it is dead")
    until(lambda: batch.status().state == "success", "it has succeeded after all")
    until(lambda: told(store)[-1] == "success", "and says so")
    assert (batch.status().dead, len(told(store))) == (0, 3)


def test_an_empty_batch(jobs: ModuleType, store: Redis, start: Start) -> None:
    start("-c", "1")
    with batch_of(jobs) as batch:
        pass
    assert batch.wait(5).state == "success"
    until(lambda: told(store) == ["complete", "success"], "both are told")


def test_jobs_add_to_their_batch(jobs: ModuleType, store: Redis, start: Start) -> None:
    start("-c", "2")
    with batch_of(jobs, properties={"colour": "red"}) as batch:
        jobs.Grow.perform_async(3)
    assert batch.wait(30).done == 15
    assert batch.properties == {"colour": "red", **{f"depth {n}": True for n in (1, 2, 3)}}
    until(lambda: sorted(told(store)) == ["complete", "success"], "each is told once")


def test_only_its_jobs_add_to_a_batch(jobs: ModuleType, store: Redis) -> None:
    with batch_of(jobs) as batch:
        jobs.Do.perform_async()
    assert not current_batch
    found = Batch.find(batch.id)
    assert found is not None
    for each in (batch, found):
        with pytest.raises(BatchError, match="takes no more jobs"), each:
            jobs.Do.perform_async()
    assert (batch.status().total, store.llen("default")) == (1, 1)


def test_nested_batches(jobs: ModuleType, store: Redis, start: Start) -> None:
    start("-c", "2")
    with batch_of(jobs) as parent:
        jobs.Nest.perform_async("nested")
    parent.wait(20)
    until(lambda: "death" in told(store), "death propagates up")
    until(lambda: "complete" in told(store), "the parent is complete, too")
    found = told(store)
    assert set(found) == {"child complete", "child death", "death", "complete"}
    assert found.index("child complete") < found.index("complete")
    assert "success" not in found
    (child,) = parent.children()
    store.set("go:nested", 1)
    (dead,) = child.dead_jobs()
    until(lambda: api.DeadSet().retry(dead), "it is dead")
    until(lambda: told(store)[-2:] == ["child success", "success"], "the child comes first")
    status = parent.status()
    assert (status.state, status.children) == ("success", 0)


def test_an_outer_batch_waits_for_what_an_inner_one_calls(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    start("-c", "3")
    note = jobs.Note
    with batch_of(jobs) as parent:  # noqa: SIM117 - one within the other
        with Batch(
            "inner",
            on_complete=(note, {"name": "inner complete", "holds": True}),
            on_success=(note, {"name": "inner success", "holds": True}),
        ) as child:
            jobs.Do.perform_async()
    until(lambda: child.status().success_at, "the inner one has succeeded")
    assert parent.status().complete_at is None
    store.set("go:inner complete", 1)
    until(lambda: told(store) == ["inner complete"], "that has run")
    until(lambda: parent.status().callbacks == 1, "its end is noted")
    assert (parent.status().total, parent.status().success_at) == (0, None)
    store.set("go:inner success", 1)
    until(lambda: len(told(store)) == 4, "the rest")
    assert told(store)[:2] == ["inner complete", "inner success"]
    assert parent.status().state == "success"


def test_a_batch_in_the_block_of_another(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    with batch_of(jobs) as parent:
        with Batch("inner", on_success=(jobs.Note, {"name": "inner success"})) as child:
            jobs.Do.perform_async()
        until(lambda: child.status().state == "success", "the inner one needs no other")
        assert parent.status().state == "open"
        assert told(store) in ([], ["inner success"])
        jobs.Do.perform_async()
    assert parent.wait(20).done == 1
    until(lambda: len(told(store)) == 3, "each is told once")
    assert sorted(told(store)) == ["complete", "inner success", "success"]


def test_cancelled(jobs: ModuleType, store: Redis, start: Start) -> None:
    start("-c", "1")
    until(lambda: jobs.celery_app.control.ping(timeout=0.5), "it listens to what is revoked")
    with batch_of(jobs) as batch:
        jobs.Hold.perform_async("hold")
        jobs.Do.perform_bulk([(n,) for n in range(10)])
        jobs.Do.perform_in(600, 1)
    until(lambda: api.running(), "one runs")
    assert batch.cancel() == 12
    store.set("go:hold", 1)
    until(lambda: batch.status().pending == 0, "none is left")
    status = batch.wait(5)
    assert (status.state, status.done, status.skipped) == ("cancelled", 1, 11)
    until(lambda: told(store) == ["complete"], "it is complete, but no success")


@pytest.mark.parametrize("pool", ["flaskiq", "prefork"])
def test_a_job_that_is_terminated(jobs: ModuleType, store: Redis, start: Start, pool: str) -> None:
    start(f"--pool={pool}", "-c", "1")
    with batch_of(jobs) as batch:
        job = jobs.Hold.perform_async("never")
    until(lambda: api.running(), "it runs")
    jobs.celery_app.control.revoke(job.id, terminate=True)
    until(lambda: batch.status().skipped == 1, f"its batch hears of it: {batch.status()}", 15)
    assert batch.status().state == "success"


@pytest.mark.parametrize("pool", ["flaskiq", "prefork", "threads"])
def test_in_each_pool(jobs: ModuleType, store: Redis, start: Start, pool: str) -> None:
    start(f"--pool={pool}", "-c", "2")
    store.set("go:x", 1)
    with batch_of(jobs) as batch:
        jobs.Do.perform_bulk([(n,) for n in range(30)])
        jobs.FailOnce.perform_async("x")
        jobs.Drop.perform_async()
        jobs.FailUnless.perform_async("dies")
        if pool != "threads":
            jobs.Die.perform_async()
    status = batch.wait(60)
    dead = 1 if pool == "threads" else 2
    assert (status.done, status.skipped, status.dead) == (31, 1, dead)
    assert status.state == "blocked"
    until(lambda: sorted(told(store)) == ["complete", "death"], "each once")


def test_a_thousand_jobs_under_kills(jobs: ModuleType, store: Redis, start: Start) -> None:
    workers = [start("-c", "2", name=f"worker{number}") for number in range(2)]
    with batch_of(jobs) as batch:
        jobs.Flaky.perform_bulk([(seed,) for seed in range(1_000)])
    for kills in range(6):
        until(lambda: batch.status().progress > (kills + 1) / 8, "it goes on", 60)  # noqa: B023
        assert batch.status().progress < 1, "there is something left to be killed"
        victim = workers[kills % 2]
        children = psutil.Process(victim.pid).children(recursive=True)
        (children[-1] if kills % 3 else psutil.Process(victim.pid)).send_signal(signal.SIGKILL)
        if not kills % 3:
            workers[kills % 2] = start("-c", "2", name=f"again{kills}")
    status = batch.wait(90)
    assert status.total == 1_000
    assert status.done + status.dead == 1_000
    assert (status.fresh, status.failed, status.skipped, status.children) == (0, 0, 0, 0)
    assert len(batch.dead_jobs()) == status.dead == len(api.DeadSet())
    until(lambda: {"complete", "death"} <= set(told(store)), "both are told")
    ids = Counter(line.rsplit(" ", 1)[1] for line in store.lrange("told", 0, -1))
    events = Counter(told(store))
    assert (events["complete"], events["death"], events["success"]) == (1, 1, 0)
    begun = Counter(line.split(" ")[2] for line in store.lrange("told", 0, -1) if "inner" in line)
    assert set(ids.values()) == {1}, "each callback was enqueued once"
    assert set(begun.values()) == {1}


@pytest.mark.parametrize(
    ("callback", "message"),
    [("Note", "must be a Worker"), (("x", {}), "must be a Worker"), (None, None)],
)
def test_callbacks_that_are_none(jobs: ModuleType, callback: Any, message: str | None) -> None:
    if message is None:
        with pytest.raises(ArgumentError, match="takes"):
            Batch(on_success=jobs.Drop)
        return
    with pytest.raises(ArgumentError, match=message):
        Batch(on_success=callback)


def test_more_jobs_than_one_step_takes(
    jobs: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flaskiq.batch.AT_ONCE", 7)
    with batch_of(jobs) as batch:
        jobs.Do.perform_bulk([(n,) for n in range(30)])
    assert (batch.status().total, store.llen("default"), batch.status().is_open) == (30, 30, False)


def test_eager_jobs(jobs: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jobs.celery_app.conf.changes, "task_always_eager", True)
    with batch_of(jobs):
        done = jobs.Do.perform_async(7)
        assert told(store) == []
    assert told(store) == ["complete", "success"]
    assert done.id


def test_without_redis(durable: Any) -> None:
    app = Flask("away")
    app.config.update(CELERY_BROKER_URL=durable.url, FLASKIQ_WORKERS=[])
    Flaskiq(app)
    durable.kill()
    with app.app_context(), pytest.raises(OperationalError), Batch("nowhere"):
        Away.perform_async()


class Away(Worker):
    """A Worker of another app."""

    @classmethod
    def perform(cls) -> None: ...


def test_the_order_of_calls_is_kept(jobs: ModuleType, store: Redis) -> None:
    with Batch() as batch:
        calls = [jobs.Do.perform_async(1), jobs.Drop.perform_async(), jobs.Do.perform_async(2)]
    messages = [json.loads(raw) for raw in reversed(store.lrange("default", 0, -1))]
    assert [each["headers"]["id"] for each in messages] == [each.id for each in calls]

    def fill_again() -> None:
        with batch:
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fill_again()
    assert batch.status().state == "running", "it is what it was"
    store.delete(f"flaskiq:batch:{batch.id}")
    with pytest.raises(BatchError, match="no batch"):
        batch.set(colour="red")


@pytest.mark.parametrize("description", [5, None, "half an emoji: \ud83d"])
def test_a_description_that_nobody_could_keep(description: Any) -> None:
    with pytest.raises(ArgumentError, match="has to be a text that UTF-8 can hold"):
        Batch(description)
