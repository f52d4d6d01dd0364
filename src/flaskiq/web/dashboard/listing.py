"""Listing: a page of jobs, and which of them are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request

from flaskiq import api
from flaskiq.api import Filter
from flaskiq.api.stretch import PAGE
from flaskiq.web.dashboard.page import Content
from flaskiq.web.dashboard.redaction import ShownFilter, ShownJob

ROWS = (10, PAGE, 50, 100)
"""Jobs that a page may have."""

FIELDS = ("worker", "queue", "error", "argument", "tenant")
"""Of a filter, as they stand in the URL."""


def given() -> Filter:
    """Return the filter in the URL."""
    return ShownFilter(**{name: request.args.get(name) or None for name in FIELDS})


def after() -> str | None:
    """Return the place in the URL from which the list is shown on."""
    return request.args.get("after") or None


def skipped() -> int:
    """Return how many of a list come before the page, in a list that is only added to in front."""
    return max(0, request.args.get("after", 0, type=int))


def rows() -> int:
    """Return how many jobs a page is to have."""
    asked = request.args.get("rows", str(PAGE))
    return int(asked) if asked in map(str, ROWS) else PAGE


def content(page: api.Page, total: int, acts: Sequence[tuple[str, str]]) -> Content:
    """Return what a page shows of a list.

    With a filter ``looked_at`` jobs were looked at and no more: the next page, which begins
    ``after``, goes on. ``acts`` are what can be done: act and title.
    """
    where = given()
    fields: dict[str, Any] = {name: getattr(where, name) or "" for name in FIELDS}
    return {
        "jobs": [ShownJob(job) for job in page.jobs],
        "total": total,
        "looked_at": page.looked_at,
        "after": page.after,
        "filter": fields,
        "acts": acts,
        "rows": rows(),
    }
