"""Metrics: how often each Worker runs, how often it fails, and how long it takes."""

from __future__ import annotations

from flask import abort, request

from flaskiq import api
from flaskiq.store.reading import Reading
from flaskiq.web.dashboard.page import Content, Page

WINDOWS = (10, 60, 480)
"""Minutes; the longest is all that is kept."""


def _read() -> Reading[Content]:
    found = yield from api.metrics.reading(_window())
    return {**found._asdict(), "window": _window(), "windows": WINDOWS}


def _read_one(worker: str) -> Reading[Content]:
    found = yield from api.worker_metrics.reading(worker, _window())
    return {**found._asdict(), "worker": worker, "window": _window(), "windows": WINDOWS}


def _window() -> int:
    asked = request.args.get("minutes", str(WINDOWS[1]))
    if asked not in map(str, WINDOWS):
        abort(400, f"Figures are of the last {', '.join(map(str, WINDOWS))} minutes.")
    return int(asked)


PAGES = (
    Page(name="metrics", path="/metrics", read=_read),
    Page(name="worker", path="/metrics/<path:worker>", read=_read_one),
)
