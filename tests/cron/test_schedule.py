from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import PersistentScheduler, ScheduleEntry
from celery.schedules import crontab

from flaskiq.cron import entry
from flaskiq.cron.expression import CronExpression
from flaskiq.cron.schedule import CronSchedule
from flaskiq.errors import DefinitionError
from flaskiq.tenant import Tenancy

UTC = timezone.utc
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def app() -> Celery:
    app = Celery("cron", broker="memory://", set_as_current=False)
    app.conf.result_expires = None  # or beat adds an entry of its own
    return app


def schedule_at(
    now: datetime, app: Celery, text: str = "*/10 * * * *", zone: str | None = None
) -> CronSchedule:
    schedule = CronSchedule(text, zone, app=app)
    schedule.nowfun = lambda: now
    return schedule


def seconds(**parts: float) -> float:
    return timedelta(**parts).total_seconds()


def test_waits_for_the_slot(app: Celery) -> None:
    schedule = schedule_at(NOON + timedelta(minutes=3, milliseconds=1), app)
    assert schedule.is_due(NOON) == (False, pytest.approx(seconds(minutes=7, milliseconds=-1)))
    assert schedule.remaining_estimate(NOON) == timedelta(minutes=7, milliseconds=-1)


def test_is_due_from_the_instant_of_the_slot(app: Celery) -> None:
    slot, last_run_at = NOON, NOON - timedelta(minutes=10)
    early = schedule_at(slot - timedelta(microseconds=1), app)
    assert early.is_due(last_run_at) == (False, pytest.approx(1e-6))
    assert schedule_at(slot, app).is_due(last_run_at) == (True, seconds(minutes=10))
    assert schedule_at(slot, app).is_due(slot) == (False, seconds(minutes=10))


def test_slots_missed_come_due_once(app: Celery) -> None:
    now = NOON + timedelta(minutes=4)
    schedule = schedule_at(now, app)
    assert schedule.is_due(NOON - timedelta(days=3)) == (True, seconds(minutes=6))
    assert schedule.remaining_estimate(NOON - timedelta(hours=1)) == timedelta(minutes=-54)
    assert schedule.is_due(now) == (False, seconds(minutes=6))


@pytest.mark.parametrize(("deadline", "due"), [(None, True), (240, True), (239, False), (0, False)])
def test_missed_slots_older_than_the_deadline(app: Celery, deadline: int | None, due: bool) -> None:
    app.conf.beat_cron_starting_deadline = deadline
    schedule = schedule_at(NOON + timedelta(minutes=4), app)
    assert schedule.is_due(NOON - timedelta(days=3)) == (due, seconds(minutes=6))


def test_a_deadline_leaves_slots_in_time_alone(app: Celery) -> None:
    app.conf.beat_cron_starting_deadline = 0
    assert schedule_at(NOON, app).is_due(NOON - timedelta(minutes=10)).is_due


@pytest.mark.parametrize(
    "last_run_at",
    [NOON, NOON.replace(tzinfo=None), NOON.astimezone(ZoneInfo("Asia/Kolkata"))],
    ids=["aware", "naive is UTC", "another zone"],
)
def test_every_kind_of_last_run(app: Celery, last_run_at: datetime) -> None:
    app.conf.timezone = "America/New_York"
    schedule = schedule_at(NOON + timedelta(seconds=30), app)
    assert schedule.is_due(last_run_at) == (False, seconds(minutes=9, seconds=30))


def test_without_a_zone_it_is_the_one_of_the_app(app: Celery) -> None:
    app.conf.timezone = "Asia/Kolkata"
    assert schedule_at(NOON, app, "0 18 * * *").is_due(NOON) == (False, seconds(minutes=30))
    in_utc = schedule_at(NOON, app, "0 18 * * *", zone="UTC")
    assert in_utc.is_due(NOON) == (False, seconds(hours=6))


def test_an_hour_that_repeats_has_its_slots_twice(app: Celery) -> None:
    last_run_at = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)  # 02:50, and 02:00 again in 10 minutes
    schedule = schedule_at(last_run_at, app, zone="Europe/Berlin")
    assert schedule.is_due(last_run_at) == (False, seconds(minutes=10))


def test_app_can_be_set_later(app: Celery) -> None:
    """Celery's ``maybe_schedule`` does, when beat makes its entries."""
    app.conf.timezone = "Asia/Kolkata"
    schedule = CronSchedule("0 18 * * *")
    schedule.app = app
    assert schedule.now().tzinfo == ZoneInfo("Asia/Kolkata")
    assert schedule.app is app


def test_a_copy_carries_words_only(app: Celery) -> None:
    schedule = schedule_at(NOON, app, "0 2 * * *", zone="Europe/Berlin")
    schedule.is_due(NOON)
    data = pickle.dumps(schedule)
    assert len(data) < 200
    copy = pickle.loads(data)
    assert copy == schedule
    assert (copy.expression, copy.zone) == (CronExpression("0 2 * * *"), "Europe/Berlin")


def test_equal_by_expression_and_zone(app: Celery) -> None:
    schedule = CronSchedule("0 2 * * *", app=app)
    assert schedule == CronSchedule(CronExpression("0  2 * * *"))
    assert hash(schedule) == hash(CronSchedule("0 2 * * *"))
    assert schedule != CronSchedule("0 3 * * *")
    assert schedule != CronSchedule("0 2 * * *", zone="UTC")
    assert schedule != crontab(minute="0", hour="2")
    assert crontab(minute="0", hour="2") != schedule


def test_repr_names_expression_and_zone() -> None:
    assert repr(CronSchedule("0 2 * * *")) == "<cron: 0 2 * * *>"
    assert repr(CronSchedule("@daily", "Europe/Berlin")) == "<cron: @daily Europe/Berlin>"


@pytest.mark.parametrize(
    ("expression", "zone", "reason"),
    [
        ("0 25 * * *", None, "hour 25 is out of range"),
        (5, None, "is a string such as '0 2"),
        ("0 2 * * *", "Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("0 2 * * *", "../UTC", "unknown time zone '../UTC'"),
        ("0 2 * * *", "", "write an IANA name"),
        ("0 2 * * *", ZoneInfo("UTC"), "write an IANA name"),
    ],
)
def test_refused_with_the_fix(expression: str, zone: str | None, reason: str) -> None:
    with pytest.raises(DefinitionError) as refusal:
        CronSchedule(expression, zone)
    assert reason in str(refusal.value)


def test_a_new_entry_waits_for_its_next_slot(app: Celery) -> None:
    entry = ScheduleEntry(name="job", task="job", schedule=CronSchedule("@yearly"), app=app)
    assert not entry.is_due().is_due
    copy = pickle.loads(pickle.dumps(entry))
    assert copy == entry
    copy.schedule.app = app  # it is that of the process otherwise, and who is due depends on it
    assert copy.is_due().next == pytest.approx(entry.is_due().next, abs=5)


def test_the_next_entry_is_not_due_again(app: Celery) -> None:
    entry = ScheduleEntry(
        name="job",
        task="job",
        schedule=schedule_at(NOON, app),
        last_run_at=NOON - timedelta(hours=1),
        app=app,
    )
    assert entry.is_due().is_due
    assert next(entry).is_due() == (False, seconds(minutes=10))


def beat(app: Celery, folder: Path, schedule: CronSchedule) -> PersistentScheduler:
    app.conf.beat_schedule = {"job": {"task": "job", "schedule": schedule}}
    return PersistentScheduler(app, schedule_filename=str(folder / "beat"))


def test_last_run_outlives_beat(app: Celery, tmp_path: Path) -> None:
    first = beat(app, tmp_path, CronSchedule("@daily", "Europe/Berlin"))
    first.schedule["job"].last_run_at = NOON
    first.close()

    second = beat(app, tmp_path, CronSchedule("@daily", "Europe/Berlin"))
    assert second.schedule["job"].last_run_at == NOON
    second.schedule["job"].schedule.app = app
    assert second.schedule["job"].is_due().is_due
    second.close()


def test_beat_notices_a_changed_expression(app: Celery, tmp_path: Path) -> None:
    scheduler = beat(app, tmp_path, CronSchedule("@daily"))
    before = {"job": ScheduleEntry(**dict(scheduler.schedule["job"]))}
    assert scheduler.schedules_equal(before, scheduler.schedule)
    scheduler.close()

    scheduler = beat(app, tmp_path, CronSchedule("@hourly"))
    assert scheduler.schedule["job"].schedule == CronSchedule("@hourly")
    assert not scheduler.schedules_equal(before, scheduler.schedule)
    scheduler.close()


def test_an_entry_of_a_worker_is_one_that_beat_can_send(sample: ModuleType, caplog: Any) -> None:
    class Needs(sample.Add):  # type: ignore[name-defined]
        cron_schedule = "@daily"
        expires = timedelta(minutes=5)

    entry.add(sample.celery_app, Tenancy(["organization_id"]), Needs)
    added = sample.celery_app.conf.beat_schedule[Needs.task_name()]
    assert added["options"] == {"expires": 300.0}
    assert added["schedule"] == CronSchedule("@daily")
    assert "without arguments" in caplog.text
    assert "2 required positional arguments" in caplog.text
