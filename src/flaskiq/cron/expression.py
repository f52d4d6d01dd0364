"""What a cron expression says, and when it is due in a time zone. Pure.

The fields are those of crontab(5) and the changes of clocks those of cron(8), both as in cronie,
the cron of Fedora and RHEL, whose ``src/entry.c`` and ``src/cron.c`` settle what the pages leave
open.
"""

from __future__ import annotations

import calendar
import copy
import functools
import re
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from croniter import croniter

from flaskiq.errors import DefinitionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHORTHANDS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class CronExpression:
    """A standard cron expression: five fields, or a shorthand such as ``@daily``.

    >>> from datetime import datetime, timezone
    >>> new_year = datetime(2026, 1, 1, tzinfo=timezone.utc)
    >>> str(CronExpression("30 4 1,15 * fri").next_after(new_year, timezone.utc))
    '2026-01-01 04:30:00+00:00'

    Each field is ``*`` or a comma list of numbers, names and ranges, with an optional ``/step``:
    minute 0-59, hour 0-23, day of month 1-31, month 1-12 or jan-dec, day of week 0-7 or sun-sat
    (0 and 7 are Sunday). Besides what crontab(5) has, ``5/15`` steps from a start to the end of
    the field, and a range may wrap around (``22-2``, ``fri-mon``). Seconds, years, ``L``, ``W``,
    ``#``, ``?`` and the random ``~``, ``H`` and ``R`` are refused.

    When day of month and day of week are both restricted, **either** makes the day due. A field
    that starts with an asterisk, ``*/2`` too, is not restricted, and then **both** must fit
    (crontab(5); ``DOM_STAR`` and ``DOW_STAR`` in ``src/entry.c``).

    When clocks change (cron(8), "Daylight Saving Time"; ``MIN_STAR`` and ``HR_STAR`` in
    ``src/cron.c``):

    - If the minute or the hour starts with an asterisk, the expression follows real time: what
      the wall clock skips is not due, what it repeats is due in both passes.
    - Any other expression names times of day. One that the clock repeats is due once, in the
      first pass. One that it skips is due once, at the first instant after the gap: 02:30 at
      03:00, not at 03:30, since cronie runs it "immediately". Slots that meet there are one slot.

    Two are equal if their texts are, blanks apart: ``@daily`` is not ``0 0 * * *``.

    Raises:
        DefinitionError: ``text`` is no such expression, or would never come due.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise DefinitionError(
                f"a cron expression is a string such as '0 2 * * *', not {self.text!r}"
            )
        object.__setattr__(self, "text", " ".join(self.text.split()))
        try:
            _read(self.text)
        except DefinitionError as error:
            raise DefinitionError(f"cron expression {self.text!r}: {error}") from None

    def __str__(self) -> str:
        return self.text

    def next_after(self, instant: datetime, zone: tzinfo) -> datetime:
        """Return the first slot later than ``instant``, in UTC, by the wall clock of ``zone``.

        Args:
            instant: Aware; a naive one is local time of this process, as everywhere in Python.
            zone: Any tzinfo that follows PEP 495, such as :class:`zoneinfo.ZoneInfo`.
        """
        instant = instant.astimezone(timezone.utc)
        passes = (0, 1) if _read(self.text).real_time else (0,)
        return min(self._next_in_pass(fold, instant, zone) for fold in passes)

    def _next_in_pass(self, fold: int, instant: datetime, zone: tzinfo) -> datetime:
        """The next slot if of every repeated hour only the pass ``fold`` existed."""
        wall = instant.astimezone(zone).replace(tzinfo=None)
        # In the first pass, the second begins at a wall time that is already behind us.
        start = wall - max(_repeat(wall, zone), timedelta(0))
        slots = (self._slot(time, fold, zone) for time in self._walls_after(start))
        return next(slot for slot in slots if slot is not None and slot > instant)

    def _slot(self, wall: datetime, fold: int, zone: tzinfo) -> datetime | None:
        if _repeat(wall, zone) < timedelta(0):
            if _read(self.text).real_time:
                return None
            wall = _end_of_gap(wall, zone)
        return _utc(wall, fold, zone)

    def _walls_after(self, wall: datetime) -> Iterator[datetime]:
        """The times that fit, as a wall clock would show them if it were never changed."""
        # A copy, for a croniter moves and threads share it. Without a zone, for its own reading of
        # clock changes repeats 01:30 and lets */30 fire at the end of a gap.
        return copy.copy(_read(self.text).cron).all_next(start_time=wall)


def time_zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name.

    Raises:
        DefinitionError: there is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        hint = did_you_mean(str(name), zoneinfo.available_timezones())
        raise DefinitionError(
            f"unknown time zone {name!r}; write an IANA name such as 'Europe/Berlin'{hint}"
        ) from None


def _utc(wall: datetime, fold: int, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)


def _repeat(wall: datetime, zone: tzinfo) -> timedelta:
    """How much later the clock shows ``wall`` again; zero mostly, negative in a gap (PEP 495)."""
    return _utc(wall, 1, zone) - _utc(wall, 0, zone)


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    while _repeat(wall, zone) < timedelta(0):
        wall += _MINUTE
    return wall


class _Rule(NamedTuple):
    cron: croniter[datetime]
    real_time: bool


@functools.lru_cache(maxsize=1024)
def _read(text: str) -> _Rule:
    minute, hour, day, month, weekday = parts = _split(text)
    either_day = not (day.startswith("*") or weekday.startswith("*"))
    if not either_day:
        _refuse_impossible_date(_DAY.values(day), _MONTH.values(month))
    plain = " ".join(field.plain(part) for field, part in zip(_FIELDS, parts, strict=True))
    return _Rule(
        croniter(plain, ret_type=datetime, day_or=either_day),
        real_time=minute.startswith("*") or hour.startswith("*"),
    )


def _split(text: str) -> list[str]:
    parts = (_expand(text) if text.startswith("@") else text).split()
    if len(parts) != len(_FIELDS):
        raise DefinitionError(
            f"{len(parts)} fields; write five: minute, hour, day of month, month, day of week "
            "(there is none for seconds or years)"
        )
    return parts


def _expand(shorthand: str) -> str:
    if shorthand.lower() not in SHORTHANDS:
        hint = did_you_mean(shorthand.lower(), SHORTHANDS)
        raise DefinitionError(f"unknown shorthand; there are {', '.join(SHORTHANDS)}{hint}")
    return SHORTHANDS[shorthand.lower()]


def _refuse_impossible_date(days: set[int], months: set[int]) -> None:
    leap_year = 2024
    longest = max(calendar.monthrange(leap_year, month)[1] for month in months)
    if min(days) > longest:
        raise DefinitionError(f"never comes due; none of its months has a day {min(days)}")


_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,9}))?", re.ASCII)


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    words: Mapping[str, int]

    def plain(self, text: str) -> str:
        """The field as a list of numbers, free of what croniter adds to cron or misreads.

        croniter 7 takes ``5-5`` for ``*``, and loses values of ranges that wrap around in steps.
        """
        if text == "*":  # a list would be as good, but ten times slower
            return text
        return ",".join(str(value) for value in sorted(self.values(text)))

    def values(self, text: str) -> set[int]:
        return {value for item in text.split(",") for value in self._item(item)}

    def _item(self, item: str) -> Iterator[int]:
        match = _ITEM.fullmatch(item)
        if not match:
            raise self._not_standard(item)
        first, last, step = match["first"], match["last"], match["step"]
        if last is None:
            last = first if first and not step else str(self.last)
        return self._steps(
            self._number(first or str(self.first)), self._number(last), int(step or 1)
        )

    def _steps(self, start: int, end: int, step: int) -> Iterator[int]:
        if step == 0:
            raise DefinitionError(f"{self.name} has a step of 0; the smallest step is 1")
        size = self.last - self.first + 1
        if end < start:
            end += size
        return (self.first + (value - self.first) % size for value in range(start, end + 1, step))

    def _number(self, text: str) -> int:
        if text.lower() in self.words:
            return self.words[text.lower()]
        if not text.isdecimal():
            raise self._not_standard(text)
        # The one number beyond the end of its field: 7 is Sunday, as 0 is.
        last = 7 if self is _WEEKDAY else self.last
        if len(text) > 2 or not self.first <= int(text) <= last:
            raise DefinitionError(
                f"{self.name} {text} is out of range; it goes from {self.first} to {last}"
            )
        return int(text)

    def _not_standard(self, item: str) -> DefinitionError:
        names = ", names" if self.words else ""
        return DefinitionError(
            f"{self.name} {item!r} is not standard cron; write * or a list of numbers{names} "
            f"and ranges, each with an optional /step{did_you_mean(item.lower(), self.words)}"
        )


def _numbered(words: str, first: int) -> Mapping[str, int]:
    return {word: number for number, word in enumerate(words.split(), first)}


_DAY = _Field("day of month", 1, 31, {})
_MONTH = _Field(
    "month", 1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", first=1)
)
_WEEKDAY = _Field("day of week", 0, 6, _numbered("sun mon tue wed thu fri sat", first=0))
_FIELDS = (_Field("minute", 0, 59, {}), _Field("hour", 0, 23, {}), _DAY, _MONTH, _WEEKDAY)
