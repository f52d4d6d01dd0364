"""What fake and inline have in common with a real worker: all that docs/testing.md says."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from datetime import timedelta, timezone
from types import ModuleType
from typing import Any
from unittest.mock import ANY

import pytest
from celery import chain, chord, group, signals
from celery.exceptions import NotRegistered, TaskRevokedError
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from flaskiq import ArgumentError, Batch, Discard, Kill, TenantError, api
from flaskiq.chords import parallel
from flaskiq.testing import (
    Mode,
    State,
    advance,
    assert_cron,
    assert_enqueued,
    clear,
    drain,
    enqueued,
    refute_enqueued,
)


def raised(enqueue: Callable[[], Any]) -> BaseException | None:
    """Enqueue, let everything run, and return what a test would be told of it."""
    try:
        enqueue()
        drain(scheduled=True)
    except Exception as error:
        return error
    return None


def states(of: Any = None) -> list[State]:
    return [job.state for job in enqueued(of)]


# A job and its result.


def test_a_job_runs_with_arguments_that_have_been_through_json(mode: Mode, kit: ModuleType) -> None:
    given = {"list": [1, None, "ü"], "when": datetime.date(2030, 1, 2)}
    result = kit.Say.perform_async("word", **given)
    drain()
    assert kit.told == [("word", given)]
    assert kit.told[0][1]["list"] is not given["list"]
    assert (result.get(timeout=5), result.state, result.successful()) == ("word", "SUCCESS", True)
    (job,) = enqueued()
    assert (job.id, job.worker, job.args, job.kwargs) == (
        result.id, "kit_app.Say", ["word"], given,
    )  # fmt: skip
    assert (job.queue, job.at, job.tenant, job.state) == ("low", None, None, State.DONE)


def test_a_job_knows_itself(mode: Mode, kit: ModuleType) -> None:
    result = kit.Whoami.set(queue="critical", headers={"color": "red"}).perform_async()
    drain()
    assert result.get(timeout=5) == {
        "id": result.id,
        "worker": "kit_app.Whoami",
        "queue": "critical",
        "attempt": 1,
        "color": "red",
        "tenant": {},
    }


def test_a_coroutine_runs_to_its_end(mode: Mode, kit: ModuleType) -> None:
    result = kit.Async.perform_async("word")
    drain()
    assert result.get(timeout=5) == "WORD"


def test_a_bulk_runs_in_its_order(mode: Mode, kit: ModuleType) -> None:
    results = kit.Add.perform_bulk([(1,), {"first": 2}, ((3,), {"second": 4})])
    drain()
    assert kit.told == [("add", 1, 0), ("add", 2, 0), ("add", 3, 4)]
    assert [result.get(timeout=5) for result in results] == [1, 2, 7]


def test_what_a_job_enqueues_runs_after_it_in_the_order_of_queues(
    mode: Mode, kit: ModuleType
) -> None:
    kit.Spawn.perform_async()
    drain()
    assert kit.told == ["spawned", ("critical", {}), ("default", {}), ("low", {})]


def test_bad_arguments_enqueue_nothing(mode: Mode, kit: ModuleType) -> None:
    with pytest.raises(ArgumentError, match="argument 1"):
        kit.Add.perform_async({1, 2})
    with pytest.raises(ArgumentError, match="job 1"):
        kit.Add.perform_bulk([(1,), ()])
    assert (enqueued(), drain(), kit.told) == ([], 0, [])


def test_progress_is_told(mode: Mode, kit: ModuleType) -> None:
    result = kit.Progress.perform_async()
    drain()
    assert result.get(timeout=5) == "PROGRESS 1/4"


def test_an_ignored_result_is_not_kept(mode: Mode, kit: ModuleType) -> None:
    result = kit.Silent.perform_async()
    drain()
    assert (kit.told, result.state, states()) == (["silent"], "PENDING", [State.DONE])


# Times.


def test_a_job_that_waits_for_a_time_runs_when_that_has_come(mode: Mode, kit: ModuleType) -> None:
    before = datetime.datetime.now(timezone.utc)
    kit.Add.perform_in(300, 1)
    kit.Add.perform_at(before + timedelta(hours=2), 2)
    kit.Add.set(delay=timedelta(minutes=1)).perform_async(3)
    drain(scheduled=True)
    jobs = enqueued()
    waits = [round((job.at - before).total_seconds() / 60) for job in jobs if job.at]
    assert waits == [5, 120, 1]
    assert sorted(kit.told) == [("add", 1, 0), ("add", 2, 0), ("add", 3, 0)]
    assert {job.state for job in jobs} == {State.DONE}


def test_the_past_is_now(mode: Mode, kit: ModuleType) -> None:
    kit.Add.perform_at(datetime.datetime(2020, 1, 1), 1)
    drain()
    assert kit.told == [("add", 1, 0)]


# Failures.


def test_a_job_is_retried_until_it_succeeds(mode: Mode, kit: ModuleType) -> None:
    assert raised(lambda: kit.Flaky.perform_async(2)) is None
    assert kit.told == [
        ("attempt", 1), ("on_failure", 1, "attempt 1"), ("on_error", 1),
        ("attempt", 2), ("on_failure", 2, "attempt 2"), ("on_error", 2),
        ("attempt", 3), ("on_success", 3, 3),
    ]  # fmt: skip
    assert states() == [State.DONE]


def test_a_job_that_gives_up_is_dead_and_its_error_surfaces(mode: Mode, kit: ModuleType) -> None:
    error = raised(lambda: kit.Flaky.perform_async(9))
    assert isinstance(error, LookupError)
    assert str(error) == "attempt 4"
    assert _is_from(error, "kit_app.py", "perform")
    assert kit.told[-5:] == [
        ("attempt", 4), ("on_failure", 4, "attempt 4"), ("on_error", 4),
        ("retries_exhausted", 4, "attempt 4"), ("on_death", 4),
    ]  # fmt: skip
    (job,) = enqueued()
    result = kit.celery_app.AsyncResult(job.id)
    assert (job.state, result.state, str(result.result)) == (State.DEAD, "FAILURE", "attempt 4")
    dead = list(api.DeadSet())
    assert [(each.id, each.failure and each.failure.message) for each in dead] == [
        (job.id, "attempt 4")
    ]
    assert [attempt.number for each in dead for attempt in each.attempts] == [1, 2, 3, 4]


def _is_from(error: BaseException, file: str, function: str) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.endswith(file) and code.co_name == function:
            return True
        traceback = traceback.tb_next
    return False


def test_max_retries_of_a_call_counts(mode: Mode, kit: ModuleType) -> None:
    assert isinstance(raised(lambda: kit.Flaky.set(max_retries=1).perform_async(9)), LookupError)
    assert [each[1] for each in kit.told if each[0] == "attempt"] == [1, 2]


def test_retry_for_ends_when_the_time_is_over(mode: Mode, kit: ModuleType) -> None:
    assert isinstance(raised(kit.Lasting.perform_async), LookupError)
    assert [each for each in kit.told if isinstance(each, int)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("way", "error", "state", "status"),
    [
        ("discard", None, State.DISCARDED, "FAILURE"),
        ("discard_on", None, State.DISCARDED, "FAILURE"),
        ("kill", Kill, State.DEAD, "FAILURE"),
        ("other", OSError, State.DEAD, "FAILURE"),
        ("ignore", None, State.DISCARDED, "STARTED"),
    ],
)
def test_the_ways_in_which_a_job_can_end_at_once(
    mode: Mode, kit: ModuleType, way: str, error: type[Exception] | None, state: State, status: str
) -> None:
    found = raised(lambda: kit.Ends.perform_async(way))
    assert type(found) is (error or type(None))
    assert [each for each in kit.told if each == way] == [way]
    (job,) = enqueued()
    assert (job.state, kit.celery_app.AsyncResult(job.id).state) == (state, status)
    assert len(api.DeadSet()) == (state is State.DEAD)


def test_a_snoozed_job_keeps_its_attempt(mode: Mode, kit: ModuleType) -> None:
    assert raised(lambda: kit.Sleeper.perform_async(2)) is None
    assert kit.told == [("snooze", 1)] * 3
    assert states() == [State.DONE]


def test_a_job_of_a_task_that_nobody_knows_is_dead(mode: Mode, kit: ModuleType) -> None:
    error = raised(lambda: kit.celery_app.send_task("other.service", [1]))
    assert isinstance(error, NotRegistered)
    assert "other.service" in str(error)
    assert states() == [State.DEAD]


# Plain tasks, canvas and signals.


def test_a_plain_task_runs_as_a_worker_does(mode: Mode, kit: ModuleType) -> None:
    result = kit.double.delay(2)
    later = kit.double.apply_async((3,), countdown=60, queue="low")
    drain(scheduled=True)
    assert (result.get(timeout=5), later.get(timeout=5)) == (4, 6)
    assert [(job.worker, job.queue) for job in enqueued()] == [
        ("kit_app.double", "default"), ("kit_app.double", "low"),
    ]  # fmt: skip


def test_a_plain_task_retries_itself(mode: Mode, kit: ModuleType) -> None:
    assert raised(lambda: kit.stubborn.delay(2)) is None
    assert [each for each in kit.told if each[0] == "stubborn"] == [
        ("stubborn", 0), ("stubborn", 1), ("stubborn", 2),
    ]  # fmt: skip
    assert states() == [State.DONE]
    clear()
    assert isinstance(raised(lambda: kit.stubborn.delay(3)), OSError)
    assert states() == [State.DEAD]


def test_a_chain_hands_on_what_each_returns(mode: Mode, kit: ModuleType) -> None:
    result = chain(kit.double.s(1), kit.double.s(), kit.Add.s(5))()
    drain()
    assert (result.get(timeout=5), result.parent.get(timeout=5)) == (9, 4)


def test_a_group_and_its_chord(mode: Mode, kit: ModuleType) -> None:
    of_group = group(kit.double.s(n) for n in range(3))()
    of_chord = chord([kit.double.s(1), kit.Add.s(2, 3)], kit.total.s())()
    nested = chord([chord([kit.double.s(1)], kit.total.s()), kit.double.s(4)], kit.total.s())()
    drain()
    assert of_group.get(timeout=5) == [0, 2, 4]
    assert (of_chord.get(timeout=5), nested.get(timeout=5)) == (7, 10)


def test_a_chord_with_a_part_that_fails_calls_its_errback(mode: Mode, kit: ModuleType) -> None:
    body = kit.total.s().on_error(kit.hears.s())
    error = raised(lambda: chord([kit.double.s(1), kit.fails.s()])(body))
    assert isinstance(error, OSError)
    assert [each[0] for each in kit.told].count("errback") == 1
    (job,) = enqueued(kit.fails)
    assert job.state is State.DEAD
    refute_enqueued(kit.total)


def test_links_follow(mode: Mode, kit: ModuleType) -> None:
    kit.double.apply_async((2,), link=kit.Add.s(1))
    drain()
    assert kit.told == [("double", 2), ("add", 4, 1)]
    assert isinstance(raised(lambda: kit.fails.apply_async(link_error=kit.hears.s())), OSError)
    assert ("errback", "failed") in kit.told


def test_signals_are_sent_around_a_job(mode: Mode, kit: ModuleType) -> None:
    heard: list[str] = []
    names = ("task_prerun", "task_postrun", "task_success", "task_failure", "task_retry")
    receivers = {
        name: lambda *_, name=name, **__: heard.append(name.removeprefix("task_")) for name in names
    }
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver, weak=False)
    try:
        raised(lambda: kit.Flaky.set(max_retries=1).perform_async(9))
        raised(lambda: kit.double.delay(1))
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)
    ends = ("retry", "failure", "success")
    assert heard == [each for end in ends for each in ("prerun", end, "postrun")]


def test_errors_of_parallel_jobs_are_values(mode: Mode, kit: ModuleType) -> None:
    parts = [kit.double.s(1), kit.fails.s(), kit.double.s(3)]
    error = raised(lambda: parallel(parts, then=kit.summary.s().set(task_id="then"), limit=1))
    assert isinstance(error, OSError)
    assert kit.celery_app.AsyncResult("then").get(timeout=5) == [2, "failed", 6]


def test_middleware_around_publishing_is_called(mode: Mode, kit: ModuleType) -> None:
    def color(headers: dict[str, Any], **_: Any) -> None:
        headers["color"] = "blue"

    signals.before_task_publish.connect(color)
    try:
        result = kit.Whoami.perform_async()
        drain()
    finally:
        signals.before_task_publish.disconnect(color)
    assert result.get(timeout=5)["color"] == "blue"


def test_a_job_can_wait_for_a_transaction(mode: Mode, kit: ModuleType) -> None:
    with Session(create_engine("sqlite://")) as session:
        session.begin()
        kit.Add.set(after_commit=session).perform_async(1)
        drain()
        assert (enqueued(), kit.told) == ([], [])
        session.commit()
        drain()
        session.begin()
        kit.Add.set(after_commit=session).perform_async(2)
        session.rollback()
        drain()
    assert kit.told == [("add", 1, 0)]


# Batches.


def test_a_batch_succeeds(mode: Mode, kit: ModuleType) -> None:
    events = {f"on_{event}": (kit.Told, {"event": event}) for event in ("complete", "success")}
    with Batch("import", properties={"color": "red"}, **events) as batch:
        kit.Member.perform_bulk([(), ()])
    drain()
    assert sorted(map(str, kit.told)) == [
        "('member', 'red')", "('member', 'red')", "complete", "success",
    ]  # fmt: skip
    status = batch.status()
    assert (status.state, status.total, status.done, status.progress) == ("success", 2, 2, 1.0)
    assert_enqueued(kit.Told, args=[batch.id], kwargs={"event": "success"}, count=1)
    assert_enqueued(kit.Told, count=2, state=State.DONE)
    assert Batch.find(batch.id) is not None


def test_a_batch_with_a_dead_job_goes_on_when_that_is_replayed(mode: Mode, kit: ModuleType) -> None:
    events = {
        f"on_{event}": (kit.Told, {"event": event}) for event in ("complete", "success", "death")
    }
    batch = Batch("import", **events)

    def fill() -> None:
        with batch:
            kit.Member.perform_async(True)
            kit.Member.perform_async()

    assert isinstance(raised(fill), OSError)
    assert [each for each in kit.told if isinstance(each, str)] == ["death", "complete"]
    status = batch.status()
    assert (status.state, status.dead, status.pending) == ("blocked", 1, 1)
    (dead,) = batch.dead_jobs()
    api.DeadSet().retry(dead)
    with pytest.raises(OSError, match="a member failed"):
        drain()
    assert (batch.status().dead, kit.told.count("death")) == (1, 1)


def test_batches_can_be_nested_and_cancelled(mode: Mode, kit: ModuleType) -> None:
    with Batch("outer", on_success=(kit.Told, {"event": "outer"})) as outer:
        kit.Outer.perform_async()
    drain()
    assert [each for each in kit.told if isinstance(each, str)] == ["inner", "outer"]
    assert (outer.status().state, outer.children()) == ("success", [])
    with Batch("later") as later:
        kit.Member.set(delay=3600).perform_async()
    if mode.name != "inline":
        assert (later.cancel(), later.status().skipped, later.status().state) == (1, 1, "cancelled")


# Tenants.


def test_a_tenant_goes_along(mode: Mode, kit: ModuleType) -> None:
    tenant = {"organization_id": 7, "user_id": "ada"}
    result = kit.Owned.set(tenant=tenant).perform_async()
    drain()
    expected = {"organization_id": "7", "user_id": "ada"}
    assert result.get(timeout=5) == expected
    first, second = enqueued()
    assert (first.tenant, second.tenant) == (expected, expected)
    assert kit.celery_app.AsyncResult(second.id).get(timeout=5)["tenant"] == expected
    assert_enqueued(kit.Owned, tenant={"organization_id": 7})
    with pytest.raises(TenantError):
        kit.Owned.perform_async()


# Cancelling and expiry.


def test_a_cancelled_job_does_not_run(mode: Mode, kit: ModuleType) -> None:
    if mode.name == "inline":
        pytest.skip("nothing waits that could be cancelled")
    result = kit.Add.perform_in(60, 1)
    api.cancel(result.id)
    drain(scheduled=True)
    assert (kit.told, result.state, states()) == ([], "REVOKED", [State.CANCELLED])
    with pytest.raises(TaskRevokedError):
        result.get(timeout=5)
    assert api.find(result.id).state is State.CANCELLED


def test_a_job_that_has_expired_does_not_run(mode: Mode, kit: ModuleType) -> None:
    if mode.name != "fake":
        pytest.skip("a worker does not let it wait")
    late, in_time = kit.Fleeting.perform_async(), kit.Fleeting.set(expires=600).perform_async()
    advance(timedelta(minutes=2))
    assert drain(kit.Fleeting) == 1
    assert (kit.told.count("ran"), late.state, in_time.state) == (1, "REVOKED", "SUCCESS")


def test_expiry_counts_from_when_a_job_is_meant_to_start(mode: Mode, kit: ModuleType) -> None:
    result = kit.Fleeting.perform_in(3600)
    drain(scheduled=True)
    assert (kit.told.count("ran"), result.state) == (1, "SUCCESS")


# The clock.


def test_the_clock_brings_nearer_what_waits(mode: Mode, kit: ModuleType) -> None:
    if mode.name == "inline":
        pytest.skip("nothing waits")
    kit.Add.perform_in(300, 1)
    kit.Add.perform_in(900, 2)
    for delta, expected in ((timedelta(minutes=4), []), (90, [1]), (timedelta(minutes=10), [1, 2])):
        advance(delta)
        drain()
        assert [first for what, first, *_ in kit.told if what == "add"] == expected


def test_a_retry_waits_for_the_clock(mode: Mode, kit: ModuleType) -> None:
    if mode.name == "inline":
        pytest.skip("retries are followed to their end")
    kit.Flaky.perform_async(1)
    with pytest.raises(LookupError):
        drain()
    assert states(kit.Flaky) == [State.RETRYING]
    assert [job.id for job in api.RetrySet()] == [enqueued(kit.Flaky)[0].id]
    advance(59)
    drain()
    assert states(kit.Flaky) == [State.RETRYING]
    advance(2)
    drain()
    assert states(kit.Flaky) == [State.DONE]


def test_drain_ends_at_a_time(mode: Mode, kit: ModuleType) -> None:
    if mode.name == "inline":
        pytest.skip("nothing waits")
    kit.Add.perform_in(60, 1)
    kit.Add.perform_in(600, 2)
    drain(scheduled=timedelta(minutes=5))
    assert kit.told == [("add", 1, 0)]
    assert states(kit.Add) == [State.DONE, State.SCHEDULED]


# Cron.


def test_cron_entries_are_enqueued_once_for_each_slot(mode: Mode, kit: ModuleType) -> None:
    advance(timedelta(hours=3))
    drain()
    hours = enqueued(kit.Hourly)
    assert len(hours) == 3
    assert len({job.id for job in hours}) == 3
    assert all(job.args == ["hour"] for job in hours)
    assert kit.told.count(("hour", {"organization_id": "system"})) == 3


def test_a_slot_is_left_out_while_the_job_of_another_is_not_over(
    mode: Mode, kit: ModuleType
) -> None:
    if mode.name == "inline":
        pytest.skip("nothing waits")
    advance(timedelta(hours=1))
    drain()
    assert len(enqueued(kit.Slow)) == 1
    advance(timedelta(hours=1))
    drain()
    assert len(enqueued(kit.Slow)) == 1


def test_a_schedule_can_be_asserted(mode: Mode, kit: ModuleType) -> None:
    assert_cron(kit.Hourly, at=datetime.datetime(2027, 3, 1, 9, 0))
    assert_cron(kit.Hourly, at=datetime.datetime(2027, 3, 1, 9, 0, tzinfo=timezone.utc))
    with pytest.raises(AssertionError, match="not due at 2027-03-01 09:30"):
        assert_cron(kit.Hourly, at=datetime.datetime(2027, 3, 1, 9, 30))
    with pytest.raises(AssertionError, match="has no cron schedule"):
        assert_cron(kit.Add, at=datetime.datetime(2027, 3, 1, 9, 0))


# Assertions.


def test_what_was_enqueued_can_be_asserted(mode: Mode, kit: ModuleType) -> None:
    kit.Add.perform_async(1, second=2)
    kit.Say.set(queue="critical").perform_in(300, "later")
    drain(scheduled=True)
    assert_enqueued(kit.Add)
    assert_enqueued(kit.Add, args=[1], kwargs={"second": 2}, queue="default", at=None, tenant=None)
    assert_enqueued(kit.Add, args=(ANY,), count=1)
    assert_enqueued(kit.Say, at=timedelta(minutes=5))
    assert_enqueued(kit.Say, at=300, queue="critical")
    assert_enqueued("kit_app.Say", args=["later"])
    refute_enqueued(kit.double)
    refute_enqueued(kit.Add, args=[2])
    assert [job.worker for job in enqueued()] == ["kit_app.Add", "kit_app.Say"]
    assert enqueued(kit.Say, queue="low") == []
    assert [job.worker for job in enqueued(queue="critical")] == ["kit_app.Say"]
    assert_enqueued(kit.Add, state=State.DONE)


def test_a_failing_assertion_says_what_was_enqueued_instead(mode: Mode, kit: ModuleType) -> None:
    with pytest.raises(AssertionError, match="nothing was enqueued in this block"):
        assert_enqueued(kit.Add)
    kit.Add.perform_async(1)
    drain()
    with pytest.raises(AssertionError) as found:
        assert_enqueued(kit.Add, args=[2], queue="low")
    assert str(found.value) == (
        "no job enqueued: kit_app.Add  args=[2]  queue='low'\n"
        "enqueued instead:\n"
        "  kit_app.Add(1)  queue='default'  [done]\n"
        "    - args [2]\n"
        "    + args [1]\n"
        "    - queue 'low'\n"
        "    + queue 'default'"
    )
    with pytest.raises(ArgumentError, match="did you mean 'queue'"):
        assert_enqueued(kit.Add, quue="low")
    with pytest.raises(AssertionError, match=r"1 job enqueued, not 2: kit_app\.Add"):
        assert_enqueued(kit.Add, count=2)
    with pytest.raises(AssertionError, match=r"was not to be: kit_app\.Add\n  kit_app\.Add\(1\)"):
        refute_enqueued(kit.Add)


def test_clear_forgets(mode: Mode, kit: ModuleType) -> None:
    result = kit.Add.perform_async(1)
    drain()
    clear()
    assert (enqueued(), drain(), result.state) == ([], 0, "PENDING")
    refute_enqueued(kit.Add)


# What an application asks of its jobs.


def test_an_application_can_look_for_its_jobs(mode: Mode, kit: ModuleType) -> None:
    result = kit.Flaky.perform_async(0)
    drain()
    found = api.find(result.id)
    assert (found.state, api.status(result.id).as_dict()["status"]) == (State.DONE, "SUCCESS")
    assert api.status(result.id).result == 1
    assert len(api.ScheduledSet()) == len(api.RetrySet()) == len(api.DeadSet()) == 0


def test_a_discarded_job_tells_its_reason(mode: Mode, kit: ModuleType) -> None:
    result = kit.Ends.perform_async("discard")
    drain()
    with pytest.raises(Discard, match="no more"):
        result.get(timeout=5)


def test_a_chord_whose_part_has_failed_has_failed(mode: Mode, kit: ModuleType) -> None:
    body = kit.total.s()
    body.freeze("body")
    raised(lambda: chord([kit.fails.s()])(body))
    assert kit.celery_app.AsyncResult("body").state == "FAILURE"
