"""Shell: what every page shows around its own content."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, has_request_context, request, url_for

from flaskiq import current
from flaskiq.api.numbers import numbers
from flaskiq.settings import mask_url
from flaskiq.web.dashboard import shown
from flaskiq.web.dashboard.acts import said
from flaskiq.web.dashboard.assets import address
from flaskiq.web.dashboard.guard import TOKEN, may, token

TABS = (
    ("overview", "Overview"),
    ("busy", "Busy"),
    ("queues", "Queues"),
    ("scheduled", "Scheduled"),
    ("retries", "Retries"),
    ("dead", "Dead"),
    ("cron", "Cron"),
    ("batches", "Batches"),
    ("chords", "Chords"),
)


def context() -> dict[str, Any]:
    """Return what the templates of the dashboard may use."""
    if not has_request_context() or "flaskiq_nonce" not in g:
        return {}
    state = current.state()
    return {
        "tabs": [(name, title, url_for(f"flaskiq.{name}")) for name, title in TABS],
        "numbers": _numbers,
        "asset": address,
        "nonce": g.flaskiq_nonce,
        "token_name": TOKEN,
        "token": token,
        "has_token": bool(current_app.secret_key),
        "may": may,
        "said": said(request.args.get("did", "")),
        "app_name": current_app.name,
        "env": state.settings.env,
        "broker": mask_url(state.settings.broker_url),
        **shown.FILTERS,
        "call": shown.call,
    }


def _numbers() -> list[tuple[str, int, str | None]]:
    found = numbers()
    return [
        ("Processed", found.processed, None),
        ("Failed", found.failed, None),
        ("Busy", found.busy, url_for("flaskiq.busy")),
        ("Enqueued", found.enqueued, url_for("flaskiq.queues")),
        ("Retries", found.retries, url_for("flaskiq.retries")),
        ("Scheduled", found.scheduled, url_for("flaskiq.scheduled")),
        ("Dead", found.dead, url_for("flaskiq.dead")),
    ]
