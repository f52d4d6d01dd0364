from __future__ import annotations

import dataclasses
import doctest
import itertools
import pickle
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from flaskiq.cron import expression as module
from flaskiq.cron.expression import SHORTHANDS, CronExpression
from flaskiq.errors import DefinitionError

UTC = timezone.utc
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots_after(text: str, zone: str, start: datetime) -> Iterator[datetime]:
    expression = CronExpression(text)
    while True:
        start = expression.next_after(start, ZoneInfo(zone))
        assert start.tzinfo is UTC
        yield start


def slots_between(text: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    return list(itertools.takewhile(lambda slot: slot <= end, slots_after(text, zone, start)))


# What an expression says, in UTC where no clock changes. Each row: the first slots after `start`.
MEANINGS = [
    ("* * * * *", "2026-01-01 00:00:30", ["2026-01-01 00:01", "2026-01-01 00:02"]),
    ("0 2 * * *", "2026-01-01 02:00", ["2026-01-02 02:00", "2026-01-03 02:00"]),
    ("0 2 * * *", "2026-01-01 01:59:59.999999", ["2026-01-01 02:00"]),
    ("*/15 * * * *", "2026-01-01 00:00", ["2026-01-01 00:15", "2026-01-01 00:30"]),
    ("5/15 3 * * *", "2026-01-01 00:00", [f"2026-01-01 03:{m}" for m in ("05", "20", "35", "50")]),
    ("59/15 3 * * *", "2026-01-01 00:00", ["2026-01-01 03:59", "2026-01-02 03:59"]),
    ("5-5 3 * * *", "2026-01-01 00:00", ["2026-01-01 03:05", "2026-01-02 03:05"]),
    ("0-40/20 3 * * *", "2026-01-01 00:00", [f"2026-01-01 03:{m}" for m in ("00", "20", "40")]),
    ("0 22-2 * * *", "2026-01-01 21:00", [f"2026-01-01 {h}:00" for h in (22, 23)]),
    ("0 22-2 * * *", "2026-01-02 01:00", ["2026-01-02 02:00", "2026-01-02 22:00"]),
    ("0 23-3/3 * * *", "2026-01-01 12:00", ["2026-01-01 23:00", "2026-01-02 02:00"]),
    ("0 0 * * 0", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
    ("0 0 * * 7", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
    (
        "0 0 * * 5-7",
        "2026-01-01 00:00",
        ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-04 00:00"],
    ),
    ("0 0 * * sat-SUN", "2026-01-01 00:00", ["2026-01-03 00:00", "2026-01-04 00:00"]),
    ("0 9 * * mon-fri", "2026-01-02 09:00", ["2026-01-05 09:00", "2026-01-06 09:00"]),
    ("0 0 1 JAN,jul *", "2026-01-01 00:00", ["2026-07-01 00:00", "2027-01-01 00:00"]),
    ("0 0 1 nov-feb/3 *", "2026-01-01 00:00", ["2026-02-01 00:00", "2026-11-01 00:00"]),
    ("0 0 31 * *", "2026-01-31 00:00", ["2026-03-31 00:00", "2026-05-31 00:00"]),
    ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
    ("0 0 29 2 *", "2096-03-01 00:00", ["2104-02-29 00:00"]),
    # Friday, or the 13th ...
    (
        "0 0 13 * 5",
        "2026-01-01 00:00",
        ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"],
    ),
    ("0 0 31 2 1", "2026-01-01 00:00", ["2026-02-02 00:00", "2026-02-09 00:00"]),
    ("0 0 1-31 * 5", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
    # ... but Mondays that are odd days, and Fridays of */1.
    ("0 0 */2 * 1", "2026-01-01 00:00", ["2026-01-05 00:00", "2026-01-19 00:00"]),
    ("0 0 */1 * 5", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-09 00:00"]),
    ("0 0 13 * */5", "2026-01-01 00:00", ["2026-02-13 00:00", "2026-03-13 00:00"]),
    ("@hourly", "2026-01-01 00:00", ["2026-01-01 01:00"]),
    ("@daily", "2026-01-01 00:00", ["2026-01-02 00:00"]),
    ("@midnight", "2026-01-01 00:00", ["2026-01-02 00:00"]),
    ("@Weekly", "2026-01-01 00:00", ["2026-01-04 00:00"]),
    ("@monthly", "2026-01-01 00:00", ["2026-02-01 00:00"]),
    ("@yearly", "2026-01-01 00:00", ["2027-01-01 00:00"]),
    ("@annually", "2026-01-01 00:00", ["2027-01-01 00:00"]),
]


@pytest.mark.parametrize(("text", "start", "expected"), MEANINGS)
def test_what_an_expression_says(text: str, start: str, expected: list[str]) -> None:
    slots = slots_after(text, "UTC", utc(start))
    assert list(itertools.islice(slots, len(expected))) == [utc(slot) for slot in expected]


# Known instants. Each row: all slots on the wall clock of `zone` from `day` 00:00 to 06:00.
#   New York    2026-03-08 02:00 -05 -> 03:00 -04     2026-11-01 02:00 -04 -> 01:00 -05
#   Berlin      2026-03-29 02:00 +01 -> 03:00 +02     2026-10-25 03:00 +02 -> 02:00 +01
#   Lord Howe   2026-10-04 02:00 +10:30 -> 02:30 +11  2026-04-05 02:00 +11 -> 01:30 +10:30
#   Santiago    2026-09-06 00:00 -04 -> 01:00 -03     2026-04-05 00:00 -03 -> 23:00 -04
NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
SANTIAGO, KOLKATA = "America/Santiago", "Asia/Kolkata"
CLOCK_CHANGES = [
    # Real time: no extra slot in spring, no pause in autumn.
    ("0 * * * *", NEW_YORK, "2026-03-08", "01-05 03-04 04-04 05-04 06-04"),
    ("0 * * * *", NEW_YORK, "2026-11-01", "01-04 01-05 02-05 03-05 04-05 05-05 06-05"),
    ("0 * * * *", BERLIN, "2026-03-29", "01+01 03+02 04+02 05+02 06+02"),
    ("0 * * * *", BERLIN, "2026-10-25", "01+02 02+02 02+01 03+01 04+01 05+01 06+01"),
    ("*/30 * * * *", NEW_YORK, "2026-03-08",
     "00:30-05 01-05 01:30-05 03-04 03:30-04 04-04 04:30-04 05-04 05:30-04 06-04"),
    ("*/10 1-2 * * *", NEW_YORK, "2026-03-08",
     "01-05 01:10-05 01:20-05 01:30-05 01:40-05 01:50-05"),
    ("*/20 1-2 * * *", NEW_YORK, "2026-11-01",
     "01-04 01:20-04 01:40-04 01-05 01:20-05 01:40-05 02-05 02:20-05 02:40-05"),
    ("*/20 1-2 * * *", BERLIN, "2026-10-25",
     "01+02 01:20+02 01:40+02 02+02 02:20+02 02:40+02 02+01 02:20+01 02:40+01"),
    ("0 */2 * * *", BERLIN, "2026-03-29", "04+02 06+02"),
    ("0 */2 * * *", BERLIN, "2026-10-25", "02+02 02+01 04+01 06+01"),
    ("*/10 1-2 * * *", LORD_HOWE, "2026-10-04",
     "01+1030 01:10+1030 01:20+1030 01:30+1030 01:40+1030 01:50+1030 02:30+11 02:40+11 02:50+11"),
    ("*/15 1 * * *", LORD_HOWE, "2026-04-05",
     "01+11 01:15+11 01:30+11 01:45+11 01:30+1030 01:45+1030"),
    ("@hourly", KOLKATA, "2026-03-08", "01+0530 02+0530 03+0530 04+0530 05+0530 06+0530"),
    # Times of day in the gap: once, at its end, and one slot where several meet.
    ("30 2 * * *", NEW_YORK, "2026-03-08", "03-04"),
    ("30 2 * * *", BERLIN, "2026-03-29", "03+02"),
    ("0,30 2 * * *", BERLIN, "2026-03-29", "03+02"),
    ("0 2,3 * * *", BERLIN, "2026-03-29", "03+02"),
    ("30 2,3 * * *", NEW_YORK, "2026-03-08", "03-04 03:30-04"),
    ("15 2 * * *", LORD_HOWE, "2026-10-04", "02:30+11"),
    ("30 2 * * *", KOLKATA, "2026-03-08", "02:30+0530"),
    # Times of day in the repeated hour: once, in its first pass.
    ("30 1 * * *", NEW_YORK, "2026-11-01", "01:30-04"),
    ("30 2 * * *", BERLIN, "2026-10-25", "02:30+02"),
    ("0 1-3 * * *", NEW_YORK, "2026-11-01", "01-04 02-05 03-05"),
    ("45 1 * * *", LORD_HOWE, "2026-04-05", "01:45+11"),
    ("30 2 * * *", KOLKATA, "2026-11-01", "02:30+0530"),
]  # fmt: skip


def wall_to_utc(day: str, wall: str) -> datetime:
    """``"01:30+02"`` on ``day``, in UTC."""
    hour, sign, offset = wall.replace("+", " + ").replace("-", " - ").split()
    clock = hour if ":" in hour else f"{hour}:00"
    return datetime.strptime(f"{day} {clock} {sign}{offset:0<4}", "%Y-%m-%d %H:%M %z").astimezone(
        UTC
    )


@pytest.mark.parametrize(("text", "zone", "day", "expected"), CLOCK_CHANGES)
def test_change_of_clocks(text: str, zone: str, day: str, expected: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    found = slots_between(text, zone, start, start.replace(hour=6))
    assert found == [wall_to_utc(day, wall) for wall in expected.split()]


# The same, far from the change or where midnight is in it; all in UTC.
FAR_FROM_CHANGES = [
    ("@daily", SANTIAGO, "2026-09-05 12:00", ["2026-09-06 04:00", "2026-09-07 03:00"]),
    ("@daily", "Asia/Beirut", "2026-03-28 12:00", ["2026-03-28 22:00", "2026-03-29 21:00"]),
    ("30 23 * * *", SANTIAGO, "2026-04-04 12:00", ["2026-04-05 02:30", "2026-04-06 03:30"]),
    # Samoa had no 30 December 2011: its midnight is due where the 31st begins.
    ("@daily", "Pacific/Apia", "2011-12-29 12:00", ["2011-12-30 10:00", "2011-12-31 10:00"]),
    ("0 2 29 3 *", BERLIN, "2025-12-01 00:00", ["2026-03-29 01:00", "2027-03-29 00:00"]),
    ("* 2 29 3 *", BERLIN, "2025-12-01 00:00", ["2027-03-29 00:00", "2027-03-29 00:01"]),
    # Asked in winter, of a day that begins in summer time.
    ("* 2 25 10 *", BERLIN, "2025-12-01 00:00", ["2026-10-25 00:00", "2026-10-25 00:01"]),
]


@pytest.mark.parametrize(("text", "zone", "start", "expected"), FAR_FROM_CHANGES)
def test_far_from_changes(text: str, zone: str, start: str, expected: list[str]) -> None:
    slots = slots_after(text, zone, utc(start))
    assert list(itertools.islice(slots, len(expected))) == [utc(slot) for slot in expected]


@pytest.mark.parametrize("shorthand", SHORTHANDS)
def test_shorthand_is_its_fields_in_every_zone(shorthand: str) -> None:
    start = datetime(2026, 3, 27, tzinfo=UTC)
    for zone in (BERLIN, SANTIAGO):
        slots = slots_after(shorthand, zone, start), slots_after(SHORTHANDS[shorthand], zone, start)
        assert list(itertools.islice(slots[0], 60)) == list(itertools.islice(slots[1], 60))


# An independent reading: random expressions are made together with the values that they mean.
NAMES = {
    3: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]


class Meaning:
    """A random expression and the sets of values of its five fields."""

    def __init__(self, dice: random.Random, stars: tuple[float, ...]) -> None:
        fields = [_random_field(dice, index, star) for index, star in enumerate(stars)]
        self.text = " ".join(text for text, _ in fields)
        self.minutes, self.hours, self.days, self.months, self.weekdays = (v for _, v in fields)
        starred = [text.startswith("*") for text, _ in fields]
        self.real_time = starred[0] or starred[1]
        self.either = not (starred[2] or starred[4])

    def has_date(self, day: datetime) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        date = in_month or in_week if self.either else in_month and in_week
        return date and day.month in self.months

    def fits(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.has_date(wall)


def _random_field(dice: random.Random, index: int, star: float) -> tuple[str, set[int]]:
    if dice.random() < star:
        return "*", set(range(BOUNDS[index][0], BOUNDS[index][1] + 1))
    items = [_random_item(dice, index) for _ in range(dice.choice([1, 1, 1, 2, 3]))]
    return ",".join(text for text, _ in items), set().union(*(values for _, values in items))


def _random_item(dice: random.Random, index: int) -> tuple[str, set[int]]:
    low, high = BOUNDS[index]
    every = list(range(low, high + 1))
    first, last, step = dice.choice(every), dice.choice(every), dice.randint(1, len(every))
    around = (every + every)[first - low :]
    through = around[: around.index(last) + 1]

    def name(value: int) -> str:
        if index in NAMES and dice.random() < 0.5:
            return dice.choice([str.upper, str.lower])(NAMES[index][value - low])
        return "7" if index == 4 and value == 0 and dice.random() < 0.5 else f"{value}"

    return dice.choice(
        [
            (name(first), {first}),
            (f"{name(first)}-{last}", set(through)),
            # 0-7 is the whole week, 0-0 is not.
            (f"{first}-{name(last) if first else last}/{step}", set(through[::step])),
            (f"{first}/{step}", set(range(first, high + 1, step))),
            (f"*/{step}", set(every[::step])),
        ]
    )


def test_a_year_in_utc_as_counted_by_brute_force() -> None:
    dice = random.Random(1971)
    start, end = datetime(2028, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
    compared = 0
    for _ in range(80):
        meaning = Meaning(dice, stars=(0, 0, 0.4, 0.5, 0.4))
        days = [start + n * DAY for n in range((end - start).days)]
        expected = [
            day + timedelta(hours=hour, minutes=minute)
            for day in filter(meaning.has_date, days)
            for hour in sorted(meaning.hours)
            for minute in sorted(meaning.minutes)
        ][:200]
        if expected:
            found = slots_between(meaning.text, "UTC", start - MINUTE, expected[-1])
            assert found == expected, meaning.text
            compared += len(found)
    assert compared > 3000


def run_by_cronie(meaning: Meaning, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """The minutes in which the main loop of cronie's ``src/cron.c``, never late, finds a job."""
    found = []
    virtual = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    instant = start
    while (instant := instant + MINUTE) <= end:
        now = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        passed = (now - virtual) // MINUTE
        assert passed <= 1 or 5 < passed <= 180, "a change that cronie would not take for DST"
        missed = [virtual + n * MINUTE for n in range(1, passed + 1)]
        if meaning.fits(now) if meaning.real_time else any(map(meaning.fits, missed)):
            found.append(instant)
        virtual = max(virtual, now)
    return found


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        (NEW_YORK, "2026-03-08 07:00"),
        (NEW_YORK, "2026-11-01 06:00"),
        (BERLIN, "2026-03-29 01:00"),
        (BERLIN, "2026-10-25 01:00"),
        (LORD_HOWE, "2026-04-04 15:00"),
        (LORD_HOWE, "2026-10-03 15:00"),
        (SANTIAGO, "2026-04-05 03:00"),
        (SANTIAGO, "2026-09-06 04:00"),
        ("Asia/Beirut", "2026-03-28 22:00"),
        ("Africa/Casablanca", "2026-03-22 02:00"),
        ("Antarctica/Troll", "2026-03-29 01:00"),
        (KOLKATA, "2026-03-29 01:00"),
    ],
)
def test_clocks_change_as_under_cronie(zone: str, change: str) -> None:
    dice = random.Random(zone + change)
    start, end = utc(change) - timedelta(hours=4), utc(change) + timedelta(hours=5)
    compared = 0
    for _ in range(25):
        meaning = Meaning(dice, stars=(0.1, 0.3, 0.9, 0.9, 0.9))
        found = slots_between(meaning.text, zone, start, end)
        assert found == run_by_cronie(meaning, zone, start, end), meaning.text
        compared += len(found)
    assert compared > 60


REFUSED = [
    ("", "0 fields; write five: minute, hour, day of month, month, day of week"),
    ("* * * *", "4 fields; write five"),
    ("0 0 2 * * *", "6 fields; write five"),
    ("0 0 2 * * * 2026", "none for seconds or years"),
    ("@daly", "did you mean '@daily'?"),
    ("@reboot", "there are @hourly, @daily"),
    ("daily", "1 fields; write five"),
    ("60 * * * *", "minute 60 is out of range; it goes from 0 to 59"),
    ("0-60 * * * *", "minute 60 is out of range"),
    ("0 24 * * *", "hour 24 is out of range; it goes from 0 to 23"),
    ("0 0 0 * *", "day of month 0 is out of range; it goes from 1 to 31"),
    ("0 0 32 * *", "day of month 32 is out of range"),
    ("0 0 * 0 *", "month 0 is out of range; it goes from 1 to 12"),
    ("0 0 * 13 *", "month 13 is out of range"),
    ("0 0 * * 8", "day of week 8 is out of range; it goes from 0 to 7"),
    (f"{'9' * 5000} * * * *", "is out of range"),
    ("*/0 * * * *", "minute has a step of 0"),
    ("-5 * * * *", "minute '-5' is not standard cron"),
    ("5- * * * *", "minute '5-' is not standard cron"),
    ("1,,2 * * * *", "minute '' is not standard cron"),
    ("1.5 * * * *", "minute '1.5' is not standard cron"),
    ("٣ * * * *", "is not standard cron"),
    ("*-5 * * * *", "minute '*-5' is not standard cron"),
    ("*/x * * * *", "minute '*/x' is not standard cron"),
    ("mon * * * *", "minute 'mon' is not standard cron"),
    ("0 0 * monday *", "month 'monday' is not standard cron"),
    ("0 0 * * monday", "did you mean 'mon'?"),
    ("0 0 * sept *", "did you mean 'sep'?"),
    ("0 0 L * *", "day of month 'L' is not standard cron"),
    ("0 0 15W * *", "day of month '15W' is not standard cron"),
    ("0 0 ? * *", "day of month '?' is not standard cron; write *"),
    ("0 0 * * 5#2", "day of week '5#2' is not standard cron"),
    ("0 0 * * L5", "day of week 'L5' is not standard cron"),
    ("H * * * *", "minute 'H' is not standard cron"),
    ("R 2 * * *", "minute 'R' is not standard cron"),
    ("H(0-9)/3 * * * *", "is not standard cron"),
    ("0~30 * * * *", "minute '0~30' is not standard cron"),
    ("0 0 31 2 *", "never comes due; none of its months has a day 31"),
    ("0 0 30,31 feb */2", "never comes due; none of its months has a day 30"),
    ("0 0 31 4,6,9,11 *", "never comes due"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused_with_the_fix(text: str, reason: str) -> None:
    with pytest.raises(DefinitionError) as refusal:
        CronExpression(text)
    assert reason in str(refusal.value)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize("value", [None, 5, 3600.0, b"* * * * *", ["*"] * 5, timedelta(hours=1)])
def test_not_a_string(value: object) -> None:
    with pytest.raises(DefinitionError, match=r"is a string such as '0 2 \* \* \*', not "):
        CronExpression(value)  # type: ignore[arg-type]


def test_is_a_value() -> None:
    expression = CronExpression(" 0\t2  * * * ")
    assert str(expression) == expression.text == "0 2 * * *"
    assert expression == CronExpression("0 2 * * *")
    assert hash(expression) == hash(CronExpression("0 2 * * *"))
    assert expression != CronExpression("0 3 * * *")
    assert pickle.loads(pickle.dumps(expression)) == expression
    with pytest.raises(dataclasses.FrozenInstanceError):
        expression.text = "0 3 * * *"  # type: ignore[misc]


def test_a_naive_instant_is_local_time() -> None:
    expression, naive = CronExpression("0 2 * * *"), datetime(2026, 1, 1, 12)
    assert expression.next_after(naive, UTC) == expression.next_after(naive.astimezone(), UTC)


def test_threads_do_not_disturb_each_other() -> None:
    expression, zone = CronExpression("*/7 * * * *"), ZoneInfo(BERLIN)
    # Within a repeated hour each answer takes many steps.
    instants = [utc("2026-10-25 00:00") + n * timedelta(seconds=20) for n in range(360)]
    expected = [expression.next_after(instant, zone) for instant in instants]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda instant: expression.next_after(instant, zone), instants))
    finally:
        sys.setswitchinterval(interval)
    assert found == expected


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(module) == (0, 3)
