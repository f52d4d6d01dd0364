"""Overview: how much runs and waits, and how it went in the last minutes and days."""

from __future__ import annotations

from flaskiq import api, current
from flaskiq.store.reading import Reading, together
from flaskiq.tally import failed, processed
from flaskiq.web.dashboard.page import Content, Page

MINUTES, DAYS, WORKERS = 30, 14, 10
"""So many are shown."""


def _read() -> Reading[Content]:
    metrics, days, queues, leader = yield from together(
        api.metrics.reading(MINUTES),
        current.state().store.statistics.days.reading(DAYS),
        api.queues.reading(),
        api.cron_leader.reading(),
    )
    return {
        "minutes": metrics.minutes,
        "workers": metrics.workers[:WORKERS],
        "queues": queues,
        "processes": len({each for queue in queues for each in queue.processes}),
        "leader": leader,
        "days": [
            {"day": day, "processed": processed(counts), "failed": failed(counts)}
            for day, counts in days.items()
        ],
    }


PAGES = (Page(name="overview", path="/", read=_read),)
