"""Messages as they lie in Redis."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from kombu.utils.json import dumps

from flaskiq.message import json_writer, read_json


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2.5, null, true, "\\u00fc"]}',
        "[]",
        "7",
        '"a"',
        " {}",
        "{}\n",
        "\t[1] \r\n",
        "NaN",
    ],
)
def test_json_is_read_as_by_python(text: str) -> None:
    assert repr(read_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", " ", "{", "{}{}", "[1,]", "nope", "\ufeff{}", '{"a": 1} x'])
def test_what_is_no_json_is_refused_as_by_python(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as ours:
        read_json(text)
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    "value",
    [
        [1, "é\n", None, True, 1.5, float("inf")],
        {"when": [datetime(2026, 11, 26, tzinfo=timezone.utc)], 1: {"id": UUID(int=7)}},
        "text",
        7,
        {},
        (1, [2, ()]),
    ],
)
def test_json_is_written_as_by_kombu(value: Any) -> None:
    assert json_writer()(value) == dumps(value)
    assert json_writer(items=",", keys=":")(value) == dumps(value, separators=(",", ":"))


def test_what_json_cannot_carry_is_refused_and_the_next_value_written() -> None:
    write = json_writer()
    circle: list[Any] = []
    circle.append(circle)
    for value in ([object()], circle):
        with pytest.raises((TypeError, RecursionError)):
            write(value)
    assert write([circle[:0]]) == "[[]]"
