"""Messages as they lie in Redis."""

from __future__ import annotations

import json

import pytest

from flaskiq.message import read_json


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
