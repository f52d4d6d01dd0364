"""How many jobs a fetch takes, by how long the jobs of a queue ran."""

from __future__ import annotations

from flaskiq.broker.pace import MOST, RECENT, STEP, WORK, Pace


def ran(*seconds: float, queue: str = "default", pace: Pace | None = None) -> Pace:
    pace = pace or Pace()
    for each in seconds:
        pace.ran(queue, each)
    return pace


def test_one_until_enough_is_known() -> None:
    assert Pace().batch("default") == 1
    assert ran(*[0.001] * (STEP - 1)).batch("default") == 1


def test_ten_milliseconds_of_work() -> None:
    assert ran(*[0.001] * STEP).batch("default") == 10
    assert ran(*[0.0001] * STEP).batch("default") == MOST
    assert ran(*[WORK * 2] * STEP).batch("default") == 1


def test_each_queue_has_its_own_pace() -> None:
    pace = ran(*[0.001] * STEP)
    ran(*[1.0] * STEP, queue="low", pace=pace)
    assert (pace.batch("default"), pace.batch("low")) == (10, 1)


def test_one_slow_job_in_ten_counts_at_once() -> None:
    pace = ran(*[0.001] * RECENT)
    for _ in range(RECENT // 10):
        pace.ran("default", 0.5)
    assert pace.batch("default") == 1


def test_what_was_long_ago_does_not_count() -> None:
    pace = ran(*[0.5] * RECENT)
    assert ran(*[0.001] * RECENT, pace=pace).batch("default") == 10
