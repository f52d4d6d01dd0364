"""``--in`` and ``--at`` as they are typed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import click
import pytest

from flaskiq.cli.moment import Instant, Span, needed, one_of


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90", timedelta(seconds=90)),
        ("0.5", timedelta(seconds=0.5)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5d", timedelta(hours=36)),
        ("1h30", timedelta(hours=1, seconds=30)),
    ],
)
def test_spans(text: str, span: timedelta) -> None:
    assert Span().convert(text, None, None) == span


@pytest.mark.parametrize("text", ["", "soon", "5 m", "-5m", "m5", "5y", "5m!", "9" * 20 + "d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"no span of time; write 90, 5m|too long"):
        Span().convert(text, None, None)


def test_times() -> None:
    read = Instant()
    local = datetime(2030, 1, 31, 9)
    assert read.convert("2030-01-31T09:00", None, None) == local
    assert read.convert("2030-01-31 09:00", None, None) == local
    assert read.convert("2030-01-31", None, None) == datetime(2030, 1, 31)
    assert read.convert("2030-01-31T09:00Z", None, None) == local.replace(tzinfo=timezone.utc)
    in_paris = read.convert("2030-01-31T09:00+01:00", None, None)
    assert in_paris == datetime(2030, 1, 31, 8, tzinfo=timezone.utc)
    with pytest.raises(click.BadParameter, match="write 2030-01-31T09:00"):
        read.convert("tomorrow", None, None)


def test_one_of_both() -> None:
    at, hour = datetime(2030, 1, 31), timedelta(hours=1)
    assert one_of(None, None) is None
    assert one_of(None, at) == at
    soon = needed(hour, None) - datetime.now().astimezone()
    assert timedelta(minutes=59) < soon <= hour
    with pytest.raises(click.UsageError, match="not both"):
        one_of(hour, at)
    with pytest.raises(click.UsageError, match="too long"):
        one_of(timedelta.max, None)
    with pytest.raises(click.UsageError, match="Say when"):
        needed(None, None)
