"""What is due of an entry, and what becomes of missed slots."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab, schedule, solar

from flaskiq.cron.policy import LATE, Policy
from flaskiq.cron.schedule import CronSchedule
from flaskiq.cron.slots import due, next_of, put_off

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def at(minutes: float, seconds: float = 0) -> datetime:
    return NOON + timedelta(minutes=minutes, seconds=seconds)


@pytest.fixture(scope="module")
def celery() -> Celery:
    return Celery("slots", broker="memory://", set_as_current=False)


def every_minute(celery: Celery, **policy: Any) -> CronSchedule:
    return CronSchedule("* * * * *", app=celery, policy=Policy(**policy))


def test_nothing_is_due_before_the_next_slot(celery: Celery) -> None:
    found = due("e", every_minute(celery), at(0), at(0, 20))
    assert (found.fires, found.missed) == ([], None)
    assert found.wait == 40


@pytest.mark.parametrize("catch_up", ["skip", "once", "all"])
def test_a_slot_on_time_is_due_under_each_policy(celery: Celery, catch_up: str) -> None:
    found = due("e", every_minute(celery, catch_up=catch_up), at(0), at(1))
    assert found.fires == [at(1)]
    assert found.missed is None
    assert found.wait == 60


def test_of_missed_slots_the_latest_is_due(celery: Celery) -> None:
    found = due("e", every_minute(celery), at(0), at(3, 30))
    assert (found.fires, found.missed, found.wait) == ([at(3)], None, 30)


def test_all_missed_slots_are_due(celery: Celery) -> None:
    found = due("e", every_minute(celery, catch_up="all"), at(0), at(3, 30))
    assert (found.fires, found.missed, found.wait) == ([at(1), at(2), at(3)], None, 30)


def test_the_latest_of_all_missed_slots_are_due_up_to_a_limit(celery: Celery) -> None:
    found = due("e", every_minute(celery, catch_up="all", limit=2), at(0), at(60 * 24 * 400))
    assert found.fires == [at(60 * 24 * 400 - 1), at(60 * 24 * 400)]


def test_no_missed_slot_is_due_but_the_entry_moves_on(celery: Celery) -> None:
    found = due("e", every_minute(celery, catch_up="skip"), at(0), at(3, 30))
    assert (found.fires, found.missed, found.wait) == ([], at(3), 30)


def test_a_slot_that_a_failover_delays_is_not_missed(celery: Celery) -> None:
    found = due("e", every_minute(celery, catch_up="skip"), at(0), at(1, LATE - 1))
    assert found.fires == [at(1)]


def test_a_slot_is_put_off_by_the_same_each_time(celery: Celery) -> None:
    policy = Policy(jitter=30)
    delays = {put_off("e", at(minute), policy) for minute in range(100)}
    assert len(delays) > 90, "each slot by another"
    assert min(delays) >= timedelta(0)
    assert max(delays) < timedelta(seconds=30)
    assert put_off("e", at(1), policy) == put_off("e", at(1), policy)
    assert put_off("f", at(1), policy) != put_off("e", at(1), policy)


def test_a_slot_that_is_put_off_is_due_then(celery: Celery) -> None:
    given = every_minute(celery, jitter=50)
    moment = at(1) + put_off("e", at(1), given.policy)
    before = due("e", given, at(0), moment - timedelta(seconds=0.25))
    assert (before.fires, before.wait) == ([], 0.25)
    assert due("e", given, at(0), moment).fires == [at(1)]


def test_an_interval_counts_from_the_slot_before(celery: Celery) -> None:
    given = schedule(timedelta(seconds=45), app=celery)
    found = due("e", given, at(0), at(2))
    assert found.fires == [at(0, 90)]
    assert found.wait == 15


def test_crontab_and_solar_schedules_say_when_they_are_next() -> None:
    celery = Celery("now", broker="memory://", set_as_current=False)
    now = datetime.now(timezone.utc)
    hourly = next_of(crontab(minute="0", app=celery))(now)
    assert hourly == now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    sunset = next_of(solar("sunset", 48.2, 16.4, app=celery))(now)
    assert now < sunset < now + timedelta(hours=36)
    assert sunset.microsecond == 0


@pytest.mark.parametrize("event", ["sunset", "dawn_civil", "solar_noon"])
def test_each_slot_of_the_sun_is_another_day(celery: Celery, event: str) -> None:
    find_next = next_of(solar(event, 48.2, 16.4, app=celery))
    slots = [find_next(NOON)]
    for _ in range(400):
        slots.append(find_next(slots[-1]))
    gaps = [later - earlier for earlier, later in pairwise(slots)]
    assert all(timedelta(hours=23) < gap < timedelta(hours=25) for gap in gaps)
    missed = due("e", solar(event, 48.2, 16.4, app=celery), slots[0], slots[9] + timedelta(hours=1))
    assert missed.fires == [slots[9]]


def test_each_slot_of_a_crontab_comes_once(celery: Celery) -> None:
    find_next = next_of(crontab(minute="*/20", hour="3,4", app=celery))
    slots = [find_next(NOON)]
    for _ in range(6):
        slots.append(find_next(slots[-1]))
    assert [f"{slot:%d %H:%M:%S.%f}" for slot in slots] == [
        f"{day} {hour:02}:{minute:02}:00.000000"
        for day, hour, minute in (
            (11, 3, 0), (11, 3, 20), (11, 3, 40), (11, 4, 0), (11, 4, 20), (11, 4, 40), (12, 3, 0),
        )
    ]  # fmt: skip
