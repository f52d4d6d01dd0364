"""Shell: what every page shows around its own content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import current_app, g, has_request_context, url_for

from flaskiq import current
from flaskiq.api import Numbers
from flaskiq.api.stretch import PAGE
from flaskiq.settings import mask_url
from flaskiq.web.dashboard import flower, graph, shown
from flaskiq.web.dashboard.acts import said
from flaskiq.web.dashboard.assets import address
from flaskiq.web.dashboard.guard import TOKEN, may, token
from flaskiq.web.dashboard.listing import ROWS


class Tab(NamedTuple):
    """A page that every page leads to; ``key`` is typed after ``g``."""

    name: str
    title: str
    key: str


TABS = (
    Tab("overview", "Overview", "o"),
    Tab("busy", "Busy", "b"),
    Tab("queues", "Queues", "q"),
    Tab("scheduled", "Scheduled", "s"),
    Tab("retries", "Retries", "r"),
    Tab("dead", "Dead", "d"),
    Tab("cron", "Cron", "c"),
    Tab("batches", "Batches", "a"),
    Tab("chords", "Chords", "h"),
    Tab("metrics", "Metrics", "m"),
)


def context() -> dict[str, Any]:
    """Return what the templates of the dashboard may use."""
    if not has_request_context() or "flaskiq_nonce" not in g:
        return {}
    state = current.state()
    found: Numbers | None = g.get("flaskiq_numbers")
    return {
        "tabs": TABS,
        "numbers": found and _numbers(found),
        # Of a link in each row url_for would be a fifth of what the row costs.
        "jobs_url": url_for("flaskiq.job", job_id="-")[:-1],
        "asset": address,
        "nonce": g.flaskiq_nonce,
        "token_name": TOKEN,
        "token": token,
        "has_token": bool(current_app.secret_key),
        "may": may,
        "said": said(),
        "app_name": current_app.name,
        "env": state.settings.env,
        "broker": mask_url(state.settings.broker_url),
        "flower": flower.address(),
        "sends_events": state.celery.conf.worker_send_task_events,
        "graph": graph,
        "next_query": next_query,
        "all_rows": ROWS,
        **shown.FILTERS,
    }


def _numbers(found: Numbers) -> list[tuple[str, int, str | None]]:
    return [
        ("Processed", found.processed, url_for("flaskiq.metrics")),
        ("Failed", found.failed, None),
        ("Busy", found.busy, url_for("flaskiq.busy")),
        ("Enqueued", found.enqueued, url_for("flaskiq.queues")),
        ("Retries", found.retries, url_for("flaskiq.retries")),
        ("Scheduled", found.scheduled, url_for("flaskiq.scheduled")),
        ("Dead", found.dead, url_for("flaskiq.dead")),
    ]


def next_query(fields: Mapping[str, str], rows: int, after: str) -> dict[str, str]:
    """Return the query of the page that begins ``after``, with the same filter."""
    given = {name: value for name, value in fields.items() if value}
    return {**given, **({} if rows == PAGE else {"rows": str(rows)}), "after": after}
