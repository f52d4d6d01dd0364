"""Overview: how much runs, and how it went in the last minutes and days."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, render_template

from flaskiq import api, current
from flaskiq.store.statistics import Statistics
from flaskiq.tally import FAILED

MINUTES, DAYS = 30, 14

WIDTH, HEIGHT = 600, 120
"""Of the graph, in its own units."""


class Bar(NamedTuple):
    """One minute of the graph."""

    title: str
    x: float
    width: float
    done: float
    failed: float


def _show() -> str:
    stats = api.Stats()
    days = [
        {"day": day, "processed": processed, "failed": failed}
        for day, (processed, failed) in stats.days(DAYS).items()
    ]
    return render_template(
        "flaskiq/overview.html",
        bars=_bars(),
        width=WIDTH,
        height=HEIGHT,
        days=days,
        workers=stats.workers(60)[:10],
        leader=api.cron_leader(),
        processes=len(api.ProcessSet()),
    )


def _bars() -> list[Bar]:
    statistics: Statistics = current.state().store.statistics
    found = sorted(statistics.minutes(MINUTES).items())
    counts = [
        (
            minute,
            sum(each.get(name, 0) for name in ("done", "snoozed", "discarded", "cancelled")),
            sum(each.get(name, 0) for name in FAILED),
        )
        for minute, each in found
    ]
    most = max((done + failed for _, done, failed in counts), default=0) or 1
    step = WIDTH / MINUTES
    return [
        Bar(
            f"{minute:%H:%M} to {minute + timedelta(minutes=1):%H:%M} UTC: {done:,} done, "
            f"{failed:,} failed",
            place * step,
            step * 0.8,
            done / most * HEIGHT,
            failed / most * HEIGHT,
        )
        for place, (minute, done, failed) in enumerate(counts)
    ]


def add(pages: Blueprint) -> None:
    """Add the route."""
    pages.add_url_rule("/", "overview", _show)
