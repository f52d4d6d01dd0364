"""Graph: numbers as shapes, made by the server, so that they need no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flaskiq.api import Bucket, Minute
from flaskiq.number import duration

WIDTH, HEIGHT = 600, 120
"""Of a graph, in its own units."""


class Bar(NamedTuple):
    """One column; what it says on hover, where it is, and how high its parts are."""

    title: str
    x: float
    width: float
    done: float
    failed: float


class Graph(NamedTuple):
    """Columns, and a line over them for each figure that has one; ``top`` is their highest."""

    bars: list[Bar]
    lines: dict[str, str]
    most: int
    slowest: float | None


def of_minutes(minutes: Sequence[Minute]) -> Graph:
    """Attempts of each minute as columns, its run times as lines."""
    most = max((each.processed for each in minutes), default=0)
    slowest = max((each.p95 for each in minutes if each.p95 is not None), default=None)
    step = WIDTH / (len(minutes) or 1)
    bars = [
        Bar(
            _said(each),
            place * step,
            step * 0.8,
            _share(each.processed - each.failed, most),
            _share(each.failed, most),
        )
        for place, each in enumerate(minutes)
    ]
    lines = {
        name: _line([getattr(each, name) for each in minutes], slowest, step)
        for name in ("p50", "p95")
    }
    return Graph(bars, lines, most, slowest)


def of_buckets(buckets: Sequence[Bucket]) -> Graph:
    """Attempts by how long they ran."""
    most = max((each.attempts for each in buckets), default=0)
    step = WIDTH / (len(buckets) or 1)
    bars = [
        Bar(_said_of(each), place * step, step * 0.9, _share(each.attempts, most), 0)
        for place, each in enumerate(buckets)
    ]
    return Graph(bars, {}, most, None)


def _share(part: float, most: float) -> float:
    return round(part / (most or 1) * HEIGHT, 2)


def _line(values: Sequence[float | None], most: float | None, step: float) -> str:
    """The path through values; a minute without one is a gap."""
    path, is_drawing = [], False
    for place, value in enumerate(values):
        if value is not None and most:
            x, y = (place + 0.4) * step, HEIGHT - value / most * HEIGHT * 0.95
            path.append(f"{'L' if is_drawing else 'M'}{x:.1f} {y:.1f}")
            # A single minute would not be seen: it gets a short line of its own.
            path.append("" if is_drawing else f"h{step * 0.2:.1f}")
        is_drawing = value is not None
    return " ".join(filter(None, path))


def _said(minute: Minute) -> str:
    text = f"{minute.at:%H:%M} UTC: {minute.processed:,} attempts, {minute.failed:,} failed"
    if minute.p50 is None:
        return text
    return f"{text}, p50 {duration(minute.p50)}, p95 {duration(minute.p95)}"


def _said_of(bucket: Bucket) -> str:
    if bucket.high is None:
        return f"{bucket.attempts:,} for {duration(bucket.low)} or longer"
    return f"{bucket.attempts:,} for {duration(bucket.low)} to {duration(bucket.high)}"
