"""The scheduler, look by look, against a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import redis
from celery.schedules import crontab
from celery.signals import after_task_publish
from flask import Flask
from kombu.exceptions import OperationalError
from servers import Server

from flaskiq import Flaskiq, Worker, api, current
from flaskiq.cron.entry import Entry
from flaskiq.cron.policy import Policy
from flaskiq.cron.schedule import CronSchedule
from flaskiq.cron.scheduler import FlaskiqScheduler

QUEUE = "default"


class Every(CronSchedule):
    """Due each so many seconds, the last time 100 seconds before the test began."""

    def __init__(self, began: float, policy: Policy, seconds: int = 1000) -> None:
        super().__init__("* * * * *", policy=policy)
        self._seconds, self._first = seconds, int(began) - 100

    def next_after(self, instant: datetime) -> datetime:
        """The next of these instants."""
        passed = (instant.timestamp() - self._first) // self._seconds
        at = self._first + (passed + 1) * self._seconds
        return datetime.fromtimestamp(at, timezone.utc)


class Tock(Worker):
    """Does nothing."""

    name = "scheduler.Tock"

    @classmethod
    def perform(cls, *_: Any) -> None:
        return None


class Renamed(Tock):
    """Had another name before."""

    name = "scheduler.Renamed"
    aliases = ("former.Tock",)


Start = Callable[..., FlaskiqScheduler]


@pytest.fixture
def began() -> float:
    return time.time()


@pytest.fixture
def start(server: Server, store: redis.Redis) -> Iterator[Start]:
    """Make a scheduler of an app with these entries; the app is the current one afterwards."""
    contexts = []

    def make(**entries: Any) -> FlaskiqScheduler:
        app = Flask("scheduled")
        app.config["CELERY_BROKER_URL"] = server.url
        app.config["CELERY_RESULT_BACKEND"] = "disabled://"
        app.config["FLASKIQ_WORKERS"] = [__name__]
        app.config["CELERY"] = {
            "beat_schedule": {
                name: {
                    "task": f"scheduler.{'Renamed' if 'Renamed' in name else 'Tock'}",
                    "schedule": schedule,
                }
                for name, schedule in entries.items()
            }
        }
        celery = Flaskiq(app).celery
        context = app.app_context()
        context.push()
        contexts.append(context)
        return FlaskiqScheduler(celery)

    yield make
    for context in reversed(contexts):
        context.pop()


def came_to(store: redis.Redis, name: str, ago: float) -> None:
    """Let an entry have come to a slot so many seconds ago."""
    at = datetime.now(timezone.utc) - timedelta(seconds=ago)
    store.hset(f"flaskiq:cron:entry:{name}", "slot", at.isoformat())


def believes(scheduler: FlaskiqScheduler, slot: Any) -> None:
    """Let a scheduler take this for where the entry is."""
    scheduler._reached["e"] = slot
    scheduler._next.clear()


def jobs(store: redis.Redis) -> list[str]:
    """The ids of the jobs that are ready, the first first."""
    return [json.loads(each)["headers"]["id"] for each in reversed(store.lrange(QUEUE, 0, -1))]


def hows(store: redis.Redis, name: str) -> list[str]:
    """Why there were runs, the newest first."""
    return [json.loads(each)["how"] for each in store.lrange(f"flaskiq:cron:runs:{name}", 0, -1)]


def test_a_new_entry_begins_with_its_next_slot(
    start: Start, store: redis.Redis, began: float
) -> None:
    start(e=Every(began, Policy("all"))).tick()
    assert jobs(store) == []
    assert store.hget("flaskiq:cron:entry:e", "slot")


@pytest.mark.parametrize(
    ("policy", "enqueued"),
    [
        (Policy("skip"), 0),
        (Policy("once"), 1),
        (Policy("all"), 3),
        (Policy("all", limit=2), 2),
    ],
)
def test_slots_missed_while_no_scheduler_ran(
    start: Start, store: redis.Redis, began: float, policy: Policy, enqueued: int
) -> None:
    came_to(store, "e", ago=2500)
    first, second = start(e=Every(began, policy)), start(e=Every(began, policy))
    for _ in range(3):
        first.tick()
        second.tick()
    assert len(jobs(store)) == len(set(jobs(store))) == enqueued
    assert hows(store, "e") == (["late"] * enqueued if enqueued else ["missed"])


def test_a_second_scheduler_that_takes_over_enqueues_nothing_again(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=1500)
    first = start(e=Every(began, Policy()))
    first.tick()
    first.close()
    start(e=Every(began, Policy())).tick()
    assert len(jobs(store)) == 1


def test_one_that_was_frozen_enqueues_nothing(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=10)
    scheduler = start(e=Every(began, Policy()))
    scheduler.tick()
    store.set("flaskiq:cron:leader", "99/another")
    came_to(store, "e", ago=1500)
    believes(scheduler, store.hget("flaskiq:cron:entry:e", "slot"))
    scheduler.tick()
    assert jobs(store) == []
    scheduler.tick()
    assert jobs(store) == []
    assert store.get("flaskiq:cron:leader") == "99/another"


def test_what_cannot_be_published_keeps_its_slot(
    start: Start, store: redis.Redis, began: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    came_to(store, "e", ago=1500)
    scheduler = start(e=Every(began, Policy()))

    def fails(*_: Any) -> None:
        raise OperationalError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Entry, "publish", fails)
        scheduler.tick()
    assert jobs(store) == []
    scheduler.tick()
    assert len(jobs(store)) == 1


def test_an_entry_that_fails_keeps_no_other_from_its_slots(
    start: Start, store: redis.Redis, began: float, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Every):
        def next_after(self, instant: datetime) -> datetime:
            raise ValueError("no such day")

    came_to(store, "broken", ago=1500)
    came_to(store, "fine", ago=1500)
    scheduler = start(broken=Broken(began, Policy()), fine=Every(began, Policy()))
    for _ in range(3):
        scheduler.tick()
    assert len(jobs(store)) == 1
    assert caplog.text.count("Cron entry broken has failed") == 1, "and not again at once"
    assert "no such day" in caplog.text


def test_a_reply_that_was_lost_enqueues_nothing_twice(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=1500)
    scheduler = start(e=Every(began, Policy()))
    before = store.hget("flaskiq:cron:entry:e", "slot")
    scheduler.tick()
    believes(scheduler, before)
    scheduler.tick()
    scheduler.tick()
    assert len(jobs(store)) == 1


def test_a_paused_entry_leaves_its_slots_out(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=1500)
    scheduler = start(e=Every(began, Policy("all")))
    entry = api.CronEntry("e")
    entry.pause()
    published: list[str] = []

    def hear(sender: str, **_: Any) -> None:
        published.append(sender)

    after_task_publish.connect(hear)
    scheduler.tick()
    assert entry.is_paused
    assert jobs(store) == published == []
    assert entry.resume()
    scheduler.tick()
    assert jobs(store) == [], "nothing is caught up"
    assert not entry.resume()


def test_a_slot_is_left_out_while_the_job_before_is_not_over(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=2500)
    scheduler = start(e=Every(began, Policy("all", overlap="skip")))
    scheduler.tick()
    assert len(jobs(store)) == 1
    assert hows(store, "e") == ["overlap", "overlap", "late"]
    store.delete(QUEUE)
    came_to(store, "e", ago=1500)
    start(e=Every(began, Policy("all", overlap="skip")))
    believes(scheduler, store.hget("flaskiq:cron:entry:e", "slot"))
    scheduler.tick()
    assert hows(store, "e")[:2] == ["overlap", "late"], "a job that nobody can find is over"


def test_an_entry_that_left_the_code_is_forgotten(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "gone", ago=2500)
    scheduler = start(gone=Every(began, Policy()))
    scheduler.tick()
    assert len(jobs(store)) == 1
    scheduler.close()
    store.zadd("flaskiq:cron:entries", {"gone": time.time() - 60})
    start(stays=Every(began, Policy())).tick()
    assert store.zrange("flaskiq:cron:entries", 0, -1) == ["stays"]
    assert sorted(store.keys("flaskiq:cron:*gone*")) == []


def test_one_that_another_scheduler_still_has_stays(
    start: Start, store: redis.Redis, began: float
) -> None:
    start(new=Every(began, Policy())).tick()
    start(old=Every(began, Policy())).tick()
    assert store.zrange("flaskiq:cron:entries", 0, -1) == ["new", "old"]


def test_a_renamed_worker_keeps_its_place_and_its_history(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "former.Tock", ago=1500)
    former = start(**{"former.Tock": Every(began, Policy())})
    former.tick()
    former.close()
    (run,) = api.CronEntry("former.Tock").runs()
    store.delete(QUEUE)
    came_to(store, "former.Tock", ago=1500)
    scheduler = start(**{"scheduler.Renamed": Every(began, Policy())})
    current.state().registry.task_of(Renamed)
    scheduler.tick()
    assert len(jobs(store)) == 1, "it went on where the other was"
    assert api.CronEntry("scheduler.Renamed").runs()[1].slot == run.slot
    assert store.keys("flaskiq:cron:*former*") == []


def test_an_entry_of_celerys_runs_too(start: Start, store: redis.Redis) -> None:
    came_to(store, "e", ago=7200)
    start(e=crontab(minute="0")).tick()
    assert len(jobs(store)) == 1


def test_an_entry_may_be_run_at_once(start: Start, store: redis.Redis, began: float) -> None:
    start(e=Every(began, Policy()))
    job_id = api.CronEntry("e").run_now()
    assert jobs(store) == [job_id]
    (run,) = api.CronEntry("e").runs()
    assert (run.how, run.job_id, run.outcome) == ("now", job_id, api.State.QUEUED)


def test_of_its_runs_the_last_fifty_are_remembered(
    start: Start, store: redis.Redis, began: float
) -> None:
    came_to(store, "e", ago=70_500)
    scheduler = start(e=Every(began, Policy("all")))
    scheduler.tick()
    assert len(jobs(store)) == 71
    assert len(api.CronEntry("e").runs()) == 50


def test_who_leads_is_known(start: Start, store: redis.Redis, began: float) -> None:
    scheduler = start(e=Every(began, Policy()))
    assert api.cron_leader().leader is None
    scheduler.tick()
    found = api.cron_leader()
    assert found.leader is not None
    assert found.ticked_at is not None
    assert abs(found.ticked_at - time.time()) < 5
    scheduler.close()
    assert api.cron_leader().leader is None
