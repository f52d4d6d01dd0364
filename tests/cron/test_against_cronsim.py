"""Every instant is that of cronsim, an independent reading of cron, for random expressions.

Two things it reads in another way, and they are left out:

- ``10-10/2``, a range of one number with a step: cronsim goes on to the end of the field. In cronie
  (``get_range`` in src/entry.c) the range ends where it says.
- Australia/Lord_Howe, whose clocks change by half an hour: cronsim leaves out what comes right
  after it. The test at the end says what is right there.
"""

from __future__ import annotations

import random
import zoneinfo
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest
from cronsim import CronSim

from flaskiq.cron.expression import CronExpression

SEED = 20_261_126
EXPRESSIONS = 150
SLOTS = 60

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata",
    "Australia/Sydney", "Africa/Cairo", "Pacific/Apia", "Atlantic/Azores",
)  # fmt: skip

FIELDS = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6))


def field(chance: random.Random, first: int, last: int) -> str:
    """A random field: a star, a step, a number, a range, or a list of these."""
    kind = chance.choice(("star", "star", "step", "number", "number", "range", "list"))
    low = chance.randint(first, last)
    high = chance.randint(low, last)
    if kind == "star":
        return "*"
    if kind == "step":
        return f"*/{chance.randint(2, max(2, (last - first) // 2))}"
    if kind == "number":
        return str(low)
    if kind == "range":
        has_step = low < high and chance.random() < 0.3
        return f"{low}-{high}" + (f"/{chance.randint(1, 5)}" if has_step else "")
    return ",".join(str(chance.randint(first, last)) for _ in range(chance.randint(2, 4)))


def expressions() -> list[tuple[str, str, datetime]]:
    """Random expressions, zones, and instants of many years, half of them close to a change."""
    chance = random.Random(SEED)
    found = []
    for _ in range(EXPRESSIONS):
        text = " ".join(field(chance, *bounds) for bounds in FIELDS)
        zone = chance.choice(ZONES)
        start = datetime(chance.randint(1990, 2037), 1, 1, tzinfo=timezone.utc)
        start += timedelta(minutes=chance.randint(0, 525_000))
        found.append((text, zone, start))
    return found


def changes(zone: str, year: int) -> list[datetime]:
    """The instants of a year at which the clocks of a zone change."""
    info = zoneinfo.ZoneInfo(zone)
    hours = [datetime(year, 1, 1, tzinfo=timezone.utc) + timedelta(hours=h) for h in range(8760)]
    offsets = [each.astimezone(info).utcoffset() for each in hours]
    pairs = zip(hours[1:], offsets[1:], offsets, strict=False)
    return [hour for hour, after, before in pairs if before != after]


def ours(text: str, zone: str, start: datetime, count: int) -> list[datetime]:
    expression, info = CronExpression(text), zoneinfo.ZoneInfo(zone)
    found = [start]
    for _ in range(count):
        found.append(expression.next_after(found[-1], info))
    return found[1:]


def theirs(text: str, zone: str, start: datetime, count: int) -> list[datetime]:
    found = islice(CronSim(text, start.astimezone(zoneinfo.ZoneInfo(zone))), count)
    return [each.astimezone(timezone.utc) for each in found]


def difference(text: str, zone: str, start: datetime, count: int) -> list[str]:
    """What is wrong, empty if nothing is."""
    pairs = zip(ours(text, zone, start, count), theirs(text, zone, start, count), strict=True)
    first = next(((mine, other) for mine, other in pairs if mine != other), None)
    return [f"{text} in {zone}: {first[0]}, cronsim {first[1]}"] if first else []


def test_random_expressions_in_many_zones_and_years() -> None:
    differences = []
    for text, zone, start in expressions():
        differences += difference(text, zone, start, SLOTS)
    assert differences == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Africa/Cairo"])
def test_around_each_change_of_clocks(zone: str) -> None:
    chance = random.Random(SEED)
    differences = []
    for change in changes(zone, 2026):
        for _ in range(60):
            hour = chance.choice(("*", "*/2", "0", "1", "2", "3", "1-3"))
            text = f"{field(chance, 0, 59)} {hour} * * *"
            differences += difference(text, zone, change - timedelta(hours=5), 40)
    assert differences == []


def test_a_change_of_clocks_by_half_an_hour() -> None:
    """On 5 April 2026 at 2:00 the clocks go back to 1:30, and 2:18 comes once."""
    start = datetime(2026, 4, 4, 13, 30, tzinfo=timezone.utc)
    zone = zoneinfo.ZoneInfo("Australia/Lord_Howe")
    walls = [each.astimezone(zone) for each in ours("18 */2 * * *", zone.key, start, 2)]
    assert [f"{wall:%H:%M%z}" for wall in walls] == ["02:18+1030", "04:18+1030"]
    walls = [each.astimezone(zone) for each in ours("*/20 * * * *", zone.key, start, 6)]
    assert [f"{wall:%H:%M%z}" for wall in walls] == [
        "00:40+1100", "01:00+1100", "01:20+1100", "01:40+1100", "01:40+1030", "02:00+1030",
    ]  # fmt: skip
