"""Which arguments may become a job."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from flaskiq import ArgumentError, arguments


class Colour(str, enum.Enum):
    RED = "red"


class Model:
    id = 7


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(10**30),
        1.5,
        "text \u00e9 \U0001f600 \x00",
        [1, [2, {"a": None}]],
        {},
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc),
        datetime(2026, 1, 2),
        date(2026, 1, 2),
        time(1, 2),
        UUID("12345678123456781234567812345678"),
        Decimal("1.10"),
        Colour.RED,
    ],
)
def test_what_is_accepted_comes_back_equal(value: Any) -> None:
    arguments.check("Example", [value], {"key": value})
    assert arguments.round_trip([value], {"key": value}) == ([value], {"key": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Model(), "argument 1 cannot travel as JSON: Model is not plain data; pass its id"),
        ([1, {"user": Model()}], "argument 1[1]['user'] cannot travel as JSON: Model"),
        ((1, 2), "a tuple would come back as a list; pass a list"),
        ({1, 2}, "a set would come back as a list"),
        (b"raw", "bytes is not text"),
        (float("nan"), "JSON has no nan"),
        (float("inf"), "JSON has no inf"),
        ({1: "one"}, "argument 1 has the key 1; JSON turns keys into strings, so pass '1'"),
        (timedelta(1), "timedelta is not plain data"),
        (object, "type is not plain data"),
        (1j, "complex is not plain data"),
    ],
)
def test_refuses(value: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match="Example: ") as caught:
        arguments.check("Example", [value], {})
    assert message in str(caught.value)


def test_a_keyword_is_named() -> None:
    with pytest.raises(ArgumentError, match="argument 'user'"):
        arguments.check("Example", [], {"user": Model()})


def test_the_round_trip_makes_copies() -> None:
    given = [1]
    (received,), _ = arguments.round_trip([given], {})
    assert received == given
    assert received is not given
