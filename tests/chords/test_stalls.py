"""Each way in which a chord stalls: what the monitor says of it, and that it can be ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from celery import chain, chord, group
from processes import Process
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.chords import Verdict, Where, check_stuck_chords, recover, revoke
from flaskiq.chords import chord as look
from flaskiq.chords import chords as unfinished

Start = Callable[..., Process]


def publish(jobs: ModuleType, *parts: Any, body: Any = None) -> Any:
    """Publish a chord; its id is that of its group."""
    return chord(group(*parts), body or jobs.Collect.s())()


def group_id(result: Any) -> str:
    """The id of the chord of a body's result."""
    return str(result.parent.id)


def ran(store: Redis, name: str = "body") -> list[str]:
    """What the body was given, each time that it ran."""
    return [str(each) for each in store.lrange(f"ran:{name}", 0, -1)]


def lose(store: Redis, queue: str, job_id: str) -> None:
    """Delete the message of a job as an eviction or a purge does."""
    for raw in store.lrange(queue, 0, -1):
        if json.loads(raw)["headers"]["id"] == job_id:
            assert store.lrem(queue, 1, raw) == 1
            return
    raise AssertionError(f"{job_id} is not in {queue}")


def counted(store: Redis, chord_id: str) -> int:
    """How many parts Celery has counted."""
    return int(store.zcard(f"celery-taskset-meta-{chord_id}.j"))


def acts(steps: Any) -> list[str]:
    """The verbs of what was done."""
    return [step.act for step in steps]


def test_a_chord_that_goes_on(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    result = publish(jobs, jobs.Hold.s("x", 1), jobs.plain.s(2), jobs.Double.s(3))
    chord_id = group_id(result)
    until(lambda: counted(store, chord_id) == 2, "two have ended")
    found = look(chord_id)
    assert (found.verdict, found.expected, found.done) == (Verdict.RUNNING, 3, 2)
    (missing,) = found.missing
    assert (missing.name, missing.place and missing.place.where) == (
        "chord_app.Hold",
        Where.IN_FLIGHT,
    )
    assert (found.body, found.body_id) == ("chord_app.Collect", result.id)
    assert look(result.id).id == chord_id
    assert recover(chord_id) == []
    assert check_stuck_chords() == []
    store.set("go:x", 1)
    assert result.get(timeout=20) == [1, 102, 6]
    assert (look(chord_id).verdict, unfinished()) == (Verdict.DONE, [])
    assert look("nonsense").verdict is Verdict.UNKNOWN
    assert ran(store) == ["[1, 102, 6]"]


def test_a_part_that_was_purged(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = publish(jobs, *(jobs.Double.s(n) for n in range(4)))
    chord_id = group_id(result)
    assert {str(part.place) for part in look(chord_id).missing} == {"ready default"}
    assert look(chord_id).verdict is Verdict.WAITING
    parts = [each.id for each in result.parent.results]
    lose(store, "default", parts[1])
    assert look(chord_id).verdict is Verdict.LOST
    start()
    until(lambda: counted(store, chord_id) == 3, "the others have ended")
    found = look(chord_id)
    assert (found.verdict, [part.id for part in found.missing]) == (Verdict.LOST, [parts[1]])
    assert [each.id for each in check_stuck_chords()] == [chord_id]
    assert acts(recover(chord_id, dry_run=True)) == ["requeue"]
    assert look(chord_id).verdict is Verdict.LOST
    assert acts(recover(chord_id)) == ["requeue"]
    assert result.get(timeout=20) == [0, 2, 4, 6]
    assert ran(store) == ["[0, 2, 4, 6]"]
    assert look(chord_id).verdict is Verdict.DONE


def test_a_lost_part_that_must_not_run_again(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = publish(jobs, jobs.Double.s(1), jobs.Double.s(2))
    lose(store, "default", result.parent.results[0].id)
    start()
    chord_id = group_id(result)
    until(lambda: counted(store, chord_id) == 1, "the other has ended")
    assert acts(recover(chord_id, fail=True)) == ["fail"]
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert result.parent.results[0].id in str(result.result)
    assert (look(chord_id).verdict, ran(store)) == (Verdict.FAILED, [])


def test_a_chain_that_leads_to_a_part(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = publish(jobs, chain(jobs.Double.s(1), jobs.Double.s()), jobs.Double.s(5))
    chord_id = group_id(result)
    first = result.parent.results[0].parent.id
    lose(store, "default", first)
    assert look(chord_id).verdict is Verdict.LOST
    start()
    until(lambda: counted(store, chord_id) == 1, "the other has ended")
    assert acts(recover(chord_id)) == ["requeue"]
    assert result.get(timeout=20) == [4, 10]
    assert ran(store) == ["[4, 10]"]


def test_a_chord_within_a_chord(jobs: ModuleType, store: Redis, start: Start) -> None:
    inner = chord(group(jobs.Hold.s("x", 1), jobs.Double.s(1)), jobs.Collect.s("inner"))
    result = publish(jobs, inner, jobs.Double.s(5))
    start()
    (outer,) = [each for each in unfinished() if each.body_id == result.id]
    (other,) = [each for each in unfinished() if each.body_id != result.id]
    until(lambda: look(outer.id).done == 1, "its other part has ended")
    (missing,) = look(outer.id).missing
    assert missing.place is not None
    assert (missing.place.where, missing.place.detail) == (Where.CHORD, other.id)
    store.set("go:x", 1)
    assert result.get(timeout=20) == [[1, 2], 10]


@pytest.mark.slow
def test_a_whole_stock_worker_killed_with_an_early_ack(
    jobs: ModuleType, store: Redis, start: Start, start_stock: Start
) -> None:
    stock = start_stock()
    result = publish(jobs, jobs.Hold.s("x", 7), jobs.Double.s(2).set(queue="low"))
    chord_id = group_id(result)
    until(lambda: store.get("held:x") == "1", "it runs")
    found = look(chord_id)
    assert found.verdict is Verdict.RUNNING, found
    stock.end()
    start()
    until(lambda: counted(store, chord_id) == 1, "the other has ended")
    found = look(chord_id)
    assert (found.verdict, len(found.missing)) == (Verdict.LOST, 1)
    store.set("go:x", 1)
    assert acts(recover(chord_id)) == ["requeue"]
    assert result.get(timeout=20) == [7, 4]
    assert ran(store) == ["[7, 4]"]


def test_a_counter_that_expired(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    result = publish(jobs, jobs.Hold.s("x", 1), jobs.Hold.s("x", 2))
    chord_id = group_id(result)
    until(lambda: store.get("held:x") == "2", "both run")
    store.delete(f"celery-taskset-meta-{chord_id}.s")
    assert look(chord_id).verdict is Verdict.COUNTER_EXPIRED
    store.set("go:x", 1)
    until(lambda: counted(store, chord_id) == 2, "both have ended")
    assert look(chord_id).verdict is Verdict.COUNTER_EXPIRED
    assert [each.id for each in check_stuck_chords()] == [chord_id]
    assert acts(recover(chord_id)) == ["count", "call"]
    assert result.get(timeout=20) == [1, 2]
    assert ran(store) == ["[1, 2]"]


def test_a_counter_and_results_that_expired(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    result = publish(jobs, jobs.Double.s(1), jobs.Hold.s("x", 2))
    chord_id = group_id(result)
    until(lambda: store.get("held:x") == "1", "one runs")
    until(lambda: counted(store, chord_id) == 1, "one has ended")
    store.delete(*store.keys(f"celery-taskset-meta-{chord_id}*"))
    store.set("go:x", 1)
    until(lambda: counted(store, chord_id) == 1, "the other has ended")
    assert look(chord_id).verdict is Verdict.COUNTER_EXPIRED
    assert acts(recover(chord_id)) == ["count", "complete"]
    assert result.get(timeout=20) == [2, 2]
    assert ran(store) == ["[2, 2]"]


def test_a_queue_that_nobody_consumes(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    result = publish(jobs, jobs.Double.s(1), jobs.Double.s(2).set(queue="forgotten"))
    chord_id = group_id(result)
    until(lambda: counted(store, chord_id) == 1, "one has ended")
    found = look(chord_id)
    assert found.verdict is Verdict.WAITING
    assert found.reason == "nobody consumes queue forgotten"
    assert check_stuck_chords() == []
    assert [each.id for each in check_stuck_chords(0)] == [chord_id]
    assert recover(chord_id) == []
    assert acts(recover(chord_id, queue="low")) == ["move"]
    assert result.get(timeout=20) == [2, 4]
    assert ran(store) == ["[2, 4]"]


@pytest.mark.slow
@pytest.mark.parametrize("is_registered", [True, False])
def test_a_part_that_waits_for_a_visibility_timeout(
    jobs: ModuleType, store: Redis, start: Start, start_stock: Start, is_registered: bool
) -> None:
    stock = start_stock(LATE="1")
    result = publish(jobs, jobs.Hold.s("x", 7), jobs.Double.s(2).set(queue="low"))
    chord_id = group_id(result)
    until(lambda: store.get("held:x") == "1", "it runs")
    stock.end()
    assert store.hlen("unacked") >= 1
    if not is_registered:
        store.delete(*store.keys("flaskiq:chord*"))
    start()
    store.set("go:x", 1)
    found = look(chord_id)
    assert found.is_registered == is_registered
    assert found.verdict in (Verdict.WAITING, Verdict.RUNNING)
    until(lambda: look(chord_id).verdict is Verdict.WAITING, "the other has ended", 20)
    assert "redelivered in" in look(chord_id).reason
    assert chord_id in [each.id for each in unfinished()]
    assert set(acts(recover(chord_id))) == {"give back"}
    assert result.get(timeout=20) == [7, 4]
    assert ran(store) == ["[7, 4]"]


def test_a_claim_that_nobody_honours(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    result = publish(jobs, jobs.Hold.s("x", 1), jobs.Double.s(2))
    chord_id = group_id(result)
    until(lambda: counted(store, chord_id) == 1, "one has ended")
    claim = f"celery-taskset-meta-{chord_id}.c"
    store.set(claim, "of somebody who has died")
    store.set("go:x", 1)
    until(lambda: counted(store, chord_id) == 2, "both have ended")
    assert look(chord_id).verdict is Verdict.RUNNING
    store.delete(claim)  # it expires
    assert look(chord_id).verdict is Verdict.CLAIM_STUCK
    assert acts(recover(chord_id)) == ["call"]
    assert result.get(timeout=20) == [1, 4]
    assert recover(chord_id) == []
    assert ran(store) == ["[1, 4]"]


def test_a_lost_part_of_a_chord_that_nobody_registered(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    result = publish(jobs, jobs.Double.s(1), jobs.Double.s(2), jobs.Double.s(3))
    chord_id = group_id(result)
    lose(store, "default", result.parent.results[1].id)
    store.delete(*store.keys("flaskiq:chord*"))
    found = look(chord_id)
    assert (found.verdict, found.unknown, found.is_registered) == (Verdict.LOST, 1, False)
    assert acts(recover(chord_id)) == ["fail"]
    start()
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert f"part 1 of chord {chord_id}" in str(result.result)
    assert (look(chord_id).verdict, unfinished()) == (Verdict.FAILED, [])


def test_a_dead_part_ends_the_chord_and_is_named(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    start()
    result = publish(jobs, jobs.Fail.s(), jobs.Double.s(2))
    part = result.parent.results[0].id
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert part in str(result.result)
    found = look(group_id(result))
    assert (found.verdict, found.failed) == (Verdict.FAILED, 1)
    assert "ValueError" in found.reason
    until(lambda: [job.id for job in api.DeadSet()] == [part], "it is in the dead set")


def test_revoking_a_chord(jobs: ModuleType, store: Redis, start: Start) -> None:
    start()
    parts = [
        jobs.Hold.s("x", 1),
        jobs.Double.s(2).set(queue="forgotten"),
        jobs.Double.s(3).set(countdown=3600),
    ]
    result = publish(jobs, *parts)
    chord_id = group_id(result)
    until(lambda: store.get("held:x") == "1", "it runs")
    assert acts(revoke(chord_id, dry_run=True)) == ["revoke"] * 3
    assert acts(revoke(chord_id)) == ["revoke"] * 3
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert "Dependency" in str(result.result)
    until(lambda: look(chord_id).verdict is Verdict.FAILED, "it is over")
    assert (unfinished(), ran(store)) == ([], [])


def test_a_body_that_is_a_group_and_one_that_waits(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    start()
    body = group(jobs.Collect.s("one"), jobs.Collect.s("two"))
    publish(jobs, jobs.Double.s(1), jobs.Double.s(2), body=body)
    until(lambda: ran(store, "one") == ran(store, "two") == ["[2, 4]"], "both run")
    until(lambda: unfinished() == [], "it is over")
    failing = publish(jobs, jobs.Fail.s(), jobs.Double.s(2), body=body.clone())
    until(lambda: failing.children[0].state == "FAILURE", "its bodies have failed")
    until(lambda: unfinished() == [], "it is over, too")
    later = publish(jobs, jobs.Double.s(3), body=jobs.Collect.s("later").set(countdown=3600))
    until(lambda: api.find(later.id).state is api.State.SCHEDULED, "it waits")
    assert look(group_id(later)).verdict is Verdict.DONE
    store.delete(*store.keys("celery-taskset-meta-*"))
    assert (look(later.id).verdict, unfinished()) == (Verdict.DONE, [])


def test_results_in_a_list(jobs: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """``result_chord_ordered`` off: Celery keeps a list and knows no places."""
    backend = jobs.celery_app.backend
    monkeypatch.setitem(vars(backend), "_chord_zset", False)
    result = publish(jobs, jobs.Double.s(1), jobs.Double.s(2))
    chord_id = group_id(result)
    for part in look(chord_id).missing:
        lose(store, "default", part.id)
    assert acts(recover(chord_id, fail=True)) == ["fail", "fail"]
    assert store.type(f"celery-taskset-meta-{chord_id}.j") == "list"
    found = look(chord_id)
    assert (found.verdict, found.failed) == (Verdict.FAILED, 2)


def test_a_chord_that_was_not_published_to_its_end(
    jobs: ModuleType, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.celery_app.backend, "set_chord_size", break_off)
    with pytest.raises(KeyboardInterrupt):
        publish(jobs, jobs.Double.s(1), jobs.Double.s(2), jobs.Double.s(3))
    monkeypatch.undo()
    (found,) = unfinished()
    assert (found.verdict, found.reason) == (Verdict.RUNNING, "it is being published")
    store.hincrbyfloat(f"flaskiq:chord:{found.id}", "created_at", -100)
    (found,) = check_stuck_chords()
    assert (found.verdict, found.expected) == (Verdict.LOST, 3)
    assert found.reason == ("1 of 3 parts are nowhere; publishing it did not come to its end")
    assert acts(recover(found.id)) == ["count", "fail"]


def test_a_dead_part_of_an_inner_chord_ends_the_outer_one(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    """Celery tells the outer one nothing, and its body would be waited for in vain."""
    start()
    inner = chord(group(jobs.Fail.s(), jobs.Double.s(1)), jobs.Collect.s("inner"))
    result = publish(jobs, inner, jobs.Double.s(5))
    until(lambda: result.state == "FAILURE", "the outer body has failed")
    assert "broken" in str(result.result)
    until(lambda: unfinished() == [], "both are over")


def test_revoking_a_chord_with_a_chain_and_a_chord_in_it(jobs: ModuleType, store: Redis) -> None:
    inner = chord(group(jobs.Double.s(3).set(countdown=3600), jobs.Double.s(1)), jobs.Collect.s())
    parts = [chain(jobs.Double.s(1), jobs.Double.s()), inner, jobs.Double.s(4)]
    result = publish(jobs, *parts)
    assert len(unfinished()) == 2
    assert acts(revoke(result.id)) == ["revoke"] * 3
    assert result.state == "FAILURE"
    assert unfinished() == []
    assert (store.llen("default"), len(api.ScheduledSet())) == (0, 0)


def test_deleting_a_job_that_leads_to_a_part(jobs: ModuleType, store: Redis) -> None:
    result = publish(jobs, chain(jobs.Double.s(1), jobs.Double.s(), jobs.Double.s()))
    (job,) = api.Queue("default")
    assert api.Queue("default").delete(job.id)
    assert result.state == "FAILURE"
    assert unfinished() == []


def test_a_lost_part_goes_to_another_queue(jobs: ModuleType, store: Redis, start: Start) -> None:
    result = publish(jobs, jobs.Double.s(1).set(queue="forgotten"), jobs.Double.s(2))
    store.delete("forgotten")
    start()
    until(lambda: counted(store, group_id(result)) == 1, "the other has ended")
    (step,) = recover(result.id, queue="low")
    assert step.detail == "chord_app.Double to queue low"
    assert result.get(timeout=20) == [2, 4]
    # The last part notes its return after it has called the body.
    until(lambda: look(result.id).done == 2, "both are counted")
    assert {part.name for part in look(result.id).parts} == {"chord_app.Double"}


def test_a_part_that_leaves_flight_when_it_begins(
    jobs: ModuleType, store: Redis, start: Start
) -> None:
    """Only its process knows that it runs: that is no loss."""
    start("-c", "1")
    result = publish(jobs, jobs.early.s("x"), jobs.Double.s(2).set(countdown=3600))
    job = result.parent.results[0].id
    until(lambda: not api.Queue("default").size, "it was fetched")
    until(lambda: not any(each.id == job for each in api.InFlight()), "it has left flight")
    found = look(result.id)
    assert (found.verdict, str(found.missing[0].place)[:9]) == (Verdict.RUNNING, "in flight")
    store.set("go:x", 1)


@pytest.mark.parametrize("pool", ["flaskiq", "prefork"])
def test_revoking_a_job_that_leads_to_a_part(
    jobs: ModuleType, store: Redis, start: Start, pool: str
) -> None:
    """A worker skips the job when its turn comes; the chord hears of it."""
    result = publish(jobs, chain(jobs.Double.s(1), jobs.Double.s()), jobs.Double.s(3))
    first = result.parent.results[0].parent
    api.cancel(first.id)
    start(f"--pool={pool}", "-c", "1")
    until(lambda: result.state == "FAILURE", "the body has failed")
    assert first.state == "REVOKED"
    until(lambda: unfinished() == [], "it is over")
