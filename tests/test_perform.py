"""The verbs of a Worker: what they put into Redis, and what they refuse before."""

from __future__ import annotations

import copy
import os
import pickle
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import pytest
import redis
from messages import queued, scheduled

from flaskiq import ArgumentError, ResultsDisabledError

UTC = timezone.utc


def eta(store: redis.Redis) -> datetime:
    """When the only scheduled job is due."""
    ((at, _),) = scheduled(store)
    return at


def assert_near(actual: datetime, expected: datetime) -> None:
    assert abs(actual - expected) < timedelta(seconds=1)


@pytest.fixture
def local_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the zone of this process, as the operator of a server does."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def test_perform_async_puts_one_protocol_2_message_onto_the_queue(
    sample: ModuleType, store: redis.Redis
) -> None:
    result = sample.Add.perform_async(1, right=2)

    (message,) = queued(store)
    assert message.headers["task"] == "sample.Add"
    assert message.headers["id"] == result.id
    assert "eta" not in message.headers
    assert (message.args, message.kwargs) == ([1], {"right": 2})


def test_perform_is_the_bare_call(sample: ModuleType, store: redis.Redis) -> None:
    assert sample.Add.perform(1, 2) == 3
    assert store.dbsize() == 0


@pytest.mark.parametrize("delay", [3600, 3600.0, timedelta(hours=1)])
def test_perform_in(sample: ModuleType, store: redis.Redis, delay: Any) -> None:
    sample.Add.perform_in(delay, 1, 2)
    assert_near(eta(store), datetime.now(UTC) + timedelta(hours=1))


def test_perform_in_takes_the_keyword_of_flask_react_template(
    sample: ModuleType, store: redis.Redis
) -> None:
    sample.Add.perform_in(delay_seconds=300, left=1, right=2)
    assert_near(eta(store), datetime.now(UTC) + timedelta(minutes=5))
    ((_, message),) = scheduled(store)
    assert message.kwargs == {"left": 1, "right": 2}


@pytest.mark.parametrize("local_zone", ["Asia/Kolkata", "America/New_York", "UTC"], indirect=True)
@pytest.mark.usefixtures("local_zone")
def test_a_naive_datetime_is_local_time(sample: ModuleType, store: redis.Redis) -> None:
    sample.Add.perform_at(datetime.now() + timedelta(hours=2), 1, 2)
    assert_near(eta(store), datetime.now(UTC) + timedelta(hours=2))


def test_an_aware_datetime_is_itself(sample: ModuleType, store: redis.Redis) -> None:
    zone = timezone(timedelta(hours=-7))
    sample.Add.perform_at(datetime(2099, 1, 1, tzinfo=zone), 1, 2)
    assert eta(store) == datetime(2099, 1, 1, tzinfo=zone)


def test_the_past_means_now(sample: ModuleType, store: redis.Redis) -> None:
    sample.Add.perform_at(datetime(2001, 1, 1), 1, 2)
    sample.Add.perform_in(-5, 1, 2)
    sample.Add.perform_in(0, 1, 2)
    assert ["eta" in message.headers for message in queued(store)] == [False, False, False]


def test_perform_bulk_takes_three_forms(sample: ModuleType, store: redis.Redis) -> None:
    results = sample.Add.perform_bulk([(1, 2), {"left": 3, "right": 4}, ((5,), {"right": 6})])

    messages = queued(store)
    assert [message.headers["id"] for message in messages] == [result.id for result in results]
    assert [(message.args, message.kwargs) for message in messages] == [
        ([1, 2], {}),
        ([], {"left": 3, "right": 4}),
        ([5], {"right": 6}),
    ]


def test_perform_bulk_at_one_time_or_at_one_for_each(
    sample: ModuleType, store: redis.Redis
) -> None:
    start = datetime(2099, 1, 1, tzinfo=UTC)
    starts = [start, start + timedelta(days=1)]
    sample.Add.perform_bulk([(1, 2), (3, 4)], at=start)
    sample.Add.perform_bulk(((n, n) for n in range(2)), at=starts)
    assert sorted(at for at, _ in scheduled(store)) == sorted([start, start, *starts])


def test_one_wrong_call_of_a_bulk_enqueues_nothing(sample: ModuleType, store: redis.Redis) -> None:
    for calls, message in (
        ([(1, 2), (3, object())], "job 1: .*argument 2"),
        ([(1, 2), (3,)], "job 1: .*missing 1 required"),
        ([(1, 2), 3], "job 1: pass a tuple of args"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sample.Add.perform_bulk(calls)
    with pytest.raises(ArgumentError, match="2 jobs but 1 times"):
        sample.Add.perform_bulk([(1, 2), (3, 4)], at=[datetime(2099, 1, 1)])
    assert store.dbsize() == 0


def test_an_empty_bulk_is_empty(sample: ModuleType, store: redis.Redis) -> None:
    assert list(sample.Add.perform_bulk([])) == []
    assert store.llen("default") == 0


def test_set_is_for_one_call_and_chains(sample: ModuleType, store: redis.Redis) -> None:
    urgent = sample.Add.set(queue="critical", max_retries=7)
    urgent.set(delay=60, headers={"request": "r1"}).perform_async(1, 2)
    sample.Add.perform_async(3, 4)

    ((at, message),) = scheduled(store)
    assert_near(at, datetime.now(UTC) + timedelta(minutes=1))
    assert message.properties["delivery_info"]["routing_key"] == "critical"
    assert message.headers["flaskiq_max_retries"] == 7
    assert message.headers["request"] == "r1"
    (other,) = queued(store)
    assert "flaskiq_max_retries" not in other.headers


def test_the_later_of_at_and_delay_wins(sample: ModuleType, store: redis.Redis) -> None:
    sample.Add.set(delay=60).set(at=datetime(2099, 1, 1, tzinfo=UTC)).perform_async(1, 2)
    assert eta(store) == datetime(2099, 1, 1, tzinfo=UTC)


def test_expiry_counts_from_the_time_the_job_is_meant_to_start(
    sample: ModuleType, store: redis.Redis
) -> None:
    sample.Add.set(expires=30).perform_in(3600, 1, 2)
    sample.Add.set(expires=timedelta(seconds=30)).perform_async(1, 2)
    ((_, delayed),) = scheduled(store)
    messages = (delayed, *queued(store))
    later, soon = (datetime.fromisoformat(message.headers["expires"]) for message in messages)
    assert_near(later, datetime.now(UTC) + timedelta(seconds=3630))
    assert_near(soon, datetime.now(UTC) + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queeue": "low"}, "set() takes no 'queeue'; did you mean 'queue'?"),
        ({"priority": 3}, "a queue is the priority of its jobs; use set(queue='critical')"),
        ({"queue": ""}, "name of a queue"),
        ({"max_retries": None}, "whole number"),
        ({"delay": "5"}, "number of seconds or a timedelta"),
        ({"delay": float("nan")}, "out of range"),
        ({"at": 5}, "must be a datetime"),
        ({"at": datetime(2099, 1, 1), "delay": 5}, "not both"),
        ({"expires": 0}, "more than 0"),
        ({"headers": {"id": "x"}}, "Celery's own message headers"),
        ({"headers": {"user": object()}}, "argument 'user'"),
        ({"headers": [1]}, "a dict with string keys"),
    ],
)
def test_set_refuses(
    sample: ModuleType, store: redis.Redis, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        sample.Add.set(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: w.perform_async(1), "perform() missing 1 required positional argument: 'right'"),
        (
            lambda w: w.perform_async(1, 2, 3),
            "positional arguments but 4 were given (perform(left: ",
        ),
        (lambda w: w.perform_async(1, wrong=2), "unexpected keyword argument 'wrong'"),
        (lambda w: w.perform_async(1, object()), "argument 2 cannot travel as JSON"),
        (lambda w: w.perform_in(), "needs a delay"),
        (lambda w: w.perform_in("soon", 1, 2), "number of seconds or a timedelta"),
        (lambda w: w.perform_in(datetime(2099, 1, 1), 1, 2), "use perform_at"),
        (lambda w: w.perform_at(300, 1, 2), "use perform_in"),
        (lambda w: w.perform_inline(1), "missing 1 required"),
    ],
)
def test_a_wrong_call_is_refused_before_redis(
    sample: ModuleType, store: redis.Redis, call: Any, message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(sample.Add)
    assert message in str(caught.value)
    assert store.dbsize() == 0


def test_perform_inline_has_what_a_job_has(sample: ModuleType, store: redis.Redis) -> None:
    found = sample.Describe.set(headers={"request": "r1"}).perform_inline()
    assert (found["app"], found["attempt"]) == ("sample", 1)
    assert found["worker"] == "sample.Describe"
    assert found["headers"] == {"request": "r1"}
    assert sample.AddAsync.perform_inline(1, 2) == 3
    assert store.dbsize() == 0


def test_perform_inline_raises_the_error_itself(sample: ModuleType) -> None:
    with pytest.raises(LookupError, match="attempt 1"):
        sample.Fails.perform_inline(2)


def test_there_is_no_current_job_outside_of_perform(sample: ModuleType) -> None:
    from flaskiq import current_job

    assert not current_job
    with pytest.raises(RuntimeError, match="no job is running here"):
        _ = current_job.id


def test_waiting_for_a_result_that_nobody_keeps_raises_at_once(sample: ModuleType) -> None:
    result = sample.Silent.perform_async()
    with pytest.raises(ResultsDisabledError, match="ignore_result = False"):
        result.get(timeout=60)


def test_a_handle_is_celerys_own_from_its_first_use_on(sample: ModuleType) -> None:
    handle = sample.Add.perform_async(1, 2)
    assert "backend" not in vars(handle)
    of_celery = sample.Add.s().type.AsyncResult(handle.id)
    for name in ("app", "backend", "parent", "ignored", "task_id", "children"):
        assert getattr(handle, name) == getattr(of_celery, name)
    assert vars(handle).keys() - vars(of_celery).keys() == {"_task"}
    assert handle == of_celery == copy.copy(handle) == pickle.loads(pickle.dumps(handle))
    assert sample.Add.perform_async(1, 2).as_tuple()[0][1] is None


def test_a_handle_keeps_what_is_set_before_its_first_use(sample: ModuleType) -> None:
    handle = sample.Add.perform_async(1, 2)
    handle.ignored = True
    with pytest.raises(ResultsDisabledError):
        handle.get(timeout=60)


def test_callbacks_of_a_handle_hear_of_the_result(sample: ModuleType) -> None:
    handle, heard = sample.Add.perform_async(1, 2), []
    handle.then(heard.append)
    handle.on_ready(handle)
    assert heard == [handle]


def test_canvas_of_plain_celery_takes_workers(sample: ModuleType, store: redis.Redis) -> None:
    (sample.Add.s(1, 2) | sample.Add.s(3)).delay()
    (message,) = queued(store)
    assert message.args == [1, 2]
    assert message.embed["chain"][0]["task"] == "sample.Add"
